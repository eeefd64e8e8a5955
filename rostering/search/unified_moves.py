"""Kernel of the unified search: each way to change a roster a little. They propose; whether to keep it is decided apart."""

from __future__ import annotations

from rostering.search.kernel.chance import Words, below, share
from rostering.search.kernel.heap import earlier
from rostering.search.kernel.jit import inner
from rostering.search.unified_place import give, place
from rostering.search.unified_rows import (
    AFTER,
    AT_START,
    BEFORE,
    DISLIKED,
    EAT_FROM,
    FIRST,
    HAS_MEAL,
    HOME_LEGS,
    IDLE,
    LAST,
    LEAVE,
    LEG,
    MATE,
    MEAL_EARLIEST,
    MEAL_LATEST,
    NONE,
    OPTIONAL,
    OUT,
    PAIR,
    PENALTY,
    PEOPLE,
    PLACE,
    REACH,
    SERVICE,
    SHIFT_START,
    START,
    UNFILLED,
    WAIT,
    WHO,
    WINDOW,
    WINDOWS,
    State,
    Tables,
)
from rostering.search.unified_state import again, dislike, put, take_out, touch
from rostering.search.unified_target import choice, neighbour, random_task, target

PICKS = 12
"""How often to look for a task that somebody may take before giving up."""


@inner
def relocate(tables: Tables, state: State, words: Words, v: int) -> bool:
    """Node `v` moves beside a neighbour; now and then its worker leaves or eats at another time as well."""
    found, where, w, w_2 = target(tables, state, words, v)
    if found:
        give(tables, state, words, v, where, w, w_2)
        chance = share(words)
        if chance < 0.1:
            leave_anew(tables, state, words, w)
        elif chance < 0.2:
            eat_anew(tables, state, words, w)
    return found


@inner
def reassign(tables: Tables, state: State, words: Words, v: int) -> bool:
    """One of node `v`'s tasks, or both crosswise, goes to another worker, near its place in the order."""
    table = state.table
    t = random_task(tables, words, v)
    w = choice(tables, words, t)
    if w < 0:
        return False
    ours, partner = table[16 * t + WHO], table[16 * (t ^ 1) + WHO] if tables.rows[32 * v + PAIR] else NONE
    if w == partner:
        if dislike(tables, t ^ 1, ours) < 0:
            return False
        partner = ours
    where = state.key[v]
    if share(words) < 0.5:
        where += (share(words) - 0.5) * 0.1 * len(state.key)
    elif w == ours:
        return False
    give(tables, state, words, v, where, w if t & 1 == 0 else partner, partner if t & 1 == 0 else w)
    return True


@inner
def shift(tables: Tables, state: State, words: Words, v: int) -> bool:
    """Node `v` changes places with the task before or after it on one of its runs."""
    table, key = state.table, state.key
    t = random_task(tables, words, v)
    row = AFTER if below(words, 2) else BEFORE
    q = table[16 * t + row]
    if q < 0:
        return False
    further = table[16 * q + row]
    here = key[q >> 1]
    beyond = key[further >> 1] if further >= 0 else here + (2.0 if row == AFTER else -2.0)
    where = here + (beyond - here) * (0.001 + 0.998 * share(words))
    place(tables, state, v, where, table[32 * v + WHO], table[16 * (2 * v + 1) + WHO])
    return True


@inner
def swap(tables: Tables, state: State, words: Words, v: int) -> bool:
    """Node `v` and a neighbour change workers and places in the order."""
    table = state.table
    u = neighbour(tables, words, v)
    if u == v or table[32 * u + OUT] or tables.rows[32 * u + PAIR] != tables.rows[32 * v + PAIR]:
        return False
    for k in range(2 if tables.rows[32 * v + PAIR] else 1):
        theirs, ours = table[16 * (2 * u + k) + WHO], table[16 * (2 * v + k) + WHO]
        if dislike(tables, 2 * v + k, theirs) < 0 or dislike(tables, 2 * u + k, ours) < 0:
            return False
    a, a_2, b, b_2 = (
        table[32 * v + WHO],
        table[16 * (2 * v + 1) + WHO],
        table[32 * u + WHO],
        table[16 * (2 * u + 1) + WHO],
    )
    where, where_2 = state.key[v], state.key[u]
    for k in range(2 if tables.rows[32 * v + PAIR] else 1):
        take_out(tables, state, 2 * v + k)
        take_out(tables, state, 2 * u + k)
    place(tables, state, v, where_2, b, b_2)
    place(tables, state, u, where, a, a_2)
    return True


@inner
def exchange_tails(tables: Tables, state: State, words: Words, v: int) -> bool:
    """What comes after a moment in the order changes hands between the runs of node `v` and of a neighbour."""
    table, key = state.table, state.key
    u = neighbour(tables, words, v)
    if u == v or table[32 * u + OUT]:
        return False
    t, t_2 = random_task(tables, words, v), random_task(tables, words, u)
    w, w_2 = table[16 * t + WHO], table[16 * t_2 + WHO]
    if w == w_2:
        return False
    is_first = earlier(key, v, u)
    first, first_2 = (table[16 * t + AFTER], t_2) if is_first else (t, table[16 * t_2 + AFTER])
    if share(words) < 0.05:
        first, first_2 = table[16 * ~w + FIRST], table[16 * ~w_2 + FIRST]
    elif is_first:
        while table[16 * first_2 + BEFORE] >= 0 and earlier(key, v, table[16 * first_2 + BEFORE] >> 1):
            first_2 = table[16 * first_2 + BEFORE]
    else:
        while table[16 * first + BEFORE] >= 0 and earlier(key, u, table[16 * first + BEFORE] >> 1):
            first = table[16 * first + BEFORE]
    if (first < 0 and first_2 < 0) or not (can_take(tables, state, first, w_2) and can_take(tables, state, first_2, w)):
        return False
    end, end_2 = table[16 * ~w + LAST], table[16 * ~w_2 + LAST]
    cut = table[16 * first + BEFORE] if first >= 0 else end
    cut_2 = table[16 * first_2 + BEFORE] if first_2 >= 0 else end_2
    join(state, w, cut, first_2, end_2)
    join(state, w_2, cut_2, first, end)
    hand_over(tables, state, first_2, w_2, w)
    hand_over(tables, state, first, w, w_2)
    return True


@inner
def can_take(tables: Tables, state: State, t: int, w: int) -> bool:
    """Whether worker `w` may do task `t` and all after it."""
    while t >= 0:
        if dislike(tables, t, w) < 0:
            return False
        t = state.table[16 * t + AFTER]
    return True


@inner
def join(state: State, w: int, p: int, q: int, end: int) -> None:
    """Task `q` and what follows it, up to `end`, come after task `p` of worker `w`; `p` is the last when `q` is NONE."""
    if p < 0:
        put(state, 16 * ~w + FIRST, q)
    else:
        put(state, 16 * p + AFTER, q)
    if q >= 0:
        put(state, 16 * q + BEFORE, p)
        again(state, q)
    put(state, 16 * ~w + LAST, end if q >= 0 else p)
    touch(state, w)


@inner
def hand_over(tables: Tables, state: State, t: int, giver: int, taker: int) -> None:
    """Task `t` and all after it are now the taker's."""
    while t >= 0:
        state.totals[DISLIKED] += dislike(tables, t, taker) - dislike(tables, t, giver)
        put(state, 16 * t + WHO, taker)
        again(state, t)
        t = state.table[16 * t + AFTER]


@inner
def leave_anew(tables: Tables, state: State, words: Words, w: int) -> bool:
    """Worker `w` leaves earlier or later: with the shift, later by some of their waits, or by a little."""
    table = state.table
    t = table[16 * ~w + FIRST]
    if t < 0 or tables.rows[16 * ~w + AT_START]:
        return False
    leaves = table[16 * t + START] - tables.numbers[tables.rows[16 * ~w + HOME_LEGS] + tables.rows[16 * t + PLACE]]
    chance = share(words)
    if chance < 0.2:
        leaves = tables.rows[16 * ~w + SHIFT_START]
    elif chance < 0.6:
        waits = 0
        while t >= 0:
            waits += table[16 * t + WAIT]
            if waits > 0 and share(words) < 0.3:
                break
            t = table[16 * t + AFTER]
        if waits == 0:
            return False
        leaves += waits if share(words) < 0.7 else below(words, waits + 1)
    else:
        reach = 1 + tables.numbers[REACH]
        leaves += below(words, 2 * reach + 1) - reach
    leaves = max(tables.rows[16 * ~w + SHIFT_START], leaves)
    if leaves == table[16 * ~w + LEAVE]:
        return False
    put(state, 16 * ~w + LEAVE, leaves)
    t = table[16 * ~w + FIRST]
    if t >= 0:
        again(state, t)
    return True


@inner
def eat_anew(tables: Tables, state: State, words: Words, w: int) -> bool:
    """Worker `w` eats at the first chance from another time on: about the end of one of their stops."""
    table = state.table
    t = table[16 * ~w + FIRST]
    if t < 0 or tables.rows[16 * ~w + HAS_MEAL] == 0:
        return False
    wanted = 0
    if share(words) < 0.8:
        while t >= 0 and share(words) < 0.8:
            wanted = (
                table[16 * t + START]
                - below(words, 2) * table[16 * t + LEG]
                + below(words, 2) * tables.rows[16 * t + SERVICE]
            )
            t = table[16 * t + AFTER]
    else:
        span = tables.rows[16 * ~w + MEAL_LATEST] - tables.rows[16 * ~w + MEAL_EARLIEST]
        wanted = tables.rows[16 * ~w + MEAL_EARLIEST] + below(words, span + 1)
    if wanted == table[16 * ~w + EAT_FROM]:
        return False
    put(state, 16 * ~w + EAT_FROM, wanted)
    touch(state, w)
    again(state, table[16 * ~w + FIRST])
    t = table[16 * ~w + FIRST]
    while t >= 0:
        again(state, t)
        t = table[16 * t + AFTER]
    return True


@inner
def open_anew(tables: Tables, state: State, words: Words, v: int) -> bool:
    """Node `v` may start from another of its windows on."""
    if tables.rows[32 * v + WINDOWS] < 2:
        return False
    window = below(words, tables.rows[32 * v + WINDOWS])
    if window == state.table[32 * v + WINDOW]:
        return False
    put(state, 32 * v + WINDOW, window)
    again(state, 2 * v)
    return True


@inner
def leave_out(tables: Tables, state: State, v: int) -> bool:
    """Node `v`'s visit is not made."""
    if not tables.rows[32 * v + OPTIONAL]:
        return False
    u = tables.rows[32 * v + MATE]
    for node in (v, u):
        if node >= 0:
            put(state, 32 * node + OUT, 1)
            for k in range(2 if tables.rows[32 * node + PAIR] else 1):
                take_out(tables, state, 2 * node + k)
    state.totals[UNFILLED] += tables.rows[32 * v + PENALTY]
    return True


@inner
def bring_in(tables: Tables, state: State, words: Words, v: int) -> bool:
    """Node `v`'s visit, left out so far, is made: beside neighbours."""
    found, where, w, w_2 = target(tables, state, words, v)
    if not found:
        return False
    u = tables.rows[32 * v + MATE]
    if u >= 0:
        found, where_2, w_3, w_4 = target(tables, state, words, u)
        if not found:
            return False
        put(state, 32 * u + OUT, 0)
        place(tables, state, u, where_2, w_3, w_4)
    put(state, 32 * v + OUT, 0)
    place(tables, state, v, where, w, w_2)
    state.totals[UNFILLED] -= tables.rows[32 * v + PENALTY]
    return True


@inner
def employ(tables: Tables, state: State, words: Words) -> bool:
    """The worker with the longest idle time takes a task that they may do from somebody else."""
    table = state.table
    people = tables.numbers[PEOPLE]
    w = below(words, people)
    for n in range(people):
        if table[16 * ~n + IDLE] > table[16 * ~w + IDLE]:
            w = n
    for _ in range(PICKS):
        v = below(words, len(state.key))
        t = random_task(tables, words, v)
        if table[32 * v + OUT] or dislike(tables, t, w) < 0 or table[16 * t + WHO] == w:
            continue
        partner = table[16 * (t ^ 1) + WHO] if tables.rows[32 * v + PAIR] else NONE
        if partner == w:
            continue
        give(tables, state, words, v, state.key[v], w if t & 1 == 0 else partner, partner if t & 1 == 0 else w)
        return True
    return False
