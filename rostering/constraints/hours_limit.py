"""A worker's working time over the horizon stays within their limit (contract, visa hours, overtime agreed).

Working time is from leaving home to coming back, less waits long enough to be the worker's own time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

from rostering.constraint import Constraint, Encoding, RunTimes, Violation
from rostering.problem import Problem, Worker
from rostering.roster import Roster

NAME = "hours_limit"


def encode(_problem: Problem) -> Encoding:
    """All runs of a worker together keep within the limit."""

    def days(worker: Worker, runs: Sequence[RunTimes]) -> bool:
        limit = worker.hours_limit_seconds
        return limit is None or sum(_working(worker, times) for times in runs) <= limit

    return Encoding(days=days)


def _working(worker: Worker, times: RunTimes) -> int:
    own = 0
    for arrive, start in zip(times.arrives[1:], times.starts[1:], strict=True):
        if start - arrive >= worker.own_time_seconds:
            own += start - arrive
    return times.back - times.leave - own


def violations(problem: Problem, roster: Roster) -> tuple[Violation, ...]:
    """Workers over their limit."""
    workers = problem.worker_by_id()
    worked: dict[str, int] = defaultdict(int)
    for run in roster.runs:
        worked[run.worker] += run.back - run.leave
        for before, after in pairwise(run.stops):
            idle = after.start - before.end - after.travel_seconds
            if idle >= workers[run.worker].own_time_seconds:
                worked[run.worker] -= idle
    wrong: list[Violation] = []
    for worker_id, seconds in sorted(worked.items()):
        limit = workers[worker_id].hours_limit_seconds
        if limit is not None and seconds > limit:
            sentence = f"{worker_id} works {seconds} s; the limit is {limit} s"
            wrong.append(Violation(rule=NAME, worker=worker_id, sentence=sentence))
    return tuple(wrong)


CONSTRAINT = Constraint(name=NAME, encode=encode, violations=violations)
