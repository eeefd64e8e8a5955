"""Re-plans: what was lost is filled, what stands stays, and what cannot be filled says why."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rostering.problem import Meal, Problem, Window
from rostering.replan import ReplanError, Replanned, replan
from rostering.roster import Roster, Unfilled
from rostering.solver import Params, solve
from rostering.stop import Iterations
from rostering.verify import violations
from simulations.bench.popback_exhaustive import Exhaustive

from .factories import HOUR, MINUTE, demand, double, locality_day, problem, problems, worker
from .test_constraints import run_of

LAWS = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))


def published(given_problem: Problem) -> Roster:
    """A roster of the problem as it might be published."""
    return solve(problem=given_problem, stop=Iterations(20), seed=1, params=Params(effort_seconds=0)).roster


def mended(given_problem: Problem, roster: Roster, *sick: str, iterations: int = 5, **more) -> Replanned:
    """The roster re-planned without the sick workers."""
    return replan(
        problem=given_problem, published=roster, sick=frozenset(sick), stop=Iterations(iterations), seed=1, **more
    )


def two_workers_day(**changes) -> tuple[Problem, Roster]:
    """One visit each for two workers, three hours apart."""
    day = problem([demand("a", 9, **changes), demand("b", 12, place=2)], [worker("w"), worker("x")])
    return day, Roster(runs=(run_of(day, "w", ("a", 0, 9)), run_of(day, "x", ("b", 0, 12))))


def test_a_sick_workers_visit_goes_to_another_and_nothing_else_changes():
    """A branch manager at eight in the morning with a visit that nobody makes, or with a day turned over."""
    day, roster = two_workers_day()
    found = mended(day, roster, "w")
    assert found.unfilled == ()
    assert found.roster.starts() == {("a", 0): ("x", 9 * HOUR), ("b", 0): ("x", 12 * HOUR)}
    assert [(each.visit, each.was, each.becomes, each.is_lost) for each in found.changed] == [
        ("a", ("w", 9 * HOUR), ("x", 9 * HOUR), True)
    ]
    assert found.changed_share == 0.0
    assert violations(problem=found.problem, roster=found.roster) == ()


def test_without_a_disruption_nothing_changes():
    """A re-plan that improves what nobody asked it to touch."""
    day = locality_day(seed=4, visits=50, workers=9)
    roster = published(day)
    found = mended(day, replace(roster, unfilled=()), iterations=10)
    kept = {slot: found.roster.starts().get(slot) for slot in roster.starts()}
    if not roster.unfilled:
        assert found.changed == ()
        assert kept == roster.starts()
    assert found.changed_share <= 0.05


def test_half_a_double_up_is_filled_at_the_time_of_the_other_half():
    """A second worker who comes at another time than the first, or a first who loses the visit."""
    day = problem([double("a", 9)], [worker(name) for name in ("w", "x", "y")])
    roster = Roster(runs=(run_of(day, "w", ("a", 0, 9)), run_of(day, "x", ("a", 1, 9))))
    assert mended(day, roster, "w").roster.starts() == {("a", 0): ("y", 9 * HOUR), ("a", 1): ("x", 9 * HOUR)}


def test_half_a_double_up_that_nobody_can_join_is_unfilled_whole():
    """One worker sent alone to a visit for two."""
    day = problem([double("a", 9)], [worker("w"), worker("x")])
    roster = Roster(runs=(run_of(day, "w", ("a", 0, 9)), run_of(day, "x", ("a", 1, 9))))
    found = mended(day, roster, "w")
    assert {(each.visit, each.slot) for each in found.unfilled} == {("a", 0), ("a", 1)}
    assert found.roster.runs == ()
    assert found.violations == ()


def test_a_visit_in_the_way_is_handed_on():
    """A visit left out although one change would have made room for it."""
    fixed = (Window(9 * HOUR, 9 * HOUR),)
    day = problem(
        [
            demand("lost", 9, windows=fixed, slots=demand("x", 9).slots, gender="f"),
            demand("own", 9, place=2, windows=fixed),
        ],
        [worker("sick", gender="f"), worker("she", gender="f"), worker("he", gender="m")],
    )
    roster = Roster(runs=(run_of(day, "sick", ("lost", 0, 9)), run_of(day, "she", ("own", 0, 9))))
    found = mended(day, roster, "sick")
    assert found.roster.starts() == {("lost", 0): ("she", 9 * HOUR), ("own", 0): ("he", 9 * HOUR)}
    assert found.changed_share == 1.0


def test_a_pin_to_a_sick_worker_is_named_and_not_broken():
    """A visit given to somebody whom a person had ruled out by a pin, or left out without a word."""
    day, roster = two_workers_day(pinned_workers=("w",))
    found = mended(day, roster, "w")
    assert [(each.visit, each.reason) for each in found.unfilled] == [("a", "pinned to w, who is away: free the pin")]


def test_pinned_and_promised_visits_of_others_stay_where_they_are():
    """A promise moved to fill another visit."""
    still = demand("b", 9.5, place=2, must_keep=True)
    day = problem([demand("a", 9, windows=(Window(9 * HOUR, int(9.4 * HOUR)),)), still], [worker("w"), worker("x")])
    roster = Roster(runs=(run_of(day, "w", ("a", 0, 9)), run_of(day, "x", ("b", 0, 9.5))))
    found = mended(day, roster, "w")
    assert found.roster.starts() == {("b", 0): ("x", int(9.5 * HOUR))}
    assert [(each.visit, each.nearest[0].worker, each.nearest[0].rule) for each in found.unfilled] == [
        ("a", "x", "travel_feasible")
    ]


def test_an_accepted_popback_of_a_sick_worker_goes_before_an_ordinary_visit():
    """A promise broken because the one worker left had something usual to do."""
    fixed = (Window(9 * HOUR, 9 * HOUR),)
    promise = demand("p", 9, windows=fixed, must_keep=True)
    day = problem([promise, demand("usual", 9, place=2, windows=fixed)], [worker("w"), worker("x")])
    roster = Roster(runs=(run_of(day, "w", ("p", 0, 9)), run_of(day, "x", ("usual", 0, 9))))
    found = mended(day, roster, "w")
    assert found.roster.starts() == {("p", 0): ("x", 9 * HOUR)}
    assert [each.visit for each in found.unfilled] == ["usual"]
    assert found.violations == ()


def test_what_has_begun_stays_with_the_sick_worker():
    """A visit of this morning given to somebody else this afternoon."""
    day = problem([demand("a", 9), demand("b", 15, place=2)], [worker("w"), worker("x")])
    roster = Roster(runs=(run_of(day, "w", ("a", 0, 9), ("b", 0, 15)),))
    found = mended(day, roster, "w", frozen_before=12 * HOUR)
    assert found.roster.starts() == {("a", 0): ("w", 9 * HOUR), ("b", 0): ("x", 15 * HOUR)}
    assert found.violations == ()


def test_nothing_is_put_in_before_the_present():
    """A worker sent to a visit two hours ago."""
    day = problem([demand("a", 9)], [worker("w"), worker("x")])
    roster = Roster(runs=(), unfilled=(Unfilled(visit="a", slot=0, reason="nobody"),))
    assert mended(day, roster, frozen_before=12 * HOUR).roster.runs == ()
    assert mended(day, roster, frozen_before=9 * HOUR).roster.starts() == {("a", 0): ("w", 9 * HOUR)}


def test_a_visit_that_is_gone_leaves_its_run_and_a_new_one_comes_in():
    """A cancelled visit still driven to, or a new one that waits for tomorrow's roster."""
    day, roster = two_workers_day()
    today = replace(day, demands=(day.demands[1], demand("new", 14, place=3)))
    found = mended(today, roster)
    assert {visit for visit, _ in found.roster.starts()} == {"b", "new"}


def test_a_start_moves_no_further_than_the_limit():
    """A customer whose breakfast moves by an hour because a stranger is ill."""
    wide = (Window(8 * HOUR, 10 * HOUR),)
    own = demand("own", 9, place=2, windows=wide, preferred_start=9 * HOUR)
    lost = demand("lost", 9, windows=(Window(9 * HOUR, 9 * HOUR),))
    day = problem([lost, own], [worker("w"), worker("x")])
    roster = Roster(runs=(run_of(day, "w", ("lost", 0, 9)), run_of(day, "x", ("own", 0, 9))))
    assert mended(day, roster, "w", worsened_minutes_max=30).unfilled
    moved = mended(day, roster, "w", worsened_minutes_max=40)
    assert moved.unfilled == ()
    assert abs(moved.roster.starts()["own", 0][1] - 9 * HOUR) == 40 * MINUTE


@pytest.mark.parametrize(
    ("sick", "more", "words"),
    [("nobody", {}, "nobody"), ("w", {"worsened_minutes_max": -1}, "worsened_minutes_max")],
)
def test_a_question_that_makes_no_sense_is_refused_with_the_field(sick, more, words):
    """A typing error answered with a roster."""
    day, roster = two_workers_day()
    with pytest.raises(ReplanError, match=words):
        mended(day, roster, sick, **more)


@pytest.mark.parametrize(
    ("visit", "staff", "words"),
    [
        ({"due_windows": (Window(8 * HOUR, 9 * HOUR),)}, {}, "due windows"),
        ({}, {"meal": Meal(earliest=11 * HOUR, latest=14 * HOUR, least_seconds=1_800)}, "hard meals"),
        ({"load": 1}, {"capacity": 3}, "loads and capacities"),
    ],
)
def test_what_a_replan_cannot_keep_is_refused_by_name(visit, staff, words):
    """A roster mended into one that the verifier refuses."""
    day = problem([demand("a", 9, **visit)], [worker("w", **staff), worker("x")])
    with pytest.raises(ReplanError, match=words):
        mended(day, Roster(runs=()), "w")


def test_a_roster_that_has_a_slot_twice_is_refused():
    """A file that is no roster re-planned as if it were."""
    day, roster = two_workers_day()
    with pytest.raises(ReplanError, match="visit a is in two runs"):
        mended(day, Roster(runs=(*roster.runs, run_of(day, "x", ("a", 0, 9)))), "w")


def test_the_same_seed_and_iterations_give_the_same_replan():
    """A re-plan that depends on hashing or on the clock."""
    day = locality_day(seed=6, visits=60, workers=12)
    roster = published(day)
    first = mended(day, roster, roster.runs[0].worker, iterations=20)
    assert mended(day, roster, roster.runs[0].worker, iterations=20) == first


def test_whatever_one_more_worker_could_take_is_filled():
    """A lost visit left out although a plain insertion finds it a place, on a day that is nearly full."""
    for seed in range(3):
        day = locality_day(seed=seed, visits=90, workers=10)
        roster = published(day)
        for sick in sorted({run.worker for run in roster.runs})[:4]:
            found = mended(day, roster, sick)
            look = Exhaustive(problem=found.problem, roster=found.roster)
            lost = {visit for (visit, _), (who, _) in roster.starts().items() if who == sick}
            for visit in {each.visit for each in found.unfilled} & lost:
                asked = replace(day.demand_by_id()[visit], pinned_workers=(), published_workers=())
                window = asked.windows[0]
                other = replace(asked, id="again")
                assert not look.can_insert(demand=other, earliest=window.earliest, latest=window.latest)


@LAWS
@given(day=problems(), data=st.data(), limit=st.sampled_from([0, 20, 60]))
def test_no_replan_adds_a_violation_loses_a_visit_of_others_or_moves_one_too_far(day, data, limit):
    """A disruption that spreads: rules broken, others' visits dropped, moved beyond the limit, or pins undone."""
    roster = published(day)
    staff = [each.id for each in day.workers]
    sick = data.draw(st.frozensets(st.sampled_from(staff), max_size=2)) if staff else frozenset()
    before = data.draw(st.sampled_from([None, None, 10 * HOUR]))
    found = mended(day, roster, *sick, worsened_minutes_max=limit, frozen_before=before)
    assert violations(problem=found.problem, roster=found.roster) == found.violations
    assert found.violations == () or before is not None
    now = found.roster.starts()
    lost = {visit for (visit, _), (who, _) in roster.starts().items() if who in sick}
    pushed_out = bool(lost & {each.id for each in day.demands if each.must_keep})
    for (visit, slot), (who, start) in roster.starts().items():
        if visit in lost:
            continue
        if (visit, slot) not in now:
            assert pushed_out
            continue
        assert abs(now[visit, slot][1] - start) <= limit * MINUTE
        if day.demand_by_id()[visit].is_pinned or day.demand_by_id()[visit].must_keep:
            assert now[visit, slot] == (who, start)
    assert all(each.reason for each in found.unfilled)
