"""Laws of rosters, over any problem that Hypothesis can draw."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rostering.explain import score
from rostering.solver import Params, solve
from rostering.stop import Iterations
from rostering.verify import violations

from .factories import problems

QUICK = Params(effort_seconds=1, ruin_mean=4)
LAWS = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


@LAWS
@given(problem=problems(), seed=st.integers(0, 5))
def test_no_problem_gives_a_roster_with_a_violation(problem, seed):
    """A hard rule broken by the search, in any of its moves or by CP-SAT's choice of runs."""
    result = solve(problem=problem, stop=Iterations(25), seed=seed, params=QUICK)
    assert violations(problem=problem, roster=result.roster) == ()


@LAWS
@given(problem=problems())
def test_every_slot_is_in_a_run_or_unfilled_with_a_reason(problem):
    """A visit silently dropped, or one whose absence nobody explains."""
    roster = solve(problem=problem, stop=Iterations(5), seed=1, params=QUICK).roster
    wanted = {(demand.id, slot) for demand in problem.demands for slot in range(len(demand.slots))}
    unfilled = {(each.visit, each.slot) for each in roster.unfilled}
    assert set(roster.starts()) | unfilled == wanted
    assert all(each.reason for each in roster.unfilled)
    assert all(len(each.nearest) == min(3, len(problem.workers)) for each in roster.unfilled)


@LAWS
@given(problem=problems())
def test_the_same_seed_and_iterations_give_the_same_roster(problem):
    """A solve that depends on the clock, on hashing or on memory addresses."""
    first = solve(problem=problem, stop=Iterations(10), seed=3, params=QUICK)
    assert solve(problem=problem, stop=Iterations(10), seed=3, params=QUICK) == first


@LAWS
@given(problem=problems())
def test_no_roster_beats_the_lower_bound_and_the_score_is_the_objective(problem):
    """A bound that is no bound, or an objective that the roster itself does not have."""
    result = solve(problem=problem, stop=Iterations(10), seed=2, params=QUICK)
    assert result.lower_bound <= result.objective
    assert result.objective == score(problem=problem, roster=result.roster).total


@LAWS
@given(problem=problems())
def test_pinned_visits_keep_their_workers_and_start(problem):
    """A pin that the search treats as a wish."""
    starts = solve(problem=problem, stop=Iterations(15), seed=4, params=QUICK).roster.starts()
    for demand in problem.demands:
        for slot, who in enumerate(demand.pinned_workers):
            assert starts.get((demand.id, slot), (who, 0))[0] == who
        if demand.pinned_start is not None and (demand.id, 0) in starts:
            assert starts[demand.id, 0][1] == demand.pinned_start
