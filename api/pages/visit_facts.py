"""What hangs on one visit, gathered for its page: stays, events with their grades and why, versions, charges, alerts, claims.
Not the page's layout (templates/visit.html)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy import RowMapping
from sqlalchemy.orm import Session

from api.auth import Right, Viewer
from api.pages import words
from api.site import Site
from evm.domain.evidence import FEED_DEVICE
from evm.domain.finding import Finding
from evm.domain.travel import great_circle_m
from evm.store.screens import alerts as alert_screen
from evm.store.screens import visits as screen
from evm.store.screens.visits import EventRow, Listed, VisitRow
from evm.store.visits import versions

AROUND = timedelta(minutes=90)
CHECK_OUT_OVERDUE = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """One attendance in the order of its slot. `seconds` None: it is not closed."""

    slot: int
    worker_id: str
    start: datetime | None
    end: datetime | None
    seconds: int | None
    payable_seconds: int
    grade_time: str
    grade_place: str
    amended: bool
    approved: bool
    waits: bool
    findings: tuple[Finding, ...]


def stays_of(row: VisitRow) -> tuple[Stay, ...]:
    """The attendances of a visit's newest version."""
    return tuple(
        Stay(
            slot=record.slot,
            worker_id=held.worker,
            start=held.start,
            end=held.end,
            seconds=int((held.end - held.start).total_seconds()) if held.start and held.end else None,
            payable_seconds=held.payable_seconds,
            grade_time=held.grade_time.value,
            grade_place=held.grade_place.value,
            amended=held.amended,
            approved=held.approved,
            waits=held.waits,
            findings=held.findings,
        )
        for record in (row.visit.slots if row.visit else ())
        if (held := record.attendance) is not None
    )


def findings_of(row: VisitRow) -> tuple[Finding, ...]:
    """Every finding of the visit and of its attendances, once."""
    if row.visit is None:
        return ()
    found = dict.fromkeys(row.visit.findings)
    for stay in stays_of(row):
        found.update(dict.fromkeys(stay.findings))
    return tuple(found)


def judge_at(site: Site) -> Callable[[Listed], str]:
    """How a visit stands now: its outcome; "under way" while somebody who checked in has not checked out and the check-out is not
    overdue; "overdue" when its start is past by more than the policy's `late_minutes_max` and nothing is recorded."""
    now = site.clock()
    late = timedelta(minutes=site.policy.late_minutes_max)

    def judge(row: Listed) -> str:
        if row.cancelled_at is not None:
            return "cancelled"
        outcome = row.outcome or "pending"
        if outcome in {"delivered", "part delivered"} and row.is_open and row.start is not None:
            ends = row.start + timedelta(minutes=row.minutes_planned or 0)
            return "under way" if now < ends + CHECK_OUT_OVERDUE else outcome
        if outcome == "pending" and row.start is not None and row.start + late < now:
            return "overdue"
        return outcome

    return judge


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLine:
    """One event in words: what, when, how sure and why, and its receipt. `source`: the device, or whose feed it came in."""

    event: EventRow
    kind: str
    source: str
    method: str
    received: str
    time_why: str
    place_why: str
    distance: str
    said: tuple[str, ...]


def visit_facts(session: Session, *, row: VisitRow, site: Site, viewer: Viewer) -> dict[str, Any]:
    """Everything the visit's page shows. The caller has judged the scope."""
    home = screen.home_of(session, customer_id=row.customer_id)
    assert home is not None, "a visit has a customer"
    events = _events(session, row=row, site=site)
    stays = stays_of(row)
    ours = viewer.scope.provider_id in {None, row.provider_id}  # what was another provider's is shown without its money
    money = Right.SEE_INVOICES in viewer.rights and ours
    return {
        "home": home,
        "slots": _slots(row, stays),
        "names": screen.workers_named(session, worker_ids=frozenset(stay.worker_id for stay in stays)),
        "findings": findings_of(row),
        "events": [_line(event, home=home, live_seconds_max=site.policy.live_receipt_seconds_max) for event in events],
        "versions": versions(session, visit_key=row.visit_key),
        "alerts": alert_screen.alerts_of(session, visit_id=row.visit_id)
        if row.visit_id and Right.SEE_ALERTS in viewer.rights and ours
        else (),
        "charges": screen.charges_of(session, visit_key=row.visit_key) if money else (),
        "claims": screen.claims_of(session, visit_id=row.visit_id, scope=viewer.scope)
        if row.visit_id and money
        else (),
        "money": money,
    }


def _slots(row: VisitRow, stays: tuple[Stay, ...]) -> list[dict[str, Any]]:
    """Each slot with who was rostered and who came; a stay in no rostered slot stands at the end."""
    came = {stay.slot: stay for stay in stays}
    rostered = {slot: name or worker for slot, worker, name in row.rostered}
    return [{"rostered": rostered.get(slot), "stay": came.get(slot)} for slot in sorted(came.keys() | rostered.keys())]


def _events(session: Session, *, row: VisitRow, site: Site) -> tuple[EventRow, ...]:
    named = {event for finding in findings_of(row) for event in finding.evidence}
    if row.visit is not None:
        for record in row.visit.slots:
            if record.attendance is not None:
                named.update(event for event in (record.attendance.check_in, record.attendance.check_out) if event)
    known = [at for stay in stays_of(row) for at in (stay.start, stay.end) if at is not None]
    start = row.start or min(known, default=None)
    start = start or datetime.combine(row.care_day, time(12), tzinfo=site.zone).astimezone(UTC)
    return screen.events(
        session,
        customer_id=row.customer_id,
        visit_id=row.visit_id,
        event_ids=tuple(sorted(named))[:200],
        since=start - AROUND,
        until=start + timedelta(minutes=row.minutes_planned or 0) + AROUND,
    )


def _line(event: EventRow, *, home: RowMapping, live_seconds_max: int) -> EventLine:
    metres = None
    if event.latitude is not None and event.longitude is not None:
        metres = great_circle_m(
            from_latitude=home["latitude"],
            from_longitude=home["longitude"],
            to_latitude=event.latitude,
            to_longitude=event.longitude,
        )
    late = int((event.received_at - event.at).total_seconds())
    said = [f"{task['code']}: {'done' if task['done'] else 'not done'}" for task in event.body.get("tasks") or ()]
    if event.body.get("words"):
        said.append(str(event.body["words"]))
    vendor = event.device_id.removeprefix(FEED_DEVICE) if event.device_id.startswith(FEED_DEVICE) else None
    return EventLine(
        event=event,
        kind=words.KINDS.get(event.kind, event.kind),
        source=_source(event) if vendor is None else f"from {vendor}'s feed",
        method=words.METHODS.get(event.method, event.method),
        received="at once" if abs(late) < 2 else f"{words.duration(late)} {'later' if late > 0 else 'before that'}",
        time_why=_time_why(event, vendor, late=late, live_seconds_max=live_seconds_max),
        place_why=_place_why(event, vendor),
        distance=words.distance_band(metres, radius_m=home["radius_m"]),
        said=tuple(said),
    )


def _source(event: EventRow) -> str:
    return event.device_id if event.source == "device" else f"{event.device_id}, {event.source}"


def _time_why(event: EventRow, vendor: str | None, *, late: int, live_seconds_max: int) -> str:
    if vendor is not None:
        return words.feed_why(vendor=vendor, grade=event.grade_time, method=event.method, of="time")
    return words.time_why(
        grade=event.grade_time, method=event.method, seconds_until_received=late, live_seconds_max=live_seconds_max
    )


def _place_why(event: EventRow, vendor: str | None) -> str:
    if vendor is not None:
        return words.feed_why(vendor=vendor, grade=event.grade_place, method=event.method, of="place")
    return words.place_why(
        grade=event.grade_place, method=event.method, mock=event.mock, has_position=event.latitude is not None
    )
