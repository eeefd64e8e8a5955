"""Each process tells its supervisor and Prometheus how it fares, on a port of its own."""

import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from api.health import Health, HealthServer, MeasuredIngest
from api.parts import Parts
from api.pulse import Job, Pulse
from devices.ingest import Received
from evm.domain.policy import Policy
from tests.factories import NINE

DOCS = Path(__file__).parent.parent.parent / "docs" / "operations-metrics.md"


@pytest.fixture
def parts(engine: Engine, sessions: sessionmaker[Session], tmp_path: Path) -> Parts:
    return Parts(
        url="",
        engine=engine,
        sessions=sessions,
        secrets=tmp_path,
        clock=lambda: NINE,
        policy=Policy(),
        challenges=lambda: "c",
    )


@pytest.fixture
def health(parts: Parts) -> Health:
    return Health(parts=parts)


@pytest.fixture
def server(health: Health) -> Iterator[HealthServer]:
    server = HealthServer(health=health, host="127.0.0.1", port=0)
    server.start()
    yield server
    server.stop()


def ask(server: HealthServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_a_process_that_does_its_work_is_live_and_ready(health: Health, server: HealthServer) -> None:
    """Broken when a supervisor restarts what is well."""
    health.pulse(Pulse(jobs=(), name="watch")).beat()
    assert ask(server, "/health/live") == (200, "ok\n")
    assert ask(server, "/health/ready") == (200, "ok\n")
    assert ask(server, "/elsewhere")[0] == 404


def test_fault_9_a_pulse_that_finishes_nothing_is_not_live_and_says_which(health: Health, server: HealthServer) -> None:
    """Broken when a thread that has died or hangs looks as if all were well: nobody would be alerted of anything."""
    pulse = health.pulse(Pulse(jobs=(), name="watch", patience_seconds=60))
    for silent, live, ready in ((29, 200, 200), (31, 200, 503), (61, 503, 503)):
        pulse._turned_at = time.monotonic() - silent
        assert ask(server, "/health/live")[0] == live
        assert ask(server, "/health/ready")[0] == ready
        assert health.hung is (live == 503)
    assert "watch has finished nothing" in ask(server, "/health/live")[1]


def test_without_its_database_it_lives_but_is_not_ready(
    health: Health, server: HealthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken when a supervisor restarts everything because the database is away, or a load balancer keeps sending."""

    def gone() -> None:
        raise OperationalError("select 1", {}, Exception("gone"))

    monkeypatch.setattr(health, "_reading", gone)
    assert ask(server, "/health/live")[0] == 200
    assert ask(server, "/health/ready") == (503, "the database does not answer\n")
    assert "popback_database_up 0.0" in ask(server, "/metrics")[1]


def test_metrics_count_jobs_failures_and_what_ingest_refuses(
    parts: Parts, health: Health, server: HealthServer
) -> None:
    """Broken when a job fails at every beat, or a phone is refused all day, and no figure moves."""

    def fails() -> None:
        raise OperationalError("select 1", {}, Exception("locked"))

    pulse = health.pulse(Pulse(jobs=(Job(name="price", run=fails), Job(name="sweep", run=list)), name="work"))
    pulse.beat()
    ingest = MeasuredIngest(sessions=parts.sessions, clock=parts.clock, policy=parts.policy, new_challenge=lambda: "c")
    ingest.health = health
    ingest.take([Received(provider="p", device="d", topic="popback/v1/p/d/event", message=b"{}")])
    said = ask(server, "/metrics")[1]
    for line in (
        'popback_job_failures_total{job="price"} 1.0',
        'popback_job_failures_total{job="sweep"} 0.0',
        'popback_job_seconds_count{job="sweep"} 1.0',
        'popback_beats{pulse="work"} 1.0',
        "popback_ingest_batches_total 1.0",
        'popback_ingest_events_total{outcome="refused"} 1.0',
        'popback_ingest_messages_total{channel="mqtt"} 1.0',
        "popback_overdue_deadlines 0.0",
        'popback_outbox_unsent_messages{channel="notify"} 0.0',
        "popback_database_up 1.0",
    ):
        assert line in said, line


def test_metrics_name_what_waits_and_how_long(
    health: Health, server: HealthServer, sessions: sessionmaker[Session]
) -> None:
    """Broken when alerts that nobody was told of, or deadlines nobody judged, cannot be seen from outside."""
    with sessions.begin() as session:
        session.execute(
            text(
                "INSERT INTO outbox (channel, key, address, body, created_at, attempts) "
                "VALUES ('notify', 'k', 'a', '{}', '2026-11-02 08:59:00', 0)"
            )
            if session.get_bind().dialect.name == "sqlite"
            else text(
                "INSERT INTO outbox (channel, key, address, body, created_at, attempts) "
                "VALUES ('notify', 'k', 'a', '{}', '2026-11-02 08:59:00+00', 0)"
            )
        )
    said = ask(server, "/metrics")[1]
    assert 'popback_outbox_unsent_messages{channel="notify"} 1.0' in said
    assert "popback_oldest_unsent_seconds 60.0" in said


def test_a_taken_health_port_is_refused_in_a_sentence(health: Health, server: HealthServer) -> None:
    """Broken when a part that nobody can ask about starts all the same."""
    with pytest.raises(RuntimeError, match="--health-port"):
        HealthServer(health=health, host="127.0.0.1", port=server.port).start()


def test_every_metric_is_documented_and_every_documented_one_exists(health: Health) -> None:
    """Broken when an operator meets a figure that nobody explains, or waits for one that never comes."""
    there = {metric.name for metric in health.registry.collect()}
    documented = set(re.findall(r"^\| `(popback_\w+)`", DOCS.read_text(encoding="utf-8"), re.MULTILINE))
    assert documented == there
