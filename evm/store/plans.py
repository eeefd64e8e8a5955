"""What was agreed, kept: support plans, task plan versions, planned visits with their slots, absences, pop-back requests.
Not how planned visits follow from task plans (evm.services.plan) and not rosters whole (evm.store.rosters).

Days are local dates and periods of days half-open: `[since_day, until_day)`."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, and_, bindparam, delete, insert, or_, select, update
from sqlalchemy.orm import Session

from evm.domain.ids import CustomerId, LocalityId, ProviderId, VisitId, WorkerId
from evm.domain.plan import Absence, Cancellation, PlannedVisit, SupportPlan, TaskPlan
from evm.domain.popback import PopbackRequest, PopbackState
from evm.store.plan_rows import (
    Slots,
    absence_of,
    absence_row,
    padded,
    planned_visit_of,
    planned_visit_row,
    popback_of,
    popback_row,
    support_plan_of,
    support_plan_row,
    task_plan_of,
    task_plan_row,
)
from evm.store.tables.people import customers
from evm.store.tables.plans import absences as absences_table
from evm.store.tables.plans import planned_slots, popback_requests, support_plans
from evm.store.tables.plans import planned_visits as visits_table
from evm.store.tables.plans import task_plans as task_plans_table
from evm.store.writes import bulk_insert

IDS_A_STATEMENT: Final = 500
ZONE: Final = "Europe/London"


def add_support_plans(session: Session, *, plans: Sequence[SupportPlan]) -> None:
    """Append support plans (one a customer and date of effect)."""
    bulk_insert(session, table=support_plans, rows=[support_plan_row(plan) for plan in plans])


def support_plan(session: Session, *, customer_id: CustomerId, on: date) -> SupportPlan | None:
    """The customer's support plan in force `on` a day, or None."""
    row = (
        session.execute(
            select(support_plans)
            .where(support_plans.c.customer_id == customer_id, support_plans.c.effective_from <= on)
            .order_by(support_plans.c.effective_from.desc())
            .limit(1)
        )
        .mappings()
        .first()
    )
    return None if row is None else support_plan_of(row)


def support_plans_of(
    session: Session, *, customer_ids: Collection[CustomerId]
) -> dict[CustomerId, tuple[SupportPlan, ...]]:
    """Every support plan of these customers by date of effect; a customer without one is absent."""
    found: defaultdict[CustomerId, tuple[SupportPlan, ...]] = defaultdict(tuple)
    for chosen in _in_chunks(support_plans.c.customer_id, customer_ids):
        statement = select(support_plans).where(*chosen).order_by(support_plans.c.effective_from)
        for row in session.execute(statement).mappings():
            plan = support_plan_of(row)
            found[plan.customer_id] += (plan,)
    return dict(found)


def add_task_plans(session: Session, *, plans: Sequence[TaskPlan]) -> None:
    """Append task plan versions; a version that is there already is refused by the database."""
    bulk_insert(session, table=task_plans_table, rows=[task_plan_row(plan) for plan in plans])


def task_plans(
    session: Session, *, customer_ids: Collection[CustomerId] | None, on: date | None = None
) -> tuple[TaskPlan, ...]:
    """Task plan versions by customer and version; with `on`, only the one in force that day for each customer."""
    found: list[TaskPlan] = []
    for chosen in _in_chunks(task_plans_table.c.customer_id, customer_ids):
        statement = select(task_plans_table).where(*chosen)
        if on is not None:
            statement = statement.where(task_plans_table.c.effective_from <= on)
        found += [task_plan_of(row) for row in session.execute(statement).mappings()]
    found.sort(key=lambda plan: (plan.customer_id, plan.version))
    if on is None:
        return tuple(found)
    return tuple({plan.customer_id: plan for plan in found}.values())


def add_planned_visits(session: Session, *, visits: Sequence[PlannedVisit], zone: str = ZONE) -> None:
    """Append planned visits and a row for each of their slots; ids must be new."""
    if not visits:
        return
    where = ZoneInfo(zone)
    session.execute(insert(visits_table), [planned_visit_row(visit, zone=where) for visit in visits])
    _add_slots(session, rostered={visit.visit_id: _slots(visit) for visit in visits})


def planned_visits(
    session: Session,
    *,
    customer_id: CustomerId | None = None,
    customer_ids: Collection[CustomerId] | None = None,
    provider_id: ProviderId | None = None,
    locality_id: LocalityId | None = None,
    worker_id: WorkerId | None = None,
    since_day: date,
    until_day: date,
) -> tuple[PlannedVisit, ...]:
    """Planned visits, cancelled ones too, whose local day lies in `[since_day, until_day)`, by start and id."""
    columns = visits_table.c
    wanted = [columns.care_day >= since_day, columns.care_day < until_day]
    for column, value in (
        (columns.customer_id, customer_id),
        (columns.provider_id, provider_id),
        (columns.locality_id, locality_id),
    ):
        if value is not None:
            wanted.append(column == value)
    if worker_id is not None:
        theirs = select(planned_slots.c.visit_id).where(planned_slots.c.worker_id == worker_id)
        wanted.append(columns.visit_id.in_(theirs))
    found: list[PlannedVisit] = []
    for chosen in _in_chunks(columns.customer_id, customer_ids):
        found += _load(session, where=and_(*wanted, *chosen))
    return tuple(sorted(found, key=lambda visit: (visit.start, visit.visit_id)))


def planned_visits_of(session: Session, *, visit_ids: Collection[VisitId]) -> tuple[PlannedVisit, ...]:
    """The planned visits with these ids that exist, by start and id."""
    found: list[PlannedVisit] = []
    for chosen in _in_chunks(visits_table.c.visit_id, visit_ids):
        found += _load(session, where=and_(*chosen))
    return tuple(sorted(found, key=lambda visit: (visit.start, visit.visit_id)))


def known_visit_ids(session: Session, *, visit_ids: Collection[VisitId]) -> frozenset[VisitId]:
    """Which of these ids are planned visits already, cancelled ones too."""
    found: set[VisitId] = set()
    for chosen in _in_chunks(visits_table.c.visit_id, visit_ids):
        found.update(VisitId(one) for one in session.execute(select(visits_table.c.visit_id).where(*chosen)).scalars())
    return frozenset(found)


def planned_visit(session: Session, *, visit_id: VisitId) -> PlannedVisit | None:
    """One planned visit, or None."""
    found = _load(session, where=visits_table.c.visit_id == visit_id)
    return found[0] if found else None


def set_rostered(session: Session, *, rostered: Mapping[VisitId, Sequence[WorkerId | None]]) -> None:
    """Put workers on the slots of planned visits: one entry a slot, None for an unfilled one. Replaces what was there."""
    if not rostered:
        return
    for chosen in _in_chunks(planned_slots.c.visit_id, rostered.keys()):
        session.execute(delete(planned_slots).where(*chosen))
    _add_slots(session, rostered={visit_id: tuple(workers) for visit_id, workers in rostered.items()})


def revise(session: Session, *, visits: Sequence[PlannedVisit], zone: str = ZONE) -> None:
    """Overwrite planned visits that are there with changed ones; the caller has raised `revision`. Slots follow `rostered`. Whose they are
    stays: only a transfer changes that (evm.store.transfers), and it may be going on meanwhile."""
    if not visits:
        return
    where = ZoneInfo(zone)
    rows = [planned_visit_row(visit, zone=where) for visit in visits]
    kept = {"visit_id", "provider_id"}
    changed: dict[str, Any] = {name: bindparam(f"new_{name}") for name in rows[0] if name not in kept}
    statement = update(visits_table).where(visits_table.c.visit_id == bindparam("the_id")).values(changed)
    session.connection().execute(
        statement,
        [
            {"the_id": row["visit_id"], **{f"new_{name}": value for name, value in row.items() if name not in kept}}
            for row in rows
        ],
    )
    set_rostered(session, rostered={visit.visit_id: _slots(visit) for visit in visits})


def cancel(session: Session, *, visit_id: VisitId, cancellation: Cancellation) -> bool:
    """Record that a planned visit will not happen; False when it is unknown or cancelled already. The revision stays: its
    deadlines are for the caller to void."""
    done = session.execute(
        update(visits_table)
        .where(visits_table.c.visit_id == visit_id, visits_table.c.cancelled_at.is_(None))
        .values(cancelled_at=cancellation.at, cancelled_by=cancellation.by.value, cancelled_reason=cancellation.reason)
        .returning(visits_table.c.visit_id)
    )
    return done.first() is not None


def add_absences(session: Session, *, absences: Sequence[Absence]) -> None:
    """Append spells in which customers are away."""
    if absences:
        session.execute(insert(absences_table), [absence_row(absence) for absence in absences])


def absences(
    session: Session,
    *,
    customer_ids: Collection[CustomerId] | None = None,
    provider_id: ProviderId | None = None,
    since: datetime,
    until: datetime,
) -> tuple[Absence, ...]:
    """Absences that touch `[since, until)` (aware UTC), by customer and start."""
    columns = absences_table.c
    touching = [columns.since < until, or_(columns.until.is_(None), columns.until > since)]
    if provider_id is not None:
        theirs = select(customers.c.customer_id).where(customers.c.provider_id == provider_id)
        touching.append(columns.customer_id.in_(theirs))
    found: list[Absence] = []
    for chosen in _in_chunks(columns.customer_id, customer_ids):
        rows = session.execute(select(absences_table).where(*touching, *chosen)).mappings()
        found += [absence_of(row) for row in rows]
    return tuple(sorted(found, key=lambda absence: (absence.customer_id, absence.since)))


def end_absence(session: Session, *, customer_id: CustomerId, until: datetime) -> int:
    """Close the customer's open absences at `until`, and the one that was to last beyond it; how many there were."""
    own = absences_table.c
    lasting = or_(own.until.is_(None), and_(own.since < until, own.until > until))
    done = session.execute(
        update(absences_table)
        .where(own.customer_id == customer_id, lasting)
        .values(until=until)
        .returning(absences_table.c.absence_id)
    )
    return len(done.all())


def add_popback_request(session: Session, *, request: PopbackRequest) -> None:
    """Append a pop-back request with its answer; its id must be new."""
    session.execute(insert(popback_requests).values(popback_row(request)))


def update_popback_request(session: Session, *, request: PopbackRequest) -> None:
    """Overwrite the state, visit, answer and alternatives of a request; what was asked never changes."""
    row = popback_row(request)
    session.execute(
        update(popback_requests)
        .where(popback_requests.c.request_id == request.request_id)
        .values({name: row[name] for name in ("state", "visit_id", "answer", "alternatives")})
    )


def popback_request(session: Session, *, request_id: str) -> PopbackRequest | None:
    """One pop-back request, or None."""
    statement = select(popback_requests).where(popback_requests.c.request_id == request_id)
    row = session.execute(statement).mappings().first()
    return None if row is None else popback_of(row)


def list_popback_requests(
    session: Session,
    *,
    customer_id: CustomerId | None = None,
    provider_id: ProviderId | None = None,
    state: PopbackState | None = None,
    visit_ids: Collection[VisitId] | None = None,
) -> tuple[PopbackRequest, ...]:
    """Pop-back requests by the moment they were asked, then id."""
    statement = select(popback_requests)
    if customer_id is not None:
        statement = statement.where(popback_requests.c.customer_id == customer_id)
    if provider_id is not None:
        theirs = select(customers.c.customer_id).where(customers.c.provider_id == provider_id)
        statement = statement.where(popback_requests.c.customer_id.in_(theirs))
    if state is not None:
        statement = statement.where(popback_requests.c.state == state.value)
    found: list[PopbackRequest] = []
    for chosen in _in_chunks(popback_requests.c.visit_id, visit_ids):
        found += [popback_of(row) for row in session.execute(statement.where(*chosen)).mappings()]
    return tuple(sorted(found, key=lambda request: (request.asked_at, request.request_id)))


def _slots(visit: PlannedVisit) -> Slots:
    return padded(visit.rostered, workers_needed=visit.workers_needed)


def _add_slots(session: Session, *, rostered: Mapping[VisitId, Slots]) -> None:
    rows = [
        {"visit_id": visit_id, "slot": slot, "worker_id": worker}
        for visit_id, workers in rostered.items()
        for slot, worker in enumerate(workers)
    ]
    if rows:
        session.execute(insert(planned_slots), rows)


def _load(session: Session, *, where: ColumnElement[bool]) -> list[PlannedVisit]:
    slots = _load_slots(session, visits=select(visits_table.c.visit_id).where(where))
    rows = session.execute(select(visits_table).where(where).order_by(visits_table.c.start_at, visits_table.c.visit_id))
    return [
        planned_visit_of(row, rostered=padded(slots[row["visit_id"]], workers_needed=row["workers_needed"]))
        for row in rows.mappings()
    ]


def _load_slots(session: Session, *, visits: Select[tuple[str]]) -> dict[str, list[WorkerId | None]]:
    found: defaultdict[str, list[WorkerId | None]] = defaultdict(list)
    statement = select(planned_slots.c.visit_id, planned_slots.c.slot, planned_slots.c.worker_id)
    for visit_id, slot, worker in session.execute(statement.where(planned_slots.c.visit_id.in_(visits))):
        workers = found[visit_id]
        workers.extend([None] * (slot + 1 - len(workers)))
        workers[slot] = worker
    return found


def _in_chunks(
    column: ColumnElement[str], ids: Collection[str] | Iterable[str] | None
) -> Iterator[list[ColumnElement[bool]]]:
    if ids is None:
        yield []
        return
    wanted = sorted(set(ids))
    for since in range(0, len(wanted), IDS_A_STATEMENT):
        yield [column.in_(wanted[since : since + IDS_A_STATEMENT])]
