"""A day's or a week's roster as a piece of work that can be sent to another process or machine; it solves, and keeps nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rostering.problem import Problem
from rostering.scale import Asked
from rostering.solver import Params, Result, solve
from rostering.stop import AnyOf, Cancelled, Iterations, Progress, Seconds, StopRule

Report = Callable[[Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class SolveTask:
    """What to solve and for how long: `iterations_max` or `seconds_max`, whichever ends first (one of them is given).

    Without seconds it is repeatable for its seed. `processes` is as in Params.
    """

    problem: Problem
    seed: int
    effort_seconds: int
    iterations_max: int | None = None
    seconds_max: float | None = None
    processes: int | None = 1


def solve_task(task: SolveTask, asked: Asked) -> Result:
    """The best roster found; ended early, with what it has, once `asked` answers True."""
    return solve_reporting(task, asked, lambda _: None)


def solve_reporting(task: SolveTask, asked: Asked, report: Report) -> Result:
    """The same, telling its progress on the way."""
    params = Params(effort_seconds=task.effort_seconds, processes=task.processes)
    return solve(problem=task.problem, stop=_rule(task, asked), seed=task.seed, params=params, report=report)


def _rule(task: SolveTask, asked: Asked) -> StopRule:
    rules: tuple[StopRule, ...] = (Cancelled(asked),)
    if task.iterations_max is not None:
        rules = (*rules, Iterations(task.iterations_max))
    if task.seconds_max is not None:
        rules = (*rules, Seconds(task.seconds_max))
    return AnyOf(rules)
