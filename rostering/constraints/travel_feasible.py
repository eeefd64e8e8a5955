"""Between two visits there is time to travel by the worker's mode; the search keeps this by how it times runs."""

from __future__ import annotations

from rostering.constraint import Constraint, Encoding, Violation
from rostering.problem import Problem
from rostering.roster import Roster

NAME = "travel_feasible"


def encode(_problem: Problem) -> Encoding:
    """Nothing to ask: starts are computed from travel times."""
    return Encoding()


def violations(problem: Problem, roster: Roster) -> tuple[Violation, ...]:
    """Starts before the worker can be there, and travel times or ends of the day that are not the matrix's."""
    demands, workers = problem.demand_by_id(), problem.worker_by_id()
    wrong: list[Violation] = []
    for run in roster.runs:
        worker = workers[run.worker]
        matrix = problem.travel.seconds_by_mode[worker.mode]
        here, free, total = worker.home, run.leave, 0
        for stop in run.stops:
            there = demands[stop.visit].place
            leg = 0 if here is None else int(matrix[here, there])
            if stop.start < free + leg or stop.arrive < free + leg or stop.travel_seconds != leg:
                sentence = f"{worker.id} cannot be at visit {stop.visit} before {free + leg} s"
                wrong.append(Violation(rule=NAME, visit=stop.visit, worker=worker.id, sentence=sentence))
            here, free, total = there, stop.end, total + leg
        home = 0 if worker.home is None or here is None else int(matrix[here, worker.home])
        if run.stops and (run.back < free + home or run.travel_seconds != total + home):
            sentence = f"{worker.id} cannot be home before {free + home} s"
            wrong.append(Violation(rule=NAME, worker=worker.id, sentence=sentence))
    return tuple(wrong)


CONSTRAINT = Constraint(name=NAME, encode=encode, violations=violations)
