"""Days taken apart from a week: whatever is done on one of them, the week keeps its rules."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rostering.constraints import weekly_rest
from rostering.problem import Shift, Window
from rostering.roster import Roster, Run, Stop, timed_run
from rostering.verify import violations
from rostering.week_days import day_within, days_apart, working_seconds

from .factories import DAY, HOUR, MINUTE, demand, problem, worker


def shifts_of(days, name: str = "w") -> dict[int, tuple[tuple[float, float], ...]]:
    """The worker's shifts by day, in hours of the week."""
    found = {day.number: next(worker for worker in day.problem.workers if worker.id == name) for day in days}
    return {number: tuple((s.start / HOUR, s.end / HOUR) for s in one.shifts) for number, one in found.items()}


def a_run(given_problem, name: str, *starts: tuple[str, float]) -> Run:
    """The worker's run through visits at hours of the week."""
    by_id = given_problem.demand_by_id()
    stops = [(by_id[visit], 0, int(at * HOUR)) for visit, at in starts]
    return timed_run(problem=given_problem, worker=given_problem.worker_by_id()[name], stops=stops)


def test_a_late_evening_gives_way_to_a_morning_that_is_wanted_more():
    """A worker home at ten and out at seven: nine hours of rest."""
    staff = [worker("w", shifts=(Shift(14 * HOUR, 22 * HOUR), Shift(31 * HOUR, 39 * HOUR)))]
    mornings = [demand(f"v{n}", 24 + 7.5, place=n) for n in range(1, 4)]
    assert shifts_of(days_apart(problem=problem(mornings, staff, horizon_days=2))) == {0: ((14, 20),), 1: ((31, 39),)}
    evenings = [demand(f"v{n}", 21, place=n) for n in range(1, 4)]
    assert shifts_of(days_apart(problem=problem(evenings, staff, horizon_days=2))) == {0: ((14, 22),), 1: ((33, 39),)}


def test_a_pinned_evening_never_gives_way():
    """The worker whom a person put on a late visit is sent home before it."""
    staff = [worker("w", shifts=(Shift(14 * HOUR, 22 * HOUR), Shift(31 * HOUR, 39 * HOUR)))]
    visits = [demand(f"v{n}", 24 + 7.5, place=n) for n in range(1, 4)]
    visits.append(demand("late", 21, pinned_workers=("w",)))
    assert shifts_of(days_apart(problem=problem(visits, staff, horizon_days=2))) == {0: ((14, 22),), 1: ((33, 39),)}


def test_whoever_is_on_every_day_is_off_on_the_one_that_wants_them_least():
    """Seven days of shifts and no weekly rest, or a rest on the busiest day."""
    staff = [worker("w", shifts=tuple(Shift(day * DAY + 7 * HOUR, day * DAY + 20 * HOUR) for day in range(7)))]
    visits = [
        demand(f"v{day}{n}", day * 24 + 10 + n, place=1 + n) for day in range(7) for n in range(1 if day == 4 else 3)
    ]
    shifts = shifts_of(days_apart(problem=problem(visits, staff, horizon_days=7)))
    assert [number for number, some in shifts.items() if not some] == [4]


def test_hours_are_shared_out_by_the_length_of_the_days():
    """Days that together may use more than the week's limit."""
    shifts = (Shift(8 * HOUR, 12 * HOUR), Shift(DAY + 8 * HOUR, DAY + 16 * HOUR))
    days = days_apart(problem=problem([], [worker("w", shifts=shifts, hours_limit_seconds=9 * HOUR)], horizon_days=2))
    assert [day.problem.workers[0].hours_limit_seconds for day in days] == [3 * HOUR, 6 * HOUR]


def test_a_day_within_the_others_has_the_hours_they_left():
    """A day mended with hours that another day has used, or without those it left over."""
    visits = [demand("one", 10, minutes=60), demand("two", 34, minutes=60)]
    staff = [
        worker("w", shifts=(Shift(7 * HOUR, 20 * HOUR), Shift(31 * HOUR, 44 * HOUR)), hours_limit_seconds=6 * HOUR)
    ]
    given_problem = problem(visits, staff, horizon_days=2)
    run = a_run(given_problem, "w", ("one", 10))
    day = day_within(problem=given_problem, number=1, others={0: (run,), 1: ()})
    assert day.problem.workers[0].hours_limit_seconds == 6 * HOUR - working_seconds(worker=staff[0], run=run)
    assert [visit.id for visit in day.problem.demands] == ["two"]


def test_a_day_within_the_others_begins_after_the_rest_they_ask_for():
    """Eleven hours counted from the end of the shift, or not at all, where the run before ended at nine."""
    visits = [demand("one", 20), demand("two", 34)]
    staff = [worker("w", shifts=(Shift(14 * HOUR, 22 * HOUR), Shift(30 * HOUR, 44 * HOUR)))]
    given_problem = problem(visits, staff, horizon_days=2)
    run = a_run(given_problem, "w", ("one", 20))
    day = day_within(problem=given_problem, number=1, others={0: (run,)})
    assert day.problem.workers[0].shifts == (Shift(max(30 * HOUR, run.back + 11 * HOUR), 44 * HOUR),)


def test_a_seventh_day_is_not_worked_when_the_other_six_were():
    """Mending a day takes the worker's only day off."""
    staff = [worker("w", shifts=tuple(Shift(day * DAY + 7 * HOUR, day * DAY + 20 * HOUR) for day in range(7)))]
    visits = [demand(f"v{day}", day * 24 + 10) for day in range(7)]
    given_problem = problem(visits, staff, horizon_days=7)
    others = {day: (a_run(given_problem, "w", (f"v{day}", day * 24 + 10)),) for day in range(6)}
    assert day_within(problem=given_problem, number=6, others=others).problem.workers[0].shifts == ()
    del others[2]
    assert day_within(problem=given_problem, number=6, others=others).problem.workers[0].shifts != ()


def test_a_gap_across_midnight_is_cut_out_of_the_morning():
    """Bed at eleven at night and breakfast at half past midnight."""
    late = demand("late", 23, customer="one", windows=(Window(22 * HOUR, 23 * HOUR),), gap_seconds=8 * HOUR)
    early = demand("early", 30, customer="one", windows=(Window(30 * HOUR, 33 * HOUR),))
    lone = demand("lone", 26, customer="one", windows=(Window(26 * HOUR, 27 * HOUR),))
    days = days_apart(problem=problem([late, early, lone], [worker("w")], horizon_days=2))
    assert [(d.id, d.windows) for d in days[1].problem.demands] == [
        ("early", (Window(31 * HOUR + 30 * MINUTE, 33 * HOUR),))
    ]
    assert [slot.visit for slot in days[1].unfilled] == ["lone"]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    shifts=st.lists(st.tuples(st.integers(0, 13), st.integers(0, 23), st.integers(1, 14)), min_size=1, max_size=24),
    rest=st.sampled_from((0, 8, 11, 14)),
    weekly=st.sampled_from((24, 35, 48)),
    limit=st.sampled_from((None, 20, 48)),
)
def test_whoever_works_every_minute_of_their_days_keeps_rests_and_limits(shifts, rest, weekly, limit):
    """Two valid days that together break daily rest, weekly rest or the hours limit."""
    staff = worker(
        "w",
        shifts=tuple(Shift(day * DAY + start * HOUR, day * DAY + (start + long) * HOUR) for day, start, long in shifts),
        daily_rest_seconds=rest * HOUR,
        weekly_rest_seconds=weekly * HOUR,
        hours_limit_seconds=None if limit is None else limit * HOUR,
    )
    given_problem = problem([], [staff], horizon_days=14)
    runs, budget = [], 0
    for day in days_apart(problem=given_problem):
        today = day.problem.workers[0]
        budget += today.hours_limit_seconds or 0
        if today.shifts:  # out from the first minute to the last, as one run
            first, last = min(s.start for s in today.shifts), max(s.end for s in today.shifts)
            stop = Stop(visit="v", slot=0, start=first, end=last, arrive=first, travel_seconds=0)
            runs.append(Run(worker="w", leave=first, back=last, stops=(stop,), travel_seconds=0))
    assert limit is None or budget <= limit * HOUR
    assert weekly_rest.violations(given_problem, Roster(runs=tuple(runs))) == ()
    assert all(b.leave - a.back >= rest * HOUR for a, b in pairwise(runs))


def test_a_problem_without_visits_or_workers_has_its_days():
    """An empty locality that cannot be asked about."""
    days = days_apart(problem=problem([], [], horizon_days=7))
    assert [day.number for day in days] == list(range(7))
    assert violations(problem=days[0].problem, roster=Roster(runs=())) == ()
