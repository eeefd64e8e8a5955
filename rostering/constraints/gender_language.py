"""A customer's required gender or language of worker is met by every worker of the visit."""

from __future__ import annotations

from collections.abc import Hashable

from rostering.constraint import Constraint, Encoding, Violation
from rostering.problem import Demand, Problem, Worker
from rostering.roster import Roster

NAME = "gender_language"


def encode(_problem: Problem) -> Encoding:
    """A worker may take a slot when gender and language are as asked, or nothing is asked."""

    def pair(demand: Demand, _slot: int, worker: Worker) -> bool:
        gender_fits = demand.gender is None or demand.gender == worker.gender
        return gender_fits and (demand.language is None or demand.language in worker.languages)

    def alike(demand: Demand, _slot: int) -> Hashable:
        return demand.gender, demand.language

    return Encoding(pair=pair, alike=alike)


def violations(problem: Problem, roster: Roster) -> tuple[Violation, ...]:
    """Stops whose worker is not of the required gender or does not speak the required language."""
    demands, workers = problem.demand_by_id(), problem.worker_by_id()
    wrong: list[Violation] = []
    for run in roster.runs:
        worker = workers[run.worker]
        for stop in run.stops:
            asked = demands[stop.visit]
            if asked.gender not in (None, worker.gender):
                sentence = f"visit {stop.visit} requires a {asked.gender} worker and {worker.id} is not"
                wrong.append(Violation(rule=NAME, visit=stop.visit, worker=worker.id, sentence=sentence))
            if asked.language not in (None, *worker.languages):
                sentence = f"visit {stop.visit} requires {asked.language}, which {worker.id} does not speak"
                wrong.append(Violation(rule=NAME, visit=stop.visit, worker=worker.id, sentence=sentence))
    return tuple(wrong)


CONSTRAINT = Constraint(name=NAME, encode=encode, violations=violations)
