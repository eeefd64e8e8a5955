"""Rosters of a locality's day: made (or taken over from a person) as a draft, checked, published. Not the search (rostering) and not
its translation (roster_problem).

A published roster tells each worker once, puts the workers on the planned visits' slots, gives every visit its rostered start (inside
its window; the agreed one is remembered) and writes the deadlines, all in the caller's one transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from evm.domain.ids import LocalityId, ProviderId, VisitId, WorkerId
from evm.domain.plan import PlannedVisit
from evm.domain.policy import Policy
from evm.services import roster_body
from evm.services.localities import not_commissioned
from evm.services.popback_keeping import note_kept
from evm.services.roster_deadlines import publish_deadlines
from evm.services.roster_drafts import Prepared, add_hand_made, add_solved, prepare, prepare_again
from evm.services.roster_notices import tell_workers
from evm.services.roster_problem import Day, Wishes, input_sha256, load_day
from evm.services.roster_runs import Placed, runs_of
from evm.store import deadlines, plans, rosters
from evm.store.rosters import RosterRecord, RosterState
from rostering.roster import Roster, Unfilled
from rostering.solver import Params, Result, solve
from rostering.stop import Iterations, Progress, StopRule

__all__ = [
    "Prepared",
    "Published",
    "RosterRefused",
    "Wishes",
    "adopt",
    "keep",
    "make",
    "prepare",
    "publish",
    "publish_deadlines",
    "refuse_uncommissioned",
    "solve_prepared",
]

Report = Callable[[Progress], None]


class RosterRefused(ValueError):  # noqa: N818 -- named for what is wrong
    """A roster that cannot be kept or published, with the sentence that says why and the visits it is about."""

    def __init__(self, words: str, *, visits: Sequence[str] = ()) -> None:
        super().__init__(words)
        self.words = words
        self.visits = tuple(visits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What publishing did: sentences of what changed since the last published roster, devices told, pop-backs kept and broken."""

    roster_id: str
    changes: tuple[str, ...]
    devices_told: int
    popbacks_kept: tuple[VisitId, ...]
    popbacks_unfilled: tuple[VisitId, ...]


def make(
    session: Session,
    *,
    locality_id: LocalityId,
    provider_id: ProviderId,
    day: date,
    seed: int,
    now: datetime,
    policy: Policy,
    wishes: Wishes | None = None,
    stop: StopRule | None = None,
    progress: Report | None = None,
) -> str:
    """Make a draft roster and store it; its id. Repeatable for a seed unless `stop` counts seconds.

    The caller's transaction stays open while it solves: where others wait for the database, call `prepare`, `solve_prepared` (or
    `roster_worker.solve_apart`) and `keep`, each with a transaction of its own. Raises RosterRefused when the provider is not commissioned
    in the locality that day."""
    refuse_uncommissioned(session, provider_id=provider_id, locality_id=locality_id, day=day)
    prepared = prepare(
        session,
        locality_id=locality_id,
        provider_id=provider_id,
        day=day,
        seed=seed,
        policy=policy,
        wishes=wishes or Wishes(),
    )
    result = solve_prepared(prepared, stop=stop, progress=progress)
    return add_solved(session, prepared=prepared, result=result, now=now, policy=policy)


def solve_prepared(prepared: Prepared, *, stop: StopRule | None = None, progress: Report | None = None) -> Result:
    """Solve here and now, without a database; by default for the wished number of iterations."""
    wishes = prepared.wishes
    return solve(
        problem=prepared.problem,
        stop=stop or Iterations(wishes.iterations_max),
        seed=prepared.seed,
        params=Params(effort_seconds=wishes.effort_seconds),
        report=progress,
    )


def keep(session: Session, *, prepared: Prepared, result: Result, now: datetime, policy: Policy) -> str:
    """Store a solved roster as a draft; its id. Raises RosterRefused when what it was made from has changed meanwhile, or when the provider
    is not commissioned in the locality that day."""
    day = prepared.day
    refuse_uncommissioned(session, provider_id=day.provider_id, locality_id=day.locality_id, day=day.day)
    again = prepare_again(session, prepared=prepared, policy=policy)
    if input_sha256(again.problem) != input_sha256(prepared.problem):
        raise RosterRefused("Plans or people changed while the roster was made: make it again.")
    return add_solved(session, prepared=prepared, result=result, now=now, policy=policy)


def refuse_uncommissioned(session: Session, *, provider_id: ProviderId, locality_id: LocalityId, day: date) -> None:
    """Raises RosterRefused for a provider who is not commissioned there that day. A roster that a person made may still be adopted and
    published: whoever is left without a provider needs somebody to come."""
    words = not_commissioned(session, provider_id=provider_id, locality_id=locality_id, on=day)
    if words is not None:
        raise RosterRefused(f"No roster is generated: {words}.")


def adopt(
    session: Session,
    *,
    locality_id: LocalityId,
    provider_id: ProviderId,
    day: date,
    workers: Mapping[VisitId, Sequence[WorkerId | None]],
    starts: Mapping[VisitId, datetime] | None = None,
    now: datetime,
    policy: Policy,
    wishes: Wishes | None = None,
) -> str:
    """Store a roster that a person made or another system gave as a draft; its id. It may break rules: each is said in the draft.

    `starts` (aware UTC) default to the planned ones; slots and visits not named are unfilled. Raises RosterRefused for a visit
    that is not on that day or a worker who is not of that locality."""
    prepared = prepare(
        session,
        locality_id=locality_id,
        provider_id=provider_id,
        day=day,
        seed=0,
        policy=policy,
        wishes=wishes or Wishes(),
    )
    roster = _hand_made(prepared, workers=workers, starts=starts or {})
    return add_hand_made(session, prepared=prepared, roster=roster, now=now, policy=policy)


def publish(session: Session, *, roster_id: str, by: str, now: datetime, policy: Policy) -> Published:
    """Publish a draft in the caller's transaction: slots and starts of the planned visits, the roster before it superseded,
    deadlines, one outbox row for each device of each worker whose run is new or changed, pop-backs marked kept.

    Raises RosterRefused when it is no draft any more, when it was generated and breaks a hard rule, or when the day's visits have
    changed since it was made (the visits are named)."""
    record = rosters.roster(session, roster_id=roster_id)
    if record is None or record.state is not RosterState.DRAFT:
        raise RosterRefused("Only a draft can be published." if record else "There is no such roster.")
    if record.violations and record.body["made"] == "generated":
        raise RosterRefused("A generated roster that breaks a hard rule is not published.")
    if record.body["made"] == "generated":
        refuse_uncommissioned(session, provider_id=record.provider_id, locality_id=record.locality_id, day=record.day)
    day = load_day(
        session, locality_id=record.locality_id, provider_id=record.provider_id, day=record.day, policy=policy
    )
    _refuse_stale(record, day=day)
    rostered = _rostered(record, day=day)
    body = _final_body(record, day=day, rostered=rostered, zone=policy.zone)
    if not rosters.mark_published(session, record=replace(record, body=body), at=now, by=by):
        raise RosterRefused("Somebody else published it meanwhile.")
    _put_on_visits(session, day=day, rostered=rostered, now=now, policy=policy)
    told = tell_workers(session, record=replace(record, body=body), before=day.published, now=now)
    popbacks = [visit for visit in rostered if visit.popback]
    kept = [visit.visit_id for visit in popbacks if None not in visit.rostered]
    note_kept(session, visit_ids=kept)
    return Published(
        roster_id=roster_id,
        changes=tuple(change["words"] for change in body["changes"]),
        devices_told=told,
        popbacks_kept=tuple(kept),
        popbacks_unfilled=tuple(visit.visit_id for visit in popbacks if None in visit.rostered),
    )


def _hand_made(
    prepared: Prepared, *, workers: Mapping[VisitId, Sequence[WorkerId | None]], starts: Mapping[VisitId, datetime]
) -> Roster:
    problem, day = prepared.problem, prepared.day
    known = problem.worker_by_id()
    demands = problem.demand_by_id()
    stops: dict[str, list[Placed]] = {}
    unfilled: list[Unfilled] = []
    for visit_id in workers:
        if visit_id not in demands:
            raise RosterRefused(f"Visit {visit_id} is not to be made on {day.day}.", visits=[visit_id])
    for demand in problem.demands:
        visit_id = VisitId(demand.id)
        start = day.second(starts.get(visit_id, day.visit(visit_id).start))
        named = workers.get(visit_id, ())
        for slot in range(len(demand.slots)):
            worker = named[slot] if slot < len(named) else None
            if worker is None:
                unfilled.append(Unfilled(visit=demand.id, slot=slot, reason="nobody was put on it by hand"))
            elif worker not in known:
                raise RosterRefused(f"{worker} is not a worker of this locality.", visits=[visit_id])
            else:
                stops.setdefault(worker, []).append((demand, slot, start))
    return Roster(runs=runs_of(problem=problem, placed=stops), unfilled=tuple(unfilled))


def _refuse_stale(record: RosterRecord, *, day: Day) -> None:
    made_of = {stop["visit"]: stop["revision"] for _, stop in roster_body.stops_of(record.body)}
    made_of |= {each["visit"]: each["revision"] for each in record.body["unfilled"]}
    standing = {visit.visit_id: visit.revision for visit in day.visits}
    differ = sorted(
        visit for visit in made_of.keys() | standing.keys() if made_of.get(visit) != standing.get(VisitId(visit))
    )
    if differ:
        words = f"{len(differ)} planned visits changed since this roster was made, {differ[0]} first: make it again."
        raise RosterRefused(words, visits=differ)


def _rostered(record: RosterRecord, *, day: Day) -> list[PlannedVisit]:
    """The day's visits as the roster has them: workers slot by slot, the rostered start, and a new revision where that moved."""
    workers: dict[str, dict[int, WorkerId]] = {}
    starts: dict[str, datetime] = {}
    for worker, stop in roster_body.stops_of(record.body):
        workers.setdefault(stop["visit"], {})[stop["slot"]] = WorkerId(worker)
        start = datetime.fromisoformat(stop["start"])
        starts[stop["visit"]] = min(start, starts.get(stop["visit"], start))
    found = []
    for visit in day.visits:
        own = workers.get(visit.visit_id, {})
        start = starts.get(visit.visit_id, visit.start)
        found.append(
            replace(
                visit,
                rostered=tuple(own.get(slot) for slot in range(visit.workers_needed)),
                start=start,
                revision=visit.revision + (start != visit.start),
            )
        )
    return found


def _final_body(record: RosterRecord, *, day: Day, rostered: Sequence[PlannedVisit], zone: str) -> dict[str, Any]:
    """The draft's body with the revisions that publishing gives, and its changes since what is published now."""
    revisions = {visit.visit_id: visit.revision for visit in rostered}
    runs = []
    for run in record.body["runs"]:
        stops = [stop | {"revision": revisions[stop["visit"]]} for stop in run["stops"]]
        final = {**run, "stops": stops}
        runs.append(final | {"hash": roster_body.run_hash(final)})
    body = {**record.body, "runs": runs}
    was = day.published
    return body | {"changes": [] if was is None else roster_body.changes(was=was.body, becomes=body, zone=zone)}


def _put_on_visits(
    session: Session, *, day: Day, rostered: Sequence[PlannedVisit], now: datetime, policy: Policy
) -> None:
    moved = [visit for visit in rostered if visit.revision != day.visit(visit.visit_id).revision]
    still = [visit for visit in rostered if visit.revision == day.visit(visit.visit_id).revision]
    plans.revise(session, visits=moved, zone=policy.zone)
    plans.set_rostered(session, rostered={visit.visit_id: visit.rostered for visit in still})
    for visit in moved:
        deadlines.void(session, visit_id=visit.visit_id, now=now, before_revision=visit.revision)
    publish_deadlines(session, visits=rostered, policy=policy, now=now)
