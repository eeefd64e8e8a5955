"""The share of each customer's commonest workers over a week, and its bound."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations

from hypothesis import HealthCheck, given, settings

from rostering.problem import Shift
from rostering.reach import reach
from rostering.roster import Roster, timed_run
from rostering.solver import Params, solve
from rostering.stop import Iterations
from rostering.verify import violations
from rostering.week_share import distinct_workers_mean, top_share, top_share_bound

from .factories import DAY, HOUR, demand, double, problem, problems, worker


def on(days: tuple[int, ...], start: float = 7, end: float = 20) -> tuple[Shift, ...]:
    """The same shift on these days."""
    return tuple(Shift(day * DAY + int(start * HOUR), day * DAY + int(end * HOUR)) for day in days)


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
    """A worker held to be out of reach whom a valid roster nevertheless sends: the bound would be wrong."""
    result = solve(problem=given_problem, stop=Iterations(10), seed=1, params=Params(effort_seconds=0))
    assert violations(problem=given_problem, roster=result.roster) == ()
    within = reach(problem=given_problem)
    index = {
        (given_problem.demands[d].id, k): row
        for row, (d, k) in enumerate(zip(within.demand.tolist(), within.slot.tolist(), strict=True))
    }
    names = [one.id for one in given_problem.workers]
    for (visit, slot), (who, _) in result.roster.starts().items():
        assert within.served[index[visit, slot], names.index(who)]
