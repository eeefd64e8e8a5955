"""Rosters kept whole, draft and published, and the past that a new roster looks at (who attended whom, hours already planned).
Not the making of a roster (evm.services.roster) and not who is on which visit now (evm.store.plans)."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import RowMapping, func, insert, select, update
from sqlalchemy.orm import Session

from evm.domain.evidence import EventKind
from evm.domain.ids import CustomerId, LocalityId, ProviderId, WorkerId
from evm.store.locks import hold
from evm.store.tables.evidence import evidence
from evm.store.tables.people import customers
from evm.store.tables.plans import planned_slots, planned_visits
from evm.store.tables.rosters import rosters


class RosterState(StrEnum):
    DRAFT = "draft"
    PUBLISHED = "published"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterRecord:
    """One roster of a locality, provider and local day. `body` is plain JSON (evm.services.roster_body says its shape).

    `version` counts the rosters of that locality, provider and day from 1. `unfilled` counts slots; `violations` is the
    independent verifier's count; `travel_seconds` sums all runs."""

    roster_id: str
    locality_id: LocalityId
    provider_id: ProviderId
    day: date
    state: RosterState
    version: int
    made_at: datetime
    published_at: datetime | None
    published_by: str | None
    input_sha256: str
    unfilled: int
    violations: int
    travel_seconds: int
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStint:
    """One slot that a worker is rostered on: `[start, start + minutes)`, aware UTC."""

    worker_id: WorkerId
    customer_id: CustomerId
    start: datetime
    minutes: int


def hold_day(session: Session, *, locality_id: LocalityId, provider_id: ProviderId, day: date) -> None:
    """Let nobody else number, publish or put a visit into a roster of this locality, provider and day until the transaction ends."""
    hold(session, names=[f"roster|{locality_id}|{provider_id}|{day.isoformat()}"])


def add(session: Session, *, record: RosterRecord) -> None:
    """Append a roster; its id must be new."""
    row = {name: getattr(record, name) for name in RosterRecord.__slots__}
    session.execute(insert(rosters).values(row | {"state": record.state.value, "body": dict(record.body)}))


def roster(session: Session, *, roster_id: str) -> RosterRecord | None:
    """One roster, or None."""
    row = session.execute(select(rosters).where(rosters.c.roster_id == roster_id)).mappings().first()
    return None if row is None else _record_of(row)


def list_rosters(
    session: Session,
    *,
    locality_id: LocalityId | None = None,
    provider_id: ProviderId | None = None,
    since_day: date,
    until_day: date,
    state: RosterState | None = None,
) -> tuple[RosterRecord, ...]:
    """Rosters whose day lies in `[since_day, until_day)`, by day, locality, provider and version."""
    columns = rosters.c
    statement = select(rosters).where(columns.day >= since_day, columns.day < until_day)
    if locality_id is not None:
        statement = statement.where(columns.locality_id == locality_id)
    if provider_id is not None:
        statement = statement.where(columns.provider_id == provider_id)
    if state is not None:
        statement = statement.where(columns.state == state.value)
    ordered = statement.order_by(columns.day, columns.locality_id, columns.provider_id, columns.version)
    return tuple(_record_of(row) for row in session.execute(ordered).mappings())


def published(session: Session, *, locality_id: LocalityId, provider_id: ProviderId, day: date) -> RosterRecord | None:
    """The published roster of a locality, provider and day, or None."""
    return _newest(session, locality_id=locality_id, provider_id=provider_id, day=day, state=RosterState.PUBLISHED)


def draft(session: Session, *, locality_id: LocalityId, provider_id: ProviderId, day: date) -> RosterRecord | None:
    """The newest draft roster of a locality, provider and day, or None."""
    return _newest(session, locality_id=locality_id, provider_id=provider_id, day=day, state=RosterState.DRAFT)


def next_version(session: Session, *, locality_id: LocalityId, provider_id: ProviderId, day: date) -> int:
    """The version that the next roster of this locality, provider and day gets, from 1; nobody else gets it until this transaction ends."""
    hold_day(session, locality_id=locality_id, provider_id=provider_id, day=day)
    columns = rosters.c
    newest = session.execute(
        select(func.max(columns.version)).where(
            columns.locality_id == locality_id, columns.provider_id == provider_id, columns.day == day
        )
    ).scalar()
    return 1 if newest is None else int(newest) + 1


def mark_published(session: Session, *, record: RosterRecord, at: datetime, by: str) -> bool:
    """Turn a draft into the published roster, with the record's body, and the one published before it into a superseded one.

    False, and nothing is changed, when the roster is not a draft any more (somebody else was quicker)."""
    hold_day(session, locality_id=record.locality_id, provider_id=record.provider_id, day=record.day)
    columns = rosters.c
    done = session.execute(
        update(rosters)
        .where(columns.roster_id == record.roster_id, columns.state == RosterState.DRAFT.value)
        .values(state=RosterState.PUBLISHED.value, published_at=at, published_by=by, body=dict(record.body))
        .returning(columns.roster_id)
    )
    if done.first() is None:
        return False
    session.execute(
        update(rosters)
        .where(
            columns.locality_id == record.locality_id,
            columns.provider_id == record.provider_id,
            columns.day == record.day,
            columns.state == RosterState.PUBLISHED.value,
            columns.roster_id != record.roster_id,
        )
        .values(state=RosterState.SUPERSEDED.value)
    )
    return True


def check_ins_counted(
    session: Session, *, locality_id: LocalityId, provider_id: ProviderId, since: datetime, until: datetime
) -> dict[CustomerId, dict[WorkerId, int]]:
    """How often each worker checked in with each customer of a locality in `[since, until)` (aware UTC), for continuity."""
    columns = evidence.c
    theirs = select(customers.c.customer_id).where(
        customers.c.locality_id == locality_id, customers.c.provider_id == provider_id
    )
    counted = session.execute(
        select(columns.customer_id, columns.worker_id, func.count())
        .where(
            columns.kind == EventKind.CHECK_IN.value,
            columns.at >= since,
            columns.at < until,
            columns.worker_id.is_not(None),
            columns.customer_id.in_(theirs),
        )
        .group_by(columns.customer_id, columns.worker_id)
    )
    found: defaultdict[CustomerId, dict[WorkerId, int]] = defaultdict(dict)
    for customer, worker, times in counted:
        found[CustomerId(customer)][WorkerId(worker)] = int(times)
    return dict(found)


def with_visits(session: Session, *, since_day: date, until_day: date) -> tuple[tuple[LocalityId, ProviderId], ...]:
    """Localities and providers that have a visit, not cancelled, planned in `[since_day, until_day)`, by id."""
    columns = planned_visits.c
    found = session.execute(
        select(columns.locality_id, columns.provider_id)
        .where(columns.care_day >= since_day, columns.care_day < until_day, columns.cancelled_at.is_(None))
        .distinct()
    )
    return tuple(sorted((LocalityId(locality), ProviderId(provider)) for locality, provider in found))


def stints(
    session: Session, *, worker_ids: Collection[WorkerId], since_day: date, until_day: date
) -> tuple[PlannedStint, ...]:
    """Slots, not cancelled, that these workers are rostered on in `[since_day, until_day)`, by worker and start."""
    if not worker_ids:
        return ()
    visits, slots = planned_visits.c, planned_slots.c
    wanted = set(worker_ids)
    rows = session.execute(
        select(slots.worker_id, visits.customer_id, visits.start_at, visits.minutes)
        .join(planned_visits, visits.visit_id == slots.visit_id)
        .where(
            visits.care_day >= since_day,
            visits.care_day < until_day,
            visits.cancelled_at.is_(None),
            slots.worker_id.is_not(None),
        )
    )
    found = [
        PlannedStint(worker_id=WorkerId(worker), customer_id=CustomerId(customer), start=start, minutes=minutes)
        for worker, customer, start, minutes in rows
        if worker in wanted
    ]
    return tuple(sorted(found, key=lambda stint: (stint.worker_id, stint.start)))


def _newest(
    session: Session, *, locality_id: LocalityId, provider_id: ProviderId, day: date, state: RosterState
) -> RosterRecord | None:
    columns = rosters.c
    row = (
        session.execute(
            select(rosters)
            .where(
                columns.locality_id == locality_id,
                columns.provider_id == provider_id,
                columns.day == day,
                columns.state == state.value,
            )
            .order_by(columns.version.desc())
            .limit(1)
        )
        .mappings()
        .first()
    )
    return None if row is None else _record_of(row)


def _record_of(row: RowMapping) -> RosterRecord:
    values: dict[str, Any] = {name: row[name] for name in RosterRecord.__slots__}
    return RosterRecord(**(values | {"state": RosterState(row["state"])}))
