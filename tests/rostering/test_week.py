"""A week solved whole: hours, rest, gaps and whom a customer sees count from day to day."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rostering.bounds import unassigned_bound
from rostering.explain import score
from rostering.problem import Shift, Window
from rostering.search.compiled import compile_problem
from rostering.search.duties import DutiesEngine
from rostering.solver import Params, solve, verified
from rostering.stop import Iterations
from rostering.verify import violations
from rostering.week_share import top_share, top_share_bound
from simulations.bench.roster_locality import locality

from .factories import DAY, HOUR, MINUTE, demand, double, problem, problems, worker

QUICK = Params(effort_seconds=0)


def week_of(given_problem):
    """The week's result, after a few iterations."""
    return solve(problem=given_problem, stop=Iterations(60), seed=1, params=QUICK)


def daily(start: float, end: float, days: int = 7) -> tuple[Shift, ...]:
    """The same shift every day."""
    return tuple(Shift(day * DAY + int(start * HOUR), day * DAY + int(end * HOUR)) for day in range(days))


def test_a_week_with_enough_workers_is_filled():
    """Days lost at the seams."""
    visits = [demand(f"v{day}-{at}", day * 24 + at, place=1 + at % 5) for day in range(7) for at in (8, 12, 18)]
    staff = [worker(name, shifts=daily(7, 20)) for name in ("w", "x")]
    result = week_of(problem(visits, staff, horizon_days=7))
    assert result.roster.unfilled == ()
    assert violations(problem=problem(visits, staff, horizon_days=7), roster=result.roster) == ()


def test_a_lone_worker_has_a_day_off():
    """Seven days' work for one person."""
    given_problem = problem(
        [demand(f"v{day}", day * 24 + 10) for day in range(7)], [worker("w", shifts=daily(7, 20))], horizon_days=7
    )
    assert len(week_of(given_problem).roster.unfilled) == 1


def test_a_late_evening_and_an_early_morning_are_not_the_same_worker_s():
    """A worker home at ten and out at seven: nine hours of rest."""
    staff = [worker("w", shifts=(Shift(14 * HOUR, 22 * HOUR), Shift(31 * HOUR, 39 * HOUR)))]
    mornings = [demand(f"v{n}", 24 + 7.5 + n, place=n) for n in range(1, 4)]
    result = week_of(problem([demand("late", 21), *mornings], staff, horizon_days=2))
    assert [slot.visit for slot in result.roster.unfilled] in (["late"], ["v1"])


def test_hours_are_limited_over_the_week_not_each_day():
    """A week's limit that starts anew each morning."""
    visits = [demand(f"v{day}", day * 24 + 10, minutes=160) for day in range(6)]
    lone = worker("w", shifts=daily(7, 20, 6), hours_limit_seconds=9 * HOUR)
    result = week_of(problem(visits, [lone], horizon_days=6))
    assert len(result.roster.runs) == 3


def test_a_late_visit_keeps_its_gap_to_the_next_mornings():
    """Bed at midnight and breakfast at one, of two days' rosters."""
    late = demand("late", 23.5, customer="one", windows=(Window(int(23.5 * HOUR), int(23.5 * HOUR)),))
    early = demand("early", 24.5, customer="one", gap_seconds=2 * HOUR)
    other = demand("other", 26.5, customer="one", gap_seconds=2 * HOUR, place=2)
    night = worker("n", shifts=(Shift(20 * HOUR, 32 * HOUR), Shift(33 * HOUR, 40 * HOUR)), daily_rest_seconds=0)
    morning = worker("m", shifts=(Shift(DAY, DAY + 8 * HOUR),))
    result = week_of(problem([late, early, other], [night, morning], horizon_days=2))
    assert set(result.roster.starts()) == {("late", 0), ("other", 0)}
    assert result.roster.unfilled[0].reason.endswith("(visit_gap)")


def test_times_that_contradict_their_gap_are_said_with_the_visit_they_contradict():
    """A branch manager who looks for one more worker, when no worker can help: the plan is wrong."""
    tea = demand("tea", 17, customer="one", gap_seconds=90 * MINUTE, windows=(Window(17 * HOUR, 17 * HOUR + 900),))
    bed = demand("bed", 18, customer="one", gap_seconds=90 * MINUTE, windows=(Window(18 * HOUR, 18 * HOUR + 900),))
    given_problem = problem([tea, bed], [worker("w"), worker("x")])
    (slot,) = week_of(given_problem).roster.unfilled
    other = {"tea": "bed", "bed": "tea"}[slot.visit]
    assert (
        slot.reason
        == f"its times and those of the customer's visit {other} contradict the gap between them (visit_gap)"
    )
    assert unassigned_bound(problem=given_problem) == 1


def test_a_customer_sees_few_workers_over_a_week_when_strangers_cost():
    """Continuity that the search does not see, or that each day has of its own."""
    given_problem = locality(workers=14, visits=70, days=7, seed=2)
    shares = []
    for points in (0, 600):
        weighed = replace(given_problem, weights=replace(given_problem.weights, stranger=points))
        roster = solve(problem=weighed, stop=Iterations(1_500), seed=1, params=QUICK).roster
        assert violations(problem=weighed, roster=roster) == ()
        shares.append(top_share(problem=given_problem, roster=roster))
    assert shares[1] > shares[0] + 0.1, shares
    assert shares[1] <= top_share_bound(problem=given_problem)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(given_problem=problems(), points=st.integers(1, 900), begun=st.booleans())
def test_the_search_counts_strangers_as_the_score_does(given_problem, points, begun):
    """A count kept move by move that drifts from what the roster shows, or a warm start that begins it wrong."""
    weighed = replace(given_problem, weights=replace(given_problem.weights, stranger=points))
    compiled = compile_problem(problem=weighed)
    engine = DutiesEngine()
    start = engine.search(compiled=compiled, stop=Iterations(1), seed=2).runs if begun else None
    answer = engine.search(compiled=compiled, stop=Iterations(3), seed=1, start=start)
    roster = verified(compiled=compiled, answer=answer).roster
    assert answer.curve[-1][1] == score(problem=weighed, roster=roster).total


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(given_problem=problems())
def test_no_roster_leaves_less_unfilled_than_the_bound_with_its_gaps(given_problem):
    """A visit called impossible that a roster serves."""
    unfilled = solve(problem=given_problem, stop=Iterations(5), seed=1, params=QUICK).roster.unfilled
    assert unassigned_bound(problem=given_problem) <= len(unfilled)


def test_a_warm_start_that_holds_half_a_double_up_begins_without_it():
    """A search that crashes on a run with nothing whole in it."""
    compiled = compile_problem(problem=problem([double("two", 10)], [worker("w"), worker("x")]))
    half = {0: ((0, 0, 10 * HOUR),)}
    answer = DutiesEngine().search(compiled=compiled, stop=Iterations(2), seed=1, start=half)
    assert sum(len(stops) for stops in answer.runs.values()) == 2


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    hours=st.lists(st.tuples(st.integers(0, 6), st.integers(5, 27), st.integers(1, 4)), min_size=1, max_size=20),
    shifts=st.lists(st.tuples(st.integers(0, 14), st.integers(4, 13)), min_size=1, max_size=4),
    limit=st.one_of(st.none(), st.integers(0, 20)),
)
def test_no_week_has_a_violation(hours, shifts, limit):
    """A rule that each day keeps and the week breaks."""
    visits = [
        demand(f"v{n}", day * 24 + at, minutes=30 * half, customer=f"c{n % 3}", gap_seconds=(n % 2) * 90 * MINUTE)
        for n, (day, at, half) in enumerate(hours)
    ]
    staff = [
        worker(f"w{n}", shifts=daily(start, start + long), hours_limit_seconds=None if limit is None else limit * HOUR)
        for n, (start, long) in enumerate(shifts)
    ]
    result = week_of(problem(visits, staff, horizon_days=7))
    assert result.violations == ()
    assert len(result.roster.starts()) + len(result.roster.unfilled) == len(visits)


def test_a_week_of_many_visits_counts_its_strangers_as_the_score_does():
    """A count that drifts over many moves, runs of several days and fixed visits."""
    given_problem = locality(workers=9, visits=40, days=7, seed=5)
    demands = list(given_problem.demands)
    demands[3] = replace(demands[3], must_keep=True)
    demands[90] = replace(demands[90], pinned_workers=(given_problem.workers[0].id,) * len(demands[90].slots))
    idle = worker("idle", shifts=(), home=0)
    weighed = replace(
        given_problem,
        demands=tuple(demands),
        workers=(*given_problem.workers, idle),
        weights=replace(given_problem.weights, stranger=300),
    )
    compiled = compile_problem(problem=weighed)
    answer = DutiesEngine().search(compiled=compiled, stop=Iterations(80), seed=1)
    assert answer.curve[-1][1] == verified(compiled=compiled, answer=answer).objective


@pytest.mark.parametrize("staff", [[], [worker("w", shifts=())]])
@pytest.mark.parametrize("visits", [[], [demand("v", 10)]])
def test_a_week_without_visits_or_without_anybody_on_duty_has_an_answer(staff, visits):
    """A branch that opens a new locality and gets a traceback."""
    given_problem = problem(visits, staff, horizon_days=7, stranger=300)
    result = week_of(given_problem)
    assert len(result.roster.unfilled) == len(visits)
    assert result.objective == result.curve[-1][1]
