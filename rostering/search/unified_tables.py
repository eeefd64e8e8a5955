"""A compiled problem as the arrays of the unified search, and the first state; which visits are nodes is decided here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rostering.problem import TIME_MAX, Demand, Problem, Worker
from rostering.search.compiled import Compiled
from rostering.search.kernel.heap import Ints, empty_heap
from rostering.search.unified_state import (
    AMONG,
    CLOSES,
    FIELDS,
    MATE,
    OPENS,
    OUT,
    PAIR,
    SERVICE,
    TOTALS,
    WHO,
    State,
    Tables,
)

NEIGHBOURS_MAX = 40
BROKEN_TIMES = 12
FOREVER = TIME_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """The demand of each node and the slot of its first task; `tables` is what the kernel reads."""

    demand: tuple[int, ...]
    slot: tuple[int, ...]
    tables: Tables


def nodes_of(*, compiled: Compiled) -> Nodes:
    """Arrays of a problem that the engine does not refuse."""
    problem = compiled.problem
    demand, slot, mate = _split(problem)
    n, people = len(demand), len(problem.workers)
    service = np.zeros(2 * n, np.int64)
    allowed = np.zeros((2 * n, people), np.bool_)
    dislike = np.zeros((2 * n, people), np.int64)
    pair = np.zeros(n, np.bool_)
    for v in range(n):
        one = problem.demands[demand[v]]
        pair[v] = len(one.slots) == 2 and not one.sync.independent
        for k in range(2 if pair[v] else 1):
            t, s = 2 * v + k, slot[v] + k
            service[t] = one.slots[s].service_seconds
            for r in compiled.eligible[demand[v]][s]:
                allowed[t, compiled.duties[r].worker] = True
            dislike[t] = _dislike(compiled, demand[v], s)
    dislike[~allowed] = -1
    choices = [np.flatnonzero(row) for row in allowed]
    ends = np.cumsum([len(some) for some in choices])
    many = [problem.demands[d] for d in demand]
    late = np.repeat([one.due_at_end for one in many], 2)
    tables = Tables(
        nodes=_ints([_node(compiled, d, pair[v], mate[v]) for v, d in enumerate(demand)]).T.copy(),
        tasks=_ints([service, service * late, [0, *ends[:-1]], ends]),
        workers=_ints([_worker(compiled, w) for w in range(people)]).T.copy(),
        travel=np.ascontiguousarray(next(iter(problem.travel.seconds_by_mode.values()))),
        dislike=dislike,
        choices=_ints(np.concatenate(choices)),
        near=_near(problem, many, allowed),
        weights=_weights(problem, int(np.median(service))),
    )
    return Nodes(demand=tuple(demand), slot=tuple(slot), tables=tables)


def first_state(*, nodes: Nodes, choose: np.random.Generator) -> State:
    """Everybody's stops in the order of their windows, each with a worker who may do it and has least to do so far."""
    tables = nodes.tables
    n, people = tables.nodes.shape[1], tables.workers.shape[1]
    table = np.zeros((FIELDS, max(2 * n, people)), np.int64)
    key = np.zeros(n, np.float64)
    busy = np.zeros(people, np.int64)
    opens, closes = tables.nodes[OPENS], tables.nodes[CLOSES]
    middle = opens + np.minimum(closes - opens, np.median(closes - opens)) // 2
    for i, v in enumerate(np.argsort(middle, kind="stable")):
        key[v] = i + 1.0
        used = -1
        for k in range(2 if tables.nodes[PAIR, v] else 1):
            t = 2 * v + k
            able = [w for w in np.flatnonzero(tables.dislike[t] >= 0) if w != used]
            if not able:
                table[OUT, v] = 1
                break
            used = int(min(able, key=lambda w: (busy[w], choose.random())))
            busy[used] += tables.tasks[SERVICE, t] + int(tables.travel.mean())
            table[WHO, t] = used
    for v in range(n):
        if tables.nodes[MATE, v] >= 0 and table[OUT, tables.nodes[MATE, v]]:
            table[OUT, v] = 1
    totals = np.zeros(TOTALS, np.int64)
    totals[AMONG] = 1
    return State(
        table=table,
        key=key,
        totals=totals,
        journal=np.zeros((60 * n + 20 * people + 1_000, 3), np.int64),
        counts=np.zeros(4, np.int64),
        old_key=np.zeros(4 * n + 64, np.float64),
        lists=np.zeros((2, 16 * n + people + 64), np.int64),
        heap=empty_heap(visits=n),
    )


def _ints(values: object) -> Ints:
    return np.array(values, dtype=np.int64)


def _node(compiled: Compiled, d: int, pair: bool, mate: int) -> list[int]:  # noqa: FBT001 -- a column of a table
    """The rows of `Tables.nodes` for one node of demand `d`."""
    one = compiled.demands[d]
    spans = due_windows(demand=one)
    widest = max(len(due_windows(demand=each)) for each in compiled.demands)
    cap = FOREVER if one.late_seconds_max is None else one.late_seconds_max
    apart = [one.sync.min_seconds, one.sync.max_seconds]
    rows = [
        one.place,
        int(pair),
        mate,
        compiled.penalty[d],
        *apart,
        len(spans),
        cap,
        int(one.unfilled_penalty is not None),
    ]
    return [*rows, *(edge for span in spans for edge in span), *[0] * (2 * (widest - len(spans)))]


def _worker(compiled: Compiled, w: int) -> list[int]:
    """The rows of `Tables.workers` for one worker."""
    worker, duty = compiled.workers[w], compiled.duties[compiled.duties_of[w][0]]
    places = [worker.home or 0, worker.last_place or 0]
    return [
        *places,
        duty.start,
        duty.end,
        worker.overtime_seconds_max,
        int(worker.leaves_at_shift_start),
        *_meal(worker),
    ]


def _split(problem: Problem) -> tuple[list[int], list[int], list[int]]:
    """(demand, slot, mate) of each node: an independent visit has two nodes, each the other's mate."""
    demand: list[int] = []
    slot: list[int] = []
    mate: list[int] = []
    for d, one in enumerate(problem.demands):
        apart = len(one.slots) == 2 and one.sync.independent
        at = len(demand)
        demand += [d, d] if apart else [d]
        slot += [0, 1] if apart else [0]
        mate += [at + 1, at] if apart else [-1]
    return demand, slot, mate


def _dislike(compiled: Compiled, d: int, s: int) -> list[int]:
    weight, unkind = compiled.problem.weights.incompatible, compiled.demands[d].incompatible_workers
    costs = compiled.soft_cost[d][s]
    return [cost + weight * (w.id in unkind) for cost, w in zip(costs, compiled.workers, strict=True)]


def due_windows(*, demand: Demand) -> list[tuple[int, int]]:
    """(opens, closes) of every window; the hard ones closed by `due` where no due windows are given."""
    if demand.due_windows:
        return [(window.earliest, window.latest) for window in demand.due_windows]
    return [(demand.windows[0].earliest, FOREVER if demand.due is None else demand.due)]


def _meal(worker: Worker) -> list[int]:
    meal = worker.meal
    if meal is None:
        return [0, 0, 0, 0, 0]
    return [1, meal.earliest, meal.latest, meal.least_seconds, meal.missed_penalty or 0]


def _weights(problem: Problem, reach: int) -> Ints:
    w = problem.weights
    broken = BROKEN_TIMES * max(1, w.travel, w.waiting, w.balance, w.lateness, w.overtime)
    spread = [w.travel, w.waiting, w.lateness, w.lateness_worst, w.overtime, w.idle_worst, w.waiting_worst, w.balance]
    return _ints([*spread, broken, max(1, reach)])


def _near(problem: Problem, many: list[Demand], allowed: np.ndarray[Any, np.dtype[np.bool_]]) -> Ints:
    """For each node the nodes that are near in place and time and have a worker in common."""
    n = len(many)
    if not n:
        return np.zeros((0, 1), np.int64)
    places = _ints([one.place for one in many])
    matrix = next(iter(problem.travel.seconds_by_mode.values()))
    spans = [due_windows(demand=one) for one in many]
    apart = np.zeros((n, n), np.float64)
    legs = (matrix[np.ix_(places, places)] + matrix[np.ix_(places, places)].T) / 2
    for v in range(n):
        for u in range(n):
            gaps = [max(0, a - d, c - b) for a, b in spans[v] for c, d in spans[u]]
            apart[v, u] = legs[v, u] + 0.25 * min(gaps)
    able = allowed[0::2] | allowed[1::2]
    common = able.astype(np.int64) @ able.T.astype(np.int64)
    apart[common == 0] = np.inf
    np.fill_diagonal(apart, np.inf)
    order = np.argsort(apart, axis=1, kind="stable")
    width = min(NEIGHBOURS_MAX, max(1, n - 1))
    near = order[:, :width]
    rows = []
    for v in range(n):
        good = [u for u in near[v] if np.isfinite(apart[v, u])] or [v]
        rows.append((good * (width // len(good) + 1))[:width])
    return _ints(rows)
