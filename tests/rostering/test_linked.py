"""The compiled search over linked runs: what it keeps up to date equals a rebuild, and what it finds is repeatable."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rostering.problem import Demand, Problem, Shift, Slot, Sync, Travel, Window, Worker
from rostering.search.compiled import compile_problem
from rostering.search.kernel.chance import seeded
from rostering.search.kernel.heap import empty_heap
from rostering.search.linked import MIX_WITH_OPTIONAL, LinkedEngine, stops_of
from rostering.search.linked_anneal import anneal, best_of, recall, spread_keys
from rostering.search.linked_first import first_state, started_state
from rostering.search.linked_rebuilt import rebuilt
from rostering.search.linked_state import START, by_stop, empty_journal, points
from rostering.search.linked_tables import refusal, tables_of
from rostering.solver import Params, solve, verified
from rostering.stop import Iterations
from rostering.weights import Weights

from .factories import HOUR, demand, problem, worker


@st.composite
def soft_problems(draw):
    """Up to nine visits with soft due times, some of two slots, some optional; up to four workers with shifts."""
    skills = ["a", "b"]
    places = draw(st.integers(2, 6))
    leg = st.integers(0, 40)
    matrix = np.array([[0 if a == b else draw(leg) for b in range(places)] for a in range(places)])
    workers = tuple(
        Worker(
            id=f"w{w}",
            shifts=(Shift(draw(st.integers(0, 30)), draw(st.integers(150, 400))),),
            home=draw(st.integers(0, places - 1)),
            skills=frozenset(draw(st.sets(st.sampled_from(skills), min_size=1)) if w else skills),
            daily_rest_seconds=0,
            weekly_rest_seconds=0,
        )
        for w in range(draw(st.integers(2, 4)))
    )
    visits = []
    for v in range(draw(st.integers(1, 9))):
        ready, least = draw(st.integers(0, 150)), draw(st.sampled_from([0, 0, 10]))
        slots = tuple(
            Slot(draw(st.integers(0, 30)), frozenset(draw(st.sets(st.sampled_from(skills), max_size=1))))
            for _ in range(draw(st.integers(1, 2)))
        )
        visits.append(
            Demand(
                id=f"v{v}",
                customer=f"c{v}",
                place=draw(st.integers(0, places - 1)),
                slots=slots,
                windows=(Window(ready, ready + draw(st.integers(0, 400))),),
                due=ready + draw(st.integers(0, 60)),
                sync=Sync(least, least + draw(st.sampled_from([0, 5]))) if len(slots) == 2 else Sync(),
                preferred_workers=frozenset(draw(st.sampled_from([(), ("w0",)]))),
                unfilled_penalty=draw(st.sampled_from([None, 30])),
            )
        )
    weights = Weights(travel=draw(st.integers(1, 2)), lateness=draw(st.integers(0, 2)), lateness_worst=draw(st.integers(0, 2)),
                      not_preferred=draw(st.sampled_from([0, 25])), unfilled=10_000)  # fmt: skip
    return Problem(
        demands=tuple(visits), workers=workers, travel=Travel({"car": matrix}), horizon=Shift(0, 900), weights=weights
    )


def able(given):
    """The problem by number, or None when the engine refuses it (a slot that nobody may take)."""
    compiled = compile_problem(problem=given)
    return None if refusal(compiled=compiled) else compiled


@settings(deadline=None, max_examples=150)
@given(soft_problems(), st.integers(0, 9), st.sampled_from([0.5, 20.0, 200.0]))
def test_what_the_search_keeps_up_to_date_equals_a_rebuild(given, seed, heat):
    """Starts, links or points that drift from what the runs really cost, move by move."""
    compiled = able(given)
    if compiled is None:
        return
    tables = tables_of(compiled=compiled)
    state = first_state(tables=tables)
    visits, runs = len(state.key), tables.able.shape[1]
    journal, heap = empty_journal(visits=visits, runs=runs), empty_heap(visits=visits)
    best, words = best_of(tables, state), seeded(seed)
    for turn in range(20):
        spread_keys(state)
        if turn % 2:  # as after so many halvings that no number is left between two keys
            state.key[:] = 1.0 + np.spacing(1.0) * np.argsort(np.argsort(state.key))
        anneal(tables, state, journal, heap, best, words, np.array(MIX_WITH_OPTIONAL), 50, heat)
        kept = [by_stop(state)[:, START].copy(), state.sums.copy(), state.run.copy(), stops_of(state=state)]
        assert rebuilt(tables, state) == 0
        assert np.array_equal(kept[0], by_stop(state)[:, START])
        assert np.array_equal(kept[1], state.sums)
        assert np.array_equal(kept[2], state.run)
        assert kept[3] == stops_of(state=state)
    assert recall(tables, state, best) == 0
    assert points(tables, state) == best.points[0]


@settings(deadline=None, max_examples=40)
@given(soft_problems(), st.integers(0, 5))
def test_any_roster_it_finds_passes_the_verifier_and_costs_what_it_says(given, seed):
    """A double-up apart, a shift overrun, a skill missing, or points that the roster does not have."""
    compiled = able(given)
    if compiled is None:
        return
    answer = LinkedEngine().search(compiled=compiled, stop=Iterations(2), seed=seed)
    result = verified(compiled=compiled, answer=answer)
    assert result.objective == answer.curve[-1][1]
    assert [points for _, points in answer.curve] == sorted((points for _, points in answer.curve), reverse=True)


@settings(deadline=None, max_examples=40)
@given(soft_problems())
def test_a_warm_start_is_read_as_it_was_written(given):
    """A re-plan that begins from another roster than the published one."""
    compiled = able(given)
    if compiled is None:
        return
    tables = tables_of(compiled=compiled)
    state = first_state(tables=tables)
    again = started_state(tables=tables, start=stops_of(state=state))
    assert stops_of(state=again) == stops_of(state=state)


def test_a_warm_start_that_no_order_can_hold_loses_only_the_visits_in_the_circle():
    """A crash, or an empty roster, for two double-ups whose workers go to them in opposite orders."""
    anytime = (Window(8 * HOUR, 20 * HOUR),)
    two = (Slot(600), Slot(600))
    visits = [
        demand(name, 9, windows=anytime, slots=slots, preferred_start=None, due=20 * HOUR)
        for name, slots in (("a", two), ("b", two), ("c", (Slot(600),)))
    ]
    free = [worker(name, daily_rest_seconds=0) for name in ("w", "x", "y")]
    tables = tables_of(compiled=compile_problem(problem=problem(visits, free, lateness=1)))
    at = 9 * HOUR
    start = {0: ((0, 0, at), (1, 0, at + 3600)), 1: ((1, 1, at), (0, 1, at + 3600)), 2: ((2, 0, at),)}
    assert [run[0][0] for run in stops_of(state=started_state(tables=tables, start=start)).values()] == [2]


def best_tour(given):
    """The cheapest points of one worker's day by trying every order."""
    legs = given.travel.seconds_by_mode["car"]
    best = None
    for order in itertools.permutations(given.demands):
        here, now, travelled, late = given.workers[0].home, given.workers[0].shifts[0].start, 0, []
        for visit in order:
            travelled += int(legs[here, visit.place])
            now = max(now + int(legs[here, visit.place]), visit.windows[0].earliest)
            late.append(max(0, now - visit.due))
            now, here = now + visit.slots[0].service_seconds, visit.place
        total = travelled + int(legs[here, given.workers[0].home]) + sum(late) + max(late)
        best = total if best is None else min(best, total)
    return best


@pytest.mark.parametrize("seed", range(5))
def test_small_days_are_solved_to_the_optimum(seed):
    """A search that gets stuck where trying every order would not."""
    random = np.random.default_rng(seed)
    matrix = random.integers(5, 60, (8, 8))
    visits = tuple(
        Demand(id=f"v{v}", customer=f"c{v}", place=v + 1, slots=(Slot(10),), windows=(Window(0, 10_000),),
               due=int(random.integers(20, 300)))
        for v in range(7)
    )  # fmt: skip
    day = Problem(
        demands=visits,
        workers=(Worker(id="w", shifts=(Shift(0, 20_000),), home=0, daily_rest_seconds=0, weekly_rest_seconds=0),),
        travel=Travel({"car": matrix}),
        horizon=Shift(0, 20_000),
        weights=Weights(lateness=1, lateness_worst=1),
    )
    assert solve(problem=day, stop=Iterations(5), seed=1, params=Params(engine="linked")).objective == best_tour(day)


def test_the_same_seed_and_iterations_give_the_same_answer_and_another_seed_goes_another_way():
    """A roster that nobody can repeat, or a seed that is not listened to."""
    anytime = (Window(8 * HOUR, 20 * HOUR),)
    matrix = np.random.default_rng(1).integers(100, 2_000, (61, 61))
    visits = tuple(
        demand(f"v{n}", 9, place=1 + n, windows=anytime, preferred_start=None, due=(9 + n % 7) * HOUR)
        for n in range(60)
    )
    free = tuple(worker(f"w{n}", daily_rest_seconds=0) for n in range(9))
    given = problem(visits, free, places=61, lateness=1, lateness_worst=1)
    far = Problem(
        demands=visits, workers=free, travel=Travel({"car": matrix}), horizon=given.horizon, weights=given.weights
    )
    compiled = compile_problem(problem=far)
    found = [LinkedEngine().search(compiled=compiled, stop=Iterations(2), seed=seed) for seed in (4, 4, 5)]
    assert found[0] == found[1]
    assert found[0].curve != found[2].curve


@pytest.mark.parametrize(
    ("visit", "man", "said"),
    [
        ({"pinned_start": 9 * HOUR}, {}, "a pin"),
        ({"gap_seconds": 60}, {}, "a gap"),
        ({"windows": (Window(0, 1), Window(5, 6))}, {}, "several windows"),
        ({"slots": (Slot(60, frozenset({"peg"})),)}, {}, "nobody may take"),
        ({"due": None}, {}, "without due times"),
        ({}, {"home": None}, "no home"),
        ({}, {"shifts": ()}, "no shift"),
    ],
)
def test_what_it_cannot_express_it_refuses_by_name(visit, man, said):
    """A rule silently ignored."""
    given = problem([demand("a", 9, **{"preferred_start": None, "due": 9 * HOUR, **visit})], [worker("w", **man)])
    assert said in (LinkedEngine().refuses(compiled=compile_problem(problem=given)) or "")
