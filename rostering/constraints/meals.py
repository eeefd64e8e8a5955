"""A worker's meal is long enough, inside its window, at the place of a stop, and not missed where it is hard."""

from __future__ import annotations

from rostering.constraint import Constraint, Encoding, Violation
from rostering.problem import Meal, Problem
from rostering.roster import Roster, Run

NAME = "meals"


def encode(_problem: Problem) -> Encoding:
    """Nothing to ask: the engine that knows meals puts them between the stops itself."""
    return Encoding()


def violations(problem: Problem, roster: Roster) -> tuple[Violation, ...]:
    """Meals nobody is owed, too short, outside their window, across a visit, elsewhere, or missed though hard."""
    workers = problem.worker_by_id()
    wrong: list[Violation] = []
    for run in roster.runs:
        meal = workers[run.worker].meal
        if run.meal is None:
            if meal is not None and meal.missed_penalty is None and run.stops:
                wrong.append(Violation(rule=NAME, worker=run.worker, sentence=f"{run.worker} has no meal"))
            continue
        sentence = f"{run.worker} is owed no meal" if meal is None else _wrong(run, meal)
        if sentence is not None:
            wrong.append(Violation(rule=NAME, worker=run.worker, sentence=sentence))
    return tuple(wrong)


def _wrong(run: Run, meal: Meal) -> str | None:
    taken = run.meal
    if taken is None:
        return None
    if taken.start < meal.earliest or taken.end > meal.latest or taken.end - taken.start < meal.least_seconds:
        return f"{run.worker} eats from {taken.start} to {taken.end} s, too short or outside the window"
    if any(taken.start < stop.end and stop.start < taken.end for stop in run.stops):
        return f"{run.worker} eats during a visit"
    before = [stop.visit for stop in run.stops if stop.end <= taken.start][-1:]
    after = [stop.visit for stop in run.stops if stop.start >= taken.end][:1]
    return None if taken.visit in before + after else f"{run.worker} eats at {taken.visit}, where they are not"


CONSTRAINT = Constraint(name=NAME, encode=encode, violations=violations)
