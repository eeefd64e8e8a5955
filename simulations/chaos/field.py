"""Care workers with phones who come and go as their own calendar says, and what truly happened, to compare with what is stored at the end.
Not the servers (simulations.chaos.servers)."""

import contextlib
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy.orm import Session

from devices import identity
from devices.phone import Network, Phone
from evm.domain.evidence import EventKind, Method
from evm.domain.ids import CouncilId, CustomerId, DeviceId, LocalityId, ProviderId, WorkerId
from evm.domain.people import CareWorker, Council, Customer, Gender, Locality, Provider
from evm.domain.place import Home
from evm.store import evidence, people, visits

PROVIDER: Final = ProviderId("chaos")
LOCALITY: Final = LocalityId("chaos")
FIRST_DAY: Final = datetime(2025, 1, 6, 7, 0, tzinfo=UTC)  # in the past of any run: nobody's clock is ahead


@dataclass(slots=True, kw_only=True)
class Worker:
    """One phone, its care worker's own clock, and what truly happened: stays of whole seconds at one customer's."""

    phone: Phone
    customer: str
    rng: random.Random
    at: datetime = FIRST_DAY
    inside_since: datetime | None = None
    minutes: int = 0
    ids: list[str] = field(default_factory=list)

    def act(self) -> None:
        """Check in, or out after 15 to 50 minutes; a new day begins before evening."""
        if self.inside_since is None:
            if self.at.hour >= 19:
                self.at = self.at.replace(hour=7, minute=0, second=0) + timedelta(days=1)
            self.at += timedelta(seconds=self.rng.randrange(300, 900))
            self.inside_since = self.at
            self._record(EventKind.CHECK_IN)
            return
        stay = self.rng.randrange(15 * 60, 50 * 60)
        self.at += timedelta(seconds=stay)
        self.minutes += stay // 60
        self.inside_since = None
        self._record(EventKind.CHECK_OUT)

    def attend(self, *, customer: str, at: datetime) -> None:
        """Check in at another customer's, now."""
        self.ids.append(self.phone.record(EventKind.CHECK_IN, method=Method.NFC, tag=f"tag-{customer}", captured_at=at))

    def _record(self, kind: EventKind) -> None:
        self.ids.append(self.phone.record(kind, method=Method.NFC, tag=f"tag-{self.customer}", captured_at=self.at))


def add_field(session: Session, *, devices: int, others: int = 0) -> list[str]:
    """As many workers as devices, each with a customer of their own, and `others` customers beside; answers the devices' passwords."""
    council = CouncilId("chaos")
    numbers = range(devices)
    people.add_councils(session, councils=[Council(council_id=council, name="Chaos Council")])
    people.add_providers(session, providers=[Provider(provider_id=PROVIDER, name="Chaos Care")])
    place = Locality(locality_id=LOCALITY, council_id=council, name="Chaos", outward_codes=("M1",))
    people.add_localities(session, localities=[place])
    people.add_customers(session, customers=[_customer(number) for number in range(devices + others)])
    people.add_workers(session, workers=[_care_worker(number) for number in numbers])
    return [
        identity.enrol(
            session,
            provider=PROVIDER,
            device=DeviceId(f"phone-{number}"),
            device_type="popback_v1",
            worker=WorkerId(f"worker-{number}"),
            now=FIRST_DAY,
        )
        for number in numbers
    ]


def _customer(number: int) -> Customer:
    return Customer(
        customer_id=CustomerId(f"customer-{number}"),
        provider_id=PROVIDER,
        locality_id=LOCALITY,
        name=f"Customer {number}",
        address=f"{number} Chaos Street",
        postcode="M1 1AA",
        home=Home(latitude=53.48, longitude=-2.24),
        tags=(f"tag-customer-{number}",),
    )


def _care_worker(number: int) -> CareWorker:
    return CareWorker(
        worker_id=WorkerId(f"worker-{number}"),
        provider_id=PROVIDER,
        locality_id=LOCALITY,
        name=f"Worker {number}",
        home=Home(latitude=53.48, longitude=-2.24),
        gender=Gender.OTHER,
    )


@contextlib.contextmanager
def phones(*, directory: Path, passwords: list[str], port: int, seed: int) -> Iterator[list[Worker]]:
    """Connected phones on one network thread, their outboxes on disk and synced; closed at the end."""
    network = Network()
    network.start()
    workers = []
    for number, password in enumerate(passwords):
        phone = Phone(
            directory=directory / "phones",
            provider=PROVIDER,
            device=f"phone-{number}",
            worker=f"worker-{number}",
            host="127.0.0.1",
            port=port,
            password=password,
            clock=lambda: FIRST_DAY,
            monotonic_ms=lambda: int(time.monotonic() * 1000),
            rng=random.Random(seed * 1000 + number),
            network=network,
            resend_seconds=2.0,
            backoff_seconds_max=1.0,
        )
        workers.append(Worker(phone=phone, customer=f"customer-{number}", rng=random.Random(seed * 2000 + number)))
        phone.connect()
    try:
        yield workers
    finally:
        for worker in workers:
            worker.phone.close()
        network.stop()


def waiting(workers: list[Worker]) -> int:
    """Events without a receipt."""
    return sum(worker.phone.outbox_size for worker in workers)


def receipted(workers: list[Worker]) -> int:
    """Events with one."""
    return sum(worker.phone.stored_count for worker in workers)


def last_instant(workers: list[Worker]) -> datetime:
    """Two days after whatever the workers' own calendars have come to."""
    return max(worker.at for worker in workers) + timedelta(days=2)


def count_events(session: Session, *, workers: list[Worker], until: datetime) -> dict[str, int | float]:
    """What went in against what stands in the log, a worker at a time: memory does not grow with the events."""
    lost = doubled = 0
    for number, worker in enumerate(workers):
        found = evidence.evidence_for(
            session, worker_ids=[WorkerId(f"worker-{number}")], since=FIRST_DAY - timedelta(days=1), until=until
        )
        rows = Counter(row.event_id for row in found)
        lost += len(set(worker.ids) - set(rows))
        doubled += sum(rows.values()) - len(rows)
    sent = sum(len(worker.ids) for worker in workers)
    return {
        "events": sent,
        "lost": lost,
        "doubled": doubled,
        "minutes_expected": sum(worker.minutes for worker in workers),
        "resent_share": round(sum(worker.phone.sent_count for worker in workers) / sent - 1, 4),
    }


def minutes_of_days(session: Session, *, since: datetime, until: datetime) -> int:
    """The minutes of the newest versions of visits on these care days."""
    found = visits.newest(session, provider_id=PROVIDER, since_day=since.date(), until_day=until.date())
    stays = (slot.attendance for visit in found for slot in visit.slots)
    return sum(stay.minutes for stay in stays if stay is not None)
