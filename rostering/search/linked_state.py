"""A roster while the linked search changes it, and how a change is made, priced, timed, kept or undone.

A change is a row of small steps (take a stop out, put it in, exchange tails, move a visit in the order, leave it out),
each written in a journal. `settle` then times what the steps touched, in order of the visits' keys, and undoes
everything when the change costs too much or breaks a window or a shift. It proposes no change of its own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rostering.search.kernel.heap import Flags, Floats, Heap, clear, earlier, empty_heap, pop, push
from rostering.search.kernel.jit import entered, folded, inner
from rostering.search.kernel.links import Ints, Links, exchange_tails, no_links, put_after, take_out
from rostering.search.linked_tables import Tables

NEVER = -(1 << 60)
TOOK, PUT, TAILS, LEFT_OUT, LET_IN, ORDERED = range(6)
OPS, KEYS, DIRTY, TOUCHED, TIMED = range(5)
TRAVEL, LATE, WORST, EXTRA = range(4)
"""Of `sums` and `delta`: travel, lateness, worst lateness, and points of unfilled visits and of who goes where."""


class State(NamedTuple):
    """Visits' order keys and whether they are out; the runs' links; starts by stop (NEVER when out); sums of points."""

    key: Floats
    out: Flags
    links: Links
    start: Ints
    sums: Ints


class Journal(NamedTuple):
    """What the change at hand has done: steps, old keys, what must be timed, and starts as they were."""

    heap: Heap
    counts: Ints
    ops: Ints
    old_keys: Floats
    dirty: Ints
    touched: Ints
    timed: Ints
    old_starts: Ints
    delta: Ints


def empty_state(*, visits: int, runs: int) -> State:
    """Every visit out."""
    return State(
        key=np.arange(1, visits + 1, dtype=np.float64),
        out=np.ones(visits, np.bool_),
        links=no_links(stops=2 * visits, runs=runs),
        start=np.full(2 * visits, NEVER, np.int64),
        sums=np.zeros(4, np.int64),
    )


def empty_journal(*, visits: int, runs: int) -> Journal:
    """Room for the largest change."""
    room = 8 * visits + 2 * runs + 64
    return Journal(
        heap=empty_heap(visits=visits),
        counts=np.zeros(5, np.int64),
        ops=np.zeros((room, 5), np.int64),
        old_keys=np.zeros(room, np.float64),
        dirty=np.zeros(room, np.int64),
        touched=np.zeros(room, np.int64),
        timed=np.zeros(room, np.int64),
        old_starts=np.zeros(room, np.int64),
        delta=np.zeros(4, np.int64),
    )


@folded
def begin(journal: Journal) -> None:
    """A new change: the journal is empty."""
    for i in range(len(journal.counts)):
        journal.counts[i] = 0
    for i in range(len(journal.delta)):
        journal.delta[i] = 0


@folded
def _note(journal: Journal, kind: int, a: int, b: int, c: int, d: int) -> None:
    at = journal.counts[OPS]
    journal.ops[at, 0] = kind
    journal.ops[at, 1] = a
    journal.ops[at, 2] = b
    journal.ops[at, 3] = c
    journal.ops[at, 4] = d
    journal.counts[OPS] = at + 1


@folded
def _mark(journal: Journal, t: int) -> None:
    """The stop's visit must be timed again; -1 marks nothing."""
    if t >= 0:
        journal.dirty[journal.counts[DIRTY]] = t >> 1
        journal.counts[DIRTY] += 1


@folded
def _touch(journal: Journal, r: int) -> None:
    journal.touched[journal.counts[TOUCHED]] = r
    journal.counts[TOUCHED] += 1


@folded
def leg_between(tables: Tables, r: int, p: int, q: int) -> int:
    """Travel from stop `p` to stop `q` in run `r`; -1 is home, and nothing is travelled from home to home."""
    if p < 0:
        return 0 if q < 0 else tables.out_leg[r, q >> 1]
    return tables.back_leg[r, p >> 1] if q < 0 else tables.leg[p >> 1, q >> 1]  # type: ignore[no-any-return]


@inner
def take(tables: Tables, state: State, journal: Journal, t: int) -> None:
    """Stop `t` leaves its run."""
    links = state.links
    r = links.run_of[t]
    p = links.before[t]
    q = links.after[t]
    journal.delta[TRAVEL] += leg_between(tables, r, p, q) - leg_between(tables, r, p, t) - leg_between(tables, r, t, q)
    if tables.weights[3]:
        journal.delta[EXTRA] -= tables.cost[t, r]
    take_out(links, t)
    _note(journal, TOOK, t, r, p, 0)
    _mark(journal, q)
    _touch(journal, r)


@folded
def put(tables: Tables, state: State, journal: Journal, t: int, r: int, p: int) -> None:
    """Stop `t`, in no run, comes after stop `p` of run `r` (-1: first)."""
    links = state.links
    q = links.first[r] if p < 0 else links.after[p]
    journal.delta[TRAVEL] += leg_between(tables, r, p, t) + leg_between(tables, r, t, q) - leg_between(tables, r, p, q)
    if tables.weights[3]:
        journal.delta[EXTRA] += tables.cost[t, r]
    put_after(links, t, r, p)
    _note(journal, PUT, t, 0, 0, 0)
    _mark(journal, t)
    _mark(journal, q)
    _touch(journal, r)


@inner
def put_by_key(tables: Tables, state: State, journal: Journal, t: int, r: int) -> None:
    """Stop `t`, in no run, goes where its visit's key says in run `r`."""
    p = state.links.last[r]
    v = t >> 1
    while p >= 0 and earlier(state.key, v, p >> 1):
        p = state.links.before[p]
    put(tables, state, journal, t, r, p)


@folded
def order(state: State, journal: Journal, v: int, key: float) -> None:
    """Visit `v` moves in the order; none of its stops is in a run."""
    at = journal.counts[KEYS]
    journal.old_keys[at] = state.key[v]
    journal.counts[KEYS] = at + 1
    state.key[v] = key
    _note(journal, ORDERED, v, at, 0, 0)


@inner
def exchange(tables: Tables, state: State, journal: Journal, r: int, p: int, s: int, q: int) -> None:
    """What follows stop `p` in run `r` and stop `q` in run `s` change places; every stop may be in its new run."""
    links = state.links
    a = links.first[r] if p < 0 else links.after[p]
    b = links.first[s] if q < 0 else links.after[q]
    delta = leg_between(tables, r, p, b) + leg_between(tables, s, q, a)
    delta -= leg_between(tables, r, p, a) + leg_between(tables, s, q, b)
    if a >= 0:
        end = links.last[r]
        delta += leg_between(tables, s, end, -1) - leg_between(tables, r, end, -1)
    if b >= 0:
        end = links.last[s]
        delta += leg_between(tables, r, end, -1) - leg_between(tables, s, end, -1)
    journal.delta[TRAVEL] += delta
    if tables.weights[3]:
        journal.delta[EXTRA] += _tail_cost(tables, links, a, s) - _tail_cost(tables, links, a, r)
        journal.delta[EXTRA] += _tail_cost(tables, links, b, r) - _tail_cost(tables, links, b, s)
    exchange_tails(links, r, p, s, q)
    _note(journal, TAILS, r, p, s, q)
    _mark(journal, a)
    _mark(journal, b)
    _touch(journal, r)
    _touch(journal, s)


@inner
def _tail_cost(tables: Tables, links: Links, t: int, r: int) -> int:
    total = 0
    while t >= 0:
        total += tables.cost[t, r]
        t = links.after[t]
    return total


@folded
def leave_out(tables: Tables, state: State, journal: Journal, v: int) -> None:
    """Visit `v`, none of whose stops is in a run, is out."""
    state.out[v] = True
    journal.delta[EXTRA] += tables.penalty[v]
    _note(journal, LEFT_OUT, v, 0, 0, 0)
    for t in range(2 * v, 2 * v + tables.slots[v]):
        journal.delta[LATE] -= max(0, state.start[t] - tables.due[v])
        _set_start(state, journal, t, NEVER)


@folded
def let_in(tables: Tables, state: State, journal: Journal, v: int) -> None:
    """Visit `v` is not out any more; its stops are put in next."""
    state.out[v] = False
    journal.delta[EXTRA] -= tables.penalty[v]
    _note(journal, LET_IN, v, 0, 0, 0)


@folded
def _set_start(state: State, journal: Journal, t: int, start: int) -> None:
    at = journal.counts[TIMED]
    journal.timed[at] = t
    journal.old_starts[at] = state.start[t]
    journal.counts[TIMED] = at + 1
    state.start[t] = start


@inner
def undo(state: State, journal: Journal) -> None:
    """Every step of the change taken back, last first."""
    for i in range(journal.counts[TIMED] - 1, -1, -1):
        state.start[journal.timed[i]] = journal.old_starts[i]
    for i in range(journal.counts[OPS] - 1, -1, -1):
        kind = journal.ops[i, 0]
        a = journal.ops[i, 1]
        b = journal.ops[i, 2]
        if kind == PUT:
            take_out(state.links, a)
        elif kind == TOOK:
            put_after(state.links, a, b, journal.ops[i, 3])
        elif kind == TAILS:
            exchange_tails(state.links, a, b, journal.ops[i, 3], journal.ops[i, 4])
        elif kind == ORDERED:
            state.key[a] = journal.old_keys[b]
        else:
            state.out[a] = kind == LET_IN
    begin(journal)


@folded
def settle(tables: Tables, state: State, journal: Journal, bound: float) -> bool:
    """Whether the change is legal and costs less than `bound`: then it is kept, with its times; else undone."""
    fixed = tables.weights[0] * journal.delta[TRAVEL] + journal.delta[EXTRA]
    least = fixed - tables.weights[1] * state.sums[LATE] - tables.weights[2] * state.sums[WORST]
    if least < bound and _retimed(tables, state, journal, bound, fixed) and _all_back(tables, state, journal):
        worst = _worst(tables, state, journal)
        cost = fixed + tables.weights[1] * journal.delta[LATE] + tables.weights[2] * (worst - state.sums[WORST])
        if cost < bound:
            state.sums[TRAVEL] += journal.delta[TRAVEL]
            state.sums[LATE] += journal.delta[LATE]
            state.sums[EXTRA] += journal.delta[EXTRA]
            state.sums[WORST] = worst
            return True
    undo(state, journal)
    return False


@folded
def _retimed(tables: Tables, state: State, journal: Journal, bound: float, fixed: int) -> bool:
    """Times every marked visit and all that follow from it; False as soon as that is illegal or too dear.

    Keys rise along every run, so that no visit is timed twice; a visit's lateness, once it is timed, is final.
    """
    key, start, links, heap = state.key, state.start, state.links, journal.heap
    for i in range(journal.counts[DIRTY]):
        if not state.out[journal.dirty[i]]:
            push(heap, key, journal.dirty[i])
    left = state.sums[LATE] + journal.delta[LATE]
    worst = 0
    while heap.size[0] > 0:
        v = pop(heap, key)
        first, second = starts_of(tables, state, v)
        if first > tables.latest[v]:
            clear(heap)
            return False
        for t in range(2 * v, 2 * v + tables.slots[v]):
            now = second if t & 1 else first
            was = start[t]
            left -= max(0, was - tables.due[v])
            if now == was:
                continue
            journal.delta[LATE] += max(0, now - tables.due[v]) - max(0, was - tables.due[v])
            _set_start(state, journal, t, now)
            if links.after[t] >= 0:
                push(heap, key, links.after[t] >> 1)
            else:
                _touch(journal, links.run_of[t])
        worst = max(worst, max(first, second) - tables.due[v])
        late = journal.delta[LATE] - left
        if fixed + tables.weights[1] * late + tables.weights[2] * (worst - state.sums[WORST]) >= bound:
            clear(heap)
            return False
    return True


@folded
def _arrival(tables: Tables, state: State, t: int) -> int:
    r = state.links.run_of[t]
    p = state.links.before[t]
    if p < 0:
        return tables.leaves[r] + tables.out_leg[r, t >> 1]  # type: ignore[no-any-return]
    return state.start[p] + tables.service[p] + tables.leg[p >> 1, t >> 1]  # type: ignore[no-any-return]


@folded
def starts_of(tables: Tables, state: State, v: int) -> tuple[int, int]:
    """The earliest starts of the visit's stops after the stops before them; the second is NEVER for one slot."""
    first = max(_arrival(tables, state, 2 * v), tables.ready[v])
    if tables.slots[v] == 1:
        return first, NEVER
    second = max(_arrival(tables, state, 2 * v + 1), first + tables.least[v])
    return max(first, second - tables.most[v]), second


@folded
def _all_back(tables: Tables, state: State, journal: Journal) -> bool:
    for i in range(journal.counts[TOUCHED]):
        r = journal.touched[i]
        t = state.links.last[r]
        if t >= 0 and state.start[t] + tables.service[t] + tables.back_leg[r, t >> 1] > tables.back_by[r]:
            return False
    return True


@folded
def _worst(tables: Tables, state: State, journal: Journal) -> int:
    """The worst lateness with the change; every stop is looked at only when the worst one got better."""
    worst = state.sums[WORST]
    found = 0
    better = False
    for i in range(journal.counts[TIMED]):
        t = journal.timed[i]
        found = max(found, state.start[t] - tables.due[t >> 1])
        if worst > 0 and journal.old_starts[i] - tables.due[t >> 1] >= worst:
            better = True
    if found >= worst or not better:
        return max(found, worst)  # type: ignore[no-any-return]
    return worst_of(tables, state)


@entered
def worst_of(tables: Tables, state: State) -> int:
    """The worst lateness over all stops."""
    worst = 0
    for t in range(len(state.start)):
        worst = max(worst, state.start[t] - tables.due[t >> 1])
    return worst


@entered
def points(tables: Tables, state: State) -> int:
    """The objective of the sums."""
    weights, sums = tables.weights, state.sums
    return weights[0] * sums[TRAVEL] + weights[1] * sums[LATE] + weights[2] * sums[WORST] + sums[EXTRA]  # type: ignore[no-any-return]
