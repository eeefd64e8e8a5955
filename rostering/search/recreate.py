"""Ruin and recreate over runs: takes strings of neighbouring visits out and puts them back; the rosters' first search.

After Christiaens and Vanden Berghe, "Slack Induction by String Removals for Vehicle Routing Problems" (2020).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rostering.search.compiled import Compiled, neighbours
from rostering.search.insertion import QUICK, THOROUGH, Look, insert
from rostering.search.runs import RunState
from rostering.search.state import SearchState
from rostering.stop import Progress, StopRule

STRING_MAX = 10
RESTART_AFTER = 600
Column = tuple[int, RunState]


@dataclass(slots=True, kw_only=True)
class Found:
    """What a search gives back: its best state, when it stood, its curve, and the runs it saw (newest last)."""

    best: SearchState
    objective: int
    iterations: int = 0
    curve: list[tuple[int, int]] = field(default_factory=list)
    columns: dict[tuple[int, tuple[object, ...]], Column] = field(default_factory=dict)


def construct(*, compiled: Compiled) -> SearchState:
    """A first roster: pinned visits, then accepted pop-backs, then the rest by insertion, hardest first."""
    state = SearchState.empty(compiled=compiled)
    for d in sorted(state.absent, key=lambda d: _urgency(compiled, d)):
        insert(state=state, d=d, look=THOROUGH if compiled.fixed[d] else QUICK)
    return state


def _urgency(compiled: Compiled, d: int) -> tuple[int, int, int, int, int]:
    demand = compiled.demands[d]
    rank = 0 if demand.is_pinned else 1 if demand.must_keep else 2
    windows = compiled.windows[d]
    choice = min((len(duties) for duties in compiled.eligible[d]), default=0)
    scarce = 0 if choice * 3 < len(compiled.duties) else 1
    return rank, -len(demand.slots), scarce, windows[0][0] if windows else 0, d


def improve(
    *,
    start: SearchState,
    stop: StopRule,
    rng: random.Random,
    ruin_mean: int,
    temperature: int,
    report: Callable[[Progress], None] | None = None,
) -> Found:
    """Ruin and recreate from `start` until the rule says stop; fixed visits (pinned, accepted pop-backs) stay."""
    current, current_cost = start, start.objective()
    found = Found(best=start, objective=current_cost, curve=[(0, current_cost)])
    _remember(found, start, start.runs)
    near = neighbours(problem=start.compiled.problem)
    movable = [d for d in range(len(start.compiled.demands)) if not start.compiled.fixed[d]]
    improved_at = 0
    while True:
        progress = Progress(
            iterations=found.iterations,
            objective=found.objective,
            unfilled=found.best.unfilled_slots(),
            improved_at=improved_at,
        )
        if report is not None:
            report(progress)
        if not movable or stop(progress):
            return found
        found.iterations += 1
        tried = current.copy()
        if not _ruin(tried, near, movable, rng, ruin_mean):
            continue
        _recreate(tried, rng)
        cost = tried.objective()
        if cost < current_cost - temperature * math.log(1.0 - rng.random()):
            _remember(found, tried, [run for run, old in zip(tried.runs, current.runs, strict=True) if run is not old])
            current, current_cost = tried, cost
            if cost < found.objective:
                found.best, found.objective, improved_at = tried, cost, found.iterations
                found.curve.append((found.iterations, cost))
        elif (found.iterations - improved_at) % RESTART_AFTER == RESTART_AFTER - 1:
            current, current_cost = found.best, found.objective


def _remember(found: Found, state: SearchState, fresh: list[RunState]) -> None:
    chosen = {id(run) for run in fresh}
    for r, run in enumerate(state.runs):
        if run.items and id(run) in chosen:
            found.columns[r, (run.items, run.lo, run.hi)] = (r, run)


def _ruin(state: SearchState, near: Sequence[Sequence[int]], movable: list[int], rng: random.Random, mean: int) -> bool:
    """Strings of stops around a seed visit, taken out run by run; False when nothing could be taken out."""
    compiled = state.compiled
    seed = rng.choice(sorted(state.absent)) if state.absent and rng.random() < 0.5 else rng.choice(movable)
    strings = max(1, round(rng.uniform(0.5, 1.5) * mean / 4))
    touched: set[int] = set()
    removed = False
    for c in near[seed]:
        if len(touched) >= strings:
            break
        r = state.duty_of.get((c, 0))
        if r is None or r in touched or compiled.fixed[c]:
            continue
        touched.add(r)
        removed |= _remove_string(state, r, c, rng)
    return removed or bool(state.absent)


def _remove_string(state: SearchState, r: int, c: int, rng: random.Random) -> bool:
    items = state.runs[r].items
    at = next(i for i, item in enumerate(items) if item[0] == c)
    length = rng.randint(1, min(len(items), STRING_MAX))
    first = max(0, at - rng.randrange(length))
    gone = {d for d, _ in items[first : first + length] if not state.compiled.fixed[d]}
    return state.remove(gone=gone)


def _recreate(state: SearchState, rng: random.Random) -> None:
    """Puts absent visits back in a random order."""
    compiled = state.compiled
    order = list(state.absent)
    order.sort()
    rng.shuffle(order)
    how = rng.random()
    if how < 0.3:
        order.sort(key=lambda d: -len(compiled.demands[d].slots) * compiled.demands[d].slots[0].service_seconds)
    elif how < 0.5:
        order.sort(key=lambda d: min(len(duties) for duties in compiled.eligible[d]))
    elif how < 0.7:
        order.sort(key=lambda d: compiled.windows[d][0] if compiled.windows[d] else (0, 0))
    if rng.random() < 0.8:
        order.sort(key=lambda d: -len(compiled.demands[d].slots))
    look = Look(rng=rng)
    for d in order:
        insert(state=state, d=d, look=look)
