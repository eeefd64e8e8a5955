"""`solve`: from a problem to a verified roster; it chooses and runs an engine, and publishes nothing."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rostering.constraint import Violation
from rostering.explain import score, unfilled_in
from rostering.lower_bound import lower_bound
from rostering.problem import Problem
from rostering.roster import MealTaken, Roster, Unfilled, timed_run
from rostering.search.compiled import Compiled, compile_problem
from rostering.search.duties import DutiesEngine
from rostering.search.engine import Answer, Engine, Stops
from rostering.search.islands import IslandsEngine
from rostering.search.linked import LinkedEngine
from rostering.search.ruin import RunsEngine
from rostering.search.segments import SegmentsEngine
from rostering.search.unified import UnifiedEngine
from rostering.search.unified_wishes import unified_only
from rostering.stop import Iterations, Progress, StopRule, seconds_limit
from rostering.verify import violations

ISLANDS_SECONDS = 5.0
"""Shorter searches are over before a second process has begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """How to search. `engine` is an engine's name, or "auto": the first of `engines` that does not refuse the problem.

    `processes` is how many search at once, each with its own seed: 1 to be repeatable, None for two where only seconds
    (five at least) limit the search, the machine has two cores and nobody else runs this process. The others are of the
    engine "runs"; `effort_seconds` is CP-SAT's deterministic time, 0 to do without.
    """

    engine: str = "auto"
    processes: int | None = None
    ruin_mean: int = 10
    temperature: int = 60
    effort_seconds: int = 2
    columns_max: int = 6_000


def engines(*, params: Params) -> tuple[Engine, ...]:
    """Every engine, in the order in which "auto" tries them; the last refuses loads alone."""
    return (
        LinkedEngine(),
        SegmentsEngine(),
        UnifiedEngine(),
        DutiesEngine(),
        RunsEngine(
            ruin_mean=params.ruin_mean,
            temperature=params.temperature,
            effort_seconds=params.effort_seconds,
            columns_max=params.columns_max,
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A roster that passed the verifier, its objective in points, and how the search came to it.

    `curve` is (iteration, objective) at each improvement; `lower_bound` holds for any roster of the problem.
    `violations` is always empty: a roster with any is never returned.
    """

    roster: Roster
    objective: int
    lower_bound: int
    iterations: int
    curve: tuple[tuple[int, int], ...]
    violations: tuple[Violation, ...] = ()


class RosterFaultError(AssertionError):
    """The search made a roster that the verifier refuses: a bug in one of the two, never the caller's fault."""

    def __init__(self, found: tuple[Violation, ...]) -> None:
        super().__init__("; ".join(f"{wrong.rule}: {wrong.sentence}" for wrong in found[:5]))
        self.violations = found


class EngineError(ValueError):
    """The engine asked for by name is unknown, or cannot express the problem. The message says which and why."""


def solve(
    *,
    problem: Problem,
    stop: StopRule,
    seed: int,
    params: Params | None = None,
    report: Callable[[Progress], None] | None = None,
    start: Mapping[int, Stops] | None = None,
) -> Result:
    """The best roster found before `stop`, searched from `start` if given; repeatable when `stop` counts iterations.

    Every slot is in a run or among the unfilled with its reason. Raises RosterFaultError rather than return a roster
    that breaks a hard rule, EngineError for an engine that cannot do it.
    """
    compiled = compile_problem(problem=problem)
    return solve_compiled(compiled=compiled, stop=stop, seed=seed, params=params, report=report, start=start)


def solve_compiled(
    *,
    compiled: Compiled,
    stop: StopRule,
    seed: int,
    params: Params | None = None,
    report: Callable[[Progress], None] | None = None,
    start: Mapping[int, Stops] | None = None,
) -> Result:
    """As `solve`, for a problem compiled already."""
    params = params or Params()
    engine = chosen(compiled=compiled, params=params)
    processes = _processes(params, stop)
    if processes > 1:
        engine = IslandsEngine(engine=engine, processes=processes)
    answer = engine.search(compiled=compiled, stop=stop, seed=seed, start=start, report=report)
    return verified(compiled=compiled, answer=answer)


def warm_up(*, compiled: Compiled, params: Params | None = None) -> None:
    """Lets the machine code that this problem's engine needs be compiled, or read from disk, before a clock starts."""
    chosen(compiled=compiled, params=params or Params()).search(compiled=compiled, stop=Iterations(1), seed=0)


def _processes(params: Params, stop: StopRule) -> int:
    if params.processes is not None:
        return max(1, params.processes)
    limit = seconds_limit(stop=stop)
    alone = multiprocessing.parent_process() is None and not multiprocessing.current_process().daemon
    return 2 if limit is not None and limit >= ISLANDS_SECONDS and alone and (os.cpu_count() or 1) > 1 else 1


def chosen(*, compiled: Compiled, params: Params) -> Engine:
    """The engine that `params` asks for, or the first that does not refuse. Raises EngineError."""
    known = engines(params=params)
    if params.engine == "auto":
        return _first_able(compiled, known)
    named = {engine.name: engine for engine in known}
    if params.engine not in named:
        raise EngineError(f"engine: {params.engine!r} is not one of {', '.join(named)}")
    refused = named[params.engine].refuses(compiled=compiled)
    only = () if params.engine == UnifiedEngine().name else unified_only(problem=compiled.problem)
    if only:
        refused = ", ".join(only)
    if refused is not None:
        raise EngineError(f"engine: {params.engine!r} cannot express {refused}; ask for another, or for auto")
    return named[params.engine]


def _first_able(compiled: Compiled, known: tuple[Engine, ...]) -> Engine:
    only = unified_only(problem=compiled.problem)
    if not only:
        refusals = {engine.name: engine.refuses(compiled=compiled) for engine in known}
        able = next((engine for engine in known if refusals[engine.name] is None), None)
        if able is None:
            said = "; ".join(f"{name} cannot express {refused}" for name, refused in refusals.items())
            raise EngineError(f"engine: none can solve this problem: {said}")
        return able
    unified = UnifiedEngine()
    refused = unified.refuses(compiled=compiled)
    if refused is not None:
        raise EngineError(
            f"engine: only {unified.name!r} can express {', '.join(only)}, but it cannot express {refused}"
        )
    return unified


def verified(*, compiled: Compiled, answer: Answer) -> Result:
    """The answer as a Result, checked by the verifier. Raises RosterFaultError."""
    problem = compiled.problem
    roster = roster_of(compiled=compiled, answer=answer)
    wrong = violations(problem=problem, roster=roster)
    if wrong:
        raise RosterFaultError(wrong)
    return Result(
        roster=roster,
        objective=score(problem=problem, roster=roster).total,
        lower_bound=lower_bound(problem=problem, compiled=compiled),
        iterations=answer.iterations,
        curve=answer.curve,
    )


def roster_of(*, compiled: Compiled, answer: Answer) -> Roster:
    """The answer's runs as a roster, with a reason for each slot that is unfilled."""
    runs = tuple(
        timed_run(
            problem=compiled.problem,
            worker=compiled.workers[compiled.duties[r].worker],
            stops=[(compiled.demands[d], k, s) for d, k, s in stops],
            meal=_meal_of(compiled, answer, r),
        )
        for r, stops in sorted(answer.runs.items())
        if stops
    )
    placed = {d for stops in answer.runs.values() for d, _, _ in stops}
    if len(placed) == len(compiled.demands):
        return Roster(runs=runs, unfilled=())
    if answer.reasons:
        return Roster(runs=runs, unfilled=_left_out(compiled, answer))
    return Roster(runs=runs, unfilled=unfilled_in(problem=compiled.problem, runs=runs))


def _meal_of(compiled: Compiled, answer: Answer, r: int) -> MealTaken | None:
    if r not in answer.meals:
        return None
    d, start, end = answer.meals[r]
    return MealTaken(visit=compiled.demands[d].id, start=start, end=end, arrive=start)


def _left_out(compiled: Compiled, answer: Answer) -> tuple[Unfilled, ...]:
    return tuple(
        Unfilled(visit=compiled.demands[d].id, slot=k, reason=reason)
        for d, reason in sorted(answer.reasons.items())
        for k in range(len(compiled.demands[d].slots))
    )
