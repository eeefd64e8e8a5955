"""From lines, PINs, tags and ids in claims to known customers, workers and planned visits. Not grading and not storing (receive).

A device speaks only for its own provider: an id of another provider's customer, worker or visit resolves to nobody. Who passed from
one provider to another is spoken for by the devices of both: a phone that still has the old credential says what is true."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from evm.domain.evidence import Claim, EventKind
from evm.domain.ids import CustomerId, DeviceId, ProviderId, VisitId, WorkerId
from evm.domain.people import Customer
from evm.domain.period import care_day
from evm.domain.plan import PlannedVisit
from evm.domain.transfer import Passed, Spell, ever, provider_on
from evm.store import people, plans, transfers
from evm.store.people import DeviceRow

DeviceKey = tuple[ProviderId, DeviceId]


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """Everything a batch of claims names, loaded at once. Unknown names are absent."""

    customers: Mapping[CustomerId, Customer]
    tags: Mapping[str, CustomerId]
    lines: Mapping[str, tuple[CustomerId, ...]]
    visits: Mapping[VisitId, PlannedVisit]
    workers: Mapping[WorkerId, ProviderId]
    numbers: Mapping[str, tuple[ProviderId, WorkerId]]
    pins: Mapping[tuple[ProviderId, str], WorkerId]
    devices: Mapping[DeviceKey, DeviceRow]
    planned_on_lines: Mapping[CustomerId, tuple[PlannedVisit, ...]]
    spells: Mapping[Passed, Mapping[str, tuple[Spell, ...]]]
    zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """Who and where a claim is about. `tag_customer`/`line_customers`: whose home the tag or the line belongs to."""

    worker: WorkerId | None
    customer: Customer | None
    visit: PlannedVisit | None
    tag_customer: CustomerId | None
    line_customers: tuple[CustomerId, ...]


def load_directory(session: Session, *, claims: Sequence[Claim], zone: str) -> Directory:
    """Load what these claims name, with a fixed number of queries."""
    tags = people.customers_of_tags(session, tags={c.tag for c in claims if c.tag})
    lines = people.customers_of_lines(session, lines={c.line for c in claims if c.line})
    visits = plans.planned_visits_of(session, visit_ids={c.visit for c in claims if c.visit})
    named = {c.customer for c in claims if c.customer} | set(tags.values())
    named |= {v.customer_id for v in visits} | {customer for found in lines.values() for customer in found}
    workers = _workers(session, claims)
    numbers = people.workers_of_numbers(session, numbers={c.worker_number for c in claims if c.worker_number})
    pins = _pins(session, claims)
    devices = people.devices_among(session, keys={(c.provider, c.device) for c in claims})
    met = {*workers, *(who for _, who in numbers.values()), *pins.values()}
    met |= {device.worker for device in devices.values() if device.worker is not None}
    workers |= {who: provider for provider, who in numbers.values()}
    spells = {
        Passed.CUSTOMER: transfers.spells_of(session, kind=Passed.CUSTOMER, ids=named),
        Passed.WORKER: transfers.spells_of(session, kind=Passed.WORKER, ids=met),
    }
    if spells[Passed.CUSTOMER] or spells[Passed.WORKER]:
        workers |= _workers_of(session, met - workers.keys())
    return Directory(
        customers={c.customer_id: c for c in people.customers(session, customer_ids=named)},
        tags=tags,
        lines=lines,
        visits={v.visit_id: v for v in visits},
        workers=workers,
        numbers=numbers,
        pins=pins,
        devices=devices,
        planned_on_lines=_planned_on_shared_lines(session, claims, lines, zone),
        spells=spells,
        zone=zone,
    )


def resolve(claim: Claim, *, directory: Directory) -> Resolved:
    """Who and where one claim is about, as far as it is known."""
    worker = _worker(claim, directory)
    visit = _own_visit(claim, worker, directory)
    tag_customer = directory.tags.get(claim.tag) if claim.tag else None
    line_customers = directory.lines.get(claim.line, ()) if claim.line else ()
    customer_id = (
        visit.customer_id if visit is not None else _customer(claim, worker, directory, tag_customer, line_customers)
    )
    customer = None if customer_id is None else directory.customers.get(customer_id)
    if customer is not None and visit is None and not _is_own(claim, customer.customer_id, worker, directory):
        customer = None
    return Resolved(
        worker=worker,
        customer=customer,
        visit=visit,
        tag_customer=tag_customer,
        line_customers=line_customers,
    )


def _workers(session: Session, claims: Sequence[Claim]) -> dict[WorkerId, ProviderId]:
    return _workers_of(session, {c.worker for c in claims if c.worker})


def _workers_of(session: Session, worker_ids: set[WorkerId]) -> dict[WorkerId, ProviderId]:
    found = people.workers(session, worker_ids=worker_ids) if worker_ids else ()
    return {w.worker_id: w.provider_id for w in found}


def _pins(session: Session, claims: Sequence[Claim]) -> dict[tuple[ProviderId, str], WorkerId]:
    """Whose PIN it is at the provider of the line that was rung; a PIN nobody has there now may be that of somebody who passed."""
    typed = {(c.provider, c.worker_pin) for c in claims if c.worker_pin}
    found = people.workers_of_pins(session, pins=typed)
    return transfers.former_pins(session, pins=typed - found.keys()) | found


def _own_visit(claim: Claim, worker: WorkerId | None, directory: Directory) -> PlannedVisit | None:
    visit = None if claim.visit is None else directory.visits.get(claim.visit)
    if visit is None or visit.provider_id == claim.provider:
        return visit
    passed = visit.customer_id in directory.spells[Passed.CUSTOMER] or worker in directory.spells[Passed.WORKER]
    return visit if passed and _is_own(claim, visit.customer_id, worker, directory) else None


def _worker(claim: Claim, directory: Directory) -> WorkerId | None:
    """The worker named, else the PIN's, else the dialled number's, else the device's own. A name nobody bears stays nobody."""
    if claim.worker is not None:
        return claim.worker if _is_known_to(claim, claim.worker, directory) else None
    if claim.worker_pin is not None:
        return directory.pins.get((claim.provider, claim.worker_pin))
    if claim.worker_number is not None:
        _, worker = directory.numbers.get(claim.worker_number, (None, None))
        return worker if worker is not None and _is_known_to(claim, worker, directory) else None
    device = directory.devices.get((claim.provider, claim.device))
    return None if device is None else device.worker


def _is_known_to(claim: Claim, worker: WorkerId, directory: Directory) -> bool:
    """Whether the worker is of the provider whose device it is, is ordered to be, or was: since she left, by her own device only."""
    now, spells = directory.workers.get(worker), directory.spells[Passed.WORKER].get(worker, ())
    if now is None or claim.provider not in ever(spells, now=now):
        return False
    day = care_day(claim.captured_at, zone=directory.zone)
    if claim.provider == now or any(
        s.provider == claim.provider and (s.until is None or day < s.until) for s in spells
    ):
        return True
    device = directory.devices.get((claim.provider, claim.device))
    return device is None or device.worker in {None, worker}


def _customer(
    claim: Claim,
    worker: WorkerId | None,
    directory: Directory,
    tag_customer: CustomerId | None,
    line_customers: tuple[CustomerId, ...],
) -> CustomerId | None:
    if tag_customer is not None:
        return tag_customer
    own = tuple(c for c in line_customers if _is_own(claim, c, worker, directory))
    if len(own) == 1:
        return own[0]
    if own:
        return _one_of_a_couple(claim, own, directory)
    return claim.customer


def _is_own(claim: Claim, customer_id: CustomerId, worker: WorkerId | None, directory: Directory) -> bool:
    """Whether a device of this provider may speak for the customer: theirs now, or on the day it is about (of a stay that began the
    evening before, on that day); or of the same provider as the worker on such a day, where one of them has passed."""
    customer = directory.customers.get(customer_id)
    if customer is None or customer.provider_id == claim.provider:
        return customer is not None
    now, spells = customer.provider_id, directory.spells[Passed.CUSTOMER].get(customer_id, ())
    if not spells and worker not in directory.spells[Passed.WORKER]:
        return False
    day = care_day(claim.captured_at, zone=directory.zone)
    began = day if claim.kind is EventKind.CHECK_IN else day - timedelta(days=1)
    theirs = {one: provider_on(spells, day=one, now=now) for one in (began, day)}
    together = worker is not None and any(_worker_on(worker, one, directory) == theirs[one] for one in theirs)
    return together or claim.provider in theirs.values()


def _worker_on(worker: WorkerId, day: date, directory: Directory) -> ProviderId | None:
    now = directory.workers.get(worker)
    return None if now is None else provider_on(directory.spells[Passed.WORKER].get(worker, ()), day=day, now=now)


def _one_of_a_couple(claim: Claim, couple: tuple[CustomerId, ...], directory: Directory) -> CustomerId:
    """By the code typed, else by the visit planned there nearest in time, else the first by id."""
    for customer_id in couple:
        if claim.customer_code is not None and directory.customers[customer_id].landline_code == claim.customer_code:
            return customer_id
    near = [
        (abs(_edge(claim, visit) - claim.captured_at), customer_id)
        for customer_id in couple
        for visit in directory.planned_on_lines.get(customer_id, ())
    ]
    return min(near)[1] if near else couple[0]


def _edge(claim: Claim, visit: PlannedVisit) -> datetime:
    return visit.start + timedelta(minutes=visit.minutes if claim.kind is EventKind.CHECK_OUT else 0)


def _planned_on_shared_lines(
    session: Session, claims: Sequence[Claim], lines: Mapping[str, tuple[CustomerId, ...]], zone: str
) -> dict[CustomerId, tuple[PlannedVisit, ...]]:
    calls = [c for c in claims if c.line and len(lines.get(c.line, ())) > 1]
    if not calls:
        return {}
    days = [care_day(c.captured_at, zone=zone) for c in calls]
    shared = {customer for c in calls if c.line for customer in lines[c.line]}
    planned = plans.planned_visits(
        session, customer_ids=shared, since_day=min(days) - timedelta(days=1), until_day=max(days) + timedelta(days=2)
    )
    found: dict[CustomerId, tuple[PlannedVisit, ...]] = {}
    for visit in planned:
        if visit.cancelled is None:
            found[visit.customer_id] = (*found.get(visit.customer_id, ()), visit)
    return found
