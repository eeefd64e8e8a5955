"""A lower bound on the objective of any roster; valid always, tight seldom. The relaxations are in `bounds`."""

from __future__ import annotations

from rostering.bounds import objective_bound
from rostering.problem import Problem
from rostering.search.compiled import Compiled


def lower_bound(*, problem: Problem, compiled: Compiled | None = None) -> int:
    """Points that no roster of the problem can beat: shortest ways between visits, and penalties of what none can do."""
    return objective_bound(problem=problem, compiled=compiled)
