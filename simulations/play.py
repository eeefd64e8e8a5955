"""Plays one day through real devices in lock-step: simulated time moves past an instant only when every event up to it has its receipt or
sits in an offline outbox, and the sweep has run at every deadline due up to it. Not what happens (truth)."""

import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from sqlalchemy.orm import Session, sessionmaker

from evm.domain.evidence import EventKind
from evm.domain.policy import Policy
from evm.services import reconcile, watch
from evm.store import deadlines
from simulations.behaviour import Stay
from simulations.clock import SimulatedClock
from simulations.days import local_instant
from simulations.fleet import Fleet
from simulations.truth import Truth

STEP_MAX: Final = timedelta(seconds=55)
HELLO_MINUTE: Final = 6 * 60 + 40
_RECONCILE_EVERY: Final = timedelta(hours=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Something that must happen at exactly `at`, with the clock standing there."""

    at: datetime
    act: Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """Something a worker logs at `at`."""

    at: datetime
    stay: Stay
    kind: EventKind


@dataclass(slots=True)
class _Agenda:
    """What is still to come, soonest first."""

    logs: list[LogEntry]
    moments: list[tuple[datetime, int, Moment]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def add(self, moment: Moment) -> None:
        heapq.heappush(self.moments, (moment.at, next(self.numbers), moment))


class Day:
    """The played day. `progress(done, whole)` is told how many of the logged events have been sent."""

    def __init__(
        self,
        *,
        truth: Truth,
        fleet: Fleet,
        clock: SimulatedClock,
        sessions: sessionmaker[Session],
        policy: Policy,
        progress: Callable[[int, int], None],
    ) -> None:
        self._truth = truth
        self._fleet = fleet
        self._clock = clock
        self._sessions = sessions
        self._policy = policy
        self._progress = progress
        self._reconciled_at = self._swept_at = clock.now()
        self.alerts_raised = 0

    def play(self, *, moments: Iterable[Moment] = ()) -> None:
        """From the first hello to midnight. `moments` are other people's doings of the day, each at its exact instant."""
        world = self._truth.world
        day, zone = world.scenario.played_day, world.scenario.zone
        stays = self._truth.stays_on(day)
        agenda = self._agenda(stays, moments)
        whole = len(agenda.logs)
        hello = local_instant(day, HELLO_MINUTE, zone)
        self._clock.set(hello)
        self._fleet.start({stay.worker for stay in stays})
        self._fleet.say_hello(hello)
        self._fleet.settle()
        end = local_instant(day, 23 * 60 + 59, zone)
        while self._clock.now() < end:
            self._step(agenda, end)
            self._progress(whole - len(agenda.logs), whole)
        self._reconcile()

    def _agenda(self, stays: Iterable[Stay], moments: Iterable[Moment]) -> _Agenda:
        logs = [LogEntry(at=s.arrived, stay=s, kind=EventKind.CHECK_IN) for s in stays if s.logged]
        logs += [LogEntry(at=s.left, stay=s, kind=EventKind.CHECK_OUT) for s in stays if s.check_out_logged]
        logs += [LogEntry(at=s.left, stay=s, kind=EventKind.NO_REPLY) for s in stays if s.no_reply]
        logs.sort(key=lambda entry: (entry.at, entry.stay.call.visit_id, entry.stay.slot))
        agenda = _Agenda(logs=logs[::-1])
        for moment in moments:
            agenda.add(moment)
        for entry in logs:
            if entry.stay.device_type == "telephony":
                agenda.add(Moment(at=entry.at, act=_nothing))  # the server's clock times a call
        for spell in self._truth.happenings.spells:
            if spell.day == self._truth.world.scenario.played_day:
                agenda.add(Moment(at=spell.since, act=partial(self._fleet.disconnect, spell.worker)))
                if spell.restarted:
                    agenda.add(Moment(at=spell.since, act=partial(self._fleet.restart, spell.worker)))
                agenda.add(Moment(at=spell.until, act=partial(self._regain_signal, spell.worker)))
        return agenda

    def _step(self, agenda: _Agenda, end: datetime) -> None:
        """Move to the next instant that matters, let everything up to it be logged and received, then act and sweep there."""
        due = self._next_due()
        candidates = [end, agenda.moments[0][0] if agenda.moments else end]
        if due is not None and due > self._swept_at:
            candidates.append(due)
        if agenda.logs:
            candidates.append(agenda.logs[-1].at + STEP_MAX)
        now = max(self._clock.now(), min(candidates))
        self._clock.set(now)
        logged = False
        while agenda.logs and agenda.logs[-1].at <= now:
            entry = agenda.logs.pop()
            self._fleet.record(entry.stay, entry.kind, at=entry.at)
            logged = True
        if logged:
            self._fleet.settle()
        while agenda.moments and agenda.moments[0][0] <= now:
            heapq.heappop(agenda.moments)[2].act()
        if due is not None and due <= now and now > self._swept_at:
            self._sweep(now)
        if now - self._reconciled_at >= _RECONCILE_EVERY:
            self._reconcile()

    def _regain_signal(self, worker: str) -> None:
        self._fleet.reconnect(worker)
        self._fleet.settle()

    def _next_due(self) -> datetime | None:
        with self._sessions() as session:
            return deadlines.next_due(session)

    def _sweep(self, now: datetime) -> None:
        self._swept_at = now
        with self._sessions.begin() as session:
            self.alerts_raised += len(watch.sweep(session, now=now, policy=self._policy))

    def _reconcile(self) -> None:
        now = self._reconciled_at = self._clock.now()
        with self._sessions.begin() as session:
            while reconcile.run_pending(session, now=now, policy=self._policy):
                pass


def _nothing() -> None:
    """The clock only has to stand at this instant."""
