"""The loads of a run's visits, slot by slot, stay within the worker's capacity."""

from __future__ import annotations

from collections.abc import Hashable

from rostering.constraint import Constraint, Encoding, Violation
from rostering.problem import Demand, Problem, Worker
from rostering.roster import Roster

NAME = "capacity"


def encode(_problem: Problem) -> Encoding:
    """No single load beyond the capacity; the sum of a run is kept by the engines that can express loads."""

    def pair(demand: Demand, _slot: int, worker: Worker) -> bool:
        return worker.capacity is None or demand.load <= worker.capacity

    def alike(demand: Demand, _slot: int) -> Hashable:
        return demand.load

    return Encoding(pair=pair, alike=alike)


def violations(problem: Problem, roster: Roster) -> tuple[Violation, ...]:
    """Runs with more than their worker can carry."""
    demands, workers = problem.demand_by_id(), problem.worker_by_id()
    wrong: list[Violation] = []
    for run in roster.runs:
        carried, most = sum(demands[stop.visit].load for stop in run.stops), workers[run.worker].capacity
        if most is not None and carried > most:
            sentence = f"{run.worker} carries {carried}, more than their {most}"
            wrong.append(Violation(rule=NAME, worker=run.worker, sentence=sentence))
    return tuple(wrong)


CONSTRAINT = Constraint(name=NAME, encode=encode, violations=violations)
