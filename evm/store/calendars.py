"""Secret addresses of calendars: only hashes of their tokens are kept. Not what a calendar says (evm.services.exports.calendar)."""

from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from evm.store.tables.transfers import calendar_addresses


def add_address(session: Session, *, token_sha256: str, kind: str, subject_id: str, now: datetime, by: str) -> None:
    """Keep that a token opens the calendar of this customer or worker."""
    session.execute(
        insert(calendar_addresses).values(
            token_sha256=token_sha256, kind=kind, subject_id=subject_id, made_at=now, made_by=by
        )
    )


def subject_of(session: Session, *, token_sha256: str) -> tuple[str, str] | None:
    """(kind, id) that a token opens; None when it is unknown or was revoked."""
    own = calendar_addresses.c
    query = select(own.kind, own.subject_id).where(own.token_sha256 == token_sha256, own.revoked_at.is_(None))
    row = session.execute(query).first()
    return None if row is None else (row.kind, row.subject_id)


def revoke(session: Session, *, kind: str, subject_id: str, now: datetime) -> int:
    """End every address of this customer's or worker's calendar; how many there were."""
    own = calendar_addresses.c
    done = session.execute(
        update(calendar_addresses)
        .where(own.kind == kind, own.subject_id == subject_id, own.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(own.token_sha256)
    )
    return len(done.all())
