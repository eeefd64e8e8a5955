"""What exports are made of, read a care day at a time under a scope, in pieces of a few hundred visits: memory stays flat however many
days are asked for. Not the files' columns (evm.services.exports)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import and_, func, insert, select
from sqlalchemy.orm import Session

from evm.domain.ids import CustomerId, VisitId, WorkerId
from evm.domain.people import TravelMode
from evm.domain.place import Home
from evm.domain.visit import Visit
from evm.store.money import newest_of_all
from evm.store.screens.scope import Scope, of_place
from evm.store.tables.money import charges, invoice_lines, invoices
from evm.store.tables.people import care_workers, customers, localities
from evm.store.tables.plans import planned_slots, planned_visits, support_plans
from evm.store.tables.transfers import exports_made
from evm.store.tables.visits import visits
from evm.store.visit_bodies import visit_of

VISITS_A_PIECE: Final = 400
POSTGRESQL: Final = "postgresql"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """An invoice line for one slot with its newest verdict; None until it is judged."""

    number: str
    pence_claimed: int
    verdict: str | None
    payable_pence: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Care:
    """One visit, planned (`start` set) or not, with what happened, was charged and was claimed. `rostered`, `charged` (minutes, pence)
    and `claimed` are by slot."""

    visit_key: str
    visit_id: VisitId | None
    customer_id: CustomerId
    customer_name: str
    provider_id: str
    locality_id: str
    council_id: str
    care_day: date
    start: datetime | None
    minutes: int | None
    workers_needed: int
    popback: bool
    cancelled_by: str | None
    cancelled_at: datetime | None
    visit: Visit | None
    commissioned_minutes_week: int | None
    rostered: dict[int, WorkerId | None]
    charged: dict[int, tuple[int, int]]
    claimed: dict[int, tuple[Claimed, ...]]


def one_moment(session: Session) -> None:
    """Let everything this session reads be of one moment, before its first statement: on PostgreSQL a snapshot; SQLite has one anyway."""
    if session.get_bind().dialect.name == POSTGRESQL:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


def count_care(session: Session, *, scope: Scope, since_day: date, until_day: date) -> int:
    """How many visits, planned ones and others, an export of these days would read."""
    planned, newest = planned_visits.c, visits.c
    expected = select(func.count()).where(
        of_place(scope, provider=planned.provider_id, locality=planned.locality_id),
        planned.care_day >= since_day,
        planned.care_day < until_day,
    )
    others = (
        select(func.count())
        .select_from(visits)
        .join(customers, customers.c.customer_id == newest.customer_id)
        .where(
            of_place(scope, provider=newest.provider_id, locality=customers.c.locality_id),
            newest.is_newest,
            newest.visit_id.is_(None),
            newest.care_day >= since_day,
            newest.care_day < until_day,
        )
    )
    return int(session.execute(expected).scalar_one()) + int(session.execute(others).scalar_one())


def care_of_day(session: Session, *, scope: Scope, day: date) -> Iterator[Care]:
    """The visits of a care day: planned ones by start and id, then the others by key. Worker scope has none."""
    if scope.nothing or scope.worker_id is not None:
        return
    planned, newest = planned_visits.c, visits.c
    expected = session.execute(
        select(planned.visit_id)
        .where(of_place(scope, provider=planned.provider_id, locality=planned.locality_id), planned.care_day == day)
        .order_by(planned.start_at, planned.visit_id)
    ).scalars()
    for piece in _pieces(list(expected)):
        yield from _care(session, piece, day)
    others = session.execute(
        select(newest.visit_key)
        .join(customers, customers.c.customer_id == newest.customer_id)
        .where(
            of_place(scope, provider=newest.provider_id, locality=customers.c.locality_id),
            newest.is_newest,
            newest.visit_id.is_(None),
            newest.care_day == day,
        )
        .order_by(newest.visit_key)
    ).scalars()
    for piece in _pieces(list(others)):
        yield from _care(session, piece, day)


def commissioned(session: Session, *, customer_ids: Sequence[CustomerId], on: date) -> dict[CustomerId, int]:
    """Minutes a week of each customer's support plan in force on a day; absent without one."""
    found: dict[CustomerId, int] = {}
    plan = support_plans.c
    for piece in _pieces(sorted(set(customer_ids))):
        query = select(plan.customer_id, plan.commissioned_minutes_week).where(
            plan.customer_id.in_(piece), plan.effective_from <= on
        )
        for row in session.execute(query.order_by(plan.effective_from)):
            found[CustomerId(row.customer_id)] = row.commissioned_minutes_week
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """A care worker as payroll needs to know them."""

    name: str
    mode: TravelMode


def workers_paid(session: Session, *, worker_ids: Sequence[WorkerId]) -> dict[WorkerId, Paid]:
    """Name and mode of travel of these workers."""
    found: dict[WorkerId, Paid] = {}
    own = care_workers.c
    for piece in _pieces(sorted(set(worker_ids))):
        for row in session.execute(select(own.worker_id, own.name, own.mode).where(own.worker_id.in_(piece))):
            found[WorkerId(row.worker_id)] = Paid(name=row.name, mode=TravelMode(row.mode))
    return found


def homes_of(session: Session, *, customer_ids: Sequence[CustomerId]) -> dict[CustomerId, Home]:
    """Where these customers live."""
    found: dict[CustomerId, Home] = {}
    own = customers.c
    for piece in _pieces(sorted(set(customer_ids))):
        query = select(own.customer_id, own.latitude, own.longitude, own.radius_m).where(own.customer_id.in_(piece))
        for row in session.execute(query):
            home = Home(latitude=row.latitude, longitude=row.longitude, radius_m=row.radius_m)
            found[CustomerId(row.customer_id)] = home
    return found


def note(session: Session, *, name: str, who: str, asked: dict[str, Any], rows: int, now: datetime) -> None:
    """Keep that somebody took an export away: what, which days and scope, how many rows."""
    session.execute(insert(exports_made).values(at=now, who=who, name=name, asked=asked, rows=rows))


def _care(session: Session, keys: Sequence[str], day: date) -> Iterator[Care]:
    planned = {
        row.visit_id: row for row in session.execute(select(planned_visits).where(planned_visits.c.visit_id.in_(keys)))
    }
    query = select(visits).where(visits.c.visit_key.in_(keys), visits.c.is_newest)
    newest = {row.visit_key: row for row in session.execute(query)}
    homes = _customers(session, sorted({(planned.get(key) or newest[key]).customer_id for key in keys}))
    weekly = commissioned(session, customer_ids=[CustomerId(one) for one in homes], on=day)
    councils = {
        row.locality_id: row.council_id
        for row in session.execute(select(localities.c.locality_id, localities.c.council_id))
    }
    rostered, charged, claimed = _rostered(session, keys), _charged(session, keys), _claimed(session, keys)
    for key in keys:
        plan, met = planned.get(key), newest.get(key)
        source = plan or met
        assert source is not None, "it was listed"
        locality = plan.locality_id if plan else homes[source.customer_id].locality_id
        yield Care(
            visit_key=key,
            visit_id=VisitId(plan.visit_id) if plan else None,
            customer_id=CustomerId(source.customer_id),
            customer_name=homes[source.customer_id].name,
            provider_id=source.provider_id,
            locality_id=locality,
            council_id=councils[locality],
            care_day=source.care_day,
            start=plan.start_at if plan else None,
            minutes=plan.minutes if plan else None,
            workers_needed=plan.workers_needed if plan else 1,
            popback=bool(plan and plan.popback),
            cancelled_by=plan.cancelled_by if plan else None,
            cancelled_at=plan.cancelled_at if plan else None,
            visit=visit_of(met.body, version=met.version) if met else None,
            commissioned_minutes_week=weekly.get(CustomerId(source.customer_id)),
            rostered=rostered.get(key, {}),
            charged=charged.get(key, {}),
            claimed=claimed.get(key, {}),
        )


def _customers(session: Session, ids: Sequence[str]) -> dict[str, Any]:
    own = customers.c
    query = select(own.customer_id, own.name, own.locality_id).where(own.customer_id.in_(ids))
    return {row.customer_id: row for row in session.execute(query)}


def _rostered(session: Session, keys: Sequence[str]) -> dict[str, dict[int, WorkerId | None]]:
    found: dict[str, dict[int, WorkerId | None]] = {}
    for row in session.execute(select(planned_slots).where(planned_slots.c.visit_id.in_(keys))):
        found.setdefault(row.visit_id, {})[row.slot] = None if row.worker_id is None else WorkerId(row.worker_id)
    return found


def _charged(session: Session, keys: Sequence[str]) -> dict[str, dict[int, tuple[int, int]]]:
    """Minutes and pence of the newest priced version, by visit and slot: a visit reconciled since is not priced yet."""
    own = charges.c
    newest = (
        select(visits.c.visit_key, visits.c.version).where(visits.c.visit_key.in_(keys), visits.c.is_newest).subquery()
    )
    query = (
        select(own.visit_key, own.slot, func.sum(own.minutes).label("minutes"), func.sum(own.pence).label("pence"))
        .join(newest, and_(newest.c.visit_key == own.visit_key, newest.c.version == own.visit_version))
        .group_by(own.visit_key, own.slot)
    )
    found: dict[str, dict[int, tuple[int, int]]] = {}
    for row in session.execute(query):
        found.setdefault(row.visit_key, {})[row.slot] = (int(row.minutes), int(row.pence))
    return found


def _claimed(session: Session, keys: Sequence[str]) -> dict[str, dict[int, tuple[Claimed, ...]]]:
    line = invoice_lines.c
    newest = newest_of_all(select(line.invoice_id).where(line.visit_id.in_(keys)).distinct())
    query = (
        select(
            line.visit_id, line.slot, invoices.c.number, line.pence_claimed, newest.c.verdict, newest.c.payable_pence
        )
        .join(invoices, invoices.c.invoice_id == line.invoice_id)
        .join(planned_visits, planned_visits.c.visit_id == line.visit_id)
        .outerjoin(newest, and_(newest.c.invoice_id == line.invoice_id, newest.c.line_no == line.line_no))
        .where(line.visit_id.in_(keys), invoices.c.provider_id == planned_visits.c.provider_id)
        .order_by(line.visit_id, line.slot, invoices.c.number, line.line_no)
    )
    found: dict[str, dict[int, tuple[Claimed, ...]]] = {}
    for row in session.execute(query):
        claim = Claimed(
            number=row.number, pence_claimed=row.pence_claimed, verdict=row.verdict, payable_pence=row.payable_pence
        )
        slots = found.setdefault(row.visit_id, {})
        slots[row.slot] = (*slots.get(row.slot, ()), claim)
    return found


def _pieces(keys: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(keys), VISITS_A_PIECE):
        yield list(keys[start : start + VISITS_A_PIECE])
