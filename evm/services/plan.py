"""From task plans to planned visits in the store, and a person's changes to them. Not the pure unrolling (evm.domain.occurrences)
and not who goes (evm.services.roster).

An occurrence's `revision` rises with every change of its time, length or workers; deadlines are keyed by it, so an alert raised
for an older revision stays as it was (bad-input 79)."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date
from fractions import Fraction

from sqlalchemy.orm import Session

from evm.domain.ids import CustomerId, ProviderId, VisitId
from evm.domain.occurrences import occurrences
from evm.domain.people import Customer
from evm.domain.plan import PlannedVisit, TaskPlan
from evm.domain.plan_check import PlanCheck, check_patterns, check_plan
from evm.domain.policy import Policy
from evm.services.bank_holidays import bank_holidays as bank_holidays_of
from evm.store import people, plans


class PlanRefused(ValueError):  # noqa: N818 -- named for what is wrong
    """A change to a plan that cannot be made: the field and the sentence a person reads."""

    def __init__(self, *, field: str, words: str) -> None:
        super().__init__(words)
        self.field = field
        self.words = words


def agree(session: Session, *, task_plan: TaskPlan, rate_pence_per_minute: Fraction) -> PlanCheck:
    """Store the next version of a customer's task plan beside its check against the support plan in force.

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
    """Store the planned visits that the task plans give on the local days `[since_day, until_day)`; how many are new or revised.

    Idempotent. A visit made from an older version of the plan is revised; one made from this version is left as it is, so that a
    person's change of the day stands. Absences remove nothing: visits of a customer who is away are suspended where they are used.
    `bank_holidays` None: those of England."""
    customers = people.customers(session, provider_id=provider_id, customer_ids=customer_ids)
    if bank_holidays is None:
        bank_holidays = bank_holidays_of(since_day=since_day, until_day=until_day)
    task_plans = _by_customer(plans.task_plans(session, customer_ids=[one.customer_id for one in customers]))
    wanted = _wanted(
        customers,
        task_plans=task_plans,
        since_day=since_day,
        until_day=until_day,
        policy=policy,
        bank_holidays=bank_holidays,
    )
    stored = plans.planned_visits(
        session, customer_ids=list(task_plans), provider_id=provider_id, since_day=since_day, until_day=until_day
    )
    moved = plans.planned_visits_of(session, visit_ids=set(wanted) - {visit.visit_id for visit in stored})
    known = {visit.visit_id: visit for visit in (*stored, *moved)}
    new = [visit for visit_id, visit in wanted.items() if visit_id not in known]
    revised = [
        _revised(known[visit_id], wanted=visit) for visit_id, visit in wanted.items() if _is_outdated(known, visit)
    ]
    plans.add_planned_visits(session, visits=new, zone=policy.zone)
    plans.revise(session, visits=revised, zone=policy.zone)
    return len(new) + len(revised)


def _by_customer(task_plans: Sequence[TaskPlan]) -> dict[CustomerId, list[TaskPlan]]:
    found: defaultdict[CustomerId, list[TaskPlan]] = defaultdict(list)
    for plan in task_plans:
        found[plan.customer_id].append(plan)
    return dict(found)


def _wanted(
    customers: Sequence[Customer],
    *,
    task_plans: Mapping[CustomerId, Sequence[TaskPlan]],
    since_day: date,
    until_day: date,
    policy: Policy,
    bank_holidays: Collection[date],
) -> dict[VisitId, PlannedVisit]:
    found: dict[VisitId, PlannedVisit] = {}
    for customer in customers:
        if customer.customer_id not in task_plans:
            continue
        unrolled = occurrences(
            customer_id=customer.customer_id,
            provider_id=customer.provider_id,
            locality_id=customer.locality_id,
            task_plans=task_plans[customer.customer_id],
            since_day=since_day,
            until_day=until_day,
            zone=policy.zone,
            bank_holidays=bank_holidays,
        )
        found |= {visit.visit_id: visit for visit in unrolled.visits}
    return found


def _is_outdated(known: Mapping[VisitId, PlannedVisit], wanted: PlannedVisit) -> bool:
    stored = known.get(wanted.visit_id)
    return stored is not None and stored.cancelled is None and stored.task_plan_version < wanted.task_plan_version


def _revised(stored: PlannedVisit, *, wanted: PlannedVisit) -> PlannedVisit:
    return replace(wanted, rostered=stored.rostered, revision=stored.revision + 1)
