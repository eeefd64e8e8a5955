"""OR-Tools CP-SAT proves the best roster of a small problem; it is no search for large ones, and knows not every rule.

It finds patterns that no single order of all visits expresses (the second half of one sequence before the first half
of another, both ways round). What it cannot express, `refuses` names.
"""

from __future__ import annotations

from dataclasses import dataclass

from ortools.sat.python import cp_model

from rostering.bounds_slots import slots_of
from rostering.cp_sat import cp_solver
from rostering.search.compiled import Compiled
from rostering.search.engine import Answer
from rostering.search.exact_model import build, runs_of

VISITS_MAX = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Proved:
    """The best answer found, its points, a bound on the points of any answer, and whether the two meet."""

    answer: Answer
    objective: int
    bound: int

    @property
    def is_optimal(self) -> bool:
        """Whether no answer is better."""
        return self.objective <= self.bound


def refuses(*, compiled: Compiled) -> str | None:
    """What of the problem the model cannot express, as a short reason; None when it can prove it."""
    problem, weights, demands = compiled.problem, compiled.problem.weights, compiled.demands
    workers, customers = problem.workers, {demand.customer for demand in demands}
    reasons = (
        ("several duties a worker", any(len(duties) > 1 for duties in compiled.duties_of)),
        ("breaks and hours limits", any(w.break_rule or w.hours_limit_seconds is not None for w in workers)),
        ("meals and capacity", any(w.meal or w.capacity is not None for w in workers)),
        ("overtime", any(w.overtime_seconds_max for w in workers)),
        ("another end of the day than home", any(w.finish is not None or w.leaves_at_shift_start for w in workers)),
        ("gaps between visits", len(customers) < len(demands) and any(d.gap_seconds for d in demands)),
        ("due windows", any(d.due_windows or d.due_at_end or d.late_seconds_max is not None for d in demands)),
        ("independent slots", any(d.sync.independent for d in demands)),
        ("incompatible workers", any(d.incompatible_workers for d in demands)),
        ("accepted pop-backs", any(d.must_keep for d in demands)),
        ("whom customers see over days", weights.stranger),
        ("idle time, balance and the worst wait", weights.idle_worst or weights.balance or weights.waiting_worst),
    )
    return next((reason for reason, applies in reasons if applies), None)


def can_prove(*, compiled: Compiled) -> bool:
    """Whether `prove` takes the problem: few enough visits, and no rule that it does not know."""
    return len(compiled.demands) <= VISITS_MAX and refuses(compiled=compiled) is None


def prove(*, compiled: Compiled, effort_seconds: float, seed: int) -> Proved:
    """The best answer to a small problem, with its proof when CP-SAT ends within its effort (deterministic time).

    Raises ValueError for a problem that `refuses` or that has more than VISITS_MAX visits.
    """
    reason = refuses(compiled=compiled)
    if reason is not None or len(compiled.demands) > VISITS_MAX:
        raise ValueError(reason or f"{len(compiled.demands)} visits; at most {VISITS_MAX} can be proved")
    model = build(
        compiled=compiled,
        slots=slots_of(compiled=compiled),
    )
    solver = cp_solver(seed=seed, effort_seconds=effort_seconds)
    if solver.solve(model.cp) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return Proved(answer=Answer(runs={}, iterations=0), objective=sum(compiled.penalty), bound=0)
    objective = round(solver.objective_value)
    answer = Answer(runs=runs_of(model=model, solver=solver), iterations=1, curve=((1, objective),))
    return Proved(answer=answer, objective=objective, bound=round(solver.best_objective_bound))
