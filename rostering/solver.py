"""`solve`: from a problem to a verified roster; it chooses and runs the searches, and publishes nothing."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from rostering.constraint import Violation
from rostering.explain import score, unfilled
from rostering.lower_bound import lower_bound
from rostering.problem import Problem
from rostering.roster import Roster, timed_run
from rostering.search import order
from rostering.search.compiled import Compiled, compile_problem
from rostering.search.insertion import insert
from rostering.search.pool import recombine
from rostering.search.recreate import Found, construct, improve
from rostering.search.state import SearchState
from rostering.stop import Progress, StopRule
from rostering.verify import violations


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """How to search. `effort_seconds` is CP-SAT's deterministic time, 0 to do without.

    `engine`: "runs" (hard windows: insertion, ruin and recreate, CP-SAT), "order" (soft due times and sequences),
    or "auto".
    """

    engine: str = "auto"
    ruin_mean: int = 10
    temperature: int = 60
    effort_seconds: int = 2
    columns_max: int = 6_000


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


def solve(
    *,
    problem: Problem,
    stop: StopRule,
    seed: int,
    params: Params | None = None,
    report: Callable[[Progress], None] | None = None,
) -> Result:
    """The best roster found before `stop`; repeatable for a seed when `stop` counts iterations.

    Every slot is in a run or among the unfilled with its reason. Raises RosterFaultError rather than return a roster
    that breaks a hard rule.
    """
    params = params or Params()
    compiled = compile_problem(problem=problem)
    rng = random.Random(seed)
    if _by_order(compiled, params):
        found = order.search(compiled=compiled, stop=stop, rng=rng, report=report)
    else:
        found = _by_runs(compiled, stop, rng, params, seed, report)
    return verified(compiled=compiled, found=found)


def _by_order(compiled: Compiled, params: Params) -> bool:
    if params.engine == "auto":
        soft = any(demand.due is not None for demand in compiled.demands)
        return soft and order.can_express(compiled=compiled)
    return params.engine == "order"


def _by_runs(
    compiled: Compiled,
    stop: StopRule,
    rng: random.Random,
    params: Params,
    seed: int,
    report: Callable[[Progress], None] | None,
) -> Found:
    first = construct(compiled=compiled)
    found = improve(
        start=first, stop=stop, rng=rng, ruin_mean=params.ruin_mean, temperature=params.temperature, report=report
    )
    columns = list(found.columns.values())[-params.columns_max :]
    kept = [(r, run) for r, run in enumerate(found.best.runs) if run.items]
    seen = {id(run) for _, run in columns}
    columns += [column for column in kept if id(column[1]) not in seen]
    if params.effort_seconds and columns:
        combined = recombine(
            compiled=compiled, columns=columns, hint=found.best, seed=seed, effort_seconds=params.effort_seconds
        )
        if combined is not None:
            _fill(combined)
            if combined.objective() < found.objective:
                found.best, found.objective = combined, combined.objective()
                found.curve.append((found.iterations, found.objective))
    return found


def _fill(state: SearchState) -> None:
    for d in sorted(state.absent):
        insert(state=state, d=d)


def verified(*, compiled: Compiled, found: Found) -> Result:
    """The found state as a Result, checked by the verifier. Raises RosterFaultError."""
    problem = compiled.problem
    roster = roster_of(state=found.best)
    wrong = violations(problem=problem, roster=roster)
    if wrong:
        raise RosterFaultError(wrong)
    return Result(
        roster=roster,
        objective=score(problem=problem, roster=roster).total,
        lower_bound=lower_bound(problem=problem),
        iterations=found.iterations,
        curve=tuple(found.curve),
    )


def roster_of(*, state: SearchState) -> Roster:
    """The runs of a search state as a roster, with a reason for each slot that is unfilled."""
    compiled = state.compiled
    runs = tuple(
        timed_run(
            problem=compiled.problem,
            worker=compiled.workers[compiled.duties[r].worker],
            stops=[(compiled.demands[d], k, s) for (d, k), s in zip(run.items, run.times.starts, strict=True)],
        )
        for r, run in enumerate(state.runs)
        if run.items
    )
    return Roster(runs=runs, unfilled=unfilled(state=state))
