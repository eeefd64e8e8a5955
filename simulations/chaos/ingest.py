"""`popback chaos ingest`: phones send while ingest and the broker are killed (SIGKILL) in mid-stream; then counts what was lost or
doubled, and compares the minutes that came out with those that went in. Not a benchmark: it measures no speed.

A kill counts only with work in flight: at that instant some phone holds an event without a receipt, and receipts came since the last
restart. Phones are this process's own, with their outboxes on disk; the broker and ingest are processes of `popback serve`."""

import contextlib
import random
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy.orm import Session, sessionmaker

from evm.domain.policy import Policy
from evm.services import reconcile
from evm.store.database import migrate, open_engine, session_factory
from simulations.chaos import field
from simulations.chaos.field import FIRST_DAY, PROVIDER, Worker
from simulations.chaos.servers import ROOT, BrokerKind, Servers

__all__ = ["ROOT", "BrokerKind", "ChaosStuckError", "run"]

DEVICES_MAX: Final = 200
PATIENCE_SECONDS: Final = 120.0


class ChaosStuckError(RuntimeError):
    """Nothing moved for two minutes: the servers do not come back, or an event is never receipted."""


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
        with sessions.begin() as session:
            passwords = field.add_field(session, devices=min(DEVICES_MAX, max(4, events // 100)))
        servers = Servers(directory=directory, url=url, broker=broker, sessions=sessions)
        stack.callback(servers.stop)
        workers = stack.enter_context(
            field.phones(directory=directory, passwords=passwords, port=servers.port, seed=seed)
        )
        for part in ("broker", "ingest-1"):
            servers.start(part)
        _torment(servers, workers, kills=kills, events=events, rng=random.Random(seed), say=say)
        servers.stop()
        result = _count(sessions, workers)
    return {"kills": kills, **result, "seconds": round(time.monotonic() - began, 3)}


def _torment(
    servers: Servers,
    workers: list[Worker],
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
        part = "ingest-1" if rng.random() < 0.6 else "broker"
        if _round(servers, workers, part=part, share=share, rng=rng):
            counted += 1
        say(f"{counted} of {kills} kills, {done} of {events} events, {field.waiting(workers)} without receipt")
    for worker in workers:
        if worker.inside_since is not None:
            worker.act()
    _until(lambda: field.waiting(workers) == 0, servers, "the outboxes do not empty")


def _round(servers: Servers, workers: list[Worker], *, part: str, share: int, rng: random.Random) -> bool:
    """Let receipts flow, record a share of the events in bursts, kill `part` amid them, go on recording, start it again.

    Answers whether the kill counts."""
    before = field.receipted(workers)
    rng.choice(workers).act()
    _until(lambda: field.receipted(workers) > before, servers, "no receipts after a restart")
    bursts = max(1, min(share, 10))
    fatal = rng.randrange(bursts)
    counts = False
    for burst in range(bursts):
        for _ in range(share // bursts + (burst < share % bursts)):
            rng.choice(workers).act()
        if burst == fatal:
            time.sleep(rng.random() * 0.02)
            if field.waiting(workers) == 0:
                rng.choice(workers).act()
            in_flight = field.waiting(workers) > 0
            counts = servers.kill(part) and in_flight
    servers.start(part)
    return counts


def _until(condition: Callable[[], bool], servers: Servers, words: str) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > give_up:
            raise ChaosStuckError(f"{words}\n{servers.last_words()}")
        time.sleep(0.005)


def _count(sessions: sessionmaker[Session], workers: list[Worker]) -> dict[str, Any]:
    """What went in against what stands in the log, and the minutes reconciliation makes of it, a week at a time."""
    until = field.last_instant(workers)
    with sessions() as session:
        counted = field.count_events(session, workers=workers, until=until)
    return {**counted, "minutes_stored": _minutes_stored(sessions, until=until)}


def _minutes_stored(sessions: sessionmaker[Session], *, until: datetime) -> int:
    minutes = 0
    since = FIRST_DAY - timedelta(days=1)
    while since.date() < until.date():
        end = min(until, since + timedelta(days=7))
        with sessions.begin() as session:
            reconcile.reconcile_days(
                session,
                provider_id=PROVIDER,
                since_day=since.date(),
                until_day=end.date(),
                now=until,
                policy=Policy(),
            )
            minutes += field.minutes_of_days(session, since=since, until=end)
        since = end
    return minutes


def _to_standard_error(words: str) -> None:
    print(words, file=sys.stderr)
