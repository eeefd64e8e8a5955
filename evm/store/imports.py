"""What was taken in from files, and the task plans whose visits have yet to follow. Not the reading of files (evm.services.imports)."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime

from sqlalchemy import RowMapping, bindparam, delete, func, insert, select, text, update
from sqlalchemy.orm import Session

from evm.domain.ids import CouncilId, CustomerId, ProviderId
from evm.store.tables import imports as t
from evm.store.writes import insert_new


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRecord:
    """A file that was taken in: once for each kind and content (`sha256`). Instants are aware UTC."""

    kind: str
    sha256: str
    file_name: str
    layout: str
    provider_id: ProviderId | None
    council_id: CouncilId | None
    imported_at: datetime
    imported_by: str
    exported_at: datetime | None
    rows_read: int
    rows_new: int
    rows_changed: int
    rows_same: int


def hold(session: Session, *, kind: str) -> None:
    """Wait until no other transaction imports this kind; held until the caller's ends. SQLite has one writer at a time anyway."""
    if session.get_bind().dialect.name == "postgresql":
        key = int.from_bytes(hashlib.sha256(f"popback import {kind}".encode()).digest()[:8], "big", signed=True)
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def add_record(session: Session, *, record: ImportRecord) -> None:
    """Append; the same content of the same kind twice is refused by the database."""
    session.execute(insert(t.imports).values(asdict(record)))


def record_of(session: Session, *, kind: str, sha256: str) -> ImportRecord | None:
    """The import of a file of this kind and content, or None."""
    query = select(t.imports).where(t.imports.c.kind == kind, t.imports.c.sha256 == sha256)
    row = session.execute(query).mappings().first()
    return None if row is None else _record(row)


def records(session: Session, *, kind: str | None = None, limit: int = 100) -> tuple[ImportRecord, ...]:
    """What was taken in, the newest first."""
    query = select(t.imports).order_by(t.imports.c.imported_at.desc(), t.imports.c.import_id.desc()).limit(limit)
    if kind is not None:
        query = query.where(t.imports.c.kind == kind)
    return tuple(_record(row) for row in session.execute(query).mappings())


def newest_export(
    session: Session, *, kind: str, provider_id: ProviderId | None, council_id: CouncilId | None
) -> ImportRecord | None:
    """Of the files of this kind taken in for the same provider and council, the one exported last (of those that said when)."""
    c = t.imports.c
    query = (
        select(t.imports)
        .where(
            c.kind == kind,
            c.provider_id.is_(None) if provider_id is None else c.provider_id == provider_id,
            c.council_id.is_(None) if council_id is None else c.council_id == council_id,
            c.exported_at.is_not(None),
        )
        .order_by(c.exported_at.desc())
        .limit(1)
    )
    row = session.execute(query).mappings().first()
    return None if row is None else _record(row)


def _record(row: RowMapping) -> ImportRecord:
    return ImportRecord(**{name: value for name, value in row.items() if name != "import_id"})


def queue_plans(session: Session, *, since: Mapping[CustomerId, date], now: datetime) -> None:
    """Ask for these customers' planned visits to follow their task plans from a local day on; the earlier day of two stays."""
    if not since:
        return
    rows = [
        {"customer_id": customer_id, "since_day": day, "queued_at": now} for customer_id, day in sorted(since.items())
    ]
    session.connection().execute(insert_new(session, t.plans_to_follow), rows)
    c = t.plans_to_follow.c
    earlier = update(t.plans_to_follow).where(c.customer_id == bindparam("the_id"), c.since_day > bindparam("the_day"))
    session.connection().execute(
        earlier.values(since_day=bindparam("the_day")),
        [{"the_id": row["customer_id"], "the_day": row["since_day"]} for row in rows],
    )


def take_plans(session: Session, *, limit: int) -> dict[CustomerId, date]:
    """Remove up to `limit` of the oldest requests and answer them. They come back if the caller's transaction does not commit; on
    PostgreSQL two takers never get the same one."""
    c = t.plans_to_follow.c
    query = select(c.customer_id, c.since_day).order_by(c.queued_at, c.customer_id).limit(limit)
    found = {CustomerId(r.customer_id): r.since_day for r in session.execute(query.with_for_update(skip_locked=True))}
    if found:
        session.execute(delete(t.plans_to_follow).where(c.customer_id.in_(sorted(found))))
    return found


def plans_waiting(session: Session) -> int:
    """How many customers' visits have yet to follow."""
    return session.execute(select(func.count()).select_from(t.plans_to_follow)).scalar_one()


def keep_unrolled(session: Session, *, customer_ids: Collection[CustomerId], until_day: date) -> None:
    """Have these customers' task plans unrolled every day from now on; those that are already stay as they are."""
    rows = [{"customer_id": customer_id, "until_day": until_day} for customer_id in sorted(set(customer_ids))]
    if rows:
        session.connection().execute(insert_new(session, t.plan_horizons), rows)


def take_horizons(session: Session, *, before: date, limit: int) -> dict[CustomerId, date]:
    """Up to `limit` customers whose task plans are unrolled to a day before `before` only, and that day. Locked on PostgreSQL, so that
    one process at a time unrolls a customer's."""
    c = t.plan_horizons.c
    query = select(t.plan_horizons).where(c.until_day < before).order_by(c.until_day, c.customer_id).limit(limit)
    rows = session.execute(query.with_for_update(skip_locked=True))
    return {CustomerId(row.customer_id): row.until_day for row in rows}


def set_horizons(session: Session, *, customer_ids: Collection[CustomerId], until_day: date) -> None:
    """Record how far these customers' task plans are unrolled."""
    c = t.plan_horizons.c
    session.execute(
        update(t.plan_horizons).where(c.customer_id.in_(sorted(set(customer_ids)))).values(until_day=until_day)
    )
