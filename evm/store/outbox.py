"""Things to be told to people or sent to phones: written in the transaction that decides them, sent afterwards, at least once, under one
key. Not the sending (evm.services.notify, devices.downlink)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, or_, select, update
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
    claimed_until: datetime | None = None


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
    return tuple(_row(r) for r in session.execute(query))


def claim(
    session: Session, *, channel: str, now: datetime, until: datetime, limit: int, an_address_max: int
) -> tuple[OutboxRow, ...]:
    """Take up to `limit` unsent rows that nobody has in hand, at most `an_address_max` to one address, those tried least often first, then
    the oldest. Until `until` they are this sender's; one that dies with them leaves them to others from then on."""
    place = func.row_number().over(partition_by=t.c.address, order_by=(t.c.attempts, t.c.outbox_id)).label("place")
    free = (t.c.channel == channel, t.c.sent_at.is_(None), or_(t.c.claimed_until.is_(None), t.c.claimed_until <= now))
    ranked = select(t.c.outbox_id, t.c.attempts, place).where(*free).subquery("ranked")
    chosen = (
        select(ranked.c.outbox_id)
        .where(ranked.c.place <= an_address_max)
        .order_by(ranked.c.attempts, ranked.c.place, ranked.c.outbox_id)
        .limit(limit)
    )
    query = select(t).where(t.c.outbox_id.in_(chosen), *free).order_by(t.c.attempts, t.c.outbox_id)
    rows = [_row(r) for r in session.execute(query.with_for_update(skip_locked=True))]
    if rows:
        mine = update(t).where(t.c.outbox_id.in_([row.outbox_id for row in rows]))
        session.execute(mine.values(claimed_until=until))
    return tuple(replace(row, claimed_until=until) for row in rows)


def keep_claims(session: Session, *, rows: Collection[OutboxRow], until: datetime) -> tuple[OutboxRow, ...]:
    """Hold rows longer, and answer those that are still this sender's: another may have taken what was held too long."""
    kept = []
    for row in rows:
        mine = update(t).where(
            t.c.outbox_id == row.outbox_id, t.c.claimed_until == row.claimed_until, t.c.sent_at.is_(None)
        )
        if session.execute(mine.values(claimed_until=until).returning(t.c.outbox_id)).first() is not None:
            kept.append(replace(row, claimed_until=until))
    return tuple(kept)


def put_off(session: Session, *, rows: Collection[OutboxRow], until: datetime, tried: Collection[OutboxRow]) -> None:
    """Let nobody send these before `until`; `tried` are those among them that failed, which counts as one attempt more."""
    failed = {row.outbox_id for row in tried}
    for row in rows:
        own = update(t).where(t.c.outbox_id == row.outbox_id, t.c.claimed_until == row.claimed_until)
        session.execute(own.values(claimed_until=until, attempts=t.c.attempts + int(row.outbox_id in failed)))


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


def _row(r: Row[Any]) -> OutboxRow:
    return OutboxRow(
        channel=r.channel,
        key=r.key,
        address=r.address,
        body=r.body,
        created_at=r.created_at,
        outbox_id=r.outbox_id,
        sent_at=r.sent_at,
        attempts=r.attempts,
        claimed_until=r.claimed_until,
    )
