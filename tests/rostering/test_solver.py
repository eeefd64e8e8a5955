"""What solve gives for problems whose answer is known, and for those that have none."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from rostering.problem import Shift, Slot, Sync, Travel, Window
from rostering.roster import Roster
from rostering.search.compiled import compile_problem
from rostering.search.engine import Answer
from rostering.search.unified_wishes import unified_only
from rostering.solver import EngineError, Params, RosterFaultError, engines, solve, verified
from rostering.stop import AnyOf, Cancelled, FirstFeasible, Iterations, NoImprovement, Progress, Seconds, share_used
from rostering.weights import Weights

from .factories import DAY, HOUR, MINUTE, demand, double, locality_day, problem, problems, worker


def roster_of(given, iterations=30) -> Roster:
    """The search's roster."""
    return solve(problem=given, stop=Iterations(iterations), seed=1).roster


def test_the_shortest_tour_of_a_line_is_found():
    """Runs that go back and forth: the search does not improve travel."""
    places = 8
    apart = [[abs(a - b) * 300 for b in range(places)] for a in range(places)]
    anytime = (Window(7 * HOUR, 20 * HOUR),)
    visits = [demand(f"v{n}", 9, place=n, windows=anytime, preferred_start=None) for n in range(1, places)]
    given = problem(visits, [worker("w")], places=places)
    line = type(given)(
        demands=given.demands, workers=given.workers, travel=Travel({"car": apart}), horizon=given.horizon
    )
    assert roster_of(line, 200).runs[0].travel_seconds == 2 * (places - 1) * 300


def test_asymmetric_travel_is_followed_in_its_direction():
    """A one-way system driven the wrong way."""
    one_way = [[0, 60, 999], [999, 0, 60], [60, 999, 0]]
    anytime = (Window(7 * HOUR, 20 * HOUR),)
    visits = [demand(f"v{n}", 9, place=n, windows=anytime, preferred_start=None) for n in (2, 1)]
    given = problem(visits, [worker("w")])
    ring = type(given)(
        demands=given.demands, workers=given.workers, travel=Travel({"car": one_way}), horizon=given.horizon
    )
    run = roster_of(ring).runs[0]
    assert [stop.visit for stop in run.stops] == ["v1", "v2"]
    assert run.travel_seconds == 180


def test_a_preferred_worker_is_chosen_when_the_way_is_no_longer_than_it_is_worth():
    """Continuity forgotten."""
    given = problem([demand("a", 9, preferred_workers=frozenset({"x"}))], [worker("w"), worker("x")])
    assert roster_of(given).starts()["a", 0][0] == "x"


def test_the_published_worker_stays_when_nothing_speaks_against_it():
    """A new roster that changes everybody for nothing."""
    visits = [demand(f"v{n}", 8 + n, published_workers=(f"w{n % 2}",)) for n in range(8)]
    starts = roster_of(problem(visits, [worker("w0"), worker("w1")]), 200).starts()
    assert all(starts[f"v{n}", 0][0] == f"w{n % 2}" for n in range(8))


def test_visits_start_when_preferred_where_nothing_is_in_the_way():
    """Everybody woken at the beginning of their window."""
    given = problem([demand("a", 9), demand("b", 12, place=2)], [worker("w")])
    assert {start for _, start in roster_of(given).starts().values()} == {9 * HOUR, 12 * HOUR}


@pytest.mark.parametrize(
    ("visits", "workers", "said"),
    [
        ([demand("a", 9, slots=(Slot(60, frozenset({"peg"})),))], [worker("w")], "impossible.*skills blocks 1"),
        ([demand("a", 3)], [worker("w")], "impossible.*availability blocks 1"),
        ([demand("a", 9, pinned_start=15 * HOUR)], [worker("w")], "contradict"),
        ([double("a", 9)], [worker("w")], "double_up_together"),
        (
            [demand(n, 9, place=p, pinned_workers=("w",), pinned_start=9 * HOUR) for n, p in (("a", 1), ("b", 2))],
            [worker("w"), worker("x")],
            "travel_feasible blocks 1",
        ),
        ([demand("a", 7.4, windows=(Window(7 * HOUR, 7 * HOUR),))], [worker("w")], "impossible.*availability"),
    ],
)
def test_what_cannot_be_rostered_has_its_reason_and_nearest_workers(visits, workers, said):
    """Infeasible input that crashes, runs on, or is dropped without a word."""
    roster = roster_of(problem(visits, workers))
    assert roster.unfilled
    for each in roster.unfilled:
        assert each.nearest
        assert all(near.sentence and near.rule for near in each.nearest)
    assert re.search(said, roster.unfilled[0].reason), roster.unfilled[0].reason


def test_a_taken_worker_is_named_as_taken():
    """A reason that blames skills when the day is merely full."""
    same = (Window(9 * HOUR, 9 * HOUR),)
    roster = roster_of(problem([demand("a", 9, windows=same), demand("b", 9, windows=same, place=2)], [worker("w")]))
    assert "taken" in roster.unfilled[0].reason
    assert roster.unfilled[0].nearest[0].rule == "travel_feasible"


def test_a_night_shift_and_a_split_shift_are_worked():
    """Shifts across midnight, or two on a day, lost."""
    night = worker("n", shifts=(Shift(21 * HOUR, 31 * HOUR),))
    split = worker("s", shifts=(Shift(7 * HOUR, 11 * HOUR), Shift(17 * HOUR, 20 * HOUR)))
    visits = [demand("late", 23), demand("early", 29, place=2), demand("breakfast", 8), demand("supper", 18)]
    roster = roster_of(problem(visits, [night, split], horizon_days=2))
    assert roster.unfilled == ()
    assert sorted(run.worker for run in roster.runs) == ["n", "s", "s"]


def test_a_locality_day_is_filled_and_repeatable():
    """The day roster of the demo, in small: unfilled visits, violations, or another roster for the same seed."""
    given = locality_day(seed=4, visits=90, workers=30)
    first = solve(problem=given, stop=Iterations(150), seed=7)
    assert [each for each in first.roster.unfilled if not each.reason.startswith("impossible")] == []
    assert first.violations == ()
    assert first == solve(problem=given, stop=Iterations(150), seed=7)
    assert first.lower_bound <= first.objective == first.curve[-1][1]
    assert {d.id for d in given.demands if d.must_keep} <= {visit for visit, _ in first.roster.starts()}


def test_a_search_gives_the_best_that_it_met_and_longer_ones_better_than_none():
    """A search that loses its best."""
    given = locality_day(seed=5, visits=60, workers=9)
    none, some, more = (solve(problem=given, stop=Iterations(n), seed=1) for n in (0, 50, 200))
    assert max(some.objective, more.objective) < none.objective
    for each in (some, more):
        curve = [points for _, points in each.curve]
        assert curve == sorted(curve, reverse=True)
        assert curve[0] == none.objective
        assert curve[-1] == each.objective


def test_sequences_with_due_times_are_searched_by_order():
    """The engine for published instances breaking a sequence or a skill."""
    visits = [
        double(f"v{n}", 9, place=1 + n, windows=(Window(8 * HOUR, 20 * HOUR),), preferred_start=None, due=9 * HOUR,
               sync=Sync(20 * MINUTE, 40 * MINUTE))
        for n in range(4)
    ]  # fmt: skip
    free = [worker(name, daily_rest_seconds=0) for name in ("w", "x", "y")]
    result = solve(problem=problem(visits, free, lateness=1, lateness_worst=1), stop=Iterations(30), seed=1)
    assert result.roster.unfilled == ()
    starts = result.roster.starts()
    assert all(1_200 <= starts[v.id, 1][1] - starts[v.id, 0][1] <= 2_400 for v in visits)


def test_a_roster_that_breaks_a_rule_is_never_returned():
    """A faulty search whose roster reaches a person."""
    given = problem([demand("a", 9, slots=(Slot(60, frozenset({"peg"})),))], [worker("w")])
    compiled = compile_problem(problem=given)
    with pytest.raises(RosterFaultError, match="skills"):
        verified(compiled=compiled, answer=Answer(runs={0: ((0, 0, 9 * HOUR),)}, iterations=0))


def test_an_engine_by_name_is_known_and_fit_or_refused():
    """A wrong name silently searched by something else."""
    given = problem([demand("a", 9)], [worker("w")])
    with pytest.raises(EngineError, match="'magic' is not one of"):
        solve(problem=given, stop=Iterations(1), seed=1, params=Params(engine="magic"))


def test_a_warm_start_is_kept_when_nothing_is_better():
    """A search that forgets the roster it was given."""
    given = problem([demand("a", 9), demand("b", 12, place=2)], [worker("w"), worker("x")])
    start = {1: ((0, 0, 9 * HOUR), (1, 0, 12 * HOUR))}
    result = solve(problem=given, stop=Iterations(0), seed=1, start=start)
    assert {worker for worker, _ in result.roster.starts().values()} == {"x"}


def test_stop_rules_stop_when_they_say():
    """A search that cannot be stopped, or that stops at once."""
    at = Progress(iterations=10, objective=5, unfilled=2, improved_at=4)
    ticks = iter([0.0, 1.0, 5.0])
    timer = Seconds(3.0, lambda: next(ticks))
    assert [timer(at), timer(at)] == [False, True]
    assert [Iterations(11)(at), Iterations(10)(at)] == [False, True]
    assert [NoImprovement(7)(at), NoImprovement(6)(at)] == [False, True]
    assert [FirstFeasible(1)(at), FirstFeasible(2)(at)] == [False, True]
    assert [Cancelled(lambda: False)(at), Cancelled(lambda: True)(at)] == [False, True]
    assert AnyOf((Iterations(99), Cancelled(lambda: True)))(at)


def test_stop_rules_say_what_share_is_used():
    """Temperatures that never cool, or cool by the wrong rule."""
    at = Progress(iterations=10, objective=5, unfilled=2, improved_at=4)
    ticks = iter([0.0, 1.0, 9.0])
    timer = Seconds(4.0, lambda: next(ticks))
    assert [share_used(stop=timer, progress=at) for _ in range(2)] == [0.25, 1.0]
    assert share_used(stop=Iterations(40), progress=at) == 0.25
    assert share_used(stop=NoImprovement(7), progress=at) is None
    assert share_used(stop=AnyOf((Iterations(40), Iterations(20), NoImprovement(7))), progress=at) == 0.5
    assert share_used(stop=AnyOf((NoImprovement(7),)), progress=at) is None


def test_a_cancelled_search_keeps_its_best_and_reports_progress():
    """A cancel that loses the roster."""
    seen: list[Progress] = []
    given = locality_day(seed=6, visits=30, workers=8)
    rule = AnyOf((Iterations(500), Cancelled(lambda: len(seen) > 20)))
    result = solve(problem=given, stop=rule, seed=1, report=seen.append)
    assert result.iterations < 30
    assert result.roster.runs
    assert seen[-1].objective <= seen[0].objective


def test_days_in_one_problem_keep_rest():
    """Two days solved at once with a short night between."""
    shifts = (Shift(14 * HOUR, 23 * HOUR), Shift(DAY + 7 * HOUR, DAY + 15 * HOUR))
    visits = [demand("late", 22), demand("later", 22, place=2), demand("next", 24 + 8), demand("noon", 24 + 12)]
    roster = roster_of(problem(visits, [worker("w", shifts=shifts)], horizon_days=2))
    assert set(roster.starts()) == {("late", 0), ("later", 0), ("noon", 0)}


@pytest.mark.parametrize("hash_seed", ["2"])
def test_another_process_finds_the_same_roster(hash_seed):
    """A roster that depends on how Python hashes texts, so that nobody can repeat it."""
    script = (
        "from tests.rostering.factories import locality_day\n"
        "from rostering.solver import solve\n"
        "from rostering.stop import Iterations\n"
        "day = locality_day(seed=8, visits=40, workers=10)\n"
        "found = solve(problem=day, stop=Iterations(40), seed=3)\n"
        "print(found.objective, sorted(found.roster.starts().items()))\n"
    )
    there = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    here = solve(problem=locality_day(seed=8, visits=40, workers=10), stop=Iterations(40), seed=3)
    assert there.stdout.strip() == f"{here.objective} {sorted(here.roster.starts().items())}"


def test_the_engine_runs_refuses_loads_which_it_does_not_sum():
    """Two visits that are each light enough, and together too heavy: a roster that the verifier throws away."""
    anytime = (Window(7 * HOUR, 20 * HOUR),)
    given = problem([demand(f"v{n}", 9, windows=anytime, load=2) for n in (1, 2)], [worker("w", capacity=3)])
    with pytest.raises(EngineError, match="'runs' cannot express loads"):
        solve(problem=given, stop=Iterations(5), seed=1, params=Params(engine="runs"))
    assert len(roster_of(given, 5).unfilled) == 1


@pytest.mark.parametrize("name", [field.name for field in fields(Weights)])
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(given_problem=problems())
def test_an_engine_counts_a_weight_as_the_score_does_or_refuses_it(name, given_problem):
    """A wish that a branch pays for and the search does not see."""
    weighed = replace(given_problem, weights=replace(given_problem.weights, **{name: 700}))
    compiled = compile_problem(problem=weighed)
    for engine in engines(params=Params(effort_seconds=0))[:-1]:
        only = unified_only(problem=weighed)
        if engine.refuses(compiled=compiled) or (only and engine.name != "unified"):
            continue
        answer = engine.search(compiled=compiled, stop=Iterations(2), seed=1)
        assert answer.curve[-1][1] == verified(compiled=compiled, answer=answer).objective, engine.name
