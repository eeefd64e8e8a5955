"""Raising alerts: the row, its history and its outbox row in one transaction; and those that evidence itself raises at once.
Not the rules (evm.domain.alerts), not the deadlines (watch) and not the sending (notify)."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from evm.domain.alerts.judge import drafts_of
from evm.domain.alerts.situation import AlertDraft, Situation
from evm.domain.evidence import Evidence
from evm.domain.ids import CustomerId
from evm.domain.period import care_day
from evm.domain.policy import Policy
from evm.store import alerts as alert_store
from evm.store import outbox, plans
from evm.store.alerts import NewAlert
from evm.store.evidence import NewRow
from evm.store.outbox import OutboxRow

DETECTED_LATE_AFTER = timedelta(seconds=60)
"""An alert raised longer than this after it was due says so: popback itself was late, not only the worker."""


def raise_drafts(session: Session, *, drafts: Sequence[AlertDraft], now: datetime) -> tuple[int, ...]:
    """Raise what is new of these drafts; each that pages goes into the outbox once. Answers the new ids, in order."""
    if not drafts:
        return ()
    new = alert_store.add(session, alerts_=[_alert(draft, now) for draft in drafts], now=now)
    told = {draft.key: draft for draft in drafts if draft.pages and draft.key in new}
    outbox.add(session, rows=[_to_tell(new[key], draft, now) for key, draft in told.items()])
    return tuple(sorted(new.values()))


def raise_from_evidence(session: Session, *, rows: Sequence[NewRow], now: datetime, policy: Policy) -> tuple[int, ...]:
    """What every alert rule makes of these events, the moment they are stored: assistance, no reply, a refused medicine."""
    events = [row.evidence for row in rows]
    undone = [e for e in events if any(not task.done for task in e.tasks)]
    days = {(e.customer, care_day(e.at, zone=policy.zone)) for e in undone if e.customer is not None}
    critical = _time_critical(session, days)
    drafts = [draft for e in events for draft in drafts_of(_situation(e, critical, policy), now=now)]
    return raise_drafts(session, drafts=drafts, now=now)


def _situation(e: Evidence, critical: dict[tuple[CustomerId, date], frozenset[str]], policy: Policy) -> Situation:
    codes: frozenset[str] = frozenset()
    if e.customer is not None:
        codes = critical.get((e.customer, care_day(e.at, zone=policy.zone)), codes)
    return Situation(zone=policy.zone, event=e, time_critical_tasks=codes)


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
