"""Things to be told to people or sent to phones: written in the transaction that decides them, sent afterwards, at least once, under one
key. Not the sending (evm.services.notify, devices.downlink)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from evm.store.tables.alerts import outbox as t
from evm.store.writes import insert_new

NOTIFY = "notify"
DOWN = "down"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """One thing to send. `channel`: "notify" (people) or "down" (phones); `address` is the channel's own; the receiver may see a key
    twice and must act on it once."""

    channel: str
    key: str
    address: str
    body: dict[str, Any]
    created_at: datetime
    outbox_id: int = 0
    sent_at: datetime | None = None
    attempts: int = 0


def add(session: Session, *, rows: Sequence[OutboxRow]) -> None:
    """Write what is to be sent; a key that stands already is left as it is."""
    values = [
        {
            "channel": row.channel,
            "key": row.key,
            "address": row.address,
            "body": row.body,
            "created_at": row.created_at,
            "attempts": 0,
        }
        for row in rows
    ]
    if values:
        session.connection().execute(insert_new(session, t), values)


def take(session: Session, *, channel: str, limit: int, attempts_max: int | None = None) -> tuple[OutboxRow, ...]:
    """Unsent rows, those tried least often first, then the oldest; on PostgreSQL locked, and another sender skips them."""
    query = select(t).where(t.c.channel == channel, t.c.sent_at.is_(None))
    if attempts_max is not None:
        query = query.where(t.c.attempts < attempts_max)
    query = query.order_by(t.c.attempts, t.c.outbox_id).limit(limit).with_for_update(skip_locked=True)
    return tuple(
        OutboxRow(
            channel=r.channel,
            key=r.key,
            address=r.address,
            body=r.body,
            created_at=r.created_at,
            outbox_id=r.outbox_id,
            sent_at=r.sent_at,
            attempts=r.attempts,
        )
        for r in session.execute(query)
    )


def mark_tried(session: Session, *, outbox_ids: Collection[int]) -> None:
    """Count one more attempt."""
    if outbox_ids:
        session.execute(update(t).where(t.c.outbox_id.in_(sorted(outbox_ids))).values(attempts=t.c.attempts + 1))


def mark_sent(session: Session, *, outbox_ids: Collection[int], now: datetime) -> frozenset[int]:
    """Note that these were sent, and answer those that were not marked before."""
    if not outbox_ids:
        return frozenset()
    query = update(t).where(t.c.outbox_id.in_(sorted(outbox_ids)), t.c.sent_at.is_(None)).values(sent_at=now)
    return frozenset(session.execute(query.returning(t.c.outbox_id)).scalars())


def unsent_count(session: Session, *, channel: str) -> int:
    """How much waits to be sent."""
    return session.execute(select(func.count()).where(t.c.channel == channel, t.c.sent_at.is_(None))).scalar_one()
