"""Raising alerts: the row, its history and its outbox row in one transaction; and those that evidence itself raises at once.
Not the rules (evm.domain.alerts), not the deadlines (watch) and not the sending (notify)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Final

from sqlalchemy.orm import Session

from evm.domain.alerts.judge import drafts_of
from evm.domain.alerts.situation import AlertDraft, Situation
from evm.domain.evidence import EventKind, Evidence
from evm.domain.ids import CustomerId, EventId, ProviderId
from evm.domain.period import care_day
from evm.domain.plan import PlannedVisit, Risk
from evm.domain.policy import Policy
from evm.store import alerts as alert_store
from evm.store import outbox, plans
from evm.store.alerts import NewAlert
from evm.store.evidence import NewRow
from evm.store.outbox import OutboxRow

DETECTED_LATE_AFTER = timedelta(seconds=60)
"""An alert raised longer than this after it was due says so: popback itself was late, not only the worker."""

MEDICINE: Final = ("medic", "meds")
"""How the codes of tasks with medicine begin."""


def raise_drafts(session: Session, *, drafts: Sequence[AlertDraft], now: datetime) -> tuple[int, ...]:
    """Raise what is new of these drafts; each that pages goes into the outbox once. Answers the new ids, in order."""
    if not drafts:
        return ()
    new = alert_store.add(session, alerts_=[_alert(draft, now) for draft in drafts], now=now)
    told = {draft.key: draft for draft in drafts if draft.pages and draft.key in new}
    outbox.add(session, rows=[_to_tell(new[key], draft, now) for key, draft in told.items()])
    return tuple(sorted(new.values()))


def raise_from_evidence(
    session: Session,
    *,
    rows: Sequence[NewRow],
    now: datetime,
    policy: Policy,
    answering: Mapping[EventId, ProviderId] = MappingProxyType({}),
) -> tuple[int, ...]:
    """What every alert rule makes of these events, the moment they are stored: assistance, no reply, a refused medicine.

    `answering`: which provider must act on an event that came by another's device (people who passed from one to the other)."""
    events = [row.evidence for row in rows]
    refusals = [e for e in events if e.kind is EventKind.CUSTOMER_REFUSED and e.customer is not None]
    undone = [e for e in events if any(not task.done for task in e.tasks)]
    days = {(e.customer, care_day(e.at, zone=policy.zone)) for e in (*undone, *refusals) if e.customer is not None}
    critical = _time_critical(session, days)
    refused = _refused_visits(session, refusals, policy) if refusals else {}
    drafts = [
        replace(draft, provider=answering.get(e.event_id, draft.provider))
        for e in events
        for draft in drafts_of(_situation(e, critical, refused, policy), now=now)
    ]
    return raise_drafts(session, drafts=drafts, now=now)


def _situation(
    e: Evidence,
    critical: Mapping[tuple[CustomerId, date], frozenset[str]],
    refused: Mapping[Evidence, PlannedVisit],
    policy: Policy,
) -> Situation:
    codes: frozenset[str] = frozenset()
    if e.customer is not None:
        codes = critical.get((e.customer, care_day(e.at, zone=policy.zone)), codes)
    is_refusal = e.kind is EventKind.CUSTOMER_REFUSED
    return Situation(
        zone=policy.zone,
        event=e,
        time_critical_tasks=codes,
        refused_tasks=_at_stake(codes, refused.get(e)) if is_refusal else frozenset(),
    )


def _at_stake(codes: frozenset[str], visit: PlannedVisit | None) -> frozenset[str]:
    """The tasks that must not go unsaid when a visit is refused: its time-critical ones, and medicine at a time-critical visit. Of a
    visit nobody can name or whose tasks are not known, all the day's: too much said, rather than silence."""
    if visit is None or (not visit.tasks and visit.risk is Risk.TIME_CRITICAL):
        return codes
    own = frozenset(visit.tasks)
    medicine = frozenset(code for code in own if code.lower().startswith(MEDICINE))
    return (codes & own) | (medicine if visit.risk is Risk.TIME_CRITICAL else frozenset())


def _refused_visits(session: Session, refusals: Sequence[Evidence], policy: Policy) -> dict[Evidence, PlannedVisit]:
    """The planned visit each refusal is about: the one it names, else the nearest whose window it falls in."""
    days = [care_day(e.at, zone=policy.zone) for e in refusals]
    planned = plans.planned_visits(
        session,
        customer_ids={e.customer for e in refusals if e.customer is not None},
        since_day=min(days) - timedelta(days=1),
        until_day=max(days) + timedelta(days=2),
    )
    found = {}
    for e in refusals:
        own = [v for v in planned if v.customer_id == e.customer and v.cancelled is None]
        named = [v for v in own if v.visit_id == e.visit]
        near = named or [v for v in own if _is_within(e.at - v.start, policy)]
        if near:
            found[e] = min(near, key=lambda v: (abs(e.at - v.start), v.start, v.visit_id))
    return found


def _is_within(after: timedelta, policy: Policy) -> bool:
    return -timedelta(minutes=policy.match_before_minutes) <= after < timedelta(minutes=policy.match_after_minutes)


def _alert(draft: AlertDraft, now: datetime) -> NewAlert:
    return NewAlert(
        kind=draft.kind.value,
        key=draft.key,
        provider=draft.provider,
        risk=draft.risk.value,
        due_at=draft.due_at,
        words=draft.words,
        detected_late=draft.stage is not None and now - draft.due_at > DETECTED_LATE_AFTER,
        customer=draft.customer,
        worker=draft.worker,
        visit=draft.visit,
        revision=draft.revision,
        slot=draft.slot,
        stage=None if draft.stage is None else draft.stage.value,
    )


def _to_tell(alert_id: int, draft: AlertDraft, now: datetime) -> OutboxRow:
    return OutboxRow(
        channel=outbox.NOTIFY,
        key=f"alert:{alert_id}:raised",
        address=draft.provider,
        body={
            "alert_id": alert_id,
            "kind": draft.kind.value,
            "stage": None if draft.stage is None else draft.stage.value,
            "risk": draft.risk.value,
            "words": draft.words,
            "visit": draft.visit,
            "customer": draft.customer,
            "worker": draft.worker,
            "due_at": draft.due_at.isoformat(),
        },
        created_at=now,
    )


def _time_critical(
    session: Session, customer_days: Iterable[tuple[CustomerId, date]]
) -> dict[tuple[CustomerId, date], frozenset[str]]:
    """The codes of time-critical tasks in the task plan in force for each customer and day."""
    found: dict[tuple[CustomerId, date], frozenset[str]] = {}
    by_day: dict[date, set[CustomerId]] = {}
    for customer, day in customer_days:
        by_day.setdefault(day, set()).add(customer)
    for day, customers in sorted(by_day.items()):
        for plan in plans.task_plans(session, customer_ids=customers, on=day):
            codes = frozenset(task.code for p in plan.patterns for task in p.tasks if task.time_critical)
            found[plan.customer_id, day] = codes
    return found
