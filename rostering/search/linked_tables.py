"""A problem as the linked search reads it: plain arrays by visit, stop and run; and which problems it cannot express.

A visit's slot `k` is stop `2 * visit + k`; a run is a duty's. It holds no solution.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from rostering.problem import Demand, Worker
from rostering.search.compiled import Compiled
from rostering.search.kernel.heap import Flags
from rostering.search.kernel.links import Ints

NEAR_MAX = 24
LATEST = np.int64(1 << 60)


class Tables(NamedTuple):
    """By visit: slots, ready, latest and due starts, the gap's least and most, penalty, near visits, legs between.

    By stop: service, whether each run is able to take it (and the list of those), what that costs. By run: when it may
    leave and must be back, the legs from and to its home. `weights`: travel, lateness, worst lateness, and 1 where any
    worker costs anything.
    """

    slots: Ints
    ready: Ints
    latest: Ints
    due: Ints
    least: Ints
    most: Ints
    penalty: Ints
    near: Ints
    leg: Ints
    service: Ints
    able: Flags
    able_runs: Ints
    able_from: Ints
    cost: Ints
    leaves: Ints
    back_by: Ints
    out_leg: Ints
    back_leg: Ints
    weights: Ints


def tables_of(*, compiled: Compiled) -> Tables:
    """The arrays of a problem that `refusal` does not refuse."""
    demands, duties = compiled.demands, compiled.duties
    places = np.array([demand.place for demand in demands], np.int64)
    homes = np.array([duty.home for duty in duties], np.int64)
    matrix = compiled.problem.travel.seconds_by_mode[compiled.workers[0].mode]
    weights = compiled.problem.weights
    leg = np.ascontiguousarray(matrix[np.ix_(places, places)])
    ready = np.array([spans[0][0] for spans in compiled.windows], np.int64)
    due = np.array([LATEST if demand.due is None else demand.due for demand in demands], np.int64)
    latest = np.array([spans[0][1] for spans in compiled.windows], np.int64)
    able, able_runs, able_from = _able(compiled)
    cost = _cost(compiled)
    return Tables(
        slots=np.array([len(demand.slots) for demand in demands], np.int64),
        ready=ready,
        latest=latest,
        due=due,
        least=np.array([demand.sync.min_seconds for demand in demands], np.int64),
        most=np.array([demand.sync.max_seconds for demand in demands], np.int64),
        penalty=np.array(compiled.penalty, np.int64),
        near=_near(leg, ready, np.minimum(due, latest)),
        leg=leg,
        service=_service(demands),
        able=able,
        able_runs=able_runs,
        able_from=able_from,
        cost=cost,
        leaves=np.array([duty.start for duty in duties], np.int64),
        back_by=np.array([duty.end for duty in duties], np.int64),
        out_leg=np.ascontiguousarray(matrix[np.ix_(homes, places)]),
        back_leg=np.ascontiguousarray(matrix[np.ix_(places, homes)].T),
        weights=np.array([weights.travel, weights.lateness, weights.lateness_worst, int(cost.any())], np.int64),
    )


def refusal(*, compiled: Compiled) -> str | None:
    """What of the problem an order of visits and a worker for each slot do not say; None when they say everything."""
    if not compiled.workers or not compiled.demands:
        return "a problem without visits or workers"
    return next(chain(_of_weights(compiled), _of_workers(compiled), _of_visits(compiled)), None)


def _of_weights(compiled: Compiled) -> Iterator[str]:
    weights = compiled.problem.weights
    if weights.waiting or weights.waiting_worst or weights.idle_worst:
        yield "a cost of waiting or idle time"
    if weights.balance:
        yield "a cost of unequal work"


def _of_workers(compiled: Compiled) -> Iterator[str]:
    if any(len(duties) != 1 for duties in compiled.duties_of):
        yield "a worker with no shift or several"
    if len({worker.mode for worker in compiled.workers}) > 1:
        yield "several modes of travel"
    for worker in compiled.workers:
        if _special(worker):
            yield f"a break, a meal, a limit of hours or loads, overtime, daily rest or no home (worker {worker.id})"


def _special(worker: Worker) -> bool:
    limited = worker.hours_limit_seconds is not None or worker.last_back is not None
    unusual = worker.finish is not None or worker.overtime_seconds_max or worker.capacity is not None
    return worker.home is None or worker.break_rule is not None or worker.meal is not None or limited or bool(unusual)


def _of_visits(compiled: Compiled) -> Iterator[str]:
    weighed = compiled.problem.weights.off_preferred
    for d, demand in enumerate(compiled.demands):
        if len(compiled.windows[d]) != 1:
            yield f"several windows or none (visit {demand.id})"
        if demand.gap_seconds or demand.is_pinned or demand.must_keep:
            yield f"a gap, a pin or an accepted pop-back (visit {demand.id})"
        if demand.preferred_start is not None and weighed:
            yield f"a preferred start (visit {demand.id})"
        if demand.due_windows or demand.due_at_end or demand.late_seconds_max is not None or demand.sync.independent:
            yield f"due windows, lateness of the end or with a limit, or independent slots (visit {demand.id})"
        if demand.incompatible_workers and compiled.problem.weights.incompatible:
            yield f"incompatible workers (visit {demand.id})"
        if not all(compiled.eligible[d]):
            yield f"a slot that nobody may take (visit {demand.id})"


def _service(demands: tuple[Demand, ...]) -> Ints:
    found = np.zeros(2 * len(demands), np.int64)
    for d, demand in enumerate(demands):
        for k, slot in enumerate(demand.slots):
            found[2 * d + k] = slot.service_seconds
    return found


def _able(compiled: Compiled) -> tuple[Flags, Ints, Ints]:
    able = np.zeros((2 * len(compiled.demands), len(compiled.duties)), np.bool_)
    for d, slots in enumerate(compiled.eligible):
        for k, runs in enumerate(slots):
            able[2 * d + k, list(runs)] = True
    counts = able.sum(axis=1)
    return able, np.append(np.nonzero(able)[1], 0).astype(np.int64), np.append(0, np.cumsum(counts)).astype(np.int64)


def _cost(compiled: Compiled) -> Ints:
    workers = [duty.worker for duty in compiled.duties]
    cost = np.zeros((2 * len(compiled.demands), len(workers)), np.int64)
    for d, slots in enumerate(compiled.soft_cost):
        for k, by_worker in enumerate(slots):
            if any(by_worker):
                cost[2 * d + k] = np.array(by_worker, np.int64)[workers]
    return cost


def _near(leg: Ints, ready: Ints, until: Ints) -> Ints:
    """For each visit the others that a short journey and not too long a wait join it to, best first."""
    n = len(ready)
    width = np.minimum(until, ready.max() + leg.max()) - ready
    middle = ready + width / 2
    apart: np.ndarray[Any, np.dtype[np.float64]] = np.abs(middle[:, None] - middle[None, :]) - width[:, None] / 2
    score = leg + 0.2 * np.maximum(0.0, apart)
    np.fill_diagonal(score, np.inf)
    return np.ascontiguousarray(np.argsort(score, axis=1, kind="stable")[:, : max(1, min(NEAR_MAX, n - 1))])
