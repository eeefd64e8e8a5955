"""Kernel of the unified search: waits closed up by leaving later, one after the other; it decides nothing.

Workers who meet at double-ups keep one time between them. Where one of them comes later all others wait, and no change
at a single worker mends that: each leaves later by what they wait, so that whoever meets them before that waits in turn.
"""

from __future__ import annotations

from rostering.search.kernel.heap import Heap
from rostering.search.kernel.jit import inner
from rostering.search.unified_cost import additive, worst
from rostering.search.unified_place import leave_at, leaving
from rostering.search.unified_rows import (
    AFTER,
    AT_START,
    FIRST,
    JOURNAL,
    PENDING,
    PEOPLE,
    W_WAITING,
    WAIT,
    WAITING,
    State,
    Tables,
)
from rostering.search.unified_state import room, settle

ROUNDS = 4
"""How often everybody who waits leaves later before the change is given up: as far as waits are handed on by double-ups."""


@inner
def leave_later(tables: Tables, state: State) -> bool:
    """Each worker who waits anywhere leaves later by all of it. Whether anybody does."""
    changed = False
    for w in range(tables.numbers[PEOPLE]):
        waits, t = 0, state.table[16 * ~w + FIRST]
        while t >= 0:
            waits += state.table[16 * t + WAIT]
            t = state.table[16 * t + AFTER]
        if waits > 0 and not tables.rows[16 * ~w + AT_START]:
            leave_at(tables, state, w, leaving(tables, state, w) + waits)
            changed = True
    return changed


@inner
def close_up(tables: Tables, state: State, heap: Heap, cost: int, limit: float) -> int:
    """The cost of a settled change once its waits are closed up; more than `limit`, to be undone, where that is no use."""
    for _ in range(ROUNDS):
        state.totals[PENDING] = 0
        is_hopeless = cost - tables.numbers[W_WAITING] * state.totals[WAITING] >= limit
        if is_hopeless or state.totals[JOURNAL] + tables.numbers[PEOPLE] > room(tables, state):
            return cost
        if not leave_later(tables, state) or not settle(tables, state, heap):
            return cost
        cost = additive(tables, state.totals)
        if cost < limit:
            cost += worst(tables, state)
        if cost < limit:
            return cost
    return cost


@inner
def leave_together(tables: Tables, state: State, by: int) -> bool:
    """Everybody leaves later by so much, or sooner where it is less than 0."""
    for w in range(tables.numbers[PEOPLE]):
        if not tables.rows[16 * ~w + AT_START] and state.table[16 * ~w + FIRST] >= 0:
            leave_at(tables, state, w, leaving(tables, state, w) + by)
    return by != 0
