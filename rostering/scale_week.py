"""A day's or a week's roster as a piece of work that can be sent to another process or machine; it solves, and keeps nothing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from rostering.problem import SECONDS_PER_DAY, Problem
from rostering.scale import Asked
from rostering.solver import Params, Result, solve
from rostering.stop import AnyOf, Cancelled, Iterations, Progress, Seconds, StopRule
from rostering.week import solve_week

Report = Callable[[Progress], None]


FIRST_SHARE = 0.75
"""Of a week's time so much is for the days one after another; the rest is for mending those that leave visits unfilled."""
MEND_SECONDS_MIN = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class SolveTask:
    """What to solve and for how long: `iterations_max` or `seconds_max`, whichever ends first (one of them is given).

    A week (`is_week`) shares its seconds among its days; iterations are a day's. Without seconds it is repeatable for its
    seed. `processes` is as in Params.
    """

    problem: Problem
    seed: int
    effort_seconds: int
    iterations_max: int | None = None
    seconds_max: float | None = None
    is_week: bool = False
    processes: int | None = 1


def solve_task(task: SolveTask, asked: Asked) -> Result:
    """The best roster found; ended early, with what it has, once `asked` answers True."""
    return solve_reporting(task, asked, lambda _: None)


def solve_reporting(task: SolveTask, asked: Asked, report: Report) -> Result:
    """The same, telling its progress on the way: of each day by itself where it is a week."""
    params = Params(effort_seconds=task.effort_seconds, processes=task.processes)
    if not task.is_week:
        stop = _rule(task, asked, seconds=task.seconds_max)
        return solve(problem=task.problem, stop=stop, seed=task.seed, params=params, report=report)
    times = _Times(task, asked)
    return solve_week(
        problem=task.problem, stop_for_day=times.stop_for_day, seed=task.seed, params=params, report=report
    )


def _rule(task: SolveTask, asked: Asked, *, seconds: float | None) -> StopRule:
    rules: tuple[StopRule, ...] = (Cancelled(asked),)
    if task.iterations_max is not None:
        rules = (*rules, Iterations(task.iterations_max))
    if seconds is not None:
        rules = (*rules, Seconds(seconds))
    return AnyOf(rules)


class _Times:
    """How the week's time is shared: first each day by its visits, then what is left to days that are searched again."""

    def __init__(self, task: SolveTask, asked: Asked) -> None:
        self._task = task
        self._asked = asked
        self._began = time.monotonic()
        self._visits = _visits_by_day(task.problem)
        self._seen: set[int] = set()

    def stop_for_day(self, day: int) -> StopRule:
        """The rule of the day's next search."""
        return _rule(self._task, self._asked, seconds=self._seconds(day))

    def _seconds(self, day: int) -> float | None:
        whole = self._task.seconds_max
        if whole is None:
            return None
        if day not in self._seen:
            self._seen.add(day)
            return FIRST_SHARE * whole * self._visits.get(day, 0) / max(1, sum(self._visits.values()))
        left = self._began + whole - time.monotonic()
        return max(MEND_SECONDS_MIN, min(left / 2, whole * (1 - FIRST_SHARE) / len(self._visits)))


def _visits_by_day(problem: Problem) -> Counter[int]:
    return Counter(demand.windows[0].earliest // SECONDS_PER_DAY for demand in problem.demands for _ in demand.slots)
