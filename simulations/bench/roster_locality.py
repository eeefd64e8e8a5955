"""A seeded locality to roster: customers with recurring calls, workers with rotas, journeys by car and on foot.

Not the demo's city (simulations.world) and not a file of anybody's: every number is drawn from the shares below. The
calls of a customer recur on their days; on each day the agreed number of visits takes place, the others are away
(hospital, family), so that no two days are alike.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from rostering import travel_matrix
from rostering.problem import SECONDS_PER_DAY, Break, Demand, Problem, Shift, Slot, Travel, Window, Worker

MINUTE: Final = 60
HOUR: Final = 3_600
WEEK_DAYS: Final = 7
VISITS_PER_SQUARE_KM: Final = 40
"""As in a city ward: 1,000 visits a day on 5 x 5 km."""
METRES_PER_DEGREE: Final = 111_195
NORTH, EAST = 53.44, -2.23
SKILLS: Final = ("catheter", "peg_feed", "stoma")
LANGUAGES: Final = ("english", "polish", "urdu")
SUITED_LEAST: Final = 5
"""So many of the workers can meet a customer's wish, or the provider does not take it on."""


@dataclass(frozen=True, slots=True)
class Call:
    """A kind of call: its name, hours of day between which it is wanted, and minutes it may take."""

    name: str
    since: float
    until: float
    minutes: tuple[int, ...]


MORNING = Call("morning", 7.0, 10.5, (25, 30, 30, 35, 45))
LUNCH = Call("lunch", 11.5, 13.75, (15, 20, 30))
TEA = Call("tea", 15.5, 18.0, (15, 20, 30))
BED = Call("bed", 18.5, 21.0, (20, 25, 30))
HOUSEWORK = Call("housework", 10.0, 15.0, (45, 60))

DAYS_OF_CALLS: Final[tuple[tuple[int, tuple[Call, ...], int], ...]] = (
    (15, (MORNING, LUNCH, TEA, BED), 26),
    (20, (MORNING, LUNCH, BED), 8),
    (30, (MORNING, BED), 4),
    (8, (LUNCH, TEA), 0),
    (12, (MORNING,), 0),
    (7, (BED,), 0),
    (8, (HOUSEWORK,), 0),
)
"""Of 100 customers so many have these calls; of 100 of those so many need two workers (about 9 % of all visits)."""

ROTAS: Final[tuple[tuple[int, tuple[tuple[float, float], ...]], ...]] = (
    (32, ((7, 15),)),
    (28, ((14, 22),)),
    (15, ((7, 11), (16, 20))),
    (8, ((7.5, 13),)),
    (11, ((16.5, 22),)),
    (6, ()),
)
"""Of 100 workers so many work these hours; no hours stands for turns: early and late, day about."""
TURNS: Final = (((7.0, 15.0),), ((14.0, 22.0),))


@dataclass(frozen=True, slots=True)
class _Customer:
    id: str
    place: int
    calls: tuple[tuple[Call, int, int, int], ...]
    days: frozenset[int]
    workers: int
    gap_seconds: int
    skill: frozenset[str]
    gender: str | None
    language: str | None
    excluded: frozenset[str]


def locality(*, workers: int, visits: int, days: int, seed: int) -> Problem:
    """A problem of `days` days with exactly `visits` visits on each and `workers` employed (1 to 7 days).

    Over 7 days everybody is on duty on 5, days off together; over fewer days everybody is on duty on all. The origin
    is midnight of the first day, times are seconds. The same arguments give the same problem.
    """
    rng = random.Random(seed)
    side_metres = 1_000 * math.sqrt(max(visits, 1) / VISITS_PER_SQUARE_KM)
    staff = [f"w{number:03}" for number in range(1, workers + 1)]
    problem_workers = _workers(staff, days, rng)
    customers = _customers(visits, days, problem_workers, rng)
    places = _places(workers + len(customers), side_metres, rng)
    modes = {mode: travel_matrix.MODES[mode] for mode in ("car", "walk")}
    return Problem(
        demands=tuple(demand for day in range(days) for demand in _day(customers, day, visits, rng)),
        workers=problem_workers,
        travel=Travel(travel_matrix.build(places=places, modes=modes).seconds_by_mode),
        horizon=Shift(0, days * SECONDS_PER_DAY),
    )


def _places(number: int, side_metres: float, rng: random.Random) -> list[travel_matrix.Place]:
    """Homes: half spread evenly, half crowded around a few centres, all within the square."""
    north = side_metres / METRES_PER_DEGREE
    east = north / math.cos(math.radians(NORTH))
    centres = [(rng.random(), rng.random()) for _ in range(max(2, round(side_metres / 1_500)))]
    made: list[travel_matrix.Place] = []
    for _ in range(number):
        x, y = rng.random(), rng.random()
        if rng.random() < 0.5:
            around = rng.choice(centres)
            x, y = (min(1.0, max(0.0, rng.gauss(middle, 0.1))) for middle in around)
        made.append(travel_matrix.Place(latitude=NORTH + y * north, longitude=EAST + x * east))
    return made


def _customers(visits: int, days: int, staff: tuple[Worker, ...], rng: random.Random) -> list[_Customer]:
    """Customers until every day has its number of visits and some to spare (those are away on the day)."""
    made: list[_Customer] = []
    expected = [0] * days
    while min(expected) < math.ceil(visits * 1.04):
        customer = _customer(len(made), len(staff) + len(made), staff, rng)
        made.append(customer)
        for day in range(days):
            expected[day] += len(customer.calls) * (day in customer.days)
    return made


def _customer(number: int, place: int, staff: tuple[Worker, ...], rng: random.Random) -> _Customer:
    """A customer; a wish that fewer than SUITED_LEAST workers could meet is not taken on."""
    kinds = rng.choices(DAYS_OF_CALLS, weights=[share for share, _, _ in DAYS_OF_CALLS])[0]
    gap_seconds, is_skilled = 90 * MINUTE if rng.random() < 0.25 else 0, rng.random() < 0.2
    asks = rng.choices(("female", "male", *LANGUAGES[1:], None), weights=(8, 3, 1, 1, 87))[0]
    asks = None if is_skilled and asks != "female" else asks
    skill = frozenset({rng.choice(SKILLS)}) if is_skilled else frozenset()
    if sum(asks in (None, w.gender) or asks in w.languages for w in staff) < SUITED_LEAST:
        asks = None
    if sum(skill <= w.skills and asks in (None, w.gender) for w in staff) < SUITED_LEAST:
        skill = frozenset()
    return _Customer(
        id=f"c{number + 1:04}",
        place=place,
        calls=_agreed(kinds[1], rng, gap_seconds=gap_seconds),
        days=_days_of(kinds[1], rng),
        workers=2 if rng.random() * 100 < kinds[2] else 1,
        gap_seconds=gap_seconds,
        skill=skill,
        gender=asks if asks in ("female", "male") else None,
        language=asks if asks in LANGUAGES else None,
        excluded=frozenset({rng.choice(staff).id}) if rng.random() < 0.02 else frozenset(),
    )


def _agreed(calls: tuple[Call, ...], rng: random.Random, *, gap_seconds: int) -> tuple[tuple[Call, int, int, int], ...]:
    """The customer's calls at times agreed so that they keep the gap: nobody agrees a plan that contradicts itself."""
    while True:
        agreed = tuple(_call(call, rng, has_meds=gap_seconds > 0) for call in calls)
        if all(two[1] - one[1] - one[3] * MINUTE >= gap_seconds for one, two in pairwise(agreed)):
            return agreed


def _call(call: Call, rng: random.Random, *, has_meds: bool) -> tuple[Call, int, int, int]:
    """The call, its wanted start and slack either way in seconds, and its minutes. Medicines keep to the time."""
    wanted = round(rng.uniform(call.since, call.until) * 12) * 300
    if call is HOUSEWORK:
        slack = 120
    elif has_meds:
        slack = 15
    else:
        slack = rng.choice((30, 30, 30, 60))
    return call, wanted, slack * MINUTE, rng.choice(call.minutes)


def _days_of(calls: tuple[Call, ...], rng: random.Random) -> frozenset[int]:
    if calls == (HOUSEWORK,):
        return frozenset(rng.sample(range(WEEK_DAYS), rng.choice((1, 2, 3))))
    if rng.random() < 0.8:
        return frozenset(range(WEEK_DAYS))
    return frozenset(rng.sample(range(WEEK_DAYS), rng.choice((4, 5, 6))))


def _day(customers: list[_Customer], day: int, visits: int, rng: random.Random) -> Iterator[Demand]:
    """The visits of one day: so many of the customers' calls, drawn at random, in the customers' order."""
    calls = [(customer, call) for customer in customers if day in customer.days for call in customer.calls]
    for chosen in sorted(rng.sample(range(len(calls)), visits)):
        customer, (call, wanted, slack, minutes) = calls[chosen]
        at = day * SECONDS_PER_DAY + wanted
        first = Slot(minutes * MINUTE, customer.skill)
        yield Demand(
            id=f"{customer.id}-{day + 1}-{call.name}",
            customer=customer.id,
            place=customer.place,
            slots=(first, Slot(minutes * MINUTE))[: customer.workers],
            windows=(Window(at - slack, at + slack),),
            preferred_start=at,
            gender=customer.gender,
            language=customer.language,
            excluded_workers=customer.excluded,
            gap_seconds=customer.gap_seconds,
        )


def _workers(staff: list[str], days: int, rng: random.Random) -> tuple[Worker, ...]:
    kinds = [hours for share, hours in ROTAS for _ in range(math.ceil(len(staff) * share / 100))][: len(staff)]
    offs = [number % WEEK_DAYS for number in range(len(staff))]
    made = [_worker(name, n, kinds[n], offs[n], days, rng) for n, name in enumerate(staff)]
    return tuple(made)


def _worker(
    name: str, place: int, hours: tuple[tuple[float, float], ...], off: int, days: int, rng: random.Random
) -> Worker:
    resting = {off, (off + 1) % WEEK_DAYS} if days == WEEK_DAYS else set()
    turn = rng.randrange(2)
    shifts = tuple(
        Shift(day * SECONDS_PER_DAY + int(since * HOUR), day * SECONDS_PER_DAY + int(until * HOUR))
        for day in range(days)
        if day not in resting
        for since, until in (hours or TURNS[(day // 2 + turn) % 2])
    )
    on_seconds = sum(shift.end - shift.start for shift in shifts)
    return Worker(
        id=name,
        shifts=shifts,
        home=place,
        skills=frozenset(skill for skill in SKILLS if rng.random() < 0.3),
        gender="female" if rng.random() < 0.82 else "male",
        languages=frozenset({"english", *(other for other in LANGUAGES[1:] if rng.random() < 0.12)}),
        hours_limit_seconds=on_seconds * 9 // 10 if rng.random() < 0.3 else None,
        break_rule=Break(20 * MINUTE, 6 * HOUR),
        mode="walk" if rng.random() < 0.1 else "car",
    )
