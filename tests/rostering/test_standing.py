"""A roster as it stands: what is put in and taken out leaves it as if it had been built so, and ways are what they say."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rostering.popback import popback_tastes
from rostering.problem import Window
from rostering.roster import Roster, Unfilled
from rostering.standing import Standing
from rostering.standing_rules import Rules, clear_of, met
from rostering.verify import violations
from rostering.ways import ways

from .factories import HOUR, MINUTE, demand, double, problem, problems, worker
from .test_constraints import run_of

LAWS = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


def greedily(day, order) -> Standing:
    """Visits put in one after the other, each where it costs least."""
    standing = Standing.of(rules=Rules.of(problem=day), runs=())
    for each in order:
        way = next(ways(standing=standing, demand=each, tastes=popback_tastes(problem=day)), None)
        if way is not None:
            standing.apply(way.change)
    return standing


@LAWS
@given(day=problems(), data=st.data())
def test_what_is_put_in_one_by_one_stands_as_if_built_at_once_and_breaks_no_rule(day, data):
    """Bounds that go stale when a neighbour moves: a place that is none, or one that is missed."""
    standing = greedily(day, data.draw(st.permutations(day.demands)))
    runs = standing.runs()
    again = Standing.of(rules=standing.rules, runs=runs)
    assert again.starts == standing.starts
    assert again.spans == standing.spans
    assert again.lines == standing.lines
    missing = [(each, slot) for each in day.demands for slot in standing.missing(demand=each)]
    unfilled = tuple(Unfilled(visit=each.id, slot=slot, reason="no way") for each, slot in missing)
    wrong = violations(problem=day, roster=Roster(runs=runs, unfilled=unfilled))
    assert [each for each in wrong if each.rule != "popback_kept"] == []


@LAWS
@given(day=problems())
def test_ways_come_by_rising_cost_while_nobody_is_pushed_and_each_is_allowed(day):
    """The dearest offered first, or a way that the rules forbid."""
    standing = Standing.of(rules=Rules.of(problem=day), runs=())
    for each in day.demands:
        found = list(ways(standing=standing, demand=each, tastes=popback_tastes(problem=day)))
        assert all(standing.allows(way.change) for way in found)
        if len(each.slots) == 1 and each.preferred_start is None:
            first_of = {}
            for way in found:
                first_of.setdefault(way.workers, way.points)
            assert list(first_of.values()) == sorted(first_of.values())


def test_a_copy_changes_without_the_original():
    """A trial that spoils what it tried on."""
    day = problem([demand("a", 9), demand("b", 12)], [worker("w")])
    standing = Standing.of(rules=Rules.of(problem=day), runs=(run_of(day, "w", ("a", 0, 9)),))
    way = next(ways(standing=standing, demand=day.demands[1], tastes=popback_tastes(problem=day)))
    after = standing.changed(way.change)
    assert set(after.starts) == {("a", 0), ("b", 0)}
    assert set(standing.starts) == {("a", 0)}
    assert len(standing.lines[0].stops) == 1


def test_a_run_outside_its_workers_shifts_stays_as_it_is():
    """A hand-made run that the desk pulls apart because it breaks a rule."""
    day = problem([demand("a", 5, windows=(Window(5 * HOUR, 5 * HOUR),)), demand("b", 12)], [worker("w")])
    run = run_of(day, "w", ("a", 0, 5))
    standing = Standing.of(rules=Rules.of(problem=day), runs=(run,))
    assert standing.loose == (run,)
    assert standing.worker_of(visit="a", slot=0) == "w"
    assert run in standing.runs()


def test_the_missing_half_of_a_double_up_starts_with_the_other():
    """Two workers who come one after the other."""
    day = problem([double("a", 9)], [worker("w"), worker("x")])
    standing = Standing.of(rules=Rules.of(problem=day), runs=(run_of(day, "w", ("a", 1, 9.25)),))
    assert standing.missing(demand=day.demands[0]) == (0,)
    start = int(9.25 * HOUR)
    assert standing.spans_for(demand=day.demands[0], slot=0) == [(start, start)]


def test_a_visit_gives_way_no_further_than_its_customers_other_visits_let_it():
    """A lunch pushed into breakfast."""
    pair = [
        demand(name, at, customer="one", gap_seconds=HOUR, windows=(Window(8 * HOUR, 14 * HOUR),))
        for name, at in (("breakfast", 9), ("lunch", 12))
    ]
    day = problem(pair, [worker("w")])
    runs = (run_of(day, "w", ("breakfast", 0, 9), ("lunch", 0, 12)),)
    standing = Standing.of(rules=Rules.of(problem=day), runs=runs)
    assert standing.give(pair[1], 12 * HOUR) == (9 * HOUR + 30 * MINUTE + HOUR, 14 * HOUR)
    assert standing.give(pair[0], 9 * HOUR) == (8 * HOUR, 12 * HOUR - HOUR - 30 * MINUTE)


def test_spans_are_cut_and_met_with_their_own_ends_kept():
    """A start a second inside what is blocked, or an end that is lost."""
    assert clear_of([(0, 100)], [(20, 30), (90, 200)]) == [(0, 20), (30, 90)]
    assert clear_of([(0, 100)], [(-5, 300)]) == []
    assert met([(0, 10), (20, 30)], [(5, 25)]) == [(5, 10), (20, 25)]
