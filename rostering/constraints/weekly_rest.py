"""In each whole seven days of the horizon a worker has one unbroken weekly rest (24 hours); shorter horizons: no check.

Source: Working Time Regulations 1998, regulation 11.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

from rostering.constraint import Constraint, Encoding, RunTimes, Violation
from rostering.problem import SECONDS_PER_DAY, Problem, Worker
from rostering.roster import Roster

NAME = "weekly_rest"
WEEK_SECONDS = 7 * SECONDS_PER_DAY


def encode(problem: Problem) -> Encoding:
    """Runs leave a long enough hole in every whole week."""
    weeks = (problem.horizon.end - problem.horizon.start) // WEEK_SECONDS

    def days(worker: Worker, runs: Sequence[RunTimes]) -> bool:
        for week in range(weeks):
            start = problem.horizon.start + week * WEEK_SECONDS
            if not _has_hole(worker, runs, start, start + WEEK_SECONDS):
                return False
        return True

    return Encoding(days=days if weeks else None)


def _has_hole(worker: Worker, runs: Sequence[RunTimes], start: int, end: int) -> bool:
    free = start
    for times in runs:
        if times.back <= start or times.leave >= end:
            continue
        if times.leave - free >= worker.weekly_rest_seconds:
            return True
        free = max(free, times.back)
    return end - free >= worker.weekly_rest_seconds


def violations(problem: Problem, roster: Roster) -> tuple[Violation, ...]:
    """Workers without a weekly rest."""
    workers = problem.worker_by_id()
    out: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for run in roster.runs:
        out[run.worker].append((run.leave, run.back))
    wrong: list[Violation] = []
    start = problem.horizon.start
    while start + WEEK_SECONDS <= problem.horizon.end:
        end = start + WEEK_SECONDS
        for worker_id, runs in sorted(out.items()):
            clipped = sorted((max(a, start), min(b, end)) for a, b in runs if a < end and b > start)
            marks = [(start, start), *clipped, (end, end)]
            longest = max(after[0] - before[1] for before, after in pairwise(marks))
            if longest < workers[worker_id].weekly_rest_seconds:
                sentence = f"{worker_id} has at most {longest} s of rest in the week from {start} s"
                wrong.append(Violation(rule=NAME, worker=worker_id, sentence=sentence))
        start = end
    return tuple(wrong)


CONSTRAINT = Constraint(name=NAME, encode=encode, violations=violations)
