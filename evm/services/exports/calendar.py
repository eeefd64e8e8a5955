"""A care worker's run and a customer's visits as iCalendar (RFC 5545), for files and for feeds by secret address. Not the addresses' web
route (api.routes.calendars).

A customer's calendar says who comes. A worker's says initials and the outward half of the postcode, never more: name, address and visit
times together are what a burglar needs. Instants are UTC. A visit keeps its UID for ever; SEQUENCE rises with every revision and when
the customer goes away and comes back."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from icalendar import Calendar, Event, vText
from sqlalchemy.orm import Session

from evm.domain.area import outward_of
from evm.domain.ids import CustomerId, WorkerId
from evm.domain.occurrences import is_away
from evm.domain.people import Customer
from evm.domain.period import day_period, ends_at
from evm.domain.plan import Absence, PlannedVisit
from evm.domain.policy import Policy
from evm.domain.transfer import Passed
from evm.store import calendars, people, plans

DAYS_BACK: Final = 7
DAYS_AHEAD: Final = 35
DAYS_MAX: Final = 400
PRODUCT: Final = "-//popback//visits//EN"
FIXED_STAMP: Final = datetime(2026, 1, 1, tzinfo=UTC)


class CalendarUnknown(LookupError):  # noqa: N818 -- named for what is wrong
    """There is no such customer or worker."""


def run_calendar(
    session: Session, *, worker_id: WorkerId, since: date, until: date, stamp: datetime, policy: Policy
) -> bytes:
    """The visits that a worker is rostered on, on the local days `[since, until)`. CalendarUnknown."""
    worker = people.worker(session, worker_id=worker_id)
    if worker is None:
        raise CalendarUnknown(worker_id)
    visits = plans.planned_visits(session, worker_id=worker_id, since_day=since, until_day=until)
    homes = {one.customer_id: one for one in people.customers(session, customer_ids=[v.customer_id for v in visits])}
    away = _away(session, visits, since, until, policy)
    events = [_stop(visit, homes[visit.customer_id], stamp, away) for visit in visits]
    return _calendar(f"Run of {worker.name}", events)


def visit_calendar(
    session: Session, *, customer_id: CustomerId, since: date, until: date, stamp: datetime, policy: Policy
) -> bytes:
    """The visits planned for a customer on the local days `[since, until)`, with the names of those who come. CalendarUnknown."""
    customer = people.customer(session, customer_id=customer_id)
    if customer is None:
        raise CalendarUnknown(customer_id)
    visits = plans.planned_visits(session, customer_id=customer_id, since_day=since, until_day=until)
    coming = {worker for visit in visits for worker in visit.rostered if worker is not None}
    names = {one.worker_id: one.name for one in people.workers(session, worker_ids=coming)} if coming else {}
    providers = {one.provider_id: one.name for one in people.providers(session)}
    away = _away(session, visits, since, until, policy)
    events = [_visit(visit, names, providers[visit.provider_id], stamp, away) for visit in visits]
    return _calendar(f"Visits to {customer.name}", events)


def feed(session: Session, *, token: str, today: date, stamp: datetime, policy: Policy) -> bytes | None:
    """The calendar that a secret address opens, from a week ago to five weeks ahead; None for an unknown or revoked token."""
    found = calendars.subject_of(session, token_sha256=token_hash(token))
    if found is None:
        return None
    kind, subject = found
    since, until = today - timedelta(days=DAYS_BACK), today + timedelta(days=DAYS_AHEAD)
    if kind == Passed.WORKER.value:
        return run_calendar(session, worker_id=WorkerId(subject), since=since, until=until, stamp=stamp, policy=policy)
    return visit_calendar(
        session, customer_id=CustomerId(subject), since=since, until=until, stamp=stamp, policy=policy
    )


def make_address(session: Session, *, kind: Passed, subject_id: str, token: str, now: datetime, by: str) -> None:
    """Let a token (192 random bits, made by the caller, shown once) open the calendar of a worker or customer. CalendarUnknown."""
    known = (
        people.worker(session, worker_id=WorkerId(subject_id))
        if kind is Passed.WORKER
        else people.customer(session, customer_id=CustomerId(subject_id))
    )
    if known is None:
        raise CalendarUnknown(subject_id)
    calendars.add_address(
        session, token_sha256=token_hash(token), kind=kind.value, subject_id=subject_id, now=now, by=by
    )


def token_hash(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def etag_of(calendar: bytes) -> str:
    """The same for the same events: of a calendar made with `FIXED_STAMP`."""
    return f'"{hashlib.sha256(calendar).hexdigest()[:32]}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class _Away:
    """When the customers of some visits were, are and will be away."""

    spells: tuple[Absence, ...]

    def suspends(self, visit: PlannedVisit) -> bool:
        return is_away(visit, absences=self.spells)

    def resumed(self, visit: PlannedVisit) -> int:
        """How many absences are over by the visit: each may have called it off and let it stand again."""
        return sum(
            spell.customer_id == visit.customer_id and spell.until is not None and spell.until <= visit.start
            for spell in self.spells
        )


def _away(session: Session, visits: Sequence[PlannedVisit], since: date, until: date, policy: Policy) -> _Away:
    spells = plans.absences(
        session,
        customer_ids={visit.customer_id for visit in visits},
        since=day_period(since - timedelta(days=DAYS_MAX), zone=policy.zone).start,
        until=day_period(until, zone=policy.zone).end,
    )
    return _Away(spells=tuple(spells))


def _stop(visit: PlannedVisit, home: Customer, stamp: datetime, away: _Away) -> Event:
    minutes = f"{visit.minutes} minutes" + (", two workers" if visit.workers_needed > 1 else "")
    event = _event(visit, f"Visit {_initials(home.name)}, {minutes}", stamp, away)
    event.add("location", outward_of(home.postcode) or "")
    return event


def _visit(visit: PlannedVisit, names: Mapping[WorkerId, str], provider: str, stamp: datetime, away: _Away) -> Event:
    coming = [names[worker] for worker in visit.rostered if worker is not None and worker in names]
    missing = visit.workers_needed - len(coming)
    who = " and ".join([*coming, *(["somebody else"] if coming and missing else [])]) or "somebody"
    event = _event(visit, f"Care visit: {who} of {provider}", stamp, away)
    event.add("description", f"{visit.minutes} minutes" + (", as you asked" if visit.popback else ""))
    return event


def _event(visit: PlannedVisit, summary: str, stamp: datetime, away: _Away) -> Event:
    called_off = visit.cancelled is not None or away.suspends(visit)
    event = Event()
    event.add("uid", f"{visit.visit_id}@popback")
    event.add("dtstamp", stamp.astimezone(UTC))
    event.add("dtstart", visit.start.astimezone(UTC))
    event.add("dtend", ends_at(start=visit.start, minutes=visit.minutes))
    event.add("sequence", 2 * (visit.revision - 1 + away.resumed(visit)) + called_off)
    event.add("status", "CANCELLED" if called_off else "CONFIRMED")
    event.add("summary", summary)
    return event


def _calendar(name: str, events: Sequence[Event]) -> bytes:
    made = Calendar()
    made.add("prodid", PRODUCT)
    made.add("version", "2.0")
    made.add("method", "PUBLISH")
    made.add("x-wr-calname", vText(" ".join(name.split())), encode=False)
    for event in events:
        made.add_component(event)
    return bytes(made.to_ical())


def _initials(name: str) -> str:
    return ". ".join(part[0].upper() for part in name.split() if part[0].isalnum()) + "." if name.split() else "?"
