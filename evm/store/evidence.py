"""The evidence log: appended, never changed (the database refuses). Rows in, `Evidence` out. Not quarantine and not what ingest keeps
about devices (evm.store.ingest_state), and not what is concluded from it (evm.store.visits)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Row, Select, and_, func, or_, select, text
from sqlalchemy.orm import Session

from evm.domain.evidence import Amendment, EventKind, Evidence, Grade, Method, Source, TaskOutcome
from evm.domain.ids import CustomerId, DeviceId, EventId, ProviderId, VisitId, WorkerId
from evm.domain.place import Position
from evm.store.tables.evidence import evidence as t
from evm.store.tables.evidence import evidence_keys as keys
from evm.store.writes import bulk_insert

STORED = "stored"
CONFLICT = "conflict"
ID_CHUNK = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRow:
    """One event to append: what was concluded about it, and the exact bytes. `extra` is kept in `body` beside what `Evidence` holds."""

    evidence: Evidence
    payload: bytes
    device_type: str
    sequence: int | None = None
    previous: str | None = None
    verdict: str = STORED
    extra: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """One row of the log as a page or an auditor reads it. `body` holds what is not a column."""

    index: int
    evidence: Evidence
    payload: bytes
    device_type: str
    sequence: int | None
    previous: str | None
    verdict: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What dedupe needs of a stored row."""

    index: int
    sha256: str
    verdict: str
    customer: CustomerId | None
    worker: WorkerId | None
    at: datetime


EventKey = tuple[ProviderId, DeviceId, EventId]
Presence = tuple[WorkerId, CustomerId, datetime]
"""Who was with whom and when."""


def append(session: Session, *, rows: Sequence[NewRow]) -> tuple[int, ...]:
    """Append, and answer each row's log index in the order given. Raises IntegrityError when the very same event stands already."""
    indices = _next_indices(session, len(rows))
    values = [{"log_index": index, **_values(row)} for index, row in zip(indices, rows, strict=True)]
    bulk_insert(session, table=keys, rows=[{name: row[name] for name in keys.c.keys()} for row in values])  # noqa: SIM118 -- no dict
    bulk_insert(session, table=t, rows=values)
    return indices


def append_many(session: Session, *, rows: Sequence[NewRow]) -> int:
    """As `append`, for who does not ask for the indices (imports). Answers how many."""
    return len(append(session, rows=rows))


def _next_indices(session: Session, count: int) -> tuple[int, ...]:
    """As many new log indices, ascending. PostgreSQL's leave gaps where a transaction is rolled back; SQLite's do not."""
    if session.get_bind().dialect.name == "postgresql":
        query = text("SELECT nextval(pg_get_serial_sequence('evidence', 'log_index')) FROM generate_series(1, :count)")
        return tuple(session.execute(query, {"count": count}).scalars()) if count else ()
    newest = session.execute(select(func.max(t.c.log_index))).scalar() or 0 if count else 0
    return tuple(range(newest + 1, newest + count + 1))


def known(session: Session, *, events: Collection[EventKey]) -> dict[EventKey, tuple[Known, ...]]:
    """Rows that stand already under these (provider, device, event) keys, the first stored first."""
    found: dict[EventKey, tuple[Known, ...]] = {}
    c = t.c
    among = set(events)
    wanted = sorted(among)
    for start in range(0, len(wanted), ID_CHUNK):
        query = (
            select(
                c.provider_id,
                c.device_id,
                c.event_id,
                c.log_index,
                c.sha256,
                c.verdict,
                c.customer_id,
                c.worker_id,
                c.at,
            )
            .join(keys, and_(keys.c.log_index == c.log_index, keys.c.received_at == c.received_at))
            .where(keys.c.event_id.in_([event for _, _, event in wanted[start : start + ID_CHUNK]]))
        )
        for r in session.execute(query.order_by(c.log_index)):
            key = (ProviderId(r.provider_id), DeviceId(r.device_id), EventId(r.event_id))
            if key not in among:
                continue
            row = Known(
                index=r.log_index,
                sha256=r.sha256,
                verdict=r.verdict,
                customer=None if r.customer_id is None else CustomerId(r.customer_id),
                worker=None if r.worker_id is None else WorkerId(r.worker_id),
                at=r.at,
            )
            found[key] = (*found.get(key, ()), row)
    return found


def evidence_for(
    session: Session,
    *,
    since: datetime,
    until: datetime,
    customer_ids: Collection[CustomerId] | None = None,
    worker_ids: Collection[WorkerId] | None = None,
    provider_id: ProviderId | None = None,
) -> tuple[Evidence, ...]:
    """Evidence with `at` in `[since, until)`, oldest first, of any of these customers or any of these workers (both None: everybody)."""
    queries: list[Select[Any]] = []
    base = select(*_EVIDENCE_COLUMNS).where(t.c.at >= since, t.c.at < until)
    if provider_id is not None:
        base = base.where(t.c.provider_id == provider_id)
    if customer_ids is None and worker_ids is None:
        queries.append(base)
    for column, ids in ((t.c.customer_id, customer_ids), (t.c.worker_id, worker_ids)):
        wanted = sorted(set(ids or ()))
        queries += [base.where(column.in_(wanted[i : i + ID_CHUNK])) for i in range(0, len(wanted), ID_CHUNK)]
    rows: dict[int, Row[Any]] = {}
    for query in queries:
        rows.update((r.log_index, r) for r in session.execute(query))
    return tuple(_evidence(r) for r in sorted(rows.values(), key=lambda r: (r.at, r.log_index)))


def presence(
    session: Session,
    *,
    worker_ids: Collection[WorkerId],
    since: datetime,
    until: datetime,
    ahead_max: timedelta | None = None,
) -> tuple[tuple[Presence, EventKind], ...]:
    """These workers' check-ins and check-outs in `[since, until)`, by worker and instant; with `ahead_max` without those that were
    received longer than that before they are said to have happened."""
    c = t.c
    query = select(c.worker_id, c.customer_id, c.at, c.kind, c.received_at).where(
        c.worker_id.in_(sorted(set(worker_ids))),
        c.at >= since,
        c.at < until,
        c.customer_id.is_not(None),
        c.kind.in_((EventKind.CHECK_IN, EventKind.CHECK_OUT)),
    )
    return tuple(
        ((WorkerId(r.worker_id), CustomerId(r.customer_id), r.at), _KINDS[r.kind])
        for r in session.execute(query.order_by(c.worker_id, c.at, c.log_index))
        if ahead_max is None or r.at - r.received_at <= ahead_max
    )


def workers_at(
    session: Session, *, customer_ids: Collection[CustomerId], since: datetime, until: datetime
) -> frozenset[WorkerId]:
    """Every worker with evidence at any of these customers in `[since, until)`."""
    found: set[WorkerId] = set()
    wanted = sorted(set(customer_ids))
    for start in range(0, len(wanted), ID_CHUNK):
        query = select(t.c.worker_id).where(
            t.c.customer_id.in_(wanted[start : start + ID_CHUNK]),
            t.c.at >= since,
            t.c.at < until,
            t.c.worker_id.is_not(None),
        )
        found.update(WorkerId(worker) for worker in session.execute(query.distinct()).scalars())
    return frozenset(found)


def presence_at(
    session: Session, *, customer_ids: Collection[CustomerId], since: datetime, until: datetime
) -> tuple[tuple[Presence, EventKind], ...]:
    """Who came to and left these customers in `[since, until)`, oldest first."""
    c = t.c
    found: list[tuple[Presence, EventKind]] = []
    wanted = sorted(set(customer_ids))
    for start in range(0, len(wanted), ID_CHUNK):
        query = select(c.worker_id, c.customer_id, c.at, c.kind).where(
            c.customer_id.in_(wanted[start : start + ID_CHUNK]),
            c.at >= since,
            c.at < until,
            c.worker_id.is_not(None),
            c.kind.in_((EventKind.CHECK_IN.value, EventKind.CHECK_OUT.value)),
        )
        found += [
            ((WorkerId(r.worker_id), CustomerId(r.customer_id), r.at), _KINDS[r.kind])
            for r in session.execute(query.order_by(c.at, c.log_index))
        ]
    return tuple(found)


def later_amendments(
    session: Session, *, customer_ids: Collection[CustomerId], since: datetime
) -> tuple[Evidence, ...]:
    """Amendments at these customers made at `since` or later: a correction comes days after the visit it corrects."""
    found: list[Evidence] = []
    wanted = sorted(set(customer_ids))
    for start in range(0, len(wanted), ID_CHUNK):
        query = select(*_EVIDENCE_COLUMNS).where(
            t.c.customer_id.in_(wanted[start : start + ID_CHUNK]),
            t.c.at >= since,
            t.c.kind == EventKind.AMENDMENT.value,
        )
        found += [_evidence(r) for r in session.execute(query)]
    return tuple(sorted(found, key=lambda e: (e.at, e.event_id)))


def instants_at(
    session: Session, *, customer_ids: Collection[CustomerId], since: datetime, until: datetime
) -> frozenset[tuple[CustomerId, datetime]]:
    """When anything was recorded at each of these customers in `[since, until)`."""
    found: set[tuple[CustomerId, datetime]] = set()
    wanted = sorted(set(customer_ids))
    for start in range(0, len(wanted), ID_CHUNK):
        query = select(t.c.customer_id, t.c.at).where(
            t.c.customer_id.in_(wanted[start : start + ID_CHUNK]), t.c.at >= since, t.c.at < until
        )
        found.update((CustomerId(r.customer_id), r.at) for r in session.execute(query))
    return frozenset(found)


def evidence_of_event(
    session: Session, *, event_id: EventId, provider_id: ProviderId | None = None
) -> tuple[StoredEvent, ...]:
    """Every row stored under an event's id, the first stored first: more than one is a conflict."""
    return events(session, event_ids=[event_id], provider_id=provider_id)


def events(
    session: Session,
    *,
    event_ids: Collection[str] | None = None,
    indices: Collection[int] | None = None,
    kind: EventKind | None = None,
    since: datetime | None = None,
    provider_id: ProviderId | None = None,
) -> tuple[StoredEvent, ...]:
    """Whole rows in log order; every given condition must hold. `since` is of receipt."""
    query = select(t).order_by(t.c.log_index)
    if event_ids is not None:
        query = query.where(indices_of_events(event_ids))
    if indices is not None:
        query = query.where(t.c.log_index.in_(sorted(set(indices))))
    if kind is not None:
        query = query.where(t.c.kind == kind)
    if since is not None:
        query = query.where(t.c.received_at >= since)
    if provider_id is not None:
        query = query.where(t.c.provider_id == provider_id)
    return tuple(_stored(r) for r in session.execute(query))


def indices_of_events(event_ids: Collection[str]) -> ColumnElement[bool]:
    """The condition that a row of the log is of one of these events."""
    named = select(keys.c.log_index).where(keys.c.event_id.in_(sorted(set(event_ids))))
    return t.c.log_index.in_(named)


def fixes_seen(session: Session, *, fixes: Collection[tuple[str, float, float]]) -> frozenset[tuple[str, float, float]]:
    """Which of these (worker, latitude, longitude), exact to the last digit, stand in the log already."""
    wanted = set(fixes)
    workers = sorted({w for w, _, _ in wanted})
    latitudes = sorted({lat for _, lat, _ in wanted})
    c = t.c
    query = select(c.worker_id, c.latitude, c.longitude).where(c.worker_id.in_(workers), c.latitude.in_(latitudes))
    rows = session.execute(query) if wanted else ()
    return frozenset({(r.worker_id, r.latitude, r.longitude) for r in rows} & wanted)


def sequences_after(
    session: Session, *, after: dict[tuple[ProviderId, DeviceId], int]
) -> dict[tuple[ProviderId, DeviceId], list[int]]:
    """For each device its stored sequence numbers above the given one, ascending."""
    found: dict[tuple[ProviderId, DeviceId], list[int]] = {}
    conditions = [
        and_(t.c.provider_id == provider, t.c.device_id == device, t.c.sequence > low)
        for (provider, device), low in sorted(after.items())
    ]
    for start in range(0, len(conditions), 100):
        query = select(t.c.provider_id, t.c.device_id, t.c.sequence).where(or_(*conditions[start : start + 100]))
        for r in session.execute(query.order_by(t.c.sequence)):
            found.setdefault((ProviderId(r.provider_id), DeviceId(r.device_id)), []).append(r.sequence)
    return found


_EVIDENCE_COLUMNS = tuple(
    column for column in t.c if column.name not in {"payload", "device_type", "sequence", "previous", "verdict"}
)


def _values(row: NewRow) -> dict[str, Any]:
    e = row.evidence
    fix = e.position
    return {
        "received_at": e.received_at,
        "payload": row.payload,
        "sha256": e.sha256,
        "verdict": row.verdict,
        "source": e.source.value,
        "device_type": row.device_type,
        "provider_id": e.provider,
        "device_id": e.device,
        "event_id": e.event_id,
        "sequence": row.sequence,
        "previous": row.previous,
        "kind": e.kind.value,
        "at": e.at,
        "method": e.method.value,
        "grade_time": e.grade_time.value,
        "grade_place": e.grade_place.value,
        "worker_id": e.worker,
        "customer_id": e.customer,
        "visit_id": e.visit,
        "latitude": None if fix is None else fix.latitude,
        "longitude": None if fix is None else fix.longitude,
        "accuracy_m": None if fix is None else fix.accuracy_m,
        "mock": None if fix is None else fix.mock,
        "body": _body(row),
        "flags": list(e.flags),
        "waits": e.waits,
    }


def _body(row: NewRow) -> dict[str, Any]:
    e = row.evidence
    body: dict[str, Any] = {name: value for name, value in row.extra if value is not None}
    if e.tasks:
        body["tasks"] = [{"code": task.code, "done": task.done, "reason": task.reason} for task in e.tasks]
    if e.words is not None:
        body["words"] = e.words
    if e.amendment is not None:
        body["amendment"] = orjson.loads(orjson.dumps(e.amendment))
    return body


def _evidence(r: Row[Any]) -> Evidence:
    body = r.body
    return Evidence(
        event_id=r.event_id,
        sha256=r.sha256,
        source=_SOURCES[r.source],
        provider=r.provider_id,
        device=r.device_id,
        kind=_KINDS[r.kind],
        at=r.at,
        received_at=r.received_at,
        method=_METHODS[r.method],
        grade_time=_GRADES[r.grade_time],
        grade_place=_GRADES[r.grade_place],
        worker=r.worker_id,
        customer=r.customer_id,
        visit=r.visit_id,
        position=_position(r),
        tasks=tuple(TaskOutcome(**task) for task in body["tasks"]) if "tasks" in body else (),
        words=body.get("words"),
        amendment=_amendment(body.get("amendment")),
        flags=tuple(r.flags),
        waits=r.waits,
    )


def _position(r: Row[Any]) -> Position | None:
    if r.latitude is None or r.longitude is None:
        return None
    return Position(latitude=r.latitude, longitude=r.longitude, accuracy_m=r.accuracy_m, mock=bool(r.mock))


def _amendment(body: dict[str, Any] | None) -> Amendment | None:
    if body is None:
        return None
    check_in, check_out = body["check_in_at"], body["check_out_at"]
    return Amendment(
        visit=VisitId(body["visit"]),
        worker=WorkerId(body["worker"]),
        check_in_at=None if check_in is None else datetime.fromisoformat(check_in),
        check_out_at=None if check_out is None else datetime.fromisoformat(check_out),
        reason_code=body["reason_code"],
        memo=body["memo"],
        attested_by=body["attested_by"],
        approved_by=body["approved_by"],
    )


def _stored(r: Row[Any]) -> StoredEvent:
    return StoredEvent(
        index=r.log_index,
        evidence=_evidence(r),
        payload=r.payload,
        device_type=r.device_type,
        sequence=r.sequence,
        previous=r.previous,
        verdict=r.verdict,
        body=r.body,
    )


_SOURCES = {source.value: source for source in Source}
_KINDS = {kind.value: kind for kind in EventKind}
_METHODS = {method.value: method for method in Method}
_GRADES = {grade.value: grade for grade in Grade}
