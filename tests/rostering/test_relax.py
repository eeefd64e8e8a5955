"""What would have to give for a visit to be served: the smallest set of rules, and those that together forbid it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rostering.explain import unfilled_in
from rostering.popback import popback_tastes
from rostering.problem import Break, Problem, Shift, Slot, Travel, Window
from rostering.relax import Relaxation, relax
from rostering.roster import Roster
from rostering.standing import Standing
from rostering.standing_rules import Rules
from rostering.ways import ways

from .factories import HOUR, demand, double, problem, problems, worker
from .test_constraints import run_of

LAWS = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
EMPTY = Roster(runs=())


def rules(found: Relaxation) -> list[tuple[str, str | None]]:
    """What is to be relaxed, for whom."""
    return [(each.rule, each.worker) for each in found.relax]


@pytest.mark.parametrize(
    ("asked", "staff", "conflict", "relaxed"),
    [
        (demand("a", 9, slots=(Slot(1_800, frozenset({"hoist"})),)), [worker("w")], ("skills",), [("skills", None)]),
        (demand("a", 9, gender="f"), [worker("w", gender="m")], ("gender_language",), [("gender_language", None)]),
        (demand("a", 9, excluded_workers=frozenset("w")), [worker("w")], ("exclusions",), [("exclusions", None)]),
        (
            demand("a", 4),
            [worker("w")],
            ("windows", "availability"),
            [("windows", None)],
        ),
        (
            demand("a", 9, pinned_workers=("w",), excluded_workers=frozenset("w")),
            [worker("w")],
            ("exclusions",),
            [("exclusions", None)],
        ),
        (demand("a", 9, pinned_start=15 * HOUR), [worker("w")], ("pinned",), [("pinned", None)]),
        (
            demand("a", 9),
            [worker("w", hours_limit_seconds=60)],
            ("hours_limit",),
            [("hours_limit", "w")],
        ),
    ],
)
def test_the_smallest_set_to_relax_and_the_conflict_are_named(asked, staff, conflict, relaxed):
    """A manager told only that it is impossible, or told to break a rule that is not in the way."""
    found = relax(problem=problem([asked], staff), roster=EMPTY, visit="a")
    assert found.conflict == conflict
    assert rules(found) == relaxed
    assert found.workers == ("w",)
    assert found.start is not None
    assert all(each.sentence in found.reason for each in found.relax)


def test_two_rules_are_relaxed_only_when_one_is_not_enough():
    """A bigger sacrifice named than is needed."""
    asked = demand("a", 9, gender="f", language="Urdu", slots=(Slot(1_800, frozenset({"hoist"})),))
    staff = [worker("w", gender="m"), worker("x", gender="f", languages=frozenset({"Urdu"}))]
    found = relax(problem=problem([asked], staff), roster=EMPTY, visit="a")
    assert rules(found) == [("skills", None)]
    assert found.workers == ("x",)


def test_a_worker_who_is_taken_may_hand_on_other_visits():
    """A full day blamed on the customer's window alone."""
    fixed = (Window(9 * HOUR, 9 * HOUR),)
    day = problem([demand("a", 9, windows=fixed, pinned_start=9 * HOUR), demand("b", 9, windows=fixed)], [worker("w")])
    found = relax(problem=day, roster=Roster(runs=(run_of(day, "w", ("b", 0, 9)),)), visit="a")
    assert rules(found) == [("travel_feasible", "w")]
    assert "hand on other visits of w" in found.reason


def test_a_journey_longer_than_the_shift_has_its_reason():
    """A window shorter than the way to it: a search that never ends, or a crash."""
    far = Problem(
        demands=(demand("a", 9),),
        workers=(worker("w", shifts=(Shift(8 * HOUR, 10 * HOUR),)),),
        travel=Travel({"car": [[0, 3 * HOUR], [3 * HOUR, 0]]}),
        horizon=Shift(0, 24 * HOUR),
    )
    assert "impossible" in unfilled_in(problem=far, runs=())[0].reason
    assert [each.rule for each in relax(problem=far, roster=EMPTY, visit="a").relax] == ["availability"]


def test_a_rule_of_the_whole_run_is_named_for_its_worker():
    """A break that nobody knew was the obstacle."""
    hours = [demand(f"v{hour}", hour, minutes=55, windows=(Window(hour * HOUR, hour * HOUR),)) for hour in range(8, 14)]
    day = problem(hours, [worker("w", break_rule=Break(1_800, 5 * HOUR))], leg_minutes=2)
    roster = Roster(runs=(run_of(day, "w", *((f"v{hour}", 0, hour) for hour in range(8, 13))),))
    found = relax(problem=day, roster=roster, visit="v13")
    assert "breaks" in found.conflict
    assert len(found.relax) == 1


def test_a_visit_that_stands_needs_nothing_relaxed():
    """A rule broken for a visit that fits."""
    day = problem([demand("a", 9)], [worker("w")])
    found = relax(problem=day, roster=Roster(runs=(run_of(day, "w", ("a", 0, 9)),)), visit="a")
    assert (found.conflict, found.relax, found.workers, found.reason) == ((), (), ("w",), "nothing forbids it")


@pytest.mark.parametrize("staff", [[], [worker("w")]])
def test_too_few_workers_for_a_double_up_are_said_to_be_too_few(staff):
    """An explanation that blames a rule where there is nobody."""
    found = relax(problem=problem([double("a", 9)], staff), roster=EMPTY, visit="a")
    assert found.workers == ()
    assert "not the 2 workers" in found.reason


def test_an_unknown_visit_is_a_bug_of_the_caller():
    """An answer about nothing."""
    with pytest.raises(KeyError):
        relax(problem=problem([], []), roster=EMPTY, visit="nobody")


@LAWS
@given(day=problems(), data=st.data())
def test_a_visit_needs_nothing_relaxed_exactly_when_there_is_a_way(day, data):
    """An explanation that contradicts the desk: possible here, impossible there; or one that never ends."""
    if not day.demands:
        return
    visit = data.draw(st.sampled_from([each.id for each in day.demands]))
    one = replace(day, demands=tuple(each for each in day.demands if each.id == visit))
    found = relax(problem=one, roster=EMPTY, visit=visit)
    assert bool(found.relax) == bool(found.conflict)
    standing = Standing.of(rules=Rules.of(problem=one), runs=())
    way = next(ways(standing=standing, demand=one.demands[0], tastes=popback_tastes(problem=one)), None)
    assert (way is not None) == (bool(found.workers) and not found.relax)
