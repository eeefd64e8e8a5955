"""A week's problem taken apart into days that can be solved without knowing of each other; it solves none of them.

The problem's origin is local midnight of the first day and days are 86,400 s long. A visit belongs to the day of its
first window, a shift to the day in which it starts (a night shift runs into the next). What ties days together is
settled beforehand, always on the safe side: daily rest by trimming the less wanted of two shifts, weekly rest by a day
off, hours limits by a share for each day, gaps between a customer's visits by cutting windows. Valid days therefore
make a valid week. `day_within` is the other way: one day, given what the other days turned out to be.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from rostering.constraints.availability import available_pieces
from rostering.problem import SECONDS_PER_DAY, Demand, Problem, Shift, Window, Worker
from rostering.roster import Run, Unfilled
from rostering.week_rest import Hours, cut, needs_day_off, rested

TOO_CLOSE = "a visit of the day before or after leaves it no start that keeps the gap (visit_gap)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One day to solve, and the slots that have no legal start on it whatever is done."""

    number: int
    problem: Problem
    unfilled: tuple[Unfilled, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """When a visit placed on another day takes place, with the gap it wants."""

    start: int
    end: int
    gap_seconds: int


def days_of(*, problem: Problem) -> range:
    """The numbers of the problem's days, counted from its origin."""
    first = problem.horizon.start // SECONDS_PER_DAY
    return range(first, max(first + 1, -(-problem.horizon.end // SECONDS_PER_DAY)))


def demands_by_day(*, problem: Problem) -> Mapping[int, tuple[Demand, ...]]:
    """The visits of each day; those outside the horizon go to its first or last day."""
    numbers = days_of(problem=problem)
    days: dict[int, list[Demand]] = {number: [] for number in numbers}
    for demand in problem.demands:
        days[min(max(_day_of(demand), numbers[0]), numbers[-1])].append(demand)
    return {number: tuple(demands) for number, demands in days.items()}


def _day_of(demand: Demand) -> int:
    if demand.pinned_start is not None:
        return demand.pinned_start // SECONDS_PER_DAY
    return min(window.earliest for window in demand.windows) // SECONDS_PER_DAY


def days_apart(*, problem: Problem) -> tuple[Day, ...]:
    """The days, each with the workers and windows it may use whatever the others do.

    Source of the rests: Working Time Regulations 1998, regulations 10 and 11.
    """
    numbers, by_day = days_of(problem=problem), demands_by_day(problem=problem)
    hours = Hours.wanted(problem=problem)
    workers: dict[int, list[Worker]] = {number: [] for number in numbers}
    for worker in problem.workers:
        pieces = rested(problem=problem, worker=worker, by_day=_by_day(worker, numbers), hours=hours)
        for number, worker_today in _shared_out(worker, pieces).items():
            workers[number].append(worker_today)
    apart: list[Day] = []
    fixed: dict[str, list[Span]] = defaultdict(list)
    for number in numbers:
        demands, out = _clear(by_day[number], fixed)
        for demand in demands:
            fixed[demand.customer].append(_reached(demand))
        apart.append(_day(problem, number, demands, workers[number], out))
    return tuple(apart)


def fresh_days(*, problem: Problem) -> tuple[Problem, ...]:
    """Each day with all shifts that begin on it and nothing of the other days: what no week's day can be better than."""
    by_day = demands_by_day(problem=problem)
    return tuple(
        _day(problem, number, demands, [_fresh(worker, number) for worker in problem.workers], ()).problem
        for number, demands in by_day.items()
    )


def _fresh(worker: Worker, number: int) -> Worker:
    today = tuple(shift for shift in worker.shifts if shift.start // SECONDS_PER_DAY == number)
    return replace(worker, shifts=today, last_back=None)


def _day(
    problem: Problem, number: int, demands: Iterable[Demand], workers: Iterable[Worker], out: Iterable[Unfilled]
) -> Day:
    begin = number * SECONDS_PER_DAY
    horizon = Shift(begin, begin + SECONDS_PER_DAY)
    today = replace(problem, demands=tuple(demands), workers=tuple(workers), horizon=horizon)
    return Day(number=number, problem=today, unfilled=tuple(out))


def _by_day(worker: Worker, numbers: range) -> dict[int, tuple[Shift, ...]]:
    """The worker's pieces of time (shifts less leave) by the day in which their shift starts; none reaches into the next's."""
    shifts: dict[int, list[Shift]] = {number: [] for number in numbers}
    until = None
    for shift in sorted(worker.shifts, key=lambda s: (s.start, s.end)):
        number = shift.start // SECONDS_PER_DAY
        if number not in shifts:
            continue
        start = shift.start if until is None else max(shift.start, until)
        if start < shift.end:
            shifts[number].append(Shift(start, shift.end))
            until = shift.end + worker.overtime_seconds_max
    out: dict[int, tuple[Shift, ...]] = {}
    for number, some in shifts.items():
        pieces = available_pieces(worker=replace(worker, shifts=tuple(some)))
        out[number] = tuple(Shift(start, end) for start, end in pieces)
    return out


def _shared_out(worker: Worker, pieces: Mapping[int, tuple[Shift, ...]]) -> dict[int, Worker]:
    """The worker on each day: its pieces of time, and of the hours limit a share as long as the day is of the week."""
    seconds = {number: sum(shift.end - shift.start for shift in shifts) for number, shifts in pieces.items()}
    whole, limit = sum(seconds.values()), worker.hours_limit_seconds
    return {
        number: replace(
            worker,
            shifts=shifts,
            hours_limit_seconds=None if limit is None else limit * seconds[number] // max(1, whole),
        )
        for number, shifts in pieces.items()
    }


def _reached(demand: Demand) -> Span:
    """The longest time the visit could take up."""
    pin = demand.pinned_start
    first = min(window.earliest for window in demand.windows) if pin is None else pin
    last = max(window.latest for window in demand.windows) if pin is None else pin
    return Span(first, last + _longest(demand), demand.gap_seconds)


def _longest(demand: Demand) -> int:
    return max(slot.service_seconds + (demand.sync.max_seconds if k else 0) for k, slot in enumerate(demand.slots))


def _clear(demands: Iterable[Demand], placed: Mapping[str, list[Span]]) -> tuple[list[Demand], list[Unfilled]]:
    """The demands with windows cut clear of visits of other days; those left without a start are unfilled."""
    clear: list[Demand] = []
    out: list[Unfilled] = []
    for demand in demands:
        left = _clear_of(demand, placed.get(demand.customer, []))
        if left is None:
            out += [Unfilled(visit=demand.id, slot=k, reason=TOO_CLOSE) for k in range(len(demand.slots))]
        else:
            clear.append(left)
    return clear, out


def _clear_of(demand: Demand, others: list[Span]) -> Demand | None:
    longest, windows = _longest(demand), list(demand.windows)
    for other in others:
        gap = max(demand.gap_seconds, other.gap_seconds)
        if not gap:
            continue
        before, after = other.start - gap - longest, other.end + gap
        if demand.pinned_start is not None and before < demand.pinned_start < after:
            return None
        windows = [
            piece
            for w in windows
            for piece in (Window(w.earliest, min(w.latest, before)), Window(max(w.earliest, after), w.latest))
            if piece.earliest <= piece.latest
        ]
    windows = sorted(set(windows), key=lambda w: (w.earliest, w.latest))
    if tuple(windows) == demand.windows:
        return demand
    return replace(demand, windows=tuple(windows)) if windows else None


def day_within(*, problem: Problem, number: int, others: Mapping[int, Sequence[Run]]) -> Day:
    """The day as it may be given the runs of all other days: hours that are left, rest from and to them, real gaps.

    `others` holds the runs by day; those of this day, if any, are left out of account.
    """
    elsewhere = {day: runs for day, runs in others.items() if day != number}
    spans = _spans(problem, [run for runs in elsewhere.values() for run in runs])
    demands, out = _clear(demands_by_day(problem=problem)[number], spans)
    by_worker: dict[str, list[tuple[int, Run]]] = defaultdict(list)
    for day, runs in elsewhere.items():
        for run in runs:
            by_worker[run.worker].append((day, run))
    numbers = days_of(problem=problem)
    workers = [_worker_within(problem, worker, number, numbers, by_worker[worker.id]) for worker in problem.workers]
    return _day(problem, number, demands, workers, out)


def _spans(problem: Problem, runs: Iterable[Run]) -> dict[str, list[Span]]:
    by_id = problem.demand_by_id()
    spans: dict[str, list[Span]] = defaultdict(list)
    for run in runs:
        for stop in run.stops:
            demand = by_id[stop.visit]
            spans[demand.customer].append(Span(stop.start, stop.end, demand.gap_seconds))
    return spans


def _worker_within(
    problem: Problem, worker: Worker, number: int, numbers: range, others: Sequence[tuple[int, Run]]
) -> Worker:
    rest, overtime = worker.daily_rest_seconds, worker.overtime_seconds_max
    first = max((run.back + rest for day, run in others if day < number), default=None)
    last = min((run.leave - rest - overtime for day, run in others if day > number), default=None)
    shifts = cut(shifts=_by_day(worker, numbers)[number], since=first, until=last)
    out = [(run.leave, run.back) for _, run in others]
    if shifts and needs_day_off(problem=problem, worker=worker, out=out, today=shifts):
        shifts = ()
    limit = worker.hours_limit_seconds
    if limit is not None:
        limit = max(0, limit - sum(working_seconds(worker=worker, run=run) for _, run in others))
    return replace(worker, shifts=shifts, hours_limit_seconds=limit)


def working_seconds(*, worker: Worker, run: Run) -> int:
    """Working time of a run: out of the house, less waits long enough to be the worker's own time."""
    own = sum(stop.waiting_seconds for stop in run.stops[1:] if stop.waiting_seconds >= worker.own_time_seconds)
    return run.back - run.leave - own
