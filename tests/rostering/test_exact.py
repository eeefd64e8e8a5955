"""Proofs by CP-SAT: against every roster of small days, patterns that need two orders, and what is refused."""

import pytest
from hypothesis import given, settings

from rostering.lower_bound import lower_bound
from rostering.problem import Break, Demand, Problem, Shift, Slot, Sync, Travel, Window, Worker
from rostering.search.compiled import Compiled, compile_problem
from rostering.search.exact import VISITS_MAX, prove, refuses
from rostering.solver import verified
from rostering.weights import Weights
from tests.rostering.factories import HOUR, demand, double, problem, worker
from tests.rostering.test_bounds import every_roster, small_days

EFFORT = 5.0


def compiled_with(demands: list[Demand], workers: list[Worker], **changes: int) -> Compiled:
    return compile_problem(problem=problem(demands, workers, **changes))


@given(given=small_days())
@settings(max_examples=60, deadline=None)
def test_what_is_proved_is_the_best_of_every_roster(given: Problem) -> None:
    """A proof would be of something that another roster beats, or of a roster that breaks a rule."""
    compiled = compile_problem(problem=given)
    proved = prove(compiled=compiled, effort_seconds=EFFORT, seed=1)
    best = min(given.weights.unfilled * left + travel for left, travel in every_roster(given))
    assert proved.is_optimal
    assert proved.objective == best
    assert verified(compiled=compiled, answer=proved.answer).objective == best


def sequences_both_ways() -> Problem:
    """Two places, two workers of different skills; at one the first skill comes first, at the other the second does."""
    one, two = Slot(10, frozenset({"a"})), Slot(10, frozenset({"b"}))
    everywhen, after = (Window(0, 1_000),), Sync(20, 1_000)
    return Problem(
        demands=(
            Demand(id="p", customer="p", place=1, slots=(one, two), windows=everywhen, due=0, sync=after),
            Demand(id="q", customer="q", place=2, slots=(two, one), windows=everywhen, due=0, sync=after),
        ),
        workers=tuple(
            Worker(id=skill, shifts=(Shift(0, 1_000),), home=0, skills=frozenset({skill})) for skill in ("a", "b")
        ),
        travel=Travel({"car": [[0, 5, 5], [5, 0, 10], [5, 10, 0]]}),
        horizon=Shift(0, 1_000),
        weights=Weights(travel=1, lateness=1, lateness_worst=1, unfilled=100_000),
    )


def test_a_pattern_that_no_single_order_of_visits_gives_is_found_and_proved() -> None:
    """Two sequences that run opposite ways would wait for each other: each worker goes first at one place, second at the other."""
    compiled = compile_problem(problem=sequences_both_ways())
    proved = prove(compiled=compiled, effort_seconds=EFFORT, seed=1)
    assert proved.is_optimal
    assert [[(d, k) for d, k, _ in proved.answer.runs[r]] for r in (0, 1)] == [[(0, 0), (1, 1)], [(1, 0), (0, 1)]]
    assert proved.objective == 2 * 20 + (5 + 25) * 2 + 25
    assert verified(compiled=compiled, answer=proved.answer).objective == proved.objective


def test_double_ups_wishes_waits_and_what_nobody_can_do_are_weighed() -> None:
    """The proof would be of another objective than the roster's score."""
    visits = [
        double("pair", 9, preferred_workers=frozenset({"a", "b"})),
        demand("late", 14, place=2, preferred_workers=frozenset({"c"})),
        demand("none", 12, slots=(Slot(600, frozenset({"hoist"})),)),
    ]
    compiled = compiled_with(visits, [worker(name) for name in "abc"], waiting=1, off_preferred=2)
    proved = prove(compiled=compiled, effort_seconds=EFFORT, seed=1)
    assert proved.is_optimal
    assert proved.objective == verified(compiled=compiled, answer=proved.answer).objective
    assert proved.objective == compiled.problem.weights.unfilled + 3 * 20 * 60


@pytest.mark.parametrize(
    ("visits", "workers", "reason"),
    [
        ([demand("v", 9)], [worker("a", break_rule=Break())], "breaks"),
        ([demand("v", 9)], [worker("a", shifts=(Shift(0, HOUR), Shift(2 * HOUR, 3 * HOUR)))], "several duties"),
        ([demand("v", 9, must_keep=True)], [worker("a")], "pop-backs"),
        ([demand("v", 9, customer="c", gap_seconds=60), demand("w", 9, customer="c")], [worker("a")], "gaps"),
    ],
)
def test_what_cannot_be_proved_is_refused_by_name(visits: list[Demand], workers: list[Worker], reason: str) -> None:
    """A proof would leave a rule out."""
    compiled = compiled_with(visits, workers)
    assert reason in (refuses(compiled=compiled) or "")
    with pytest.raises(ValueError, match=reason):
        prove(compiled=compiled, effort_seconds=EFFORT, seed=1)


def test_a_problem_too_large_to_prove_is_refused() -> None:
    """An endless run would look like a proof under way."""
    compiled = compiled_with([demand(f"v{n}", 9) for n in range(VISITS_MAX + 1)], [worker("a")])
    with pytest.raises(ValueError, match=f"{VISITS_MAX + 1} visits"):
        prove(compiled=compiled, effort_seconds=EFFORT, seed=1)


def test_the_lower_bound_of_a_small_problem_is_its_optimum_with_some_effort() -> None:
    """A small roster that is the best there is would be shown with a gap."""
    given = sequences_both_ways()
    assert lower_bound(problem=given) < lower_bound(problem=given, effort_seconds=EFFORT) == 125
    unproved = problem([demand("v", 9)], [worker("a", break_rule=Break())])
    assert lower_bound(problem=unproved, effort_seconds=EFFORT) == lower_bound(problem=unproved) == 20 * 60
