"""Hours, travel, waiting and mileage of care workers for a pay period, from evidence: a line each visit and journey, and their sums a
worker. Not wages (rates are the payroll system's) and not what is billed (evm.services.price).

Rules, from rules.md (wage floor): a stay belongs to the local day on which it begins, whole. Contact is what is billed, floor(payable
seconds ÷ 60) a stay. A journey leads from one stay to the worker's next one in the same run, takes the policy's seconds between the
homes, and belongs to the day of the stay it leads to; first and last journeys are not paid. Time between two stays of a run that is
not travel is waiting. A run ends where more than `run_gap_minutes` would be waited: that time is the worker's own."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Final

from sqlalchemy.orm import Session

from evm.domain.ids import CustomerId, WorkerId
from evm.domain.money import round_half_up
from evm.domain.people import TravelMode
from evm.domain.period import care_day, seconds_between
from evm.domain.place import Home
from evm.domain.policy import Policy
from evm.domain.travel import great_circle_m, journey_seconds
from evm.domain.visit import Attendance
from evm.services.exports.csv_text import Cell
from evm.store import exports
from evm.store.exports import Care, Paid
from evm.store.screens import Scope

RUN_GAP_MINUTES: Final = 60
METRES_A_MILE: Final = Fraction(1_609_344, 1000)
LINES: Final = (
    "worker", "worker_name", "day", "kind", "customer", "from_customer", "visit", "start", "end", "contact_minutes",
    "unapproved_minutes", "open", "travel_seconds", "waiting_seconds", "metres", "note",
)  # fmt: skip
TOTALS: Final = (
    "worker", "worker_name", "mode", "since", "until", "visits", "contact_minutes", "unapproved_minutes", "open_stays", "journeys",
    "travel_seconds", "travel_minutes", "waiting_seconds", "waiting_minutes", "metres", "miles", "working_minutes",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One stay ("visit") or one way between two ("journey"). `note` says why minutes are unapproved."""

    worker: WorkerId
    who: Paid
    day: date
    kind: str
    customer: CustomerId
    start: datetime
    end: datetime | None
    from_customer: CustomerId | None = None
    visit: str = ""
    contact_minutes: int = 0
    unapproved_minutes: int = 0
    is_open: bool = False
    travel_seconds: int = 0
    waiting_seconds: int = 0
    metres: int = 0
    note: str = ""


@dataclass(slots=True, kw_only=True)
class _Sum:
    """What a worker's lines add up to."""

    who: Paid
    visits: int = 0
    contact_minutes: int = 0
    unapproved_minutes: int = 0
    open_stays: int = 0
    journeys: int = 0
    travel_seconds: int = 0
    waiting_seconds: int = 0
    metres: int = 0

    def add(self, line: Line) -> None:
        self.visits += line.kind == "visit"
        self.journeys += line.kind == "journey"
        self.contact_minutes += line.contact_minutes
        self.unapproved_minutes += line.unapproved_minutes
        self.open_stays += line.is_open
        self.travel_seconds += line.travel_seconds
        self.waiting_seconds += line.waiting_seconds
        self.metres += line.metres


@dataclass(slots=True, kw_only=True)
class _People:
    """Workers and homes met so far: a provider's, so that memory does not grow with the period."""

    session: Session
    workers: dict[WorkerId, Paid] = field(default_factory=dict)
    homes: dict[CustomerId, Home] = field(default_factory=dict)

    def meet(self, stays: Sequence["_Stay"]) -> None:
        new = {stay.attendance.worker for stay in stays} - self.workers.keys()
        self.workers |= exports.workers_paid(self.session, worker_ids=sorted(new)) if new else {}
        homes = {stay.attendance.customer for stay in stays} - self.homes.keys()
        self.homes |= exports.homes_of(self.session, customer_ids=sorted(homes)) if homes else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stay:
    """An attendance with what it was for; `began` is its start, or its end where nobody saw it begin."""

    attendance: Attendance
    visit: str
    is_planned: bool
    began: datetime
    day: date


def lines(
    session: Session,
    *,
    scope: Scope,
    since: date,
    until: date,
    policy: Policy,
    run_gap_minutes: int = RUN_GAP_MINUTES,
) -> Iterator[Line]:
    """The lines of the local days `[since, until)`, by day, worker and start."""
    people = _People(session=session)
    last: dict[WorkerId, _Stay] = {}
    waiting: list[_Stay] = []
    for ordinal in range(since.toordinal() - 1, until.toordinal() + 1):
        care_of = date.fromordinal(ordinal)
        for care in exports.care_of_day(session, scope=scope, day=care_of):
            waiting += _stays(care, policy.zone)
        done = care_of - timedelta(days=1)  # the evening's stays may begin after midnight, and the next day's before
        ready = sorted((stay for stay in waiting if stay.day <= done), key=_by_worker)
        waiting = [stay for stay in waiting if stay.day > done]
        people.meet(ready)
        for stay in ready:
            found = [_visit_line(stay, people.workers[stay.attendance.worker])]
            before = last.get(stay.attendance.worker)
            journey = None if before is None else _journey(before, stay, people, policy, run_gap_minutes)
            if journey is not None:
                found.insert(0, journey)
            last[stay.attendance.worker] = stay
            if since <= stay.day < until:
                yield from found


def line_rows(found: Iterable[Line]) -> Iterator[Sequence[Cell]]:
    """The lines as rows of the columns `LINES`."""
    for line in found:
        yield (
            line.worker,
            line.who.name,
            line.day,
            line.kind,
            line.customer,
            line.from_customer or "",
            line.visit,
            line.start,
            line.end,
            line.contact_minutes,
            line.unapproved_minutes,
            int(line.is_open),
            line.travel_seconds,
            line.waiting_seconds,
            line.metres,
            line.note,
        )


def totals(found: Iterable[Line], *, since: date, until: date) -> Iterator[Sequence[Cell]]:
    """A row each worker, by id, of the columns `TOTALS`: the sums of their lines. `until` is written as the period's last day.
    `travel_minutes`/`waiting_minutes` are the summed seconds rounded up once; `miles` the summed metres
    to the hundredth, half up, once."""
    sums: dict[WorkerId, _Sum] = {}
    for line in found:
        sums.setdefault(line.worker, _Sum(who=line.who)).add(line)
    for worker in sorted(sums):
        own = sums[worker]
        travel, waited = -(-own.travel_seconds // 60), -(-own.waiting_seconds // 60)
        yield (
            worker,
            own.who.name,
            own.who.mode.value,
            since,
            until - timedelta(days=1),
            own.visits,
            own.contact_minutes,
            own.unapproved_minutes,
            own.open_stays,
            own.journeys,
            own.travel_seconds,
            travel,
            own.waiting_seconds,
            waited,
            own.metres,
            _miles(own.metres),
            own.contact_minutes + travel + waited,
        )


def _stays(care: Care, zone: str) -> Iterator[_Stay]:
    for record in care.visit.slots if care.visit else ():
        there = record.attendance
        began = None if there is None else there.start or there.end
        if there is not None and began is not None:
            yield _Stay(
                attendance=there,
                visit=care.visit_key,
                is_planned=care.visit_id is not None,
                began=began,
                day=care_day(began, zone=zone),
            )


def _by_worker(stay: _Stay) -> tuple[date, WorkerId, datetime, str]:
    return (stay.day, stay.attendance.worker, stay.began, stay.attendance.attendance_id)


def _visit_line(stay: _Stay, who: Paid) -> Line:
    there = stay.attendance
    plain = Line(
        worker=there.worker,
        who=who,
        day=stay.day,
        kind="visit",
        customer=there.customer,
        visit=stay.visit,
        start=stay.began,
        end=there.end,
    )
    if there.start is None or there.end is None:
        return replace(plain, is_open=True, note="no check-out" if there.end is None else "no check-in")
    whole = seconds_between(there.start, there.end) // 60
    if there.payable_seconds == 0:
        return replace(plain, unapproved_minutes=whole, note="doubtful: waits for a person")
    if not stay.is_planned:
        return replace(plain, unapproved_minutes=there.minutes, note="not planned: waits for approval")
    if there.waits or (there.amended and not there.approved):
        return replace(plain, unapproved_minutes=there.minutes, note="waits for approval")
    return replace(plain, contact_minutes=there.minutes)


def _journey(before: _Stay, stay: _Stay, people: _People, policy: Policy, run_gap_minutes: int) -> Line | None:
    """The way from the stay before, None when the run ended there or the stay has no known end. A stay that reaches into the next one
    ended, for its minutes as for the journey, when the worker had to leave."""
    ended, began = before.attendance.end, stay.attendance.start
    if ended is None or began is None:
        return None
    ended = min(ended, before.attendance.end_max or ended)
    here, there = people.homes[before.attendance.customer], people.homes[stay.attendance.customer]
    who = people.workers[stay.attendance.worker]
    travel = journey_seconds(here, there, who.mode, policy)
    waited = max(0, seconds_between(ended, began) - travel)
    if waited > run_gap_minutes * 60 or began < ended:
        return None
    return Line(
        worker=stay.attendance.worker,
        who=who,
        day=stay.day,
        kind="journey",
        customer=stay.attendance.customer,
        from_customer=before.attendance.customer,
        start=ended,
        end=began,
        travel_seconds=travel,
        waiting_seconds=waited,
        metres=_metres(here, there, policy) if who.mode is TravelMode.CAR else 0,
    )


def _miles(metres: int) -> str:
    hundredths = round_half_up(Fraction(metres * 100) / METRES_A_MILE)
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def _metres(here: Home, there: Home, policy: Policy) -> int:
    """Whole metres by the policy's detour factor, rounded half up: the one place at which a distance is rounded before it is summed."""
    straight = great_circle_m(
        from_latitude=here.latitude,
        from_longitude=here.longitude,
        to_latitude=there.latitude,
        to_longitude=there.longitude,
    )
    return round_half_up(Fraction(straight) * Fraction(str(policy.detour_factor)))
