"""A compiled problem as the arrays of the engine "segments", and back; rostering.search.segments_kernel names the columns.

It searches nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rostering.search import segments_kernel as kernel
from rostering.search.compiled import Compiled
from rostering.search.engine import Stops
from rostering.search.segments_kernel import FAR, Ints, Shorts

BESIDE_MAX = 40
AROUND_MAX = 100
TAKEN_MEAN = 10
WAIT_SHARE = 0.2
TIME_MAX = 1 << 30
Flags = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrays:
    """What every move reads and changes, in the order in which the compiled moves take it."""

    travel: Shorts
    stops: Ints
    runs: Ints
    groups: Ints
    dear: Ints
    lists: Shorts
    near: Shorts
    idle: Ints
    absent: Ints
    total: Ints

    def travel_of(self, stops: Ints, runs: Ints) -> int:
        """Travel of all runs of a plan, home to home."""
        length = 0
        for r in range(len(runs)):
            g = self.groups[runs[r, kernel.GROUP]]
            leg, at = self.travel[g[kernel.MODE]], g[kernel.HOME]
            c = runs[r, kernel.FIRST]
            while c >= 0:
                length, at, c = length + int(leg[at, c]), c, stops[c, kernel.AFTER]
            length += int(leg[at, g[kernel.HOME]]) if at != g[kernel.HOME] else 0
        return length


def arrays_of(*, compiled: Compiled) -> Arrays:
    """The problem with nobody anywhere. Every demand has one slot and at most one window (the engine refuses others)."""
    n, duties = len(compiled.demands), len(compiled.duties)
    homes = sorted({duty.home for duty in compiled.duties if duty.home is not None})
    modes = sorted({worker.mode for worker in compiled.workers})
    travel = _travel(compiled, modes, homes)
    groups, group_of, dear = _groups(compiled, modes, homes, n)
    order = np.argsort(group_of, kind="stable")
    runs = np.zeros((duties, kernel.RUN_COLUMNS), np.int64)
    runs[:, [kernel.FIRST, kernel.LAST]] = -1
    runs[:, kernel.GROUP] = group_of
    runs[order, kernel.IDLE_AT] = np.arange(duties)
    stops = _stops(compiled, travel[: len(modes), n:])
    return Arrays(
        travel=travel,
        stops=stops,
        runs=runs,
        groups=groups,
        dear=dear,
        lists=_lists(travel, stops),
        near=_near(travel, n),
        idle=order.astype(np.int64),
        absent=np.arange(n, dtype=np.int64),
        total=np.array([sum(compiled.penalty), n, 1, TAKEN_MEAN, compiled.problem.weights.travel, 0, 0], np.int64),
    )


def runs_of(*, compiled: Compiled, stops: Ints, runs: Ints) -> dict[int, Stops]:
    """The runs of a plan that have stops, each stop at its earliest start."""
    found: dict[int, Stops] = {}
    for r in range(len(compiled.duties)):
        made: list[tuple[int, int, int]] = []
        c = int(runs[r, kernel.FIRST])
        while c >= 0:
            made.append((c, 0, int(stops[c, kernel.START])))
            c = int(stops[c, kernel.AFTER])
        if made:
            found[r] = tuple(made)
    return found


def follow(*, arrays: Arrays, start: Mapping[int, Stops]) -> None:
    """Puts a warm start's stops into their runs in order; what the arrays forbid stays absent."""
    a = arrays
    for r, made in start.items():
        for c, _, _ in made:
            if a.stops[c, kernel.RUN] < 0:
                kernel.put_last(a.travel, a.stops, a.runs, a.groups, a.dear, a.idle, a.absent, a.total, r, c)


def _travel(compiled: Compiled, modes: list[str], homes: list[int]) -> Shorts:
    """By mode between the stops, the homes and, last, a home that is nowhere; then all of them turned round."""
    places = np.array([demand.place for demand in compiled.demands] + homes, dtype=np.int64)
    size = len(places) + 1
    travel = np.zeros((len(modes), size, size), np.int32)
    for m, mode in enumerate(modes):
        travel[m, :-1, :-1] = compiled.problem.travel.seconds_by_mode[mode][np.ix_(places, places)]
    return np.concatenate([travel, travel.transpose(0, 2, 1)])


def _stops(compiled: Compiled, from_homes: Shorts) -> Ints:
    n = len(compiled.demands)
    stops = np.zeros((n, kernel.STOP_COLUMNS), np.int64)
    stops[:, [kernel.RUN, kernel.BEFORE, kernel.AFTER]] = -1
    stops[:, kernel.ABSENT_AT] = np.arange(n)
    for d, demand in enumerate(compiled.demands):
        earliest, latest = compiled.windows[d][0] if compiled.windows[d] else (0, -1)
        stops[d, kernel.SERVICE] = demand.slots[0].service_seconds
        stops[d, [kernel.EARLIEST, kernel.LATEST]] = earliest, latest
        stops[d, kernel.LOAD] = demand.load
        stops[d, kernel.PENALTY] = compiled.penalty[d]
        stops[d, kernel.REMOTE] = from_homes[:, :, d].mean() if from_homes.size else 0
    return stops


def _groups(compiled: Compiled, modes: list[str], homes: list[int], n: int) -> tuple[Ints, Ints, Ints]:
    """Duties that nothing tells apart as one group: the groups' columns, each duty's group, what each stop costs there."""
    allowed = np.zeros((len(compiled.duties), n), np.bool_)
    for d in range(n):
        allowed[list(compiled.eligible[d][0]), d] = True
    soft = np.array([compiled.soft_cost[d][0] for d in range(n)], dtype=np.int64).reshape(n, len(compiled.workers))
    rows: dict[tuple[Any, ...], int] = {}
    columns: list[list[int]] = []
    costs: list[Ints] = []
    group_of = np.zeros(len(compiled.duties), np.int64)
    for r, duty in enumerate(compiled.duties):
        worker = compiled.workers[duty.worker]
        home = n + (len(homes) if duty.home is None else homes.index(duty.home))
        capacity = FAR if worker.capacity is None else worker.capacity
        dear = np.where(allowed[r], soft[:, duty.worker], FAR)
        facts = [modes.index(worker.mode), home, duty.start, duty.end, capacity]
        key = (*facts, dear.tobytes())
        if key not in rows:
            rows[key] = len(columns)
            columns.append([*facts, 0, 0])
            costs.append(dear)
        group_of[r] = rows[key]
    groups = np.zeros((len(columns), kernel.GROUP_COLUMNS), np.int64)
    groups[:, : len(columns[0])] = columns
    many = np.bincount(group_of, minlength=len(columns))
    groups[:, kernel.IDLE_MANY] = many
    groups[:, kernel.IDLE_FROM] = np.cumsum(many) - many
    return groups, group_of, np.ascontiguousarray(np.stack(costs))


def _lists(travel: Shorts, stops: Ints) -> Shorts:
    """Stops that can come right before (row 0) and right after (row 1) each stop, by travel and the wait there must be."""
    n = len(stops)
    legs = travel[: len(travel) // 2, :n, :n].min(axis=0).astype(np.float64)
    earliest, latest = stops[:, kernel.EARLIEST], stops[:, kernel.LATEST]
    service = stops[:, kernel.SERVICE]
    wait = np.maximum(0, earliest[None, :] - (latest + service)[:, None] - legs)
    far = legs + WAIT_SHARE * wait
    far[(earliest + service)[:, None] + legs > latest[None, :]] = np.inf
    np.fill_diagonal(far, np.inf)
    return np.ascontiguousarray(np.stack([_nearest(far.T, BESIDE_MAX), _nearest(far, BESIDE_MAX)]))


def _near(travel: Shorts, n: int) -> Shorts:
    legs = travel[: len(travel) // 2, :n, :n].min(axis=0).astype(np.float64)
    np.fill_diagonal(legs, np.inf)
    return _nearest(legs, AROUND_MAX)


def _nearest(far: np.ndarray[Any, np.dtype[np.float64]], most: int) -> Shorts:
    """For each row its columns, the least first, -1 from the first infinite one on."""
    order = np.argsort(far, axis=1, kind="stable")[:, : max(1, min(most, len(far) - 1))]
    values = np.take_along_axis(far, order, axis=1)
    return np.ascontiguousarray(np.where(np.isinf(values), -1, order).astype(np.int32))
