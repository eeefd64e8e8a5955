"""What the simulated workers did: who came, when they came and left, and what their devices could say of it. The record is kept from the
system under test; what it should make of it is calculated by truth."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from random import Random
from typing import Final

from simulations.days import DayCall, local_instant
from simulations.geography import journey_seconds
from simulations.people import SimCustomer, SimWorker
from simulations.world import World, random_for

OFFLINE_SINCE_MINUTE: Final = 7 * 60 + 20
OFFLINE_UNTIL_MINUTES: Final = (12 * 60 + 20, 13 * 60)
_BLOCK_GAP_MINUTES: Final = 30
_EARLY_MINUTES_MAX: Final = 30
_TOGETHER_SHARE: Final = 0.3
_NAMED_WHEN_LATE_SECONDS: Final = 40 * 60
_QUIET: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """One worker's presence at one slot of a call: `[arrived, left)`, aware UTC, whole seconds, and how it was logged.

    `tag`: "own", "other" (another home's) or "none" (typed). `heard_at`: when an offline phone was heard again, else None.
    `no_reply`: nobody opened, and the worker's phone said so at `left`: neither check-in nor check-out.
    `restarted`, `doubtful`: the phone started anew inside the spell; nothing bounds its clock. `honest`: not cramming."""

    call: DayCall
    slot: int
    worker: str
    device_type: str
    arrived: datetime
    left: datetime
    logged: bool = True
    check_out_logged: bool = True
    no_reply: bool = False
    tag: str = "own"
    names_visit: bool = True
    heard_at: datetime | None = None
    restarted: bool = False
    doubtful: bool = False
    honest: bool = True

    @property
    def seconds(self) -> int:
        return int((self.left - self.arrived).total_seconds())


@dataclass(frozen=True, slots=True, kw_only=True)
class Happenings:
    """Everything that happened in the 28 days. `missed` are visit ids of calls to which nobody came."""

    calls: tuple[DayCall, ...]
    stays: tuple[Stay, ...]
    missed: frozenset[str]
    unlogged: frozenset[str]
    no_reply: frozenset[str]
    spells: tuple["Spell", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """A time `[since, until)` in which one worker's phone had no signal."""

    worker: str
    day: date
    since: datetime
    until: datetime
    restarted: bool = False
    doubtful: bool = False


@dataclass(slots=True)
class _Lives:
    """What is drawn before the days are lived: absences, silences and spells without signal."""

    missed: set[str] = field(default_factory=set)
    unlogged: set[str] = field(default_factory=set)
    no_reply: set[str] = field(default_factory=set)
    spells: dict[tuple[str, date], Spell] = field(default_factory=dict)


def live(world: World, calls: Sequence[DayCall]) -> Happenings:
    """Live through `calls`, worker-day by worker-day: the same world gives the same happenings."""
    workers = {worker.worker_id: worker for worker in world.workers}
    by_day: dict[tuple[str, date], list[tuple[DayCall, int]]] = defaultdict(list)
    for call in calls:
        if call.cancelled_at is None:
            for slot, worker_id in enumerate(call.workers):
                by_day[worker_id, call.day].append((call, slot))
    drawn = _draw(world, calls, workers, by_day)
    stays: list[Stay] = []
    for (worker_id, day), todo in sorted(by_day.items(), key=lambda item: (item[0][1], item[0][0])):
        rng = random_for(world.seed, f"life of {worker_id} on {day}")
        stays += _WorkerDay(world, workers[worker_id], drawn, rng).live(
            sorted(todo, key=lambda item: (item[0].start, item[0].visit_id))
        )
    return Happenings(
        calls=tuple(calls),
        stays=tuple(sorted(stays, key=lambda s: (s.arrived, s.call.visit_id, s.slot))),
        missed=frozenset(drawn.missed),
        unlogged=frozenset(drawn.unlogged),
        no_reply=frozenset(drawn.no_reply),
        spells=tuple(drawn.spells.values()),
    )


def _draw(
    world: World,
    calls: Sequence[DayCall],
    workers: Mapping[str, SimWorker],
    by_day: Mapping[tuple[str, date], Sequence[tuple[DayCall, int]]],
) -> _Lives:
    rng = random_for(world.seed, "lapses")
    drawn = _Lives()
    lapses, played = world.scenario.lapses, world.scenario.played_day
    for worker_id, day in sorted(by_day, key=lambda key: (key[1], key[0])):
        if day != played and workers[worker_id].device_type == "popback_v1" and rng.random() < lapses.offline_block:
            drawn.spells[worker_id, day] = _spell(world, worker_id, day, rng)
    phones = sorted(w for w, day in by_day if day == played and workers[w].device_type == "popback_v1")
    for n, worker_id in enumerate(rng.sample(phones, world.scenario.played.offline_phones)):
        anew = n < world.scenario.played.restarted_phones
        drawn.spells[worker_id, played] = replace(_spell(world, worker_id, played, rng), restarted=anew, doubtful=anew)
    ordinary = [c for c in calls if c.cancelled_at is None and len(c.workers) == 1 and not c.crammed]
    _draw_lapses(world, [c for c in ordinary if c.day != played], workers, drawn, rng)
    today = [c for c in ordinary if c.day == played and (c.workers[0], played) not in drawn.spells]
    _draw_played(world, today, workers, drawn, rng)
    return drawn


def _draw_lapses(
    world: World, calls: Sequence[DayCall], workers: Mapping[str, SimWorker], drawn: _Lives, rng: Random
) -> None:
    """Calls of the history that were missed, unlogged or met by a closed door, each by its rate."""
    lapses = world.scenario.lapses
    for call in calls:
        chance = rng.random()
        if chance < lapses.missed:
            drawn.missed.add(call.visit_id)
        elif chance < lapses.missed + lapses.unlogged:
            drawn.unlogged.add(call.visit_id)
        elif chance < lapses.missed + lapses.unlogged + lapses.no_reply and _has_phone(call, workers):
            drawn.no_reply.add(call.visit_id)


def _draw_played(
    world: World, calls: Sequence[DayCall], workers: Mapping[str, SimWorker], drawn: _Lives, rng: Random
) -> None:
    """The same of the played day, by number."""
    played = world.scenario.played
    chosen = rng.sample([c.visit_id for c in calls], played.missed + played.unlogged)
    drawn.missed.update(chosen[: played.missed])
    drawn.unlogged.update(chosen[played.missed :])
    doors = [c.visit_id for c in calls if c.visit_id not in chosen and _has_phone(c, workers)]
    drawn.no_reply.update(rng.sample(doors, played.no_reply))


def _has_phone(call: DayCall, workers: Mapping[str, SimWorker]) -> bool:
    return workers[call.workers[0]].device_type == "popback_v1"


def _spell(world: World, worker_id: str, day: date, rng: Random) -> Spell:
    lapses = world.scenario.lapses
    doubtful = rng.random() < lapses.offline_doubtful
    return Spell(
        worker=worker_id,
        day=day,
        since=local_instant(day, OFFLINE_SINCE_MINUTE, world.scenario.zone),
        until=local_instant(day, rng.randint(*OFFLINE_UNTIL_MINUTES), world.scenario.zone),
        restarted=doubtful or rng.random() < lapses.offline_restart,
        doubtful=doubtful,
    )


class _WorkerDay:
    """One worker's day, lived call by call."""

    def __init__(self, world: World, worker: SimWorker, drawn: _Lives, rng: Random) -> None:
        self._world = world
        self._worker = worker
        self._drawn = drawn
        self._rng = rng
        self._homes = {customer.customer_id: customer for customer in world.customers}
        self._before: Stay | None = None
        self._freed = False
        habit = random_for(world.seed, f"habit of {worker.worker_id}")
        self._cramming_share = habit.uniform(*world.scenario.cramming.share_of_pairs)

    def live(self, todo: Sequence[tuple[DayCall, int]]) -> list[Stay]:
        stays = []
        crammed = any(call.crammed for call, _ in todo)
        block, waiting = "", 0.0
        for n, (call, slot) in enumerate(todo):
            if call.slot_name != block:
                block, waiting = call.slot_name, 0.0 if crammed else self._block_delay()
            if call.visit_id in self._drawn.missed:
                continue
            following = todo[n + 1][0] if n + 1 < len(todo) else None
            delay = 0.0 if len(call.workers) > 1 else waiting  # nobody lets a partner wait who stands at the door
            waiting -= delay
            stay = self._stay(call, slot, delay, following)
            stays.append(self._logged(stay))
            self._before = stay
        return self._heard_in_a_quiet_minute(stays)

    def _heard_in_a_quiet_minute(self, stays: list[Stay]) -> list[Stay]:
        """On the played day a phone whose clock nothing bounds is heard again when it has logged nothing for two minutes: an event that is
        fresh when it is heard would vouch for the clock."""
        key = (self._worker.worker_id, stays[0].call.day) if stays else ("", date.min)
        spell = self._drawn.spells.get(key)
        if spell is None or not spell.doubtful or spell.day != self._world.scenario.played_day:
            return stays
        logged = [at for stay in stays for at in (stay.arrived, stay.left)]
        until = spell.until
        while any(until - _QUIET <= at <= until for at in logged):
            until += timedelta(minutes=1)
        self._drawn.spells[key] = replace(spell, until=until)
        return [self._offline(stay) for stay in stays]

    def _block_delay(self) -> float:
        rates = self._world.scenario.honest
        if self._worker.crams or self._rng.random() >= rates.block_delay:
            return 0.0
        return self._rng.uniform(*rates.block_delay_minutes) * 60

    def _stay(self, call: DayCall, slot: int, delay: float, following: DayCall | None) -> Stay:
        arrived = self._arrival(call, delay)
        if call.visit_id in self._drawn.no_reply:
            return self._turned_away(call, slot, arrived)
        late = (arrived - call.start).total_seconds()
        seconds, sent_away = self._length(call, late)
        near = following is not None and self._is_near(call, following)
        crams = near and self._worker.crams and call.minutes >= 20 and self._rng.random() < self._cramming_share
        early = near and sent_away and self._rng.random() < self._world.scenario.honest.early_after_sent_away
        self._freed = crams or early
        if crams:
            cut = self._rng.uniform(*self._world.scenario.cramming.cut_minutes) * 60
            seconds = max(call.minutes * 60 * 0.4, min(seconds, call.minutes * 60 - cut))
        return Stay(
            call=call,
            slot=slot,
            worker=self._worker.worker_id,
            device_type=self._worker.device_type,
            arrived=arrived,
            left=arrived + timedelta(seconds=round(seconds)),
            honest=not self._worker.crams,
        )

    def _turned_away(self, call: DayCall, slot: int, arrived: datetime) -> Stay:
        """Some minutes at a closed door, and word of it. The worker does not hurry on to the next."""
        self._freed = False
        return Stay(
            call=call,
            slot=slot,
            worker=self._worker.worker_id,
            device_type=self._worker.device_type,
            arrived=arrived,
            left=arrived + timedelta(minutes=self._rng.randint(5, 10)),
            logged=False,
            check_out_logged=False,
            no_reply=True,
            honest=not self._worker.crams,
        )

    def _arrival(self, call: DayCall, delay: float) -> datetime:
        rates, rng = self._world.scenario.honest, self._rng
        jitter = rng.gauss(rates.start_bias_minutes, rates.start_spread_minutes) * 60 + self._worker.bias_seconds
        if len(call.workers) > 1:
            jitter *= _TOGETHER_SHARE
        wished = call.start + timedelta(seconds=round(max(-420.0, min(780.0, jitter)) + delay))
        if self._before is None:
            return wished
        possible = self._before.left + timedelta(seconds=self._travel_seconds(self._before.call, call))
        if self._freed:
            return max(possible, call.start - timedelta(minutes=_EARLY_MINUTES_MAX))
        return max(wished, possible)

    def _travel_seconds(self, before: DayCall, call: DayCall) -> int:
        """Never faster than the policy thinks possible: what is judged impossible is not simulated as honest."""
        a, b = self._homes[before.customer_id].home, self._homes[call.customer_id].home
        policy = journey_seconds(a, b, self._worker.mode)
        return round(policy * self._rng.uniform(1.0, 1.1) + self._rng.uniform(20, 90))

    def _length(self, call: DayCall, late: float) -> tuple[float, bool]:
        """Seconds of this stay, and whether the customer sent the worker away early."""
        rates, rng = self._world.scenario.honest, self._rng
        factor = max(0.8, min(1.3, rng.gauss(rates.length_mean, rates.length_spread)))
        customer: SimCustomer = self._homes[call.customer_id]
        sent_away = customer.sends_away and rng.random() < rates.sent_away
        if sent_away:
            factor *= 1 - rng.uniform(*rates.sent_away_cut)
        elif late > 35 * 60:
            factor *= 0.7 if self._crammed_today(call) else 0.9
        return call.minutes * 60 * factor, sent_away

    def _crammed_today(self, call: DayCall) -> bool:
        return call.crammed or (self._before is not None and self._before.call.crammed)

    def _is_near(self, call: DayCall, following: DayCall) -> bool:
        """Whether time taken off `call` could go into `following`: one round, one worker each, and somebody goes."""
        gap = (following.start - call.start).total_seconds() / 60 - call.minutes
        alone = len(call.workers) == 1 and len(following.workers) == 1
        return alone and gap <= _BLOCK_GAP_MINUTES and following.visit_id not in self._drawn.missed

    def _logged(self, stay: Stay) -> Stay:
        lapses, rng, call = self._world.scenario.lapses, self._rng, stay.call
        drawn = (rng.random(), rng.random(), rng.random())
        late = (stay.arrived - call.start).total_seconds()
        if stay.no_reply:
            return self._offline(stay)
        if call.visit_id in self._drawn.unlogged:
            return replace(stay, logged=False, check_out_logged=False)
        if drawn[0] < lapses.forgotten_check_out and stay.device_type != "telephony":
            stay = replace(stay, check_out_logged=False)
        if stay.device_type != "popback_v1":
            return stay
        stay = self._tagged(stay, drawn[1])
        unnamed = stay.tag == "own" and abs(late) < _NAMED_WHEN_LATE_SECONDS and drawn[2] < lapses.visit_not_named
        return replace(self._offline(stay), names_visit=not unnamed)

    def _tagged(self, stay: Stay, drawn: float) -> Stay:
        lapses = self._world.scenario.lapses
        if stay.call.risk == "time_critical":
            return stay
        if drawn < lapses.wrong_tag:
            return replace(stay, tag="other")
        return replace(stay, tag="none") if drawn < lapses.wrong_tag + lapses.no_tag else stay

    def _offline(self, stay: Stay) -> Stay:
        spell = self._drawn.spells.get((self._worker.worker_id, stay.call.day))
        if spell is None or not spell.since <= stay.arrived < spell.until:
            return stay
        return replace(stay, heard_at=spell.until, restarted=spell.restarted, doubtful=spell.doubtful)
