"""From task plans to planned visits in the store, and a person's changes to them. Not the pure unrolling (evm.domain.occurrences)
and not who goes (evm.services.roster).

An occurrence's `revision` rises with every change of its time, length or workers; deadlines are keyed by it, so an alert raised
for an older revision stays as it was (bad-input 79)."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Final

from sqlalchemy.orm import Session

from evm.domain.ids import CustomerId, ProviderId, VisitId
from evm.domain.occurrences import occurrences
from evm.domain.people import Customer
from evm.domain.period import care_day
from evm.domain.plan import Cancellation, CancelledBy, PlannedVisit, TaskPlan
from evm.domain.plan_check import PlanCheck, check_patterns, check_plan
from evm.domain.policy import Policy
from evm.domain.transfer import Passed, Spell, provider_planned_for
from evm.services.bank_holidays import bank_holidays as bank_holidays_of
from evm.services.roster_deadlines import follow_plan, replace_deadlines
from evm.store import deadlines, people, plans, transfers

MOVED_DAYS_MAX: Final = 31
"""A person moves one visit by no more than this; further away it is another visit."""


class PlanRefused(ValueError):  # noqa: N818 -- named for what is wrong
    """A change to a plan that cannot be made: the field and the sentence a person reads."""

    def __init__(self, *, field: str, words: str) -> None:
        super().__init__(words)
        self.field = field
        self.words = words


@dataclass(frozen=True, slots=True, kw_only=True)
class Replanned:
    """What a new version of a task plan changed in the visits planned already, by id."""

    new: tuple[VisitId, ...]
    revised: tuple[VisitId, ...]
    withdrawn: tuple[VisitId, ...]


def agree(session: Session, *, task_plan: TaskPlan, rate_pence_per_minute: Fraction) -> PlanCheck:
    """Store the next version of a customer's task plan beside its check against the support plan in force. The visits planned already
    follow it once `replan` is called.

    A plan over budget is stored all the same, and the check says by how much: the person may top up. Raises PlanRefused when the
    version is not the next one, or no support plan is in force yet; PlanInvalid when no week could follow it."""
    check_patterns(task_plan=task_plan)
    known = plans.task_plans(session, customer_ids=[task_plan.customer_id])
    if task_plan.version != len(known) + 1:
        raise PlanRefused(field="version", words=f"The next version of this task plan is {len(known) + 1}.")
    if known and task_plan.effective_from < known[-1].effective_from:
        words = f"Version {known[-1].version} is in force from {known[-1].effective_from}: a later version begins no earlier."
        raise PlanRefused(field="effective_from", words=words)
    support_plan = plans.support_plan(session, customer_id=task_plan.customer_id, on=task_plan.effective_from)
    if support_plan is None:
        raise PlanRefused(field="effective_from", words="The council has signed off no support plan for that day.")
    plans.add_task_plans(session, plans=[task_plan])
    return check_plan(task_plan=task_plan, support_plan=support_plan, rate_pence_per_minute=rate_pence_per_minute)


def materialise(
    session: Session,
    *,
    customer_ids: Collection[CustomerId] | None = None,
    provider_id: ProviderId | None = None,
    since_day: date,
    until_day: date,
    policy: Policy,
    bank_holidays: Collection[date] | None = None,
) -> int:
    """Store the planned visits that the task plans give on the local days `[since_day, until_day)`; how many are new.

    Idempotent: what is stored is left as it is, moved by a person or made from an older version of the plan (see `replan`). Absences
    remove nothing: visits of a customer who is away are suspended where they are used. `bank_holidays` None: those of England."""
    customers = _staying(session, people.customers(session, provider_id=provider_id, customer_ids=customer_ids))
    wanted = _wanted(
        session,
        customers=customers,
        since_day=since_day,
        until_day=until_day,
        policy=policy,
        bank_holidays=bank_holidays,
    )
    known = plans.known_visit_ids(session, visit_ids=wanted)
    new = [visit for visit_id, visit in wanted.items() if visit_id not in known]
    plans.add_planned_visits(session, visits=new, zone=policy.zone)
    return len(new)


def replan(
    session: Session,
    *,
    customer_id: CustomerId,
    since_day: date,
    until_day: date,
    now: datetime,
    policy: Policy,
    bank_holidays: Collection[date] | None = None,
) -> Replanned:
    """Bring the customer's visits of the local days `[since_day, until_day)` to the version of the task plan in force on each.

    New ones are stored, those made from an older version are revised (deadlines too, if they had any), and those that the plan does not
    have any more are cancelled. Visits made from the version in force are left as they are: a person's change of one day stands; so do
    pop-backs, cancelled visits, and whatever has begun by `now`."""
    customers = _staying(session, people.customers(session, customer_ids=[customer_id]))
    wanted = _wanted(
        session,
        customers=customers,
        since_day=since_day - timedelta(days=MOVED_DAYS_MAX),
        until_day=until_day + timedelta(days=MOVED_DAYS_MAX),
        policy=policy,
        bank_holidays=bank_holidays,
    )
    stored = plans.planned_visits(session, customer_id=customer_id, since_day=since_day, until_day=until_day)
    outdated = [visit for visit in stored if _is_outdated(visit, wanted=wanted, now=now)]
    revised = [_revised(visit, wanted=wanted[visit.visit_id]) for visit in outdated if visit.visit_id in wanted]
    withdrawn = [visit for visit in outdated if visit.visit_id not in wanted]
    plans.revise(session, visits=revised, zone=policy.zone)
    for visit in revised:
        replace_deadlines(session, visit=visit, now=now, policy=policy)
    for visit in withdrawn:
        plans.cancel(session, visit_id=visit.visit_id, cancellation=_withdrawal(now))
        deadlines.void(session, visit_id=visit.visit_id, now=now)
    if outdated:
        follow_plan(session, customer_id=customer_id, around=[v.start for v in outdated], now=now, policy=policy)
    known = plans.known_visit_ids(session, visit_ids=wanted)
    days = {visit_id: care_day(visit.start, zone=policy.zone) for visit_id, visit in wanted.items()}
    new = [v for name, v in wanted.items() if name not in known and since_day <= days[name] < until_day]
    plans.add_planned_visits(session, visits=new, zone=policy.zone)
    return Replanned(
        new=tuple(visit.visit_id for visit in new),
        revised=tuple(visit.visit_id for visit in revised),
        withdrawn=tuple(visit.visit_id for visit in withdrawn),
    )


def _staying(session: Session, customers: Sequence[Customer]) -> Sequence[Customer]:
    """These customers as they are once no transfer takes them away meanwhile: a visit stored now would stay with the old provider."""
    ids = [one.customer_id for one in customers]
    transfers.let_nobody_pass(session, customer_ids=ids)
    return people.customers(session, customer_ids=ids) if ids else ()


def _by_customer(task_plans: Sequence[TaskPlan]) -> dict[CustomerId, list[TaskPlan]]:
    found: defaultdict[CustomerId, list[TaskPlan]] = defaultdict(list)
    for plan in task_plans:
        found[plan.customer_id].append(plan)
    return dict(found)


def _wanted(
    session: Session,
    *,
    customers: Sequence[Customer],
    since_day: date,
    until_day: date,
    policy: Policy,
    bank_holidays: Collection[date] | None,
) -> dict[VisitId, PlannedVisit]:
    """Every occurrence of the customers' task plans on those days, by id."""
    if bank_holidays is None:
        bank_holidays = bank_holidays_of(since_day=since_day, until_day=until_day)
    task_plans = _by_customer(plans.task_plans(session, customer_ids=[one.customer_id for one in customers]))
    passed = transfers.spells_of(session, kind=Passed.CUSTOMER, ids=[one.customer_id for one in customers])
    found: dict[VisitId, PlannedVisit] = {}
    for customer in customers:
        unrolled = occurrences(
            customer_id=customer.customer_id,
            provider_id=customer.provider_id,
            locality_id=customer.locality_id,
            task_plans=task_plans.get(customer.customer_id, ()),
            since_day=since_day,
            until_day=until_day,
            zone=policy.zone,
            bank_holidays=bank_holidays,
        )
        spells = passed.get(customer.customer_id, ())
        found |= {visit.visit_id: _of_its_provider(visit, spells, policy) for visit in unrolled.visits}
    return found


def _of_its_provider(visit: PlannedVisit, spells: Sequence[Spell], policy: Policy) -> PlannedVisit:
    """The visit as that provider's whose customer it is about was, or is to be, on its day."""
    if not spells:
        return visit
    day = care_day(visit.start, zone=policy.zone)
    return replace(visit, provider_id=provider_planned_for(spells, day=day, now=visit.provider_id))


def _is_outdated(visit: PlannedVisit, *, wanted: Mapping[VisitId, PlannedVisit], now: datetime) -> bool:
    """Whether the visit follows an older version than that in force on its day, and may still be changed."""
    if visit.popback or visit.cancelled is not None or visit.start <= now:
        return False
    following = wanted.get(visit.visit_id)
    return following is None or visit.task_plan_version < following.task_plan_version


def _revised(stored: PlannedVisit, *, wanted: PlannedVisit) -> PlannedVisit:
    return replace(wanted, rostered=stored.rostered, revision=stored.revision + 1)


def _withdrawal(now: datetime) -> Cancellation:
    return Cancellation(at=now, by=CancelledBy.CUSTOMER, reason="The task plan agreed since does not have this visit.")
