"""Kernel of the unified search: a visit given to other workers, whose departures may follow so that the rest stays on time."""

from __future__ import annotations

from rostering.search.kernel.chance import Words, share
from rostering.search.kernel.jit import inner
from rostering.search.unified_state import (
    AFTER,
    AT_START,
    BEFORE,
    EATEN,
    FIRST,
    HOME,
    LEAVE,
    LEG,
    MEAL_LEAST,
    NONE,
    PAIR,
    PLACE,
    SERVICE,
    SHIFT_START,
    START,
    WHO,
    State,
    Tables,
    again,
    put,
    put_in,
    put_key,
    take_out,
    touch,
)


@inner
def place(tables: Tables, state: State, v: int, where: float, w: int, w_2: int) -> None:
    """Node `v`, wherever it is, goes to these workers at this key (`w_2` for the second task of a pair)."""
    table = state.table
    for k in range(2 if tables.nodes[PAIR, v] else 1):
        if table[WHO, 2 * v + k] >= 0:
            take_out(tables, state, 2 * v + k)
    if where != state.key[v]:
        put_key(state, v, where)
    put_in(tables, state, 2 * v, w)
    if tables.nodes[PAIR, v]:
        put_in(tables, state, 2 * v + 1, w_2)


@inner
def leaving(tables: Tables, state: State, w: int) -> int:
    """When worker `w` leaves as things stood when last timed."""
    table = state.table
    t = table[FIRST, w]
    if t < 0 or table[START, t] < 0:
        return table[LEAVE, w]  # type: ignore[no-any-return]
    eats = tables.workers[MEAL_LEAST, w] if table[EATEN, t] == 3 else 0
    return max(tables.workers[SHIFT_START, w], table[START, t] - table[LEG, t] - eats)  # type: ignore[no-any-return]


@inner
def takes(tables: Tables, state: State, t: int) -> int:
    """How much time task `t` takes on its run: its service and the detour."""
    table, travel, w = state.table, tables.travel, state.table[WHO, t]
    p, q, here = table[BEFORE, t], table[AFTER, t], tables.nodes[PLACE, t >> 1]
    come = tables.workers[HOME, w] if p < 0 else tables.nodes[PLACE, p >> 1]
    time = tables.tasks[SERVICE, t] + travel[come, here]
    if q >= 0:
        onward = tables.nodes[PLACE, q >> 1]
        time += travel[here, onward] - travel[come, onward]
    return time  # type: ignore[no-any-return]


@inner
def follows(state: State, words: Words, t: int) -> bool:
    """Whether the departure follows a change at task `t`: likely at the run's beginning, hardly at its end."""
    first, last = state.table[BEFORE, t] < 0, state.table[AFTER, t] < 0
    if first and last:
        return False
    return share(words) < (0.85 if first else 0.15 if last else 0.5)


@inner
def leave_at(tables: Tables, state: State, w: int, leaves: int) -> None:
    """Worker `w` leaves then."""
    put(state, LEAVE, w, max(tables.workers[SHIFT_START, w], leaves))
    t = state.table[FIRST, w]
    if t >= 0:
        again(state, t)
    touch(state, w)


@inner
def give(tables: Tables, state: State, words: Words, v: int, where: float, w: int, w_2: int) -> None:
    """As `place`; those who lose or gain a task may leave later or sooner, so that what comes after it keeps its time."""
    table = state.table
    for k in range(2 if tables.nodes[PAIR, v] else 1):
        t = 2 * v + k
        ours, taker = table[WHO, t], w_2 if k else w
        if ours >= 0 and ours != taker and not tables.workers[AT_START, ours] and follows(state, words, t):
            leaves = leaving(tables, state, ours) + takes(tables, state, t)
            take_out(tables, state, t)
            leave_at(tables, state, ours, leaves)
    was, was_2 = NONE, NONE
    if table[WHO, 2 * v] != w:
        was = leaving(tables, state, w)
    if tables.nodes[PAIR, v] and table[WHO, 2 * v + 1] != w_2:
        was_2 = leaving(tables, state, w_2)
    place(tables, state, v, where, w, w_2)
    for k in range(2 if tables.nodes[PAIR, v] else 1):
        t = 2 * v + k
        taker, leaves = (w_2, was_2) if k else (w, was)
        if leaves >= 0 and not tables.workers[AT_START, taker] and follows(state, words, t):
            leave_at(tables, state, taker, leaves - takes(tables, state, t))
