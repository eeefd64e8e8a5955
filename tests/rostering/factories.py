"""Small roster problems of our own making, drawn by Hypothesis or by a seed; no instance here comes from elsewhere."""

from __future__ import annotations

import random

from hypothesis import strategies as st

from rostering import travel_matrix
from rostering.problem import (
    SIMULTANEOUS,
    Break,
    Demand,
    Problem,
    Shift,
    Slot,
    Sync,
    Travel,
    Window,
    Worker,
)
from rostering.weights import Weights

MINUTE, HOUR, DAY = 60, 3_600, 86_400


def worker(name: str, **changes) -> Worker:
    """A worker on from 07:00 to 22:00 who lives at place 0."""
    given = {"id": name, "shifts": (Shift(7 * HOUR, 22 * HOUR),), "home": 0}
    return Worker(**(given | changes))


def demand(name: str, at: float, place: int = 1, minutes: int = 30, **changes) -> Demand:
    """A visit of 30 minutes at an hour of day, half an hour either way."""
    start = int(at * HOUR)
    given = {
        "id": name,
        "customer": f"customer-{name}",
        "place": place,
        "slots": (Slot(minutes * MINUTE),),
        "windows": (Window(start - 30 * MINUTE, start + 30 * MINUTE),),
        "preferred_start": start,
    }
    return Demand(**(given | changes))


def double(name: str, at: float, place: int = 1, **changes) -> Demand:
    """A visit for two workers at once."""
    return demand(name, at, place, slots=(Slot(30 * MINUTE), Slot(30 * MINUTE)), **changes)


def problem(demands, workers, *, places: int = 6, leg_minutes: int = 10, horizon_days: int = 1, **weights) -> Problem:
    """A problem whose places are all the same time apart."""
    apart = [[0 if a == b else leg_minutes * MINUTE for b in range(places)] for a in range(places)]
    return Problem(
        demands=tuple(demands),
        workers=tuple(workers),
        travel=Travel({"car": apart, "walk": [[3 * leg for leg in row] for row in apart]}),
        horizon=Shift(0, horizon_days * DAY),
        weights=Weights(**weights),
    )


def locality_day(*, seed: int, visits: int, workers: int) -> Problem:
    """A made-up locality: double-ups, skills, gender and language, exclusions, breaks, gaps, accepted pop-backs."""
    rng = random.Random(seed)
    places: list[travel_matrix.Place] = []

    def somewhere() -> int:
        places.append(travel_matrix.Place(53.48 + rng.gauss(0, 0.02), -2.24 + rng.gauss(0, 0.03)))
        return len(places) - 1

    names = [f"w{number:03}" for number in range(workers)]
    staff = tuple(
        Worker(
            id=name,
            shifts=rng.choice(
                [
                    (Shift(25_200, 54_000),),
                    (Shift(50_400, 82_800),),
                    (Shift(25_200, 64_800),),
                    (Shift(25_200, 50_400), Shift(57_600, 79_200)),
                ]
            ),
            home=somewhere(),
            skills=frozenset(skill for skill in ("hoist", "medicine") if rng.random() < 0.7),
            gender=rng.choice("ffm"),
            languages=frozenset({"Urdu"} if rng.random() < 0.3 else ()),
            break_rule=Break(),
            hours_limit_seconds=10 * HOUR,
            mode=rng.choice(["car", "car", "bicycle", "walk"]),
        )
        for name in names
    )
    demands: list[Demand] = []
    while len(demands) < visits:
        place, customer, two = somewhere(), f"customer-{len(demands)}", rng.random() < 0.08
        gender = "f" if rng.random() < 0.1 else None
        barred = frozenset({rng.choice(names)} if rng.random() < 0.1 else ())
        for hour in sorted(rng.sample([8, 12, 16, 19], rng.randint(1, 4))):
            start = int((hour + rng.uniform(-0.8, 0.8)) * 12) * 300
            slack = rng.choice([900, 1_800, 3_600])
            slot = Slot(rng.choice([900, 1_800, 2_700]), frozenset({"hoist"} if two else ()))
            demands.append(
                Demand(
                    id=f"v{len(demands):04}",
                    customer=customer,
                    place=place,
                    slots=(slot, slot) if two else (slot,),
                    windows=(Window(start - slack, start + slack),),
                    preferred_start=start,
                    gender=gender,
                    language="Urdu" if rng.random() < 0.02 else None,
                    excluded_workers=barred,
                    preferred_workers=frozenset(rng.sample(names, min(4, workers))),
                    must_keep=rng.random() < 0.03,
                    gap_seconds=5_400,
                )
            )
    travel = travel_matrix.build(places=places)
    return Problem(demands=tuple(demands[:visits]), workers=staff, travel=travel, horizon=Shift(0, DAY))


HOURS = st.integers(7 * 4, 20 * 4).map(lambda quarter: quarter * 15 * MINUTE)
MORNINGS = st.sampled_from([7 * HOUR, 6 * HOUR, 9 * HOUR, 13 * HOUR, 0])


@st.composite
def spans(draw, starts=HOURS, least: int = 0, most: int = 12 * HOUR):
    """(start, end), up to `most` seconds long."""
    start = draw(starts)
    return start, start + draw(st.integers(least, most))


def _seldom(draw, strategy, otherwise, *, one_in: int = 4):
    """A rule for one in so many, so that most problems leave something to roster."""
    return draw(strategy) if draw(st.integers(1, one_in)) == one_in else otherwise


@st.composite
def problems(draw) -> Problem:
    """Any small problem: asymmetric travel, odd shifts, leave, breaks, limits, pins, double-ups, sequences, gaps."""
    size = draw(st.integers(1, 5))
    legs = draw(
        st.lists(st.lists(st.integers(0, 25 * MINUTE), min_size=size, max_size=size), min_size=size, max_size=size)
    )
    place = st.integers(0, size - 1)
    names = [f"w{number}" for number in range(draw(st.sampled_from([3, 4, 5, 2, 1, 0])))]
    subset = st.frozensets(st.sampled_from(["a", "b"]))
    workers = tuple(_any_worker(draw, name, place, subset) for name in names)
    demands = tuple(
        _any_demand(draw, number, place, names, subset) for number in range(draw(st.sampled_from([6, 9, 12, 3, 1, 0])))
    )
    return Problem(
        demands=demands,
        workers=workers,
        travel=Travel({"car": legs}),
        horizon=Shift(0, DAY),
        weights=Weights(waiting=draw(st.integers(0, 1)), off_preferred=draw(st.integers(0, 1)), lateness=1),
    )


def _any_worker(draw, name, place, subset) -> Worker:
    shifts = draw(st.lists(spans(starts=MORNINGS, least=9 * HOUR, most=14 * HOUR), min_size=1, max_size=2))
    return Worker(
        id=name,
        shifts=tuple(Shift(*span) for span in shifts),
        home=draw(st.one_of(st.none(), place)),
        skills=_seldom(draw, subset, frozenset({"a", "b"})),
        gender=draw(st.sampled_from(["f", "f", "m", None])),
        languages=draw(st.frozensets(st.sampled_from(["Urdu"]))),
        leave=_seldom(draw, spans(most=3 * HOUR).map(lambda span: (Shift(*span),)), ()),
        hours_limit_seconds=_seldom(draw, st.integers(0, 8 * HOUR), None, one_in=3),
        break_rule=_seldom(
            draw,
            st.builds(Break, st.integers(0, HOUR), st.sampled_from([4 * HOUR, 6 * HOUR, 2 * HOUR, 0])),
            None,
            one_in=2,
        ),
        last_back=_seldom(draw, st.integers(-12 * HOUR, 0), None),
        excluded_customers=_seldom(draw, st.frozensets(st.sampled_from(["c0", "c1"]), max_size=1), frozenset()),
    )


def _any_demand(draw, number, place, names, subset) -> Demand:
    slots = tuple(
        Slot(draw(st.integers(0, 90 * MINUTE)), _seldom(draw, subset, frozenset()))
        for _ in range(draw(st.sampled_from([1, 1, 2])))
    )
    windows = tuple(Window(*draw(spans(most=3 * HOUR))) for _ in range(draw(st.sampled_from([1, 1, 2]))))
    least = draw(st.integers(0, HOUR))
    some = st.frozensets(st.sampled_from(names), max_size=2) if names else st.just(frozenset())
    pins = _seldom(draw, st.permutations(names).map(tuple), (), one_in=8)[: len(slots)]
    return Demand(
        id=f"v{number}",
        customer=draw(st.sampled_from(["c0", "c1", "c2"])),
        place=draw(place),
        slots=slots,
        windows=windows,
        preferred_start=draw(st.one_of(st.none(), HOURS)),
        due=_seldom(draw, HOURS, None, one_in=6),
        sync=draw(st.sampled_from([SIMULTANEOUS, Sync(least, least + draw(st.integers(0, HOUR)))])),
        gender=_seldom(draw, st.just("f"), None),
        language=_seldom(draw, st.just("Urdu"), None, one_in=6),
        excluded_workers=_seldom(draw, some, frozenset()),
        preferred_workers=draw(some),
        pinned_workers=pins if len(pins) == len(slots) else (),
        pinned_start=_seldom(draw, st.just(windows[0].earliest), None, one_in=8),
        must_keep=_seldom(draw, st.just(True), False, one_in=5),
        gap_seconds=_seldom(draw, st.sampled_from([30 * MINUTE, 2 * HOUR]), 0, one_in=2),
    )
