"""Files uploaded to be taken in, between the look at what they would do and the doing. Not what was taken in (evm.store.imports).

A file's bytes are kept only while somebody may still confirm it. Whoever works on an upload changes its state only from the state it was
given: a process taken for dead finds its work refused, and rolls back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from evm.store.tables.areas import import_uploads as t


class UploadState(StrEnum):
    """How far an upload has come. Nothing but TAKEN has changed anything."""

    CHECKING = "checking"
    CHECKED = "checked"
    TAKING = "taking"
    TAKEN = "taken"
    REFUSED = "refused"
    STOPPED = "stopped"


RUNNING = frozenset({UploadState.CHECKING, UploadState.TAKING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One file on its way. `worker` is the process that works on it; `beat_at` when that was last heard of."""

    upload_id: str
    account_id: str
    kind: str
    layout: str
    provider_id: str | None
    council_id: str | None
    exported_at: datetime | None
    file_name: str
    sha256: str
    size_bytes: int
    state: UploadState
    worker: str
    rows_done: int
    rows_total: int
    report: Mapping[str, Any] | None
    words: str | None
    created_at: datetime
    beat_at: datetime
    expires_at: datetime


_COLUMNS = tuple(column for column in t.c if column.name != "content")


def add(session: Session, *, upload: Upload, content: bytes) -> None:
    """Keep a file until it is confirmed or expires."""
    values = {column.name: getattr(upload, column.name) for column in _COLUMNS}
    session.execute(insert(t).values({**values, "state": upload.state.value, "content": content}))


def upload(session: Session, *, upload_id: str) -> Upload | None:
    """One upload without its bytes, or None."""
    row = session.execute(select(*_COLUMNS).where(t.c.upload_id == upload_id)).mappings().first()
    return None if row is None else _upload(row)


def waiting(session: Session, *, account_id: str) -> tuple[Upload, ...]:
    """The account's uploads whose bytes are still kept, the newest first."""
    query = select(*_COLUMNS).where(t.c.account_id == account_id, t.c.content.is_not(None))
    rows = session.execute(query.order_by(t.c.created_at.desc(), t.c.upload_id)).mappings()
    return tuple(_upload(row) for row in rows)


def content(session: Session, *, upload_id: str) -> bytes | None:
    """The file's bytes, None when they are gone."""
    return session.execute(select(t.c.content).where(t.c.upload_id == upload_id)).scalar_one_or_none()


def start_taking(session: Session, *, upload_id: str, worker: str, now: datetime) -> bool:
    """From CHECKED to TAKING; False when it is in any other state (somebody pressed twice) or has expired."""
    done = session.execute(
        update(t)
        .where(t.c.upload_id == upload_id, t.c.state == UploadState.CHECKED.value, t.c.expires_at > now)
        .values(state=UploadState.TAKING.value, worker=worker, beat_at=now, rows_done=0)
        .returning(t.c.upload_id)
    )
    return done.first() is not None


def beat(session: Session, *, upload_id: str, rows_done: int, rows_total: int, now: datetime) -> bool:
    """Say how far it is; False when it is no longer to be worked on."""
    done = session.execute(
        update(t)
        .where(t.c.upload_id == upload_id, t.c.state.in_([state.value for state in RUNNING]))
        .values(rows_done=rows_done, rows_total=rows_total, beat_at=now)
        .returning(t.c.upload_id)
    )
    return done.first() is not None


def may_beat(session: Session) -> bool:
    """Whether a beat gets through while the file is being written: on SQLite the one writer is the import itself."""
    return session.get_bind().dialect.name == "postgresql"


def end(
    session: Session,
    *,
    upload_id: str,
    state: UploadState,
    was: UploadState,
    expires_at: datetime,
    report: Mapping[str, Any] | None = None,
    words: str | None = None,
) -> bool:
    """From `was` to its next state; the bytes go unless it is CHECKED. False, and nothing is changed, when it was not in `was`."""
    values: dict[str, Any] = {"state": state.value, "expires_at": expires_at, "words": words}
    if report is not None:
        values["report"] = dict(report)
    if state is not UploadState.CHECKED:
        values["content"] = None
    done = session.execute(
        update(t).where(t.c.upload_id == upload_id, t.c.state == was.value).values(values).returning(t.c.upload_id)
    )
    return done.first() is not None


def forget_expired(session: Session, *, now: datetime) -> int:
    """Delete what nobody confirmed or asked about in time; how many."""
    gone = session.execute(delete(t).where(t.c.expires_at <= now).returning(t.c.upload_id))
    return len(gone.all())


def count(session: Session) -> int:
    """How many uploads are kept."""
    return session.execute(select(func.count()).select_from(t)).scalar_one()


def _upload(row: Mapping[Any, Any]) -> Upload:
    values = {column.name: row[column.name] for column in _COLUMNS}
    return Upload(**{**values, "state": UploadState(row["state"])})
