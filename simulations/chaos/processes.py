"""`popback chaos processes`: two of every part at once on one database and one broker, phones sending and deadlines falling due, while any
of them, the broker or a connection to the database is killed; then counts what is lost, doubled, missed, or left stale. Not a benchmark.

A kill counts only with work in flight for its victim: an event without a receipt (ingest, the broker), a deadline due and not judged
(watch), a customer-day queued (work), an alert not told (notify), any of these (the database), and the victim was up. Of every five rounds
or so one freezes its victim for a moment instead (SIGSTOP, SIGCONT): that counts as no kill. Deadlines are of
visits nobody comes to, which must be alerted once each, and of visits whose worker checks in amid the kills: an alert about one of those
must be answered when its evidence comes."""

import contextlib
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import make_url
from sqlalchemy.orm import Session, sessionmaker

from evm.domain.alerts.deadline import Deadline, Stage
from evm.domain.alerts.situation import AlertKind
from evm.domain.ids import CustomerId, VisitId
from evm.domain.plan import PlannedVisit, Risk
from evm.domain.policy import Policy
from evm.services import reconcile
from evm.store import alerts, deadlines, outbox, plans
from evm.store.connections import end_one_of_others
from evm.store.database import migrate, open_engine, reading_factory, session_factory
from evm.store.screens import service
from evm.store.visit_checks import versions_amiss
from simulations.chaos.field import (
    FIRST_DAY,
    LOCALITY,
    PROVIDER,
    Worker,
    add_field,
    count_events,
    last_instant,
    minutes_of_days,
    phones,
    receipted,
    waiting,
)
from simulations.chaos.servers import BROKER, ROOT, BrokerKind, Servers
from simulations.outside import Outside

__all__ = ["ROOT", "BrokerKind", "ProcessesStuckError", "run"]

EACH: Final = 2
"""Of every part so many processes."""
PARTS: Final = ("ingest", "watch", "work", "notify")
NAMES: Final = tuple(f"{part}-{number}" for part in PARTS for number in range(1, EACH + 1))
DATABASE: Final = "database"
DEVICES: Final = 12
SILENT: Final = 40
SILENT_A_ROUND: Final = 6
ATTENDED_A_ROUND: Final = 3
SPREAD_SECONDS: Final = 1.5
FREEZE_SHARE: Final = 0.2
FREEZE_SECONDS: Final = 2.0
STAGES: Final = (Stage.WARN, Stage.PAGE, Stage.MISSED)
PATIENCE_SECONDS: Final = 180.0
STOP_SECONDS_MAX: Final = 10.0


class ProcessesStuckError(RuntimeError):
    """Nothing moved for three minutes: a part does not come back, or something is never stored, judged, reconciled or told."""


@dataclass(slots=True, kw_only=True)
class _Run:
    """One run: the servers, the phones, the database as this process sees it, and what has been set going."""

    servers: Servers
    workers: list[Worker]
    outside: Outside
    sessions: sessionmaker[Session]
    reading: sessionmaker[Session]
    rng: random.Random
    silent: int = 0
    attended: list[VisitId] = field(default_factory=list)
    due: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    freezes: int = 0

    def burst(self, events: int) -> None:
        """So many events of workers anywhere."""
        for _ in range(events):
            self.rng.choice(self.workers).act()

    def set_deadlines(self) -> None:
        """Visits nobody comes to, and visits somebody comes to just now, whose deadlines fall due within moments."""
        now = _now()
        silent = [
            _visit(f"silent-{self.silent + n}", self._silent_customer(n), now - timedelta(hours=1))
            for n in range(SILENT_A_ROUND)
        ]
        attended = [self._attended(now, n) for n in range(ATTENDED_A_ROUND)]
        found = [self._deadline(visit, stage, now) for visit in silent for stage in STAGES]
        found += [self._deadline(visit, Stage.MISSED, now) for visit in attended]
        with self.sessions.begin() as session:
            plans.add_planned_visits(session, visits=[*silent, *attended])
            deadlines.add_deadlines(session, deadlines=found)
        self.silent += SILENT_A_ROUND
        self.due += SILENT_A_ROUND * len(STAGES)
        for worker, visit in zip(self.rng.sample(self.workers, len(attended)), attended, strict=True):
            self.attended.append(visit.visit_id)
            worker.attend(customer=visit.customer_id, at=_now())

    def _silent_customer(self, n: int) -> int:
        return DEVICES + (self.silent + n) % SILENT

    def _attended(self, now: datetime, n: int) -> PlannedVisit:
        number = len(self.attended) + n
        return _visit(f"attended-{number}", DEVICES + SILENT + number, now, risk=Risk.STANDARD)

    def _deadline(self, visit: PlannedVisit, stage: Stage, now: datetime) -> Deadline:
        due_at = now + timedelta(seconds=self.rng.random() * SPREAD_SECONDS)
        return Deadline(visit_id=visit.visit_id, revision=visit.revision, slot=0, stage=stage, due_at=due_at)

    def in_flight(self) -> dict[str, float]:
        """What waits, by the part that is to do it."""
        now = _now()
        with self.reading() as session:
            found = service.waiting(session, now=now)
        return {
            "ingest": waiting(self.workers),
            "watch": found.figures["overdue_deadlines"],
            "work": found.figures["reconcile_backlog"],
            "notify": found.unsent[outbox.NOTIFY],
        }

    def is_busy(self, victim: str) -> bool:
        """Whether the victim has work in flight."""
        found = self.in_flight()
        if victim == DATABASE:
            return any(found.values())
        return found["ingest" if victim == BROKER else victim.partition("-")[0]] > 0

    def until(self, condition: Callable[[], bool], words: str) -> None:
        give_up = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            if time.monotonic() > give_up:
                raise ProcessesStuckError(f"{words}: {self.in_flight()}\n{self.servers.last_words()}")
            time.sleep(0.05)


def run(
    *,
    kills: int,
    events: int,
    broker: BrokerKind = "mosquitto",
    database: str = "sqlite",
    seed: int = 1,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Run until `kills` counted kills and `events` recorded events; the keys of `popback chaos processes`.

    `database`: "sqlite" for a fresh file, or the SQLAlchemy URL of an empty database. Raises `ProcessesStuckError`."""
    began = time.monotonic()
    say = progress or _to_standard_error
    with tempfile.TemporaryDirectory(prefix="popback-chaos-") as name, contextlib.ExitStack() as stack:
        directory = Path(name)
        url = f"sqlite:///{directory / 'popback.sqlite3'}" if database == "sqlite" else database
        torment = _prepared(stack, directory, url, broker=broker, seed=seed, kills=kills)
        _torment(torment, kills=kills, events=events, victims=_victims(url), say=say)
        unclean = _ended(torment, say)
        result = _count(torment)
    return {
        "kills": sum(torment.kills.values()),
        "kills_by_victim": dict(sorted(torment.kills.items())),
        "freezes": torment.freezes,
        **result,
        "unclean_stops": unclean,
        "seconds": round(time.monotonic() - began, 3),
    }


def _prepared(
    stack: contextlib.ExitStack, directory: Path, url: str, *, broker: BrokerKind, seed: int, kills: int
) -> _Run:
    """Everything started and up."""
    engine = open_engine(url=_ours(url))
    stack.callback(engine.dispose)
    migrate(engine)
    sessions = session_factory(engine)
    rounds = 4 * kills + 8
    with sessions.begin() as session:
        passwords = add_field(session, devices=DEVICES, others=SILENT + ATTENDED_A_ROUND * rounds)
    outside = stack.enter_context(Outside())
    servers = Servers(
        directory=directory,
        url=url,
        broker=broker,
        sessions=sessions,
        ingests=[name for name in NAMES if name.startswith("ingest")],
        environment={"POPBACK_NOTIFY_TO": outside.url},
    )
    stack.callback(servers.stop)
    workers = stack.enter_context(phones(directory=directory, passwords=passwords, port=servers.port, seed=seed))
    for name in (BROKER, *NAMES):
        servers.start(name)
    return _Run(
        servers=servers,
        workers=workers,
        outside=outside,
        sessions=sessions,
        reading=reading_factory(engine),
        rng=random.Random(seed),
    )


def _ours(url: str) -> str:
    """The database under a name of our own, so that our connections can be told from the parts'."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.update_query_dict({"application_name": "popback-chaos"})
    return parsed.render_as_string(hide_password=False)


def _victims(url: str) -> tuple[str, ...]:
    on_server = make_url(url).get_backend_name() == "postgresql"
    return (*NAMES, BROKER, *((DATABASE,) if on_server else ()))


def _torment(torment: _Run, *, kills: int, events: int, victims: tuple[str, ...], say: Callable[[str], None]) -> None:
    """Record all events and set deadlines; amid them, kill. Every worker ends outside, so that all stays are closed."""
    done = rounds = 0
    while sum(torment.kills.values()) < kills:
        counted = sum(torment.kills.values())
        share = (events * (counted + 1)) // kills - done
        done += share
        rounds += 1
        if rounds > 4 * kills:
            raise ProcessesStuckError(f"only {counted} of {rounds} kills met work in flight")
        _round(torment, torment.rng.choice(victims), share=share)
        say(
            f"{sum(torment.kills.values())} of {kills} kills, {done} of {events} events, waiting: {torment.in_flight()}"
        )
    for worker in torment.workers:
        if worker.inside_since is not None:
            worker.act()
    time.sleep(SPREAD_SECONDS)
    torment.until(lambda: not any(torment.in_flight().values()), "what was set going does not come to its end")


def _round(torment: _Run, victim: str, *, share: int) -> None:
    """See the victim up and receipts flow, set things going, and kill it at a random moment amid them; then start it again."""
    torment.until(lambda: victim == DATABASE or torment.servers.is_ready(victim), f"{victim} does not come up")
    before = receipted(torment.workers)
    torment.burst(1)
    torment.until(lambda: receipted(torment.workers) > before, "no receipts come")
    torment.set_deadlines()
    torment.burst(share - share // 2)
    time.sleep(torment.rng.random() * SPREAD_SECONDS)
    torment.burst(share // 2)
    if victim in NAMES and torment.rng.random() < FREEZE_SHARE:
        torment.servers.freeze(victim)
        time.sleep(torment.rng.random() * FREEZE_SECONDS)
        torment.servers.thaw(victim)
        torment.freezes += 1
        return
    busy = torment.is_busy(victim)
    if victim == DATABASE:
        with torment.sessions() as session:
            hit = end_one_of_others(session, choose=torment.rng.random())
    else:
        hit = torment.servers.kill(victim)
        torment.servers.start(victim)
    if busy and hit:
        torment.kills[victim] += 1


def _ended(torment: _Run, say: Callable[[str], None]) -> int:
    """Tell every process to end, one after the other, and count those that do not end with 0 within ten seconds."""
    unclean = 0
    for name in NAMES:
        torment.until(lambda: torment.servers.is_ready(name), f"{name} does not come up")  # noqa: B023 -- asked at once
        torment.servers.tell_to_end(name)
        code = torment.servers.exit_code(name, within_seconds=STOP_SECONDS_MAX)
        if code != 0:
            unclean += 1
            say(f"{name} ended with {code} (None: not in time): {torment.servers.log_text(name)[-4000:]}")
    return unclean


def _count(torment: _Run) -> dict[str, Any]:
    """What was set going against what stands."""
    until = last_instant(torment.workers)
    told = torment.outside.times_taken()
    with torment.reading() as session:
        counted = count_events(session, workers=torment.workers, until=_now() + timedelta(days=1))
        minutes = minutes_of_days(session, since=FIRST_DAY - timedelta(days=1), until=until)
        listed = alerts.alert_list(session, provider_id=PROVIDER)
        unsent = outbox.unsent_count(session, channel=outbox.NOTIFY)
        amiss = versions_amiss(session)
    attended = set(torment.attended)
    raised = Counter((a.visit, a.slot, a.stage) for a in listed if a.kind == AlertKind.MISSED_VISIT)
    expected = {key: count for key, count in raised.items() if key[0] not in attended}
    to_tell = {f"alert:{a.alert_id}:raised" for a in listed if a.stage != Stage.WARN}
    return {
        **counted,
        "minutes_stored": minutes,
        "due": torment.due,
        "missing": torment.due - len(expected),
        "alerts_doubled": sum(count - 1 for count in raised.values()),
        "unsent": unsent + len(to_tell - set(told)),
        "duplicate_share": round(sum(count - 1 for count in told.values()) / max(1, len(told)), 4),
        "attended": len(attended),
        "missed_false": sum(
            1 for a in listed if a.visit in attended and a.kind == AlertKind.MISSED_VISIT and a.reclassified is None
        ),
        "visits_amiss": amiss,
        "visits_stale": _stale(torment.sessions, until=until),
    }


def _stale(sessions: sessionmaker[Session], *, until: datetime) -> int:
    """Visits that are not what the stored evidence makes of them."""
    since = FIRST_DAY - timedelta(days=1)
    with sessions.begin() as session:
        days = {"provider_id": PROVIDER, "now": _now(), "policy": Policy()}
        changed = reconcile.reconcile_days(session, since_day=since.date(), until_day=until.date(), **days)  # type: ignore[arg-type]
        today = _now().date()
        return changed + reconcile.reconcile_days(
            session,
            since_day=today - timedelta(days=1),
            until_day=today + timedelta(days=1),
            **days,  # type: ignore[arg-type]
        )


def _visit(name: str, customer: int, start: datetime, *, risk: Risk = Risk.TIME_CRITICAL) -> PlannedVisit:
    return PlannedVisit(
        visit_id=VisitId(name),
        customer_id=CustomerId(f"customer-{customer}"),
        provider_id=PROVIDER,
        locality_id=LOCALITY,
        start=start.replace(microsecond=0),
        minutes=30,
        risk=risk,
    )


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 -- this command's own clock: the parts it torments read the same


def _to_standard_error(words: str) -> None:
    sys.stderr.write(words + "\n")
