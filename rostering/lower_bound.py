"""A lower bound on the objective of any roster: always valid, tight for small problems that CP-SAT proves.

The relaxations are in `bounds`, the proof in `search.exact`.
"""

from __future__ import annotations

from rostering.bounds import objective_bound
from rostering.problem import Problem
from rostering.search.compiled import Compiled, compile_problem

SEED = 1


def lower_bound(*, problem: Problem, compiled: Compiled | None = None, effort_seconds: float = 0.0) -> int:
    """Points that no roster of the problem can beat: shortest ways between visits, and penalties of what none can do.

    With some effort (CP-SAT's deterministic seconds), problems of few visits get the bound of a proof of the best roster.
    """
    compiled = compiled or compile_problem(problem=problem)
    relaxed = objective_bound(problem=problem, compiled=compiled)
    if effort_seconds <= 0:
        return relaxed
    from rostering.search.exact import can_prove, prove

    if not can_prove(compiled=compiled):
        return relaxed
    return max(relaxed, prove(compiled=compiled, effort_seconds=effort_seconds, seed=SEED).bound)
