"""A simulated locality before anything happens: its people, and the weekly calls each customer is due, planned so that every round can be
worked. Not dated (days) and not what happens (behaviour)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from simulations.geography import Point, journey_seconds
from simulations.people import PROVIDER, SimCustomer, SimWorker, make_customers, make_workers
from simulations.scenario import Scenario

BLOCKS: Final = ("breakfast", "noon", "afternoon", "tea", "bed")
_BLOCK_START_MINUTES: Final = {"breakfast": 450, "noon": 720, "afternoon": 840, "tea": 960, "bed": 1075}
_TASKS: Final = {
    "breakfast": ("personal-care", "breakfast"),
    "noon": ("meal",),
    "afternoon": ("social",),
    "tea": ("meal",),
    "bed": ("personal-care",),
}
_GAP_MINUTES_MIN: Final = 130
_SPARE_SECONDS: Final = 240
_HOME_BY_MINUTE: Final = 20 * 60 + 50


@dataclass(frozen=True, slots=True, kw_only=True)
class WeeklyCall:
    """One customer's call at `start_minute` (local minutes after midnight) on `weekdays`; `rounds[slot]` is the round that serves it."""

    customer_id: str
    slot_name: str
    weekdays: frozenset[int]
    start_minute: int
    minutes: int
    risk: str
    tasks: tuple[str, ...]
    skills: frozenset[str]
    rounds: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """`serves[round, weekday]` is the worker who usually does that round on that weekday."""

    scenario: Scenario
    seed: int
    customers: tuple[SimCustomer, ...]
    workers: tuple[SimWorker, ...]
    calls: tuple[WeeklyCall, ...]
    serves: dict[tuple[int, int], str]

    @property
    def provider(self) -> str:
        return PROVIDER


def random_for(world_seed: int, purpose: str) -> Random:
    """A random source of its own for each purpose, so that one more draw here changes nothing there."""
    return Random(f"popback:{world_seed}:{purpose}")


def build_world(*, scenario: Scenario, seed: int) -> World:
    """The locality of `scenario` for `seed`: the same arguments give the same world."""
    rng = random_for(seed, "people")
    customers = _with_double_ups(scenario, make_customers(scenario=scenario, rng=rng), rng)
    workers, serves = make_workers(scenario=scenario, customers=customers, rng=rng)
    modes = _slowest_modes(workers, serves, scenario.people.rounds)
    calls = _timed(scenario, customers, modes, rng)
    return World(scenario=scenario, seed=seed, customers=customers, workers=workers, calls=calls, serves=serves)


def _with_double_ups(scenario: Scenario, customers: Sequence[SimCustomer], rng: Random) -> tuple[SimCustomer, ...]:
    """Mark customers whose calls need two workers: at most one for each pair of neighbouring rounds."""
    total = sum(customer.visits_a_day for customer in customers)
    pairs = list(range(scenario.people.rounds // 2))
    rng.shuffle(pairs)
    chosen: set[str] = set()
    visits = 0
    for pair in pairs:
        able = [
            c
            for c in customers
            if c.round_index // 2 == pair and c.visits_a_day >= 2 and not (c.line_code or c.gender or c.language)
        ]
        if able and visits < scenario.people.double_up_share * total:
            customer = rng.choice(able)
            chosen.add(customer.customer_id)
            visits += customer.visits_a_day
    return tuple(replace(c, double_up=c.customer_id in chosen, sends_away=c.sends_away) for c in customers)


def _slowest_modes(workers: Sequence[SimWorker], serves: dict[tuple[int, int], str], rounds: int) -> list[str]:
    mode_of = {worker.worker_id: worker.mode for worker in workers}
    return ["cycle" if "cycle" in {mode_of[serves[n, d]] for d in range(7)} else "car" for n in range(rounds)]


def _drafts(scenario: Scenario, customer: SimCustomer, rng: Random) -> list[WeeklyCall]:
    """A customer's calls, not yet timed: the longest first in the day."""
    rates = scenario.people
    blocks = _blocks(customer.visits_a_day, rng)
    lengths = sorted(rng.choices(rates.length_minutes, rates.length_shares, k=len(blocks)), reverse=True)
    rounds: tuple[int, ...] = (customer.round_index,)
    if customer.double_up:
        rounds = (customer.round_index, customer.round_index ^ 1)
    weekdays = frozenset(range(7))
    if len(blocks) == 1 and rng.random() < rates.some_weekdays_share:
        weekdays = frozenset(rng.choice(((0, 2, 4), (1, 3, 5), (0, 1, 2, 3, 4))))
    return [
        _draft(rates.time_critical_share, rates.low_risk_share, customer, block, minutes, weekdays, rounds, rng)
        for block, minutes in zip(blocks, lengths, strict=True)
    ]


def _draft(
    critical_share: float,
    low_share: float,
    customer: SimCustomer,
    block: str,
    minutes: int,
    weekdays: frozenset[int],
    rounds: tuple[int, ...],
    rng: Random,
) -> WeeklyCall:
    drawn = rng.random()
    risk = "time_critical" if drawn < critical_share else "standard" if drawn < 1 - low_share else "low"
    if block == "afternoon":
        risk = "low"
    return WeeklyCall(
        customer_id=customer.customer_id,
        slot_name=block,
        weekdays=weekdays,
        start_minute=0,
        minutes=minutes,
        risk=risk,
        tasks=(*_TASKS[block], "medication") if risk == "time_critical" else _TASKS[block],
        skills=frozenset({"hoist"}) if customer.double_up else frozenset({"peg"} if rng.random() < 0.02 else ()),
        rounds=rounds,
    )


def _blocks(visits_a_day: int, rng: Random) -> tuple[str, ...]:
    if visits_a_day == 1:
        return (rng.choices(("breakfast", "noon", "afternoon"), (0.5, 0.2, 0.3))[0],)
    if visits_a_day == 2:
        return ("breakfast", rng.choices(("tea", "bed"), (0.4, 0.6))[0])
    if visits_a_day == 3:
        return ("breakfast", "noon", rng.choices(("tea", "bed"), (0.4, 0.6))[0])
    return ("breakfast", "noon", "tea", "bed")


def _timed(
    scenario: Scenario, customers: Sequence[SimCustomer], modes: Sequence[str], rng: Random
) -> tuple[WeeklyCall, ...]:
    """Every call with its start, pair of rounds by pair of rounds: drawn again until both rounds are home in the evening."""
    timed: list[WeeklyCall] = []
    for pair in range(scenario.people.rounds // 2):
        served = [customer for customer in customers if customer.round_index // 2 == pair]
        calls = _timed_pair(scenario, served, pair, modes, rng)
        while max(call.start_minute + call.minutes for call in calls) > _HOME_BY_MINUTE:
            calls = _timed_pair(scenario, served, pair, modes, rng)
        timed += calls
    return tuple(sorted(timed, key=lambda call: (call.customer_id, call.start_minute)))


def _timed_pair(
    scenario: Scenario, served: Sequence[SimCustomer], pair: int, modes: Sequence[str], rng: Random
) -> list[WeeklyCall]:
    """One drawing of a pair of rounds, block by block, so that each round can be worked with time to spare."""
    drafts = [draft for customer in served for draft in _drafts(scenario, customer, rng)]
    homes = {customer.customer_id: customer.home for customer in served}
    cursors = {n: _Cursor(mode=modes[n]) for n in (2 * pair, 2 * pair + 1)}
    late_start = 5 * rng.randrange(5)
    last_end: dict[str, int] = {}
    timed: list[WeeklyCall] = []
    for block in BLOCKS:
        here = [draft for draft in drafts if draft.slot_name == block]
        for cursor in cursors.values():
            cursor.minute = max(cursor.minute, _BLOCK_START_MINUTES[block] + late_start)
        timed += _timed_block(here, cursors, homes, last_end)
    return timed


@dataclass(slots=True)
class _Cursor:
    """Where a round's worker is and from which minute they are free."""

    mode: str
    minute: int = 0
    place: Point | None = None

    def arrival_minute(self, home: Point) -> int:
        if self.place is None:
            return self.minute
        seconds = math.ceil(journey_seconds(self.place, home, self.mode) * 1.12) + _SPARE_SECONDS
        return 5 * math.ceil((self.minute + seconds / 60) / 5)


def _timed_block(
    drafts: Sequence[WeeklyCall], cursors: dict[int, _Cursor], homes: dict[str, Point], last_end: dict[str, int]
) -> list[WeeklyCall]:
    timed = []
    waiting = sorted(drafts, key=lambda d: (len(d.rounds) == 1, d.customer_id))
    while waiting:
        draft = waiting[0] if len(waiting[0].rounds) > 1 else _nearest(waiting, cursors, homes)
        waiting.remove(draft)
        home = homes[draft.customer_id]
        start = max(cursors[n].arrival_minute(home) for n in draft.rounds)
        start = max(start, last_end.get(draft.customer_id, 0) + _GAP_MINUTES_MIN)
        last_end[draft.customer_id] = start + draft.minutes
        for n in draft.rounds:
            cursors[n].minute, cursors[n].place = start + draft.minutes, home
        timed.append(replace(draft, start_minute=start))
    return timed


def _nearest(waiting: Sequence[WeeklyCall], cursors: dict[int, _Cursor], homes: dict[str, Point]) -> WeeklyCall:
    """The call that its own round reaches soonest; a fixed order breaks ties."""
    return min(waiting, key=lambda d: (cursors[d.rounds[0]].arrival_minute(homes[d.customer_id]), d.customer_id))
