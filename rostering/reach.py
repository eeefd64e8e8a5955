"""Who could serve which slot of a problem if nothing else were to do: by who they are, their shifts and the way there and back.

A necessary condition only: whoever is not in reach can never serve the slot; no roster is made here.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from rostering.constraints import CONSTRAINTS
from rostering.constraints.availability import available_pieces
from rostering.problem import TIME_MAX, Demand, Problem, Worker

Ints = np.ndarray[Any, np.dtype[np.int64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]

TIMES_OF_DEMAND = frozenset(
    {"id", "windows", "preferred_start", "due", "due_windows", "pinned_start", "unfilled_penalty", "published_workers"}
)
"""Fields that say nothing of who may come: visits alike in all others are asked for once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """`served[row, worker]`: whether the worker could serve the slot. Row: demand by demand, slot by slot.

    `demand`, `slot`, `middle` (seconds, of the legal starts) and `service` (seconds) are by row.
    """

    served: Flags
    demand: Ints
    slot: Ints
    middle: Ints
    service: Ints


def reach(*, problem: Problem) -> Reach:
    """The reach of every worker. Costs about a call a (kind of visit, worker) and a pass of numpy a shift."""
    rows = [(d, k) for d, demand in enumerate(problem.demands) for k in range(len(demand.slots))]
    starts = [_starts(problem.demands[d], k) for d, k in rows]
    most = max((len(spans) for spans in starts), default=1)
    earliest = np.full((len(rows), most), TIME_MAX, dtype=np.int64)
    latest = np.full((len(rows), most), -TIME_MAX, dtype=np.int64)
    for row, spans in enumerate(starts):
        for number, (first, last) in enumerate(spans):
            earliest[row, number], latest[row, number] = first, last
    service = np.array([problem.demands[d].slots[k].service_seconds for d, k in rows], dtype=np.int64)
    place = np.array([problem.demands[d].place for d, _ in rows], dtype=np.int64)
    served = _by_who(problem, rows)
    for w, worker in enumerate(problem.workers):
        if rows:
            served[:, w] &= _by_time(problem, worker, earliest, latest, service, place)
    return Reach(
        served=served,
        demand=np.array([d for d, _ in rows], dtype=np.int64),
        slot=np.array([k for _, k in rows], dtype=np.int64),
        middle=np.array([(spans[0][0] + spans[-1][1]) // 2 for spans in starts], dtype=np.int64),
        service=service,
    )


def _starts(demand: Demand, k: int) -> list[tuple[int, int]]:
    """Legal starts of slot `k`: the windows (or the pin), moved by what the second slot may start after the first."""
    pin = demand.pinned_start
    spans = sorted((w.earliest, w.latest) for w in demand.windows) if pin is None else [(pin, pin)]
    if k == 0 or demand.sync.independent:
        return spans
    return [(lo + demand.sync.min_seconds, hi + demand.sync.max_seconds) for lo, hi in spans]


def _by_who(problem: Problem, rows: list[tuple[int, int]]) -> Flags:
    """Skills, gender, exclusions and pins, asked of the constraints once for visits that are alike."""
    asks = [ask for ask in (rule.encode(problem).pair for rule in CONSTRAINTS) if ask]
    names = [field.name for field in fields(Demand) if field.name not in TIMES_OF_DEMAND]
    known: dict[tuple[object, ...], Flags] = {}
    served = np.zeros((len(rows), len(problem.workers)), dtype=np.bool_)
    for row, (d, k) in enumerate(rows):
        demand = problem.demands[d]
        key = (k, *(getattr(demand, name) for name in names))
        if key not in known:
            may = [all(ask(demand, k, worker) for ask in asks) for worker in problem.workers]
            known[key] = np.array(may, dtype=np.bool_)
        served[row] = known[key]
    return served


def _by_time(problem: Problem, worker: Worker, earliest: Ints, latest: Ints, service: Ints, place: Ints) -> Flags:
    """Rows whose window leaves the worker time to get there from home within a shift, serve, and be home in time."""
    matrix = problem.travel.seconds_by_mode[worker.mode]
    none = np.zeros(len(place), dtype=np.int64)
    there = none if worker.home is None else matrix[worker.home, place]
    back = none if worker.last_place is None else matrix[place, worker.last_place]
    can = np.zeros(len(place), dtype=np.bool_)
    for start, end in available_pieces(worker=worker):
        from_ = np.maximum(earliest, (start + there)[:, None])
        until = np.minimum(latest, (end + worker.overtime_seconds_max - back - service)[:, None])
        can |= (from_ <= until).any(axis=1)
    return can
