"""Tells people what the outbox holds, at least once, always under the same key. Not who is told next (evm.domain.alerts.escalation).

The one service that opens transactions itself: nothing may be held open while a gateway takes its time. A sender claims what it is about to
send for a while, so that of several notifiers one sends it; who dies or freezes with it leaves it to the others when that while is over,
and sends nothing more of it when it wakes."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session, sessionmaker

from evm.gateways.notify import WEBHOOK_SECONDS_MAX, NotAnswered, NotifyGateway, NotSent
from evm.store import alerts as alert_store
from evm.store import outbox
from evm.store.alerts import HistoryEntry
from evm.store.outbox import OutboxRow

log = structlog.get_logger(__name__)

ROWS_A_ROUND = 100
AN_ADDRESS_A_ROUND = 20
ADDRESSES_AT_ONCE = 8
CLAIM = timedelta(seconds=3 * WEBHOOK_SECONDS_MAX)
"""How long a sender has what it took; held anew before it is half over."""

PUT_OFF_SECONDS_MAX = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sender:
    """One notifier: its way into the database, its clock and its gateway."""

    sessions: sessionmaker[Session]
    clock: Callable[[], datetime]
    gateway: NotifyGateway

    def send_all(self, rows: Sequence[OutboxRow]) -> int:
        """Send what was claimed for one address, in order; answers how many were sent. Nobody answers: the rest waits with it."""
        sent, left = 0, list(rows)
        while left:
            if left[0].claimed_until is not None and left[0].claimed_until - self.clock() < CLAIM / 2:
                with self.sessions.begin() as session:
                    left = list(outbox.keep_claims(session, rows=left, until=self.clock() + CLAIM))
                continue
            row = left[0]
            try:
                self.gateway.send(key=row.key, address=row.address, body=row.body)
            except NotAnswered as error:
                self._failed(row, error, waiting=left)
                return sent
            except NotSent as error:
                self._failed(row, error, waiting=[row])
            else:
                with self.sessions.begin() as session:
                    note_sent(session, rows=[row], by=self.gateway.name, now=self.clock())
                sent += 1
            left = left[1:]
        return sent

    def _failed(self, row: OutboxRow, error: NotSent, *, waiting: Sequence[OutboxRow]) -> None:
        log.warning("not told; it will be tried again", key=row.key, gateway=self.gateway.name, error=str(error))
        pause = timedelta(seconds=min(PUT_OFF_SECONDS_MAX, 2 ** min(row.attempts, 10)))
        with self.sessions.begin() as session:
            outbox.put_off(session, rows=waiting, until=self.clock() + pause, tried=[row])


def drain(
    *,
    sessions: sessionmaker[Session],
    clock: Callable[[], datetime],
    gateway: NotifyGateway,
    limit: int = ROWS_A_ROUND,
) -> int:
    """Try up to `limit` unsent rows once each and answer how many were sent. What fails stays, and is tried again after a pause that
    doubles up to a minute. Addresses are served side by side: one where nobody answers delays no other by more than its one timeout.

    A crash between sending and noting sends again under the same key; a crash before sending loses nothing."""
    now = clock()
    with sessions.begin() as session:
        rows = outbox.claim(
            session,
            channel=outbox.NOTIFY,
            now=now,
            until=now + CLAIM,
            limit=limit,
            an_address_max=AN_ADDRESS_A_ROUND,
        )
    sender = _Sender(sessions=sessions, clock=clock, gateway=gateway)
    lines = _by_address(rows)
    if len(lines) <= 1:
        return sum(sender.send_all(line) for line in lines)
    with ThreadPoolExecutor(max_workers=min(ADDRESSES_AT_ONCE, len(lines)), thread_name_prefix="notify") as threads:
        return sum(threads.map(sender.send_all, lines))


def _by_address(rows: Iterable[OutboxRow]) -> list[list[OutboxRow]]:
    """Each address's rows, the addresses in the order of their first: what failed before comes last."""
    lines: dict[str, list[OutboxRow]] = {}
    for row in rows:
        lines.setdefault(row.address, []).append(row)
    return list(lines.values())


def note_sent(session: Session, *, rows: Sequence[OutboxRow], by: str, now: datetime) -> None:
    """Mark rows sent and write "told" into their alerts' histories, once however often it was sent."""
    fresh = outbox.mark_sent(session, outbox_ids=[row.outbox_id for row in rows], now=now)
    told = [
        HistoryEntry(alert_id=row.body["alert_id"], at=now, who="popback", act="told", words=f"{row.address} by {by}")
        for row in rows
        if row.outbox_id in fresh and "alert_id" in row.body
    ]
    alert_store.add_history(session, entries=told)
