"""A pinned visit keeps its workers and its start, whatever it costs."""

from __future__ import annotations

from collections.abc import Hashable

from rostering.constraint import Constraint, Encoding, Violation
from rostering.problem import Demand, Problem, Window, Worker
from rostering.roster import Roster

NAME = "pinned"


def encode(_problem: Problem) -> Encoding:
    """Only the pinned worker may take a pinned slot, and only at the pinned start."""

    def pair(demand: Demand, slot: int, worker: Worker) -> bool:
        return not demand.pinned_workers or demand.pinned_workers[slot] == worker.id

    def starts(demand: Demand) -> tuple[Window, ...]:
        pin = demand.pinned_start
        return demand.windows if pin is None else (Window(pin, pin),)

    def alike(demand: Demand, slot: int) -> Hashable:
        return demand.pinned_workers[slot] if demand.pinned_workers else None

    return Encoding(pair=pair, alike=alike, starts=starts)


def violations(problem: Problem, roster: Roster) -> tuple[Violation, ...]:
    """Pinned visits at another start or with another worker. (A pin that cannot stand is unfilled, with its reason.)"""
    demands = problem.demand_by_id()
    wrong: list[Violation] = []
    for (visit, slot), (worker, start) in sorted(roster.starts().items()):
        demand = demands[visit]
        if demand.pinned_start is not None and slot == 0 and start != demand.pinned_start:
            sentence = f"visit {visit} is pinned to start at {demand.pinned_start} s and starts at {start} s"
            wrong.append(Violation(rule=NAME, visit=visit, worker=worker, sentence=sentence))
        if demand.pinned_workers and demand.pinned_workers[slot] != worker:
            sentence = f"visit {visit} is pinned to {demand.pinned_workers[slot]} and {worker} has it"
            wrong.append(Violation(rule=NAME, visit=visit, worker=worker, sentence=sentence))
    return tuple(wrong)


CONSTRAINT = Constraint(name=NAME, encode=encode, violations=violations)
