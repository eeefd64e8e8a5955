"""The engine "segments": every plan of every problem that it does not refuse passes the verifier, and it refuses the rest."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rostering.explain import score
from rostering.problem import Break, Demand, Meal, Problem, Shift, Slot, Travel, Window, Worker
from rostering.search.compiled import compile_problem
from rostering.search.segments import SegmentsEngine
from rostering.solver import Params, solve
from rostering.stop import Iterations, NoImprovement
from rostering.verify import violations
from rostering.weights import Weights

HOUR = 3_600
SEGMENTS = Params(engine="segments")


@st.composite
def problems(draw):
    """Unlike homes (or none), modes, shifts, skills, loads, wishes, and travel that is not the same both ways."""
    places = draw(st.integers(1, 6))
    legs = st.lists(st.lists(st.integers(0, 2_000), min_size=places, max_size=places), min_size=places, max_size=places)
    travel = Travel({mode: draw(legs) for mode in ("car", "walk")})
    place = st.integers(0, places - 1)
    workers = [
        Worker(
            id=f"w{number}",
            shifts=(Shift(start := draw(st.integers(0, 10 * HOUR)), start + draw(st.integers(0, 9 * HOUR))),),
            home=draw(st.none() | place),
            mode=draw(st.sampled_from(["car", "walk"])),
            skills=frozenset(draw(st.sets(st.sampled_from("ab")))),
            capacity=draw(st.none() | st.integers(0, 6)),
        )
        for number in range(draw(st.integers(0, 4)))
    ]
    names = [worker.id for worker in workers]
    demands = [
        Demand(
            id=f"d{number}",
            customer=f"c{number}",
            place=draw(place),
            slots=(Slot(draw(st.integers(0, 2 * HOUR)), frozenset(draw(st.sets(st.sampled_from("ab"), max_size=1)))),),
            windows=(Window(at := draw(st.integers(0, 15 * HOUR)), at + draw(st.integers(0, 4 * HOUR))),),
            load=draw(st.integers(0, 3)),
            preferred_workers=frozenset(draw(st.sets(st.sampled_from(names)))) if names else frozenset(),
            unfilled_penalty=draw(st.none() | st.integers(0, 5_000)),
        )
        for number in range(draw(st.integers(0, 9)))
    ]
    return Problem(demands=demands, workers=workers, travel=travel, horizon=Shift(0, 86_400), weights=Weights(travel=2))


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(problem=problems(), seed=st.integers(0, 5))
def test_any_plan_passes_the_verifier_and_costs_what_the_search_says(problem, seed):
    """A window, load or skill lost in the arrays, or points counted wrongly while moves are made and undone."""
    result = solve(problem=problem, stop=Iterations(60), seed=seed, params=SEGMENTS)
    assert result.violations == ()
    assert violations(problem=problem, roster=result.roster) == ()
    found = SegmentsEngine().search(compiled=compile_problem(problem=problem), stop=Iterations(60), seed=seed)
    assert found.curve[-1][1] == score(problem=problem, roster=result.roster).total


def small(*, visits=6, **more):
    """Visits in a line, one worker who could do them all in order."""
    matrix = [[600 * abs(a - b) for b in range(visits + 1)] for a in range(visits + 1)]
    demands = [
        Demand(id=f"d{i}", customer=f"c{i}", place=i, slots=(Slot(600),), windows=(Window(0, 12 * HOUR),), **more)
        for i in range(1, visits + 1)
    ]
    worker = Worker(id="w", shifts=(Shift(0, 20 * HOUR),), home=0)
    return Problem(demands=demands, workers=(worker,), travel=Travel({"car": matrix}), horizon=Shift(0, 86_400))


def test_a_line_is_walked_once_up_and_down():
    """The best of a problem whose best is plain."""
    result = solve(problem=small(), stop=Iterations(200), seed=1, params=SEGMENTS)
    assert result.objective == 2 * 6 * 600


def test_exhaustive_search_of_small_problems_finds_nothing_better():
    """A neighbourhood that can not reach the best."""
    for seed in range(4):
        legs = [[(37 * (a + 3) * (b + 5 + seed)) % 900 if a != b else 0 for b in range(6)] for a in range(6)]
        demands = [
            Demand(
                id=f"d{i}", customer=f"c{i}", place=i, slots=(Slot(300),), windows=(Window(600 * i, 600 * i + 2400),)
            )
            for i in range(1, 6)
        ]
        worker = Worker(id="w", shifts=(Shift(0, 20 * HOUR),), home=0)
        problem = Problem(
            demands=demands,
            workers=(worker,),
            travel=Travel({"car": legs}),
            horizon=Shift(0, 86_400),
            weights=Weights(),
        )
        result = solve(problem=problem, stop=Iterations(400), seed=seed, params=SEGMENTS)
        assert result.objective == least(problem)


def least(problem):
    """The least points of one worker's day, over every order of every set of visits."""
    travel, penalty = problem.travel, problem.weights.unfilled
    best = penalty * len(problem.demands)
    for size in range(1, len(problem.demands) + 1):
        for order in itertools.permutations(problem.demands, size):
            place, now, cost, good = 0, 0, penalty * (len(problem.demands) - size), True
            for demand in order:
                leg = travel.between("car", place, demand.place)
                now = max(now + leg, demand.windows[0].earliest)
                good = good and now <= demand.windows[0].latest
                place, now, cost = demand.place, now + demand.slots[0].service_seconds, cost + leg
            if good:
                best = min(best, cost + travel.between("car", place, 0))
    return best


def test_a_seed_and_an_iteration_limit_repeat_a_roster():
    """Yesterday's roster could not be made again."""
    problem = small(visits=12)
    rosters = {repr(solve(problem=problem, stop=Iterations(50), seed=7, params=SEGMENTS).roster) for _ in range(3)}
    assert len(rosters) == 1


def test_a_warm_start_is_kept_when_nothing_better_comes():
    """A re-plan that throws the standing roster away."""
    compiled = compile_problem(problem=small())
    best = SegmentsEngine().search(compiled=compiled, stop=Iterations(300), seed=1)
    again = SegmentsEngine().search(compiled=compiled, stop=Iterations(1), seed=2, start=best.runs)
    assert again.runs == best.runs
    assert again.curve[0] == (0, best.curve[-1][1])


def test_a_warm_start_that_may_not_be_is_put_right():
    """A roster of other windows given as a start crashed the search, or came back as it was."""
    compiled = compile_problem(problem=small())
    backwards = {0: tuple((d, 0, 0) for d in reversed(range(6))), 99: ()}
    backwards[0] += ((0, 0, 5),)
    del backwards[99]
    found = SegmentsEngine().search(compiled=compiled, stop=Iterations(200), seed=1, start=backwards)
    assert sorted(d for stops in found.runs.values() for d, _, _ in stops) == list(range(6))


def test_a_rule_that_cannot_say_its_share_still_stops():
    """Temperatures follow the share of the stop rule; a rule without one ended in an error."""
    result = solve(problem=small(), stop=NoImprovement(300), seed=1, params=SEGMENTS)
    assert result.objective == 2 * 6 * 600


def changed(problem, **more):
    """The problem with other fields."""
    fields = {name: getattr(problem, name) for name in ("demands", "workers", "travel", "horizon", "weights")}
    return Problem(**(fields | more))


def worker(**more):
    """A worker at home at place 0."""
    return Worker(**({"id": "w", "shifts": (Shift(0, 20 * HOUR),), "home": 0} | more))


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (small(visits=1, due=5), "soft due times"),
        (small(visits=1, pinned_start=5), "pinned"),
        (small(visits=1, must_keep=True), "pinned and promised"),
        (changed(small(visits=1, preferred_start=9), weights=Weights(off_preferred=1)), "preferred starts"),
        (changed(small(), weights=Weights(waiting=1)), "waiting"),
        (changed(small(), weights=Weights(balance=1)), "balance"),
        (changed(small(), workers=(worker(break_rule=Break()),)), "breaks"),
        (changed(small(), workers=(worker(meal=Meal(earliest=0, latest=9, least_seconds=3)),)), "breaks"),
        (changed(small(), workers=(worker(hours_limit_seconds=5),)), "hours limits"),
        (changed(small(), workers=(worker(shifts=(Shift(0, 9), Shift(20, 30))),)), "several runs"),
        (changed(small(), workers=(worker(finish=1),)), "end elsewhere"),
        (changed(small(), workers=(worker(overtime_seconds_max=9),)), "overtime"),
        (changed(small(), workers=(worker(leaves_at_shift_start=True),)), "leaving"),
        (changed(small(), horizon=Shift(0, 7 * 86_400)), "weekly rest"),
        (changed(small(), travel=Travel({"car": [[2**31] * 7] * 7})), "travel times"),
    ],
)
def test_what_it_cannot_express_is_refused_by_name(problem, words):
    """A rule dropped in silence comes back as a roster that the verifier throws away."""
    assert words in (SegmentsEngine().refuses(compiled=compile_problem(problem=problem)) or "")


def test_two_visits_of_one_customer_with_a_gap_are_refused_and_one_is_not():
    """Gaps matter only between visits of one customer."""
    one = small(visits=1, gap_seconds=HOUR)
    assert SegmentsEngine().refuses(compiled=compile_problem(problem=one)) is None
    two = [Demand(**{**fields(demand), "customer": "same"}) for demand in small(visits=2, gap_seconds=HOUR).demands]
    problem = changed(small(visits=2), demands=tuple(two))
    assert "gaps" in (SegmentsEngine().refuses(compiled=compile_problem(problem=problem)) or "")


def fields(demand):
    """A demand's fields by name."""
    return {name: getattr(demand, name) for name in Demand.__slots__}
