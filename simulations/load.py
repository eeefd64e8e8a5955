"""Puts a simulated locality into an empty database through the product's own services: people, plans, planned visits and who was rostered.
Not what happened (history) and not the devices' passwords (fleet)."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Final

from sqlalchemy.orm import Session

from evm.domain.ids import BranchId, CouncilId, CustomerId, LocalityId, ProviderId, VisitId, WorkerId
from evm.domain.people import Branch, CareWorker, Council, Customer, Gender, Locality, Provider, Shift, TravelMode
from evm.domain.place import Home
from evm.domain.plan import (
    Cancellation,
    CancelledBy,
    Outcome,
    Risk,
    SupportPlan,
    Task,
    TaskPlan,
    VisitPattern,
)
from evm.domain.policy import Policy
from evm.services import plan as plan_service
from evm.store import people, plans
from simulations.days import played_days
from simulations.geography import Point, outward_codes
from simulations.people import PROVIDER, SKILLS, SimCustomer, SimWorker
from simulations.truth import Truth
from simulations.world import WeeklyCall, World, random_for

COUNCIL: Final = CouncilId("city")
PROVIDER_ID: Final = ProviderId(PROVIDER)
BRANCH: Final = BranchId("harbour-north")
_SHIFT: Final = (time(7, 0), time(21, 30))
_TASKS: Final = {
    "personal-care": Task(code="personal-care", words="Help to wash and dress", outcome=Outcome.DIGNITY),
    "breakfast": Task(code="breakfast", words="Breakfast and a hot drink", outcome=Outcome.HEALTH),
    "meal": Task(code="meal", words="A meal and a drink", outcome=Outcome.HEALTH),
    "social": Task(code="social", words="Company and an outing", outcome=Outcome.CONTRIBUTION),
    "medication": Task(
        code="medication", words="Prompt and record medicine", outcome=Outcome.HEALTH, time_critical=True
    ),
}
_BUDGET_PENCE_PER_MINUTE: Final = 42


def locality_id(world: World, name: str | None = None) -> LocalityId:
    """The id of a locality of the simulated city; the played one unless named."""
    return LocalityId(f"{world.scenario.name}-{name or world.scenario.locality}")


def seed_people(session: Session, *, world: World) -> None:
    """The council with all its localities, the provider, its branch, customers and workers of the played locality."""
    people.add_councils(session, councils=[Council(council_id=COUNCIL, name="City Council (simulated)")])
    people.add_providers(session, providers=[Provider(provider_id=PROVIDER_ID, name="Harbour Home Care (simulated)")])
    people.add_branches(
        session,
        branches=[Branch(branch_id=BRANCH, provider_id=PROVIDER_ID, name="Harbour North", phone="+441614960999")],
    )
    people.add_localities(session, localities=list(_localities(world)))
    people.add_customers(session, customers=[_customer(world, one) for one in world.customers])
    people.add_workers(session, workers=[_worker(world, one) for one in world.workers])


def seed_plans(session: Session, *, truth: Truth, policy: Policy) -> int:
    """Support plans, task plans, the planned visits of the 28 days and of the day that will be rostered, with who was rostered and what
    was cancelled. Returns how many planned visits there are."""
    world = truth.world
    days = played_days(world)
    weekly = _weekly_calls(world)
    plans.add_support_plans(session, plans=[_support_plan(world, who, calls, days[0]) for who, calls in weekly.items()])
    plans.add_task_plans(session, plans=[_task_plan(who, calls, days[0]) for who, calls in weekly.items()])
    roster_day = world.scenario.played_day + timedelta(days=world.scenario.roster_ahead_days)
    made = 0
    for since, until in ((days[0], days[-1] + timedelta(days=1)), (roster_day, roster_day + timedelta(days=1))):
        made += plan_service.materialise(
            session, provider_id=PROVIDER_ID, since_day=since, until_day=until, policy=policy
        )
    calls = truth.happenings.calls
    plans.set_rostered(
        session, rostered={VisitId(call.visit_id): tuple(WorkerId(w) for w in call.workers) for call in calls}
    )
    for call in calls:
        if call.cancelled_at is not None:
            plans.cancel(session, visit_id=VisitId(call.visit_id), cancellation=_cancellation(call.cancelled_at))
    return made


def _cancellation(at: datetime) -> Cancellation:
    return Cancellation(at=at, by=CancelledBy.CUSTOMER, reason="family visiting")


def _localities(world: World) -> Iterable[Locality]:
    codes = outward_codes(world.scenario.geography)
    for name in sorted({code.locality for code in codes}):
        yield Locality(
            locality_id=locality_id(world, name),
            council_id=COUNCIL,
            name=name.replace("-", " ").title(),
            outward_codes=tuple(code.code for code in codes if code.locality == name),
        )


def _home(point: Point) -> Home:
    return Home(latitude=point.latitude, longitude=point.longitude)


def _customer(world: World, one: SimCustomer) -> Customer:
    return Customer(
        customer_id=CustomerId(one.customer_id),
        provider_id=PROVIDER_ID,
        locality_id=locality_id(world),
        name=one.name,
        address=one.address,
        postcode=one.postcode,
        home=_home(one.home),
        phone=one.line,
        next_of_kin_name=one.next_of_kin_name,
        next_of_kin_phone=one.next_of_kin_phone,
        landlines=(one.line,),
        landline_code=one.line_code,
        tags=(one.tag,),
        gender_required=None if one.gender is None else Gender(one.gender),
        language_required=one.language,
        workers_preferred=(WorkerId(world.workers[one.round_index].worker_id),),
    )


def _worker(world: World, one: SimWorker) -> CareWorker:
    return CareWorker(
        worker_id=WorkerId(one.worker_id),
        provider_id=PROVIDER_ID,
        locality_id=locality_id(world),
        name=one.name,
        home=_home(one.home),
        gender=Gender(one.gender),
        phone=one.phone,
        mode=TravelMode(one.mode),
        languages=one.languages,
        skills=SKILLS,
        shifts=tuple(Shift(weekday=day, since=_SHIFT[0], until=_SHIFT[1]) for day in sorted(one.weekdays)),
        dialled_number=one.dialled_number,
        pin=one.pin,
    )


def _weekly_calls(world: World) -> Mapping[str, list[WeeklyCall]]:
    found: dict[str, list[WeeklyCall]] = {}
    for call in world.calls:
        found.setdefault(call.customer_id, []).append(call)
    return found


def _support_plan(world: World, customer_id: str, calls: Sequence[WeeklyCall], since: date) -> SupportPlan:
    minutes = sum(call.minutes * len(call.weekdays) * len(call.rounds) for call in calls)
    commissioned = round(minutes * random_for(world.seed, f"support plan of {customer_id}").uniform(1.0, 1.1))
    return SupportPlan(
        customer_id=CustomerId(customer_id),
        outcomes=frozenset(_TASKS[code].outcome for call in calls for code in call.tasks),
        budget_week_pence=commissioned * _BUDGET_PENCE_PER_MINUTE,
        commissioned_minutes_week=commissioned,
        effective_from=since,
    )


def _task_plan(customer_id: str, calls: Sequence[WeeklyCall], since: date) -> TaskPlan:
    return TaskPlan(
        customer_id=CustomerId(customer_id),
        version=1,
        effective_from=since,
        patterns=tuple(_pattern(call) for call in calls),
    )


def _pattern(call: WeeklyCall) -> VisitPattern:
    return VisitPattern(
        slot_name=call.slot_name,
        weekdays=call.weekdays,
        start=time(call.start_minute // 60, call.start_minute % 60),
        minutes=call.minutes,
        workers_needed=len(call.rounds),
        risk=Risk(call.risk),
        tasks=tuple(_TASKS[code] for code in call.tasks),
        skills_required=call.skills,
    )
