"""A week's roster within a time, its days side by side in processes: a first plan soon, then the long searches, then mending.

What a day is and how it is searched is `week`'s; who should see whom is `teams`'. Ended early it keeps what it has.
"""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field, replace
from multiprocessing.synchronize import Event
from types import TracebackType
from typing import Literal, Self

from rostering.problem import Problem
from rostering.roster import Roster
from rostering.solver import Params, Result
from rostering.stop import AnyOf, Cancelled, Seconds, StopRule
from rostering.week import NO_TEAMS, STRANGER_SECONDS, DayResult, Teams, Week, mend_day, solve_day, teams_for
from rostering.week_days import Day, days_apart

Clock = Literal["wall", "cpu"]
CLOCKS: Mapping[str, Callable[[], float]] = {"wall": time.monotonic, "cpu": time.process_time}
FIRST_SHARE, FIRST_SECONDS = 0.02, (1.0, 3.0)
"""Of the whole time so much goes into the first plan of each day, within these bounds."""
TEAMS_SHARE, TEAMS_SECONDS_MAX = 0.015, 4.0
"""Of the whole time so much is CP-SAT's for the teams, as its deterministic time, and never more."""
LAST_SHARE = 0.06
"""Of the whole time so much is kept for mending and verifying."""


POLL_SECONDS = 0.2


def _nobody() -> bool:
    """Nobody asks to end early."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A day done: which, in which round ("first", "long", "mend"), and the slots unfilled on all days so far."""

    round: str
    day: int
    unfilled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekFound:
    """The week's result and how it came: seconds to the first verified plan, its unfilled slots, each long search's seconds."""

    result: Result
    teams: Teams
    first_seconds: float
    first_unfilled: int
    day_seconds: Mapping[int, float] = field(default_factory=dict)


def roster_week(
    *,
    problem: Problem,
    seconds: float,
    seed: int,
    processes: int = 2,
    stranger_seconds: int = STRANGER_SECONDS,
    params: Params | None = None,
    clock: Clock = "wall",
    progress: Callable[[Step], None] | None = None,
    asked: Callable[[], bool] = _nobody,
) -> WeekFound:
    """A verified roster of all days in about `seconds`; `stranger_seconds` (0: no teams) is what a worker out of the
    team costs a visit, as travel.

    The time is of the wall, or, with the clock "cpu" (where a machine is shared), what each process searches. Ctrl-C, or
    `asked` (whether to end early), ends the searches and keeps their best: every day has one. Raises RosterFaultError as `solve` does.
    """
    began = time.monotonic()
    week, days = Week(problem=problem), days_apart(problem=problem)
    with Bench(processes=processes, asked=asked) as bench:
        teams = NO_TEAMS
        if stranger_seconds and len(days) > 1:
            teams = teams_for(problem=problem, days=days, seed=seed, stranger_seconds=stranger_seconds)
        quick = min(max(seconds * FIRST_SHARE, FIRST_SECONDS[0]), FIRST_SECONDS[1])
        jobs = {day.number: quick for day in days}
        order = Search(seed=seed, params=params, teams=teams, clock=clock)
        done = bench.solve(days=days, seconds=jobs, search=order)
        weighed = bench.teams(problem=problem, days=days, search=order, effort_seconds=seconds * TEAMS_SHARE)
        _keep(week, days, done, "first", progress)
        first_unfilled = len(week.verified().unfilled)
        first_seconds = time.monotonic() - began
        gone = first_seconds if clock == "wall" else quick * -(-len(days) // processes)
        left = seconds * (1 - LAST_SHARE) - gone
        if left > quick and not bench.was_interrupted:
            order = replace(order, teams=weighed.result())
            left = max(quick, left - (time.monotonic() - began - first_seconds if clock == "wall" else 0))
            jobs = bench.shares(days=days, seconds=left)
            _keep(week, days, bench.solve(days=days, seconds=jobs, search=order), "long", progress)
    if not bench.was_interrupted:
        last = seconds - (time.monotonic() - began) if clock == "wall" else seconds * LAST_SHARE
        _mend(week, order, last, progress)
    return WeekFound(
        result=week.result(),
        teams=order.teams,
        first_seconds=first_seconds,
        first_unfilled=first_unfilled,
        day_seconds=jobs,
    )


def days_alone(
    *,
    problem: Problem,
    seconds: Mapping[int, float],
    seed: int,
    processes: int = 2,
    params: Params | None = None,
    clock: Clock = "wall",
    progress: Callable[[Step], None] | None = None,
) -> Roster:
    """The days of the problem, each for its `seconds` and without any team: what a week's travel is measured against."""
    days = [day for day in days_apart(problem=problem) if day.number in seconds]
    search = Search(seed=seed, params=params, teams=NO_TEAMS, clock=clock)
    week = Week(problem=problem)
    with Bench(processes=processes) as bench:
        _keep(week, days, bench.solve(days=days, seconds=seconds, search=search), "alone", progress)
    return week.roster()


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How each day of a round is searched."""

    seed: int
    params: Params | None
    teams: Teams
    clock: Clock


def _keep(
    week: Week,
    days: Sequence[Day],
    results: Iterable[tuple[int, DayResult]],
    name: str,
    progress: Callable[[Step], None] | None,
) -> None:
    """Take over each day's result as it comes, unless it leaves more unfilled than the day already does."""
    by_number = {day.number: day for day in days}
    for number, result in results:
        before = len(week.unfilled[number]) if number in week.unfilled else None
        day = by_number[number]
        if before is None or len(result.roster.unfilled) + len(day.unfilled) <= before:
            week.keep(day=day, result=result)
        if progress is not None:
            progress(Step(round=name, day=number, unfilled=sum(len(slots) for slots in week.unfilled.values())))


def _mend(week: Week, search: Search, seconds: float, progress: Callable[[Step], None] | None) -> None:
    """Days with unfilled visits are searched once more in this process, given what the others left over."""
    lacking = [number for number, slots in sorted(week.unfilled.items()) if slots]
    for number in lacking:
        stop = Seconds(max(0.5, seconds * 0.6 / len(lacking)), CLOCKS[search.clock])
        mend_day(week=week, number=number, stop=stop, seed=search.seed, params=search.params, teams=search.teams)
        if progress is not None:
            progress(Step(round="mend", day=number, unfilled=sum(len(slots) for slots in week.unfilled.values())))


class Bench:
    """Processes side by side, each with days of its own; closing it leaves none behind."""

    def __init__(self, *, processes: int, asked: Callable[[], bool] = _nobody) -> None:
        self._asked = asked
        context = multiprocessing.get_context("spawn")
        self._end = context.Event()
        self._pools = [
            ProcessPoolExecutor(max_workers=1, mp_context=context, initializer=_begin, initargs=(self._end,))
            for _ in range(processes)
        ]
        self.was_interrupted = False

    def __enter__(self) -> Self:
        for pool in self._pools:
            pool.submit(_ready)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        for pool in self._pools:
            pool.shutdown(wait=True, cancel_futures=True)

    def shares(self, *, days: Sequence[Day], seconds: float) -> dict[int, float]:
        """How long each day may take when each process has `seconds` for all its days."""
        shares: dict[int, float] = {}
        for number in range(len(self._pools)):
            mine = days[number :: len(self._pools)]
            shares |= {day.number: seconds / len(mine) for day in mine}
        return shares

    def solve(
        self, *, days: Sequence[Day], seconds: Mapping[int, float], search: Search
    ) -> Iterable[tuple[int, DayResult]]:
        """(day, result) as they come. Ctrl-C asks the searches to end with what they have, and those to come at once."""
        waiting: dict[Future[DayResult], int] = {}
        for number, pool in enumerate(self._pools):
            for day in days[number :: len(self._pools)]:
                waiting[pool.submit(_solve, day, seconds[day.number], search)] = day.number
        return ((waiting[future], future.result()) for future in self._done(waiting))

    def teams(self, *, problem: Problem, days: Sequence[Day], search: Search, effort_seconds: float) -> Future[Teams]:
        """The teams of `search` weighed by CP-SAT, in the process with the fewest days, once it is done with those."""
        if not search.teams.workers:
            ready: Future[Teams] = Future()
            ready.set_result(search.teams)
            return ready
        effort = min(TEAMS_SECONDS_MAX, effort_seconds)
        return self._pools[-1].submit(_weighed, problem, tuple(days), search, effort)

    def _done(self, waiting: Iterable[Future[DayResult]]) -> Iterable[Future[DayResult]]:
        left = set(waiting)
        while left:
            done: set[Future[DayResult]] = set()
            try:
                done, left = wait(left, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
                if self._asked():
                    self._interrupt()
            except KeyboardInterrupt:
                self._interrupt()
            yield from done

    def _interrupt(self) -> None:
        self.was_interrupted = True
        self._end.set()


_END: list[Event] = []
"""Of a child: the event by which its parent ends it early."""


def _begin(end: Event) -> None:
    """Of a child, once: Ctrl-C is the parent's to hear."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _END.append(end)


def _ready() -> bool:
    """Makes a child come up (and import all it needs) while the parent does something else."""
    return True


def _solve(day: Day, seconds: float, search: Search) -> DayResult:
    rules: list[StopRule] = [Seconds(seconds, CLOCKS[search.clock])]
    rules += [Cancelled(end.is_set) for end in _END]
    return solve_day(day=day, stop=AnyOf(tuple(rules)), seed=search.seed, params=search.params, teams=search.teams)


def _weighed(problem: Problem, days: Sequence[Day], search: Search, effort_seconds: float) -> Teams:
    seconds = search.teams.seconds
    return teams_for(
        problem=problem, days=days, seed=search.seed, stranger_seconds=seconds, effort_seconds=effort_seconds
    )
