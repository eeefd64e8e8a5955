"""Simulated annealing over one global order of visits and a worker for each slot: for soft due times and sequences.

It cannot express every rule of a roster (see can_express); rosters with hard windows are searched by runs.
The decoding (each visit in turn as early as its workers allow) makes deadlocks between double-ups impossible.
"""

# ruff: noqa: PLR1730 -- in the innermost loop an `if` is far cheaper than `max`

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rostering.search.compiled import Compiled
from rostering.search.engine import Answer, Stops
from rostering.search.recreate import Found
from rostering.search.ruin import answer_of
from rostering.search.state import SearchState
from rostering.stop import Progress, StopRule

PLATEAU = 100
HOT_SHARE = 0.6
FINAL_SHARE = 0.004
ROUND_ITERATIONS = 120_000


@dataclass(slots=True, kw_only=True)
class _Tables:
    """The problem as the decoder reads it, by demand number; duties stand for workers (each worker has one)."""

    place: list[int]
    ready: list[int]
    latest: list[int]
    due: list[int]
    services: list[tuple[int, ...]]
    least: list[int]
    most: list[int]
    eligible: tuple[tuple[tuple[int, ...], ...], ...]
    matrix: list[list[int]]
    start: list[int]
    end: list[int]
    home: list[int]
    travel: int
    lateness: int
    worst: int


@dataclass(frozen=True, slots=True)
class OrderEngine:
    """The search as an engine."""

    name: str = "order"

    def refuses(self, *, compiled: Compiled) -> str | None:
        """Whatever order and workers alone do not say, and rosters without due times."""
        if not can_express(compiled=compiled):
            return "rules beyond one window, one shift and two workers"
        return None if any(demand.due is not None for demand in compiled.demands) else "visits without due times"

    def search(
        self,
        *,
        compiled: Compiled,
        stop: StopRule,
        seed: int,
        start: Mapping[int, Stops] | None = None,  # noqa: ARG002 -- always from its own first order
        report: Callable[[Progress], None] | None = None,
    ) -> Answer:
        """The best answer before `stop`."""
        return answer_of(found=search(compiled=compiled, stop=stop, rng=random.Random(seed), report=report))


def can_express(*, compiled: Compiled) -> bool:
    """Whether order and workers alone say everything: one duty, mode and home a worker, one window, no other rules."""
    workers = compiled.workers
    plain_workers = all(len(duties) == 1 for duties in compiled.duties_of) and all(
        w.home is not None and w.break_rule is None and w.hours_limit_seconds is None and w.last_back is None
        for w in workers
    )
    plain_visits = all(
        len(compiled.windows[d]) == 1
        and not demand.gap_seconds
        and not demand.is_pinned
        and demand.preferred_start is None
        for d, demand in enumerate(compiled.demands)
    )
    served = all(_enough(compiled, d) for d in range(len(compiled.demands)))
    weights = compiled.problem.weights
    plain_wishes = not weights.waiting and not any(any(map(any, costs)) for costs in compiled.soft_cost)
    one_mode = len({worker.mode for worker in workers}) <= 1
    return (
        bool(workers and compiled.demands) and plain_workers and plain_visits and served and plain_wishes and one_mode
    )


def _enough(compiled: Compiled, d: int) -> bool:
    slots = compiled.eligible[d]
    return all(slots) and (len(slots) == 1 or len(set(slots[0]) | set(slots[1])) > 1)


def search(
    *,
    compiled: Compiled,
    stop: StopRule,
    rng: random.Random,
    report: Callable[[Progress], None] | None = None,
) -> Found:
    """Anneal until the rule says stop, in rounds each twice as long, from the best so far. An iteration is PLATEAU moves."""
    tables = _tables(compiled)
    order = sorted(range(len(compiled.demands)), key=lambda d: (tables.due[d], d))
    who = _first_workers(tables, order)
    cost = _cost(tables, order, who, math.inf)
    best, best_order, best_who = cost, order[:], who[:]
    found = Found(best=SearchState.empty(compiled=compiled), objective=0)
    found.curve.append((0, int(min(cost, 2**62))))
    hot = max(1.0, _mean_leg(tables) * HOT_SHARE)
    improved_at = step = 0
    rounds = ROUND_ITERATIONS // PLATEAU
    while not stop(progress := _progress(found, best, improved_at)):
        if report is not None:
            report(progress)
        found.iterations += 1
        heat = hot * FINAL_SHARE ** (step / rounds)
        for _ in range(PLATEAU):
            undo = _move(tables, order, who, rng)
            bound = cost - heat * math.log(1.0 - rng.random())
            tried = _cost(tables, order, who, bound)
            if tried >= bound:
                _undo(order, who, undo)
                continue
            cost = tried
            if cost < best:
                best, best_order, best_who = cost, order[:], who[:]
                improved_at = found.iterations
                found.curve.append((found.iterations, int(best)))
        step += 1
        if step == rounds:
            step, order, who, cost = 0, best_order[:], best_who[:], best
            rounds *= 2
    found.best = _as_state(compiled, tables, best_order, best_who)
    found.objective = found.best.objective()
    return found


def _progress(found: Found, best: float, improved_at: int) -> Progress:
    known = int(best) if best < math.inf else 2**62
    return Progress(iterations=found.iterations, objective=known, unfilled=0, improved_at=improved_at)


def _tables(compiled: Compiled) -> _Tables:
    weights = compiled.problem.weights
    demands, duties = compiled.demands, compiled.duties
    return _Tables(
        place=[demand.place for demand in demands],
        ready=[windows[0][0] for windows in compiled.windows],
        latest=[windows[0][1] for windows in compiled.windows],
        due=[2**60 if demand.due is None else demand.due for demand in demands],
        services=[tuple(slot.service_seconds for slot in demand.slots) for demand in demands],
        least=[demand.sync.min_seconds for demand in demands],
        most=[demand.sync.max_seconds for demand in demands],
        eligible=compiled.eligible,
        matrix=duties[0].matrix,
        start=[duty.start for duty in duties],
        end=[duty.end for duty in duties],
        home=[duty.home if duty.home is not None else 0 for duty in duties],
        travel=weights.travel,
        lateness=weights.lateness,
        worst=weights.lateness_worst,
    )


def _mean_leg(tables: _Tables) -> float:
    legs = [tables.matrix[a][b] for a in tables.place for b in tables.place]
    return sum(legs) / max(1, len(legs))


def _first_workers(tables: _Tables, order: list[int]) -> list[list[int]]:
    """Each visit in turn to the workers who can start it soonest."""
    free, at = tables.start[:], tables.home[:]
    who: list[list[int]] = [[] for _ in order]
    for d in order:
        for eligible in tables.eligible[d]:
            options = [r for r in eligible if r not in who[d]] or list(eligible)
            who[d].append(min(options, key=lambda r: (free[r] + tables.matrix[at[r]][tables.place[d]], r)))
        if len(set(who[d])) < len(who[d]):
            who[d] = _two_workers(tables, d)
        start = max([tables.ready[d], *(free[r] + tables.matrix[at[r]][tables.place[d]] for r in who[d])])
        for k, r in enumerate(who[d]):
            free[r], at[r] = start + k * tables.least[d] + tables.services[d][k], tables.place[d]
    return who


def _two_workers(tables: _Tables, d: int) -> list[int]:
    first, second = tables.eligible[d]
    return next([a, b] for a in first for b in second if a != b)


def _cost(  # noqa: C901, PLR0912 -- one flat loop: calls would cost more than the work
    tables: _Tables, order: list[int], who: list[list[int]], bound: float
) -> float:
    """Points of the decoded order; infinite when a hard window or shift breaks, or as soon as `bound` is reached."""
    free, at = tables.start[:], tables.home[:]
    matrix, place, ready, due, services = tables.matrix, tables.place, tables.ready, tables.due, tables.services
    travel = lateness = worst = 0
    for d in order:
        here, workers = place[d], who[d]
        r = workers[0]
        leg = matrix[at[r]][here]
        travel += leg
        start = free[r] + leg
        if start < ready[d]:
            start = ready[d]
        if len(workers) == 2:
            other = workers[1]
            leg = matrix[at[other]][here]
            travel += leg
            second = free[other] + leg
            if second < start + tables.least[d]:
                second = start + tables.least[d]
            elif second > start + tables.most[d]:
                start = second - tables.most[d]
            late = second - due[d]
            if late > 0:
                lateness += late
                if late > worst:
                    worst = late
            free[other] = second + services[d][1]
            at[other] = here
        if start > tables.latest[d]:
            return math.inf
        late = start - due[d]
        if late > 0:
            lateness += late
            if late > worst:
                worst = late
            if tables.travel * travel + tables.lateness * lateness + tables.worst * worst >= bound:
                return math.inf
        free[r] = start + services[d][0]
        at[r] = here
    for r, home in enumerate(tables.home):
        leg = matrix[at[r]][home] if at[r] != home else 0
        travel += leg
        if free[r] + leg > tables.end[r]:
            return math.inf
    return tables.travel * travel + tables.lateness * lateness + tables.worst * worst


Undo = tuple[str, int, int, list[int]]


def _move(tables: _Tables, order: list[int], who: list[list[int]], rng: random.Random) -> Undo:
    """One random change: a visit elsewhere in the order, other workers for it, or both; returns how to undo it."""
    n = len(order)
    kind = rng.random()
    i = int(rng.random() * n)
    d = order[i]
    before = who[d]
    if kind < 0.65:
        who[d] = _other_workers(tables, d, before, rng)
    j = i
    if kind > 0.35:
        reach = n if rng.random() < 0.15 else min(n, 8)
        j = min(n - 1, max(0, i + int((rng.random() * 2 - 1) * reach)))
        order.insert(j, order.pop(i))
    return "move", i, j, before


def _other_workers(tables: _Tables, d: int, before: list[int], rng: random.Random) -> list[int]:
    k = int(rng.random() * len(before))
    eligible = tables.eligible[d][k]
    picked = eligible[int(rng.random() * len(eligible))]
    if len(before) == 1:
        return [picked]
    after = before[:]
    after[k] = picked
    if after[0] == after[1]:
        swapped = before[::-1]
        fits = swapped[0] in tables.eligible[d][0] and swapped[1] in tables.eligible[d][1]
        return swapped if fits else before
    return after


def _undo(order: list[int], who: list[list[int]], undo: Undo) -> None:
    _, i, j, before = undo
    if i != j:
        order.insert(i, order.pop(j))
    who[order[i]] = before


def _as_state(compiled: Compiled, tables: _Tables, order: list[int], who: list[list[int]]) -> SearchState:
    """The decoded order as runs with fixed starts; what does not fit (no feasible order was found) stays absent."""
    state = SearchState.empty(compiled=compiled)
    free, at = tables.start[:], tables.home[:]
    for d in order:
        legs = [tables.matrix[at[r]][tables.place[d]] for r in who[d]]
        starts = [max(tables.ready[d], free[who[d][0]] + legs[0])]
        if len(who[d]) == 2:
            second = max(free[who[d][1]] + legs[1], starts[0] + tables.least[d])
            starts = [max(starts[0], second - tables.most[d]), second]
        if not _put(state, d, who[d], starts):
            continue
        for k, r in enumerate(who[d]):
            free[r], at[r] = starts[k] + tables.services[d][k], tables.place[d]
    return state


def _put(state: SearchState, d: int, who: list[int], starts: list[int]) -> bool:
    if starts[0] > state.compiled.windows[d][0][1]:
        return False
    changed = {}
    for k, r in enumerate(who):
        run = state.with_stop(r=r, at=len(state.runs[r].items), d=d, k=k, lo=starts[k], hi=starts[k])
        if run is None:
            return False
        changed[r] = run
    ends = [start + s.service_seconds for start, s in zip(starts, state.compiled.demands[d].slots, strict=True)]
    return state.place(d=d, changed=changed, slots=dict(enumerate(who)), span=(min(starts), max(ends)))
