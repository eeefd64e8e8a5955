"""First rosters for the linked search: made by due time, or read from a warm start. They are not good, only legal."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping

import numpy as np

from rostering.search.engine import Stops
from rostering.search.kernel.links import LAST, NONE, RUN
from rostering.search.linked_rebuilt import rebuilt
from rostering.search.linked_state import START, State, by_stop, empty_state
from rostering.search.linked_tables import (
    BACK_BY,
    DUE,
    LATEST,
    LEAST,
    LEAVES,
    MOST,
    READY,
    SERVICE,
    SLOTS,
    Tables,
    by_eight,
)


def first_state(*, tables: Tables) -> State:
    """Each visit, by due time, to the workers who can start it soonest; out when a window or a shift forbids it."""
    visit, run = by_eight(tables.visit), by_eight(tables.run)
    state = empty_state(visits=len(visit), runs=len(run))
    at: list[int] = [NONE] * len(run)
    free: list[int] = run[:, LEAVES].tolist()
    until = visit[:, [DUE, LATEST]].min(axis=1)
    for rank, v in enumerate(np.lexsort((np.arange(len(visit)), visit[:, READY], until)).tolist()):
        state.key[v] = rank + 1
        for k, (r, start) in enumerate(_soonest(tables, v, at, free) or ()):
            by_stop(state)[2 * v + k, RUN] = r
            at[r], free[r] = v, start + int(visit[v, SERVICE + k])
    broken = rebuilt(tables, state)
    assert broken == 0
    return state


def _soonest(tables: Tables, v: int, at: list[int], free: list[int]) -> list[tuple[int, int]] | None:
    """(run, start) of each slot, or None when no legal pair is found."""
    visit = by_eight(tables.visit)[v].tolist()
    options = [
        sorted((_arrival(tables, v, r, at, free), r) for r in np.flatnonzero(tables.able[2 * v + k]).tolist())
        for k in range(visit[SLOTS])
    ]
    pairs = [(option,) for option in options[0]] if len(options) == 1 else _pairs(options[0], options[1])
    for pair in pairs:
        starts = [max(pair[0][0], visit[READY])]
        if len(pair) == 2:
            second = max(pair[1][0], starts[0] + visit[LEAST])
            starts = [max(starts[0], second - visit[MOST]), second]
        ends = [start + visit[SERVICE + k] for k, start in enumerate(starts)]
        back = all(not _too_late(tables, r, v, end) for end, (_, r) in zip(ends, pair, strict=True))
        if starts[0] <= visit[LATEST] and back:
            return [(r, start) for start, (_, r) in zip(starts, pair, strict=True)]
    return None


def _too_late(tables: Tables, r: int, v: int, end: int) -> bool:
    """Whether run `r` comes home after it must from visit `v`, over at `end`."""
    return bool(end + tables.leg[tables.leg.shape[1] + 2 * r + 1, v] > by_eight(tables.run)[r, BACK_BY])


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


def _arrival(tables: Tables, v: int, r: int, at: list[int], free: list[int]) -> int:
    return free[r] + int(tables.leg[at[r] if at[r] >= 0 else tables.leg.shape[1] + 2 * r, v])


def started_state(*, tables: Tables, start: Mapping[int, Stops]) -> State:
    """The roster of a warm start, its visits in an order that every run keeps.

    Out are visits not wholly in it, those that no such order can hold, and the last ones of a run whose times break.
    """
    visits = tables.leg.shape[1]
    state = empty_state(visits=visits, runs=tables.able.shape[1])
    run_of = by_stop(state)[:, RUN]
    ranks = _ranks(tables, start)
    state.key[:] = [ranks.get(v, visits + v + 1.0) for v in range(visits)]
    for r, stops in start.items():
        for v, k, _ in stops:
            if v in ranks and tables.able[2 * v + k, r]:
                run_of[2 * v + k] = r
    run_of[::2][run_of[::2] == run_of[1::2]] = NONE
    while rebuilt(tables, state) and (run_of >= 0).any():
        _drop_broken(tables, state)
    return state


def _drop_broken(tables: Tables, state: State) -> None:
    """Visits that start too late, or end their run too late, are out."""
    stop, visit = by_stop(state), by_eight(tables.visit)
    stop[::2, RUN][stop[::2, START] > visit[:, LATEST]] = NONE
    for r, t in enumerate(state.run[LAST::2].tolist()):
        if t >= 0 and _too_late(tables, r, t >> 1, stop[t, START] + visit[t >> 1, SERVICE + (t & 1)]):
            stop[t & ~1, RUN] = NONE


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
    return {v: rank for v, rank in ranks.items() if v < tables.leg.shape[1]}
