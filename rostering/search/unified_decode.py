"""Between the state of the unified search and the runs that people read; it changes no roster but to leave visits out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from rostering.search.compiled import Compiled
from rostering.search.engine import Stops
from rostering.search.kernel.heap import Ints
from rostering.search.unified_anneal import rebuild
from rostering.search.unified_state import (
    AFTER,
    BROKEN,
    EATEN,
    EXCESS,
    FIRST,
    HAS_MEAL,
    HOME,
    LAST,
    LEAVE,
    MATE,
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
)
from rostering.search.unified_tables import Nodes

UNKNOWN = 2**60
IMPOSSIBLE = "impossible: nobody who may go there has the skills"
TOO_DEAR = "left out: the visit would cost more than leaving it out does"
NO_ROOM = "no place was found for it that keeps to its windows and to the workers' hours"


def runs_of(*, compiled: Compiled, nodes: Nodes, state: State) -> dict[int, Stops]:
    """The stops of each duty that has any."""
    table, runs = state.table, {}
    for w in range(nodes.tables.workers.shape[1]):
        stops = [
            (nodes.demand[t >> 1], nodes.slot[t >> 1] + (t & 1), int(table[START, t]))
            for t in tasks_of(state=state, w=w)
        ]
        if stops:
            runs[compiled.duties_of[w][0]] = tuple(stops)
    return runs


def tasks_of(*, state: State, w: int) -> list[int]:
    """The tasks of worker `w` in order."""
    tasks, t = [], int(state.table[FIRST, w])
    while t >= 0:
        tasks.append(t)
        t = int(state.table[AFTER, t])
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
    table, tables = state.table, nodes.tables
    for i, t in enumerate(tasks):
        if table[EATEN, t] < 2:
            continue
        if i == 0:
            return t, min(int(table[START, t]) - int(tables.workers[HAS_MEAL + 3, w]), latest)
        free = int(table[START, tasks[i - 1]] + tables.tasks[SERVICE, tasks[i - 1]])
        if table[EATEN, t] == 2:
            return tasks[i - 1], max(free, earliest)
        leg = tables.travel[tables.nodes[PLACE, tasks[i - 1] >> 1], tables.nodes[PLACE, t >> 1]]
        return t, max(free + int(leg), earliest)
    after = int(table[START, tasks[-1]] + tables.tasks[SERVICE, tasks[-1]])
    eats = table[MISSED, w] == 0 and max(after, earliest) <= latest
    return (tasks[-1], max(after, earliest)) if eats and table[EATEN, tasks[-1]] == 0 else None


def out_of(*, nodes: Nodes, table: Ints) -> tuple[int, int]:
    """(slots, points) of the visits that are left out."""
    slots = points = 0
    rows = nodes.tables.nodes
    for v in np.flatnonzero(table[OUT, : rows.shape[1]]):
        slots += 2 if rows[PAIR, v] else 1
        points += int(rows[PENALTY, v]) if rows[MATE, v] < v else 0
    return slots, points


def drop_broken(*, nodes: Nodes, state: State) -> set[int]:
    """Leaves visits out, the one that breaks its limit most first, until no limit is broken; the demands left out."""
    dropped: set[int] = set()
    tables, table = nodes.tables, state.table
    while state.totals[BROKEN] > 0:
        tasks = range(2 * tables.nodes.shape[1])
        t = max(tasks, key=lambda t: int(table[OVERDUE, t]))
        if table[OVERDUE, t] == 0:
            t = int(table[LAST, int(np.argmax(table[EXCESS, : tables.workers.shape[1]]))])
        for v in {t >> 1, int(tables.nodes[MATE, t >> 1])} - {-1}:
            table[OUT, v] = 1
            dropped.add(nodes.demand[v])
        rebuild(tables, state)
    return dropped


def reasons_of(*, compiled: Compiled, nodes: Nodes, state: State, dropped: set[int]) -> dict[int, str]:
    """Why each demand that is left out is: a sentence."""
    reasons: dict[int, str] = {}
    for v in np.flatnonzero(state.table[OUT, : len(nodes.demand)]):
        d = nodes.demand[v]
        nobody = any(not some for some in compiled.eligible[d])
        reasons[d] = IMPOSSIBLE if nobody else NO_ROOM if d in dropped else TOO_DEAR
    return reasons


def follow(*, compiled: Compiled, nodes: Nodes, state: State, start: Mapping[int, Stops]) -> None:
    """Puts the stops of a warm start into the state: their workers, their order, and when each worker leaves."""
    nodes_of_slot = {
        (d, s + k): 2 * v + k
        for v, (d, s) in enumerate(zip(nodes.demand, nodes.slot, strict=True))
        for k in range(2 if nodes.tables.nodes[PAIR, v] else 1)
    }
    times: dict[int, list[int]] = defaultdict(list)
    rows = nodes.tables.workers
    for r, stops in start.items():
        w = compiled.duties[r].worker
        for i, (d, k, begins) in enumerate(stops):
            t = nodes_of_slot[d, k]
            if nodes.tables.dislike[t, w] < 0:
                continue
            state.table[WHO, t] = w
            times[t >> 1].append(begins)
            if i == 0:
                leg = nodes.tables.travel[rows[HOME, w], nodes.tables.nodes[PLACE, t >> 1]]
                state.table[LEAVE, w] = max(rows[SHIFT_START, w], begins - leg)
    for v in range(len(nodes.demand)):
        if times[v]:
            state.key[v] = float(min(times[v]))
    for v in range(len(nodes.demand)):
        clash = nodes.tables.nodes[PAIR, v] and state.table[WHO, 2 * v] == state.table[WHO, 2 * v + 1]
        whole = len(times[v]) == (2 if nodes.tables.nodes[PAIR, v] else 1)
        if clash or not whole:
            for u in {v, int(nodes.tables.nodes[MATE, v])} - {-1}:
                state.table[OUT, u] = 1
