"""The independent verifier: every hard rule's own check of a finished roster; it shares no code with the search."""

from __future__ import annotations

from rostering.constraint import Violation
from rostering.constraints import CONSTRAINTS, complete
from rostering.problem import Problem
from rostering.roster import Roster


def violations(*, problem: Problem, roster: Roster) -> tuple[Violation, ...]:
    """Everything that is wrong with the roster, in the order of CONSTRAINTS; empty when it may be published.

    A roster that names unknown visits or workers, or has a slot twice, is reported as that alone.
    """
    unsound = complete.violations(problem, roster)
    if unsound:
        return unsound
    return tuple(wrong for rule in CONSTRAINTS for wrong in rule.violations(problem, roster))
