"""`popback chaos alerts`: deadlines fall due while the watch is killed (SIGKILL) in mid-work; then counts what is missing, raised twice,
or never told. Not a benchmark: it measures no speed.

A kill counts only with work in flight: at that instant a deadline that is due is not judged, or an alert is not told, and the watch had
made progress since it was last started. The watch is a process of `popback serve watch`; what it tells is read from its log."""

import contextlib
import os
import random
import re
import subprocess
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
from evm.domain.ids import CouncilId, CustomerId, LocalityId, ProviderId, VisitId
from evm.domain.people import Council, Customer, Locality, Provider
from evm.domain.place import Home
from evm.domain.plan import PlannedVisit, Risk
from evm.store import alerts, deadlines, outbox, people, plans
from evm.store.database import migrate, open_engine, reading_factory, session_factory

PROVIDER: Final = ProviderId("chaos")
LOCALITY: Final = LocalityId("chaos")
VISITS_A_ROUND: Final = 40
AT_ONCE: Final = 4
"""Of a round's visits those whose deadlines are due when the watch starts: what it makes of them shows that it is back."""
SPREAD_SECONDS: Final = 2.0
"""The other deadlines fall due over this time, as they do on a day: a kill then meets the watch judging, telling or between beats."""
STAGES: Final = (Stage.WARN, Stage.PAGE, Stage.MISSED)
PATIENCE_SECONDS: Final = 120.0
ROOT: Final = Path(__file__).resolve().parents[2]
_TOLD: Final = re.compile(r"alert:\d+:raised")


class WatchStuckError(RuntimeError):
    """The watch ended by itself, or nothing moved for two minutes."""


@dataclass(slots=True, kw_only=True)
class _Watch:
    """The watch as a process, to be killed and started again."""

    directory: Path
    url: str
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def log(self) -> Path:
        return self.directory / "watch.log"

    def start(self) -> None:
        command = [sys.executable, "-m", "api.cli", "serve", "watch"]
        places = ["--data", str(self.directory), "--database", self.url]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 -- our own program and arguments
                [*command, *places], stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=ROOT, env=_environment()
            )

    def kill(self) -> bool:
        """SIGKILL; False when it was dead already."""
        if self.process is None:
            return False
        alive = self.process.poll() is None
        self.process.kill()
        self.process.wait()
        return alive

    def is_dead(self) -> bool:
        """Whether it ended by itself."""
        return self.process is not None and self.process.poll() is not None

    def told(self) -> Counter[str]:
        """How often each alert was told, by its key."""
        return Counter(_TOLD.findall(self.log.read_text(errors="replace"))) if self.log.exists() else Counter()


@dataclass(slots=True, kw_only=True)
class _Run:
    """One run: the database as this process sees it, the watch, and how many deadlines were set."""

    watch: _Watch
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

    def in_flight(self) -> int:
        """Deadlines due and not judged, and alerts not told."""
        now = datetime.now(UTC)  # noqa: TID251 -- this command's own clock
        with self.reading() as session:
            return deadlines.overdue_count(session, now=now) + outbox.unsent_count(session, channel=outbox.NOTIFY)

    def until(self, condition: Callable[[], bool], words: str) -> None:
        give_up = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            if time.monotonic() > give_up or self.watch.is_dead():
                last = self.watch.log.read_text(errors="replace")[-800:] if self.watch.log.exists() else ""
                raise WatchStuckError(f"{words}\n{last}")
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
        torment = _prepared(engine, _Watch(directory=directory, url=url), seed)
        stack.callback(torment.watch.kill)
        counted = _torment(torment, kills=kills, say=say)
        result = _count(torment)
    return {"kills": counted, **result, "seconds": round(time.monotonic() - began, 3)}


def _prepared(engine: Engine, watch: _Watch, seed: int) -> _Run:
    migrate(engine)
    sessions = session_factory(engine)
    with sessions.begin() as session:
        _seed(session)
    return _Run(watch=watch, sessions=sessions, reading=reading_factory(engine), rng=random.Random(seed))


def _torment(torment: _Run, *, kills: int, say: Callable[[str], None]) -> int:
    counted = 0
    while counted < kills:
        counted += _round(torment)
        say(f"{counted} of {kills} kills, {torment.due} deadlines, {torment.in_flight()} in flight")
    time.sleep(SPREAD_SECONDS)
    torment.watch.start()
    torment.until(lambda: torment.in_flight() == 0, "what is due is not all judged and told")
    torment.watch.kill()
    return counted


def _round(torment: _Run) -> bool:
    """Start the watch, see it work, and kill it at a random moment while deadlines fall due. Answers whether the kill counts."""
    before = sum(torment.watch.told().values())
    torment.set_deadlines(visits=AT_ONCE, within_seconds=0)
    torment.watch.start()
    torment.until(lambda: sum(torment.watch.told().values()) > before, "the watch makes no progress after a restart")
    torment.set_deadlines(visits=VISITS_A_ROUND - AT_ONCE, within_seconds=SPREAD_SECONDS)
    time.sleep(torment.rng.random() * SPREAD_SECONDS)
    busy = torment.in_flight() > 0
    return torment.watch.kill() and busy


def _count(torment: _Run) -> dict[str, Any]:
    """What was due against the alerts that stand, what was to be told against what was."""
    told = torment.watch.told()
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


def _seed(session: Session) -> None:
    council = CouncilId("chaos")
    people.add_councils(session, councils=[Council(council_id=council, name="Chaos Council")])
    people.add_providers(session, providers=[Provider(provider_id=PROVIDER, name="Chaos Care")])
    place = Locality(locality_id=LOCALITY, council_id=council, name="Chaos", outward_codes=("M1",))
    people.add_localities(session, localities=[place])
    people.add_customers(session, customers=[_customer(number) for number in range(VISITS_A_ROUND)])


def _customer(number: int) -> Customer:
    return Customer(
        customer_id=CustomerId(f"customer-{number}"),
        provider_id=PROVIDER,
        locality_id=LOCALITY,
        name=f"Customer {number}",
        address=f"{number} Chaos Street",
        postcode="M1 1AA",
        home=Home(latitude=53.48, longitude=-2.24),
    )


def _environment() -> dict[str, str]:
    """The child finds the same packages, whatever its working directory."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}


def _to_standard_error(words: str) -> None:
    sys.stderr.write(words + "\n")
