"""One visit to follow by hand after the demo: planned for now, with a phone of its own. Not part of any figure.

The phone's directory (`PHONE_DIR`) holds its credential, readable by its owner alone, and what `popback phone` needs to act as that
phone: the demo's simulated day has a clock of its own, which the phone follows by a fixed shift."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from api.parts import Parts, wall_clock
from api.phone_file import PHONE_FILE, PhoneFile, write_phone
from devices import identity
from evm.domain.ids import DeviceId, VisitId
from evm.domain.people import CareWorker, Customer
from evm.domain.plan import PlannedVisit
from evm.services import roster
from evm.store import people, plans

PHONE_DIR: Final = Path("popback-data/tour-phone")
VISIT_ID: Final = VisitId("v-tour")
DEVICE_ID: Final = DeviceId("tour-phone")
VISIT_MINUTES: Final = 30


def plan_tour(parts: Parts, *, host: str, port: int, directory: Path = PHONE_DIR) -> PhoneFile:
    """Plan one visit that begins now, enrol its phone and write the phone's file into `directory`."""
    now = parts.clock()
    with parts.sessions.begin() as session:
        customer, worker = _pair(people.customers(session), people.workers(session))
        visit = _visit(customer, worker, now)
        plans.add_planned_visits(session, visits=[visit])
        roster.publish_deadlines(session, visits=[visit], policy=parts.policy)
        password = identity.enrol(
            session,
            provider=worker.provider_id,
            device=DEVICE_ID,
            device_type="popback_v1",
            worker=worker.worker_id,
            now=now,
        )
    phone = PhoneFile(
        provider=worker.provider_id,
        device=DEVICE_ID,
        worker=worker.worker_id,
        password=password,
        host=host,
        port=port,
        clock_shift_seconds=round((now - wall_clock()).total_seconds(), 3),
        visit=VISIT_ID,
        customer=customer.customer_id,
        tag=customer.tags[0],
    )
    _write(phone, directory)
    return phone


def _write(phone: PhoneFile, directory: Path) -> None:
    """A fresh phone: an outbox of an earlier demo belongs to another server."""
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.glob("*.outbox*"):
        old.unlink()
    write_phone(phone, directory / PHONE_FILE)


def _pair(customers: tuple[Customer, ...], workers: tuple[CareWorker, ...]) -> tuple[Customer, CareWorker]:
    """A customer with a tag at the door, and a worker of the same locality."""
    for customer in customers:
        for worker in workers:
            if customer.tags and worker.locality_id == customer.locality_id:
                return customer, worker
    raise ValueError("no customer with a tag shares a locality with a care worker")


def _visit(customer: Customer, worker: CareWorker, now: datetime) -> PlannedVisit:
    return PlannedVisit(
        visit_id=VISIT_ID,
        customer_id=customer.customer_id,
        provider_id=customer.provider_id,
        locality_id=customer.locality_id,
        start=now.replace(second=0, microsecond=0) + timedelta(minutes=1),
        minutes=VISIT_MINUTES,
        rostered=(worker.worker_id,),
        tasks=("personal-care",),
    )
