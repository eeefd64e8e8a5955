"""What only the unified search can express, and what it cannot; names for people, no search."""

from __future__ import annotations

from rostering.problem import Demand, Problem, Worker
from rostering.search.compiled import Compiled

WEIGHTS_ONLY = ("waiting_worst", "overtime", "idle_worst", "incompatible", "balance")


def unified_only(*, problem: Problem) -> tuple[str, ...]:
    """The fields of a problem that no engine but `unified` understands, each once, in order; empty when there are none.

    Every other engine refuses a problem for which this is not empty.
    """
    found = [name for demand in problem.demands for name in _of_demand(demand)]
    found += [name for worker in problem.workers for name in _of_worker(worker)]
    found += [f"weights.{name}" for name in WEIGHTS_ONLY if getattr(problem.weights, name)]
    return tuple(dict.fromkeys(found))


def _of_demand(demand: Demand) -> list[str]:
    given = {
        "demands.due_windows": bool(demand.due_windows),
        "demands.due_at_end": demand.due_at_end,
        "demands.late_seconds_max": demand.late_seconds_max is not None,
        "demands.sync.independent": demand.sync.independent,
    }
    return [name for name, is_given in given.items() if is_given]


def _of_worker(worker: Worker) -> list[str]:
    given = {
        "workers.finish": worker.finish is not None and worker.finish != worker.home,
        "workers.overtime_seconds_max": worker.overtime_seconds_max > 0,
        "workers.leaves_at_shift_start": worker.leaves_at_shift_start,
        "workers.meal": worker.meal is not None,
    }
    return [name for name, is_given in given.items() if is_given]


def beyond_unified(*, compiled: Compiled) -> str | None:
    """What of the problem the unified search cannot express; None when it can search it."""
    problem = compiled.problem
    given = {
        "a cost of strangers": problem.weights.stranger > 0,
        "several modes of travel": len(problem.travel.seconds_by_mode) > 1,
        "workers with no duty, or with several": any(len(mine) != 1 for mine in compiled.duties_of),
        "preferred starts": problem.weights.off_preferred > 0
        and any(demand.preferred_start is not None for demand in problem.demands),
    }
    wrong = next((name for name, is_given in given.items() if is_given), None)
    visits = (f"{name} (visit {demand.id})" for demand in problem.demands if (name := _of_visit(demand)))
    days = (f"{name} (worker {worker.id})" for worker in problem.workers if (name := _of_day(worker)))
    return wrong or next(visits, None) or next(days, None)


def _of_visit(demand: Demand) -> str | None:
    opens = demand.due_windows[0].earliest if demand.due_windows else demand.windows[0].earliest
    given = {
        "pinned visits": demand.is_pinned,
        "accepted pop-backs": demand.must_keep,
        "gaps between visits": demand.gap_seconds > 0,
        "hard windows": (not demand.due_windows and demand.due is None) or len(demand.windows) > 1,
        "hard windows that open after the due windows": demand.windows[0].earliest > opens,
        "loads": demand.load > 0,
    }
    return next((name for name, is_given in given.items() if is_given), None)


def _of_day(worker: Worker) -> str | None:
    given = {
        "breaks": worker.break_rule is not None,
        "hours limits": worker.hours_limit_seconds is not None,
        "workers without a home": worker.home is None,
    }
    return next((name for name, is_given in given.items() if is_given), None)
