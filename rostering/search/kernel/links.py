"""Runs as linked lists of stops, for compiled searches: which stop is before and after which; no travel and no times.

A stop is a number: visit `v`'s slot `k` is stop `2 * v + k`. -1 stands for none. Stops and runs are rows of 4 and of 2
numbers in two flat arrays (a width known beforehand makes them quicker to reach than rows of a table); the fourth
number of a stop is the search's own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rostering.search.kernel.jit import entered, folded

Ints = np.ndarray[Any, np.dtype[np.int64]]
NONE = -1
RUN, BEFORE, AFTER = range(3)
"""Of a stop's numbers."""
FIRST, LAST = range(2)
"""Of a run's numbers."""


def no_links(*, stops: int, runs: int) -> tuple[Ints, Ints]:
    """Stops and runs: empty runs, no stop is in one, and all else is NONE too."""
    return np.full(4 * stops, NONE, np.int64), np.full(2 * runs, NONE, np.int64)


@folded
def take_out(stop: Ints, run: Ints, t: int) -> None:
    """Stop `t` leaves its run; its own `before` and `after` stay as they were, so that it can be put back."""
    r = stop[4 * t + RUN]
    p = stop[4 * t + BEFORE]
    q = stop[4 * t + AFTER]
    if p < 0:
        run[2 * r + FIRST] = q
    else:
        stop[4 * p + AFTER] = q
    if q < 0:
        run[2 * r + LAST] = p
    else:
        stop[4 * q + BEFORE] = p
    stop[4 * t + RUN] = NONE


@folded
def put_after(stop: Ints, run: Ints, t: int, r: int, p: int) -> None:
    """Stop `t`, in no run, comes after stop `p` of run `r`; first when `p` is -1."""
    if p < 0:
        q = run[2 * r + FIRST]
        run[2 * r + FIRST] = t
    else:
        q = stop[4 * p + AFTER]
        stop[4 * p + AFTER] = t
    stop[4 * t + BEFORE] = p
    stop[4 * t + AFTER] = q
    if q < 0:
        run[2 * r + LAST] = t
    else:
        stop[4 * q + BEFORE] = t
    stop[4 * t + RUN] = r


@folded
def _join(stop: Ints, run: Ints, r: int, p: int, q: int) -> None:
    """Stop `q` and all after it follow stop `p` (or stand first) in run `r`; `last` is the caller's."""
    if p < 0:
        run[2 * r + FIRST] = q
    else:
        stop[4 * p + AFTER] = q
    t = q
    if q >= 0:
        stop[4 * q + BEFORE] = p
    while t >= 0:
        stop[4 * t + RUN] = r
        t = stop[4 * t + AFTER]


@entered
def exchange_tails(stop: Ints, run: Ints, r: int, p: int, s: int, q: int) -> None:
    """What follows stop `p` in run `r` and what follows stop `q` in run `s` change places; -1 takes the whole run.

    Its own inverse, called again with the same arguments.
    """
    a = run[2 * r + FIRST] if p < 0 else stop[4 * p + AFTER]
    b = run[2 * s + FIRST] if q < 0 else stop[4 * q + AFTER]
    end_a = run[2 * r + LAST]
    end_b = run[2 * s + LAST]
    _join(stop, run, r, p, b)
    _join(stop, run, s, q, a)
    run[2 * r + LAST] = end_b if b >= 0 else p
    run[2 * s + LAST] = end_a if a >= 0 else q
