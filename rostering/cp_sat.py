"""The one place that makes a CP-SAT solver: repeatable, on one thread, and leaving Ctrl-C to who had it. Not a model."""

from __future__ import annotations

from ortools.sat.python import cp_model


def cp_solver(*, seed: int, effort_seconds: float) -> cp_model.CpSolver:
    """A solver that a seed and deterministic seconds repeat anywhere.

    By itself CP-SAT takes over Ctrl-C and afterwards leaves it ending the process at once, whatever had handled it.
    """
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = seed % 2**31
    solver.parameters.max_deterministic_time = effort_seconds
    solver.parameters.catch_sigint_signal = False
    return solver
