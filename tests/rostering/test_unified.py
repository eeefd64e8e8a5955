"""The engine that knows every published wish: its moves undo exactly, its sums are those of the roster, its refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rostering.days import idle_seconds, imbalance
from rostering.explain import score
from rostering.lower_bound import lower_bound
from rostering.problem import (
    INDEPENDENT,
    Demand,
    Meal,
    Problem,
    ProblemError,
    Shift,
    Slot,
    Travel,
    Window,
    Worker,
)
from rostering.roster import MealTaken, Run
from rostering.search.compiled import compile_problem
from rostering.search.kernel.chance import seeded
from rostering.search.kernel.heap import empty_heap
from rostering.search.unified import UnifiedEngine
from rostering.search.unified_anneal import BEST, COST, anneal, rebuild, renumber
from rostering.search.unified_decode import tasks_of
from rostering.search.unified_rows import (
    AFTER,
    AMONG,
    BEFORE,
    CLOSES,
    FIRST,
    IDLE,
    LAST,
    START,
    TOTALS,
    UNFILLED,
    by_row,
    empty_best,
)
from rostering.search.unified_tables import first_state, nodes_of
from rostering.search.unified_wishes import unified_only
from rostering.solver import EngineError, Params, solve
from rostering.stop import AnyOf, Iterations, Reached
from rostering.verify import violations
from rostering.weights import Weights
from tests.rostering import factories

PLACES = [[0, 10, 20, 30], [10, 0, 10, 20], [20, 10, 0, 10], [30, 20, 10, 0]]
ALL_DAY = Shift(0, 1_000)


def visit(name: str, place: int, *windows: tuple[int, int], **changes) -> Demand:
    """A visit of 20 with soft windows of starts."""
    due = tuple(Window(opens, closes) for opens, closes in windows)
    given = {
        "id": name,
        "customer": name,
        "place": place,
        "slots": (Slot(20),),
        "windows": (Window(due[0].earliest, 10_000),),
        "due_windows": due,
    }
    return Demand(**(given | changes))


def carer(name: str, **changes) -> Worker:
    """Somebody at place 0 from 0 to 300, and longer if need be."""
    given = {"id": name, "shifts": (Shift(0, 300),), "home": 0, "overtime_seconds_max": 5_000}
    return Worker(**(given | {"daily_rest_seconds": 0, "weekly_rest_seconds": 0} | changes))


def asked(demands, workers, **weights) -> Problem:
    """A problem over four places in a line."""
    return Problem(
        demands=tuple(demands),
        workers=tuple(workers),
        travel=Travel({"car": np.array(PLACES)}),
        horizon=ALL_DAY,
        weights=Weights(**({"not_preferred": 0, "unfilled": 1_000_000} | weights)),
    )


def solved(problem: Problem, *, moves: int = 4_000):
    """The roster after some moves."""
    return solve(problem=problem, stop=Iterations(moves), seed=1, params=Params(processes=1))


def starts(result) -> dict[str, int]:
    """Start of each visit's first slot."""
    return {visit: start for (visit, slot), (_, start) in result.roster.starts().items() if slot == 0}


def test_moves_that_are_not_kept_leave_no_trace():
    """An undo that forgets a number: the search would drift away from the roster it believes in."""
    wishes = {
        "travel": 1,
        "lateness": 2,
        "waiting": 3,
        "idle_worst": 2,
        "overtime": 1,
        "balance": 1,
        "lateness_worst": 1,
    }
    meal = Meal(earliest=60, latest=200, least_seconds=30, missed_penalty=40)
    demands = [visit(f"v{n}", 1 + n % 3, (30 * n, 30 * n + 20), (200, 260)) for n in range(6)]
    demands += [visit("pair", 2, (50, 90), slots=(Slot(20), Slot(30)))]
    demands += [visit("apart", 3, (50, 90), slots=(Slot(20), Slot(30)), sync=INDEPENDENT, unfilled_penalty=30)]
    problem = asked(demands, [carer("a", meal=meal), carer("b"), carer("c", meal=meal)], **wishes)
    nodes, state, heap, best, standing = searching(problem)
    words, tasks = seeded(1), 2 * len(nodes.demand)
    for heat in (100.0, 20.0, 0.001):
        anneal(nodes.tables, state, heap, best, standing, words, 3_000, heat)
        cost, totals = standing[COST], state.totals[:TOTALS].copy()
        times = by_row(state.table)[:tasks, START].copy()
        assert rebuild(nodes.tables, state, heap) == cost
        assert (state.totals[:TOTALS] == totals).all()
        assert (by_row(state.table)[:tasks, START] == times).all()
    state.table[:], state.key[:] = best.table, best.key
    assert rebuild(nodes.tables, state, heap) == standing[BEST]


def searching(problem: Problem):
    """(nodes, state, heap, best, standing) of a search that is about to begin."""
    nodes = nodes_of(compiled=compile_problem(problem=problem))
    state = first_state(nodes=nodes, choose=np.random.default_rng(0))
    heap = empty_heap(visits=len(nodes.demand))
    standing = np.array([rebuild(nodes.tables, state, heap), 2**60], np.int64)
    return nodes, state, heap, empty_best(state=state), standing


def test_runs_stay_in_one_order_though_keys_become_equal():
    """Two pairs that each wait for the other: starts that grow without end, and a journal written past its end."""
    both = (Slot(20), Slot(20))
    pairs = [visit(f"v{i}", 1 + i % 3, (20 * (i // 2), 20 * (i // 2) + 60), slots=both) for i in range(24)]
    nodes, state, heap, best, standing = searching(asked(pairs, [carer(f"w{i}") for i in range(6)], lateness=1))
    words = seeded(1)
    for turn in range(1_000):
        state.key[:] = np.round(state.key / 3)
        standing[COST] = rebuild(nodes.tables, state, heap)
        if turn % 2:
            renumber(state)
        anneal(nodes.tables, state, heap, best, standing, words, 30, 1_000.0)
        for w in range(6):
            order = [(state.key[t >> 1], t) for t in tasks_of(state=state, w=w)]
            assert order == sorted(order)


def test_a_state_that_no_order_can_time_is_left_rather_than_written_past_its_end():
    """A fault in a move that ends the process without a word, instead of a move that is not kept."""
    both = (Slot(20), Slot(20))
    pairs = [visit(name, 1, (0, 60), slots=both) for name in ("a", "b")]
    nodes, state, heap, best, standing = searching(asked(pairs, [carer("w"), carer("x")], lateness=1))
    first, last = tasks_of(state=state, w=1)
    rows = by_row(state.table)
    rows[~1, [FIRST, LAST]] = last, first
    for t, before, after in ((last, -1, first), (first, last, -1)):
        rows[t, [BEFORE, AFTER]] = before, after
    was, kept = state.table.copy(), 0
    for seed in range(40):
        state.table[:] = was
        kept += anneal(nodes.tables, state, heap, best, standing, seeded(seed), 1, 1.0)
        assert heap.size[0] == 0
    assert kept < 40


def test_somebody_leaves_late_rather_than_wait():
    """Waiting at a door because the first visit was begun as early as it could be."""
    late = asked([visit("a", 1, (0, 100)), visit("b", 2, (200, 210))], [carer("w")], waiting=5, lateness=1)
    result = solved(late)
    assert starts(result)["b"] == 200
    assert starts(result)["a"] == 170, "70 late at 1 a second is less than waiting 70 at 5"
    assert result.objective == score(problem=late, roster=result.roster).total


def test_lateness_is_of_the_end_where_the_problem_says_so():
    """A service that ends after its window taken to be in time."""
    ends = asked([visit("a", 1, (0, 25), due_at_end=True)], [carer("w")], lateness=1)
    assert score(problem=ends, roster=solved(ends).roster).lateness == 10 + 20 - 25


def test_a_second_window_is_waited_for_when_lateness_is_forbidden():
    """A visit between its windows."""
    hard = visit("a", 3, (0, 20), (100, 120), late_seconds_max=0)
    assert starts(solved(asked([hard], [carer("w")], waiting=1)))["a"] == 100


def test_a_visit_that_nobody_can_make_in_time_is_left_out_with_its_reason():
    """A roster that breaks a limit, or an endless search, or a visit gone without a word."""
    far = visit("a", 3, (0, 20), late_seconds_max=0)
    result = solved(asked([far, visit("b", 1, (0, 100))], [carer("w")]))
    assert [gone.visit for gone in result.roster.unfilled] == ["a"]
    assert "no place was found" in result.roster.unfilled[0].reason


def test_an_optional_visit_is_made_when_that_is_cheaper_and_left_out_when_not():
    """Penalties that the search does not weigh."""
    near, far = visit("near", 1, (0, 300), unfilled_penalty=50), visit("far", 3, (0, 300), unfilled_penalty=5)
    result = solved(asked([near, far], [carer("w")]))
    assert [gone.visit for gone in result.roster.unfilled] == ["far"]
    assert "left out" in result.roster.unfilled[0].reason


def test_independent_slots_may_be_one_workers_and_both_are_filled():
    """An independent visit half served, or refused because one worker does both."""
    both = visit("a", 1, (0, 300), slots=(Slot(20), Slot(30)), sync=INDEPENDENT)
    result = solved(asked([both], [carer("w")]))
    assert len(result.roster.runs[0].stops) == 2
    assert result.roster.unfilled == ()


def test_a_meal_is_had_in_its_window_when_missing_it_costs_more():
    """A carer who goes hungry, or eats outside the window."""
    meal = Meal(earliest=100, latest=200, least_seconds=30, missed_penalty=500)
    busy = [visit(f"v{n}", 1, (25 * n, 25 * n)) for n in range(8)]
    taken = solved(asked(busy, [carer("w", meal=meal)], lateness=1)).roster.runs[0].meal
    assert taken is not None
    assert taken.start >= 100
    assert taken.end <= 200


def chain(*, pairs: int) -> Problem:
    """Carers who meet one after the other: the first with the second, the second with the third, and so on; nobody may wait."""
    demands = [
        visit(
            f"pair{n}",
            n % 4,
            (20 + 60 * n, 900),
            slots=(Slot(20, frozenset({f"s{n}"})), Slot(20, frozenset({f"s{n + 1}"}))),
        )
        for n in range(pairs)
    ]
    demands += [
        visit(f"own{n}", 3 - n % 4, (0, 900), slots=(Slot(20, frozenset({f"s{n}"})),)) for n in range(pairs + 1)
    ]
    carers = [carer(f"c{n}", skills=frozenset({f"s{n}"}), shifts=(Shift(0, 1_000),)) for n in range(pairs + 1)]
    return asked(demands, carers, travel=1, waiting=50, lateness=1, overtime=1)


def searched(problem: Problem, *, closes: bool, moves: int) -> int:
    """What the best costs after some moves, with waits closed up or not."""
    nodes, state, heap, best, standing = searching(problem)
    assert nodes.tables.numbers[CLOSES] == 1
    nodes.tables.numbers[CLOSES] = closes
    words = seeded(1)
    for heat in (50.0, 20.0, 5.0, 0.001):
        anneal(nodes.tables, state, heap, best, standing, words, moves, heat)
    return int(standing[BEST])


def test_waits_are_handed_on_along_double_ups_until_nobody_waits():
    """One who comes later would make all the others wait, and no change at a single carer mends that."""
    problem = chain(pairs=14)
    closed, open_ = (searched(problem, closes=closes, moves=400) for closes in (True, False))
    assert closed < open_


@pytest.mark.parametrize(("visits", "waiting", "closes"), [(60, 1, 1), (61, 1, 0), (60, 0, 0)])
def test_waits_are_closed_up_in_small_problems_that_mind_them(visits, waiting, closes):
    """In large ones, where everybody would leave anew at each change, it costs more than it brings."""
    problem = asked([visit(f"v{n}", 1, (0, 300)) for n in range(visits)], [carer("a")], waiting=waiting)
    assert nodes_of(compiled=compile_problem(problem=problem)).tables.numbers[CLOSES] == closes


def test_the_longest_idle_shift_is_made_shorter():
    """Everything given to one carer while another sits at home, though idleness is dear."""
    work = [visit(f"v{n}", 1, (0, 300)) for n in range(4)]
    result = solved(asked(work, [carer("a"), carer("b")], idle_worst=10))
    assert {len(run.stops) for run in result.roster.runs} == {2}


@pytest.mark.parametrize("among", [1, 2, 3, 5])
def test_while_hot_idle_time_costs_the_mean_of_the_longest(among):
    """The cost that the annealing goes by is the weight times the mean of the `among` longest idle times, rounded down."""
    demands = [visit(f"v{i}", i % 4, (20 * i, 20 * i + 60)) for i in range(9)]
    workers = [carer(f"w{i}", shifts=(Shift(0, 200 + 53 * i),)) for i in range(5)]
    nodes = nodes_of(compiled=compile_problem(problem=asked(demands, workers, travel=0, idle_worst=7)))
    state = first_state(nodes=nodes, choose=np.random.default_rng(1))
    state.totals[AMONG] = among
    cost = rebuild(nodes.tables, state, empty_heap(visits=len(nodes.demand)))
    idle = by_row(state.table)[-len(workers) :, IDLE]
    longest = sorted((int(one) for one in idle), reverse=True)[:among]
    assert len(set(longest)) > 1 or among == 1
    assert state.totals[UNFILLED] == 0
    assert cost == 7 * sum(longest) // among


def test_a_day_that_ends_elsewhere_is_travelled_there():
    """The way home counted for somebody who finishes at another place."""
    result = solved(asked([visit("a", 2, (0, 300))], [carer("w", finish=3)]))
    assert result.roster.runs[0].travel_seconds == 20 + 10


def test_the_same_seed_repeats_and_a_warm_start_is_kept():
    """A roster nobody can make again; a warm start that is thrown away."""
    many = asked(
        [visit(f"v{n}", 1 + n % 3, (20 * n, 20 * n + 30)) for n in range(8)], [carer("a"), carer("b")], lateness=3
    )
    compiled = compile_problem(problem=many)
    engine = UnifiedEngine()
    first = engine.search(compiled=compiled, stop=Iterations(30_000), seed=3)
    assert engine.search(compiled=compiled, stop=Iterations(30_000), seed=3) == first
    again = engine.search(compiled=compiled, stop=Iterations(1), seed=9, start=first.runs)
    assert {r: [d for d, _, _ in stops] for r, stops in again.runs.items()} == {
        r: [d for d, _, _ in stops] for r, stops in first.runs.items()
    }


def test_nobody_at_all_is_a_roster_with_reasons():
    """An endless search, or a crash, for a branch without carers or without visits."""
    assert solved(asked([], [carer("w")], idle_worst=1)).roster.runs == ()
    result = solved(asked([visit("a", 1, (0, 9))], []))
    assert "impossible" in result.roster.unfilled[0].reason


def test_what_only_this_engine_can_express_goes_to_it_and_to_no_other():
    """A meal or a due window silently ignored by an engine that does not know it."""
    plain = factories.problem([factories.demand("a", 9)], [factories.worker("w")])
    assert unified_only(problem=plain) == ()
    hungry = replace(plain, workers=(factories.worker("w", meal=Meal(earliest=0, latest=9, least_seconds=1)),))
    assert unified_only(problem=hungry) == ("workers.meal",)
    with pytest.raises(EngineError, match=r"workers\.meal.*several modes"):
        solve(problem=hungry, stop=Iterations(1), seed=1)


@pytest.mark.parametrize("name", ["linked", "segments", "runs"])
def test_another_engine_asked_for_by_name_refuses_these_problems(name):
    """A roster from an engine that took due windows for nothing."""
    with pytest.raises(EngineError, match=r"demands\.due_windows"):
        solve(
            problem=asked([visit("a", 1, (0, 9))], [carer("w")]), stop=Iterations(1), seed=1, params=Params(engine=name)
        )


def test_broken_rules_of_meals_loads_and_limits_are_seen():
    """A verifier that lets a meal, a load or a limit of lateness pass."""
    meal = Meal(earliest=100, latest=200, least_seconds=30)
    limit = asked([visit("a", 1, (0, 5), late_seconds_max=2, load=7)], [carer("w", meal=meal, capacity=5)])
    limit = replace(limit, weights=replace(limit.weights, lateness=1))
    found = solved(asked([visit("a", 1, (0, 5))], [carer("w")], lateness=1)).roster
    assert {wrong.rule for wrong in violations(problem=limit, roster=found)} == {"due_windows", "meals", "capacity"}
    early = replace(found.runs[0], meal=MealTaken(visit="a", start=90, end=110, arrive=30))
    rules = {wrong.rule for wrong in violations(problem=limit, roster=replace(found, runs=(early,)))}
    assert "meals" in rules


def test_idle_time_and_balance_are_those_of_the_definition():
    """Overtime taken for idleness, or a mean that is rounded before its distances are."""
    run = Run(worker="w", leave=10, back=330, stops=(), travel_seconds=300)
    assert idle_seconds(worker=carer("w"), runs=[run]) == 330 - 300
    assert idle_seconds(worker=carer("w"), runs=[]) == 300
    assert imbalance(work=[10, 10, 11]) == 1 + 1 + 1


@pytest.mark.parametrize(
    ("field", "make"),
    [
        ("demands[a].load", lambda: asked([visit("a", 1, (0, 9), load=-1)], [carer("w")])),
        ("demands[a].due_windows[1]", lambda: asked([visit("a", 1, (5, 9), (0, 9))], [carer("w")])),
        ("demands[a].late_seconds_max", lambda: asked([visit("a", 1, (5, 9), late_seconds_max=-1)], [carer("w")])),
        ("workers[w].finish", lambda: asked([], [carer("w", finish=9)])),
        ("workers[w].capacity", lambda: asked([], [carer("w", capacity=-1)])),
        ("workers[w].overtime_seconds_max", lambda: asked([], [carer("w", overtime_seconds_max=-1)])),
        ("workers[w].meal", lambda: asked([], [carer("w", meal=Meal(earliest=0, latest=9, least_seconds=10))])),
        ("weights.idle_worst", lambda: asked([], [], idle_worst=-1)),
    ],
)
def test_a_malformed_wish_is_refused_by_its_field(field, make):
    """A negative load or a window too short for its meal, found out only by a strange roster."""
    with pytest.raises(ProblemError) as refused:
        make()
    assert refused.value.where == field


def test_a_standing_that_breaks_limits_does_not_end_a_search_as_proved_best():
    """A cost below the bound, of choices that are no roster, taken for the best there can be."""
    strict = {"late_seconds_max": 0}
    visits = [visit("v0", 1, (20, 30)), visit("v1", 1, (41, 51), **strict), visit("v2", 3, (52, 62), **strict)]
    staff = [carer(name, shifts=(Shift(0, 90),), overtime_seconds_max=10) for name in ("a", "b")]
    given = asked(visits, staff, travel=1, lateness=1)
    bound = lower_bound(problem=given)
    rule = AnyOf((Iterations(3_000), Reached(bound)))
    found = solve(problem=given, stop=rule, seed=1, params=Params(processes=1))
    assert found.objective == solved(given, moves=3_000).objective
    assert found.objective <= bound or found.iterations >= 3_000
