"""A simple lower bound on the objective of any roster; valid always, tight seldom."""

from __future__ import annotations

import numpy as np

from rostering.problem import Demand, Problem

INFINITE = 2**62


def lower_bound(*, problem: Problem) -> int:
    """Points that no roster of the problem can beat.

    Each slot is either unfilled (its penalty) or entered by one journey, which is at least the shortest from any
    worker's home or any other visit's place; and someone who goes out comes home.
    """
    weights = problem.weights
    if not problem.demands:
        return 0
    homes = sorted({worker.home for worker in problem.workers if worker.home is not None})
    anywhere = any(worker.home is None for worker in problem.workers)
    modes = sorted({worker.mode for worker in problem.workers})
    total = 0
    home_leg = 0 if anywhere or not homes else INFINITE
    penalties = 0
    for i, demand in enumerate(problem.demands):
        others = [other.place for j, other in enumerate(problem.demands) if j != i]
        entry = 0 if anywhere or not modes else _shortest(problem, modes, [*homes, *others], demand)
        back = 0 if not home_leg else _least_home(problem, modes, homes, demand)
        home_leg = min(home_leg, back)
        penalty = weights.unfilled if demand.unfilled_penalty is None else demand.unfilled_penalty
        served = weights.travel * entry if modes else penalty
        total += len(demand.slots) * min(served, penalty)
        penalties += len(demand.slots) * penalty
    return min(penalties, total + weights.travel * (home_leg if home_leg < INFINITE else 0)) if modes else penalties


def _shortest(problem: Problem, modes: list[str], sources: list[int], demand: Demand) -> int:
    rows = np.array(sources, dtype=np.int64)
    if not len(rows):
        return 0
    return min(int(problem.travel.seconds_by_mode[mode][rows, demand.place].min()) for mode in modes)


def _least_home(problem: Problem, modes: list[str], homes: list[int], demand: Demand) -> int:
    columns = np.array(homes, dtype=np.int64)
    return min(int(problem.travel.seconds_by_mode[mode][demand.place, columns].min()) for mode in modes)
