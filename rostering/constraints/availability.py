"""A worker leaves home and is back inside their shifts (and overtime) and outside their leave; runs never overlap."""

from __future__ import annotations

from itertools import pairwise

from rostering.constraint import Constraint, Encoding, RunTimes, Violation
from rostering.problem import Problem, Worker
from rostering.roster import Roster, Run

NAME = "availability"


def encode(_problem: Problem) -> Encoding:
    """A run must lie in the time that is left of the worker's shifts once leave is cut out (one piece a run)."""

    def run(worker: Worker, times: RunTimes) -> bool:
        return any(start <= times.leave and times.back <= end for start, end in available_pieces(worker=worker))

    return Encoding(run=run)


def available_pieces(*, worker: Worker) -> tuple[tuple[int, int], ...]:
    """The worker's shifts, joined where they touch, with leave cut out, in order."""
    joined: list[tuple[int, int]] = []
    for shift in sorted(worker.shifts, key=lambda s: (s.start, s.end)):
        if joined and shift.start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], shift.end))
        else:
            joined.append((shift.start, shift.end))
    for away in worker.leave:
        if away.start < away.end:
            joined = [piece for span in joined for piece in _without(span, (away.start, away.end))]
    return tuple(joined)


def rested_pieces(*, worker: Worker) -> tuple[tuple[int, int], ...]:
    """The available pieces from when the worker's daily rest after their last return before the horizon is over."""
    if worker.last_back is None:
        return available_pieces(worker=worker)
    free = worker.last_back + worker.daily_rest_seconds
    return tuple((max(start, free), end) for start, end in available_pieces(worker=worker) if end >= free)


def _without(span: tuple[int, int], away: tuple[int, int]) -> list[tuple[int, int]]:
    if away[1] <= span[0] or span[1] <= away[0]:
        return [span]
    pieces = [(span[0], away[0]), (away[1], span[1])]
    return [(start, end) for start, end in pieces if start < end]


def violations(problem: Problem, roster: Roster) -> tuple[Violation, ...]:
    """Runs outside shifts, runs that meet leave, and runs of one worker that overlap."""
    workers = problem.worker_by_id()
    by_worker: dict[str, list[Run]] = {}
    wrong: list[Violation] = []
    for run in roster.runs:
        worker = workers[run.worker]
        by_worker.setdefault(worker.id, []).append(run)
        if not _covered(worker, run.leave, run.back):
            sentence = f"{worker.id} is out from {run.leave} to {run.back} s, outside their shifts"
            wrong.append(Violation(rule=NAME, worker=worker.id, sentence=sentence))
        if any(max(run.leave, away.start) < min(run.back, away.end) for away in worker.leave):
            wrong.append(Violation(rule=NAME, worker=worker.id, sentence=f"{worker.id} is on leave during the run"))
    for worker_id, runs in by_worker.items():
        runs.sort(key=lambda run: (run.leave, run.back))
        for before, after in pairwise(runs):
            if after.leave < before.back:
                wrong.append(Violation(rule=NAME, worker=worker_id, sentence=f"two runs of {worker_id} overlap"))
    return tuple(wrong)


def _covered(worker: Worker, start: int, end: int) -> bool:
    reached = start
    shifts = sorted(worker.shifts, key=lambda s: s.start)
    for shift in shifts:
        until = shift.end + (worker.overtime_seconds_max if shift is shifts[-1] else 0)
        if shift.start <= reached <= until:
            if until >= end:
                return True
            reached = until
    return False


CONSTRAINT = Constraint(name=NAME, encode=encode, violations=violations)
