"""Tells people what the outbox holds, at least once, always under the same key. Not who is told next (evm.domain.alerts.escalation).

The one service that opens transactions itself: nothing may be held open while a gateway takes its time."""

from collections.abc import Callable, Sequence
from datetime import datetime

import structlog
from sqlalchemy.orm import Session, sessionmaker

from evm.gateways.notify import NotifyGateway, NotSent
from evm.store import alerts as alert_store
from evm.store import outbox
from evm.store.alerts import HistoryEntry
from evm.store.outbox import OutboxRow

log = structlog.get_logger(__name__)

ROWS_A_ROUND = 100


def drain(
    *,
    sessions: sessionmaker[Session],
    clock: Callable[[], datetime],
    gateway: NotifyGateway,
    limit: int = ROWS_A_ROUND,
) -> int:
    """Try up to `limit` unsent rows once each and answer how many were sent. What fails stays, and is tried after the fresh ones.

    A crash between sending and noting sends again under the same key; a crash before sending loses nothing."""
    with sessions.begin() as session:
        rows = outbox.take(session, channel=outbox.NOTIFY, limit=limit)
        outbox.mark_tried(session, outbox_ids=[row.outbox_id for row in rows])
    sent = 0
    for row in rows:
        if _sent(row, gateway):
            with sessions.begin() as session:
                note_sent(session, rows=[row], by=gateway.name, now=clock())
            sent += 1
    return sent


def note_sent(session: Session, *, rows: Sequence[OutboxRow], by: str, now: datetime) -> None:
    """Mark rows sent and write "told" into their alerts' histories, once however often it was sent."""
    fresh = outbox.mark_sent(session, outbox_ids=[row.outbox_id for row in rows], now=now)
    told = [
        HistoryEntry(alert_id=row.body["alert_id"], at=now, who="popback", act="told", words=f"{row.address} by {by}")
        for row in rows
        if row.outbox_id in fresh and "alert_id" in row.body
    ]
    alert_store.add_history(session, entries=told)


def _sent(row: OutboxRow, gateway: NotifyGateway) -> bool:
    try:
        gateway.send(key=row.key, address=row.address, body=row.body)
    except NotSent as error:
        log.warning("not told; it will be tried again", key=row.key, gateway=gateway.name, error=str(error))
        return False
    return True
