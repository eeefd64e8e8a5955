"""Where a pop-back fits into the roster of its day, and putting it there. Not the answer to the customer (evm.services.popback).

The roster looked at is the published one; without one, the newest draft that still fits the day's plans; without that, a quick roster
made for the purpose and kept as a draft when the pop-back is promised."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.orm import Session

from evm.domain.ids import WorkerId
from evm.domain.period import care_day, in_zone
from evm.domain.plan import PlannedVisit
from evm.domain.policy import Policy
from evm.services import roster as roster_service
from evm.services.roster_body import stops_of
from evm.services.roster_drafts import Prepared, add_hand_made, prepare
from evm.services.roster_problem import Day, Wishes, demands_of
from evm.store import rosters
from rostering.explain import score
from rostering.popback import Offer, insert, offers
from rostering.problem import Demand, Problem
from rostering.roster import Roster, Unfilled, timed_run
from rostering.solver import Params, solve
from rostering.stop import Iterations

PLACES_MAX: Final = 5
QUICK: Final = Params(effort_seconds=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One way to serve a pop-back: its visit, who goes, when, what it costs in travel, and sentences of what else moves.

    `prepared` and `roster` are the day with the visit in it."""

    visit: PlannedVisit
    workers: tuple[WorkerId, ...]
    start: datetime
    extra_travel_seconds: int
    moved: tuple[str, ...]
    prepared: Prepared
    roster: Roster


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Ways to serve a pop-back, best first; when there are none, the reason and the nearest starts at which there would be one."""

    places: tuple[Placed, ...]
    reason: str = ""
    other_starts: tuple[datetime, ...] = ()

    @property
    def best(self) -> Placed | None:
        """The best way, or None."""
        return self.places[0] if self.places else None

    @property
    def starts(self) -> tuple[datetime, ...]:
        """Starts of the ways found, each once, in order of time."""
        return tuple(sorted({place.start for place in self.places}))


def find_places(session: Session, *, visit: PlannedVisit, policy: Policy, limit: int = PLACES_MAX) -> Places:
    """Look for up to `limit` ways to make the visit within its flexibility; nothing is stored."""
    prepared = prepare(
        session,
        locality_id=visit.locality_id,
        provider_id=visit.provider_id,
        day=care_day(visit.start, zone=policy.zone),
        seed=0,
        policy=policy,
        wishes=Wishes(),
    )
    base = _base_roster(session, prepared)
    within = with_visit(prepared, visit)
    demand = within.problem.demand_by_id()[visit.visit_id]
    window = demand.windows[0]
    found = offers(
        problem=_without(within.problem, visit),
        roster=base,
        demand=demand,
        earliest=window.earliest,
        latest=window.latest,
        limit=limit,
    )
    places = [_placed(visit, offer, base, within, policy=policy) for offer in found.offers]
    if not places and prepared.day.published is None:
        places = _made_anew(visit, base, within)
    reason = _reason(found.nearest, policy=policy, visit=visit)
    others = tuple(within.day.instant(second) for second in found.other_starts)
    return Places(places=tuple(places), reason="" if places else reason, other_starts=others)


def put_in_roster(session: Session, *, placed: Placed, by: str, now: datetime, policy: Policy) -> str:
    """Store the roster with the pop-back, whose planned visit is stored: published at once where one was published, else a draft; the
    roster's id."""
    day = placed.prepared.day
    roster_id = add_hand_made(session, prepared=placed.prepared, roster=placed.roster, now=now, policy=policy)
    if day.published is not None:
        roster_service.publish(session, roster_id=roster_id, by=by, now=now, policy=policy)
    return roster_id


def with_visit(prepared: Prepared, visit: PlannedVisit) -> Prepared:
    """The same day with one more planned visit in it."""
    day = prepared.day
    more = replace(
        day,
        visits=tuple(sorted((*day.visits, visit), key=lambda each: (each.start, each.visit_id))),
        agreed={**day.agreed, visit.visit_id: visit.start},
        by_id={**day.by_id, visit.visit_id: visit},
    )
    own = [each for each in more.visits if each.customer_id == visit.customer_id]
    again = {demand.id: demand for demand in demands_of(more, visits=own, wishes=prepared.wishes)}
    known = prepared.problem.demand_by_id() | again
    problem = replace(prepared.problem, demands=tuple(known[each.visit_id] for each in more.visits))
    return replace(prepared, day=more, problem=problem)


def standing_roster(*, body: Mapping[str, Any], day: Day, problem: Problem) -> Roster:
    """A stored roster's runs, with only the visits and workers that still stand; what it does not have is unfilled."""
    demands, workers = problem.demand_by_id(), problem.worker_by_id()
    runs: dict[tuple[str, str], list[tuple[Demand, int, int]]] = {}
    placed: set[tuple[str, int]] = set()
    for run in body["runs"]:
        for stop in run["stops"]:
            demand = demands.get(stop["visit"])
            if demand is not None and run["worker"] in workers and stop["slot"] < len(demand.slots):
                start = day.second(datetime.fromisoformat(stop["start"]))
                runs.setdefault((run["worker"], run["leave"]), []).append((demand, stop["slot"], start))
                placed.add((demand.id, stop["slot"]))
    return Roster(
        runs=tuple(
            timed_run(problem=problem, worker=workers[worker], stops=stops)
            for (worker, _), stops in sorted(runs.items())
        ),
        unfilled=tuple(
            Unfilled(visit=demand.id, slot=slot, reason="not in the roster")
            for demand in problem.demands
            for slot in range(len(demand.slots))
            if (demand.id, slot) not in placed
        ),
    )


def _base_roster(session: Session, prepared: Prepared) -> Roster:
    day = prepared.day
    record = day.published or rosters.draft(
        session, locality_id=day.locality_id, provider_id=day.provider_id, day=day.day
    )
    if record is not None and (day.published is not None or _fits(record, day)):
        return standing_roster(body=record.body, day=day, problem=prepared.problem)
    return _quick(prepared.problem)


def _fits(record: rosters.RosterRecord, day: Day) -> bool:
    known = {(stop["visit"], stop["revision"]) for _, stop in stops_of(record.body)}
    known |= {(each["visit"], each["revision"]) for each in record.body["unfilled"]}
    return known == {(visit.visit_id, visit.revision) for visit in day.visits}


def _quick(problem: Problem) -> Roster:
    return solve(problem=problem, stop=Iterations(0), seed=0, params=QUICK).roster


def _without(problem: Problem, visit: PlannedVisit) -> Problem:
    return replace(problem, demands=tuple(demand for demand in problem.demands if demand.id != visit.visit_id))


def _made_anew(visit: PlannedVisit, base: Roster, within: Prepared) -> list[Placed]:
    """The day rostered from nothing with the pop-back in it, if that leaves nobody else without a worker who had one."""
    fresh = _quick(within.problem)
    left = {(each.visit, each.slot) for each in fresh.unfilled}
    if left - {(each.visit, each.slot) for each in base.unfilled}:
        return []
    starts = fresh.starts()
    mine = [starts[visit.visit_id, slot] for slot in range(visit.workers_needed)]
    problem = within.problem
    extra = score(problem=problem, roster=fresh).travel - score(problem=_without(problem, visit), roster=base).travel
    return [
        Placed(
            visit=visit,
            workers=tuple(WorkerId(worker) for worker, _ in mine),
            start=within.day.instant(mine[0][1]),
            extra_travel_seconds=extra // max(1, problem.weights.travel),
            moved=(),
            prepared=within,
            roster=fresh,
        )
    ]


def _placed(visit: PlannedVisit, offer: Offer, base: Roster, within: Prepared, *, policy: Policy) -> Placed:
    day = within.day

    def local(second: int) -> str:
        return f"{in_zone(day.instant(second), zone=policy.zone):%H:%M}"

    return Placed(
        visit=visit,
        workers=tuple(WorkerId(worker) for worker in offer.workers),
        start=day.instant(offer.start),
        extra_travel_seconds=offer.extra_travel_seconds,
        moved=tuple(
            f"Visit {move.visit} of {move.worker} starts at {local(move.becomes)} instead of {local(move.was)}."
            for move in offer.moved
        ),
        prepared=within,
        roster=insert(roster=base, offer=offer),
    )


def _reason(nearest: tuple[Any, ...], *, policy: Policy, visit: PlannedVisit) -> str:
    flexible = timedelta(minutes=visit.flexible_minutes)
    since, until = (in_zone(at, zone=policy.zone) for at in (visit.start - flexible, visit.start + flexible))
    said = f"Nobody can start between {since:%H:%M} and {until:%H:%M}"
    return f"{said}: {'; '.join(near.sentence for near in nearest)}." if nearest else f"{said}."
