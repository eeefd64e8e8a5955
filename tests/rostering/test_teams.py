"""Teams over a week, the share of the commonest workers, and its bound."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import combinations

import numpy as np
from hypothesis import HealthCheck, given, settings

from rostering.problem import Shift, Slot
from rostering.roster import Roster, timed_run
from rostering.solver import Params
from rostering.stop import Iterations
from rostering.teams import choose_teams
from rostering.teams_pick import Column, pick
from rostering.teams_reach import reach
from rostering.verify import violations
from rostering.week import Teams, solve_week, with_teams
from rostering.week_days import days_apart
from rostering.week_share import distinct_workers_mean, top_share, top_share_bound
from simulations.bench.roster_locality import locality

from .factories import DAY, HOUR, MINUTE, demand, double, locality_day, problem, problems, worker


def on(days: tuple[int, ...], start: float = 7, end: float = 20) -> tuple[Shift, ...]:
    """The same shift on these days."""
    return tuple(Shift(day * DAY + int(start * HOUR), day * DAY + int(end * HOUR)) for day in days)


def teams_of(given_problem, **changes) -> dict[str, frozenset[str]]:
    """The teams of a problem, at 1,200 seconds a stranger."""
    days = days_apart(problem=given_problem)
    return choose_teams(problem=given_problem, days=days, seed=1, stranger_seconds=1_200, **changes)


def test_a_team_covers_the_days_off_of_its_members():
    """Three workers for a customer who are all off on Thursday, while others are there."""
    staff = [worker(f"a{n}", shifts=on((0, 1, 2))) for n in range(4)] + [worker("b", shifts=on((3, 4)))]
    visits = [demand(f"v{day}", day * 24 + 10, customer="one") for day in range(5)]
    team = teams_of(problem(visits, staff, horizon_days=5))["one"]
    assert "b" in team
    assert team & {"a0", "a1", "a2", "a3"}


def test_a_team_has_three_at_the_most_and_only_people_who_can_come():
    """A team of strangers to the skill, or a team that is everybody."""
    skilled = [worker(f"s{n}", skills=frozenset({"hoist"}), shifts=on(tuple(range(7)))) for n in range(5)]
    others = [worker(f"o{n}", shifts=on(tuple(range(7)))) for n in range(5)]
    slot = Slot(30 * MINUTE, frozenset({"hoist"}))
    visits = [demand(f"v{day}", day * 24 + 10, customer="one", slots=(slot,)) for day in range(7)]
    team = teams_of(problem(visits, skilled + others, horizon_days=7))["one"]
    assert 1 <= len(team) <= 3
    assert team <= {one.id for one in skilled}


def test_customers_at_the_same_hour_do_not_share_one_worker():
    """Everybody's team is the worker who lives nearest, who can be at one door at a time."""
    staff = [worker(f"w{n}", shifts=on((0,)), home=0) for n in range(4)]
    visits = [demand(f"v{n}", 8.5, customer=f"c{n}", place=1, minutes=60, gap_seconds=0) for n in range(4)]
    teams = teams_of(problem(visits, staff, horizon_days=1))
    seen = Counter(name for team in teams.values() for name in team)
    assert len(seen) >= 3


def test_cp_sat_takes_the_dearer_team_where_the_better_one_is_over_its_time():
    """A choice customer by customer that no customer alone would change."""
    best = Column(team=(0,), worth=100, loads=((0, 0, 3_600),))
    other = Column(team=(1,), worth=90, loads=((1, 0, 3_600),))
    time = np.array([[3_600.0], [3_600.0]])
    columns = [(best, other), (best, other)]
    picked = pick(columns=columns, hint=[0, 0], time=time, overload_weight=0.6, seed=1, effort_seconds=1.0)
    assert sorted(column.team for column in picked) == [(0,), (1,)]
    assert pick(columns=columns, hint=[0, 0], time=time, overload_weight=0.6, seed=1, effort_seconds=0) == [best, best]


def test_teams_are_preferred_only_by_visits_that_prefer_nobody():
    """A customer's own wish lost to a team that the week thought up."""
    own = demand("own", 9, customer="one", preferred_workers=frozenset({"x"}))
    given_problem = problem([own, demand("any", 12, customer="one")], [worker("x"), worker("y")])
    wished = with_teams(problem=given_problem, teams=Teams(workers={"one": frozenset({"y"})}, seconds=900))
    assert [visit.preferred_workers for visit in wished.demands] == [{"x"}, {"y"}]
    assert wished.weights.not_preferred == 900


def test_a_week_with_teams_shows_a_customer_fewer_faces():
    """Teams that the days' searches do not see."""
    given_problem = locality(workers=14, visits=40, days=7, seed=1)
    shares = [
        top_share(
            problem=given_problem,
            roster=solve_week(
                problem=given_problem,
                stop_for_day=lambda _: Iterations(20),
                seed=1,
                params=Params(effort_seconds=0),
                stranger_seconds=seconds,
            ).roster,
        )
        for seconds in (0, 1_200)
    ]
    assert shares[1] > shares[0] + 0.1, shares
    assert shares[1] <= top_share_bound(problem=given_problem)


def test_the_share_counts_what_is_wanted_filled_or_not():
    """A roster that serves one visit of four by one worker and says: all by the commonest."""
    visits = [demand(f"v{n}", 8 + 2 * n, customer="one") for n in range(4)]
    given_problem = problem(visits, [worker("w")])
    run = timed_run(problem=given_problem, worker=worker("w"), stops=[(visits[0], 0, 8 * HOUR)])
    roster = Roster(runs=(run,))
    assert top_share(problem=given_problem, roster=roster) == 0.25
    assert distinct_workers_mean(problem=given_problem, roster=roster) == 1


def test_the_bound_is_what_the_best_three_could_do():
    """A bound that forgets days off, or that a double-up wants two people."""
    staff = [worker(f"w{n}", shifts=on((n,))) for n in range(5)]
    visits = [demand(f"v{day}", day * 24 + 10, customer="one") for day in range(5)]
    assert top_share_bound(problem=problem(visits, staff, horizon_days=5)) == 3 / 5
    pair = [double("d0", 10, customer="one"), double("d1", 34, customer="one")]
    both = [
        *(worker(f"a{n}", shifts=on((0,))) for n in range(2)),
        *(worker(f"b{n}", shifts=on((1,))) for n in range(2)),
    ]
    assert top_share_bound(problem=problem(pair, both, horizon_days=2)) == 3 / 4


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(given_problem=problems())
def test_no_three_workers_reach_more_than_the_bound(given_problem):
    """A bound below what three workers could do, which would make a share look better than it is."""
    within = reach(problem=given_problem)
    rows = defaultdict(list)
    for row, d in enumerate(within.demand.tolist()):
        rows[given_problem.demands[d].customer].append(row)
    best = 0
    for mine in rows.values():
        teams = list(combinations(range(len(given_problem.workers)), min(3, len(given_problem.workers))))
        best += max((_most(within, mine, team) for team in teams), default=0)
    wanted = len(within.demand)
    assert top_share_bound(problem=given_problem) >= (best / wanted if wanted else 1) - 1e-9


def _most(within, mine, team) -> int:
    """The most of a customer's slots that a team could do, each visit's by different workers."""
    done = 0
    for d in {int(within.demand[row]) for row in mine}:
        rows = [row for row in mine if within.demand[row] == d]
        here = [[w for w in team if within.served[row, w]] for row in rows]
        if len(rows) == 1:
            done += bool(here[0])
        else:
            both = any(a != b for a in here[0] for b in here[1])
            done += 2 if both else bool(here[0] or here[1])
    return done


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(given_problem=problems())
def test_nobody_out_of_reach_ever_serves(given_problem):
    """A worker held to be out of reach whom a valid roster nevertheless sends: the bound and the teams would be wrong."""
    result = solve_week(
        problem=given_problem, stop_for_day=lambda _: Iterations(10), seed=1, params=Params(effort_seconds=0)
    )
    assert violations(problem=given_problem, roster=result.roster) == ()
    within = reach(problem=given_problem)
    index = {
        (given_problem.demands[d].id, k): row
        for row, (d, k) in enumerate(zip(within.demand.tolist(), within.slot.tolist(), strict=True))
    }
    names = [one.id for one in given_problem.workers]
    for (visit, slot), (who, _) in result.roster.starts().items():
        assert within.served[index[visit, slot], names.index(who)]


def test_teams_are_the_same_again():
    """A roster that cannot be repeated because its teams were not."""
    given_problem = locality_day(seed=3, visits=60, workers=10)
    assert teams_of(given_problem, effort_seconds=0.2) == teams_of(given_problem, effort_seconds=0.2)
