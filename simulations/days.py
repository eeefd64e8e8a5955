"""The dated calls of a simulated locality: what was planned and who was rostered, day by day, with a few worker-days that
the office crammed and a few calls that customers cancelled. Not what happened (behaviour)."""

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from simulations.geography import Point, journey_seconds
from simulations.people import SimCustomer, SimWorker
from simulations.world import WeeklyCall, World, random_for

CRAMMED_LATE_SECONDS_MIN: Final = 25 * 60
HONEST_LATE_SECONDS_MAX: Final = 6 * 60
_EVICTED_CALLS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCall:
    """One call of one day. `start` is aware UTC; `workers[slot]` is rostered; `next_start` is the same customer's next call, if any."""

    visit_id: str
    customer_id: str
    slot_name: str
    day: date
    start: datetime
    minutes: int
    risk: str
    tasks: tuple[str, ...]
    skills: frozenset[str]
    rounds: tuple[int, ...]
    workers: tuple[str, ...]
    next_start: datetime | None = None
    cancelled_at: datetime | None = None
    crammed: bool = False


def visit_id(*, customer_id: str, slot_name: str, day: date) -> str:
    """The planned visit's id: the same on every machine and in the product."""
    digest = hashlib.sha256(f"{customer_id}|{slot_name}|{day.isoformat()}".encode()).hexdigest()
    return f"v{digest[:24]}"


def local_instant(day: date, minute: int, zone: str) -> datetime:
    """Local minutes after midnight as an aware UTC instant (never inside a clock change: calls run from 07:00 to 22:00)."""
    return datetime.combine(day, time(minute // 60, minute % 60), tzinfo=ZoneInfo(zone)).astimezone(UTC)


def played_days(world: World) -> tuple[date, ...]:
    """The history's days and the played one, in order."""
    last = world.scenario.played_day
    return tuple(last - timedelta(days=n) for n in range(world.scenario.history_days, -1, -1))


def dated_calls(world: World) -> tuple[DayCall, ...]:
    """Every call of the history and the played day, sorted by start; crammed worker-days and cancellations included.

    Raises ValueError when a worker-day lies near the edge of what can be worked: then neither verdict would be fair."""
    calls = [call for day in played_days(world) for call in _calls_of(world, day)]
    crammed = _crammed(world, calls)
    calls = _with_next(_cancelled(world, crammed))
    late = worker_day_lateness(calls, world)
    for key, seconds in late.items():
        if HONEST_LATE_SECONDS_MAX < seconds < CRAMMED_LATE_SECONDS_MIN:
            raise ValueError(f"worker-day {key} starts a call {seconds} s late: too near the edge to judge")
    return tuple(calls)


def _calls_of(world: World, day: date) -> list[DayCall]:
    return [_dated(world, call, day) for call in world.calls if day.weekday() in call.weekdays]


def _dated(world: World, call: WeeklyCall, day: date) -> DayCall:
    return DayCall(
        visit_id=visit_id(customer_id=call.customer_id, slot_name=call.slot_name, day=day),
        customer_id=call.customer_id,
        slot_name=call.slot_name,
        day=day,
        start=local_instant(day, call.start_minute, world.scenario.zone),
        minutes=call.minutes,
        risk=call.risk,
        tasks=call.tasks,
        skills=call.skills,
        rounds=call.rounds,
        workers=tuple(world.serves[n, day.weekday()] for n in call.rounds),
    )


def _crammed(world: World, calls: Sequence[DayCall]) -> list[DayCall]:
    """Give two morning calls of one round to its neighbour's worker, who has a full morning already, on a few days."""
    rng = random_for(world.seed, "crammed rosters")
    days = [world.scenario.played_day, *rng.sample(played_days(world)[:-1], world.scenario.cramming.roster_days - 1)]
    by_day = defaultdict(list)
    for call in calls:
        by_day[call.day].append(call)
    moved: dict[str, DayCall] = {}
    used: set[str] = {worker.worker_id for worker in world.workers if worker.crams}
    for day in days:
        rounds = list(range(world.scenario.people.rounds))
        rng.shuffle(rounds)
        for n in rounds:
            found = _overload(world, by_day[day], n, used)
            if found:
                used.add(found[0].workers[0])
                moved.update((call.visit_id, call) for call in found)
                break
    return [moved.get(call.visit_id, call) for call in calls]


def _overload(world: World, calls: Sequence[DayCall], round_index: int, used: set[str]) -> list[DayCall]:
    """The neighbour's calls that make this round's day unworkable, re-rostered; empty when this round will not do."""
    weekday = calls[0].day.weekday()
    worker_id = world.serves[round_index, weekday]
    worker = next(w for w in world.workers if w.worker_id == worker_id)
    evicted = [c for c in calls if c.rounds == (round_index ^ 1,) and c.slot_name == "breakfast"][:_EVICTED_CALLS]
    customers = {c.customer_id: c for c in world.customers}
    fits = all(_suits(customers[c.customer_id], worker) for c in evicted)
    if worker_id in used or worker.device_type != "popback_v1" or len(evicted) < _EVICTED_CALLS or not fits:
        return []
    given = [replace(c, workers=(worker_id,), crammed=True) for c in evicted]
    ids = {c.visit_id for c in given}
    day = [c for c in calls if c.visit_id not in ids and worker_id in c.workers] + given
    late = worker_day_lateness(day, world)[worker_id, calls[0].day]
    return given if late >= CRAMMED_LATE_SECONDS_MIN + 300 and late <= 90 * 60 else []


def _suits(customer: SimCustomer, worker: SimWorker) -> bool:
    return customer.gender in {None, worker.gender} and (
        customer.language is None or customer.language in worker.languages
    )


def _cancelled(world: World, calls: Sequence[DayCall]) -> list[DayCall]:
    rng = random_for(world.seed, "cancellations")
    share = world.scenario.lapses.cancelled
    crammed = {(call.workers[0], call.day) for call in calls if call.crammed}
    return [
        replace(call, cancelled_at=call.start - timedelta(hours=rng.randint(26, 90)))
        if rng.random() < share and len(call.workers) == 1 and (call.workers[0], call.day) not in crammed
        else call
        for call in calls
    ]


def _with_next(calls: Iterable[DayCall]) -> list[DayCall]:
    ordered = sorted(calls, key=lambda call: (call.start, call.visit_id))
    following: dict[str, datetime] = {}
    done = []
    for call in reversed(ordered):
        done.append(replace(call, next_start=following.get(call.customer_id)))
        if call.cancelled_at is None:
            following[call.customer_id] = call.start
    return done[::-1]


def worker_day_lateness(calls: Iterable[DayCall], world: World) -> dict[tuple[str, date], int]:
    """For each rostered worker-day, the worst lateness in seconds of any start, worked in planned order with full minutes and the
    policy's travel, the first call on time (no crammed worker-day has a cancelled call)."""
    by_day: dict[tuple[str, date], list[DayCall]] = defaultdict(list)
    for call in calls:
        for worker_id in call.workers:
            by_day[worker_id, call.day].append(call)
    homes = {customer.customer_id: customer.home for customer in world.customers}
    modes = {worker.worker_id: worker.mode for worker in world.workers}
    return {key: _lateness(day, homes, modes[key[0]]) for key, day in by_day.items()}


def _lateness(calls: Sequence[DayCall], homes: Mapping[str, Point], mode: str) -> int:
    ordered = sorted(calls, key=lambda call: (call.start, call.visit_id))
    free, worst = ordered[0].start, 0
    for before, call in zip([None, *ordered], ordered, strict=False):
        travel = journey_seconds(homes[before.customer_id], homes[call.customer_id], mode) if before else 0
        start = max(call.start, free + timedelta(seconds=travel))
        worst = max(worst, math.ceil((start - call.start).total_seconds()))
        free = start + timedelta(minutes=call.minutes)
    return worst
