"""`popback chaos ingest`: phones send while ingest and the broker are killed (SIGKILL) in mid-stream; then counts what was lost or
doubled, and compares the minutes that came out with those that went in. Not a benchmark: it measures no speed.

A kill counts only with work in flight: at that instant some phone holds an event without a receipt, and receipts came since the last
restart. Phones are this process's own, with their outboxes on disk; the broker and ingest are processes of `popback serve`."""

import contextlib
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

from sqlalchemy.orm import Session, sessionmaker

from devices import identity, mosquitto
from devices.mosquitto.process import MosquittoProcess, free_port
from devices.phone import Network, Phone
from evm.domain.evidence import EventKind, Method
from evm.domain.ids import CouncilId, CustomerId, DeviceId, LocalityId, ProviderId, WorkerId
from evm.domain.people import CareWorker, Council, Customer, Gender, Locality, Provider
from evm.domain.place import Home
from evm.domain.policy import Policy
from evm.services import reconcile
from evm.store import evidence, people, visits
from evm.store.database import migrate, open_engine, session_factory

BrokerKind = Literal["embedded", "mosquitto"]

PROVIDER: Final = ProviderId("chaos")
FIRST_DAY: Final = datetime(2025, 1, 6, 7, 0, tzinfo=UTC)  # in the past of any run: nobody's clock is ahead
DEVICES_MAX: Final = 200
PATIENCE_SECONDS: Final = 120.0
ROOT: Final = Path(__file__).resolve().parents[2]


class ChaosStuckError(RuntimeError):
    """Nothing moved for two minutes: the servers do not come back, or an event is never receipted."""


@dataclass(slots=True, kw_only=True)
class _Worker:
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

    def _record(self, kind: EventKind) -> None:
        self.ids.append(self.phone.record(kind, method=Method.NFC, tag=f"tag-{self.customer}", captured_at=self.at))


class _Servers:
    """The broker and ingest as processes, to be killed and started again."""

    def __init__(self, *, directory: Path, url: str, broker: BrokerKind, sessions: sessionmaker[Session]) -> None:
        self.port = free_port()
        self._directory, self._url, self._kind = directory, url, broker
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        credential = identity.server_credential(directory=directory / "secrets", name="ingest-1")
        self._mosquitto: MosquittoProcess | None = None
        if broker == "mosquitto":
            with sessions() as session:
                mosquitto.write_files(session, directory=directory / "mosquitto", servers=[credential], port=self.port)
            self._mosquitto = MosquittoProcess(directory=directory / "mosquitto", port=self.port)

    def start(self, part: str) -> None:
        if part == "broker" and self._mosquitto is not None:
            self._mosquitto.start()
            return
        options = ["--broker-port", str(self.port)] if part == "broker" else ["--broker", f"127.0.0.1:{self.port}"]
        command = [
            sys.executable,
            "-m",
            "api.cli",
            "serve",
            part,
            "--data",
            str(self._directory),
            "--database",
            self._url,
        ]
        with (self._directory / f"{part}.log").open("ab") as log:
            self._running[part] = subprocess.Popen(  # noqa: S603 -- our own program and arguments
                [*command, *options], stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=_environment()
            )

    def kill(self, part: str) -> bool:
        """SIGKILL; False when it was dead already."""
        if part == "broker" and self._mosquitto is not None:
            self._mosquitto.kill()
            return True
        process = self._running.pop(part)
        alive = process.poll() is None
        process.kill()
        process.wait()
        return alive

    def stop(self) -> None:
        for part in list(self._running):
            self.kill(part)
        if self._mosquitto is not None:
            self._mosquitto.kill()

    def last_words(self) -> str:
        """The end of each process's log, for whoever has to find out why nothing moves."""
        logs = sorted(self._directory.glob("*.log"))
        return "\n".join(f"{log.name}: {log.read_text(errors='replace')[-800:]}" for log in logs)


def run(
    *,
    kills: int,
    events: int,
    broker: BrokerKind = "embedded",
    database: str = "sqlite",
    seed: int = 1,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Run until `kills` counted kills and `events` recorded events; the keys of `popback chaos ingest`.

    `database`: "sqlite" for a fresh file, or the SQLAlchemy URL of an empty database. Raises `ChaosStuckError`."""
    began = time.monotonic()
    say = progress or _to_standard_error
    with tempfile.TemporaryDirectory(prefix="popback-chaos-") as name, contextlib.ExitStack() as stack:
        directory = Path(name)
        url = f"sqlite:///{directory / 'popback.sqlite3'}" if database == "sqlite" else database
        engine = open_engine(url=url)
        stack.callback(engine.dispose)
        migrate(engine)
        sessions = session_factory(engine)
        passwords = _seed(sessions, devices=min(DEVICES_MAX, max(4, events // 100)))
        servers = _Servers(directory=directory, url=url, broker=broker, sessions=sessions)
        stack.callback(servers.stop)
        workers = stack.enter_context(_phones(directory, passwords, servers.port, seed))
        for part in ("broker", "ingest"):
            servers.start(part)
        _torment(servers, workers, kills=kills, events=events, rng=random.Random(seed), say=say)
        servers.stop()
        result = _count(sessions, workers)
    return {"kills": kills, **result, "seconds": round(time.monotonic() - began, 3)}


def _torment(
    servers: _Servers,
    workers: list[_Worker],
    *,
    kills: int,
    events: int,
    rng: random.Random,
    say: Callable[[str], None],
) -> None:
    """Record all events; between them, kill. Every worker ends outside, so that all stays are closed."""
    counted = 0
    done = 0
    while counted < kills:
        share = (events * (counted + 1)) // kills - done
        done += share
        part = "ingest" if rng.random() < 0.6 else "broker"
        if _round(servers, workers, part=part, share=share, rng=rng):
            counted += 1
        say(f"{counted} of {kills} kills, {done} of {events} events, {_waiting(workers)} without receipt")
    for worker in workers:
        if worker.inside_since is not None:
            worker.act()
    _until(lambda: _waiting(workers) == 0, servers, "the outboxes do not empty")


def _round(servers: _Servers, workers: list[_Worker], *, part: str, share: int, rng: random.Random) -> bool:
    """Let receipts flow, record a share of the events in bursts, kill `part` amid them, go on recording, start it again.

    Answers whether the kill counts."""
    before = _receipted(workers)
    rng.choice(workers).act()
    _until(lambda: _receipted(workers) > before, servers, "no receipts after a restart")
    bursts = max(1, min(share, 10))
    fatal = rng.randrange(bursts)
    counts = False
    for burst in range(bursts):
        for _ in range(share // bursts + (burst < share % bursts)):
            rng.choice(workers).act()
        if burst == fatal:
            time.sleep(rng.random() * 0.02)
            if _waiting(workers) == 0:
                rng.choice(workers).act()
            in_flight = _waiting(workers) > 0
            counts = servers.kill(part) and in_flight
    servers.start(part)
    return counts


def _until(condition: Callable[[], bool], servers: _Servers, words: str) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > give_up:
            raise ChaosStuckError(f"{words}\n{servers.last_words()}")
        time.sleep(0.005)


def _waiting(workers: list[_Worker]) -> int:
    return sum(worker.phone.outbox_size for worker in workers)


def _receipted(workers: list[_Worker]) -> int:
    return sum(worker.phone.stored_count for worker in workers)


def _count(sessions: sessionmaker[Session], workers: list[_Worker]) -> dict[str, Any]:
    """What went in against what stands in the log, and the minutes reconciliation makes of it. Memory does not grow with the events:
    the log is read a worker at a time, the visits a week at a time."""
    until = max(worker.at for worker in workers) + timedelta(days=2)
    lost = doubled = 0
    with sessions() as session:
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
        "minutes_stored": _minutes_stored(sessions, until=until),
        "resent_share": round(sum(worker.phone.sent_count for worker in workers) / sent - 1, 4),
    }


def _minutes_stored(sessions: sessionmaker[Session], *, until: datetime) -> int:
    minutes = 0
    day = FIRST_DAY.date() - timedelta(days=1)
    while day < until.date():
        end = min(until.date(), day + timedelta(days=7))
        with sessions.begin() as session:
            reconcile.reconcile_days(
                session, provider_id=PROVIDER, since_day=day, until_day=end, now=until, policy=Policy()
            )
            found = visits.newest(session, provider_id=PROVIDER, since_day=day, until_day=end)
        stays = (slot.attendance for visit in found for slot in visit.slots)
        minutes += sum(stay.minutes for stay in stays if stay is not None)
        day = end
    return minutes


def _seed(sessions: sessionmaker[Session], *, devices: int) -> list[str]:
    """As many workers as devices, each with a customer of their own; answers the devices' passwords."""
    council, locality = CouncilId("chaos"), LocalityId("chaos")
    numbers = range(devices)
    with sessions.begin() as session:
        people.add_councils(session, councils=[Council(council_id=council, name="Chaos Council")])
        people.add_providers(session, providers=[Provider(provider_id=PROVIDER, name="Chaos Care")])
        place = Locality(locality_id=locality, council_id=council, name="Chaos", outward_codes=("M1",))
        people.add_localities(session, localities=[place])
        people.add_customers(session, customers=[_customer(number, locality) for number in numbers])
        people.add_workers(session, workers=[_care_worker(number, locality) for number in numbers])
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


def _customer(number: int, locality: LocalityId) -> Customer:
    return Customer(
        customer_id=CustomerId(f"customer-{number}"),
        provider_id=PROVIDER,
        locality_id=locality,
        name=f"Customer {number}",
        address=f"{number} Chaos Street",
        postcode="M1 1AA",
        home=Home(latitude=53.48, longitude=-2.24),
        tags=(f"tag-customer-{number}",),
    )


def _care_worker(number: int, locality: LocalityId) -> CareWorker:
    return CareWorker(
        worker_id=WorkerId(f"worker-{number}"),
        provider_id=PROVIDER,
        locality_id=locality,
        name=f"Worker {number}",
        home=Home(latitude=53.48, longitude=-2.24),
        gender=Gender.OTHER,
    )


@contextlib.contextmanager
def _phones(directory: Path, passwords: list[str], port: int, seed: int) -> Iterator[list[_Worker]]:
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
        workers.append(_Worker(phone=phone, customer=f"customer-{number}", rng=random.Random(seed * 2000 + number)))
        phone.connect()
    try:
        yield workers
    finally:
        for worker in workers:
            worker.phone.close()
        network.stop()


def _environment() -> dict[str, str]:
    """Our environment, with this checkout importable wherever the command was started."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    return {**os.environ, "PYTHONPATH": path}


def _to_standard_error(words: str) -> None:
    print(words, file=sys.stderr)
