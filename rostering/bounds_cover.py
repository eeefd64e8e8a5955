"""The least travel that could join the slots into runs: an assignment of each slot's next stop (a path cover relaxed).

Every run of a roster is a path from its duty's home through slots back home, so any roster is such an assignment, at
its true travel; the least over all assignments is therefore a bound. Cycles are not forbidden, which only lowers it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from rostering.bounds_slots import Bools, Ints, Slots
from rostering.problem import Problem

Floats = np.ndarray[Any, np.dtype[np.float64]]
FORBIDDEN = 1e15
ASSIGNED_MAX = 3_500
"""Over so many slots and duties in one piece the assignment would take minutes; a weaker bound is given at once."""


def legs(*, problem: Problem, slots: Slots) -> Floats:
    """Least travel from slot to slot [n, n] over the modes of those who may do both in that order; FORBIDDEN else."""
    best = np.full((len(slots.place), len(slots.place)), FORBIDDEN)
    for mode in sorted(set(slots.mode)):
        mine = np.array([m == mode for m in slots.mode])
        able = slots.able[:, mine]
        matrix = problem.travel.seconds_by_mode[mode][np.ix_(slots.place, slots.place)]
        first = np.where(able, slots.earliest[:, mine], FORBIDDEN).min(axis=1)
        last = np.where(able, slots.latest[:, mine], -FORBIDDEN).max(axis=1)
        in_time = (first + slots.service)[:, None] + matrix <= last[None, :]
        both = (able.astype(np.float32) @ able.astype(np.float32).T) > 0
        best = np.minimum(best, np.where(in_time & both, matrix, FORBIDDEN))
    best[slots.demand[:, None] == slots.demand[None, :]] = FORBIDDEN
    return best


def least(*, slots: Slots, between: Floats, weight: int, stop_cost: Floats, skip_cost: Floats) -> float:
    """The cheapest assignment: `weight` a second of travel, `stop_cost` [n] for a slot that is done, `skip_cost` [n] else.

    `between` is from `legs`. Costs are whole numbers in floats, so sums are exact below 2**53.
    """
    number, duties = len(slots.place), len(slots.worker)
    if not number:
        return 0.0
    if number + duties > ASSIGNED_MAX:
        return _entries_alone(slots, between, weight, stop_cost, skip_cost)
    cost = np.full((number + duties, number + duties), np.inf)
    cost[:number, :number] = np.where(between < FORBIDDEN, weight * between + stop_cost[None, :], np.inf)
    cost[np.arange(number), np.arange(number)] = skip_cost
    cost[:number, number:] = np.where(slots.able, weight * slots.back, np.inf)
    cost[number:, :number] = np.where(slots.able, weight * slots.out + stop_cost[:, None], np.inf).T
    cost[number + np.arange(duties), number + np.arange(duties)] = 0
    rows, columns = linear_sum_assignment(cost)
    return float(cost[rows, columns].sum())


def _entries_alone(slots: Slots, between: Floats, weight: int, stop_cost: Floats, skip_cost: Floats) -> float:
    """Each slot entered by its shortest way, or skipped: what is left of the assignment without its matching."""
    home = np.where(slots.able, slots.out, FORBIDDEN).min(axis=1) if slots.able.shape[1] else FORBIDDEN
    entry = np.minimum(between.min(axis=0), home)
    done = np.where(entry < FORBIDDEN, weight * entry + stop_cost, FORBIDDEN)
    return float(np.minimum(done, skip_cost).sum())


def shortest_entry(*, slots: Slots, between: Floats) -> Ints:
    """The least travel just before each slot, whoever does it; 0 for a slot nobody can do."""
    home = np.where(slots.able, slots.out, FORBIDDEN).min(axis=1) if slots.able.shape[1] else FORBIDDEN
    entry = np.minimum(between.min(axis=0, initial=FORBIDDEN), home)
    return np.where(entry < FORBIDDEN, entry, 0).astype(np.int64)


def sharing(*, able: Bools) -> list[tuple[Ints, Ints]]:
    """Slots and duties in pieces that have nothing to do with each other (the days of a week, say)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    number, duties = able.shape
    rows, columns = np.nonzero(able)
    graph = coo_array((np.ones(len(rows)), (rows, columns + number)), shape=(number + duties, number + duties))
    _, label = connected_components(graph, directed=False)
    pieces = []
    for each in np.unique(label[:number]).tolist() if number else []:
        inside = np.flatnonzero(label == each)
        pieces.append((inside[inside < number], inside[inside >= number] - number))
    return pieces
