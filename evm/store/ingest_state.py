"""What ingest keeps beside the log: quarantine, challenges, how far each device is stored, watermarks and the queue of days to
reconcile. Not the log itself (evm.store.evidence)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, tuple_, update
from sqlalchemy.orm import Session

from evm.domain.ids import CustomerId, DeviceId, ProviderId, WorkerId
from evm.store.tables import evidence as t
from evm.store.writes import insert_new

DeviceKey = tuple[ProviderId, DeviceId]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A message that could not become evidence, kept whole with the reason. `index` is None until stored. `sequence`: that of the
    device's event, if it could be read: refused for good, it leaves no gap."""

    received_at: datetime
    topic: str
    message: bytes
    sha256: str
    provider: str | None
    device: str | None
    reason: str
    words: str
    security: bool = False
    index: int | None = None
    sequence: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a device's events are stored: all up to `contiguous_sequence`, the newest `highest_sequence` (0: none numbered yet).

    `last_received_at`: when we last heard of it; `status`: "online", "offline" (its last will), or None when it never said.
    `offset_seconds`: its wall clock less ours when an event last came live; None until one did. `worker`: who used it first on
    `worker_day`, the newest care day an event of it is of; `epoch`: the log's epoch it last said it knows of (None: the first)."""

    contiguous_sequence: int
    highest_sequence: int
    last_received_at: datetime
    offset_seconds: float | None = None
    status: str | None = None
    worker: WorkerId | None = None
    worker_day: date | None = None
    epoch: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """The newest capture instant ingested from a provider by a channel, and when it came."""

    provider: ProviderId
    channel: str
    newest_at: datetime
    received_at: datetime


def quarantine(session: Session, *, rows: Sequence[Quarantined]) -> None:
    """Append to quarantine."""
    values = [
        {
            "received_at": row.received_at,
            "topic": row.topic,
            "message": row.message,
            "sha256": row.sha256,
            "provider_id": row.provider,
            "device_id": row.device,
            "reason": row.reason,
            "words": row.words,
            "security": row.security,
            "sequence": row.sequence,
        }
        for row in rows
    ]
    if values:
        session.execute(insert(t.quarantine), values)


def quarantined(
    session: Session, *, provider_id: ProviderId | None = None, since: datetime | None = None, limit: int = 500
) -> tuple[Quarantined, ...]:
    """The newest quarantined messages first."""
    c = t.quarantine.c
    query = select(t.quarantine).order_by(c.log_index.desc()).limit(limit)
    if provider_id is not None:
        query = query.where(c.provider_id == provider_id)
    if since is not None:
        query = query.where(c.received_at >= since)
    return tuple(
        Quarantined(
            received_at=r.received_at,
            topic=r.topic,
            message=r.message,
            sha256=r.sha256,
            provider=r.provider_id,
            device=r.device_id,
            reason=r.reason,
            words=r.words,
            security=r.security,
            index=r.log_index,
            sequence=r.sequence,
        )
        for r in session.execute(query)
    )


def refused_sequences(session: Session, *, after: Mapping[DeviceKey, int]) -> dict[DeviceKey, set[int]]:
    """Of each device the sequence numbers above the given one of events that were refused for good."""
    c = t.quarantine.c
    found: dict[DeviceKey, set[int]] = {}
    for (provider, device), low in sorted(after.items()):
        query = select(c.sequence).where(c.provider_id == provider, c.device_id == device, c.sequence > low)
        refused = set(session.execute(query).scalars())
        if refused:
            found[provider, device] = refused
    return found


def add_challenge(
    session: Session, *, provider: ProviderId, device: DeviceId, challenge: str, issued_at: datetime
) -> None:
    """Remember a challenge that is about to be sent to a device."""
    session.execute(
        insert(t.challenges).values(challenge=challenge, provider_id=provider, device_id=device, issued_at=issued_at)
    )


def challenges_issued(
    session: Session, *, challenges: Collection[str]
) -> dict[str, tuple[ProviderId, DeviceId, datetime]]:
    """Of these challenges the ones we issued: to whom and when."""
    c = t.challenges.c
    query = select(t.challenges).where(c.challenge.in_(sorted(set(challenges))))
    rows = session.execute(query) if challenges else ()
    return {r.challenge: (ProviderId(r.provider_id), DeviceId(r.device_id), r.issued_at) for r in rows}


def progress(session: Session, *, devices: Collection[DeviceKey]) -> dict[DeviceKey, Progress]:
    """How far each of these devices is stored; a device that never sent is absent."""
    c = t.device_progress.c
    query = select(t.device_progress).where(
        c.provider_id.in_(sorted({provider for provider, _ in devices})),
        c.device_id.in_(sorted({device for _, device in devices})),
    )
    return {
        (ProviderId(r.provider_id), DeviceId(r.device_id)): Progress(
            contiguous_sequence=r.contiguous_sequence,
            highest_sequence=r.highest_sequence,
            last_received_at=r.last_received_at,
            offset_seconds=r.offset_seconds,
            status=r.status,
            worker=r.worker_id,
            worker_day=r.worker_day,
            epoch=r.epoch,
        )
        for r in (session.execute(query) if devices else ())
        if (r.provider_id, r.device_id) in devices
    }


def set_progress(session: Session, *, progress: Mapping[DeviceKey, Progress], known: Collection[DeviceKey]) -> None:
    """Write how far devices are stored; `known` are those that have a row already."""
    values = [
        {
            "provider_id": provider,
            "device_id": device,
            "contiguous_sequence": p.contiguous_sequence,
            "highest_sequence": p.highest_sequence,
            "last_received_at": p.last_received_at,
            "offset_seconds": p.offset_seconds,
            "status": p.status,
            "worker_id": p.worker,
            "worker_day": p.worker_day,
            "epoch": p.epoch,
        }
        for (provider, device), p in sorted(progress.items())
    ]
    have = set(known)
    _write(session, t.device_progress, ("provider_id", "device_id"), values, have)


def set_states(session: Session, *, states: Mapping[DeviceKey, str], now: datetime) -> None:
    """Keep whether devices stand connected. "online" the device says itself, so it was heard of now; "offline" its broker says for it."""
    c = t.device_progress.c
    for (provider, device), state in sorted(states.items()):
        heard = {"last_received_at": now} if state == "online" else {}
        own = update(t.device_progress).where(c.provider_id == provider, c.device_id == device)
        session.execute(own.values(status=state, **heard))
    known = progress(session, devices=set(states))
    fresh = Progress(contiguous_sequence=0, highest_sequence=0, last_received_at=now)
    new = {key: replace(fresh, status=state) for key, state in states.items() if key not in known}
    set_progress(session, progress=new, known=())


def watermarks(session: Session, *, provider_id: ProviderId | None = None) -> tuple[Watermark, ...]:
    """How fresh each provider's channels are, by provider and channel."""
    c = t.watermarks.c
    query = select(t.watermarks).order_by(c.provider_id, c.channel)
    if provider_id is not None:
        query = query.where(c.provider_id == provider_id)
    return tuple(
        Watermark(
            provider=ProviderId(r.provider_id), channel=r.channel, newest_at=r.newest_at, received_at=r.received_at
        )
        for r in session.execute(query)
    )


def raise_watermarks(session: Session, *, marks: Sequence[Watermark]) -> None:
    """Move watermarks forward; never back."""
    c = t.watermarks.c
    keys = sorted({(m.provider, m.channel) for m in marks})
    query = select(t.watermarks).where(tuple_(c.provider_id, c.channel).in_(keys)).order_by(c.provider_id, c.channel)
    query = query.with_for_update()  # who raised one in between is seen, not overwritten
    old = {(r.provider_id, r.channel): r.newest_at for r in (session.execute(query) if keys else ())}
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for mark in marks:
        key = (mark.provider, mark.channel)
        floor = newest[key]["newest_at"] if key in newest else old.get(key, mark.newest_at)
        newest[key] = {
            "provider_id": mark.provider,
            "channel": mark.channel,
            "newest_at": max(mark.newest_at, floor),
            "received_at": mark.received_at,
        }
    _write(session, t.watermarks, ("provider_id", "channel"), [newest[k] for k in sorted(newest)], set(old))


def queue_reconcile(session: Session, *, pairs: Collection[tuple[CustomerId, date]], now: datetime) -> None:
    """Ask for these customers' days to be reconciled. Asking twice does no harm."""
    values = [
        {"customer_id": customer_id, "care_day": day, "queued_at": now} for customer_id, day in sorted(set(pairs))
    ]
    if values:
        session.execute(insert(t.reconcile_queue), values)


def take_reconcile(
    session: Session,
    *,
    limit: int,
    customer_ids: Collection[CustomerId] | None = None,
    ready_at: datetime | None = None,
) -> frozenset[tuple[CustomerId, date]]:
    """Remove up to `limit` of the oldest requests (of these customers, without those put off beyond `ready_at`) and answer their
    distinct pairs. They come back if the caller's transaction does not commit; on PostgreSQL two takers never get the same row."""
    c = t.reconcile_queue.c
    query = select(c.queue_id, c.customer_id, c.care_day).order_by(c.queue_id).limit(limit)
    if customer_ids is not None:
        query = query.where(c.customer_id.in_(sorted(set(customer_ids))))
    if ready_at is not None:
        query = query.where(c.queued_at <= ready_at)
    rows = session.execute(query.with_for_update(skip_locked=True)).all()
    if rows:
        session.execute(delete(t.reconcile_queue).where(c.queue_id.in_([r.queue_id for r in rows])))
    return frozenset((CustomerId(r.customer_id), r.care_day) for r in rows)


def reconcile_put_off(session: Session, *, now: datetime) -> int:
    """How many customer-days are put off, because they could not be reconciled."""
    c = t.reconcile_queue.c
    waiting = select(c.customer_id, c.care_day).where(c.queued_at > now).distinct().subquery()
    return session.execute(select(func.count()).select_from(waiting)).scalar_one()


def reconcile_backlog(session: Session) -> bool:
    """Whether any day waits to be reconciled."""
    return session.execute(select(t.reconcile_queue.c.queue_id).limit(1)).first() is not None


def _write(
    session: Session, table: Any, key: tuple[str, str], values: Sequence[dict[str, Any]], have: Collection[Any]
) -> None:
    fresh = [row for row in values if (row[key[0]], row[key[1]]) not in have]
    if fresh:  # another process may have been first: its row is as good, and the next batch moves it on
        session.connection().execute(insert_new(session, table), fresh)
    for row in values:
        if (row[key[0]], row[key[1]]) in have:
            where = [table.c[name] == row[name] for name in key]
            session.execute(update(table).where(*where).values({n: v for n, v in row.items() if n not in key}))
