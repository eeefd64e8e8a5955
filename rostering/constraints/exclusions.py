"""Nobody is sent to a customer who excluded them, or whom they are kept from."""

from __future__ import annotations

from collections.abc import Hashable

from rostering.constraint import Constraint, Encoding, Violation
from rostering.problem import Demand, Problem, Worker
from rostering.roster import Roster

NAME = "exclusions"


def encode(problem: Problem) -> Encoding:
    """A worker may take a slot when neither side excludes the other."""
    kept_from = frozenset().union(*(worker.excluded_customers for worker in problem.workers))

    def pair(demand: Demand, _slot: int, worker: Worker) -> bool:
        return worker.id not in demand.excluded_workers and demand.customer not in worker.excluded_customers

    def alike(demand: Demand, _slot: int) -> Hashable:
        return demand.excluded_workers, demand.customer if demand.customer in kept_from else None

    return Encoding(pair=pair, alike=alike)


def violations(problem: Problem, roster: Roster) -> tuple[Violation, ...]:
    """Stops of a worker with a customer where either excludes the other."""
    barred = {(demand.id, worker) for demand in problem.demands for worker in demand.excluded_workers}
    for worker in problem.workers:
        barred |= {(d.id, worker.id) for d in problem.demands if d.customer in worker.excluded_customers}
    return tuple(
        Violation(
            rule=NAME, visit=stop.visit, worker=run.worker, sentence=f"{run.worker} is excluded from visit {stop.visit}"
        )
        for run in roster.runs
        for stop in run.stops
        if (stop.visit, run.worker) in barred
    )


CONSTRAINT = Constraint(name=NAME, encode=encode, violations=violations)
