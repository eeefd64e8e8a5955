"""First rosters for the linked search: made by due time, or read from a warm start. They are not good, only legal."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping

import numpy as np

from rostering.search.engine import Stops
from rostering.search.kernel.links import Ints
from rostering.search.linked_rebuilt import rebuilt
from rostering.search.linked_state import State, empty_state
from rostering.search.linked_tables import Tables


def first_state(*, tables: Tables) -> State:
    """Each visit, by due time, to the workers who can start it soonest; out when a window or a shift forbids it."""
    visits, runs = len(tables.slots), len(tables.leaves)
    state = empty_state(visits=visits, runs=runs)
    at: list[int] = [-1] * runs
    free = tables.leaves.copy()
    until = np.minimum(tables.due, tables.latest)
    for rank, v in enumerate(np.lexsort((np.arange(visits), tables.ready, until)).tolist()):
        state.key[v] = rank + 1
        chosen = _soonest(tables, v, at, free)
        if chosen is None:
            continue
        state.out[v] = False
        for k, (r, start) in enumerate(chosen):
            state.links.run_of[2 * v + k] = r
            at[r], free[r] = v, start + tables.service[2 * v + k]
    broken = rebuilt(tables, state)
    assert broken == 0
    return state


def _soonest(tables: Tables, v: int, at: list[int], free: Ints) -> list[tuple[int, int]] | None:
    """(run, start) of each slot, or None when no legal pair is found."""
    options = [
        sorted((_arrival(tables, v, r, at, free), r) for r in np.flatnonzero(tables.able[2 * v + k]).tolist())
        for k in range(int(tables.slots[v]))
    ]
    pairs = [(option,) for option in options[0]] if len(options) == 1 else _pairs(options[0], options[1])
    for pair in pairs:
        starts = [max(pair[0][0], int(tables.ready[v]))]
        if len(pair) == 2:
            second = max(pair[1][0], starts[0] + int(tables.least[v]))
            starts = [max(starts[0], second - int(tables.most[v])), second]
        ends = [start + int(tables.service[2 * v + k]) for k, start in enumerate(starts)]
        back = all(end + tables.back_leg[r, v] <= tables.back_by[r] for end, (_, r) in zip(ends, pair, strict=True))
        if starts[0] <= tables.latest[v] and back:
            return [(r, start) for start, (_, r) in zip(starts, pair, strict=True)]
    return None


def _pairs(
    some: list[tuple[int, int]], others: list[tuple[int, int]]
) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Pairs of two different workers, the soonest first (of the soonest eight of each, then any)."""
    near = [(max(a[0], b[0]), a, b) for a in some[:8] for b in others[:8] if a[1] != b[1]]
    for _, a, b in sorted(near):
        yield a, b
    for a in some:
        for b in others:
            if a[1] != b[1]:
                yield a, b


def _arrival(tables: Tables, v: int, r: int, at: list[int], free: Ints) -> int:
    leg = tables.out_leg[r, v] if at[r] < 0 else tables.leg[at[r], v]
    return int(free[r] + leg)


def started_state(*, tables: Tables, start: Mapping[int, Stops]) -> State:
    """The roster of a warm start, its visits in an order that every run keeps.

    Out are visits not wholly in it, those that no such order can hold, and the last ones of a run whose times break.
    """
    visits, runs = len(tables.slots), len(tables.leaves)
    state = empty_state(visits=visits, runs=runs)
    ranks = _ranks(tables, start)
    state.key[:] = [ranks.get(v, visits + v + 1.0) for v in range(visits)]
    for r, stops in start.items():
        for v, k, _ in stops:
            if v in ranks and tables.able[2 * v + k, r]:
                state.links.run_of[2 * v + k] = r
    for v in range(visits):
        held = [state.links.run_of[2 * v + k] for k in range(int(tables.slots[v]))]
        state.out[v] = min(held) < 0 or len(set(held)) < len(held)
    while rebuilt(tables, state) and not state.out.all():
        _drop_broken(tables, state)
    return state


def _drop_broken(tables: Tables, state: State) -> None:
    """Visits that start too late, or end their run too late, are out."""
    start = state.start[::2]
    state.out[start > tables.latest] = True
    for r, t in enumerate(state.links.last.tolist()):
        if t >= 0 and state.start[t] + tables.service[t] + tables.back_leg[r, t >> 1] > tables.back_by[r]:
            state.out[t >> 1] = True


def _ranks(tables: Tables, start: Mapping[int, Stops]) -> dict[int, float]:
    """Ranks 1, 2 ... of visits, earlier starts first, that rise along every run; without those in a circle."""
    follows: dict[int, list[int]] = {}
    waiting: dict[int, int] = {}
    soonest: dict[int, int] = {}
    for stops in start.values():
        for i, (v, _, time) in enumerate(stops):
            soonest[v] = min(time, soonest.get(v, time))
            waiting.setdefault(v, 0)
            if i:
                follows.setdefault(stops[i - 1][0], []).append(v)
                waiting[v] += 1
    ready = [(soonest[v], v) for v, count in waiting.items() if not count]
    heapq.heapify(ready)
    ranks: dict[int, float] = {}
    while ready:
        _, v = heapq.heappop(ready)
        ranks[v] = len(ranks) + 1.0
        for u in follows.get(v, []):
            waiting[u] -= 1
            if not waiting[u]:
                heapq.heappush(ready, (soonest[u], u))
    return {v: rank for v, rank in ranks.items() if v < len(tables.slots)}
