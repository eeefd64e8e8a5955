"""Localities as the page and the command list them: customers, planned hours, contracts, outlines. Not placing anybody
(evm.services.localities)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import false, func, select
from sqlalchemy.orm import Session

from evm.domain.ids import CouncilId
from evm.store.screens.scope import Scope
from evm.store.tables.areas import locality_polygons, provider_contracts
from evm.store.tables.people import councils, customers, localities, providers
from evm.store.tables.plans import planned_visits


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalitySummary:
    """A locality and how many customers live in it."""

    locality_id: str
    council_id: str
    council_name: str
    name: str
    outward_codes: tuple[str, ...]
    polygon: bool
    customers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractRow:
    """A contract with its provider's name. `until` is the first day after; None: open."""

    contract_id: str
    locality_id: str
    provider_id: str
    provider_name: str
    since: date
    until: date | None
    exclusive: bool


def summaries(session: Session, *, council_id: CouncilId | None) -> tuple[LocalitySummary, ...]:
    """Localities (of one council), by council and name."""
    living = select(customers.c.locality_id, func.count().label("living")).group_by(customers.c.locality_id).subquery()
    query = (
        select(
            localities,
            councils.c.name.label("council_name"),
            locality_polygons.c.sha256,
            func.coalesce(living.c.living, 0).label("living"),
        )
        .join(councils, councils.c.council_id == localities.c.council_id)
        .outerjoin(locality_polygons, locality_polygons.c.locality_id == localities.c.locality_id)
        .outerjoin(living, living.c.locality_id == localities.c.locality_id)
        .order_by(councils.c.name, localities.c.name, localities.c.locality_id)
    )
    if council_id is not None:
        query = query.where(localities.c.council_id == council_id)
    return tuple(
        LocalitySummary(
            locality_id=row.locality_id,
            council_id=row.council_id,
            council_name=row.council_name,
            name=row.name,
            outward_codes=tuple(row.outward_codes),
            polygon=row.sha256 is not None,
            customers=row.living,
        )
        for row in session.execute(query)
    )


def visible(session: Session, *, scope: Scope) -> tuple[LocalitySummary, ...]:
    """The localities of the scope's council; all of them for who has no scope. Nothing for providers: what else a council commissions is
    not theirs to see."""
    if scope.nothing or scope.worker_id is not None or scope.provider_id is not None:
        return ()
    found = summaries(session, council_id=None if scope.council_id is None else CouncilId(scope.council_id))
    return tuple(row for row in found if scope.locality_id in {None, row.locality_id})


def contracts(session: Session, *, council_ids: frozenset[str]) -> tuple[ContractRow, ...]:
    """The contracts of these councils by first day; the caller has judged the scope."""
    own = provider_contracts.c
    query = (
        select(
            own.contract_id,
            own.locality_id,
            own.provider_id,
            providers.c.name.label("provider_name"),
            own.since,
            own.until,
            own.exclusive,
        )
        .join(providers, providers.c.provider_id == own.provider_id)
        .where(own.council_id.in_(sorted(council_ids)) if council_ids else false())
        .order_by(own.since, own.contract_id)
    )
    return tuple(ContractRow(**dict(row)) for row in session.execute(query).mappings())


def providers_serving(session: Session, *, council_ids: frozenset[str]) -> dict[str, tuple[str, ...]]:
    """Names of the providers with customers in each locality of these councils."""
    query = (
        select(customers.c.locality_id, providers.c.name)
        .join(providers, providers.c.provider_id == customers.c.provider_id)
        .join(localities, localities.c.locality_id == customers.c.locality_id)
        .where(localities.c.council_id.in_(sorted(council_ids)) if council_ids else false())
        .distinct()
        .order_by(providers.c.name)
    )
    found: dict[str, tuple[str, ...]] = {}
    for row in session.execute(query):
        found[row.locality_id] = (*found.get(row.locality_id, ()), row.name)
    return found


def planned_minutes(session: Session, *, council_ids: frozenset[str], since: date, until: date) -> dict[str, int]:
    """Minutes of planned visits, both workers of a double-up counted, by locality, whose care day lies in `[since, until)`."""
    own = planned_visits.c
    query = (
        select(own.locality_id, func.sum(own.minutes * own.workers_needed).label("minutes"))
        .join(localities, localities.c.locality_id == own.locality_id)
        .where(
            localities.c.council_id.in_(sorted(council_ids)) if council_ids else false(),
            own.care_day >= since,
            own.care_day < until,
            own.cancelled_at.is_(None),
        )
        .group_by(own.locality_id)
    )
    return {row.locality_id: int(row.minutes) for row in session.execute(query)}


def polygons(session: Session, *, council_id: str) -> dict[str, Mapping[str, Any]]:
    """GeoJSON geometries of a council's localities, by id."""
    query = (
        select(locality_polygons.c.locality_id, locality_polygons.c.geometry)
        .join(localities, localities.c.locality_id == locality_polygons.c.locality_id)
        .where(localities.c.council_id == council_id)
        .order_by(locality_polygons.c.locality_id)
    )
    return {row.locality_id: row.geometry for row in session.execute(query)}
