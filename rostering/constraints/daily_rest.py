"""Between a worker's last return of one day and first leaving of the next lies their daily rest (11 hours).

Days are counted from the problem's origin, by when the run leaves; two runs of one day are a split shift.
Source: Working Time Regulations 1998, regulation 10.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

from rostering.constraint import Constraint, Encoding, RunTimes, Violation
from rostering.problem import SECONDS_PER_DAY, Problem, Worker
from rostering.roster import Roster, Run

NAME = "daily_rest"


def encode(_problem: Problem) -> Encoding:
    """Neighbouring runs on different days, and the one before this horizon, are a rest apart."""

    def days(worker: Worker, runs: Sequence[RunTimes]) -> bool:
        rest = worker.daily_rest_seconds
        if runs and worker.last_back is not None and runs[0].leave - worker.last_back < rest:
            return False
        return all(
            after.leave - before.back >= rest
            for before, after in pairwise(runs)
            if before.leave // SECONDS_PER_DAY != after.leave // SECONDS_PER_DAY
        )

    return Encoding(days=days)


def violations(problem: Problem, roster: Roster) -> tuple[Violation, ...]:
    """Workers with too short a night."""
    workers = problem.worker_by_id()
    by_worker: dict[str, list[Run]] = defaultdict(list)
    for run in roster.runs:
        by_worker[run.worker].append(run)
    wrong: list[Violation] = []
    for worker_id, runs in by_worker.items():
        worker = workers[worker_id]
        back, day = worker.last_back, None
        for run in sorted(runs, key=lambda run: run.leave):
            today = run.leave // SECONDS_PER_DAY
            if back is not None and today != day and run.leave - back < worker.daily_rest_seconds:
                sentence = f"{worker_id} rests {run.leave - back} s before leaving at {run.leave} s"
                wrong.append(Violation(rule=NAME, worker=worker_id, sentence=sentence))
            back, day = run.back, today
    return tuple(wrong)


CONSTRAINT = Constraint(name=NAME, encode=encode, violations=violations)
