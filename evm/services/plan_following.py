"""Planned visits follow the task plans that were taken in, and those plans are unrolled day by day: a few customers a transaction, so that
check-ins are stored meanwhile. Not the unrolling itself (evm.services.plan) and not when it is done (api.jobs).

A row asks for it, so that a crash between taking a file in and following it loses nothing. Only customers whose plan came in by a file are
unrolled here."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from evm.domain.period import care_day
from evm.domain.policy import Policy
from evm.services import plan
from evm.services.bank_holidays import bank_holidays
from evm.store import imports

DAYS_AHEAD: Final = 35
"""Visits are planned five weeks ahead: a roster's four and one in which to change a plan."""
CUSTOMERS_AT_ONCE: Final = 25


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


def unroll(session: Session, *, now: datetime, policy: Policy, customers_max: int = CUSTOMERS_AT_ONCE) -> int:
    """Unroll up to `customers_max` customers' task plans to five weeks ahead, where they are not yet; how many customers that were."""
    today = care_day(now, zone=policy.zone)
    until = today + timedelta(days=DAYS_AHEAD)
    behind = imports.take_horizons(session, before=until, limit=customers_max)
    for since in sorted(set(behind.values())):
        plan.materialise(
            session,
            customer_ids=[customer_id for customer_id, day in behind.items() if day == since],
            since_day=max(since, today),  # days that went by while nothing ran are not planned after the fact
            until_day=until,
            policy=policy,
        )
    imports.set_horizons(session, customer_ids=behind, until_day=until)
    return len(behind)
