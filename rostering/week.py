"""A week solved day after day, carrying each worker's hours and rest from day to day; it does not look ahead.

The problem's origin is local midnight of the first day and days are 86,400 s long; a visit belongs to the day of its
first window. Shifts belong to the day in which they start, so a night shift may run into the next day.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from rostering.constraint import Violation
from rostering.explain import score
from rostering.lower_bound import lower_bound
from rostering.problem import SECONDS_PER_DAY, Demand, Problem, Shift, Window, Worker
from rostering.roster import Roster, Run, Unfilled
from rostering.solver import Params, Result, RosterFaultError, solve
from rostering.stop import StopRule
from rostering.verify import violations

DAYS_IN_WEEK = 7


@dataclass(slots=True)
class _Carried:
    """What a worker brings into a day: seconds worked so far, last return, and the runs so far (leave, back)."""

    worked_seconds: int
    last_back: int | None
    runs: list[tuple[int, int]]


def solve_week(
    *,
    problem: Problem,
    stop_for_day: Callable[[int], StopRule],
    seed: int,
    params: Params | None = None,
) -> Result:
    """One roster for all days of the problem, by days; `stop_for_day(day)` gives each day its own stop rule.

    Hours limits hold over the whole horizon, spread over the days still to come; daily and weekly rest hold between
    days. Raises RosterFaultError when the whole does not pass the verifier. Iterations and curve are of all days in turn.
    """
    start_day = problem.horizon.start // SECONDS_PER_DAY
    end_day = max(start_day + 1, -(-problem.horizon.end // SECONDS_PER_DAY))
    carried = {worker.id: _Carried(0, worker.last_back, []) for worker in problem.workers}
    by_day = _by_day(problem, start_day, end_day)
    runs: list[Run] = []
    unfilled: list[Unfilled] = []
    curve: list[tuple[int, int]] = []
    iterations = 0
    for day in range(start_day, end_day):
        demands, out = _clear_of(problem, runs, by_day[day])
        today = _day_problem(problem, day, demands, carried)
        unfilled += out
        result = solve(problem=today, stop=stop_for_day(day), seed=seed + day, params=params)
        runs += result.roster.runs
        unfilled += result.roster.unfilled
        curve += [(iterations + at, points) for at, points in result.curve]
        iterations += result.iterations
        _carry(problem.worker_by_id(), result.roster, carried)
    roster = Roster(runs=tuple(runs), unfilled=tuple(unfilled))
    wrong = violations(problem=problem, roster=roster)
    if wrong:
        raise RosterFaultError(wrong)
    return _result(problem, roster, iterations, curve)


def _result(problem: Problem, roster: Roster, iterations: int, curve: list[tuple[int, int]]) -> Result:
    none: tuple[Violation, ...] = ()
    return Result(
        roster=roster,
        objective=score(problem=problem, roster=roster).total,
        lower_bound=lower_bound(problem=problem),
        iterations=iterations,
        curve=tuple(curve),
        violations=none,
    )


def _day_of(demand: Demand) -> int:
    if demand.pinned_start is not None:
        return demand.pinned_start // SECONDS_PER_DAY
    return min(window.earliest for window in demand.windows) // SECONDS_PER_DAY


def _by_day(problem: Problem, start_day: int, end_day: int) -> Mapping[int, tuple[Demand, ...]]:
    days: dict[int, list[Demand]] = {day: [] for day in range(start_day, end_day)}
    for demand in problem.demands:
        days[min(max(_day_of(demand), start_day), end_day - 1)].append(demand)
    return {day: tuple(demands) for day, demands in days.items()}


def _clear_of(
    problem: Problem, runs: list[Run], demands: tuple[Demand, ...]
) -> tuple[tuple[Demand, ...], list[Unfilled]]:
    """The day's demands with windows cut clear of visits of days before; those left without a start are unfilled."""
    by_id = problem.demand_by_id()
    placed: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for run in runs:
        for stop in run.stops:
            before = by_id[stop.visit]
            placed[before.customer].append((stop.end, before.gap_seconds))
    clear: list[Demand] = []
    out: list[Unfilled] = []
    for demand in demands:
        gaps = [(end, max(gap, demand.gap_seconds)) for end, gap in placed[demand.customer]]
        free = max((end + gap for end, gap in gaps if gap), default=None)
        if free is None:
            clear.append(demand)
            continue
        windows = tuple(Window(max(w.earliest, free), w.latest) for w in demand.windows if w.latest >= free)
        if windows and (demand.pinned_start is None or demand.pinned_start >= free):
            clear.append(replace(demand, windows=windows))
        else:
            reason = "a visit of the day before ends too close to it (visit_gap)"
            out += [Unfilled(visit=demand.id, slot=k, reason=reason) for k in range(len(demand.slots))]
    return tuple(clear), out


def _day_problem(problem: Problem, day: int, demands: tuple[Demand, ...], carried: Mapping[str, _Carried]) -> Problem:
    begin = day * SECONDS_PER_DAY
    workers = tuple(_worker_today(worker, begin, carried[worker.id], problem.horizon) for worker in problem.workers)
    return replace(problem, demands=demands, workers=workers, horizon=Shift(begin, begin + SECONDS_PER_DAY))


def _worker_today(worker: Worker, begin: int, so_far: _Carried, horizon: Shift) -> Worker:
    today = (s for s in worker.shifts if begin <= s.start < begin + SECONDS_PER_DAY)
    out_until = begin if so_far.last_back is None else so_far.last_back
    shifts = tuple(Shift(max(s.start, out_until), s.end) for s in today if s.end >= out_until)
    if _needs_rest_today(worker, begin, so_far, horizon):
        shifts = ()
    limit = worker.hours_limit_seconds
    if limit is not None:
        left = max(0, limit - so_far.worked_seconds)
        working_days = len({s.start // SECONDS_PER_DAY for s in worker.shifts if s.start >= begin})
        limit = left if working_days <= 1 else min(left, -(-left * 13 // (10 * working_days)))
    return replace(worker, shifts=shifts, hours_limit_seconds=limit, last_back=so_far.last_back)


def _needs_rest_today(worker: Worker, begin: int, so_far: _Carried, horizon: Shift) -> bool:
    """Whether working today would leave no weekly rest in the week that today belongs to, whatever comes after."""
    week = horizon.start + (begin - horizon.start) // (DAYS_IN_WEEK * SECONDS_PER_DAY) * DAYS_IN_WEEK * SECONDS_PER_DAY
    end = week + DAYS_IN_WEEK * SECONDS_PER_DAY
    if end > horizon.end:
        return False
    free, longest = week, 0
    for leave, back in so_far.runs:
        if back > week:
            longest, free = max(longest, leave - free), max(free, back)
    latest_back = max((s.end for s in worker.shifts if begin <= s.start < begin + SECONDS_PER_DAY), default=begin)
    first_out = min((s.start for s in worker.shifts if begin <= s.start < begin + SECONDS_PER_DAY), default=begin)
    rested = max(longest, first_out - free) >= worker.weekly_rest_seconds
    return not rested and end - latest_back < worker.weekly_rest_seconds


def _carry(workers: Mapping[str, Worker], roster: Roster, carried: Mapping[str, _Carried]) -> None:
    for run in sorted(roster.runs, key=lambda run: run.leave):
        so_far, own_from = carried[run.worker], workers[run.worker].own_time_seconds
        own = sum(stop.waiting_seconds for stop in run.stops[1:] if stop.waiting_seconds >= own_from)
        so_far.worked_seconds += run.back - run.leave - own
        so_far.last_back = run.back
        so_far.runs.append((run.leave, run.back))
