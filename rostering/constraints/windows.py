"""A visit starts inside one of its windows (of the first slot, when the second follows in sequence)."""

from __future__ import annotations

from rostering.constraint import Constraint, Encoding, Violation
from rostering.problem import Demand, Problem, Window
from rostering.roster import Roster

NAME = "windows"


def encode(_problem: Problem) -> Encoding:
    """The windows themselves."""

    def starts(demand: Demand) -> tuple[Window, ...]:
        return demand.windows

    return Encoding(starts=starts)


def violations(problem: Problem, roster: Roster) -> tuple[Violation, ...]:
    """First slots that start outside every window, and stops whose end is not start plus service."""
    demands = problem.demand_by_id()
    wrong: list[Violation] = []
    for run in roster.runs:
        for stop in run.stops:
            demand = demands[stop.visit]
            if stop.end - stop.start != demand.slots[stop.slot].service_seconds:
                sentence = f"visit {stop.visit} lasts {stop.end - stop.start} s, not its service time"
                wrong.append(Violation(rule=NAME, visit=stop.visit, worker=run.worker, sentence=sentence))
            inside = [w for w in demand.windows if w.earliest <= stop.start <= w.latest]
            if stop.slot == 0 and not inside:
                sentence = f"visit {stop.visit} starts at {stop.start} s, outside its windows"
                wrong.append(Violation(rule=NAME, visit=stop.visit, worker=run.worker, sentence=sentence))
    return tuple(wrong)


CONSTRAINT = Constraint(name=NAME, encode=encode, violations=violations)
