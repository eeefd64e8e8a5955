"""The bounds: never above what a roster reaches, and as high as they can be where the reason is plain."""

from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from rostering.bounds import impossible_demands, objective_bound, travel_bound, unassigned_bound
from rostering.problem import Demand, Problem, Shift, Slot, Sync, Travel, Window, Worker
from rostering.search.compiled import compile_problem
from rostering.solver import solve
from rostering.stop import Iterations
from tests.rostering.factories import HOUR, MINUTE, demand, double, problem, problems, worker


@given(given=problems())
@settings(max_examples=80, deadline=None)
def test_no_roster_beats_the_bounds(given: Problem) -> None:
    """A gap would be shown smaller than it is, or a visit would be called impossible that somebody can do."""
    result = solve(problem=given, stop=Iterations(60), seed=1)
    left = len(result.roster.unfilled)
    assert unassigned_bound(problem=given) <= left
    assert objective_bound(problem=given) <= result.objective
    travelled = sum(run.travel_seconds for run in result.roster.runs)
    assert travel_bound(problem=given, unfilled_max=left) <= travelled


@st.composite
def small_days(draw: st.DrawFn) -> Problem:
    """Up to four single visits and two workers with homes, short windows and any travel, asymmetric too."""
    size = draw(st.integers(2, 5))
    leg = st.integers(0, 60)
    matrix = draw(st.lists(st.lists(leg, min_size=size, max_size=size), min_size=size, max_size=size))
    place = st.integers(0, size - 1)
    demands = []
    for number in range(draw(st.integers(1, 4))):
        opens = draw(st.integers(0, 200))
        window = Window(opens, opens + draw(st.integers(0, 80)))
        slots = (Slot(draw(st.integers(5, 60))),)
        demands.append(
            Demand(id=f"v{number}", customer=f"c{number}", place=draw(place), slots=slots, windows=(window,))
        )
    workers = tuple(
        Worker(
            id=f"w{number}",
            shifts=(Shift(draw(st.integers(0, 50)), draw(st.integers(150, 320))),),
            home=draw(place),
            daily_rest_seconds=0,
            weekly_rest_seconds=0,
        )
        for number in range(draw(st.integers(1, 2)))
    )
    return Problem(demands=tuple(demands), workers=workers, travel=Travel({"car": matrix}), horizon=Shift(0, 400))


def every_roster(given: Problem) -> list[tuple[int, int]]:
    """(unfilled, travel) of every roster: each order of visits and workers, earliest starts."""
    found = []
    ends = range(len(given.workers) - 1)
    for order in permutations([*given.demands, None, *(f"next-{end}" for end in ends)]):
        runs: list[list[Demand]] = [[]]
        for item in order:
            if item is None:
                break
            if isinstance(item, str):
                runs.append([])
            else:
                runs[-1].append(item)
        travelled = [_travel(given, each, run) for each, run in zip(given.workers, runs, strict=False)]
        if None not in travelled:
            found.append((len(given.demands) - sum(map(len, runs)), sum(t for t in travelled if t is not None)))
    return found


def _travel(given: Problem, who: Worker, run: list[Demand]) -> int | None:
    here, now, total = who.home, who.shifts[0].start, 0
    assert here is not None
    for each in run:
        leg = given.travel.between("car", here, each.place)
        now = max(now + leg, each.windows[0].earliest)
        if now > each.windows[0].latest:
            return None
        here, now, total = each.place, now + each.slots[0].service_seconds, total + leg
    back = given.travel.between("car", here, who.home) if run and who.home is not None else 0
    return total + back if now + back <= who.shifts[0].end else None


@given(given=small_days())
@settings(max_examples=150, deadline=None)
def test_the_bounds_hold_against_every_roster_of_a_small_day(given: Problem) -> None:
    """A bound would be above the true optimum, which a search that misses it would not show."""
    rosters = every_roster(given)
    fewest = min(left for left, _ in rosters)
    assert unassigned_bound(problem=given) <= fewest
    for left, travelled in rosters:
        assert travel_bound(problem=given, unfilled_max=left) <= travelled


def test_visits_that_nobody_can_do_are_counted_with_both_slots() -> None:
    """A branch would be told that a roster could be better than it can: no skill, too short a shift, one person twice."""
    skilled = demand("skill", 9, slots=(Slot(30 * MINUTE, frozenset({"hoist"})),))
    far = demand("far", 7, windows=(Window(7 * HOUR, 7 * HOUR + 5 * MINUTE),))
    given = problem([skilled, far, double("pair", 9), demand("good", 12)], [worker("a")], leg_minutes=10)
    compiled = compile_problem(problem=given)
    assert [compiled.demands[d].id for d in impossible_demands(compiled=compiled)] == ["skill", "far", "pair"]
    assert unassigned_bound(problem=given) == 4
    assert unassigned_bound(problem=problem([double("pair", 9)], [worker("a"), worker("b")])) == 0


def test_a_sequence_that_no_two_shifts_allow_is_impossible() -> None:
    """A sequence whose second half falls after everybody has gone home would count as possible."""
    late = double("late", 20, sync=Sync(3 * HOUR, 4 * HOUR))
    assert unassigned_bound(problem=problem([late], [worker("a"), worker("b")])) == 2


def test_more_work_at_once_than_workers_is_counted() -> None:
    """Five visits at nine with two workers: three stay unfilled, whoever is chosen."""
    visits = [demand(f"v{n}", 9, minutes=90, windows=(Window(9 * HOUR, 9 * HOUR),)) for n in range(5)]
    assert unassigned_bound(problem=problem(visits, [worker("a"), worker("b")])) == 3


def test_work_beyond_the_hours_limit_is_counted() -> None:
    """A worker of two hours a day cannot do three visits of an hour, though their shift is long."""
    visits = [demand(f"v{n}", 8 + 3 * n, minutes=60, place=0) for n in range(3)]
    limited = worker("a", hours_limit_seconds=2 * HOUR)
    assert unassigned_bound(problem=problem(visits, [limited])) == 1


def test_travel_is_exact_where_there_is_one_way() -> None:
    """One worker, two visits in a fixed order: out, between and home; leaving one out may cost less."""
    given = problem([demand("a", 9), demand("b", 12, place=2)], [worker("w")], leg_minutes=10)
    assert travel_bound(problem=given) == 30 * MINUTE
    assert travel_bound(problem=given, unfilled_max=1) <= 20 * MINUTE
    assert objective_bound(problem=given) == 30 * MINUTE


def test_no_visits_and_no_workers_have_bounds() -> None:
    """An empty day would end in an error."""
    assert unassigned_bound(problem=problem([], [worker("w")])) == 0
    assert travel_bound(problem=problem([], [])) == 0
    lonely = problem([demand("a", 9)], [])
    assert (unassigned_bound(problem=lonely), travel_bound(problem=lonely)) == (1, 0)
    assert objective_bound(problem=lonely) == lonely.weights.unfilled
