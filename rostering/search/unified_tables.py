"""A compiled problem as the arrays of the unified search, and the first state; which visits are nodes is decided here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rostering.problem import TIME_MAX, Demand, Problem, Worker
from rostering.search.compiled import Compiled
from rostering.search.kernel.heap import Ints
from rostering.search.unified_rows import (
    AMONG,
    CHOICES,
    CLOSES,
    DISLIKES,
    HOME_LEGS,
    JOURNAL_AT,
    JUDGED,
    LATE_CAP,
    LEAST_APART,
    LEGS,
    MATE,
    MEAL_PENALTY,
    MOST_APART,
    NEAR,
    NEARS,
    OPTIONAL,
    OUT,
    PAIR,
    PENALTY,
    PEOPLE,
    PLACE,
    SERVICE,
    SPANS,
    WHO,
    WIDTH,
    WINDOWS,
    State,
    Tables,
    by_row,
)

NEIGHBOURS_MAX = 40
BROKEN_TIMES = 12
SMALL_NODES = 60
FOREVER = TIME_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """The demand of each node and the slot of its first task; `tables` is what the kernel reads; a mean time of travel."""

    demand: tuple[int, ...]
    slot: tuple[int, ...]
    tables: Tables
    leg_mean: int

    @property
    def is_small(self) -> bool:
        """Whether the search freezes long before its time is up, and may spend more on each change."""
        return len(self.demand) <= SMALL_NODES


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
    many = [problem.demands[d] for d in demand]
    rows = np.zeros((2 * n + people, WIDTH), np.int64)
    for v, d in enumerate(demand):
        rows[2 * v : 2 * v + 2] = _node(compiled, d, pair[v], mate[v])
        rows[2 * v : 2 * v + 2, SERVICE] = service[2 * v : 2 * v + 2]
        rows[2 * v : 2 * v + 2, JUDGED] = service[2 * v : 2 * v + 2] * many[v].due_at_end
    for w in range(people):
        rows[~w, : MEAL_PENALTY + 1] = _worker(compiled, w)
    numbers = _listed(problem, rows, many, dislike, _near(problem, many, allowed))
    numbers[: PEOPLE + 1] = [*_weights(problem, int(np.median(service))), people]
    leg_mean = int(next(iter(problem.travel.seconds_by_mode.values())).mean())
    nodes = Nodes(demand=tuple(demand), slot=tuple(slot), tables=Tables(rows.ravel(), numbers), leg_mean=leg_mean)
    numbers[CLOSES] = nodes.is_small and problem.weights.waiting > 0
    return nodes


def _listed(problem: Problem, rows: Ints, many: list[Demand], dislike: Ints, near: Ints) -> Ints:
    """The lists that the rows point to, one behind the other, with the weights' room before; the rows now point there."""
    n, people = len(many), dislike.shape[1]
    travel = next(iter(problem.travel.seconds_by_mode.values()))
    lists = [np.zeros(WIDTH, np.int64), travel.ravel(), dislike.ravel(), near.ravel()]
    lists[0][NEARS] = near.shape[1]
    at_travel, at_dislike, at_near, at = (int(end) for end in np.cumsum([len(some) for some in lists]))
    rows[: 2 * n, LEGS] = at_travel + len(travel) * rows[: 2 * n, PLACE]
    rows[2 * n :, HOME_LEGS] = at_travel + len(travel) * rows[2 * n :, HOME_LEGS]
    rows[: 2 * n, DISLIKES] = at_dislike + people * np.arange(2 * n)
    rows[: 2 * n, NEAR] = at_near + near.shape[1] * (np.arange(2 * n) // 2)
    for v, one in enumerate(many):
        rows[2 * v : 2 * v + 2, SPANS] = at
        lists.append(_ints(due_windows(demand=one)).ravel())
        at += len(lists[-1])
    for t in range(2 * n):
        rows[t, CHOICES] = at
        able = np.flatnonzero(dislike[t] >= 0)
        lists.append(_ints([len(able), *able]))
        at += len(lists[-1])
    return np.concatenate(lists).astype(np.int64)


def first_state(*, nodes: Nodes, choose: np.random.Generator) -> State:
    """Everybody's stops in the order of their windows, each with a worker who may do it and has least to do so far."""
    rows, numbers = by_row(nodes.tables.rows), nodes.tables.numbers
    n, people = len(nodes.demand), int(numbers[PEOPLE])
    table = np.zeros((2 * n + people, WIDTH), np.int64)
    key = np.zeros(n, np.float64)
    busy = np.zeros(people, np.int64)
    opens = numbers[rows[0 : 2 * n : 2, SPANS]]
    width = numbers[rows[0 : 2 * n : 2, SPANS] + 1] - opens
    middle = opens + np.minimum(width, np.median(width)) // 2
    for i, v in enumerate(np.argsort(middle, kind="stable")):
        key[v] = i + 1.0
        used = -1
        for t in range(2 * v, 2 * v + 1 + rows[2 * v, PAIR]):
            able = [w for w in _able(nodes.tables, t) if w != used]
            if not able:
                table[2 * v, OUT] = 1
                break
            used = int(min(able, key=lambda w: (busy[w], choose.random())))
            busy[used] += rows[t, SERVICE] + nodes.leg_mean
            table[t, WHO] = used
    for v in range(n):
        if rows[2 * v, MATE] >= 0 and table[2 * rows[2 * v, MATE], OUT]:
            table[2 * v, OUT] = 1
    totals = np.zeros(JOURNAL_AT + 4 * (60 * n + 20 * people + 1_000), np.int64)
    totals[AMONG] = 1
    return State(table=table.ravel(), key=key, totals=totals)


def _able(tables: Tables, t: int) -> Ints:
    """The workers who may do task `t`."""
    first = int(by_row(tables.rows)[t, CHOICES])
    return tables.numbers[first + 1 : first + 1 + tables.numbers[first]]


def _ints(values: object) -> Ints:
    return np.array(values, dtype=np.int64)


def _node(compiled: Compiled, d: int, pair: bool, mate: int) -> Ints:  # noqa: FBT001 -- a number of a row
    """What both rows of one node of demand `d` say, without where its lists are."""
    one = compiled.demands[d]
    row = np.zeros(WIDTH, np.int64)
    row[[PLACE, PAIR, MATE, PENALTY]] = one.place, pair, mate, compiled.penalty[d]
    row[[LEAST_APART, MOST_APART]] = one.sync.min_seconds, one.sync.max_seconds
    row[WINDOWS] = len(due_windows(demand=one))
    row[LATE_CAP] = FOREVER if one.late_seconds_max is None else one.late_seconds_max
    row[OPTIONAL] = one.unfilled_penalty is not None
    return row


def _worker(compiled: Compiled, w: int) -> list[int]:
    """The row of one worker, HOME_LEGS still their home itself."""
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


def _weights(problem: Problem, reach: int) -> list[int]:
    w = problem.weights
    broken = BROKEN_TIMES * max(1, w.travel, w.waiting, w.balance, w.lateness, w.overtime)
    spread = [w.travel, w.waiting, w.lateness, w.lateness_worst, w.overtime, w.idle_worst, w.waiting_worst, w.balance]
    return [*spread, broken, max(1, reach)]


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
