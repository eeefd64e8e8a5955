"""Every slot is in exactly one run, or is said to be unfilled; the search keeps this by how it is built."""

from __future__ import annotations

from collections import Counter

from rostering.constraint import Constraint, Encoding, Violation
from rostering.problem import Problem
from rostering.roster import Roster

NAME = "complete"


def encode(_problem: Problem) -> Encoding:
    """Nothing to ask: the search moves each slot between runs and the unfilled list."""
    return Encoding()


def violations(problem: Problem, roster: Roster) -> tuple[Violation, ...]:
    """Slots that are missing, in two places, or unknown, and workers who are unknown."""
    wanted = {(demand.id, slot) for demand in problem.demands for slot in range(len(demand.slots))}
    found = Counter((stop.visit, stop.slot) for run in roster.runs for stop in run.stops)
    found.update((unfilled.visit, unfilled.slot) for unfilled in roster.unfilled)
    wrong = [
        Violation(rule=NAME, visit=visit, sentence=f"slot {slot} of visit {visit} appears {found[visit, slot]} times")
        for visit, slot in sorted(wanted | set(found))
        if found[visit, slot] != 1 or (visit, slot) not in wanted
    ]
    workers = problem.worker_by_id()
    wrong += [
        Violation(rule=NAME, worker=run.worker, sentence=f"worker {run.worker} is not in the problem")
        for run in roster.runs
        if run.worker not in workers
    ]
    return tuple(wrong)


CONSTRAINT = Constraint(name=NAME, encode=encode, violations=violations)
