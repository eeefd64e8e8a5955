"""Councils, providers, branches, localities, customers, care workers and devices: rows in, domain values out. Not their plans."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, select, tuple_
from sqlalchemy.orm import Session

from evm.domain.ids import BranchId, CouncilId, CustomerId, DeviceId, LocalityId, ProviderId, WorkerId
from evm.domain.people import Branch, CareWorker, Council, Customer, Locality, Provider, TravelMode
from evm.domain.place import Home
from evm.store.people_rows import DeviceRow as DeviceRow  # noqa: PLC0414 -- part of what this module gives
from evm.store.people_rows import customer_of, customer_values, device_of, worker_of, worker_values
from evm.store.tables import people as t
from evm.store.writes import bulk_insert

WORKERS_A_STATEMENT: Final = 500


def add_councils(session: Session, *, councils: Sequence[Council]) -> None:
    """Insert; a council that is there already is an IntegrityError (so for every `add_…` here)."""
    _insert(session, t.councils, [{"council_id": c.council_id, "name": c.name} for c in councils])


def add_providers(session: Session, *, providers: Sequence[Provider]) -> None:
    _insert(session, t.providers, [{"provider_id": p.provider_id, "name": p.name} for p in providers])


def add_branches(session: Session, *, branches: Sequence[Branch]) -> None:
    _insert(
        session,
        t.branches,
        [{"branch_id": b.branch_id, "provider_id": b.provider_id, "name": b.name, "phone": b.phone} for b in branches],
    )


def add_localities(session: Session, *, localities: Sequence[Locality]) -> None:
    _insert(
        session,
        t.localities,
        [
            {
                "locality_id": place.locality_id,
                "council_id": place.council_id,
                "name": place.name,
                "outward_codes": list(place.outward_codes),
            }
            for place in localities
        ],
    )


def add_customers(session: Session, *, customers: Sequence[Customer]) -> None:
    """Insert the customers with their landlines and tags."""
    _insert(session, t.customers, [customer_values(c) for c in customers])
    lines = [{"customer_id": c.customer_id, "line": line} for c in customers for line in c.landlines]
    _insert(session, t.customer_landlines, lines)
    _insert(session, t.customer_tags, [{"customer_id": c.customer_id, "tag": tag} for c in customers for tag in c.tags])


def add_workers(session: Session, *, workers: Sequence[CareWorker]) -> None:
    _insert(session, t.care_workers, [worker_values(w) for w in workers])


def add_devices(session: Session, *, devices: Sequence[DeviceRow]) -> None:
    _insert(
        session,
        t.devices,
        [
            {
                "provider_id": d.provider,
                "device_id": d.device,
                "device_type": d.device_type,
                "worker_id": d.worker,
                "password_hash": d.password_hash,
                "enrolled_at": d.enrolled_at,
                "revoked_at": d.revoked_at,
                "signed": d.signed,
            }
            for d in devices
        ],
    )


def revoke_device(session: Session, *, provider: ProviderId, device: DeviceId, now: datetime) -> bool:
    """End a device's credential. True if it was enrolled and not yet revoked."""
    ended = session.execute(
        t.devices.update()
        .where(t.devices.c.provider_id == provider, t.devices.c.device_id == device, t.devices.c.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(t.devices.c.device_id)
    )
    return ended.first() is not None


def councils(session: Session) -> tuple[Council, ...]:
    """Every council, by id."""
    rows = session.execute(select(t.councils).order_by(t.councils.c.council_id))
    return tuple(Council(council_id=CouncilId(r.council_id), name=r.name) for r in rows)


def providers(session: Session) -> tuple[Provider, ...]:
    """Every provider, by id."""
    rows = session.execute(select(t.providers).order_by(t.providers.c.provider_id))
    return tuple(Provider(provider_id=ProviderId(r.provider_id), name=r.name) for r in rows)


def branches(session: Session, *, provider_id: ProviderId | None = None) -> tuple[Branch, ...]:
    """Offices, by id; of one provider if asked."""
    query = select(t.branches).order_by(t.branches.c.branch_id)
    if provider_id is not None:
        query = query.where(t.branches.c.provider_id == provider_id)
    return tuple(
        Branch(branch_id=BranchId(r.branch_id), provider_id=ProviderId(r.provider_id), name=r.name, phone=r.phone)
        for r in session.execute(query)
    )


def localities(session: Session, *, council_id: CouncilId | None = None) -> tuple[Locality, ...]:
    """Commissioned areas, by id; of one council if asked."""
    query = select(t.localities).order_by(t.localities.c.locality_id)
    if council_id is not None:
        query = query.where(t.localities.c.council_id == council_id)
    return tuple(
        Locality(
            locality_id=LocalityId(r.locality_id),
            council_id=CouncilId(r.council_id),
            name=r.name,
            outward_codes=tuple(r.outward_codes),
        )
        for r in session.execute(query)
    )


def customers(
    session: Session,
    *,
    provider_id: ProviderId | None = None,
    locality_id: LocalityId | None = None,
    customer_ids: Collection[CustomerId] | None = None,
) -> tuple[Customer, ...]:
    """Customers by id, with landlines and tags; every given condition must hold."""
    query = select(t.customers).order_by(t.customers.c.customer_id)
    if provider_id is not None:
        query = query.where(t.customers.c.provider_id == provider_id)
    if locality_id is not None:
        query = query.where(t.customers.c.locality_id == locality_id)
    if customer_ids is not None:
        query = query.where(t.customers.c.customer_id.in_(sorted(set(customer_ids))))
    found = [customer_of(row) for row in session.execute(query)]
    return _with_lines_and_tags(session, found)


def customer(session: Session, *, customer_id: CustomerId) -> Customer | None:
    """One customer, or None if unknown."""
    found = customers(session, customer_ids=[customer_id])
    return found[0] if found else None


def workers(
    session: Session,
    *,
    provider_id: ProviderId | None = None,
    locality_id: LocalityId | None = None,
    worker_ids: Collection[WorkerId] | None = None,
) -> tuple[CareWorker, ...]:
    """Care workers by id; every given condition must hold."""
    query = select(t.care_workers).order_by(t.care_workers.c.worker_id)
    if provider_id is not None:
        query = query.where(t.care_workers.c.provider_id == provider_id)
    if locality_id is not None:
        query = query.where(t.care_workers.c.locality_id == locality_id)
    if worker_ids is not None:
        query = query.where(t.care_workers.c.worker_id.in_(sorted(set(worker_ids))))
    return tuple(worker_of(row) for row in session.execute(query))


def worker(session: Session, *, worker_id: WorkerId) -> CareWorker | None:
    """One care worker, or None if unknown."""
    found = workers(session, worker_ids=[worker_id])
    return found[0] if found else None


def modes(session: Session, *, worker_ids: Collection[WorkerId]) -> dict[WorkerId, TravelMode]:
    """How each of these workers travels."""
    c = t.care_workers.c
    query = select(c.worker_id, c.mode).where(c.worker_id.in_(sorted(set(worker_ids))))
    return {WorkerId(r.worker_id): TravelMode(r.mode) for r in (session.execute(query) if worker_ids else ())}


def homes(session: Session, *, customer_ids: Collection[CustomerId]) -> dict[CustomerId, Home]:
    """Where each of these customers lives."""
    c = t.customers.c
    query = select(c.customer_id, c.latitude, c.longitude, c.radius_m).where(
        c.customer_id.in_(sorted(set(customer_ids)))
    )
    return {
        CustomerId(r.customer_id): Home(latitude=r.latitude, longitude=r.longitude, radius_m=r.radius_m)
        for r in (session.execute(query) if customer_ids else ())
    }


def landlines(session: Session, *, customer_ids: Collection[CustomerId]) -> dict[CustomerId, tuple[str, ...]]:
    """The registered landlines of these customers; one without any is absent."""
    c = t.customer_landlines.c
    found: dict[CustomerId, tuple[str, ...]] = {}
    query = select(c.customer_id, c.line).where(c.customer_id.in_(sorted(set(customer_ids))))
    for r in session.execute(query.order_by(c.customer_id, c.line)) if customer_ids else ():
        customer = CustomerId(r.customer_id)
        found[customer] = (*found.get(customer, ()), r.line)
    return found


def sharing_a_line(session: Session, *, customer_ids: Collection[CustomerId]) -> frozenset[CustomerId]:
    """These customers and everybody registered on one of their landlines (couples)."""
    c = t.customer_landlines.c
    wanted = sorted(set(customer_ids))
    lines = select(c.line).where(c.customer_id.in_(wanted))
    found = session.execute(select(c.customer_id).where(c.line.in_(lines))).scalars() if wanted else ()
    return frozenset(wanted) | {CustomerId(customer) for customer in found}


def devices(
    session: Session, *, provider_id: ProviderId | None = None, device_type: str | None = None
) -> tuple[DeviceRow, ...]:
    """Enrolled devices, revoked ones included, by provider and id."""
    query = select(t.devices).order_by(t.devices.c.provider_id, t.devices.c.device_id)
    if provider_id is not None:
        query = query.where(t.devices.c.provider_id == provider_id)
    if device_type is not None:
        query = query.where(t.devices.c.device_type == device_type)
    return tuple(device_of(row) for row in session.execute(query))


def devices_carried(session: Session, *, worker_ids: Collection[WorkerId]) -> tuple[DeviceRow, ...]:
    """Devices, not revoked, that these workers carry, of whatever provider: who has passed to another carries both for a while."""
    wanted = sorted(set(worker_ids))
    found: list[DeviceRow] = []
    for start in range(0, len(wanted), WORKERS_A_STATEMENT):
        some = wanted[start : start + WORKERS_A_STATEMENT]
        query = select(t.devices).where(t.devices.c.worker_id.in_(some), t.devices.c.revoked_at.is_(None))
        found += [device_of(row) for row in session.execute(query)]
    return tuple(sorted(found, key=lambda one: (one.provider, one.device)))


def devices_among(
    session: Session, *, keys: Collection[tuple[ProviderId, DeviceId]]
) -> dict[tuple[ProviderId, DeviceId], DeviceRow]:
    """The enrolled ones of these (provider, device) pairs."""
    query = select(t.devices).where(
        t.devices.c.provider_id.in_(sorted({provider for provider, _ in keys})),
        t.devices.c.device_id.in_(sorted({device for _, device in keys})),
    )
    found = [device_of(row) for row in session.execute(query)] if keys else []
    return {(d.provider, d.device): d for d in found if (d.provider, d.device) in keys}


def device(session: Session, *, provider: ProviderId, device: DeviceId) -> DeviceRow | None:
    """One device, revoked or not; None if never enrolled."""
    return devices_among(session, keys=[(provider, device)]).get((provider, device))


def customers_of_tags(session: Session, *, tags: Collection[str]) -> dict[str, CustomerId]:
    """Whose home each known tag stands in."""
    query = select(t.customer_tags).where(t.customer_tags.c.tag.in_(sorted(set(tags))))
    return {r.tag: CustomerId(r.customer_id) for r in session.execute(query)} if tags else {}


def customer_of_tag(session: Session, *, tag: str) -> CustomerId | None:
    """Whose home the tag stands in; None if unknown."""
    return customers_of_tags(session, tags=[tag]).get(tag)


def customers_of_lines(session: Session, *, lines: Collection[str]) -> dict[str, tuple[CustomerId, ...]]:
    """Who is registered on each known landline (E.164); two for a couple, by id."""
    found: dict[str, tuple[CustomerId, ...]] = {}
    if lines:
        query = select(t.customer_landlines).where(t.customer_landlines.c.line.in_(sorted(set(lines))))
        for r in session.execute(query.order_by(t.customer_landlines.c.customer_id)):
            found[r.line] = (*found.get(r.line, ()), CustomerId(r.customer_id))
    return found


def customers_of_line(session: Session, *, line: str) -> tuple[CustomerId, ...]:
    """Who is registered on the landline (E.164), by id."""
    return customers_of_lines(session, lines=[line]).get(line, ())


def workers_of_numbers(session: Session, *, numbers: Collection[str]) -> dict[str, tuple[ProviderId, WorkerId]]:
    """Which worker each dialled number stands for, with the worker's provider."""
    c = t.care_workers.c
    query = select(c.dialled_number, c.provider_id, c.worker_id).where(c.dialled_number.in_(sorted(set(numbers))))
    rows = session.execute(query.order_by(c.worker_id.desc())) if numbers else ()
    return {r.dialled_number: (ProviderId(r.provider_id), WorkerId(r.worker_id)) for r in rows}


def worker_of_number(session: Session, *, number: str) -> WorkerId | None:
    """The worker for whom the dialled number stands; None if unknown."""
    found = workers_of_numbers(session, numbers=[number]).get(number)
    return found[1] if found else None


def workers_of_pins(
    session: Session, *, pins: Collection[tuple[ProviderId, str]]
) -> dict[tuple[ProviderId, str], WorkerId]:
    """Which worker typed each (provider, PIN)."""
    c = t.care_workers.c
    query = select(c.provider_id, c.pin, c.worker_id).where(tuple_(c.provider_id, c.pin).in_(sorted(set(pins))))
    rows = session.execute(query) if pins else ()
    return {(ProviderId(r.provider_id), r.pin): WorkerId(r.worker_id) for r in rows}


def worker_of_pin(session: Session, *, provider_id: ProviderId, pin: str) -> WorkerId | None:
    """The worker of that provider with that PIN; None if nobody's."""
    return workers_of_pins(session, pins=[(provider_id, pin)]).get((provider_id, pin))


def _insert(session: Session, table: Any, rows: list[dict[str, Any]]) -> None:
    bulk_insert(session, table=table, rows=rows)


def _with_lines_and_tags(session: Session, found: Sequence[Customer]) -> tuple[Customer, ...]:
    ids = [c.customer_id for c in found]
    lines = _by_customer(session, t.customer_landlines, t.customer_landlines.c.line, ids)
    tags = _by_customer(session, t.customer_tags, t.customer_tags.c.tag, ids)
    return tuple(
        replace(c, landlines=lines.get(c.customer_id, ()), tags=tags.get(c.customer_id, ()))
        if c.customer_id in lines or c.customer_id in tags
        else c
        for c in found
    )


def _by_customer(session: Session, table: Any, column: Any, ids: Sequence[CustomerId]) -> dict[str, tuple[str, ...]]:
    query: Select[Any] = select(table.c.customer_id, column).where(table.c.customer_id.in_(ids)).order_by(column)
    found: dict[str, tuple[str, ...]] = {}
    for customer_id, text in session.execute(query) if ids else ():
        found[customer_id] = (*found.get(customer_id, ()), text)
    return found
