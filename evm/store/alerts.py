"""Alerts and what people did about them. Not the deadlines they come from (deadlines.py) and not their sending (outbox.py)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.orm import Session

from evm.domain.ids import CustomerId, ProviderId, VisitId, WorkerId
from evm.store.tables.alerts import alert_history, alerts
from evm.store.writes import insert_new

OPEN = "open"
ACKNOWLEDGED = "acknowledged"
CLOSED = "closed"
IDS_A_STATEMENT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAlert:
    """An alert to raise. `key` says what it is about: the same key never becomes a second alert."""

    kind: str
    key: str
    provider: ProviderId
    risk: str
    due_at: datetime
    words: str
    detected_late: bool = False
    customer: CustomerId | None = None
    worker: WorkerId | None = None
    visit: VisitId | None = None
    revision: int | None = None
    slot: int | None = None
    stage: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRow:
    """An alert as it stands. `reclassified`: what later evidence says ("on time", "late"); only a person closes."""

    alert_id: int
    kind: str
    key: str
    provider: ProviderId
    customer: CustomerId | None
    worker: WorkerId | None
    visit: VisitId | None
    revision: int | None
    slot: int | None
    stage: str | None
    risk: str
    due_at: datetime
    raised_at: datetime
    detected_late: bool
    words: str
    state: str
    reclassified: str | None
    outcome: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One thing that happened to an alert. `act`: raised, told, acknowledged, noted, reclassified, closed."""

    alert_id: int
    at: datetime
    who: str
    act: str
    words: str


def add(session: Session, *, alerts_: Sequence[NewAlert], now: datetime) -> dict[str, int]:
    """Raise alerts with their first line of history; answers the ids of those that are new, by key."""
    if not alerts_:
        return {}
    query = insert_new(session, alerts).returning(alerts.c.alert_id, alerts.c.key)
    new = {r.key: r.alert_id for r in session.execute(query, [_values(alert, now) for alert in alerts_])}
    words = {alert.key: alert.words for alert in alerts_}
    entries = [
        HistoryEntry(alert_id=alert_id, at=now, who="popback", act="raised", words=words[key])
        for key, alert_id in sorted(new.items(), key=lambda pair: pair[1])
    ]
    add_history(session, entries=entries)
    return new


def alert(session: Session, *, alert_id: int) -> AlertRow | None:
    """One alert, or None."""
    row = session.execute(select(alerts).where(alerts.c.alert_id == alert_id)).first()
    return None if row is None else _alert(row)


def alert_list(
    session: Session,
    *,
    provider_id: ProviderId | None = None,
    visit_ids: Collection[VisitId] | None = None,
    states: Collection[str] | None = None,
    kind: str | None = None,
    after_id: int | None = None,
    limit: int | None = None,
) -> tuple[AlertRow, ...]:
    """Alerts in the order they were raised; every given condition must hold."""
    c = alerts.c
    query = select(alerts).order_by(c.alert_id)
    if provider_id is not None:
        query = query.where(c.provider_id == provider_id)
    if states is not None:
        query = query.where(c.state.in_(sorted(states)))
    if kind is not None:
        query = query.where(c.kind == kind)
    if after_id is not None:
        query = query.where(c.alert_id > after_id)
    if limit is not None:
        query = query.limit(limit)
    if visit_ids is None:
        return tuple(_alert(r) for r in session.execute(query))
    found: list[AlertRow] = []
    wanted = sorted(set(visit_ids))
    for start in range(0, len(wanted), IDS_A_STATEMENT):
        some = wanted[start : start + IDS_A_STATEMENT]
        found += [_alert(r) for r in session.execute(query.where(c.visit_id.in_(some)))]
    return tuple(sorted(found, key=lambda a: a.alert_id))


def set_state(session: Session, *, alert_id: int, was: Collection[str], state: str, outcome: str | None = None) -> bool:
    """Move an alert on if it stands in one of the states `was`. False: it does not, or is unknown."""
    values: dict[str, Any] = {"state": state} if outcome is None else {"state": state, "outcome": outcome}
    query = update(alerts).where(alerts.c.alert_id == alert_id, alerts.c.state.in_(sorted(was))).values(values)
    return session.execute(query.returning(alerts.c.alert_id)).first() is not None


def reclassify(session: Session, *, alert_id: int, reclassified: str | None) -> None:
    """Set what later evidence says of an alert (None: nothing after all); its state stays."""
    session.execute(update(alerts).where(alerts.c.alert_id == alert_id).values(reclassified=reclassified))


def add_history(session: Session, *, entries: Sequence[HistoryEntry]) -> None:
    """Append to alerts' histories."""
    values = [{"alert_id": e.alert_id, "at": e.at, "who": e.who, "act": e.act, "words": e.words} for e in entries]
    if values:
        session.execute(insert(alert_history), values)


def history(session: Session, *, alert_id: int) -> tuple[HistoryEntry, ...]:
    """What happened to an alert, the first first."""
    c = alert_history.c
    query = select(alert_history).where(c.alert_id == alert_id).order_by(c.entry_id)
    return tuple(
        HistoryEntry(alert_id=r.alert_id, at=r.at, who=r.who, act=r.act, words=r.words) for r in session.execute(query)
    )


def _values(a: NewAlert, now: datetime) -> dict[str, Any]:
    return {
        "kind": a.kind,
        "key": a.key,
        "provider_id": a.provider,
        "customer_id": a.customer,
        "worker_id": a.worker,
        "visit_id": a.visit,
        "revision": a.revision,
        "slot": a.slot,
        "stage": a.stage,
        "risk": a.risk,
        "due_at": a.due_at,
        "raised_at": now,
        "detected_late": a.detected_late,
        "words": a.words,
        "state": OPEN,
    }


def _alert(r: Row[Any]) -> AlertRow:
    return AlertRow(
        alert_id=r.alert_id,
        kind=r.kind,
        key=r.key,
        provider=r.provider_id,
        customer=r.customer_id,
        worker=r.worker_id,
        visit=r.visit_id,
        revision=r.revision,
        slot=r.slot,
        stage=r.stage,
        risk=r.risk,
        due_at=r.due_at,
        raised_at=r.raised_at,
        detected_late=r.detected_late,
        words=r.words,
        state=r.state,
        reclassified=r.reclassified,
        outcome=r.outcome,
    )
