"""The compiled engine for hard-window rosters: its laws, its state, and answers that can be found by hand."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from rostering.explain import score
from rostering.problem import Problem
from rostering.search.compiled import compile_problem
from rostering.search.duties import DutiesEngine
from rostering.search.duties_anneal import anneal, keep_best
from rostering.search.duties_board import (
    NOBODY,
    R_COST,
    R_WORST,
    S_COST,
    T_RUN,
    V_ABSENT_AT,
    V_SLOTS,
    by_run,
    by_task,
    by_visit,
    nobody_kept,
)
from rostering.search.duties_first import first_board, runs_of, strangers
from rostering.search.engine import Answer
from rostering.search.kernel.chance import seeded
from rostering.solver import Result, verified
from rostering.stop import Iterations
from rostering.verify import violations

from .factories import locality_day, problems

LAWS = settings(
    phases=[Phase.explicit, Phase.generate], max_examples=100, deadline=None, suppress_health_check=list(HealthCheck)
)


def result_of(problem: Problem, *, iterations: int = 3, seed: int = 1, start=None) -> Result:
    """The engine's answer, verified."""
    compiled = compile_problem(problem=problem)
    answer = DutiesEngine().search(compiled=compiled, stop=Iterations(iterations), seed=seed, start=start)
    return verified(compiled=compiled, answer=answer)


@LAWS
@given(problem=problems(), seed=st.integers(0, 5))
def test_any_problem_gets_a_roster_without_a_violation_whose_points_are_the_searchs(problem, seed):
    """A rule broken by a move, or points that the search counts otherwise than the score does."""
    compiled = compile_problem(problem=problem)
    answer = DutiesEngine().search(compiled=compiled, stop=Iterations(4), seed=seed)
    result = verified(compiled=compiled, answer=answer)
    assert violations(problem=problem, roster=result.roster) == ()
    assert answer.curve[-1][1] == score(problem=problem, roster=result.roster).total


@LAWS
@given(problem=problems(), seed=st.integers(0, 5), points=st.sampled_from((0, 300)))
def test_the_state_after_many_moves_is_what_rebuilding_it_gives(problem, seed, points):
    """Costs, starts, lists or counts of who comes that drift from the runs they describe."""
    problem = replace(problem, weights=replace(problem.weights, stranger=points))
    compiled = compile_problem(problem=problem)
    board = first_board(compiled=compiled, start=None)
    visit, task, run = by_visit(board), by_task(board), by_run(board)
    if not len(visit) or not len(run):
        return
    kept = nobody_kept(board=board)
    keep_best(board, kept)
    anneal(board, seeded(seed), 2_000, 500.0, kept, 0, len(visit))
    penalties = 0
    for d in range(len(visit)):
        runs = [task[2 * d + k, T_RUN] for k in range(visit[d, V_SLOTS])]
        assert len({run == NOBODY for run in runs}) == 1
        assert (runs[0] == NOBODY) == (visit[d, V_ABSENT_AT] != NOBODY)
        penalties += compiled.penalty[d] * (runs[0] == NOBODY)
    worst = problem.weights.lateness_worst * int(run[:, R_WORST].max())
    strange = points * strangers(board=board) if points else 0
    assert board.work[S_COST] == run[:, R_COST].sum() + penalties + worst + strange
    keep_best(board, kept)
    answer = Answer(runs=runs_of(board=board, kept=kept), iterations=2, curve=((0, 0),))
    assert verified(compiled=compiled, answer=answer).objective == board.work[S_COST]


@LAWS
@given(problem=problems())
def test_pinned_visits_keep_their_workers_and_start(problem):
    """A pin that a move treats as a wish."""
    starts = result_of(problem).roster.starts()
    for demand in problem.demands:
        for slot, who in enumerate(demand.pinned_workers):
            assert starts.get((demand.id, slot), (who, 0))[0] == who
        if demand.pinned_start is not None and (demand.id, 0) in starts:
            assert starts[demand.id, 0][1] == demand.pinned_start


@LAWS
@given(problem=problems())
def test_a_warm_start_is_never_made_worse(problem):
    """A re-plan that throws away the roster it was given."""
    compiled = compile_problem(problem=problem)
    first = DutiesEngine().search(compiled=compiled, stop=Iterations(2), seed=1)
    again = DutiesEngine().search(compiled=compiled, stop=Iterations(0), seed=2, start=first.runs)
    assert again.curve[-1][1] <= first.curve[-1][1]
    verified(compiled=compiled, answer=again)


def test_the_same_seed_and_iterations_give_the_same_roster():
    """A search that depends on the clock or on memory."""
    day = locality_day(seed=8, visits=60, workers=14)
    assert result_of(day, iterations=20, seed=3) == result_of(day, iterations=20, seed=3)


def test_a_locality_day_is_filled():
    """Visits left out that somebody could do."""
    day = locality_day(seed=4, visits=90, workers=30)
    result = result_of(day, iterations=100)
    assert [each for each in result.roster.unfilled if not each.reason.startswith("impossible")] == []
