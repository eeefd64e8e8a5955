"""A roster while the linked search changes it, and how a change is made, priced, timed, kept or undone.

A change is a row of small steps (take a stop out, put it in, exchange tails, move a visit in the order, leave it out),
each written in a journal. `settle` then times what the steps touched, in order of the visits' keys, and undoes
everything when the change costs too much or breaks a window or a shift. It proposes no change of its own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rostering.search.kernel.heap import Floats, Heap, clear, earlier, pop, push
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
    BACK_BY,
    COST,
    DUE,
    LATEST,
    LEAST,
    LEAVES,
    MOST,
    PENALTY,
    PER_LATE,
    PER_TRAVEL,
    PER_WORST,
    READY,
    SERVICE,
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
def _touch(journal: Journal, r: int) -> None:
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
    _touch(journal, r)


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
    _touch(journal, r)


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
    _touch(journal, r)
    _touch(journal, s)


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
        _set_start(state, journal, t, int(NEVER))


@folded
def _set_start(state: State, journal: Journal, t: int, start: int) -> None:
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


@folded
def settle(tables: Tables, state: State, journal: Journal, heap: Heap, bound: float) -> bool:
    """Whether the change is legal and costs less than `bound`: then it is kept, with its times; else undone."""
    weights, sums, more = tables.run, state.sums, journal.sums
    fixed = weights[PER_TRAVEL] * more[TRAVEL] + more[EXTRA]
    least = fixed - weights[PER_LATE] * sums[LATE] - weights[PER_WORST] * sums[WORST]
    if least < bound and _retimed(tables, state, journal, heap, bound, fixed) and _all_back(tables, state, journal):
        worst = _worst(tables, state, journal)
        cost = fixed + weights[PER_LATE] * more[LATE] + weights[PER_WORST] * (worst - sums[WORST])
        if cost < bound:
            sums[TRAVEL] += more[TRAVEL]
            sums[LATE] += more[LATE]
            sums[EXTRA] += more[EXTRA]
            sums[WORST] = worst
            return True
    undo(state, journal)
    return False


@folded
def _retimed(tables: Tables, state: State, journal: Journal, heap: Heap, bound: float, fixed: int) -> bool:
    """Times every marked visit and all that follow from it; False as soon as that is illegal or too dear.

    Keys rise along every run, so that no visit is timed twice; a visit's lateness, once it is timed, is final.
    """
    key, stop, more, visit = state.key, state.stop, journal.sums, tables.visit
    per_late, per_worst, worst_was = tables.run[PER_LATE], tables.run[PER_WORST], state.sums[WORST]
    for i in range(more[DIRTY]):
        v = journal.steps[16 * i + DIRTY_VISIT]
        if stop[8 * v + RUN] >= 0:
            push(heap, key, v)
    left = state.sums[LATE] + more[LATE]
    worst = 0
    while heap.size[0] > 0:
        v = pop(heap, key)
        first, second = starts_of(tables, stop, v)
        if first > visit[8 * v + LATEST]:
            clear(heap)
            return False
        due = visit[8 * v + DUE]
        for t in range(2 * v, 2 * v + visit[8 * v + SLOTS]):
            now = second if t & 1 else first
            was = late_by(stop[4 * t + START], due)
            left -= was
            if now == stop[4 * t + START]:
                continue
            more[LATE] += late_by(now, due) - was
            _set_start(state, journal, t, now)
            following = stop[4 * t + AFTER]
            if following >= 0:
                push(heap, key, following >> 1)
            else:
                _touch(journal, stop[4 * t + RUN])
        worst = larger(worst, larger(first, second) - due)
        if fixed + per_late * (more[LATE] - left) + per_worst * (worst - worst_was) >= bound:
            clear(heap)
            return False
    return True


@folded
def _arrival(tables: Tables, stop: Ints, t: int) -> int:
    p = stop[4 * t + BEFORE]
    if p < 0:
        r = stop[4 * t + RUN]
        return tables.run[8 * r + LEAVES] + tables.leg[tables.leg.shape[1] + 2 * r, t >> 1]  # type: ignore[no-any-return]
    return stop[4 * p + START] + tables.visit[8 * (p >> 1) + SERVICE + (p & 1)] + tables.leg[p >> 1, t >> 1]  # type: ignore[no-any-return]


@folded
def starts_of(tables: Tables, stop: Ints, v: int) -> tuple[int, int]:
    """The earliest starts of the visit's stops after the stops before them; the second is NEVER for one slot."""
    visit = tables.visit
    first = larger(_arrival(tables, stop, 2 * v), visit[8 * v + READY])
    if visit[8 * v + SLOTS] == 1:
        return first, NEVER
    second = larger(_arrival(tables, stop, 2 * v + 1), first + visit[8 * v + LEAST])
    first = larger(first, second - visit[8 * v + MOST])
    return first, second


@folded
def too_late(tables: Tables, state: State, r: int) -> bool:
    """Whether run `r` comes back after it must."""
    t = state.run[2 * r + LAST]
    if t < 0:
        return False
    back = state.stop[4 * t + START] + tables.visit[8 * (t >> 1) + SERVICE + (t & 1)]
    return back + tables.leg[tables.leg.shape[1] + 2 * r + 1, t >> 1] > tables.run[8 * r + BACK_BY]  # type: ignore[no-any-return]


@folded
def _all_back(tables: Tables, state: State, journal: Journal) -> bool:
    for i in range(journal.sums[TOUCHED]):  # noqa: SIM110 -- compiled: no generators
        if too_late(tables, state, journal.steps[16 * i + TOUCHED_RUN]):
            return False
    return True


@folded
def _worst(tables: Tables, state: State, journal: Journal) -> int:
    """The worst lateness with the change; every stop is looked at only when the worst one got better."""
    worst = state.sums[WORST]
    found = 0
    better = False
    for i in range(journal.sums[TIMED]):
        t = journal.steps[16 * i + TIMED_STOP]
        due = tables.visit[8 * (t >> 1) + DUE]
        found = larger(found, late_by(state.stop[4 * t + START], due))
        if worst > 0 and journal.steps[16 * i + START_WAS] - due >= worst:
            better = True
    if found >= worst or not better:
        return larger(found, worst)
    return worst_of(tables, state)


@inner
def worst_of(tables: Tables, state: State) -> int:
    """The worst lateness over all stops."""
    worst = 0
    for t in range(len(state.stop) >> 2):
        worst = larger(worst, late_by(state.stop[4 * t + START], tables.visit[8 * (t >> 1) + DUE]))
    return worst
