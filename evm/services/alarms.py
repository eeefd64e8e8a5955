"""Raising alerts: the row, its history and its outbox row in one transaction; and those that evidence itself raises at once.
Not the missed-visit deadlines (watch) and not the sending (notify)."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime

from sqlalchemy.orm import Session

from evm.domain.evidence import EventKind, Evidence
from evm.domain.ids import CustomerId
from evm.domain.period import care_day
from evm.domain.plan import Risk
from evm.domain.policy import Policy
from evm.store import alerts as alert_store
from evm.store import outbox, plans
from evm.store.alerts import NewAlert
from evm.store.evidence import NewRow
from evm.store.outbox import OutboxRow

MISSED_VISIT = "missed visit"
OVERDUE_CHECK_OUT = "overdue check-out"
ASSISTANCE = "assistance"
NO_REPLY = "no reply"
REFUSED_MEDICINE = "refused medicine"
_CARRIES_TASKS = frozenset({EventKind.TASK_OUTCOME, EventKind.CHECK_OUT})


def raise_alerts(session: Session, *, alerts: Sequence[NewAlert], now: datetime) -> tuple[int, ...]:
    """Raise what is new of these alerts and put each into the outbox of things to tell, once. Answers the new ids in order."""
    new = alert_store.add(session, alerts_=alerts, now=now)
    told = {alert.key: alert for alert in alerts if alert.key in new}
    outbox.add(session, rows=[_to_tell(new[key], alert, now) for key, alert in told.items()])
    return tuple(sorted(new.values()))


def raise_from_evidence(session: Session, *, rows: Sequence[NewRow], now: datetime, policy: Policy) -> tuple[int, ...]:
    """Assistance asked for, no reply at the door, and a time-critical task not done are alerts the moment they are stored."""
    events = [row.evidence for row in rows]
    found = [_called(e) for e in events if e.kind in (EventKind.ASSISTANCE, EventKind.NO_REPLY)]
    found += _refusals(session, [e for e in events if e.kind in _CARRIES_TASKS and e.tasks], policy)
    return raise_alerts(session, alerts=found, now=now) if found else ()


def _to_tell(alert_id: int, alert: NewAlert, now: datetime) -> OutboxRow:
    return OutboxRow(
        channel=outbox.NOTIFY,
        key=f"alert:{alert_id}:raised",
        address=alert.provider,
        body={
            "alert_id": alert_id,
            "kind": alert.kind,
            "stage": alert.stage,
            "risk": alert.risk,
            "words": alert.words,
            "visit": alert.visit,
            "customer": alert.customer,
            "due_at": alert.due_at.isoformat(),
            "detected_late": alert.detected_late,
        },
        created_at=now,
    )


def _called(e: Evidence) -> NewAlert:
    kind = ASSISTANCE if e.kind is EventKind.ASSISTANCE else NO_REPLY
    who = "A worker whose device is not anybody's" if e.worker is None else f"Worker {e.worker}"
    where = "at an unknown place" if e.customer is None else f"at customer {e.customer}'s"
    if kind == ASSISTANCE:
        words = f"{who} asks for assistance {where}."
    else:
        words = f"{who} gets no reply {where} and stays until released. Ring the customer, then the next of kin, then the police."
    return NewAlert(
        kind=kind,
        key=f"{kind}:{e.provider}:{e.device}:{e.event_id}",
        provider=e.provider,
        customer=e.customer,
        worker=e.worker,
        visit=e.visit,
        risk=Risk.TIME_CRITICAL.value,
        due_at=e.at,
        words=words,
    )


def _refusals(session: Session, events: Sequence[Evidence], policy: Policy) -> list[NewAlert]:
    undone = [(e, e.customer, task) for e in events if e.customer is not None for task in e.tasks if not task.done]
    critical = _time_critical(session, {(c, care_day(e.at, zone=policy.zone)) for e, c, _ in undone})
    return [
        NewAlert(
            kind=REFUSED_MEDICINE,
            key=f"{REFUSED_MEDICINE}:{e.provider}:{e.device}:{e.event_id}:{task.code}",
            provider=e.provider,
            customer=customer,
            worker=e.worker,
            visit=e.visit,
            risk=Risk.TIME_CRITICAL.value,
            due_at=e.at,
            words=f"The time-critical task {task.code} was not done at customer {customer}'s"
            + (f": {task.reason}." if task.reason else "."),
        )
        for e, customer, task in undone
        if task.code in critical.get((customer, care_day(e.at, zone=policy.zone)), frozenset())
    ]


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
