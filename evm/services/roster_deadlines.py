"""Deadlines for planned visits, written in the transaction that publishes or changes them. Not when they fall due
(evm.domain.alerts.deadline) and not their judging (evm.services.watch)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from evm.domain.alerts.deadline import deadlines_of, next_starts
from evm.domain.occurrences import is_away
from evm.domain.period import care_day
from evm.domain.plan import PlannedVisit
from evm.domain.policy import Policy
from evm.store import deadlines, plans


def publish_deadlines(session: Session, *, visits: Sequence[PlannedVisit], policy: Policy) -> int:
    """Write the deadlines of these planned visits, at their revision; how many. Those that stand already are left as they are.

    Cancelled visits and visits of customers who are away have none. The customers' other stored visits are read, because a missed
    visit falls due before the same customer's next one."""
    if not visits:
        return 0
    standing = {visit.visit_id: visit for visit in _around(session, visits=visits, policy=policy)}
    standing |= {visit.visit_id: visit for visit in visits}
    following = next_starts(list(standing.values()))
    spells = plans.absences(
        session,
        customer_ids={visit.customer_id for visit in visits},
        since=min(visit.start for visit in visits),
        until=max(visit.start for visit in visits) + timedelta(seconds=1),
    )
    found = [
        deadline
        for visit in visits
        if not is_away(visit, absences=spells)
        for deadline in deadlines_of(visit, next_start=following.get(visit.visit_id))
    ]
    deadlines.add_deadlines(session, deadlines=found)
    return len(found)


def replace_deadlines(session: Session, *, visit: PlannedVisit, now: datetime, policy: Policy) -> None:
    """Give a changed visit the deadlines of its new revision and void the open ones of older revisions, if it had any: a visit that
    was never published gets none."""
    had = deadlines.deadlines_of(session, visit_ids=[visit.visit_id])
    deadlines.void(session, visit_id=visit.visit_id, now=now, before_revision=visit.revision)
    if had:
        publish_deadlines(session, visits=[visit], policy=policy)


def _around(session: Session, *, visits: Sequence[PlannedVisit], policy: Policy) -> tuple[PlannedVisit, ...]:
    days = [care_day(visit.start, zone=policy.zone) for visit in visits]
    return plans.planned_visits(
        session,
        customer_ids={visit.customer_id for visit in visits},
        since_day=min(days),
        until_day=max(days) + timedelta(days=2),
    )
