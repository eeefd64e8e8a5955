"""Between the state of the unified search and the runs that people read; it changes no roster but to leave visits out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from rostering.search.compiled import Compiled
from rostering.search.engine import Stops
from rostering.search.kernel.heap import Heap, Ints
from rostering.search.unified_anneal import rebuild
from rostering.search.unified_rows import (
    AFTER,
    BROKEN,
    DISLIKES,
    EATEN,
    EXCESS,
    FIRST,
    HOME_LEGS,
    LAST,
    LEAVE,
    LEGS,
    MATE,
    MEAL_LEAST,
    MISSED,
    OUT,
    OVERDUE,
    PAIR,
    PENALTY,
    PLACE,
    SERVICE,
    SHIFT_START,
    START,
    WHO,
    State,
    by_row,
)
from rostering.search.unified_tables import Nodes

IMPOSSIBLE = "impossible: nobody who may go there has the skills"
TOO_DEAR = "left out: the visit would cost more than leaving it out does"
NO_ROOM = "no place was found for it that keeps to its windows and to the workers' hours"


def runs_of(*, compiled: Compiled, nodes: Nodes, state: State) -> dict[int, Stops]:
    """The stops of each duty that has any."""
    rows, runs = by_row(state.table), {}
    for w in range(len(compiled.workers)):
        stops = [
            (nodes.demand[t >> 1], nodes.slot[t >> 1] + (t & 1), int(rows[t, START]))
            for t in tasks_of(state=state, w=w)
        ]
        if stops:
            runs[compiled.duties_of[w][0]] = tuple(stops)
    return runs


def tasks_of(*, state: State, w: int) -> list[int]:
    """The tasks of worker `w` in order."""
    rows, tasks = by_row(state.table), []
    t = int(rows[~w, FIRST])
    while t >= 0:
        tasks.append(t)
        t = int(rows[t, AFTER])
    return tasks


def meals_of(*, compiled: Compiled, nodes: Nodes, state: State) -> dict[int, tuple[int, int, int]]:
    """(demand at whose place, start, end) of the meal of each duty that has one."""
    meals: dict[int, tuple[int, int, int]] = {}
    for w, worker in enumerate(compiled.workers):
        tasks = tasks_of(state=state, w=w)
        if worker.meal is None or not tasks:
            continue
        found = _meal(nodes, state, w, tasks, worker.meal.earliest, worker.meal.latest - worker.meal.least_seconds)
        if found is not None:
            t, start = found
            meals[compiled.duties_of[w][0]] = (nodes.demand[t >> 1], start, start + worker.meal.least_seconds)
    return meals


def _meal(nodes: Nodes, state: State, w: int, tasks: list[int], earliest: int, latest: int) -> tuple[int, int] | None:
    """(task at whose place, start): between two stops, before the first as late as can be, or after the last."""
    rows, given = by_row(state.table), by_row(nodes.tables.rows)
    for i, t in enumerate(tasks):
        if rows[t, EATEN] < 2:
            continue
        if i == 0:
            return t, min(int(rows[t, START]) - int(given[~w, MEAL_LEAST]), latest)
        before = tasks[i - 1]
        free = int(rows[before, START] + given[before, SERVICE])
        if rows[t, EATEN] == 2:
            return before, max(free, earliest)
        leg = nodes.tables.numbers[given[before, LEGS] + given[t, PLACE]]
        return t, max(free + int(leg), earliest)
    last = tasks[-1]
    after = int(rows[last, START] + given[last, SERVICE])
    eats = rows[~w, MISSED] == 0 and max(after, earliest) <= latest
    return (last, max(after, earliest)) if eats and rows[last, EATEN] == 0 else None


def out_of(*, nodes: Nodes, table: Ints) -> tuple[int, int]:
    """(slots, points) of the visits that are left out."""
    slots = points = 0
    given = by_row(nodes.tables.rows)
    for v in _out(nodes, table):
        slots += 2 if given[2 * v, PAIR] else 1
        points += int(given[2 * v, PENALTY]) if given[2 * v, MATE] < v else 0
    return slots, points


def _out(nodes: Nodes, table: Ints) -> list[int]:
    """The nodes that are left out."""
    return [int(v) for v in np.flatnonzero(by_row(table)[: 2 * len(nodes.demand) : 2, OUT])]


def drop_broken(*, nodes: Nodes, state: State, heap: Heap) -> set[int]:
    """Leaves visits out, the one that breaks its limit most first, until no limit is broken; the demands left out."""
    dropped: set[int] = set()
    rows, given = by_row(state.table), by_row(nodes.tables.rows)
    tasks = 2 * len(nodes.demand)
    while state.totals[BROKEN] > 0:
        t = int(np.argmax(rows[:tasks, OVERDUE]))
        if rows[t, OVERDUE] == 0:
            w = int(np.argmax(rows[: tasks - 1 : -1, EXCESS]))
            t = int(rows[~w, LAST])
        for v in {t >> 1, int(given[t, MATE])} - {-1}:
            rows[2 * v, OUT] = 1
            dropped.add(nodes.demand[v])
        rebuild(nodes.tables, state, heap)
    return dropped


def reasons_of(*, compiled: Compiled, nodes: Nodes, state: State, dropped: set[int]) -> dict[int, str]:
    """Why each demand that is left out is: a sentence."""
    reasons: dict[int, str] = {}
    for v in _out(nodes, state.table):
        d = nodes.demand[v]
        nobody = any(not some for some in compiled.eligible[d])
        reasons[d] = IMPOSSIBLE if nobody else NO_ROOM if d in dropped else TOO_DEAR
    return reasons


def follow(*, compiled: Compiled, nodes: Nodes, state: State, start: Mapping[int, Stops]) -> None:
    """Puts the stops of a warm start into the state: their workers, their order, and when each worker leaves."""
    rows, given, numbers = by_row(state.table), by_row(nodes.tables.rows), nodes.tables.numbers
    nodes_of_slot = {
        (d, s + k): 2 * v + k
        for v, (d, s) in enumerate(zip(nodes.demand, nodes.slot, strict=True))
        for k in range(2 if given[2 * v, PAIR] else 1)
    }
    times: dict[int, list[int]] = defaultdict(list)
    for r, stops in start.items():
        w = compiled.duties[r].worker
        for i, (d, k, begins) in enumerate(stops):
            t = nodes_of_slot[d, k]
            if numbers[given[t, DISLIKES] + w] < 0:
                continue
            rows[t, WHO] = w
            times[t >> 1].append(begins)
            if i == 0:
                leg = numbers[given[~w, HOME_LEGS] + given[t, PLACE]]
                rows[~w, LEAVE] = max(given[~w, SHIFT_START], begins - leg)
    for v in range(len(nodes.demand)):
        if times[v]:
            state.key[v] = float(min(times[v]))
    for v in range(len(nodes.demand)):
        clash = given[2 * v, PAIR] and rows[2 * v, WHO] == rows[2 * v + 1, WHO]
        whole = len(times[v]) == (2 if given[2 * v, PAIR] else 1)
        if clash or not whole:
            for u in {v, int(given[2 * v, MATE])} - {-1}:
                rows[2 * u, OUT] = 1
