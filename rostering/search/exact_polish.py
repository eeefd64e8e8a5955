"""Betters an answer a few runs at a time by CP-SAT: neighbourhoods of two to four runs, each at its proved best.

It needs an answer that a search has made; it does not search by itself and keeps every rule by verifying the result.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

import numpy as np

from rostering.bounds_slots import Bools, Slots, slots_of
from rostering.explain import score
from rostering.problem import Problem
from rostering.roster import Roster, Unfilled, timed_run
from rostering.search.compiled import Compiled
from rostering.search.engine import Answer, Stops
from rostering.search.exact import solved
from rostering.search.exact_model import build, runs_of
from rostering.verify import violations

SLOTS_MAX = 16
EFFORT_EACH = 0.5
"""Deterministic seconds for one neighbourhood: most are proved in a tenth of it."""


def polish(
    *,
    compiled: Compiled,
    answer: Answer,
    effort_seconds: float,
    seed: int,
    enough: Callable[[], bool] = lambda: False,
    slots_max: int = SLOTS_MAX,
) -> Answer:
    """The answer, or a better one. `effort_seconds` is CP-SAT's deterministic time in all; `enough` stops it earlier."""
    rng = random.Random(seed)
    slots = slots_of(compiled=compiled)
    best, points = dict(answer.runs), points_of(compiled=compiled, runs=answer.runs)
    curve, spent, tried = list(answer.curve), 0.0, set[frozenset[int]]()
    rounds = 0
    while spent < effort_seconds and len(best) > 1 and not enough():
        rounds += 1
        duties = _some_duties(compiled, best, rng, slots_max)
        spent += EFFORT_EACH / 50
        if duties in tried:
            continue
        tried.add(duties)
        found, effort = _rearranged(compiled, slots, best, duties, rng.randrange(2**31))
        spent += effort
        if found is None:
            continue
        cost = points_of(compiled=compiled, runs=found)
        if cost < points and is_sound(compiled=compiled, runs=found):
            best, points = found, cost
            tried = {each for each in tried if not each & duties}
            curve.append((answer.iterations + rounds, points))
    return Answer(runs=best, iterations=answer.iterations + rounds, curve=tuple(curve))


def _some_duties(compiled: Compiled, runs: Mapping[int, Stops], rng: random.Random, slots_max: int) -> frozenset[int]:
    """A run and its nearest others, as many as the slots allow: near by place, with chance."""
    first = rng.choice(sorted(runs))
    chosen, size = [first], len(runs[first])
    others = sorted((_apart(compiled, runs[first], runs[r]) * (0.3 + rng.random()), r) for r in runs if r != first)
    for _, r in others[:6]:
        if size + len(runs[r]) <= slots_max and len(chosen) < 4:
            chosen.append(r)
            size += len(runs[r])
    return frozenset(chosen)


def _apart(compiled: Compiled, one: Stops, two: Stops) -> float:
    """How far two runs are from each other: the mean over stops of the shortest way to the other run."""
    matrix = next(iter(compiled.problem.travel.seconds_by_mode.values()))
    places = [np.array([compiled.demands[d].place for d, _, _ in stops]) for stops in (one, two)]
    return float(matrix[np.ix_(*places)].min(axis=1).mean()) + 1


def _rearranged(
    compiled: Compiled, slots: Slots, runs: Mapping[int, Stops], duties: frozenset[int], seed: int
) -> tuple[dict[int, Stops] | None, float]:
    """The runs with those duties at their best and whatever unfilled visits fit in, and the effort it took."""
    stops = {d for run in runs.values() for d, _, _ in run}
    rows: Bools = np.any(slots.able[:, sorted(duties)], axis=1)
    unfilled = [d for d in range(len(compiled.demands)) if d not in stops]
    able = [d for d in unfilled if rows[slots.demand == d].all()][:4]
    visits = sorted({d for r in duties for d, _, _ in runs[r]} | set(able))
    model = build(compiled=compiled, slots=slots, runs=runs, duties=sorted(duties), visits=visits)
    solver = solved(model, EFFORT_EACH, seed)
    if solver is None:
        return None, EFFORT_EACH
    return runs_of(model=model, solver=solver), float(solver.response_proto.deterministic_time)


def points_of(*, compiled: Compiled, runs: Mapping[int, Stops]) -> int:
    """What an answer costs in points, by the same score as a finished roster."""
    return score(problem=compiled.problem, roster=_roster(compiled, runs)).total


def is_sound(*, compiled: Compiled, runs: Mapping[int, Stops]) -> bool:
    """Whether the verifier finds nothing wrong with it."""
    return not violations(problem=compiled.problem, roster=_roster(compiled, runs))


def _roster(compiled: Compiled, runs: Mapping[int, Stops]) -> Roster:
    problem: Problem = compiled.problem
    done = {(d, k) for run in runs.values() for d, k, _ in run}
    made = tuple(
        timed_run(
            problem=problem,
            worker=compiled.workers[compiled.duties[r].worker],
            stops=[(compiled.demands[d], k, start) for d, k, start in run],
        )
        for r, run in sorted(runs.items())
        if run
    )
    missing = tuple(
        Unfilled(visit=demand.id, slot=k, reason="not in any run")
        for d, demand in enumerate(compiled.demands)
        for k in range(len(demand.slots))
        if (d, k) not in done
    )
    return Roster(runs=made, unfilled=missing)
