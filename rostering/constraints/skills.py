"""A worker has every skill that their slot asks for."""

from __future__ import annotations

from collections.abc import Hashable

from rostering.constraint import Constraint, Encoding, Violation
from rostering.problem import Demand, Problem, Worker
from rostering.roster import Roster

NAME = "skills"


def encode(_problem: Problem) -> Encoding:
    """A worker may take a slot when its skills are a subset of theirs."""

    def pair(demand: Demand, slot: int, worker: Worker) -> bool:
        return demand.slots[slot].skills <= worker.skills

    def alike(demand: Demand, slot: int) -> Hashable:
        return demand.slots[slot].skills

    return Encoding(pair=pair, alike=alike)


def violations(problem: Problem, roster: Roster) -> tuple[Violation, ...]:
    """Stops whose worker lacks a skill."""
    demands, workers = problem.demand_by_id(), problem.worker_by_id()
    wrong: list[Violation] = []
    for run in roster.runs:
        for stop in run.stops:
            for skill in sorted(demands[stop.visit].slots[stop.slot].skills):
                if skill not in workers[run.worker].skills:
                    sentence = f"{run.worker} lacks the skill {skill} that visit {stop.visit} needs"
                    wrong.append(Violation(rule=NAME, visit=stop.visit, worker=run.worker, sentence=sentence))
    return tuple(wrong)


CONSTRAINT = Constraint(name=NAME, encode=encode, violations=violations)
