"""A roster while the linked search changes it, and how a change is made, priced and undone.

A change is a row of small steps (take a stop out, put it in, exchange tails, move a visit in the order, leave it out),
each written in a journal, so that it can be undone. It proposes no change of its own and times none (linked_timing).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rostering.search.kernel.heap import Floats, earlier
from rostering.search.kernel.jit import folded, inner
from rostering.search.kernel.links import (
    AFTER,
    BEFORE,
    FIRST,
    LAST,
    RUN,
    Ints,
    exchange_tails,
    no_links,
    put_after,
    take_out,
)
from rostering.search.linked_tables import (
    ANY_COST,
    COST,
    DUE,
    PENALTY,
    PER_TRAVEL,
    PER_WORST,
    SLOTS,
    Tables,
)

NEVER = -(1 << 60)
START = 3
"""Of a stop's numbers, behind its links."""
TOOK, PUT, TAILS, ORDERED = range(4)
TRAVEL, LATE, WORST, EXTRA, OPS, KEYS, DIRTY, TOUCHED, TIMED = range(9)
"""Of `sums`: travel, lateness, worst lateness, and points of unfilled visits and of who goes where; then how many
steps and so on the journal holds."""
KIND, A, B, C, D, DIRTY_VISIT, TOUCHED_RUN, TIMED_STOP, START_WAS = range(9)
"""Of a step's 16 numbers: five of what was done; then, each with a count of its own, what must be timed and what was."""


class State(NamedTuple):
    """Visits' order keys; stops and runs as linked, a stop's start behind its links (NEVER when out); sums of points.

    A visit is out when its first stop is in no run.
    """

    key: Floats
    stop: Ints
    run: Ints
    sums: Ints


class Journal(NamedTuple):
    """What the change at hand has done: what it adds to the sums and counts of steps, the steps, and old keys."""

    sums: Ints
    steps: Ints
    old_keys: Floats


def empty_state(*, visits: int, runs: int) -> State:
    """Every visit out."""
    stop, run = no_links(stops=2 * visits, runs=runs)
    state = State(key=np.arange(1, visits + 1, dtype=np.float64), stop=stop, run=run, sums=np.zeros(4, np.int64))
    by_stop(state)[:, START] = NEVER
    return state


def by_stop(state: State) -> Ints:
    """The four numbers of each stop."""
    return state.stop.reshape(-1, 4)


def empty_journal(*, visits: int, runs: int) -> Journal:
    """Room for the largest change."""
    room = 8 * visits + 2 * runs + 64
    return Journal(sums=np.zeros(9, np.int64), steps=np.zeros(16 * room, np.int64), old_keys=np.zeros(room, np.float64))


def points(tables: Tables, state: State) -> int:
    """The objective of the sums."""
    return int(tables.run[PER_TRAVEL : PER_WORST + 1] @ state.sums[:EXTRA] + state.sums[EXTRA])


@inner
def begin(journal: Journal) -> None:
    """A new change: the journal is empty."""
    sums = journal.sums
    for i in range(len(sums)):
        sums[i] = 0


@folded
def _note(journal: Journal, kind: int, a: int, b: int, c: int, d: int) -> None:
    steps = journal.steps
    at = journal.sums[OPS]
    steps[16 * at + KIND] = kind
    steps[16 * at + A] = a
    steps[16 * at + B] = b
    steps[16 * at + C] = c
    steps[16 * at + D] = d
    journal.sums[OPS] = at + 1


@folded
def _mark(journal: Journal, t: int) -> None:
    """The stop's visit must be timed again; -1 marks nothing."""
    if t >= 0:
        journal.steps[16 * (journal.sums[DIRTY]) + DIRTY_VISIT] = t >> 1
        journal.sums[DIRTY] += 1


@folded
def touch(journal: Journal, r: int) -> None:
    """Remember that the end of run `r` is to be looked at."""
    journal.steps[16 * (journal.sums[TOUCHED]) + TOUCHED_RUN] = r
    journal.sums[TOUCHED] += 1


@folded
def leg_between(tables: Tables, r: int, p: int, q: int) -> int:
    """Travel from stop `p` to stop `q` in run `r`; -1 is home, and nothing is travelled from home to home."""
    leg = tables.leg
    if q >= 0:
        return leg[p >> 1 if p >= 0 else leg.shape[1] + 2 * r, q >> 1]  # type: ignore[no-any-return]
    return leg[leg.shape[1] + 2 * r + 1, p >> 1] if p >= 0 else 0


@folded
def larger(a: int, b: int) -> int:
    """What max gives, which numba compiles again for each place that it is used at."""
    return a if a > b else b  # noqa: FURB136


@folded
def late_by(start: int, due: int) -> int:
    """Seconds after `due`, or 0."""
    return start - due if start > due else 0


@inner
def take(tables: Tables, state: State, journal: Journal, t: int) -> None:
    """Stop `t` leaves its run."""
    stop = state.stop
    r, p, q = stop[4 * t + RUN], stop[4 * t + BEFORE], stop[4 * t + AFTER]
    delta = leg_between(tables, r, p, q) - leg_between(tables, r, p, t) - leg_between(tables, r, t, q)
    journal.sums[TRAVEL] += delta
    if tables.run[ANY_COST]:
        journal.sums[EXTRA] -= tables.listed[t, COST + r]
    take_out(stop, state.run, t)
    _note(journal, int(TOOK), t, r, p, q)
    _mark(journal, q)
    touch(journal, r)


@folded
def put(tables: Tables, state: State, journal: Journal, t: int, r: int, p: int) -> None:
    """Stop `t`, in no run, comes after stop `p` of run `r` (-1: first)."""
    q = state.run[2 * r + FIRST] if p < 0 else state.stop[4 * p + AFTER]
    delta = leg_between(tables, r, p, t) + leg_between(tables, r, t, q) - leg_between(tables, r, p, q)
    journal.sums[TRAVEL] += delta
    if tables.run[ANY_COST]:
        journal.sums[EXTRA] += tables.listed[t, COST + r]
    put_after(state.stop, state.run, t, r, p)
    _note(journal, int(PUT), t, r, p, q)
    _mark(journal, t)
    _mark(journal, q)
    touch(journal, r)


@inner
def put_by_key(tables: Tables, state: State, journal: Journal, t: int, r: int) -> None:
    """Stop `t`, in no run, goes where its visit's key says in run `r`."""
    p = state.run[2 * r + LAST]
    v = t >> 1
    while p >= 0 and earlier(state.key, v, p >> 1):
        p = state.stop[4 * p + BEFORE]
    put(tables, state, journal, t, r, p)


@folded
def order(state: State, journal: Journal, v: int, key: float) -> None:
    """Visit `v` moves in the order; none of its stops is in a run."""
    at = journal.sums[KEYS]
    journal.old_keys[at] = state.key[v]
    journal.sums[KEYS] = at + 1
    state.key[v] = key
    _note(journal, int(ORDERED), v, at, v, at)


@inner
def exchange(tables: Tables, state: State, journal: Journal, r: int, p: int, s: int, q: int) -> None:
    """What follows stop `p` in run `r` and stop `q` in run `s` change places; every stop may be in its new run."""
    stop, run = state.stop, state.run
    a = run[2 * r + FIRST] if p < 0 else stop[4 * p + AFTER]
    b = run[2 * s + FIRST] if q < 0 else stop[4 * q + AFTER]
    delta = _tail_moved(tables, state, r, p, a, s, q)
    delta += _tail_moved(tables, state, s, q, b, r, p)
    journal.sums[TRAVEL] += delta
    if tables.run[ANY_COST]:
        journal.sums[EXTRA] += _tail_cost(tables, stop, a, s, r) + _tail_cost(tables, stop, b, r, s)
    exchange_tails(stop, run, r, p, s, q)
    _note(journal, int(TAILS), r, p, s, q)
    _mark(journal, a)
    _mark(journal, b)
    touch(journal, r)
    touch(journal, s)


@folded
def _tail_moved(tables: Tables, state: State, r: int, p: int, a: int, s: int, q: int) -> int:
    """Travel more when stop `a` and all after it follow stop `q` of run `s` and not stop `p` of run `r`."""
    delta = leg_between(tables, s, q, a) - leg_between(tables, r, p, a)
    if a >= 0:
        end, home = state.run[2 * r + LAST] >> 1, tables.leg.shape[1] + 1
        delta += tables.leg[home + 2 * s, end] - tables.leg[home + 2 * r, end]
    return delta


@inner
def _tail_cost(tables: Tables, stop: Ints, t: int, s: int, r: int) -> int:
    """Points more for stop `t` and all after it in run `s` than in run `r`."""
    total = 0
    while t >= 0:
        total += tables.listed[t, COST + s] - tables.listed[t, COST + r]
        t = stop[4 * t + AFTER]
    return total


@folded
def leave_out(tables: Tables, state: State, journal: Journal, v: int) -> None:
    """Visit `v`, none of whose stops is in a run, stays out."""
    journal.sums[EXTRA] += tables.listed[2 * v, PENALTY]
    for t in range(2 * v, 2 * v + tables.visit[8 * v + SLOTS]):
        journal.sums[LATE] -= late_by(state.stop[4 * t + START], tables.visit[8 * v + DUE])
        set_start(state, journal, t, int(NEVER))


@folded
def set_start(state: State, journal: Journal, t: int, start: int) -> None:
    """Stop `t` starts then; the start before it is noted."""
    at = journal.sums[TIMED]
    journal.steps[16 * at + TIMED_STOP] = t
    journal.steps[16 * at + START_WAS] = state.stop[4 * t + START]
    journal.sums[TIMED] = at + 1
    state.stop[4 * t + START] = start


@inner
def undo(state: State, journal: Journal) -> None:
    """Every step of the change taken back, last first."""
    stop, run, steps = state.stop, state.run, journal.steps
    for i in range(journal.sums[TIMED] - 1, -1, -1):
        stop[4 * (steps[16 * i + TIMED_STOP]) + START] = steps[16 * i + START_WAS]
    for i in range(journal.sums[OPS] - 1, -1, -1):
        kind, a, b = steps[16 * i + KIND], steps[16 * i + A], steps[16 * i + B]
        if kind == PUT:
            take_out(stop, run, a)
        elif kind == TOOK:
            put_after(stop, run, a, b, steps[16 * i + C])
        elif kind == TAILS:
            exchange_tails(stop, run, a, b, steps[16 * i + C], steps[16 * i + D])
        else:
            state.key[a] = journal.old_keys[b]
