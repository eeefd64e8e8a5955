"""Each hard rule's violation is seen in a roster broken by hand, and the search keeps the rule on the same problem."""

from __future__ import annotations

import pytest

from rostering.constraints import CONSTRAINTS
from rostering.problem import Break, Shift, Slot, Sync, Window
from rostering.roster import Roster, Stop, Unfilled, timed_run
from rostering.solver import Params, solve
from rostering.stop import Iterations
from rostering.verify import violations

from .factories import DAY, HOUR, MINUTE, demand, double, problem, worker


def run_of(given, who, *stops):
    """A run from (visit, slot, hour of day)."""
    demands = given.demand_by_id()
    planned = [(demands[visit], slot, int(at * HOUR)) for visit, slot, at in stops]
    return timed_run(problem=given, worker=given.worker_by_id()[who], stops=planned)


def broken_rules(given, *runs):
    """Names of the rules that a roster of these runs breaks; what is in no run is unfilled."""
    placed = {(stop.visit, stop.slot) for run in runs for stop in run.stops}
    left = [(d.id, k) for d in given.demands for k in range(len(d.slots)) if (d.id, k) not in placed]
    roster = Roster(runs=runs, unfilled=tuple(Unfilled(visit=v, slot=k, reason="left") for v, k in left))
    return {violation.rule for violation in violations(problem=given, roster=roster)}


def solved(given, iterations=20):
    """The search's own roster of the same problem."""
    return solve(problem=given, stop=Iterations(iterations), seed=1, params=Params(effort_seconds=1)).roster


def test_a_right_roster_breaks_nothing():
    """A verifier that cries wolf."""
    given = problem([demand("a", 9), demand("b", 10, place=2)], [worker("w")])
    assert broken_rules(given, run_of(given, "w", ("a", 0, 9), ("b", 0, 10))) == set()


def test_a_missing_and_a_doubled_slot_are_seen():
    """A visit silently dropped, or served twice."""
    given = problem([demand("a", 9)], [worker("w"), worker("x")])
    run, other = run_of(given, "w", ("a", 0, 9)), run_of(given, "x", ("a", 0, 9))
    assert {v.rule for v in violations(problem=given, roster=Roster(runs=()))} == {"complete"}
    assert {v.rule for v in violations(problem=given, roster=Roster(runs=(run, other)))} == {"complete"}


def test_an_unknown_worker_is_seen():
    """A run of somebody who is not employed."""
    given = problem([], [worker("w")])
    ghost = problem([], [worker("ghost")])
    roster = Roster(runs=(run_of(ghost, "ghost"),))
    assert [v.rule for v in violations(problem=given, roster=roster)] == ["complete"]


def test_a_lacking_skill_is_seen_and_kept():
    """An untrained worker at a hoist."""
    hoist = (Slot(30 * MINUTE, frozenset({"hoist"})),)
    given = problem([demand("a", 9, slots=hoist)], [worker("w"), worker("x", skills=frozenset({"hoist"}))])
    assert broken_rules(given, run_of(given, "w", ("a", 0, 9))) == {"skills"}
    assert solved(given).starts()["a", 0][0] == "x"


@pytest.mark.parametrize(
    ("wish", "right"),
    [({"gender": "f"}, {"gender": "f"}), ({"language": "Urdu"}, {"languages": frozenset({"Urdu"})})],
)
def test_a_wrong_gender_or_language_is_seen_and_kept(wish, right):
    """A customer's required gender or language not met."""
    given = problem([demand("a", 9, **wish)], [worker("w", gender="m"), worker("x", **right)])
    assert broken_rules(given, run_of(given, "w", ("a", 0, 9))) == {"gender_language"}
    assert solved(given).starts()["a", 0][0] == "x"


@pytest.mark.parametrize(
    ("of_visit", "of_worker"),
    [({"excluded_workers": frozenset({"w"})}, {}), ({}, {"excluded_customers": frozenset({"customer-a"})})],
)
def test_an_excluded_worker_is_seen_and_kept_away(of_visit, of_worker):
    """Somebody sent to a customer who excluded them, or whom they are kept from."""
    given = problem([demand("a", 9, **of_visit)], [worker("w", **of_worker), worker("x")])
    assert broken_rules(given, run_of(given, "w", ("a", 0, 9))) == {"exclusions"}
    assert solved(given).starts()["a", 0][0] == "x"


def test_a_start_outside_the_window_is_seen():
    """A visit an hour early."""
    given = problem([demand("a", 9)], [worker("w")])
    assert broken_rules(given, run_of(given, "w", ("a", 0, 8))) == {"windows"}


def test_a_shortened_visit_is_seen():
    """A visit that the roster cuts short."""
    given = problem([demand("a", 9)], [worker("w")])
    run = run_of(given, "w", ("a", 0, 9))
    stop = run.stops[0]
    short = Stop(
        visit="a", slot=0, start=stop.start, end=stop.end - 1, arrive=stop.arrive, travel_seconds=stop.travel_seconds
    )
    cut = type(run)(worker="w", leave=run.leave, back=run.back, stops=(short,), travel_seconds=run.travel_seconds)
    assert broken_rules(given, cut) == {"windows"}


@pytest.mark.parametrize("when", [{"shifts": (Shift(10 * HOUR, 20 * HOUR),)}, {"leave": (Shift(9 * HOUR, 10 * HOUR),)}])
def test_a_run_outside_shifts_or_on_leave_is_seen_and_kept(when):
    """Somebody rostered when they are not at work."""
    given = problem([demand("a", 9)], [worker("w", **when), worker("x")])
    assert broken_rules(given, run_of(given, "w", ("a", 0, 9))) == {"availability"}
    assert solved(given).starts()["a", 0][0] == "x"


def test_two_overlapping_runs_of_one_worker_are_seen():
    """One person in two places."""
    given = problem([demand("a", 9), demand("b", 9, place=2)], [worker("w")])
    assert broken_rules(given, run_of(given, "w", ("a", 0, 9)), run_of(given, "w", ("b", 0, 9))) == {"availability"}


def test_travel_that_cannot_be_done_is_seen_and_kept():
    """Call cramming built into the roster."""
    given = problem([demand("a", 9), demand("b", 9.5, place=2)], [worker("w")])
    assert broken_rules(given, run_of(given, "w", ("a", 0, 9), ("b", 0, 9.5))) == {"travel_feasible"}
    starts = solved(given).starts()
    assert starts["b", 0][1] - starts["a", 0][1] >= 40 * MINUTE


def test_travel_by_the_workers_own_mode_counts():
    """A walker timed as a driver."""
    given = problem([demand("a", 9), demand("b", 10, place=2)], [worker("w", mode="walk")])
    run = run_of(given, "w", ("a", 0, 9), ("b", 0, 10))
    assert run.stops[1].travel_seconds == 30 * MINUTE


def test_half_a_double_up_is_seen():
    """One worker alone at a visit that needs two."""
    given = problem([double("a", 9)], [worker("w"), worker("x")])
    assert broken_rules(given, run_of(given, "w", ("a", 0, 9))) == {"double_up_together"}


def test_a_double_up_not_together_is_seen_and_kept():
    """Two workers a quarter of an hour apart at a hoist."""
    given = problem([double("a", 9)], [worker("w"), worker("x")])
    runs = run_of(given, "w", ("a", 0, 9)), run_of(given, "x", ("a", 1, 9.25))
    assert broken_rules(given, *runs) == {"double_up_together"}
    starts = solved(given).starts()
    assert starts["a", 0][1] == starts["a", 1][1]
    assert starts["a", 0][0] != starts["a", 1][0]


def test_a_sequence_out_of_its_bounds_is_seen_and_kept():
    """A second service too long after the first."""
    given = problem([double("a", 9, sync=Sync(HOUR, 2 * HOUR))], [worker("w"), worker("x")])
    runs = run_of(given, "w", ("a", 0, 9)), run_of(given, "x", ("a", 1, 11.5))
    assert broken_rules(given, *runs) == {"double_up_together"}
    starts = solved(given).starts()
    assert HOUR <= starts["a", 1][1] - starts["a", 0][1] <= 2 * HOUR


def test_visits_of_a_customer_too_close_are_seen_and_kept():
    """Lunch an hour after breakfast."""
    wide = (Window(8 * HOUR, 12 * HOUR),)
    both = [
        demand(name, 9, customer="one", windows=wide, preferred_start=at * HOUR, gap_seconds=gap)
        for name, at, gap in (("a", 9, 0), ("b", 10, 2 * HOUR))
    ]
    given = problem(both, [worker("w")])
    assert broken_rules(given, run_of(given, "w", ("a", 0, 9), ("b", 0, 10))) == {"visit_gap"}
    starts = sorted(start for _, start in solved(given).starts().values())
    assert len(starts) == 2
    assert starts[1] - starts[0] >= 2 * HOUR + 30 * MINUTE


def test_a_long_run_without_a_break_is_seen_and_given_one():
    """Nobody works over six hours without half an hour of their own."""
    hours = [8 + n * 41 / 60 for n in range(11)]
    visits = [
        demand(f"v{n}", at, place=1 + n % 2, windows=(Window(int(at * HOUR), int(at * HOUR) + 40 * MINUTE),))
        for n, at in enumerate(hours)
    ]
    given = problem(visits, [worker("w", break_rule=Break())])
    straight = run_of(given, "w", *((f"v{n}", 0, 8 + n * 41 / 60) for n in range(11)))
    assert broken_rules(given, straight) == {"breaks"}
    roster = solved(given)
    assert roster.unfilled == ()
    assert max(stop.waiting_seconds for stop in roster.runs[0].stops[1:]) >= 1_800


def test_hours_over_the_limit_are_seen_and_kept():
    """Somebody on a visa made to work more than they may."""
    visits = [demand("a", 9, minutes=120), demand("b", 13, minutes=120)]
    given = problem(visits, [worker("w", hours_limit_seconds=3 * HOUR), worker("x", hours_limit_seconds=3 * HOUR)])
    run = run_of(given, "w", ("a", 0, 9), ("b", 0, 13))
    assert broken_rules(given, run) == {"hours_limit"}
    assert {who for who, _ in solved(given).starts().values()} == {"w", "x"}


def test_a_short_night_is_seen_and_kept():
    """Late shift, then early shift."""
    given = problem(
        [demand("late", 21), demand("early", 24 + 7.5)],
        [worker("w", shifts=(Shift(7 * HOUR, 22 * HOUR), Shift(DAY + 7 * HOUR, DAY + 15 * HOUR)))],
        horizon_days=2,
    )
    runs = run_of(given, "w", ("late", 0, 21)), run_of(given, "w", ("early", 0, 31.5))
    assert broken_rules(given, *runs) == {"daily_rest"}
    assert len(solved(given).unfilled) == 1


def test_a_short_night_before_the_horizon_is_seen():
    """The night before the roster forgotten."""
    given = problem([demand("early", 7.5)], [worker("w", last_back=-2 * HOUR)])
    assert broken_rules(given, run_of(given, "w", ("early", 0, 7.5))) == {"daily_rest"}
    assert len(solved(given).unfilled) == 1


def test_a_week_without_rest_is_seen_and_kept():
    """Seven days out of seven."""
    days = range(7)
    given = problem(
        [demand(f"v{day}", day * 24 + 10) for day in days],
        [worker("w", shifts=tuple(Shift(day * DAY + 7 * HOUR, day * DAY + 18 * HOUR) for day in days))],
        horizon_days=7,
    )
    runs = [run_of(given, "w", (f"v{day}", 0, day * 24 + 10)) for day in days]
    assert broken_rules(given, *runs) == {"weekly_rest"}
    assert len(solved(given).unfilled) == 1


def test_a_pinned_visit_moved_or_given_to_another_is_seen_and_kept():
    """What a person fixed, changed by a machine."""
    pinned = demand("a", 9, pinned_workers=("w",), pinned_start=9 * HOUR)
    given = problem([pinned, demand("b", 9)], [worker("w"), worker("x", home=1)])
    assert broken_rules(given, run_of(given, "x", ("a", 0, 9))) == {"pinned"}
    assert broken_rules(given, run_of(given, "w", ("a", 0, 9.1))) == {"pinned"}
    assert solved(given).starts()["a", 0] == ("w", 9 * HOUR)


def test_an_accepted_popback_left_out_for_an_ordinary_visit_is_seen_and_kept():
    """A promise broken because another visit was cheaper."""
    promised = demand("popback", 9, place=5, must_keep=True, windows=(Window(9 * HOUR, 9 * HOUR),), unfilled_penalty=0)
    given = problem([promised, demand("a", 9, windows=(Window(9 * HOUR, 9 * HOUR),))], [worker("w")])
    assert broken_rules(given, run_of(given, "w", ("a", 0, 9))) == {"popback_kept"}
    assert set(solved(given).starts()) == {("popback", 0)}


def test_an_accepted_popback_that_nobody_could_do_is_no_violation():
    """A crash, or a false violation, when a promise cannot be kept at all."""
    promised = demand("popback", 9, must_keep=True, language="Welsh")
    given = problem([promised], [worker("w")])
    roster = solved(given)
    assert [each.visit for each in roster.unfilled] == ["popback"]
    assert "gender_language" in roster.unfilled[0].reason


def test_every_constraint_has_its_own_name():
    """Two rules that report as one."""
    names = [rule.name for rule in CONSTRAINTS]
    assert len(set(names)) == len(names)
