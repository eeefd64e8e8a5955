"""A run longer than the rule's hours, home to home, has one idle stretch of at least the rule's break between visits."""

from __future__ import annotations

from itertools import pairwise

from rostering.constraint import Constraint, Encoding, RunTimes, Violation
from rostering.problem import Problem, Worker
from rostering.roster import Roster

NAME = "breaks"


def encode(_problem: Problem) -> Encoding:
    """A long run must have a wait of the break's length at some stop after the first."""

    def run(worker: Worker, times: RunTimes) -> bool:
        rule = worker.break_rule
        if rule is None or times.back - times.leave <= rule.after_seconds:
            return True
        waits = zip(times.arrives[1:], times.starts[1:], strict=True)
        return any(start - arrive >= rule.seconds for arrive, start in waits)

    return Encoding(run=run)


def violations(problem: Problem, roster: Roster) -> tuple[Violation, ...]:
    """Long runs without a break. (A run of one visit longer than the limit has nowhere to put one: a violation.)"""
    workers = problem.worker_by_id()
    wrong: list[Violation] = []
    for run in roster.runs:
        rule = workers[run.worker].break_rule
        if rule is None or run.back - run.leave <= rule.after_seconds:
            continue
        longest = 0
        for before, after in pairwise(run.stops):
            longest = max(longest, after.start - before.end - after.travel_seconds)
        if longest < rule.seconds or len(run.stops) < 2:
            sentence = f"{run.worker} is out for {run.back - run.leave} s with no break over {longest} s"
            wrong.append(Violation(rule=NAME, worker=run.worker, sentence=sentence))
    return tuple(wrong)


CONSTRAINT = Constraint(name=NAME, encode=encode, violations=violations)
