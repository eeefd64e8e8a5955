"""Planned visits follow the task plans that were taken in, customer by customer, and providers' plans are unrolled day by day. Not the
unrolling itself (evm.services.plan) and not when it is done (api.jobs).

A row asks for it, so that a crash between taking a file in and following it loses nothing. Only providers whose plans came in by a file are
unrolled here."""

from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from evm.domain.period import care_day
from evm.domain.policy import Policy
from evm.services import plan
from evm.services.bank_holidays import bank_holidays
from evm.store import imports

DAYS_AHEAD: Final = 35
"""Visits are planned five weeks ahead: a roster's four and one in which to change a plan."""
CUSTOMERS_AT_ONCE: Final = 50


def follow(session: Session, *, now: datetime, policy: Policy, customers_max: int = CUSTOMERS_AT_ONCE) -> int:
    """Bring the planned visits of up to `customers_max` customers to their newest task plans; how many customers that were. Call it
    again, in a transaction of its own, until it answers 0."""
    today = care_day(now, zone=policy.zone)
    until = today + timedelta(days=DAYS_AHEAD)
    waiting = imports.take_plans(session, limit=customers_max)
    spans = {customer_id: (max(since, today), max(since, until)) for customer_id, since in sorted(waiting.items())}
    near = timedelta(days=plan.MOVED_DAYS_MAX + 1)
    holidays = bank_holidays(
        since_day=min((first for first, _ in spans.values()), default=today) - near,
        until_day=max((last for _, last in spans.values()), default=today) + near,
    )
    for customer_id, (first, last) in spans.items():
        plan.replan(
            session,
            customer_id=customer_id,
            since_day=first,
            until_day=last,
            now=now,
            policy=policy,
            bank_holidays=holidays,
        )
    return len(waiting)


def unroll(session: Session, *, now: datetime, policy: Policy) -> int:
    """Unroll one provider's task plans to five weeks ahead, if they are not yet; how many planned visits are new."""
    until = care_day(now, zone=policy.zone) + timedelta(days=DAYS_AHEAD)
    found = imports.take_horizon(session, before=until)
    if found is None:
        return 0
    provider_id, since = found
    made = plan.materialise(
        session, provider_id=provider_id, since_day=_from(since, now, policy), until_day=until, policy=policy
    )
    imports.set_horizon(session, provider_id=provider_id, until_day=until)
    return made


def _from(since: date, now: datetime, policy: Policy) -> date:
    """Days that have gone by while nothing ran are not planned after the fact."""
    return max(since, care_day(now, zone=policy.zone))
