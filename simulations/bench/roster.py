"""`popback bench roster`: one locality (or instance file) rostered and measured beside its bounds. It searches nothing itself.

Every figure is of this run; times are seconds, `*_minutes` whole minutes of the file's or the locality's clock.
"""

from __future__ import annotations

import math
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from evm.services.roster_problem import Wishes
from rostering.bounds import travel_bound, unassigned_bound
from rostering.formats.any_file import read_any
from rostering.problem import SECONDS_PER_DAY, Problem
from rostering.replan import replan
from rostering.roster import Roster
from rostering.search.compiled import compile_problem
from rostering.solver import ISLANDS_SECONDS, Params, Result, solve, warm_up
from rostering.stop import AnyOf, FirstFeasible, Progress, Seconds
from rostering.verify import violations
from rostering.week_days import fresh_days
from rostering.week_share import distinct_workers_mean, top_share, top_share_bound
from simulations.bench.instances import CLOCKS
from simulations.bench.roster_locality import locality

FIRST_SHARE: Final = 0.01
"""A first plan counts when at most this share of worker-visits is unassigned."""
STRANGER_SECONDS: Final = Wishes().stranger_points // Wishes().travel_points
"""As the product's own rosters weigh it."""
SAY_SECONDS: Final = 10.0
REPLAN_SECONDS: Final = 3.0
REPLAN_SHARE: Final = 0.5
ANYBODY: Final = "any"
MINUTE: Final = 60
Clock = Literal["wall", "cpu"]


class BenchError(ValueError):
    """What was asked cannot be measured. The message names the option and what to give."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be rostered, for how long and by which clock (cpu: one process's own time, fair on a busy machine).

    `stranger_seconds`: what a worker-visit by none of the customer's three commonest workers costs, as travel.
    Raises BenchError for a time that is none.
    """

    instance: Path | None = None
    workers: int = 120
    visits: int = 1_000
    days: int = 1
    seconds: float = 60.0
    sick: str | None = None
    seed: int = 1
    clock: Clock = "wall"
    stranger_seconds: int = STRANGER_SECONDS

    def __post_init__(self) -> None:
        if not (math.isfinite(self.seconds) and self.seconds > 0):
            raise BenchError(f"--seconds: {self.seconds} is not a time; give more than 0")
        for name in ("workers", "visits", "days"):
            if getattr(self, name) < 1:
                raise BenchError(f"--{name}: {getattr(self, name)}; give 1 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rostered:
    """A roster of the problem, seconds to the first plan good enough (None: there was none), days-alone travel."""

    roster: Roster
    first_seconds: float | None
    alone_travel: int


Say = Callable[[str], None]


def run(*, asked: Asked, say: Say) -> dict[str, Any]:
    """The keys of targets.md and some more; `say` hears how it goes. Raises BenchError, FormatError, OSError, ReplanError."""
    began = time.monotonic()
    problem, ticks, days = _problem(asked)
    like = problem if asked.instance else locality(workers=4, visits=12, days=1, seed=1)
    compile_seconds = _compile(like)
    say(f"{len(problem.demands)} visits, {len(problem.workers)} workers; compiled in {compile_seconds:.1f} s")
    rostered = _rostered(problem, asked, days, say)
    say("bounds")
    figures = _figures(problem, rostered, ticks, is_file=asked.instance is not None)
    figures |= _bounds(problem, rostered.roster, ticks, days)
    figures |= _replanned(problem, rostered.roster, asked) if asked.sick else {"changed_share": None}
    usage = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {
        "workers": len(problem.workers),
        "visits": len(problem.demands),
        "days": days,
        "seed": asked.seed,
        "clock": asked.clock,
        "search_seconds": asked.seconds,
        **figures,
        "compile_seconds": round(compile_seconds, 2),
        "peak_rss_mb": round(max(usage) / 1_024),
        "seconds": round(time.monotonic() - began, 2),
    }


def _problem(asked: Asked) -> tuple[Problem, int, int]:
    """The problem, ticks a minute, and days: an instance file is one day whatever its horizon."""
    if asked.instance is None:
        problem = locality(workers=asked.workers, visits=asked.visits, days=asked.days, seed=asked.seed)
        weights = replace(problem.weights, stranger=asked.stranger_seconds if asked.days > 1 else 0)
        return replace(problem, weights=weights), MINUTE, asked.days
    file_format, instance = read_any(path=asked.instance)
    return instance.problem, getattr(file_format, "TICKS", getattr(file_format, "TENTHS", MINUTE)), 1


def _compile(problem: Problem) -> float:
    """Seconds that it takes to have the search of such a problem compiled, or read from numba's cache."""
    began = time.monotonic()
    warm_up(compiled=compile_problem(problem=problem))
    return time.monotonic() - began


def _rostered(problem: Problem, asked: Asked, days: int, say: Say) -> Rostered:
    """A first plan good enough, then the whole time, then (of several days) each day alone for its part of that time."""
    clock, began = CLOCKS[asked.clock], time.monotonic()
    processes = 1 if asked.clock == "cpu" or asked.seconds < days * ISLANDS_SECONDS else 2
    most = int(FIRST_SHARE * sum(len(demand.slots) for demand in problem.demands))
    rules = AnyOf((FirstFeasible(most), Seconds(asked.seconds, clock)))
    first = solve(problem=problem, stop=rules, seed=asked.seed, params=Params(processes=1))
    first_seconds = time.monotonic() - began
    say(f"first plan after {first_seconds:.1f} s: {len(first.roster.unfilled)} unassigned")
    found = _solved(problem, asked.seconds, asked, processes, _told(say))
    alone = [found.roster]
    if days > 1:
        each = asked.seconds / days
        alone = [_solved(day, each, asked, processes, _told(say)).roster for day in fresh_days(problem=problem)]
    return Rostered(
        roster=found.roster,
        first_seconds=first_seconds if len(first.roster.unfilled) <= most else None,
        alone_travel=sum(_travel(roster) for roster in alone),
    )


def _solved(
    problem: Problem, seconds: float, asked: Asked, processes: int, report: Callable[[Progress], None]
) -> Result:
    stop = Seconds(seconds, CLOCKS[asked.clock])
    return solve(problem=problem, stop=stop, seed=asked.seed, params=Params(processes=processes), report=report)


def _told(say: Say) -> Callable[[Progress], None]:
    """Says now and then where the search stands."""
    said = [time.monotonic()]

    def report(at: Progress) -> None:
        if time.monotonic() - said[0] >= SAY_SECONDS:
            said[0] = time.monotonic()
            say(f"{at.iterations} iterations, {at.objective} points, {at.unfilled} unassigned")

    return report


def _travel(roster: Roster) -> int:
    return sum(run.travel_seconds for run in roster.runs)


def _figures(problem: Problem, rostered: Rostered, ticks: int, *, is_file: bool) -> dict[str, Any]:
    roster, demands = rostered.roster, problem.demand_by_id()
    stops = [stop for run in roster.runs for stop in run.stops]
    late = sum(demands[stop.visit].lateness(slot=stop.slot, start=stop.start) for stop in stops)
    first = rostered.first_seconds
    return {
        "instance": is_file,
        "worker_visits": len(stops) + len(roster.unfilled),
        "unassigned": len(roster.unfilled),
        "travel_minutes": _minutes(_travel(roster), ticks),
        "days_alone_travel_minutes": _minutes(rostered.alone_travel, ticks),
        "waiting_minutes": _minutes(sum(stop.waiting_seconds for stop in stops), ticks),
        "lateness_minutes": _minutes(late, ticks),
        "top3_share": round(top_share(problem=problem, roster=roster), 4),
        "top3_bound": round(top_share_bound(problem=problem), 4),
        "distinct_workers_mean": round(distinct_workers_mean(problem=problem, roster=roster), 3),
        "first_plan_seconds": None if first is None else round(first, 2),
        "violations": len(violations(problem=problem, roster=roster)),
    }


def _minutes(amount: int, ticks: int) -> int:
    return -(-amount // ticks)


def _bounds(problem: Problem, roster: Roster, ticks: int, days: int) -> dict[str, Any]:
    """Bounds of each day with every worker fresh, added up: no week does better. Travel: for as many unassigned as here."""
    unassigned = travel = 0
    lost = {slot.visit for slot in roster.unfilled}
    for one in _days(problem, days):
        compiled = compile_problem(problem=one)
        unassigned += unassigned_bound(problem=one, compiled=compiled)
        left_out = sum(len(demand.slots) for demand in one.demands if demand.id in lost)
        travel += travel_bound(problem=one, unfilled_max=left_out, compiled=compiled)
    here = _travel(roster)
    return {
        "unassigned_bound": unassigned,
        "lower_bound": travel // ticks,
        "gap": round((here - travel) / here, 4) if here else 0.0,
    }


def _days(problem: Problem, days: int) -> tuple[Problem, ...]:
    return (problem,) if days == 1 else fresh_days(problem=problem)


def _replanned(problem: Problem, roster: Roster, asked: Asked) -> dict[str, Any]:
    """One worker rings in sick on the first day: that day's runs are re-planned, within REPLAN_SECONDS."""
    first = min((run.leave // SECONDS_PER_DAY for run in roster.runs), default=0)
    today = _days(problem, asked.days)[0] if asked.instance is None else problem
    known = {demand.id for demand in today.demands}
    published = Roster(
        runs=tuple(run for run in roster.runs if run.stops[0].visit in known),
        unfilled=tuple(slot for slot in roster.unfilled if slot.visit in known),
    )
    sick = _who(published, asked, first)
    began = time.monotonic()
    stop = Seconds(REPLAN_SECONDS * REPLAN_SHARE, CLOCKS[asked.clock])
    found = replan(problem=today, published=published, sick=frozenset({sick}), stop=stop, seed=asked.seed)
    return {
        "sick": sick,
        "changed_share": round(found.changed_share, 4),
        "replan_seconds": round(time.monotonic() - began, 2),
        "replan_lost": sum(len(run.stops) for run in published.runs if run.worker == sick),
        "replan_unassigned": len(found.unfilled),
        "replan_violations": len(found.violations),
    }


def _who(published: Roster, asked: Asked, first: int) -> str:
    """The worker named, or, for "any", the one with the most visits on the first day."""
    on_duty = {run.worker: 0 for run in published.runs}
    for run in published.runs:
        on_duty[run.worker] += len(run.stops)
    if asked.sick == ANYBODY and on_duty:
        return max(sorted(on_duty), key=lambda worker: on_duty[worker])
    if asked.sick not in on_duty:
        raise BenchError(f"--sick: {asked.sick!r} has no visit on day {first + 1}; give one of its workers, or any")
    return str(asked.sick)
