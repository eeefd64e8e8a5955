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
        if worker.leaves_at_shift_start and run.stops and run.leave != worker.shifts[0].start:
            sentence = f"{worker.id} leaves at {run.leave} s, not with their shift"
            wrong.append(Violation(rule=NAME, worker=worker.id, sentence=sentence))
        for stop in run.stops:
            there, leg, eaten = demands[stop.visit].place, 0, run.meal
            if eaten is not None and free <= eaten.start and eaten.end <= stop.start:
                at = demands[eaten.visit].place
                leg = 0 if here is None else int(matrix[here, at])
                if eaten.start < free + leg or eaten.arrive != free + leg:
                    sentence = f"{worker.id} cannot eat at {eaten.visit} before {free + leg} s"
                    wrong.append(Violation(rule=NAME, worker=worker.id, sentence=sentence))
                here, free = at, eaten.end
            further = 0 if here is None else int(matrix[here, there])
            if stop.start < free + further or stop.arrive < free + further or stop.travel_seconds != leg + further:
                sentence = f"{worker.id} cannot be at visit {stop.visit} before {free + further} s"
                wrong.append(Violation(rule=NAME, visit=stop.visit, worker=worker.id, sentence=sentence))
            here, free, total = there, stop.end, total + leg + further
        if run.meal is not None and run.meal.start >= free:
            free = run.meal.end
        ends = worker.last_place
        home = 0 if ends is None or here is None else int(matrix[here, ends])
        if run.stops and (run.back < free + home or run.travel_seconds != total + home):
            sentence = f"{worker.id} cannot be home before {free + home} s"
            wrong.append(Violation(rule=NAME, worker=worker.id, sentence=sentence))
    return tuple(wrong)


CONSTRAINT = Constraint(name=NAME, encode=encode, violations=violations)
