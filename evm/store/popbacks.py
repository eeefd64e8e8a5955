"""Pop-back requests that came as evidence and wait for an answer. Not the requests themselves (evm.store.plans)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, select, text
from sqlalchemy.orm import Session

from evm.domain.evidence import EventKind
from evm.domain.ids import CustomerId, EventId
from evm.store.evidence import STORED
from evm.store.tables.evidence import evidence
from evm.store.tables.plans import popback_requests

IS_REQUEST: Final = text(f"evidence.kind = '{EventKind.POPBACK_REQUEST.value}'")
"""Spelt out, not bound: only then does the database see that its small index of requests answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedByPhone:
    """A pop-back as a phone sent it; `received_at` is when it reached us, which notice counts from. `asked_by` is the worker's id,
    or the device's."""

    event_id: EventId
    customer_id: CustomerId
    received_at: datetime
    asked_by: str
    wanted_at: datetime
    minutes: int


def unanswered(session: Session, *, limit: int) -> tuple[AskedByPhone, ...]:
    """Pop-back events of known customers that have become no request yet, the first stored first. An event that names no time or no
    minutes asks for nothing that can be answered and is not among them."""
    rows = session.execute(question())
    found: list[AskedByPhone] = []
    for row in rows:
        wanted_at, minutes = row.body.get("popback_at"), row.body.get("popback_minutes")
        if len(found) < limit and wanted_at is not None and minutes is not None:
            found.append(
                AskedByPhone(
                    event_id=EventId(row.event_id),
                    customer_id=CustomerId(row.customer_id),
                    received_at=row.received_at,
                    asked_by=row.worker_id or row.device_id,
                    wanted_at=datetime.fromisoformat(wanted_at),
                    minutes=int(minutes),
                )
            )
    return tuple(found)


def question() -> Select[Any]:
    """The statement of `unanswered`."""
    columns = evidence.c
    answered = select(popback_requests.c.request_id).where(popback_requests.c.request_id == columns.event_id)
    return (
        select(
            columns.event_id,
            columns.customer_id,
            columns.received_at,
            columns.worker_id,
            columns.device_id,
            columns.body,
        )
        .where(
            IS_REQUEST,
            columns.verdict == STORED,
            columns.customer_id.is_not(None),
            ~answered.exists(),
        )
        .order_by(columns.log_index)
    )
