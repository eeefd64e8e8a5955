"""What the workers' days cost in points, from a finished roster: waits, overtime, idleness, meals, incompatibility, balance.

It reads the roster alone and shares nothing with the search.
"""

from __future__ import annotations

from rostering.problem import Problem, Worker
from rostering.roster import Roster, Run


def days(*, problem: Problem, roster: Roster) -> dict[str, int]:
    """Points by the name of their field in `Score`, all 0 for a problem that weighs none of them."""
    weights, demands = problem.weights, problem.demand_by_id()
    runs: dict[str, list[Run]] = {worker.id: [] for worker in problem.workers}
    for run in roster.runs:
        runs[run.worker].append(run)
    idle = [idle_seconds(worker=worker, runs=runs[worker.id]) for worker in problem.workers]
    work = [sum(busy_seconds(run=run) for run in runs[worker.id]) for worker in problem.workers]
    unkind = sum(run.worker in demands[stop.visit].incompatible_workers for run in roster.runs for stop in run.stops)
    return {
        "waiting_worst": weights.waiting_worst * max((wait for run in roster.runs for wait in run.waits), default=0),
        "overtime": weights.overtime * sum(overtime_seconds(worker=w, runs=runs[w.id]) for w in problem.workers),
        "idle_worst": weights.idle_worst * max(idle, default=0),
        "missed_meal": sum(_missed(worker, runs[worker.id]) for worker in problem.workers),
        "incompatible": weights.incompatible * unkind,
        "balance": weights.balance * imbalance(work=work),
    }


def busy_seconds(*, run: Run) -> int:
    """Care and travel of a run."""
    return run.travel_seconds + sum(stop.end - stop.start for stop in run.stops)


def overtime_seconds(*, worker: Worker, runs: list[Run]) -> int:
    """Seconds between the end of the worker's last shift and their coming back after it."""
    ends = max((shift.end for shift in worker.shifts), default=0)
    return max(0, max((run.back for run in runs), default=ends) - ends)


def idle_seconds(*, worker: Worker, runs: list[Run]) -> int:
    """Seconds of the shifts (and of overtime) in which the worker neither travels, cares nor eats."""
    long = sum(shift.end - shift.start for shift in worker.shifts)
    busy = sum(run.back - run.leave - run.away_idle_seconds for run in runs)
    return max(0, long + overtime_seconds(worker=worker, runs=runs) - busy)


def imbalance(*, work: list[int]) -> int:
    """Sum over workers of |their work - the mean|, each rounded up to a whole second (published so by Bazirha)."""
    people, total = len(work), sum(work)
    return sum(-(-abs(each * people - total) // people) for each in work)


def _missed(worker: Worker, runs: list[Run]) -> int:
    if worker.meal is None or any(run.meal is not None for run in runs):
        return 0
    return worker.meal.missed_penalty or 0
