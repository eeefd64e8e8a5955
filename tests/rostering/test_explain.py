"""Why a roster is as it is: points by visit, and reasons from the runs alone."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings

from rostering.explain import score, unfilled_in, visit_scores
from rostering.roster import Roster, Unfilled
from rostering.solver import Params, solve
from rostering.stop import Iterations

from .factories import MINUTE, demand, problem, problems, worker
from .test_constraints import run_of

LAWS = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


def test_a_visit_costs_its_detour_its_worker_and_its_start():
    """An explanation that blames the wrong visit."""
    liked = frozenset({"x"})
    day = problem(
        [demand("a", 9), demand("b", 12, place=2, preferred_workers=liked), demand("c", 15)],
        [worker("w"), worker("x")],
        off_preferred=1,
    )
    roster = Roster(
        runs=(run_of(day, "w", ("a", 0, 9.1), ("b", 0, 12)),),
        unfilled=(Unfilled(visit="c", slot=0, reason="nobody"),),
    )
    found = {each.visit: each for each in visit_scores(problem=day, roster=roster)}
    assert (found["a"].detour, found["a"].off_preferred) == (10 * MINUTE, 6 * MINUTE)
    assert (found["b"].detour, found["b"].not_preferred) == (10 * MINUTE, day.weights.not_preferred)
    assert found["c"].total == day.weights.unfilled
    assert next(iter(found)) == "c"


@LAWS
@given(day=problems())
def test_points_by_visit_add_up_to_the_score_but_for_travel_and_the_whole_days(day):
    """Two explanations of one roster that contradict each other."""
    roster = solve(problem=day, stop=Iterations(5), seed=1, params=Params(effort_seconds=0)).roster
    whole, by_visit = score(problem=day, roster=roster), visit_scores(problem=day, roster=roster)
    for name in ("off_preferred", "lateness", "not_preferred", "changed", "unfilled"):
        assert sum(getattr(each, name) for each in by_visit) == getattr(whole, name)


@LAWS
@given(day=problems())
def test_reasons_are_told_from_the_runs_alone(day):
    """A reason that only the engine that made the roster can give."""
    roster = solve(problem=day, stop=Iterations(5), seed=1, params=Params(effort_seconds=0)).roster
    again = unfilled_in(problem=day, runs=roster.runs)
    assert {(each.visit, each.slot) for each in again} == {(each.visit, each.slot) for each in roster.unfilled}
    assert all(each.reason and len(each.nearest) == min(3, len(day.workers)) for each in again)
