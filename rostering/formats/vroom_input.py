"""A Problem as VROOM's JSON input, where VROOM can express it; what it cannot is named. It reads nothing (see vroom)."""

from __future__ import annotations

from typing import Any

from rostering.constraints.availability import rested_pieces
from rostering.problem import Demand, Problem, Worker
from rostering.search.compiled import Compiled, compile_problem

SECONDS_MAX = 2**31


class CannotExpressError(ValueError):
    """What of a problem another solver has no words for."""

    def __init__(self, what: str) -> None:
        super().__init__(f"cannot express: {what}")
        self.what = what


def vroom_input(*, problem: Problem) -> dict[str, Any]:
    """The problem as VROOM input: job and vehicle ids are positions, times start at 0. Raises CannotExpressError.

    Who may go where (skills, gender, language, exclusions, pinned workers) becomes one skill for each set of workers.
    """
    compiled = compile_problem(problem=problem)
    _refuse(compiled)
    began = min([piece[0] for worker in problem.workers for piece in rested_pieces(worker=worker)], default=0)
    began = min([began, *(span[0] for spans in compiled.windows for span in spans)])
    allowed = [
        frozenset(compiled.duties[r].worker for r in compiled.eligible[d][0]) for d in range(len(problem.demands))
    ]
    skill_of = {who: number for number, who in enumerate(sorted(set(allowed), key=sorted), start=1)}
    loads = any(worker.capacity is not None for worker in problem.workers)
    jobs = [_job(compiled, d, began, skill_of[allowed[d]], loads=loads) for d in range(len(problem.demands))]
    vehicles = []
    for w, worker in enumerate(problem.workers):
        pieces = rested_pieces(worker=worker)
        if pieces:
            skills = sorted(number for who, number in skill_of.items() if w in who)
            vehicles.append(_vehicle(problem, w, (pieces[0][0] - began, pieces[0][1] - began), skills, loads=loads))
    matrices = {mode: {"durations": matrix.tolist()} for mode, matrix in problem.travel.seconds_by_mode.items()}
    return {"jobs": jobs, "vehicles": vehicles, "matrices": matrices}


def _job(compiled: Compiled, d: int, began: int, skill: int, *, loads: bool) -> dict[str, Any]:
    demand = compiled.demands[d]
    job: dict[str, Any] = {
        "id": d,
        "description": demand.id,
        "location_index": demand.place,
        "service": demand.slots[0].service_seconds,
        "skills": [skill],
        "time_windows": [[lo - began, hi - began] for lo, hi in compiled.windows[d]],
    }
    return job | {"delivery": [demand.load]} if loads else job


def _vehicle(problem: Problem, w: int, window: tuple[int, int], skills: list[int], *, loads: bool) -> dict[str, Any]:
    worker = problem.workers[w]
    vehicle: dict[str, Any] = {
        "id": w,
        "description": worker.id,
        "profile": worker.mode,
        "start_index": worker.home,
        "end_index": worker.last_place,
        "skills": skills,
        "time_window": list(window),
    }
    if loads:
        every = sum(demand.load for demand in problem.demands)
        vehicle["capacity"] = [every if worker.capacity is None else worker.capacity]
    return vehicle


def _refuse(compiled: Compiled) -> None:
    for what, is_so in (_of_visits(compiled) | _of_workers(compiled) | _of_wishes(compiled)).items():
        if is_so:
            raise CannotExpressError(what)


def _of_visits(compiled: Compiled) -> dict[str, bool]:
    demands = compiled.demands
    return {
        "double-ups": any(len(demand.slots) > 1 for demand in demands),
        "lateness at a cost": any(demand.due is not None or demand.due_windows for demand in demands),
        "visits without a legal start": any(not spans for spans in compiled.windows),
        "least gaps between visits of one customer": any(_has_gap(demand, demands) for demand in demands),
        "unlike penalties for unfilled visits": len(set(compiled.penalty)) > 1,
    }


def _has_gap(demand: Demand, demands: tuple[Demand, ...]) -> bool:
    return demand.gap_seconds > 0 and any(
        other.customer == demand.customer and other.id != demand.id for other in demands
    )


def _of_workers(compiled: Compiled) -> dict[str, bool]:
    workers = compiled.workers
    return {
        "workers without a home": any(worker.home is None for worker in workers),
        "several shifts of one worker": any(len(rested_pieces(worker=worker)) > 1 for worker in workers),
        "hours limits": any(worker.hours_limit_seconds is not None for worker in workers),
        "breaks of runs over so many hours": any(_rests(worker) for worker in workers),
        "overtime": any(worker.overtime_seconds_max for worker in workers),
        "leaving at the start of a shift": any(worker.leaves_at_shift_start for worker in workers),
    }


def _rests(worker: Worker) -> bool:
    return worker.break_rule is not None or worker.meal is not None


def _of_wishes(compiled: Compiled) -> dict[str, bool]:
    weights = compiled.problem.weights
    demands = compiled.demands
    return {
        "a price of waiting": bool(weights.waiting or weights.waiting_worst or weights.idle_worst),
        "a price of unbalanced work": bool(weights.balance),
        "a price of strangers": bool(weights.stranger),
        "preferred starts": bool(weights.off_preferred) and any(d.preferred_start is not None for d in demands),
        "wished-for workers": any(cost for rows in compiled.soft_cost for row in rows for cost in row),
        "times over 68 years": any(
            int(m.max(initial=0)) >= SECONDS_MAX for m in compiled.problem.travel.seconds_by_mode.values()
        ),
    }
