"""A small locality to plan and roster in: one council, one provider, a few customers and workers. Not the simulation's city."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy.orm import Session

from evm.domain.ids import CouncilId, CustomerId, LocalityId, ProviderId, VisitId, WorkerId
from evm.domain.people import CareWorker, Council, Customer, Gender, Locality, Provider, Shift
from evm.domain.place import Home
from evm.domain.plan import Outcome, PlannedVisit, SupportPlan, Task, TaskPlan, VisitPattern
from evm.store import people

COUNCIL = CouncilId("manchester")
PROVIDER = ProviderId("northcare")
LOCALITY = LocalityId("m14")
MONDAY = date(2026, 11, 23)
EVERY_DAY = frozenset(range(7))
BREAKFAST = Task(code="breakfast", words="Help with breakfast", outcome=Outcome.HEALTH)


def instant(hour: int, minute: int = 0, *, day: date = MONDAY) -> datetime:
    """An instant on a winter's day, on which UTC and local time are the same."""
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)


def home(number: int) -> Home:
    """Homes 300 m or so apart, on a line through south Manchester."""
    return Home(latitude=53.45 + number * 0.0027, longitude=-2.22)


def a_customer(number: int, **changed: Any) -> Customer:
    values: dict[str, Any] = {
        "customer_id": CustomerId(f"c{number}"),
        "provider_id": PROVIDER,
        "locality_id": LOCALITY,
        "name": f"Customer {number}",
        "address": f"{number} Example Road",
        "postcode": "M14 5AA",
        "home": home(number),
        "phone": "+441614960001",
    }
    return Customer(**(values | changed))


def a_worker(number: int, **changed: Any) -> CareWorker:
    values: dict[str, Any] = {
        "worker_id": WorkerId(f"w{number}"),
        "provider_id": PROVIDER,
        "locality_id": LOCALITY,
        "name": f"Worker {number}",
        "home": home(-number),
        "gender": Gender.FEMALE,
        "shifts": tuple(Shift(weekday=day, since=time(7), until=time(15)) for day in range(7)),
    }
    return CareWorker(**(values | changed))


def a_visit(visit_id: str, *, customer: str = "c1", at: datetime = instant(9), **changed: Any) -> PlannedVisit:
    values: dict[str, Any] = {
        "visit_id": VisitId(visit_id),
        "customer_id": CustomerId(customer),
        "provider_id": PROVIDER,
        "locality_id": LOCALITY,
        "start": at,
        "minutes": 30,
    }
    return PlannedVisit(**(values | changed))


def a_pattern(slot_name: str = "breakfast", **changed: Any) -> VisitPattern:
    values: dict[str, Any] = {
        "slot_name": slot_name,
        "weekdays": EVERY_DAY,
        "start": time(8),
        "minutes": 30,
        "tasks": (BREAKFAST,),
    }
    return VisitPattern(**(values | changed))


def a_task_plan(
    customer: str = "c1", *, version: int = 1, patterns: Sequence[VisitPattern] = (), **changed: Any
) -> TaskPlan:
    values: dict[str, Any] = {
        "customer_id": CustomerId(customer),
        "version": version,
        "effective_from": MONDAY - timedelta(days=60),
        "patterns": tuple(patterns) or (a_pattern(),),
    }
    return TaskPlan(**(values | changed))


def a_support_plan(customer: str = "c1", **changed: Any) -> SupportPlan:
    values: dict[str, Any] = {
        "customer_id": CustomerId(customer),
        "outcomes": frozenset({Outcome.HEALTH}),
        "budget_week_pence": 10_000,
        "commissioned_minutes_week": 210,
        "effective_from": MONDAY - timedelta(days=60),
    }
    return SupportPlan(**(values | changed))


def settle(
    session: Session, *, customers: Sequence[Customer] = (), workers: Sequence[CareWorker] = (), count: int = 3
) -> None:
    """Put the locality and its people into the store: `count` plain customers and workers unless others are given."""
    people.add_councils(session, councils=[Council(council_id=COUNCIL, name="Manchester")])
    people.add_providers(session, providers=[Provider(provider_id=PROVIDER, name="North Care")])
    people.add_localities(
        session,
        localities=[Locality(locality_id=LOCALITY, council_id=COUNCIL, name="Rusholme", outward_codes=("M14",))],
    )
    people.add_customers(session, customers=customers or [a_customer(number) for number in range(1, count + 1)])
    people.add_workers(session, workers=workers or [a_worker(number) for number in range(1, count + 1)])
