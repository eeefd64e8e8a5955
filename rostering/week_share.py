"""How few different workers a customer sees: the share of their commonest workers, and a bound on it. It makes no roster."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import combinations

import numpy as np

from rostering.problem import Problem
from rostering.reach import Flags, Ints, Reach, reach
from rostering.roster import Roster

TEAM = 3


def top_share(*, problem: Problem, roster: Roster, team: int = TEAM) -> float:
    """Worker-visits by each customer's `team` commonest workers, as a share of all that are wanted (filled or not)."""
    wanted = sum(len(demand.slots) for demand in problem.demands)
    top = sum(sum(n for _, n in seen.most_common(team)) for seen in _seen(problem, roster).values())
    return top / wanted if wanted else 1.0


def strangers(*, problem: Problem, roster: Roster) -> int:
    """Worker-visits that are not by one of their customer's three commonest workers, those that nobody does among them."""
    wanted = sum(len(demand.slots) for demand in problem.demands)
    return wanted - sum(sum(n for _, n in seen.most_common(TEAM)) for seen in _seen(problem, roster).values())


def distinct_workers_mean(*, problem: Problem, roster: Roster) -> float:
    """Different workers a customer sees over the horizon: the mean over customers who see any."""
    seen = _seen(problem, roster)
    return sum(len(workers) for workers in seen.values()) / len(seen) if seen else 0.0


def _seen(problem: Problem, roster: Roster) -> dict[str, Counter[str]]:
    customer = {demand.id: demand.customer for demand in problem.demands}
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for run in roster.runs:
        for stop in run.stops:
            seen[customer[stop.visit]][run.worker] += 1
    return seen


def top_share_bound(*, problem: Problem, within: Reach | None = None) -> float:
    """A share that no roster's `top_share` can exceed, exact for each customer alone.

    For each customer the three workers who together are in reach of the most of their worker-visits, found by trying
    every three. Whoever is out of reach (not on duty, without the skill, too far to be home in time) can never serve
    the visit, so no roster gives a customer's three commonest workers more; that workers are shared with other
    customers is left out, so the bound is seldom attained.
    """
    within = within or reach(problem=problem)
    rows: dict[str, list[int]] = defaultdict(list)
    for row, d in enumerate(within.demand.tolist()):
        rows[problem.demands[d].customer].append(row)
    most = sum(_best_three(within, np.array(mine, dtype=np.int64)) for mine in rows.values())
    return most / len(within.demand) if len(within.demand) else 1.0


def _best_three(within: Reach, mine: Ints) -> int:
    """The most of a customer's worker-visits that three workers could serve (a visit's slots by different workers)."""
    visits, place = np.unique(within.demand[mine], return_inverse=True)
    slots = np.bincount(place, minlength=len(visits))
    can = np.zeros((len(visits), within.served.shape[1]), dtype=np.bool_)
    np.logical_or.at(can, place, within.served[mine])
    kinds = _kinds(can, one_each=bool((slots == 1).all()))
    nobody = np.zeros((len(visits), 2), dtype=np.int64)
    counts = np.concatenate([kinds.astype(np.int64), nobody], axis=1)
    best = 0
    for i, j in combinations(range(counts.shape[1] - 1), 2):
        both = counts[:, i] + counts[:, j]
        best = max(best, int(np.minimum(both[:, None] + counts[:, j + 1 :], slots[:, None]).sum(axis=0).max()))
    return best


def _kinds(can: Flags, *, one_each: bool) -> Flags:
    """Workers by what they can do: alike ones once (thrice where a visit wants two), for single visits no dominated ones."""
    kinds, counts = np.unique(can[:, can.any(axis=0)], axis=1, return_counts=True)
    if not one_each:
        return np.repeat(kinds, np.minimum(counts, TEAM), axis=1)
    inside: Flags = np.all(kinds[:, :, None] <= kinds[:, None, :], axis=0)
    inside &= ~np.eye(len(inside), dtype=np.bool_)
    return kinds[:, ~np.any(inside, axis=1)]
