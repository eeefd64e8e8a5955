"""A locality's day as the roster library sees it: loads plans, people and the past, and translates them to a Problem.
Not the solving and not the keeping of rosters (evm.services.roster).

Times in a Problem are seconds since local midnight of the day (elapsed seconds: a day of clock change has 23 or 25 hours)."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any, Final

import orjson
from sqlalchemy.orm import Session

import rostering.problem as shape
from evm.domain.ids import CustomerId, LocalityId, ProviderId, VisitId, WorkerId
from evm.domain.occurrences import is_away
from evm.domain.people import CareWorker, Customer
from evm.domain.period import AmbiguousLocalTime, NonexistentLocalTime, day_period, seconds_between, to_utc
from evm.domain.place import Home
from evm.domain.plan import PlannedVisit, Risk
from evm.domain.policy import Policy
from evm.services.roster_travel import travel_of
from evm.store import people, plans, rosters
from rostering.weights import Weights

HOUR: Final = 3_600
CONTINUITY_DAYS: Final = 28
UNFILLED_POINTS: Final = {Risk.TIME_CRITICAL: 400_000, Risk.STANDARD: 200_000, Risk.LOW: 100_000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """What a person fixed about a visit: the worker of each slot, or the start (aware UTC), or both."""

    workers: tuple[WorkerId, ...] = ()
    start: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a generated roster weighs and how long it is searched; every number is the branch's to change.

    `core_team_size`: how many of a customer's commonest workers of the past 28 days count as preferred, beside those they named.
    `stranger_points`: of a week, for each worker-visit by none of the three who come to the customer most that week.
    `customer_gap_minutes`: least time between a customer's visits, or what the plan itself leaves, if less."""

    iterations_max: int = 5_000
    effort_seconds: int = 1
    core_team_size: int = 3
    customer_gap_minutes: int = 60
    travel_points: int = 2
    off_preferred_points: int = 1
    not_preferred_points: int = 600
    stranger_points: int = 360
    changed_points: int = 1_800
    break_minutes: int = 30
    break_after_hours: int = 6
    pins: Mapping[VisitId, Pin] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """Everything a roster of one locality, provider and local day is made from. `agreed` is the start that the plan gives each
    visit (a published roster may have moved it within its window); `suspended` are visits of customers who are away."""

    locality_id: LocalityId
    provider_id: ProviderId
    day: date
    origin: datetime
    until: datetime
    visits: tuple[PlannedVisit, ...]
    suspended: tuple[PlannedVisit, ...]
    agreed: Mapping[VisitId, datetime]
    customers: Mapping[CustomerId, Customer]
    workers: tuple[CareWorker, ...]
    attended: Mapping[CustomerId, Mapping[WorkerId, int]]
    stints: tuple[rosters.PlannedStint, ...]
    published: rosters.RosterRecord | None
    by_id: Mapping[VisitId, PlannedVisit]

    def second(self, instant: datetime) -> int:
        """Seconds from local midnight of the day to an instant."""
        return seconds_between(self.origin, instant)

    def instant(self, second: int) -> datetime:
        """The aware UTC instant of a second of the day."""
        return self.origin + timedelta(seconds=second)

    def visit(self, visit_id: str) -> PlannedVisit:
        """The day's standing visit with this id."""
        return self.by_id[VisitId(visit_id)]


def load_day(session: Session, *, locality_id: LocalityId, provider_id: ProviderId, day: date, policy: Policy) -> Day:
    """Read the day's planned visits (cancelled ones left out), people, absences, and what is published around it."""
    period = day_period(day, zone=policy.zone)
    planned = plans.planned_visits(
        session,
        locality_id=locality_id,
        provider_id=provider_id,
        since_day=day,
        until_day=day + timedelta(days=1),
    )
    standing = [visit for visit in planned if visit.cancelled is None]
    ids = {visit.customer_id for visit in standing}
    spells = plans.absences(session, customer_ids=ids, since=period.start, until=period.end)
    away = {visit.visit_id for visit in standing if is_away(visit, absences=spells)}
    workers = people.workers(session, provider_id=provider_id, locality_id=locality_id)
    monday = day - timedelta(days=day.weekday())
    since = period.start - timedelta(days=CONTINUITY_DAYS)
    published = rosters.published(session, locality_id=locality_id, provider_id=provider_id, day=day)
    customers = people.customers(session, provider_id=provider_id, locality_id=locality_id)
    gone = ids - {customer.customer_id for customer in customers}  # another provider's by now
    customers += people.customers(session, customer_ids=gone) if gone else ()
    return Day(
        locality_id=locality_id,
        provider_id=provider_id,
        day=day,
        origin=period.start,
        until=period.end,
        visits=tuple(visit for visit in standing if visit.visit_id not in away),
        suspended=tuple(visit for visit in standing if visit.visit_id in away),
        agreed=_agreed(standing, published=published),
        customers={customer.customer_id: customer for customer in customers},
        workers=workers,
        attended=rosters.check_ins_counted(
            session, locality_id=locality_id, provider_id=provider_id, since=since, until=period.start
        ),
        stints=rosters.stints(
            session,
            worker_ids=[worker.worker_id for worker in workers],
            since_day=min(monday, day - timedelta(days=1)),
            until_day=max(monday + timedelta(days=7), day + timedelta(days=2)),
        ),
        published=published,
        by_id={visit.visit_id: visit for visit in standing},
    )


def places_of(day: Day) -> tuple[tuple[str, Home], ...]:
    """The ids and homes that the places of the day's problem stand for, in their order: customers, then workers."""
    customers = [(str(customer_id), day.customers[customer_id].home) for customer_id in sorted(day.customers)]
    return (*customers, *((str(worker.worker_id), worker.home) for worker in day.workers))


def problem_of(day: Day, *, policy: Policy, wishes: Wishes, travel: shape.Travel | None = None) -> shape.Problem:
    """Translate the day; `travel` is between the places of `places_of`, by default the policy's. Raises ProblemError for data no roster
    can be asked about (a pin naming a worker of another locality)."""
    homes = [home for _, home in places_of(day)]
    return shape.Problem(
        demands=demands_of(day, visits=day.visits, wishes=wishes),
        workers=tuple(
            _worker(day, worker, place=len(day.customers) + number, policy=policy, wishes=wishes)
            for number, worker in enumerate(day.workers)
        ),
        travel=travel or travel_of(homes=homes, policy=policy),
        horizon=shape.Shift(0, day.second(day.until) + 12 * HOUR),
        weights=Weights(
            travel=wishes.travel_points,
            off_preferred=wishes.off_preferred_points,
            not_preferred=wishes.not_preferred_points,
            changed=wishes.changed_points,
            unfilled=UNFILLED_POINTS[Risk.STANDARD],
        ),
    )


def demands_of(day: Day, *, visits: Sequence[PlannedVisit], wishes: Wishes) -> tuple[shape.Demand, ...]:
    """The demands of some of the day's visits, in their order."""
    place_of = {customer_id: number for number, customer_id in enumerate(sorted(day.customers))}
    pins = {**standing_pins(day), **wishes.pins}
    gaps = _gaps(day, minutes_max=wishes.customer_gap_minutes)
    known = frozenset(worker.worker_id for worker in day.workers)
    return tuple(
        _demand(
            day,
            visit,
            place=place_of[visit.customer_id],
            gap=gaps[visit.visit_id],
            pin=pins.get(visit.visit_id, Pin()),
            preferred=_preferred(day, day.customers[visit.customer_id], size=wishes.core_team_size) & known,
            known=known,
        )
        for visit in visits
    )


def input_sha256(problem: shape.Problem) -> str:
    """A digest of the whole question: equal input gives equal digest on any machine."""
    body = orjson.dumps(
        {
            "demands": problem.demands,
            "workers": problem.workers,
            "horizon": problem.horizon,
            "weights": problem.weights,
            "travel": {
                mode: hashlib.sha256(matrix.tobytes()).hexdigest()
                for mode, matrix in problem.travel.seconds_by_mode.items()
            },
        },
        default=_sorted,
        option=orjson.OPT_SORT_KEYS,
    )
    return hashlib.sha256(body).hexdigest()


def standing_pins(day: Day) -> dict[VisitId, Pin]:
    """What people fixed in the published roster and nobody has freed since."""
    if day.published is None:
        return {}
    return {
        VisitId(visit_id): Pin(
            workers=tuple(WorkerId(worker) for worker in pin["workers"]),
            start=None if pin["start"] is None else datetime.fromisoformat(pin["start"]),
        )
        for visit_id, pin in day.published.body["pins"].items()
    }


def _sorted(value: Any) -> list[Any]:
    if not isinstance(value, frozenset):
        raise TypeError(f"no canonical form for {type(value)}")
    return sorted(value)


def _agreed(visits: Sequence[PlannedVisit], *, published: rosters.RosterRecord | None) -> dict[VisitId, datetime]:
    """The plan's own start of each visit: what the published roster remembers, while nobody changed the visit since."""
    found = {visit.visit_id: visit.start for visit in visits}
    revisions = {visit.visit_id: visit.revision for visit in visits}
    runs = () if published is None else published.body["runs"]
    for stop in (stop for run in runs for stop in run["stops"]):
        if revisions.get(stop["visit"]) == stop["revision"]:
            found[VisitId(stop["visit"])] = datetime.fromisoformat(stop["agreed_start"])
    return found


def _gaps(day: Day, *, minutes_max: int) -> dict[VisitId, int]:
    """Seconds to keep between a visit and its neighbours of the same customer: no more than the plan leaves."""
    by_customer: defaultdict[CustomerId, list[PlannedVisit]] = defaultdict(list)
    for visit in sorted(day.visits, key=lambda visit: (day.agreed[visit.visit_id], visit.visit_id)):
        by_customer[visit.customer_id].append(visit)
    found = dict.fromkeys((visit.visit_id for visit in day.visits), minutes_max * 60)
    for own in by_customer.values():
        for before, after in pairwise(own):
            ends = day.agreed[before.visit_id] + timedelta(minutes=before.minutes)
            left = max(0, seconds_between(ends, day.agreed[after.visit_id]))
            for visit in (before, after):
                found[visit.visit_id] = min(found[visit.visit_id], left)
    return found


def _demand(
    day: Day,
    visit: PlannedVisit,
    *,
    place: int,
    gap: int,
    pin: Pin,
    preferred: frozenset[str],
    known: frozenset[WorkerId],
) -> shape.Demand:
    customer = day.customers[visit.customer_id]
    start, flexible = day.second(day.agreed[visit.visit_id]), visit.flexible_minutes * 60
    was = tuple(worker for worker in visit.rostered if worker in known and worker is not None)
    return shape.Demand(
        id=visit.visit_id,
        customer=visit.customer_id,
        place=place,
        slots=(shape.Slot(visit.minutes * 60, visit.skills_required),) * visit.workers_needed,
        windows=(shape.Window(start - flexible, start + flexible),),
        preferred_start=start,
        gender=customer.gender_required,
        language=customer.language_required,
        excluded_workers=frozenset(customer.workers_excluded),
        preferred_workers=preferred,
        pinned_workers=pin.workers,
        pinned_start=None if pin.start is None else day.second(pin.start),
        published_workers=was if day.published is not None else (),
        must_keep=visit.popback,
        gap_seconds=gap,
        unfilled_penalty=UNFILLED_POINTS[visit.risk],
    )


def _preferred(day: Day, customer: Customer, *, size: int) -> frozenset[str]:
    """Those the customer named and the commonest of the past 28 days (ties by id)."""
    counted = day.attended.get(customer.customer_id, {})
    common = sorted(counted, key=lambda worker: (-counted[worker], worker))[:size]
    return frozenset(customer.workers_preferred) | frozenset(common)


def _worker(day: Day, worker: CareWorker, *, place: int, policy: Policy, wishes: Wishes) -> shape.Worker:
    stints = [stint for stint in day.stints if stint.worker_id == worker.worker_id]
    shifts, overnight = _shifts(day, worker, policy=policy)
    return shape.Worker(
        id=worker.worker_id,
        shifts=_rested(day, shifts, stints=stints),
        home=place,
        skills=worker.skills_on(day.day),
        gender=worker.gender,
        languages=worker.languages,
        hours_limit_seconds=_hours_limit(day, worker, stints=stints),
        break_rule=shape.Break(wishes.break_minutes * 60, wishes.break_after_hours * HOUR),
        last_back=None if overnight else _last_back(day, stints=stints),
        mode=worker.mode.value,
    )


def _shifts(day: Day, worker: CareWorker, *, policy: Policy) -> tuple[list[shape.Shift], bool]:
    """The day's availability, and whether a night shift of the day before runs into it. Days of leave have none."""
    found: list[shape.Shift] = []
    overnight = False
    for begins in (day.day - timedelta(days=1), day.day):
        for shift in worker.shifts:
            ends = begins if shift.until > shift.since else begins + timedelta(days=1)
            if shift.weekday != begins.weekday() or begins in worker.leave or ends < day.day:
                continue
            since = max(0, day.second(_wall(begins, shift.since, zone=policy.zone, later=False)))
            until = day.second(_wall(ends, shift.until, zone=policy.zone, later=True))
            if until > since:
                found.append(shape.Shift(since, until))
                overnight = overnight or begins < day.day
    return _merged(found), overnight


def _wall(day: date, at: time, *, zone: str, later: bool) -> datetime:
    """A shift's local end or beginning as an instant: one that does not exist moves with the clocks, one that comes twice is taken
    so that the shift is the longer."""
    try:
        return to_utc(day=day, at=at, zone=zone)
    except NonexistentLocalTime as gap:
        return gap.choices[0].astimezone(UTC)
    except AmbiguousLocalTime as twice:
        return to_utc(day=day, at=at, zone=zone, offset_minutes=twice.offsets_minutes[int(later)])


def _merged(shifts: Sequence[shape.Shift]) -> list[shape.Shift]:
    found: list[shape.Shift] = []
    for shift in sorted(shifts, key=lambda shift: (shift.start, shift.end)):
        if found and shift.start <= found[-1].end:
            found[-1] = shape.Shift(found[-1].start, max(found[-1].end, shift.end))
        else:
            found.append(shift)
    return found


def _rested(
    day: Day, shifts: Sequence[shape.Shift], *, stints: Sequence[rosters.PlannedStint]
) -> tuple[shape.Shift, ...]:
    """Shifts cut short so that the daily rest before what is rostered on the next day is kept."""
    tomorrow = [day.second(stint.start) for stint in stints if stint.start >= day.until]
    latest = min(tomorrow, default=shape.TIME_MAX) - shape.DAILY_REST_SECONDS
    return tuple(shape.Shift(shift.start, min(shift.end, latest)) for shift in shifts if shift.start < latest)


def _hours_limit(day: Day, worker: CareWorker, *, stints: Sequence[rosters.PlannedStint]) -> int:
    """Seconds of work left to the worker: the day's limit, or what the week has left beside its other rostered days."""
    others = sum(
        stint.minutes * 60 for stint in stints if _in_week(day, stint) and not day.origin <= stint.start < day.until
    )
    return max(0, min(worker.hours_day_max * HOUR, worker.hours_week_max * HOUR - others))


def _in_week(day: Day, stint: rosters.PlannedStint) -> bool:
    since = day.origin - timedelta(days=day.day.weekday())
    return since <= stint.start < since + timedelta(days=7)


def _last_back(day: Day, *, stints: Sequence[rosters.PlannedStint]) -> int | None:
    ends = [day.second(stint.start) + stint.minutes * 60 for stint in stints if stint.start < day.origin]
    return max(ends, default=None)
