"""Short builders for the pure domain's tests: events by local-looking clock times on one winter Monday (UTC is London time).
Not the store's factories."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from evm.domain.evidence import Amendment, EventKind, Evidence, Grade, Method, Source
from evm.domain.ids import CustomerId, DeviceId, EventId, LocalityId, ProviderId, VisitId, WorkerId
from evm.domain.place import Home
from evm.domain.plan import PlannedVisit
from evm.domain.policy import Policy
from evm.domain.reconcile import reconcile
from evm.domain.visit import Attendance, Visit

POLICY = Policy()
DAY = datetime(2026, 11, 2, tzinfo=UTC)
METRES_A_DEGREE = 111_195


def at(clock: str, *, day: int = 0) -> datetime:
    """09:05 or 09:05:30 on the Monday (or `day` days later)."""
    hours, minutes, *seconds = (int(part) for part in clock.split(":"))
    return DAY + timedelta(days=day, hours=hours, minutes=minutes, seconds=seconds[0] if seconds else 0)


def home(north_m: float = 0.0) -> Home:
    return Home(latitude=53.45 + north_m / METRES_A_DEGREE, longitude=-2.22)


def event(kind: EventKind, clock: str | datetime, **changes: Any) -> Evidence:
    """An event of worker w1 at customer c1; its id follows from what it says unless one is given."""
    instant = at(clock) if isinstance(clock, str) else clock
    worker = changes.pop("worker", "w1")
    customer = changes.pop("customer", "c1")
    name = changes.pop("event_id", f"{worker}-{customer}-{kind.value}-{instant:%d%H%M%S}")
    body = f"{name}|{changes.pop('body', '')}"
    values: dict[str, Any] = {
        "event_id": EventId(name),
        "sha256": hashlib.sha256(body.encode()).hexdigest(),
        "source": Source.DEVICE,
        "provider": ProviderId("kindly"),
        "device": DeviceId(f"phone-{worker}"),
        "kind": kind,
        "at": instant,
        "received_at": instant,
        "method": Method.NFC,
        "grade_time": Grade.A,
        "grade_place": Grade.A,
        "worker": None if worker is None else WorkerId(worker),
        "customer": None if customer is None else CustomerId(customer),
    }
    return Evidence(**(values | changes))


def check_in(clock: str | datetime, **changes: Any) -> Evidence:
    return event(EventKind.CHECK_IN, clock, **changes)


def check_out(clock: str | datetime, **changes: Any) -> Evidence:
    return event(EventKind.CHECK_OUT, clock, **changes)


def stay(since: str, until: str, **changes: Any) -> list[Evidence]:
    return [check_in(since, **changes), check_out(until, **changes)]


def amendment(
    clock: str, *, visit: str = "v1", since: str | None, until: str | None, by: str | None, **changes: Any
) -> Evidence:
    """An amendment attested by "coordinator" and approved by `by` (None: not yet)."""
    worker = WorkerId(changes.get("worker", "w1"))
    said = Amendment(
        visit=VisitId(visit),
        worker=worker,
        check_in_at=None if since is None else at(since),
        check_out_at=None if until is None else at(until),
        reason_code="forgot",
        memo="Rang the worker.",
        attested_by="coordinator",
        approved_by=by,
    )
    defaults: dict[str, Any] = {
        "source": Source.OFFICE,
        "amendment": said,
        "grade_time": Grade.D,
        "grade_place": Grade.C,
    }
    return event(EventKind.AMENDMENT, clock, **(defaults | changes))


def planned(name: str = "v1", clock: str | datetime = "09:00", minutes: int = 30, **changes: Any) -> PlannedVisit:
    """A visit to c1 with w1 rostered (and None in further slots unless given)."""
    slots = changes.get("workers_needed", 1)
    values: dict[str, Any] = {
        "visit_id": VisitId(name),
        "customer_id": CustomerId(changes.pop("customer", "c1")),
        "provider_id": ProviderId("kindly"),
        "locality_id": LocalityId("m14"),
        "start": at(clock) if isinstance(clock, str) else clock,
        "minutes": minutes,
        "rostered": (WorkerId("w1"), *(None,) * (slots - 1)),
    }
    return PlannedVisit(**(values | changes))


HOMES = {CustomerId("c1"): home(), CustomerId("c2"): home(3000), CustomerId("c3"): home(6000)}


def visits_of(plan: Sequence[PlannedVisit], evidence: Sequence[Evidence], **changes: Any) -> tuple[Visit, ...]:
    values: dict[str, Any] = {"policy": POLICY, "homes": HOMES}
    return reconcile(plan=plan, evidence=evidence, **(values | changes))


def only(visits: Sequence[Visit]) -> Visit:
    assert len(visits) == 1, visits
    return visits[0]


def attendance(visit: Visit, slot: int = 0) -> Attendance:
    found = visit.slots[slot].attendance
    assert found is not None
    return found


def codes(visit: Visit) -> set[str]:
    return {found.code.value for found in visit.findings}
