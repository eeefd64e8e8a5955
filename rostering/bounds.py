"""What no roster of a problem can beat: slots that must stay unfilled, and travel. Proofs by relaxation, no search.

A roster is one run a duty (an unbroken time of one worker), as every engine makes it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from rostering.bounds_cover import FORBIDDEN, Floats, least, legs, sharing, shortest_entry
from rostering.bounds_energy import overload
from rostering.bounds_slots import Bools, Ints, Slots, slots_by_time, slots_of
from rostering.gaps import contradicted
from rostering.problem import TIME_MAX, Problem
from rostering.search.compiled import Compiled, compile_problem

Piece = tuple[Slots, Floats]
PRICES = (1, 2, 4, 8, 16)
"""Multiples of the mean leg at which leaving a slot out is tried, when some may be left out."""


def unassigned_bound(*, problem: Problem, compiled: Compiled | None = None) -> int:
    """Worker-visits that no roster can fill.

    Visits that nobody can do (or, for a double-up, no two people together) within the windows and shifts with travel
    from home and back, and, of the others, what exceeds the working time there is in some interval, or what the times
    and gaps of a customer's own visits contradict, whichever is more.
    """
    compiled = compiled or compile_problem(problem=problem)
    limits = np.array([_limit(worker.hours_limit_seconds) for worker in problem.workers], dtype=np.int64)
    lost = 0
    for slots in slots_by_time(compiled=compiled):
        impossible = impossible_demands(compiled=compiled, slots=slots)
        lost += _slots_in(problem, impossible)
        beyond = 0
        for piece, between in _pieces(problem, slots, impossible):
            over = overload(slots=piece, entry=shortest_entry(slots=piece, between=between), limits=limits)
            beyond += max(over, _uncovered(piece, between))
        possible = sorted(set(slots.demand.tolist()) - set(impossible))
        lost += max(beyond, contradicted(compiled=compiled, visits=possible))
    return lost


def travel_bound(*, problem: Problem, unfilled_max: int | None = None, compiled: Compiled | None = None) -> int:
    """Travel (the matrix's unit) of any roster that leaves at most `unfilled_max` slots unfilled; default: the fewest.

    The fewest is `unassigned_bound`, so a roster that leaves more than that out may travel less: give its number.
    """
    compiled = compiled or compile_problem(problem=problem)
    unfilled_max = max(unfilled_max or 0, unassigned_bound(problem=problem, compiled=compiled))
    spare, pieces = unfilled_max, list[Piece]()
    for slots in slots_by_time(compiled=compiled):
        impossible = impossible_demands(compiled=compiled, slots=slots)
        spare -= _slots_in(problem, impossible)
        pieces += _pieces(problem, slots, impossible)
    if not pieces:
        return 0
    reach = [float(between[between < FORBIDDEN].mean()) for _, between in pieces if (between < FORBIDDEN).any()]
    leg = max(1.0, sum(reach) / len(reach)) if reach else 1.0
    prices = [1e9] if not spare else [math.ceil(factor * leg) for factor in PRICES]
    return max(0, *(_at_price(pieces, price, spare) for price in prices))


def objective_bound(*, problem: Problem, compiled: Compiled | None = None) -> int:
    """Points that no roster can beat: travel, and what each slot costs at least where it is done, or its penalty."""
    compiled = compiled or compile_problem(problem=problem)
    total = 0.0
    for slots in slots_by_time(compiled=compiled):
        impossible = impossible_demands(compiled=compiled, slots=slots)
        total += sum(_penalty(problem, d) * len(problem.demands[d].slots) for d in impossible)
        for piece, between in _pieces(problem, slots, impossible):
            skip = np.array([_penalty(problem, d) for d in piece.demand.tolist()], dtype=np.float64)
            done = _stop_costs(compiled, piece)
            total += least(slots=piece, between=between, weight=problem.weights.travel, stop_cost=done, skip_cost=skip)
    return math.floor(total)


def impossible_demands(*, compiled: Compiled, slots: Slots | None = None) -> tuple[int, ...]:
    """Visits, by number, that no roster can fill even were they the only ones."""
    slots = slots or slots_of(compiled=compiled)
    rows: dict[int, list[int]] = {}
    for n, d in enumerate(slots.demand.tolist()):
        rows.setdefault(d, []).append(n)
    return tuple(d for d, mine in rows.items() if not _possible(compiled, slots, d, mine))


def _slots_in(problem: Problem, demands: Sequence[int]) -> int:
    return sum(len(problem.demands[d].slots) for d in demands)


def _possible(compiled: Compiled, slots: Slots, d: int, rows: Sequence[int]) -> bool:
    if not all(slots.able[n].any() for n in rows):
        return False
    sync = compiled.demands[d].sync
    if len(rows) == 1 or sync.independent:
        return True
    one, two = (np.flatnonzero(slots.able[n]) for n in rows)
    low = np.maximum(slots.earliest[rows[0], one][:, None] + sync.min_seconds, slots.earliest[rows[1], two][None, :])
    high = np.minimum(slots.latest[rows[0], one][:, None] + sync.max_seconds, slots.latest[rows[1], two][None, :])
    apart = slots.worker[one][:, None] != slots.worker[two][None, :]
    return bool((apart & (low <= high)).any())


def _pieces(problem: Problem, slots: Slots, impossible: Sequence[int]) -> list[Piece]:
    """The possible slots in pieces that share no duty, each with the least travel between its slots."""
    kept: Ints = np.flatnonzero(~np.isin(slots.demand, np.array(impossible, dtype=np.int64)))
    everyone: Ints = np.arange(len(slots.worker))
    possible = slots.of(rows=kept, duties=everyone)
    able: Bools = possible.able
    found = [possible.of(rows=rows, duties=duties) for rows, duties in sharing(able=able)]
    return [(piece, legs(problem=problem, slots=piece)) for piece in found]


def _uncovered(slots: Slots, between: Floats) -> int:
    """The fewest slots that any set of one path a duty leaves out."""
    ones, none = np.ones(len(slots.place)), np.zeros(len(slots.place))
    return round(least(slots=slots, between=between, weight=0, stop_cost=none, skip_cost=ones))


def _at_price(pieces: Sequence[Piece], price: float, spare: int) -> int:
    """Least travel when leaving a slot out costs `price`, less what the `spare` ones that may be left out cost."""
    total = 0.0
    for piece, between in pieces:
        skip = np.full(len(piece.place), price)
        total += least(slots=piece, between=between, weight=1, stop_cost=np.zeros(len(piece.place)), skip_cost=skip)
    return math.floor(total - price * spare)


def _limit(seconds: int | None) -> int:
    return TIME_MAX if seconds is None else seconds


def _penalty(problem: Problem, d: int) -> int:
    penalty = problem.demands[d].unfilled_penalty
    return problem.weights.unfilled if penalty is None else penalty


def _stop_costs(compiled: Compiled, slots: Slots) -> Floats:
    """The least that each slot's worker and start cost by themselves."""
    problem, cost = compiled.problem, np.zeros(len(slots.place))
    first, last = slots.earliest.min(axis=1), slots.latest.max(axis=1)
    for n, (d, k) in enumerate(zip(slots.demand.tolist(), slots.number.tolist(), strict=True)):
        demand, able = compiled.demands[d], slots.able[n]
        cost[n] += min((compiled.soft_cost[d][k][w] for w in slots.worker[able].tolist()), default=0)
        if demand.preferred_start is not None:
            near = min(max(demand.preferred_start, int(first[n])), int(last[n]))
            cost[n] += problem.weights.off_preferred * abs(near - demand.preferred_start)
        if demand.due is not None and not demand.due_windows:
            cost[n] += problem.weights.lateness * max(0, int(first[n]) - demand.due)
    return cost
