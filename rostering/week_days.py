"""The days of a problem of several, each by itself: for bounds, and to measure a week against. Weeks are solved whole.

The problem's origin is local midnight of the first day and days are 86,400 s long. A visit belongs to the day of its
first window, a shift to the day in which it starts (a night shift runs into the next).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rostering.problem import SECONDS_PER_DAY, Demand, Problem, Shift, Worker


def days_of(*, problem: Problem) -> range:
    """The numbers of the problem's days, counted from its origin."""
    first = problem.horizon.start // SECONDS_PER_DAY
    return range(first, max(first + 1, -(-problem.horizon.end // SECONDS_PER_DAY)))


def demands_by_day(*, problem: Problem) -> Mapping[int, tuple[Demand, ...]]:
    """The visits of each day; those outside the horizon go to its first or last day."""
    numbers = days_of(problem=problem)
    days: dict[int, list[Demand]] = {number: [] for number in numbers}
    for demand in problem.demands:
        days[min(max(_day_of(demand), numbers[0]), numbers[-1])].append(demand)
    return {number: tuple(demands) for number, demands in days.items()}


def _day_of(demand: Demand) -> int:
    if demand.pinned_start is not None:
        return demand.pinned_start // SECONDS_PER_DAY
    return min(window.earliest for window in demand.windows) // SECONDS_PER_DAY


def fresh_days(*, problem: Problem) -> tuple[Problem, ...]:
    """Each day with all shifts that begin on it and nothing of the other days.

    Hours limits stay whole, and nobody's rest or continuity counts from one day to the next: where no shift goes over
    midnight no week's day can be better. A night shift's visits after midnight are of the next day, without it.
    """
    weights = replace(problem.weights, stranger=0)
    return tuple(
        replace(
            problem,
            demands=demands,
            workers=tuple(_fresh(worker, number) for worker in problem.workers),
            horizon=Shift(number * SECONDS_PER_DAY, (number + 1) * SECONDS_PER_DAY),
            weights=weights,
        )
        for number, demands in demands_by_day(problem=problem).items()
    )


def _fresh(worker: Worker, number: int) -> Worker:
    today = tuple(shift for shift in worker.shifts if shift.start // SECONDS_PER_DAY == number)
    return replace(worker, shifts=today, last_back=None)
