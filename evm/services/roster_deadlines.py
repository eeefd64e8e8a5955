"""Deadlines for planned visits, written in the transaction that publishes or changes them. Not when they fall due
(evm.domain.alerts.deadline) and not their judging (evm.services.watch)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from evm.domain.alerts.deadline import Stage, deadlines_of, due, next_starts
from evm.domain.ids import CustomerId, VisitId
from evm.domain.occurrences import is_away
from evm.domain.period import care_day
from evm.domain.plan import PlannedVisit
from evm.domain.policy import Policy
from evm.store import deadlines, plans


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """The visits that will happen, and the same customer's next planned start after each: a missed visit falls due before it."""

    visits: Mapping[VisitId, PlannedVisit]
    following: Mapping[VisitId, datetime]


def publish_deadlines(
    session: Session, *, visits: Sequence[PlannedVisit], policy: Policy, now: datetime | None = None
) -> int:
    """Write the deadlines of these planned visits, at their revision; how many. Those that stand already are kept, and follow the plan.

    Cancelled visits and visits of customers who are away have none. The customers' other stored visits are read, because a missed
    visit falls due before the same customer's next one: theirs are moved, too, but never to before `now`."""
    if not visits:
        return 0
    standing = _standing(session, visits, [visit.start for visit in visits], policy)
    found = [
        deadline
        for visit in visits
        if visit.visit_id in standing.visits
        for deadline in deadlines_of(visit, next_start=standing.following.get(visit.visit_id))
    ]
    _follow(session, standing, now)
    deadlines.add_deadlines(session, deadlines=found)
    return len(found)


def replace_deadlines(session: Session, *, visit: PlannedVisit, now: datetime, policy: Policy) -> None:
    """Give a changed visit the deadlines of its new revision and void the open ones of older revisions, if it had any: a visit that
    was never published gets none. The customer's visits before and after it follow."""
    had = deadlines.deadlines_of(session, visit_ids=[visit.visit_id])
    deadlines.void(session, visit_id=visit.visit_id, now=now, before_revision=visit.revision)
    if had:
        publish_deadlines(session, visits=[visit], policy=policy, now=now)


def follow_plan(
    session: Session, *, customer_id: CustomerId, around: Collection[datetime], now: datetime, policy: Policy
) -> int:
    """Move the open deadlines of the customer's visits about these instants to where the stored plan puts them, after a visit there
    was cancelled, moved or added; how many moved. What is judged stays judged, and none is put to before `now`."""
    since_day, until_day = _days(around, policy)
    near = plans.planned_visits(session, customer_id=customer_id, since_day=since_day, until_day=until_day)
    return _follow(session, _standing(session, near, around, policy), now)


def _follow(session: Session, standing: _Standing, now: datetime | None) -> int:
    moved: dict[int, datetime] = {}
    for row in deadlines.open_deadlines_of(session, visit_ids=standing.visits):
        visit = standing.visits[row.visit_id]
        if row.revision != visit.revision or row.stage == Stage.CHECK_OUT:
            continue
        due_at = due(visit, stage=Stage(row.stage), next_start=standing.following.get(row.visit_id))
        if now is not None and due_at < now:
            due_at = min(row.due_at, now)
        if due_at != row.due_at:
            moved[row.deadline_id] = due_at
    deadlines.postpone(session, due_at=moved)
    return len(moved)


def _standing(
    session: Session, visits: Sequence[PlannedVisit], around: Collection[datetime], policy: Policy
) -> _Standing:
    """These visits, as given, and whatever else is stored for their customers about those instants."""
    if not visits:
        return _Standing(visits={}, following={})
    customers = {visit.customer_id for visit in visits}
    since_day, until_day = _days(around, policy)
    stored = plans.planned_visits(session, customer_ids=customers, since_day=since_day, until_day=until_day)
    known = {visit.visit_id: visit for visit in stored} | {visit.visit_id: visit for visit in visits}
    starts = [visit.start for visit in known.values()]
    spells = plans.absences(
        session, customer_ids=customers, since=min(starts), until=max(starts) + timedelta(seconds=1)
    )
    live = {
        visit_id: visit
        for visit_id, visit in known.items()
        if visit.cancelled is None and not is_away(visit, absences=spells)
    }
    return _Standing(visits=live, following=next_starts(list(live.values())))


def _days(around: Collection[datetime], policy: Policy) -> tuple[date, date]:
    """The local days on which a visit at one of these instants can have neighbours: `[since, until)`."""
    days = [care_day(instant, zone=policy.zone) for instant in around]
    return min(days) - timedelta(days=1), max(days) + timedelta(days=2)
