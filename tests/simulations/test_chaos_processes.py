"""Two of every part at once on PostgreSQL and Mosquitto, killed at random and restarted one by one under load: nothing lost, doubled or missed."""

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import jsonschema
import pytest
from sqlalchemy import make_url
from sqlalchemy.orm import Session, sessionmaker
from typer.testing import CliRunner

from api import cli
from evm.domain.alerts.deadline import Deadline, Stage
from evm.domain.ids import CustomerId, VisitId
from evm.domain.plan import PlannedVisit, Risk
from evm.store import alerts, deadlines, outbox, plans
from evm.store.screens import service
from simulations.chaos import alerts as chaos_alerts
from simulations.chaos import field, processes
from simulations.chaos import ingest as chaos_ingest
from simulations.chaos.servers import BROKER, Servers
from simulations.outside import Outside
from tests.databases import PostgresqlServer
from tests.devices.brokers import need_mosquitto

pytestmark = [pytest.mark.slow, pytest.mark.mosquitto, pytest.mark.database("postgresql")]
SCHEMAS = processes.ROOT / "api" / "schema"
STOP_SECONDS_MAX = 10.0
FIRST = tuple(f"{part}-1" for part in processes.PARTS)


def now() -> datetime:
    return datetime.now(UTC)


def test_ten_kills_of_two_of_everything_lose_nothing_double_nothing_and_miss_no_alert(database_url: str) -> None:
    """Broken when two processes conclude the same thing from the same rows, or one dies with something that nobody else will do."""
    need_mosquitto()
    found = processes.run(kills=10, events=600, broker="mosquitto", database=database_url)
    jsonschema.validate(found, json.loads((SCHEMAS / "chaos_processes.json").read_text(encoding="utf-8")))
    assert found["kills"] == 10
    assert (found["lost"], found["doubled"]) == (0, 0)
    assert found["minutes_stored"] == found["minutes_expected"] > 0
    assert found["due"] > 0
    assert (found["missing"], found["alerts_doubled"], found["unsent"]) == (0, 0, 0)
    assert (found["missed_false"], found["visits_amiss"], found["visits_stale"]) == (0, 0, 0)
    assert found["unclean_stops"] == 0


def test_the_command_prints_one_object_that_fits_its_schema(database_url: str) -> None:
    """Broken if a script that reads the command's output meets other keys, or words beside them."""
    need_mosquitto()
    arguments = ["chaos", "processes", "--kills", "1", "--events", "50", "--database", database_url, "--json"]
    said = CliRunner().invoke(cli.app, arguments)
    assert said.exit_code == 0, said.stderr
    jsonschema.validate(json.loads(said.stdout), json.loads((SCHEMAS / "chaos_processes.json").read_text()))


def test_ingest_and_mosquitto_killed_on_postgresql_lose_nothing(database_url: str) -> None:
    """Broken if PostgreSQL acknowledges to ingest what it has not kept, or a batch tried again is stored twice."""
    need_mosquitto()
    found = chaos_ingest.run(kills=4, events=300, broker="mosquitto", database=database_url)
    assert (found["kills"], found["lost"], found["doubled"]) == (4, 0, 0)
    assert found["minutes_stored"] == found["minutes_expected"] > 0


def test_the_watch_and_the_notifier_killed_on_postgresql_miss_no_alert(database_url: str) -> None:
    """Broken if a deadline half judged, or an alert half told, is neither open nor done on PostgreSQL."""
    found = chaos_alerts.run(kills=4, database=database_url)
    assert found["kills"] == 4
    assert (found["missing"], found["doubled"], found["unsent"]) == (0, 0, 0)


class Load:
    """Phones that send and deadlines that fall due, all the time until stopped."""

    def __init__(self, *, workers: list[field.Worker], sessions: sessionmaker[Session]) -> None:
        self.workers, self._sessions = workers, sessions
        self.due = 0
        self._rng = random.Random(1)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        for worker in self.workers:
            if worker.inside_since is not None:
                worker.act()

    def _go_on(self) -> None:
        while not self._stopping.wait(0.1):
            for _ in range(3):
                self._rng.choice(self.workers).act()
            with self._sessions.begin() as session:
                set_deadline(session, number=self.due, customer=len(self.workers) + self.due % 10, due_at=now())
            self.due += 1


def set_deadline(session: Session, *, number: int, customer: int, due_at: datetime) -> None:
    """A visit of an hour ago that nobody came to, to be missed at `due_at`."""
    visit = PlannedVisit(
        visit_id=VisitId(f"v-{number}"),
        customer_id=CustomerId(f"customer-{customer}"),
        provider_id=field.PROVIDER,
        locality_id=field.LOCALITY,
        start=due_at.replace(microsecond=0) - timedelta(hours=1),
        minutes=30,
        risk=Risk.TIME_CRITICAL,
    )
    deadline = Deadline(visit_id=visit.visit_id, revision=1, slot=0, stage=Stage.MISSED, due_at=due_at)
    plans.add_planned_visits(session, visits=[visit])
    deadlines.add_deadlines(session, deadlines=[deadline])


@pytest.fixture
def outside() -> Iterator[Outside]:
    with Outside() as world:
        yield world


@pytest.fixture
def servers(database_url: str, sessions: sessionmaker[Session], tmp_path: Path, outside: Outside) -> Iterator[Servers]:
    """Mosquitto and one of every part, up; six phones are enrolled (`passwords`)."""
    need_mosquitto()
    with sessions.begin() as session:
        passwords = field.add_field(session, devices=6, others=10)
    servers = Servers(
        directory=tmp_path,
        url=database_url,
        broker="mosquitto",
        sessions=sessions,
        ingests=("ingest-1", "ingest-2"),
        environment={"POPBACK_NOTIFY_TO": outside.url},
    )
    (tmp_path / "passwords").write_text("\n".join(passwords))
    try:
        for name in (BROKER, *FIRST):
            servers.start(name)
        _until(lambda: all(servers.is_ready(name) for name in FIRST), servers)
        yield servers
    finally:
        servers.stop()


@pytest.fixture
def workers(servers: Servers, tmp_path: Path) -> Iterator[list[field.Worker]]:
    passwords = (tmp_path / "passwords").read_text().split()
    with field.phones(directory=tmp_path, passwords=passwords, port=servers.port, seed=1) as workers:
        yield workers


def test_fault_43_parts_are_restarted_one_by_one_under_load(
    servers: Servers, workers: list[field.Worker], sessions: sessionmaker[Session], outside: Outside
) -> None:
    """Broken when an upgrade in the middle of the morning loses an event, pages late or twice, or leaves a process that does not end."""
    with Load(workers=workers, sessions=sessions) as load:
        for part in processes.PARTS:
            servers.start(f"{part}-2")
            _until(lambda part=part: servers.is_ready(f"{part}-2"), servers)
            servers.tell_to_end(f"{part}-1")
            assert servers.exit_code(f"{part}-1", within_seconds=STOP_SECONDS_MAX) == 0, servers.last_words()
    _until(lambda: field.waiting(workers) == 0 and not _waits(sessions), servers)
    late = _whole(sessions, workers, due=load.due)
    assert late < timedelta(seconds=15)
    assert set(outside.times_taken().values()) == {1}, "in a rolling restart nothing is even told twice"
    assert "Traceback" not in servers.last_words()


def test_fault_11_the_database_goes_away_and_comes_back(
    servers: Servers,
    workers: list[field.Worker],
    sessions: sessionmaker[Session],
    postgresql: PostgresqlServer,
    database_url: str,
) -> None:
    """Broken when a part ends, or acknowledges what is not stored, or needs a person, because its database was away for a while."""
    with sessions.begin() as session:
        for number in range(10):
            due_at = now() + timedelta(seconds=0.5 * number)
            set_deadline(session, number=number, customer=len(workers) + number, due_at=due_at)
    _act(workers, 12)
    _until(lambda: field.receipted(workers) > 0, servers)
    database = make_url(database_url).database
    postgresql._run(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")
    postgresql._run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")
    before = field.receipted(workers)
    _act(workers, 60)
    time.sleep(4)
    assert field.receipted(workers) <= before + 12, "nothing is receipted that is not stored"
    assert not any(servers.is_dead(name) for name in FIRST)
    postgresql._run(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true")
    _until(lambda: field.waiting(workers) == 0 and not _waits(sessions), servers)
    _whole(sessions, workers, due=10)
    assert not any(servers.is_dead(name) for name in FIRST), servers.last_words()


def _act(workers: list[field.Worker], events: int) -> None:
    """So many events (an even number a worker), every stay closed at the end."""
    for number in range(events):
        workers[number % len(workers)].act()


def _whole(sessions: sessionmaker[Session], workers: list[field.Worker], *, due: int) -> timedelta:
    """Whether all that was set going stands, once; answers how late the latest alert was raised."""
    with sessions() as session:
        counted = field.count_events(session, workers=workers, until=now())
        minutes = field.minutes_of_days(session, since=field.FIRST_DAY, until=field.last_instant(workers))
        raised = alerts.alert_list(session, provider_id=field.PROVIDER)
    assert (counted["lost"], counted["doubled"]) == (0, 0)
    assert minutes == counted["minutes_expected"] > 0
    assert len(raised) == due > 0
    return max(alert.raised_at - alert.due_at for alert in raised)


def _waits(sessions: sessionmaker[Session]) -> bool:
    with sessions() as session:
        found = service.waiting(session, now=now())
    return bool(found.figures["overdue_deadlines"] or found.figures["reconcile_backlog"] or found.unsent[outbox.NOTIFY])


def _until(condition: Callable[[], bool], servers: Servers) -> None:
    give_up = time.monotonic() + 120
    while not condition():
        if time.monotonic() > give_up:
            pytest.fail(servers.last_words())
        time.sleep(0.05)
