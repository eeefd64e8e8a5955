"""A day's or a week's roster as a piece of work that can be sent to another process or machine; it solves, and keeps nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rostering.problem import SECONDS_PER_DAY, Problem
from rostering.scale import Asked
from rostering.solver import Params, Result, solve
from rostering.stop import AnyOf, Cancelled, Iterations, Progress, Seconds, StopRule, share_used
from rostering.week import solve_week

Report = Callable[[Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class SolveTask:
    """What to solve and for how long: `iterations_max`, or `seconds_max`, whichever ends first; over the whole week when `is_week`.

    With `seconds_max` None it is repeatable for its seed.
    """

    problem: Problem
    seed: int
    iterations_max: int
    effort_seconds: int
    seconds_max: float | None = None
    is_week: bool = False


def solve_task(task: SolveTask, asked: Asked) -> Result:
    """The best roster found; ended early, with what it has, once `asked` answers True."""
    return solve_reporting(task, asked, lambda _: None)


def solve_reporting(task: SolveTask, asked: Asked, report: Report) -> Result:
    """The same, telling its progress on the way: of each day by itself where it is a week."""
    params = Params(effort_seconds=task.effort_seconds)
    if not task.is_week:
        stop = _Telling(_rule(task, asked, share=1.0), report)
        return solve(problem=task.problem, stop=stop, seed=task.seed, params=params)
    shares = _shares(task.problem)

    def stop_for_day(day: int) -> StopRule:
        return _Telling(_rule(task, asked, share=shares.get(day, 0.0)), report)

    return solve_week(problem=task.problem, stop_for_day=stop_for_day, seed=task.seed, params=params)


@dataclass(frozen=True, slots=True)
class _Telling:
    """A stop rule that tells the progress it is asked about."""

    rule: StopRule
    report: Report

    def __call__(self, progress: Progress) -> bool:
        self.report(progress)
        return self.rule(progress)

    def share(self, progress: Progress) -> float | None:
        return share_used(stop=self.rule, progress=progress)


def _rule(task: SolveTask, asked: Asked, *, share: float) -> StopRule:
    rules: tuple[StopRule, ...] = (Iterations(task.iterations_max), Cancelled(asked))
    if task.seconds_max is not None:
        rules = (*rules, Seconds(task.seconds_max * share))
    return AnyOf(rules)


def _shares(problem: Problem) -> dict[int, float]:
    """Each day's part of the time, by its visits."""
    counted: dict[int, int] = {}
    for demand in problem.demands:
        day = demand.windows[0].earliest // SECONDS_PER_DAY
        counted[day] = counted.get(day, 0) + len(demand.slots)
    total = max(1, sum(counted.values()))
    return {day: count / total for day, count in counted.items()}
