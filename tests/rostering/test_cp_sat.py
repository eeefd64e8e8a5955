"""How CP-SAT is used here: it must leave the process as it found it."""

import signal

from ortools.sat.python import cp_model

from rostering.cp_sat import cp_solver


def test_a_solve_leaves_ctrl_c_to_whoever_handled_it():
    """CP-SAT's own handler, left behind, ends the process at the next Ctrl-C and throws away the roster found so far."""
    seen = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: seen.append(number))
    try:
        model = cp_model.CpModel()
        model.maximize(model.new_int_var(0, 3, "any"))
        assert cp_solver(seed=1, effort_seconds=1).solve(model) == cp_model.OPTIMAL
        signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [signal.SIGINT]
