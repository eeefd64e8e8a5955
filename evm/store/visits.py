"""Visits as reconciled, every version kept, and flags about workers. Not how they are concluded (evm.services.reconcile)."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.orm import Session

from evm.domain.ids import CustomerId, ProviderId, VisitId, WorkerId
from evm.domain.visit import Visit, VisitOutcome
from evm.store.tables.visits import visits as t
from evm.store.tables.visits import worker_flags
from evm.store.visit_bodies import body_of, visit_of

KEYS_A_STATEMENT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFlag:
    """Something found about a worker's days, with its sentences; the worker can reply. `care_day`: cramming built into one day's
    roster. `period_until` is the first day after. `body`: the visits and the test's numbers."""

    code: str
    provider: ProviderId
    worker: WorkerId
    care_day: date | None
    period_since: date
    period_until: date
    found_at: datetime
    words: str
    body: dict[str, Any]
    reply: str | None = None
    flag_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    """One version of a visit and when it was concluded."""

    visit: Visit
    reconciled_at: datetime


def visit_key(visit: Visit) -> str:
    """The planned visit's id, or "unplanned:" and the attendance's id."""
    if visit.visit_id is not None:
        return visit.visit_id
    attendance = visit.slots[0].attendance
    assert attendance is not None, "an unplanned visit is an attendance"
    return f"unplanned:{attendance.attendance_id}"


def newest(
    session: Session,
    *,
    since_day: date,
    until_day: date,
    provider_id: ProviderId | None = None,
    customer_id: CustomerId | None = None,
    outcome: VisitOutcome | None = None,
) -> tuple[Visit, ...]:
    """The newest version of every visit with its care day in `[since_day, until_day)`, by planned start and key."""
    query = select(t.c.version, t.c.body).where(t.c.is_newest, t.c.care_day >= since_day, t.c.care_day < until_day)
    if provider_id is not None:
        query = query.where(t.c.provider_id == provider_id)
    if customer_id is not None:
        query = query.where(t.c.customer_id == customer_id)
    if outcome is not None:
        query = query.where(t.c.outcome == outcome.value)
    rows = session.execute(query.order_by(t.c.care_day, t.c.planned_start_at, t.c.visit_key))
    return tuple(visit_of(r.body, version=r.version) for r in rows)


def newest_of(session: Session, *, visit_ids: Collection[VisitId]) -> dict[VisitId, Visit]:
    """The newest version of these planned visits; one never reconciled is absent."""
    found: dict[VisitId, Visit] = {}
    for keys in _chunks(visit_ids):
        query = select(t.c.visit_key, t.c.version, t.c.body).where(t.c.is_newest, t.c.visit_key.in_(keys))
        found.update((VisitId(r.visit_key), visit_of(r.body, version=r.version)) for r in session.execute(query))
    return found


def versions(session: Session, *, visit_key: str) -> tuple[VersionRow, ...]:
    """Every version of a visit, the first first; empty if unknown."""
    query = select(t.c.version, t.c.body, t.c.reconciled_at).where(t.c.visit_key == visit_key).order_by(t.c.version)
    return tuple(
        VersionRow(visit=visit_of(r.body, version=r.version), reconciled_at=r.reconciled_at)
        for r in session.execute(query)
    )


def append_versions(
    session: Session,
    *,
    visits: Sequence[Visit],
    now: datetime,
    customer_days: Collection[tuple[CustomerId, date]] = (),
) -> tuple[str, ...]:
    """Write a new version of each visit whose content changed, and answer their keys.

    `customer_days` are days reconciled whole: an unplanned visit that stood there before and is not among `visits` is withdrawn
    (its attendance belongs to a planned visit now). Its versions stay; none of them is the newest any more."""
    wanted = {visit_key(visit): visit for visit in visits}
    bodies = {key: body_of(visit) for key, visit in wanted.items()}
    old = _newest_bodies(session, wanted)
    changed = [key for key, body in bodies.items() if old.get(key) != body]
    last = _last_versions(session, changed)
    withdrawn = [key for key in _unplanned_on(session, customer_days) if key not in wanted]
    _no_longer_newest(session, [*(key for key in changed if key in last), *withdrawn])
    rows = [_values(key, wanted[key], bodies[key], last.get(key, 0) + 1, now) for key in changed]
    if rows:
        session.connection().execute(insert(t), rows)
    return tuple(changed)


def add_worker_flags(session: Session, *, flags: Sequence[WorkerFlag]) -> None:
    """Record flags."""
    if flags:
        session.execute(insert(worker_flags), [_flag_values(flag) for flag in flags])


def worker_flag_list(
    session: Session,
    *,
    provider_id: ProviderId | None = None,
    worker_id: WorkerId | None = None,
    code: str | None = None,
    period: tuple[date, date] | None = None,
) -> tuple[WorkerFlag, ...]:
    """Flags by worker, code and day; `period` is exact: (since, until)."""
    c = worker_flags.c
    query = select(worker_flags).order_by(c.worker_id, c.code, c.care_day, c.flag_id)
    if provider_id is not None:
        query = query.where(c.provider_id == provider_id)
    if worker_id is not None:
        query = query.where(c.worker_id == worker_id)
    if code is not None:
        query = query.where(c.code == code)
    if period is not None:
        query = query.where(c.period_since == period[0], c.period_until == period[1])
    return tuple(_flag(r) for r in session.execute(query))


def reply_to_flag(session: Session, *, flag_id: int, reply: str) -> bool:
    """Keep what the worker answers. False: no such flag."""
    query = update(worker_flags).where(worker_flags.c.flag_id == flag_id).values(reply=reply)
    return session.execute(query.returning(worker_flags.c.flag_id)).first() is not None


def _newest_bodies(session: Session, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for some in _chunks(keys):
        query = select(t.c.visit_key, t.c.body).where(t.c.is_newest, t.c.visit_key.in_(some))
        found.update((r.visit_key, r.body) for r in session.execute(query))
    return found


def _last_versions(session: Session, keys: Iterable[str]) -> dict[str, int]:
    last: dict[str, int] = {}
    for some in _chunks(keys):
        query = select(t.c.visit_key, func.max(t.c.version)).where(t.c.visit_key.in_(some)).group_by(t.c.visit_key)
        last.update((key, version) for key, version in session.execute(query))
    return last


def _unplanned_on(session: Session, customer_days: Collection[tuple[CustomerId, date]]) -> list[str]:
    days = {day for _, day in customer_days}
    found: list[str] = []
    for some in _chunks({customer for customer, _ in customer_days}):
        query = select(t.c.visit_key, t.c.customer_id, t.c.care_day).where(
            t.c.is_newest,
            t.c.visit_id.is_(None),
            t.c.customer_id.in_(some),
            t.c.care_day >= min(days),
            t.c.care_day <= max(days),
        )
        found += [r.visit_key for r in session.execute(query) if (r.customer_id, r.care_day) in customer_days]
    return sorted(found)


def _no_longer_newest(session: Session, keys: Iterable[str]) -> None:
    for some in _chunks(keys):
        session.execute(update(t).where(t.c.is_newest, t.c.visit_key.in_(some)).values(is_newest=False))


def _chunks(keys: Iterable[str]) -> Iterator[list[str]]:
    ordered = sorted(set(keys))
    for start in range(0, len(ordered), KEYS_A_STATEMENT):
        yield ordered[start : start + KEYS_A_STATEMENT]


def _values(key: str, visit: Visit, body: dict[str, Any], version: int, now: datetime) -> dict[str, Any]:
    return {
        "visit_key": key,
        "version": version,
        "is_newest": True,
        "reconciled_at": now,
        "visit_id": visit.visit_id,
        "customer_id": visit.customer,
        "provider_id": visit.provider,
        "care_day": date.fromisoformat(visit.care_day),
        "planned_start_at": visit.planned_start,
        "outcome": visit.outcome.value,
        "minutes": sum(slot.attendance.minutes for slot in visit.slots if slot.attendance is not None),
        "body": body,
    }


def _flag_values(flag: WorkerFlag) -> dict[str, Any]:
    return {
        "code": flag.code,
        "provider_id": flag.provider,
        "worker_id": flag.worker,
        "care_day": flag.care_day,
        "period_since": flag.period_since,
        "period_until": flag.period_until,
        "found_at": flag.found_at,
        "words": flag.words,
        "body": flag.body,
        "reply": flag.reply,
    }


def _flag(r: Row[Any]) -> WorkerFlag:
    return WorkerFlag(
        code=r.code,
        provider=ProviderId(r.provider_id),
        worker=WorkerId(r.worker_id),
        care_day=r.care_day,
        period_since=r.period_since,
        period_until=r.period_until,
        found_at=r.found_at,
        words=r.words,
        body=r.body,
        reply=r.reply,
        flag_id=r.flag_id,
    )
