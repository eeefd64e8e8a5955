"""A problem as the linked search reads it: plain arrays by visit, stop and run; and which problems it cannot express.

A visit's slot `k` is stop `2 * visit + k`; a run is a duty's. It holds no solution.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from rostering.problem import Worker
from rostering.search.compiled import Compiled
from rostering.search.kernel.heap import Flags
from rostering.search.kernel.links import Ints

NEAR_MAX = 24
NEVER_DUE = 1 << 60

SLOTS, READY, LATEST, DUE, LEAST, MOST, SERVICE, SERVICE_OF_SECOND = range(8)
"""Of a visit's numbers: how many slots; ready, latest and due starts; the gap's least and most; each slot's service."""
LEAVES, BACK_BY, PER_TRAVEL, PER_LATE, PER_WORST, ANY_COST = range(6)
"""Of a run's numbers: when it may leave and must be back; and the same for all runs: the points of a second of travel,
lateness and the worst lateness, and 1 where any worker costs anything."""
PENALTY, ABLE_COUNT, COST = range(3)
"""Columns of `listed`: the visit's penalty, how many runs may take the stop; then the costs by run, then those runs."""


class Tables(NamedTuple):
    """Rows of 8 numbers: `visit` by visit and `run` by run, both flat. By stop: `listed`, which is read seldom, and
    `able`, who may take it, by run.

    `leg` is by visit from and to; behind the visits stand two rows for each run: from its home, and back to it.
    """

    visit: Ints
    listed: Ints
    run: Ints
    near: Ints
    leg: Ints
    able: Flags


def by_eight(numbers: Ints) -> Ints:
    """The rows of `visit` or `run`."""
    return numbers.reshape(-1, 8)


def tables_of(*, compiled: Compiled) -> Tables:
    """The arrays of a problem that `refusal` does not refuse."""
    demands, duties = compiled.demands, compiled.duties
    places = np.array([demand.place for demand in demands], np.int64)
    homes = np.array([duty.home for duty in duties], np.int64)
    matrix = compiled.problem.travel.seconds_by_mode[compiled.workers[0].mode]
    between = matrix[np.ix_(places, places)]
    home = np.stack((matrix[np.ix_(homes, places)], matrix[np.ix_(places, homes)].T), axis=1)
    visit, able = _visits(compiled), _able(compiled)
    near = _near(between, visit[:, READY], visit[:, [DUE, LATEST]].min(axis=1))
    listed = _listed(compiled, able)
    return Tables(
        visit=visit.ravel(),
        listed=listed,
        run=_runs(compiled, listed).ravel(),
        near=near,
        leg=np.concatenate((between, home.reshape(-1, len(demands)))).astype(np.int64),
        able=able,
    )


def _visits(compiled: Compiled) -> Ints:
    found = np.zeros((len(compiled.demands), 8), np.int64)
    for v, demand in enumerate(compiled.demands):
        ((ready, latest),) = compiled.windows[v]
        found[v, [SLOTS, READY, LATEST]] = len(demand.slots), ready, latest
        found[v, DUE] = NEVER_DUE if demand.due is None else demand.due
        found[v, [LEAST, MOST]] = demand.sync.min_seconds, demand.sync.max_seconds
        for k, slot in enumerate(demand.slots):
            found[v, SERVICE + k] = slot.service_seconds
    return found


def _listed(compiled: Compiled, able: Flags) -> Ints:
    cost = _cost(compiled)
    found = np.zeros((len(able), COST + 2 * able.shape[1]), np.int64)
    found[:, PENALTY] = np.repeat(compiled.penalty, 2)
    found[:, ABLE_COUNT] = able.sum(axis=1)
    found[:, COST : COST + able.shape[1]] = cost
    for t, row in enumerate(able):
        found[t, COST + len(row) : COST + len(row) + row.sum()] = np.flatnonzero(row)
    return found


def _runs(compiled: Compiled, listed: Ints) -> Ints:
    weights, runs = compiled.problem.weights, len(compiled.duties)
    found = np.zeros((runs, 8), np.int64)
    found[:, LEAVES] = [duty.start for duty in compiled.duties]
    found[:, BACK_BY] = [duty.end for duty in compiled.duties]
    found[:, PER_TRAVEL], found[:, PER_LATE], found[:, PER_WORST] = (
        weights.travel,
        weights.lateness,
        weights.lateness_worst,
    )
    found[:, ANY_COST] = listed[:, COST : COST + runs].any()
    return found


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
    if weights.stranger:
        yield "a cost of strangers"


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


def _able(compiled: Compiled) -> Flags:
    able = np.zeros((2 * len(compiled.demands), len(compiled.duties)), np.bool_)
    for d, slots in enumerate(compiled.eligible):
        for k, runs in enumerate(slots):
            able[2 * d + k, list(runs)] = True
    return able


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
