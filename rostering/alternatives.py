"""Who else could do a rostered visit, and at what cost: the answer to "why this worker?". It changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rostering.popback import Offer, offers
from rostering.problem import Demand, Problem
from rostering.roster import Roster, Run, timed_run


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternatives:
    """The workers a visit has and what they cost there, and others, best first, by the same points (see Offer)."""

    workers: tuple[str, ...]
    points: int | None
    others: tuple[Offer, ...]
    reason: str


def alternatives(*, problem: Problem, roster: Roster, visit: str, limit: int = 3) -> Alternatives:
    """Up to `limit` other ways to staff `visit` with everything else left with its workers.

    Points are extra travel, movement of other visits, distance from the preferred start, and workers who are not
    preferred; None when the visit does not stand by the rules where it is. Raises KeyError for an unknown visit.
    """
    demand = problem.demand_by_id()[visit]
    starts = roster.starts()
    now = tuple(starts[visit, k][0] for k in range(len(demand.slots)) if (visit, k) in starts)
    window = next(
        (w for w in demand.windows if now and w.earliest <= starts[visit, 0][1] <= w.latest), demand.windows[0]
    )
    free = replace(demand, pinned_workers=(), pinned_start=None, must_keep=False)
    without = Roster(runs=tuple(_without(problem, roster, visit)))
    found = offers(
        problem=problem, roster=without, demand=free, earliest=window.earliest, latest=window.latest, limit=limit + 1
    )
    mine = next((offer.points for offer in found.offers if set(offer.workers) == set(now)), None)
    others = tuple(offer for offer in found.offers if set(offer.workers) != set(now))[:limit]
    return Alternatives(workers=now, points=mine, others=others, reason=found.reason)


def _without(problem: Problem, roster: Roster, visit: str) -> list[Run]:
    demands, workers = problem.demand_by_id(), problem.worker_by_id()
    left: list[Run] = []
    for run in roster.runs:
        stops: list[tuple[Demand, int, int]] = [
            (demands[stop.visit], stop.slot, stop.start) for stop in run.stops if stop.visit != visit
        ]
        if len(stops) == len(run.stops):
            left.append(run)
        elif stops:
            left.append(timed_run(problem=problem, worker=workers[run.worker], stops=stops))
    return left
