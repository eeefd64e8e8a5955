"""The laws were seen to fail: with a rule taken out of the search, the verifier refuses; and small optima are exact."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import pytest

from rostering.constraint import Encoding
from rostering.constraints import CONSTRAINTS
from rostering.problem import Break, Shift, Slot, Travel, Window
from rostering.search import compiled
from rostering.solver import Params, RosterFaultError, solve
from rostering.stop import Iterations

from .factories import DAY, HOUR, MINUTE, demand, problem, worker

WIDE = (Window(8 * HOUR, 12 * HOUR),)
TEMPTATIONS = {
    "skills": problem([demand("a", 9, slots=(Slot(60, frozenset({"peg"})),))], [worker("w")]),
    "gender_language": problem([demand("a", 9, language="Welsh")], [worker("w")]),
    "exclusions": problem([demand("a", 9, excluded_workers=frozenset({"w"}))], [worker("w")]),
    "pinned": problem([demand("a", 9, place=5, pinned_workers=("w",))], [worker("w"), worker("x", home=5)]),
    "visit_gap": problem(
        [demand("a", 9, customer="c", windows=WIDE), demand("b", 9, customer="c", windows=WIDE, gap_seconds=HOUR)],
        [worker("w")],
    ),
    "breaks": problem(
        [demand(f"v{n}", 8 + n * 41 / 60, place=1 + n % 2) for n in range(11)], [worker("w", break_rule=Break())]
    ),
    "hours_limit": problem([demand("a", 9, minutes=120)], [worker("w", hours_limit_seconds=HOUR)]),
    "daily_rest": problem(
        [demand("late", 22), demand("early", 31)],
        [worker("w", shifts=(Shift(20 * HOUR, 23 * HOUR), Shift(30 * HOUR, 35 * HOUR)))],
        horizon_days=2,
    ),
    "weekly_rest": problem(
        [demand(f"v{day}", day * 24 + 10) for day in range(7)],
        [worker("w", shifts=tuple(Shift(day * DAY + 8 * HOUR, day * DAY + 18 * HOUR) for day in range(7)))],
        horizon_days=7,
    ),
}


@pytest.mark.parametrize("name", sorted(TEMPTATIONS))
def test_a_search_that_forgets_a_rule_is_caught_by_the_verifier(monkeypatch, name):
    """A verifier that would pass what the search never tries only because it never tries it."""
    forgetful = tuple(
        replace(rule, encode=lambda _problem: Encoding()) if rule.name == name else rule for rule in CONSTRAINTS
    )
    quick = Params(effort_seconds=0)
    solve(problem=TEMPTATIONS[name], stop=Iterations(5), seed=1, params=quick)
    monkeypatch.setattr(compiled, "CONSTRAINTS", forgetful)
    with pytest.raises(RosterFaultError, match=name):
        solve(problem=TEMPTATIONS[name], stop=Iterations(5), seed=1, params=quick)


def small_problem(seed):
    """Five visits for two workers on random asymmetric travel: small enough to try every roster."""
    rng = random.Random(seed)
    legs = [[0 if a == b else rng.randrange(5, 40) * MINUTE for b in range(7)] for a in range(7)]
    visits = []
    for n in range(5):
        start = rng.randrange(8 * 4, 12 * 4) * 15 * MINUTE
        window = (Window(start, start + rng.randrange(0, 60) * MINUTE),)
        visits.append(demand(f"v{n}", 9, place=n, windows=window, preferred_start=None))
    staff = [worker(f"w{n}", home=5 + n, shifts=(Shift(7 * HOUR, 14 * HOUR),)) for n in range(2)]
    return replace(problem(visits, staff, places=7), travel=Travel({"car": legs}))


def run_points(given, who, order):
    """Travel of one run in this order, or None when it does not fit."""
    legs = given.travel.seconds_by_mode["car"]
    here, free, points = who.home, who.shifts[0].start, 0
    for visit in order:
        leg = int(legs[here, visit.place])
        start = max(free + leg, visit.windows[0].earliest)
        if start > visit.windows[0].latest:
            return None
        here, free, points = visit.place, start + visit.slots[0].service_seconds, points + leg
    home = int(legs[here, who.home])
    return points + home if free + home <= who.shifts[0].end else None


def least_points(given):
    """The optimum, by trying every assignment and every order."""
    best = None
    for choice in itertools.product(range(3), repeat=len(given.demands)):
        total = given.weights.unfilled * choice.count(2)
        for number, who in enumerate(given.workers):
            mine = [visit for visit, chosen in zip(given.demands, choice, strict=True) if chosen == number]
            options = [run_points(given, who, order) for order in itertools.permutations(mine)] if mine else [0]
            fitting = [points for points in options if points is not None]
            total = total + min(fitting) if fitting and total is not None else None
            if total is None:
                break
        if total is not None and (best is None or total < best):
            best = total
    return best


@pytest.mark.parametrize("seed", range(12))
def test_small_rosters_are_optimal(seed):
    """A search that misses what trying everything finds."""
    given = small_problem(seed)
    result = solve(problem=given, stop=Iterations(120), seed=seed)
    assert result.objective == least_points(given)
    assert result.lower_bound <= result.objective
