"""How many slots cannot all be done in the working time there is, whatever the order: an LP over intervals of time.

In an interval a slot takes at least the part of its service, and of the shortest journey to it, that no shift of its
start moves out of the interval; those who may do it have only so much time there. No search, no single worker.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array

from rostering.bounds_slots import Bools, Ints, Slots

POINTS_MAX = 40
GROUPS_MAX = 40
ROWS_MAX = 2_000
EPSILON = 1e-6


def overload(*, slots: Slots, entry: Ints, limits: Ints) -> int:
    """Slots that must stay unfilled; `entry` is the least travel before each, `limits` the hours limit of each worker.

    A visit's slots go unfilled together.
    """
    if not slots.able.size:
        return 0
    first = slots.earliest.min(axis=1) - entry
    last = slots.latest.max(axis=1) + slots.service
    need = slots.service + entry
    begins = _points(np.concatenate([first, slots.begin]))
    ends = _points(np.concatenate([last, slots.end]))
    rows, spare = [], []
    for group in _groups(slots.able):
        members = np.flatnonzero(~(slots.able & ~group[None, :]).any(axis=1))
        used = _energy(first[members], last[members], need[members], begins, ends)
        room = _room(slots, group, limits, begins, ends)
        over = used.sum(axis=0) - room
        for a, b in zip(*np.nonzero(over > 0), strict=True):
            row = np.zeros(len(need))
            row[members] = used[:, a, b]
            rows.append(row)
            spare.append(float(over[a, b]))
    return _least_unfilled(slots, rows, spare)


def _points(values: Ints) -> Ints:
    distinct = np.unique(values)
    if len(distinct) <= POINTS_MAX:
        return distinct
    return distinct[np.linspace(0, len(distinct) - 1, POINTS_MAX).round().astype(np.int64)]


def _groups(able: Bools) -> list[Bools]:
    """Sets of duties that matter: those whom the same slots may have, the commonest first, and all of them."""
    distinct, counts = np.unique(able, axis=0, return_counts=True)
    commonest = np.argsort(-counts, kind="stable")[:GROUPS_MAX]
    return [np.ones(able.shape[1], dtype=np.bool_), *(distinct[i] for i in commonest.tolist())]


def _energy(first: Ints, last: Ints, need: Ints, begins: Ints, ends: Ints) -> Ints:
    """Least part [n, a, b] of each slot's need between begins[a] and ends[b]."""
    length = np.maximum(ends[None, :] - begins[:, None], 0)
    early = np.maximum((first + need)[:, None, None] - begins[None, :, None], 0)
    late = np.maximum(ends[None, None, :] - (last - need)[:, None, None], 0)
    least: Ints = np.minimum(np.minimum(early, late), np.minimum(length[None, :, :], need[:, None, None]))
    return least


def _room(slots: Slots, group: Bools, limits: Ints, begins: Ints, ends: Ints) -> Ints:
    """Working time [a, b] of the group's duties, a worker's no more than their hours limit."""
    room = np.zeros((len(begins), len(ends)), dtype=np.int64)
    for worker in np.unique(slots.worker[group]).tolist():
        mine = np.zeros_like(room)
        for r in np.flatnonzero(group & (slots.worker == worker)).tolist():
            low, high = np.maximum(begins, slots.begin[r]), np.minimum(ends, slots.end[r])
            mine += np.maximum(high[None, :] - low[:, None], 0)
        room += np.minimum(mine, limits[worker])
    return room


def _least_unfilled(slots: Slots, rows: list[Any], spare: list[float]) -> int:
    """The fewest slots, visits whole, whose leaving out mends every interval; by LP, rounded up."""
    if not rows:
        return 0
    worst = np.argsort(-np.array(spare), kind="stable")[:ROWS_MAX]
    visits, index = np.unique(slots.demand, return_inverse=True)
    gather = csr_array((np.ones(len(index)), (np.arange(len(index)), index)), shape=(len(index), len(visits)))
    table: Any = csr_array(np.array([rows[i] for i in worst.tolist()])) @ gather
    solved = linprog(
        c=np.bincount(index, minlength=len(visits)).astype(np.float64),
        A_ub=-table,
        b_ub=-np.array([spare[i] for i in worst.tolist()]),
        bounds=(0, 1),
        method="highs",
    )
    if solved.fun is None:
        return 0
    return math.ceil(solved.fun - EPSILON * max(1.0, abs(solved.fun)))
