"""Runs as linked lists of stops, for compiled searches: which stop is before and after which; no travel and no times.

A stop is a number: visit `v`'s slot `k` is stop `2 * v + k`. -1 stands for none.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from rostering.search.kernel.jit import compiled, inlined

Ints = np.ndarray[Any, np.dtype[np.int64]]
NONE = -1


class Links(NamedTuple):
    """run_of, before and after by stop; first and last by run."""

    run_of: Ints
    before: Ints
    after: Ints
    first: Ints
    last: Ints


def no_links(*, stops: int, runs: int) -> Links:
    """Links of `runs` empty runs; no stop is in one."""
    return Links(
        run_of=np.full(stops, NONE, np.int64),
        before=np.full(stops, NONE, np.int64),
        after=np.full(stops, NONE, np.int64),
        first=np.full(runs, NONE, np.int64),
        last=np.full(runs, NONE, np.int64),
    )


@inlined
def take_out(links: Links, t: int) -> None:
    """Stop `t` leaves its run; its own `before` and `after` stay as they were, so that it can be put back."""
    r = links.run_of[t]
    p = links.before[t]
    q = links.after[t]
    if p < 0:
        links.first[r] = q
    else:
        links.after[p] = q
    if q < 0:
        links.last[r] = p
    else:
        links.before[q] = p
    links.run_of[t] = NONE


@inlined
def put_after(links: Links, t: int, r: int, p: int) -> None:
    """Stop `t`, in no run, comes after stop `p` of run `r`; first when `p` is -1."""
    q = links.first[r] if p < 0 else links.after[p]
    links.before[t] = p
    links.after[t] = q
    if p < 0:
        links.first[r] = t
    else:
        links.after[p] = t
    if q < 0:
        links.last[r] = t
    else:
        links.before[q] = t
    links.run_of[t] = r


@inlined
def _join(links: Links, r: int, p: int, q: int) -> None:
    """Stop `q` and all after it follow stop `p` (or stand first) in run `r`; `last` is the caller's."""
    if p < 0:
        links.first[r] = q
    else:
        links.after[p] = q
    if q >= 0:
        links.before[q] = p


@compiled
def exchange_tails(links: Links, r: int, p: int, s: int, q: int) -> None:
    """What follows stop `p` in run `r` and what follows stop `q` in run `s` change places; -1 takes the whole run.

    Its own inverse, called again with the same arguments.
    """
    a = links.first[r] if p < 0 else links.after[p]
    b = links.first[s] if q < 0 else links.after[q]
    end_a = links.last[r]
    end_b = links.last[s]
    _join(links, r, p, b)
    _join(links, s, q, a)
    links.last[r] = end_b if b >= 0 else p
    links.last[s] = end_a if a >= 0 else q
    t = b
    while t >= 0:
        links.run_of[t] = r
        t = links.after[t]
    t = a
    while t >= 0:
        links.run_of[t] = s
        t = links.after[t]
