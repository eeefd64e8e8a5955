"""Small builders with plain defaults for tests of every part. Not fixtures and not the simulation."""

import hashlib
import itertools
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy.orm import Session

from evm.domain.evidence import Claim, EventKind, Evidence, Grade, Method, Source
from evm.domain.ids import (
    BranchId,
    CouncilId,
    CustomerId,
    DeviceId,
    EventId,
    LocalityId,
    ProviderId,
    VisitId,
    WorkerId,
)
from evm.domain.people import Branch, CareWorker, Council, Customer, Gender, Locality, Provider, Shift
from evm.domain.place import Home, Position
from evm.domain.plan import PlannedVisit, Risk
from evm.store import people
from evm.store.people import DeviceRow

COUNCIL = CouncilId("manchester")
PROVIDER = ProviderId("kindly")
LOCALITY = LocalityId("m14")
NINE = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
"""A Monday in winter, when London time is UTC."""

_events = itertools.count(1)


def home(north_m: float = 0.0, *, radius_m: float = 150.0) -> Home:
    """A home `north_m` metres north of a corner of Manchester."""
    return Home(latitude=53.45 + north_m / 111_195, longitude=-2.22, radius_m=radius_m)


def fix(north_m: float = 0.0, *, accuracy_m: float = 10.0, mock: bool = False) -> Position:
    return Position(latitude=53.45 + north_m / 111_195, longitude=-2.22, accuracy_m=accuracy_m, mock=mock)


def customer(name: str = "c1", **changes: Any) -> Customer:
    values: dict[str, Any] = {
        "customer_id": CustomerId(name),
        "provider_id": PROVIDER,
        "locality_id": LOCALITY,
        "name": f"Customer {name}",
        "address": "1 Test Street",
        "postcode": "M14 5AA",
        "home": home(),
        "tags": (f"tag-{name}",),
    }
    return Customer(**(values | changes))


def worker(name: str = "w1", **changes: Any) -> CareWorker:
    values: dict[str, Any] = {
        "worker_id": WorkerId(name),
        "provider_id": PROVIDER,
        "locality_id": LOCALITY,
        "name": f"Worker {name}",
        "home": home(1000),
        "gender": Gender.FEMALE,
        "shifts": tuple(Shift(weekday=day, since=time(7), until=time(22)) for day in range(7)),
    }
    return CareWorker(**(values | changes))


def device(name: str = "p1", *, worker: str | None = "w1", **changes: Any) -> DeviceRow:
    values: dict[str, Any] = {
        "provider": PROVIDER,
        "device": DeviceId(name),
        "device_type": "popback_v1",
        "worker": None if worker is None else WorkerId(worker),
        "password_hash": "$7$101$none$none",
        "enrolled_at": NINE - timedelta(days=30),
    }
    return DeviceRow(**(values | changes))


def planned_visit(
    visit_id: str = "v1", *, customer: str = "c1", start: datetime = NINE, minutes: int = 30, **changes: Any
) -> PlannedVisit:
    values: dict[str, Any] = {
        "visit_id": VisitId(visit_id),
        "customer_id": CustomerId(customer),
        "provider_id": PROVIDER,
        "locality_id": LOCALITY,
        "start": start,
        "minutes": minutes,
        "rostered": (WorkerId("w1"),),
        "risk": Risk.STANDARD,
    }
    return PlannedVisit(**(values | changes))


def event_id() -> EventId:
    """A new event id, the next of a fixed series."""
    return EventId(str(uuid.UUID(int=next(_events))))


def evidence(
    kind: EventKind = EventKind.CHECK_IN,
    *,
    at: datetime = NINE,
    worker: str | None = "w1",
    customer: str | None = "c1",
    **changes: Any,
) -> Evidence:
    name = event_id()
    values: dict[str, Any] = {
        "event_id": name,
        "sha256": hashlib.sha256(name.encode()).hexdigest(),
        "source": Source.DEVICE,
        "provider": PROVIDER,
        "device": DeviceId("p1"),
        "kind": kind,
        "at": at,
        "received_at": at + timedelta(seconds=2),
        "method": Method.NFC,
        "grade_time": Grade.A,
        "grade_place": Grade.A,
        "worker": None if worker is None else WorkerId(worker),
        "customer": None if customer is None else CustomerId(customer),
    }
    return Evidence(**(values | changes))


def claim(kind: EventKind = EventKind.CHECK_IN, *, at: datetime = NINE, **changes: Any) -> Claim:
    """What phone p1 of worker w1 says at the home of c1, by tag."""
    name = event_id()
    values: dict[str, Any] = {
        "event_id": name,
        "sha256": hashlib.sha256(name.encode()).hexdigest(),
        "device_type": "popback_v1",
        "provider": PROVIDER,
        "device": DeviceId("p1"),
        "kind": kind,
        "captured_at": at,
        "method": Method.NFC,
        "worker": WorkerId("w1"),
        "tag": "tag-c1",
    }
    return Claim(**(values | changes))


def seed(
    session: Session,
    *,
    customers: Sequence[Customer] | None = None,
    workers: Sequence[CareWorker] | None = None,
    devices: Sequence[DeviceRow] | None = None,
) -> None:
    """One council, one provider with one branch, one locality and these people (one customer, worker and phone by default)."""
    people.add_councils(session, councils=[Council(council_id=COUNCIL, name="Manchester")])
    people.add_providers(session, providers=[Provider(provider_id=PROVIDER, name="Kindly Care")])
    branch = Branch(branch_id=BranchId("office"), provider_id=PROVIDER, name="Office", phone="+441614960000")
    people.add_branches(session, branches=[branch])
    place = Locality(locality_id=LOCALITY, council_id=COUNCIL, name="Fallowfield", outward_codes=("M14",))
    people.add_localities(session, localities=[place])
    people.add_customers(session, customers=[customer()] if customers is None else customers)
    people.add_workers(session, workers=[worker()] if workers is None else workers)
    people.add_devices(session, devices=[device()] if devices is None else devices)
