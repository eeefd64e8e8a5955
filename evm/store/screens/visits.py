"""The day's visits, planned and unplanned, and all that hangs on one, as the pages show them. Not how they came about (reconcile)."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, RowMapping, Select, and_, case, func, or_, select, true
from sqlalchemy.orm import Session

from evm.domain.visit import Visit, VisitOutcome
from evm.store.evidence import indices_of_events
from evm.store.screens.invoices import invoices_visible
from evm.store.screens.scope import Scope, came_from_elsewhere, of_anybody_there, of_place_or_own, of_worker
from evm.store.tables.evidence import evidence
from evm.store.tables.money import charges, invoice_lines, invoices
from evm.store.tables.people import care_workers, customers, localities, providers
from evm.store.tables.plans import planned_slots, planned_visits
from evm.store.tables.visits import visits
from evm.store.visit_bodies import visit_of


class Listed(NamedTuple):
    """What a visit's status depends on. `outcome` is None before anything was reconciled; `is_open`: a care worker checked in and has not
    checked out."""

    visit_key: str
    start: datetime | None
    minutes_planned: int | None
    cancelled_at: datetime | None
    outcome: str | None
    is_open: bool


Judge = Callable[[Listed], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitRow:
    """One line of the day. `status` is what the page's judge made of it.

    `visit` is the newest reconciled version, None before there is one; `rostered` are (slot, worker id, name)."""

    visit_key: str
    visit_id: str | None
    customer_id: str
    customer_name: str
    provider_id: str
    provider_name: str
    locality_id: str
    locality_name: str
    care_day: date
    start: datetime | None
    minutes_planned: int | None
    workers_needed: int
    risk: str
    popback: bool
    revision: int
    task_plan_version: int | None
    cancelled_at: datetime | None
    cancelled_by: str | None
    cancelled_reason: str | None
    status: str
    minutes_evidenced: int | None
    version: int
    visit: Visit | None
    rostered: tuple[tuple[int, str | None, str | None], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DayPage:
    """One page of a day: counts by status over the whole filter but the status itself, the number that match, and the rows."""

    counts: Mapping[str, int]
    matching: int
    rows: tuple[VisitRow, ...]


def day(
    session: Session,
    *,
    scope: Scope,
    on: date,
    judge: Judge,
    locality_id: str | None = None,
    status: str | None = None,
    limit: int,
    offset: int,
) -> DayPage:
    """The visits of a care day by planned start, unplanned ones last; `judge` gives each its status as of now."""
    listed = [(row.visit_key, judge(row)) for row in _listed(session, scope, on=on, locality_id=locality_id)]
    wanted = [(key, found) for key, found in listed if status in {None, found}]
    return DayPage(
        counts=Counter(found for _, found in listed),
        matching=len(wanted),
        rows=_rows(session, statuses=dict(wanted[offset : offset + limit])),
    )


def one(session: Session, *, scope: Scope, visit_key: str, judge: Judge) -> VisitRow | None:
    """One visit by its key (the planned visit's id, or "unplanned:…"), None when it does not exist or is out of scope."""
    found = _listed(session, scope, visit_key=visit_key)
    return _rows(session, statuses={visit_key: judge(found[0])})[0] if found else None


def _listed(
    session: Session,
    scope: Scope,
    *,
    on: date | None = None,
    locality_id: str | None = None,
    visit_key: str | None = None,
) -> list[Listed]:
    asked = _Asked(on=on, locality_id=locality_id, visit_key=visit_key)
    planned, others = _planned(scope, asked), _unplanned(scope, asked)
    found = [_of_plan(row) for row in session.execute(planned)]
    unplanned = session.execute(others).all()
    if scope.provider_id is not None and scope.worker_id is None:
        found += [_of_plan(row) for row in session.execute(_planned_before(scope, asked))]
        found.sort(key=lambda row: (row.start, row.visit_key))
        unplanned = sorted(
            [*unplanned, *session.execute(_unplanned_before(scope, asked))], key=lambda row: row.visit_key
        )
    return found + [Listed(row.visit_key, None, None, None, row.outcome, is_open=False) for row in unplanned]


def _may_be_open() -> ColumnElement[bool]:
    """Which visits' bodies are worth reading for an open stay: somebody came, and nothing or not all of it need be closed."""
    somebody_came = visits.c.outcome.in_([VisitOutcome.DELIVERED.value, VisitOutcome.PART_DELIVERED.value])
    return and_(somebody_came, or_(visits.c.minutes == 0, planned_visits.c.workers_needed > 1))


def _of_plan(row: Row[Any]) -> Listed:
    slots = () if row.body is None else visit_of(row.body, version=0).slots
    stays = [slot.attendance for slot in slots if slot.attendance is not None]
    return Listed(
        visit_key=row.visit_key,
        start=row.start_at,
        minutes_planned=row.minutes_planned,
        cancelled_at=row.cancelled_at,
        outcome=row.outcome,
        is_open=any(stay.end is None for stay in stays),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """Which visits a list is of; None: any."""

    on: date | None
    locality_id: str | None
    visit_key: str | None


def _all_planned(scope: Scope, asked: _Asked) -> Select[Any]:
    planned, newest = planned_visits.c, visits.c
    return (
        select(
            planned.visit_id.label("visit_key"),
            planned.start_at,
            planned.minutes.label("minutes_planned"),
            planned.cancelled_at,
            newest.outcome,
            case((_may_be_open(), newest.body)).label("body"),
        )
        .outerjoin(visits, and_(newest.visit_key == planned.visit_id, newest.is_newest))
        .where(
            of_worker(scope, visit_id=planned.visit_id, visit_key=planned.visit_id),
            planned.care_day == asked.on if asked.on is not None else true(),
            planned.locality_id == asked.locality_id if asked.locality_id is not None else true(),
            planned.visit_id == asked.visit_key if asked.visit_key is not None else true(),
        )
        .order_by(planned.start_at, planned.visit_id)
    )


def _planned(scope: Scope, asked: _Asked) -> Select[Any]:
    planned = planned_visits.c
    return _all_planned(scope, asked).where(
        of_place_or_own(scope, provider=planned.provider_id, locality=planned.locality_id)
    )


def _planned_before(scope: Scope, asked: _Asked) -> Select[Any]:
    """Another provider's visits of those who have passed to this one since. A query of its own: in one with `_planned` no index served."""
    planned, came = planned_visits.c, came_from_elsewhere(scope)
    return (
        _all_planned(scope, asked)
        .join(came, came.c.subject_id == planned.customer_id)
        .where(
            planned.care_day < came.c.since,
            planned.provider_id != scope.provider_id,
            of_anybody_there(scope, locality=planned.locality_id),
        )
    )


def _all_unplanned(scope: Scope, asked: _Asked) -> Select[Any]:
    newest = visits.c
    return (
        select(newest.visit_key, newest.outcome)
        .join(customers, customers.c.customer_id == newest.customer_id)
        .where(
            newest.is_newest,
            newest.visit_id.is_(None),
            of_worker(scope, visit_id=newest.visit_id, visit_key=newest.visit_key),
            newest.care_day == asked.on if asked.on is not None else true(),
            customers.c.locality_id == asked.locality_id if asked.locality_id is not None else true(),
            newest.visit_key == asked.visit_key if asked.visit_key is not None else true(),
        )
        .order_by(newest.visit_key)
    )


def _unplanned(scope: Scope, asked: _Asked) -> Select[Any]:
    return _all_unplanned(scope, asked).where(
        of_place_or_own(scope, provider=visits.c.provider_id, locality=customers.c.locality_id)
    )


def _unplanned_before(scope: Scope, asked: _Asked) -> Select[Any]:
    newest, came = visits.c, came_from_elsewhere(scope)
    return (
        _all_unplanned(scope, asked)
        .join(came, came.c.subject_id == newest.customer_id)
        .where(
            newest.care_day < came.c.since,
            newest.provider_id != scope.provider_id,
            of_anybody_there(scope, locality=customers.c.locality_id),
        )
    )


def _rows(session: Session, *, statuses: Mapping[str, str]) -> tuple[VisitRow, ...]:
    keys = list(statuses)
    if not keys:
        return ()
    planned = {
        row["visit_id"]: row
        for row in session.execute(select(planned_visits).where(planned_visits.c.visit_id.in_(keys))).mappings()
    }
    newest = {
        row["visit_key"]: row
        for row in session.execute(select(visits).where(visits.c.visit_key.in_(keys), visits.c.is_newest)).mappings()
    }
    people = {(planned.get(key) or newest[key])["customer_id"] for key in keys}
    homes = {
        row["customer_id"]: row
        for row in session.execute(
            select(
                customers.c.customer_id,
                customers.c.name,
                customers.c.locality_id,
                localities.c.name.label("locality_name"),
            )
            .join(localities, localities.c.locality_id == customers.c.locality_id)
            .where(customers.c.customer_id.in_(people))
        ).mappings()
    }
    slots = _slots(session, visit_ids=list(planned))
    named = {row.provider_id: row.name for row in session.execute(select(providers.c.provider_id, providers.c.name))}
    return tuple(_row(key, statuses[key], planned.get(key), newest.get(key), homes, named, slots) for key in keys)


def _slots(session: Session, *, visit_ids: list[str]) -> dict[str, list[tuple[int, str | None, str | None]]]:
    found: dict[str, list[tuple[int, str | None, str | None]]] = {}
    rows = session.execute(
        select(planned_slots.c.visit_id, planned_slots.c.slot, planned_slots.c.worker_id, care_workers.c.name)
        .outerjoin(care_workers, care_workers.c.worker_id == planned_slots.c.worker_id)
        .where(planned_slots.c.visit_id.in_(visit_ids))
        .order_by(planned_slots.c.visit_id, planned_slots.c.slot)
    )
    for row in rows:
        found.setdefault(row.visit_id, []).append((row.slot, row.worker_id, row.name))
    return found


def _row(
    key: str,
    status: str,
    planned: RowMapping | None,
    newest: RowMapping | None,
    homes: Mapping[str, RowMapping],
    named: Mapping[str, str],
    slots: Mapping[str, list[tuple[int, str | None, str | None]]],
) -> VisitRow:
    source = planned or newest
    assert source is not None, "a listed visit is planned or recorded"
    home = homes[source["customer_id"]]
    return VisitRow(
        visit_key=key,
        visit_id=planned["visit_id"] if planned else None,
        customer_id=source["customer_id"],
        customer_name=home["name"],
        provider_id=source["provider_id"],
        provider_name=named[source["provider_id"]],
        locality_id=home["locality_id"],
        locality_name=home["locality_name"],
        care_day=source["care_day"],
        start=planned["start_at"] if planned else None,
        minutes_planned=planned["minutes"] if planned else None,
        workers_needed=planned["workers_needed"] if planned else 1,
        risk=planned["risk"] if planned else "standard",
        popback=bool(planned and planned["popback"]),
        revision=planned["revision"] if planned else 0,
        task_plan_version=planned["task_plan_version"] if planned else None,
        cancelled_at=planned["cancelled_at"] if planned else None,
        cancelled_by=planned["cancelled_by"] if planned else None,
        cancelled_reason=planned["cancelled_reason"] if planned else None,
        status=status,
        minutes_evidenced=newest["minutes"] if newest else None,
        version=newest["version"] if newest else 0,
        visit=visit_of(newest["body"], version=newest["version"]) if newest else None,
        rostered=tuple(slots.get(key, ())),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One event of the evidence log as a page shows it; `log_index` and `sha256` are its receipt. `distance_m` is filled by the page."""

    log_index: int
    event_id: str
    sha256: str
    verdict: str
    source: str
    device_type: str
    device_id: str
    kind: str
    at: datetime
    received_at: datetime
    method: str
    grade_time: str
    grade_place: str
    worker_id: str | None
    worker_name: str | None
    visit_id: str | None
    latitude: float | None
    longitude: float | None
    accuracy_m: float | None
    mock: bool | None
    body: Mapping[str, Any]
    flags: tuple[str, ...]
    waits: bool


_EVENT_FIELDS = tuple(name for name in EventRow.__slots__ if name not in {"worker_name", "flags"})


def events(
    session: Session,
    *,
    customer_id: str,
    visit_id: str | None,
    event_ids: tuple[str, ...],
    since: datetime,
    until: datetime,
    limit: int = 200,
) -> tuple[EventRow, ...]:
    """The events a visit rests on, and every other of this customer in `[since, until)`: what else was said at that time."""
    columns = evidence.c
    named: list[ColumnElement[bool]] = [indices_of_events(event_ids)] if event_ids else []
    if visit_id is not None:
        named.append(columns.visit_id == visit_id)
    rows = session.execute(
        select(*(columns[name] for name in _EVENT_FIELDS), columns.flags, care_workers.c.name.label("worker_name"))
        .outerjoin(care_workers, care_workers.c.worker_id == columns.worker_id)
        .where(columns.customer_id == customer_id, or_(and_(columns.at >= since, columns.at < until), *named))
        .order_by(columns.at, columns.log_index)
        .limit(limit)
    ).mappings()
    return tuple(
        EventRow(
            worker_name=row["worker_name"],
            flags=tuple(row["flags"] or ()),
            **{name: row[name] for name in _EVENT_FIELDS},
        )
        for row in rows
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeRow:
    """Priced minutes of one slot, with the sentence that explains them."""

    visit_version: int
    slot: int
    agreement_id: str
    agreement_version: int
    minutes: int
    pence: int
    rule: str
    words: str


def charges_of(session: Session, *, visit_key: str) -> tuple[ChargeRow, ...]:
    """The charges of a visit's newest priced version, by slot and line."""
    newest = select(func.max(charges.c.visit_version)).where(charges.c.visit_key == visit_key).scalar_subquery()
    rows = session.execute(
        select(*(charges.c[name] for name in ChargeRow.__slots__))
        .where(charges.c.visit_key == visit_key, charges.c.visit_version == newest)
        .order_by(charges.c.slot, charges.c.line)
    ).mappings()
    return tuple(ChargeRow(**dict(row)) for row in rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedRow:
    """An invoice line that claims this visit."""

    invoice_id: str
    number: str
    line_no: int
    slot: int
    pence_claimed: int
    minutes_claimed: int


def claims_of(session: Session, *, visit_id: str, scope: Scope) -> tuple[ClaimedRow, ...]:
    """The invoice lines that claim a planned visit, of invoices the scope covers."""
    rows = session.execute(
        select(
            invoice_lines.c.invoice_id,
            invoices.c.number,
            invoice_lines.c.line_no,
            invoice_lines.c.slot,
            invoice_lines.c.pence_claimed,
            invoice_lines.c.minutes_claimed,
        )
        .join(invoices, invoices.c.invoice_id == invoice_lines.c.invoice_id)
        .where(invoice_lines.c.visit_id == visit_id, invoices_visible(scope))
        .order_by(invoice_lines.c.invoice_id, invoice_lines.c.line_no)
    ).mappings()
    return tuple(ClaimedRow(**dict(row)) for row in rows)


def home_of(session: Session, *, customer_id: str) -> RowMapping | None:
    """Name, address and where the home is, for the visit's page."""
    return (
        session.execute(
            select(
                customers.c.name,
                customers.c.address,
                customers.c.postcode,
                customers.c.phone,
                customers.c.next_of_kin_name,
                customers.c.next_of_kin_phone,
                customers.c.latitude,
                customers.c.longitude,
                customers.c.radius_m,
            ).where(customers.c.customer_id == customer_id)
        )
        .mappings()
        .one_or_none()
    )


def workers_named(session: Session, *, worker_ids: frozenset[str]) -> dict[str, str]:
    """Names of care workers by id."""
    rows = session.execute(
        select(care_workers.c.worker_id, care_workers.c.name).where(care_workers.c.worker_id.in_(worker_ids))
    )
    return {row.worker_id: row.name for row in rows}
