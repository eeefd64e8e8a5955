"""A person's changes to planned visits: cancel, move, lengthen, and customers going away and coming back. Not the unrolling of plans
(evm.services.plan) and not rosters.

Each change keeps deadlines true: open ones of what will not happen are void, a changed visit gets those of its new revision if it had
any, its neighbours' follow (a missed visit falls due before the customer's next one), and an alert that stands is left for a person.
The days it touches are reconciled again: what was concluded of them rested on the plan as it was."""

from collections.abc import Collection
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from evm.domain.ids import CustomerId, VisitId
from evm.domain.occurrences import is_away
from evm.domain.period import care_day
from evm.domain.plan import Absence, Cancellation, CancelledBy, PlannedVisit
from evm.domain.policy import Policy
from evm.services.plan import PlanRefused
from evm.services.roster_deadlines import follow_plan, publish_deadlines, replace_deadlines
from evm.store import deadlines, ingest_state, plans

MINUTES_MAX: Final = 1_440
ABSENCE_DAYS_AHEAD: Final = 400


def cancel(session: Session, *, visit_id: VisitId, by: CancelledBy, reason: str, now: datetime, policy: Policy) -> None:
    """Record that a planned visit will not happen, and void its open deadlines. Raises PlanRefused when it is unknown, cancelled
    already, or no reason is given."""
    if not reason.strip():
        raise PlanRefused(field="reason", words="Say why the visit is cancelled.")
    visit = plans.planned_visit(session, visit_id=visit_id)
    cancelled = plans.cancel(session, visit_id=visit_id, cancellation=Cancellation(at=now, by=by, reason=reason))
    if visit is None or not cancelled:
        raise PlanRefused(field="visit_id", words="There is no such visit, or it is cancelled already.")
    deadlines.void(session, visit_id=visit_id, now=now)
    follow_plan(session, customer_id=visit.customer_id, around=[visit.start], now=now, policy=policy)
    _reconcile_again(session, visit.customer_id, [visit.start], now, policy)


def change(
    session: Session,
    *,
    visit_id: VisitId,
    start: datetime | None = None,
    minutes: int | None = None,
    workers_needed: int | None = None,
    now: datetime,
    policy: Policy,
) -> PlannedVisit:
    """Move, lengthen or shorten one planned visit, or change how many workers it needs; what is not given stays. The visit as it is
    now, its revision one higher (unchanged when nothing differs).

    A published roster is not changed: its draft after this must be made and published by a person. Raises PlanRefused."""
    visit = _standing(session, visit_id)
    changed = replace(
        visit,
        start=visit.start if start is None else start,
        minutes=visit.minutes if minutes is None else minutes,
        workers_needed=visit.workers_needed if workers_needed is None else workers_needed,
    )
    _check(changed)
    if changed == visit:
        return visit
    kept = visit.rostered[: changed.workers_needed]
    revised = replace(
        changed,
        rostered=kept + (None,) * (changed.workers_needed - len(kept)),
        revision=visit.revision + 1,
    )
    plans.revise(session, visits=[revised], zone=policy.zone)
    replace_deadlines(session, visit=revised, now=now, policy=policy)
    moved = [visit.start, revised.start]
    follow_plan(session, customer_id=visit.customer_id, around=moved, now=now, policy=policy)
    _reconcile_again(session, visit.customer_id, moved, now, policy)
    return revised


def go_away(session: Session, *, absence: Absence, now: datetime, policy: Policy) -> tuple[VisitId, ...]:
    """Record that a customer is away and void the open deadlines of the visits this suspends, whose ids are returned."""
    if absence.until is not None and absence.until <= absence.since:
        raise PlanRefused(field="until", words="The customer comes back after going away.")
    plans.add_absences(session, absences=[absence])
    suspended = [
        visit
        for visit in _from(session, absence.customer_id, since=care_day(absence.since, zone=policy.zone))
        if is_away(visit, absences=[absence])
    ]
    for visit in suspended:
        deadlines.void(session, visit_id=visit.visit_id, now=now)
    edges = [absence.since] if absence.until is None else [absence.since, absence.until]
    follow_plan(session, customer_id=absence.customer_id, around=edges, now=now, policy=policy)
    _reconcile_spell(session, absence.customer_id, absence.since, absence.until, now, policy)
    return tuple(visit.visit_id for visit in suspended)


def come_back(
    session: Session, *, customer_id: CustomerId, until: datetime, now: datetime, policy: Policy
) -> tuple[VisitId, ...]:
    """End the customer's open absence at `until` and resume the visits after it, whose ids are returned: each that had deadlines gets
    those of a new revision. Raises PlanRefused when no absence is open."""
    if not plans.end_absence(session, customer_id=customer_id, until=until):
        raise PlanRefused(field="customer_id", words="The customer is not recorded as away.")
    later = [
        visit
        for visit in _from(session, customer_id, since=care_day(until, zone=policy.zone))
        if visit.start >= until and visit.start > now
    ]
    had = {row.visit_id for row in deadlines.deadlines_of(session, visit_ids=[visit.visit_id for visit in later])}
    resumed = [replace(visit, revision=visit.revision + 1) for visit in later if visit.visit_id in had]
    plans.revise(session, visits=resumed, zone=policy.zone)
    publish_deadlines(session, visits=resumed, policy=policy, now=now)
    follow_plan(session, customer_id=customer_id, around=[until], now=now, policy=policy)
    _reconcile_spell(session, customer_id, until, None, now, policy)
    return tuple(visit.visit_id for visit in resumed)


def _standing(session: Session, visit_id: VisitId) -> PlannedVisit:
    visit = plans.planned_visit(session, visit_id=visit_id)
    if visit is None or visit.cancelled is not None:
        raise PlanRefused(field="visit_id", words="There is no such visit, or it is cancelled.")
    return visit


def _check(visit: PlannedVisit) -> None:
    if visit.start.tzinfo is None or visit.start.second or visit.start.microsecond:
        raise PlanRefused(field="start", words="Give the time to the minute, with its UTC offset.")
    if not 1 <= visit.minutes <= MINUTES_MAX:
        raise PlanRefused(field="minutes", words=f"A visit lasts 1 to {MINUTES_MAX} minutes.")
    if not 1 <= visit.workers_needed <= 2:
        raise PlanRefused(field="workers_needed", words="One or two workers can be sent.")


def _from(session: Session, customer_id: CustomerId, *, since: date) -> tuple[PlannedVisit, ...]:
    until = since + timedelta(days=ABSENCE_DAYS_AHEAD)
    found = plans.planned_visits(session, customer_id=customer_id, since_day=since, until_day=until)
    return tuple(visit for visit in found if visit.cancelled is None)


def _reconcile_again(
    session: Session, customer_id: CustomerId, instants: Collection[datetime], now: datetime, policy: Policy
) -> None:
    """Queue the days of these instants that have begun; a day to come is reconciled when it does."""
    today = care_day(now, zone=policy.zone)
    days = {care_day(instant, zone=policy.zone) for instant in instants}
    pairs = {(customer_id, day) for day in days if day <= today}
    ingest_state.queue_reconcile(session, pairs=pairs, now=now)


def _reconcile_spell(
    session: Session,
    customer_id: CustomerId,
    since: datetime,
    until: datetime | None,
    now: datetime,
    policy: Policy,
) -> None:
    """Queue every day of the spell that has begun, however long ago it was."""
    last = now if until is None else min(until, now)
    first_day, last_day = care_day(since, zone=policy.zone), care_day(last, zone=policy.zone)
    pairs = {(customer_id, first_day + timedelta(days=n)) for n in range((last_day - first_day).days + 1)}
    ingest_state.queue_reconcile(session, pairs=pairs, now=now)
