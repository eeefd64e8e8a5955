"""Counts that say how the service fares. Not the facts themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from evm.store.tables.alerts import alerts, deadlines, outbox
from evm.store.tables.evidence import evidence, quarantine, reconcile_queue, watermarks


def figures(session: Session, *, now: datetime) -> dict[str, tuple[str, float]]:
    """Name, what it says, and the number. `now` is aware UTC."""
    stored = session.execute(select(func.coalesce(func.max(evidence.c.log_index), 0))).scalar_one()
    refused = session.execute(select(func.coalesce(func.max(quarantine.c.log_index), 0))).scalar_one()
    queued = session.execute(select(func.count()).select_from(reconcile_queue)).scalar_one()
    overdue = session.execute(
        select(func.count()).select_from(deadlines).where(deadlines.c.judged_at.is_(None), deadlines.c.due_at < now)
    ).scalar_one()
    unsent = session.execute(select(func.count()).select_from(outbox).where(outbox.c.sent_at.is_(None))).scalar_one()
    opened = session.execute(select(func.count()).select_from(alerts).where(alerts.c.state != "closed")).scalar_one()
    newest = session.execute(select(func.max(watermarks.c.received_at))).scalar_one()
    return {
        "evidence_events": ("Events in the evidence log.", float(stored)),
        "quarantined_messages": ("Messages kept in quarantine.", float(refused)),
        "reconcile_queue": ("Customer days waiting to be reconciled.", float(queued)),
        "deadlines_overdue": ("Deadlines that are due and not judged.", float(overdue)),
        "outbox_unsent": ("Messages waiting to be sent.", float(unsent)),
        "alerts_unclosed": ("Alerts that a person must still close.", float(opened)),
        "evidence_age_seconds": (
            "Seconds since the newest event came in; -1 when none has.",
            -1.0 if newest is None else (now - newest).total_seconds(),
        ),
    }


WAITING: Final = MappingProxyType(
    {
        "overdue_deadlines": "Deadlines that are due and not judged.",
        "overdue_seconds": "How long the oldest of them has been due.",
        "reconcile_backlog": "Customer days waiting to be reconciled.",
        "oldest_unsent_seconds": "How long the oldest message to a person has waited to be sent.",
        "quarantined_messages": "Messages kept in quarantine.",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What waits for the standing jobs or for a person: `figures` by the names of `WAITING`, `unsent` messages by channel."""

    figures: Mapping[str, float]
    unsent: Mapping[str, int]


def waiting(session: Session, *, now: datetime) -> Waiting:
    """What waits now (aware UTC)."""
    is_due = (deadlines.c.judged_at.is_(None), deadlines.c.due_at <= now)
    overdue, oldest = session.execute(select(func.count(), func.min(deadlines.c.due_at)).where(*is_due)).one()
    queued = session.execute(select(func.count()).select_from(reconcile_queue)).scalar_one()
    refused = session.execute(select(func.coalesce(func.max(quarantine.c.log_index), 0))).scalar_one()
    channels = select(outbox.c.channel, func.count().label("waiting")).where(outbox.c.sent_at.is_(None))
    unsent = {row.channel: row.waiting for row in session.execute(channels.group_by(outbox.c.channel))}
    untold = session.execute(
        select(func.min(outbox.c.created_at)).where(outbox.c.sent_at.is_(None), outbox.c.channel == "notify")
    ).scalar_one()
    return Waiting(
        figures={
            "overdue_deadlines": float(overdue),
            "overdue_seconds": _age(oldest, now),
            "reconcile_backlog": float(queued),
            "oldest_unsent_seconds": _age(untold, now),
            "quarantined_messages": float(refused),
        },
        unsent={"notify": 0, "down": 0} | unsent,
    )


def _age(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())
