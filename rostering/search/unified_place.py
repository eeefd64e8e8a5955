"""Kernel of the unified search: a visit given to other workers, whose departures may follow so that the rest stays on time."""

from __future__ import annotations

from rostering.search.kernel.chance import Words, share
from rostering.search.kernel.jit import inner
from rostering.search.unified_rows import (
    AFTER,
    AT_START,
    BEFORE,
    EATEN,
    FIRST,
    HOME_LEGS,
    LEAVE,
    LEG,
    LEGS,
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
)
from rostering.search.unified_state import again, put, put_in, put_key, take_out, touch


@inner
def place(tables: Tables, state: State, v: int, where: float, w: int, w_2: int) -> None:
    """Node `v`, wherever it is, goes to these workers at this key (`w_2` for the second task of a pair)."""
    table = state.table
    for k in range(2 if tables.rows[32 * v + PAIR] else 1):
        if table[16 * (2 * v + k) + WHO] >= 0:
            take_out(tables, state, 2 * v + k)
    if where != state.key[v]:
        put_key(state, v, where)
    put_in(tables, state, 2 * v, w)
    if tables.rows[32 * v + PAIR]:
        put_in(tables, state, 2 * v + 1, w_2)


@inner
def leaving(tables: Tables, state: State, w: int) -> int:
    """When worker `w` leaves as things stood when last timed."""
    table = state.table
    t = table[16 * ~w + FIRST]
    if t < 0 or table[16 * t + START] < 0:
        return table[16 * ~w + LEAVE]  # type: ignore[no-any-return]
    eats = tables.rows[16 * ~w + MEAL_LEAST] if table[16 * t + EATEN] == 3 else 0
    return max(tables.rows[16 * ~w + SHIFT_START], table[16 * t + START] - table[16 * t + LEG] - eats)  # type: ignore[no-any-return]


@inner
def takes(tables: Tables, state: State, t: int) -> int:
    """How much time task `t` takes on its run: its service and the detour."""
    rows, numbers = tables.rows, tables.numbers
    w, p, q = state.table[16 * t + WHO], state.table[16 * t + BEFORE], state.table[16 * t + AFTER]
    come = rows[16 * ~w + HOME_LEGS] if p < 0 else rows[16 * p + LEGS]
    here = rows[16 * t + PLACE]
    time = rows[16 * t + SERVICE] + numbers[come + here]
    if q >= 0:
        onward = rows[16 * q + PLACE]
        time += numbers[rows[16 * t + LEGS] + onward] - numbers[come + onward]
    return time  # type: ignore[no-any-return]


@inner
def follows(state: State, words: Words, t: int) -> bool:
    """Whether the departure follows a change at task `t`: likely at the run's beginning, hardly at its end."""
    first, last = state.table[16 * t + BEFORE] < 0, state.table[16 * t + AFTER] < 0
    if first and last:
        return False
    return share(words) < (0.85 if first else 0.15 if last else 0.5)


@inner
def leave_at(tables: Tables, state: State, w: int, leaves: int) -> None:
    """Worker `w` leaves then."""
    put(state, 16 * ~w + LEAVE, max(tables.rows[16 * ~w + SHIFT_START], leaves))
    t = state.table[16 * ~w + FIRST]
    if t >= 0:
        again(state, t)
    touch(state, w)


@inner
def give(tables: Tables, state: State, words: Words, v: int, where: float, w: int, w_2: int) -> None:
    """As `place`; those who lose or gain a task may leave later or sooner, so that what comes after it keeps its time."""
    table = state.table
    for k in range(2 if tables.rows[32 * v + PAIR] else 1):
        t = 2 * v + k
        ours, taker = table[16 * t + WHO], w_2 if k else w
        if ours >= 0 and ours != taker and not tables.rows[16 * ~ours + AT_START] and follows(state, words, t):
            leaves = leaving(tables, state, ours) + takes(tables, state, t)
            take_out(tables, state, t)
            leave_at(tables, state, ours, leaves)
    was, was_2 = NONE, NONE
    if table[32 * v + WHO] != w:
        was = leaving(tables, state, w)
    if tables.rows[32 * v + PAIR] and table[16 * (2 * v + 1) + WHO] != w_2:
        was_2 = leaving(tables, state, w_2)
    place(tables, state, v, where, w, w_2)
    for k in range(2 if tables.rows[32 * v + PAIR] else 1):
        t = 2 * v + k
        taker, leaves = (w_2, was_2) if k else (w, was)
        if leaves >= 0 and not tables.rows[16 * ~taker + AT_START] and follows(state, words, t):
            leave_at(tables, state, taker, leaves - takes(tables, state, t))
