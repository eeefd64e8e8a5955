"""Polygons of localities, provider contracts, and customers changing their locality. Not postcodes (evm.store.postcodes) and not the rule
of who lives where (evm.domain.area)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Row, delete, exists, func, insert, or_, select, update
from sqlalchemy.orm import Session

from evm.domain.area import Area
from evm.domain.contract import Contract
from evm.domain.ids import CouncilId, CustomerId, LocalityId, ProviderId
from evm.domain.people import Locality
from evm.store.tables.areas import locality_polygons, provider_contracts
from evm.store.tables.people import customers, localities
from evm.store.tables.plans import planned_visits
from evm.store.tables.rosters import rosters

IDS_A_STATEMENT: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A customer where they stand now."""

    customer_id: CustomerId
    provider_id: ProviderId
    locality_id: LocalityId
    council_id: CouncilId
    postcode: str
    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """Planned visits that came with a customer, and those that stay where they are rostered."""

    moved: int
    on_published_rosters: int


def locality(session: Session, *, locality_id: LocalityId) -> Locality | None:
    """One locality, or None."""
    row = session.execute(select(localities).where(localities.c.locality_id == locality_id)).first()
    if row is None:
        return None
    return Locality(
        locality_id=LocalityId(row.locality_id),
        council_id=CouncilId(row.council_id),
        name=row.name,
        outward_codes=tuple(row.outward_codes),
    )


def lock_council(session: Session, *, council_id: CouncilId) -> tuple[LocalityId, ...]:
    """Hold the council's localities until the transaction ends, so that two changes to its areas or contracts follow each other."""
    rows = session.execute(
        select(localities.c.locality_id)
        .where(localities.c.council_id == council_id)
        .order_by(localities.c.locality_id)
        .with_for_update()
    )
    return tuple(LocalityId(row) for row in rows.scalars())


def set_locality(session: Session, *, place: Locality) -> None:
    """Overwrite the name and outward codes of a locality that is there."""
    session.execute(
        update(localities)
        .where(localities.c.locality_id == place.locality_id)
        .values(name=place.name, outward_codes=list(place.outward_codes))
    )


def polygon_marks(session: Session, *, council_id: CouncilId | None) -> tuple[tuple[str, str, str, str], ...]:
    """Locality, council, hash of its polygon ("" without one) and its outward codes joined: what tells whether areas changed."""
    query = (
        select(
            localities.c.locality_id,
            localities.c.council_id,
            func.coalesce(locality_polygons.c.sha256, "").label("sha256"),
            localities.c.outward_codes,
        )
        .outerjoin(locality_polygons, locality_polygons.c.locality_id == localities.c.locality_id)
        .order_by(localities.c.locality_id)
    )
    if council_id is not None:
        query = query.where(localities.c.council_id == council_id)
    return tuple((r.locality_id, r.council_id, r.sha256, " ".join(r.outward_codes)) for r in session.execute(query))


def areas(session: Session, *, council_id: CouncilId | None) -> tuple[Area, ...]:
    """The localities (of one council) with their polygons, by id."""
    query = (
        select(localities, locality_polygons.c.geometry)
        .outerjoin(locality_polygons, locality_polygons.c.locality_id == localities.c.locality_id)
        .order_by(localities.c.locality_id)
    )
    if council_id is not None:
        query = query.where(localities.c.council_id == council_id)
    return tuple(
        Area(
            locality_id=LocalityId(r.locality_id),
            name=r.name,
            outward_codes=tuple(r.outward_codes),
            geometry=r.geometry,
        )
        for r in session.execute(query)
    )


def set_polygon(
    session: Session, *, locality_id: LocalityId, geometry: Mapping[str, Any], sha256: str, now: datetime
) -> None:
    """Give a locality its polygon, in place of the one it had."""
    session.execute(delete(locality_polygons).where(locality_polygons.c.locality_id == locality_id))
    session.execute(
        insert(locality_polygons).values(locality_id=locality_id, geometry=dict(geometry), sha256=sha256, set_at=now)
    )


def contracts(
    session: Session,
    *,
    council_id: CouncilId | None = None,
    locality_id: LocalityId | None = None,
    provider_id: ProviderId | None = None,
    on: date | None = None,
) -> tuple[Contract, ...]:
    """Contracts by locality, first day and id; every given condition must hold, `on` being a day they are in force."""
    own = provider_contracts.c
    query = select(provider_contracts).order_by(own.locality_id, own.since, own.contract_id)
    given = ((own.council_id, council_id), (own.locality_id, locality_id), (own.provider_id, provider_id))
    for column, value in given:
        if value is not None:
            query = query.where(column == value)
    if on is not None:
        query = query.where(own.since <= on, or_(own.until.is_(None), own.until > on))
    return tuple(_contract(row) for row in session.execute(query))


def contract(session: Session, *, contract_id: str) -> Contract | None:
    """One contract, or None."""
    found = session.execute(select(provider_contracts).where(provider_contracts.c.contract_id == contract_id)).first()
    return None if found is None else _contract(found)


def keeps_contracts(session: Session, *, locality_id: LocalityId) -> bool:
    """Whether the locality's council has ever written down a contract."""
    council = select(localities.c.council_id).where(localities.c.locality_id == locality_id).scalar_subquery()
    query = select(exists().where(provider_contracts.c.council_id == council))
    return bool(session.execute(query).scalar_one())


def add_contract(session: Session, *, new: Contract) -> None:
    """Append a contract; an id that is there is an IntegrityError."""
    session.execute(insert(provider_contracts).values(_contract_values(new)))


def replace_contract(session: Session, *, changed: Contract) -> None:
    """Overwrite a contract that is there."""
    values = _contract_values(changed)
    session.execute(
        update(provider_contracts).where(provider_contracts.c.contract_id == changed.contract_id).values(values)
    )


def placed_customers(
    session: Session, *, council_id: CouncilId, customer_ids: Collection[CustomerId] | None = None
) -> tuple[Placed, ...]:
    """A council's customers with what their locality follows from, by id."""
    own = customers.c
    query = (
        select(
            own.customer_id,
            own.provider_id,
            own.locality_id,
            localities.c.council_id,
            own.postcode,
            own.latitude,
            own.longitude,
        )
        .join(localities, localities.c.locality_id == own.locality_id)
        .where(localities.c.council_id == council_id)
        .order_by(own.customer_id)
    )
    if customer_ids is not None:
        query = query.where(own.customer_id.in_(sorted(set(customer_ids))))
    return tuple(Placed(**dict(row)) for row in session.execute(query).mappings())


def move_customers(session: Session, *, customer_ids: Sequence[CustomerId], to: LocalityId) -> None:
    """Give these customers another locality, from now on."""
    for start in range(0, len(customer_ids), IDS_A_STATEMENT):
        some = customer_ids[start : start + IDS_A_STATEMENT]
        session.execute(update(customers).where(customers.c.customer_id.in_(some)).values(locality_id=to))


def move_planned_visits(
    session: Session, *, customer_ids: Sequence[CustomerId], to: LocalityId, from_now: datetime, dry_run: bool
) -> Followed:
    """The planned visits of these customers from `from_now` on follow them, but for those that a published roster of the old locality's day
    holds: they stay where their workers know them."""
    moved = staying = 0
    own = planned_visits.c
    published = exists().where(
        rosters.c.state == "published",
        rosters.c.locality_id == own.locality_id,
        rosters.c.provider_id == own.provider_id,
        rosters.c.day == own.care_day,
    )
    for start in range(0, len(customer_ids), IDS_A_STATEMENT):
        some = customer_ids[start : start + IDS_A_STATEMENT]
        coming = (own.customer_id.in_(some), own.start_at >= from_now, own.locality_id != to)
        free = select(own.visit_id).where(*coming, ~published)
        total = session.execute(select(func.count()).select_from(planned_visits).where(*coming)).scalar_one()
        visits = list(session.execute(free).scalars())
        if not dry_run:
            for first in range(0, len(visits), IDS_A_STATEMENT):
                few = visits[first : first + IDS_A_STATEMENT]
                session.execute(update(planned_visits).where(own.visit_id.in_(few)).values(locality_id=to))
        moved += len(visits)
        staying += total - len(visits)
    return Followed(moved=moved, on_published_rosters=staying)


def _contract_values(one: Contract) -> dict[str, Any]:
    return {
        "contract_id": one.contract_id,
        "council_id": one.council_id,
        "provider_id": one.provider_id,
        "locality_id": one.locality_id,
        "since": one.since,
        "until": one.until,
        "exclusive": one.exclusive,
    }


def _contract(row: Row[Any]) -> Contract:
    return Contract(
        contract_id=row.contract_id,
        council_id=CouncilId(row.council_id),
        provider_id=ProviderId(row.provider_id),
        locality_id=LocalityId(row.locality_id),
        since=row.since,
        until=row.until,
        exclusive=row.exclusive,
    )
