"""`popback chaos alerts`: deadlines fall due while the watch and the notifier are killed (SIGKILL) in mid-work; then counts what is
missing, raised twice, or never told. Not a benchmark: it measures no speed.

A kill counts only with work in flight: at that instant a deadline that is due is not judged (the watch), or an alert is not told (the
notifier), and both had made progress since they were last started. What is told is read from the notifier's log."""

import contextlib
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from evm.domain.alerts.deadline import Deadline, Stage
from evm.domain.ids import CustomerId, VisitId
from evm.domain.plan import PlannedVisit, Risk
from evm.store import alerts, deadlines, outbox, plans
from evm.store.database import migrate, open_engine, reading_factory, session_factory
from simulations.chaos.field import LOCALITY, PROVIDER, add_field
from simulations.chaos.servers import ROOT, Servers

__all__ = ["ROOT", "WatchStuckError", "run"]

WATCH: Final = "watch"
NOTIFY: Final = "notify"
PARTS: Final = (WATCH, NOTIFY)
VISITS_A_ROUND: Final = 40
AT_ONCE: Final = 4
"""Of a round's visits those whose deadlines are due when the watch starts: what it makes of them shows that it is back."""
SPREAD_SECONDS: Final = 2.0
"""The other deadlines fall due over this time, as they do on a day: a kill then meets the watch judging, telling or between beats."""
STAGES: Final = (Stage.WARN, Stage.PAGE, Stage.MISSED)
PATIENCE_SECONDS: Final = 120.0
_TOLD: Final = re.compile(r"alert:\d+:raised")


class WatchStuckError(RuntimeError):
    """The watch or the notifier ended by itself, or nothing moved for two minutes."""


@dataclass(slots=True, kw_only=True)
class _Run:
    """One run: the database as this process sees it, the watch and the notifier, and how many deadlines were set."""

    servers: Servers
    sessions: sessionmaker[Session]
    reading: sessionmaker[Session]
    rng: random.Random
    visits: int = 0
    due: int = 0

    def set_deadlines(self, *, visits: int, within_seconds: float) -> None:
        """Visits nobody will come to, whose deadlines fall due from now on within so many seconds."""
        now = datetime.now(UTC)  # noqa: TID251 -- this command's own clock: the watch it torments reads the same
        start = now.replace(microsecond=0) - timedelta(hours=1)
        planned = [_visit(self.visits + n, start) for n in range(visits)]
        found = [
            Deadline(
                visit_id=visit.visit_id,
                revision=visit.revision,
                slot=0,
                stage=stage,
                due_at=now + timedelta(seconds=self.rng.random() * within_seconds),
            )
            for visit in planned
            for stage in STAGES
        ]
        with self.sessions.begin() as session:
            plans.add_planned_visits(session, visits=planned)
            deadlines.add_deadlines(session, deadlines=found)
        self.visits += visits
        self.due += len(found)

    def in_flight(self, *parts: str) -> int:
        """Deadlines due and not judged (the watch's), and alerts not told (the notifier's)."""
        now = datetime.now(UTC)  # noqa: TID251 -- this command's own clock
        with self.reading() as session:
            found = {
                WATCH: deadlines.overdue_count(session, now=now),
                NOTIFY: outbox.unsent_count(session, channel=outbox.NOTIFY),
            }
        return sum(found[part] for part in parts or found)

    def told(self) -> Counter[str]:
        """How often each alert was told, by its key."""
        return Counter(_TOLD.findall(self.servers.log_text(NOTIFY)))

    def until(self, condition: Callable[[], bool], words: str) -> None:
        give_up = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            if time.monotonic() > give_up or self.servers.is_dead(WATCH) or self.servers.is_dead(NOTIFY):
                raise WatchStuckError(f"{words}\n{self.servers.last_words()}")
            time.sleep(0.01)


def run(
    *, kills: int, database: str = "sqlite", seed: int = 1, progress: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """Run until `kills` counted kills; the keys of `popback chaos alerts`. `database`: "sqlite" for a fresh file, or the URL of an
    empty database. Raises `WatchStuckError`."""
    began = time.monotonic()
    say = progress or _to_standard_error
    with tempfile.TemporaryDirectory(prefix="popback-chaos-") as name, contextlib.ExitStack() as stack:
        directory = Path(name)
        url = f"sqlite:///{directory / 'popback.sqlite3'}" if database == "sqlite" else database
        engine = open_engine(url=url)
        stack.callback(engine.dispose)
        torment = _prepared(engine, directory, url, seed)
        stack.callback(torment.servers.stop)
        counted = _torment(torment, kills=kills, say=say)
        result = _count(torment)
    return {"kills": counted, **result, "seconds": round(time.monotonic() - began, 3)}


def _prepared(engine: Engine, directory: Path, url: str, seed: int) -> _Run:
    migrate(engine)
    sessions = session_factory(engine)
    with sessions.begin() as session:
        add_field(session, devices=0, others=VISITS_A_ROUND)
    servers = Servers(directory=directory, url=url, broker="embedded", sessions=sessions)
    return _Run(servers=servers, sessions=sessions, reading=reading_factory(engine), rng=random.Random(seed))


def _torment(torment: _Run, *, kills: int, say: Callable[[str], None]) -> int:
    counted = 0
    for part in PARTS:
        torment.servers.start(part)
    while counted < kills:
        part = torment.rng.choice(PARTS)
        counted += _round(torment, part)
        torment.servers.start(part)
        say(f"{counted} of {kills} kills, {torment.due} deadlines, {torment.in_flight()} in flight")
    time.sleep(SPREAD_SECONDS)
    torment.until(lambda: torment.in_flight() == 0, "what is due is not all judged and told")
    for part in PARTS:
        torment.servers.kill(part)
    return counted


def _round(torment: _Run, part: str) -> bool:
    """See both work, and kill one of them at a random moment while deadlines fall due. Answers whether the kill counts."""
    before = sum(torment.told().values())
    torment.set_deadlines(visits=AT_ONCE, within_seconds=0)
    torment.until(lambda: sum(torment.told().values()) > before, "no alert is told after a restart")
    torment.set_deadlines(visits=VISITS_A_ROUND - AT_ONCE, within_seconds=SPREAD_SECONDS)
    time.sleep(torment.rng.random() * SPREAD_SECONDS)
    busy = torment.in_flight(part) > 0
    return torment.servers.kill(part) and busy


def _count(torment: _Run) -> dict[str, Any]:
    """What was due against the alerts that stand, what was to be told against what was."""
    told = torment.told()
    with torment.reading() as session:
        raised = Counter((a.visit, a.slot, a.stage) for a in alerts.alert_list(session, provider_id=PROVIDER))
        standing = {f"alert:{a.alert_id}:raised": a for a in alerts.alert_list(session, provider_id=PROVIDER)}
        unsent = outbox.unsent_count(session, channel=outbox.NOTIFY)
    to_tell = {key for key, alert in standing.items() if alert.stage != Stage.WARN}
    return {
        "due": torment.due,
        "missing": torment.due - len(raised),
        "doubled": sum(count - 1 for count in raised.values()),
        "unsent": unsent + len(to_tell - set(told)),
        "duplicate_share": round(sum(count - 1 for count in told.values()) / max(1, len(told)), 4),
    }


def _visit(number: int, start: datetime) -> PlannedVisit:
    return PlannedVisit(
        visit_id=VisitId(f"chaos-{number}"),
        customer_id=CustomerId(f"customer-{number % VISITS_A_ROUND}"),
        provider_id=PROVIDER,
        locality_id=LOCALITY,
        start=start,
        minutes=30,
        risk=Risk.TIME_CRITICAL,
    )


def _to_standard_error(words: str) -> None:
    sys.stderr.write(words + "\n")
