"""No slot starts before its visit's first due window opens, nor is later than its visit's limit of lateness."""

from __future__ import annotations

from rostering.constraint import Constraint, Encoding, Violation
from rostering.problem import Demand, Problem
from rostering.roster import Roster, Stop

NAME = "due_windows"


def encode(_problem: Problem) -> Encoding:
    """Nothing to ask: the engine that knows due windows times every start by them."""
    return Encoding()


def violations(problem: Problem, roster: Roster) -> tuple[Violation, ...]:
    """Slots before the first due window, and slots later than `late_seconds_max`."""
    demands = problem.demand_by_id()
    wrong: list[Violation] = []
    for run in roster.runs:
        for stop in run.stops:
            sentence = _wrong(demands[stop.visit], stop)
            if sentence is not None:
                wrong.append(Violation(rule=NAME, visit=stop.visit, worker=run.worker, sentence=sentence))
    return tuple(wrong)


def _wrong(demand: Demand, stop: Stop) -> str | None:
    opened = [window for window in demand.due_windows if window.earliest <= stop.start]
    if demand.due_windows and not opened:
        return f"visit {demand.id} starts at {stop.start} s, before its first window"
    if demand.late_seconds_max is None:
        return None
    due = max(opened, key=lambda window: window.earliest).latest if opened else demand.due
    late = 0 if due is None else (stop.end if demand.due_at_end else stop.start) - due
    if late > demand.late_seconds_max:
        return f"visit {demand.id} is {late} s late, more than {demand.late_seconds_max}"
    return None


CONSTRAINT = Constraint(name=NAME, encode=encode, violations=violations)
