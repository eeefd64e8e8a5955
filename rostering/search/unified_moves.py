"""Kernel of the unified search: each way to change a roster a little. They propose; whether to keep it is decided apart."""

from __future__ import annotations

from rostering.search.kernel.chance import Words, below, share
from rostering.search.kernel.heap import earlier
from rostering.search.kernel.jit import folded, inner
from rostering.search.unified_place import give, place
from rostering.search.unified_state import (
    AFTER,
    AT_START,
    BEFORE,
    CHOICES,
    CHOICES_END,
    DISLIKED,
    EAT_FROM,
    FIRST,
    HAS_MEAL,
    HOME,
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
    again,
    put,
    take_out,
    touch,
)

PICKS = 12
"""How often to look for a task that somebody may take before giving up."""


@folded
def random_task(tables: Tables, words: Words, v: int) -> int:
    """One of a node's tasks."""
    return 2 * v + (below(words, 2) if tables.nodes[PAIR, v] else 0)


@folded
def choice(tables: Tables, words: Words, t: int) -> int:
    """A worker who may do task `t`, or NONE."""
    first, end = tables.tasks[CHOICES, t], tables.tasks[CHOICES_END, t]
    return NONE if end <= first else tables.choices[first + below(words, end - first)]


@inner
def beside(state: State, words: Words, v: int, t: int) -> float:
    """A key just before or just after task `t`, between it and the task before or after it that is not of node `v`."""
    table, key = state.table, state.key
    here = key[t >> 1]
    if below(words, 2):
        q = table[AFTER, t]
        if q >= 0 and q >> 1 == v:
            q = table[AFTER, q]
        beyond = key[q >> 1] if q >= 0 else here + 2.0
    else:
        q = table[BEFORE, t]
        if q >= 0 and q >> 1 == v:
            q = table[BEFORE, q]
        beyond = key[q >> 1] if q >= 0 else here - 2.0
    return here + (beyond - here) * (0.001 + 0.998 * share(words))  # type: ignore[no-any-return]


@inner
def target(tables: Tables, state: State, words: Words, v: int) -> tuple[bool, float, int, int]:
    """(found, key, worker, second worker): a place beside a neighbour of node `v`, with a partner for a pair."""
    table = state.table
    u = tables.near[v, below(words, tables.near.shape[1])]
    k = below(words, 2) if tables.nodes[PAIR, v] else 0
    if u == v or table[OUT, u]:
        return False, 0.0, NONE, NONE
    beside_task = random_task(tables, words, u)
    w = table[WHO, beside_task]
    if tables.dislike[2 * v + k, w] < 0:
        if not tables.nodes[PAIR, v] or tables.dislike[2 * v + 1 - k, w] < 0:
            return False, 0.0, NONE, NONE
        k = 1 - k
    where = beside(state, words, v, beside_task)
    if not tables.nodes[PAIR, v]:
        return True, where, w, NONE
    other = table[WHO, 2 * v + 1 - k]
    if other == w or other < 0 or share(words) < 0.3:
        swapped = table[WHO, 2 * v + k]
        if other == w and swapped >= 0 and share(words) < 0.5:
            other = swapped
        elif share(words) < 0.7:
            u = tables.near[v, below(words, tables.near.shape[1])]
            if table[OUT, u]:
                return False, 0.0, NONE, NONE
            other = table[WHO, random_task(tables, words, u)]
        else:
            other = choice(tables, words, 2 * v + 1 - k)
    if other == w or other < 0 or tables.dislike[2 * v + 1 - k, other] < 0:
        return False, 0.0, NONE, NONE
    return (True, where, w, other) if k == 0 else (True, where, other, w)


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
    ours, partner = table[WHO, t], table[WHO, t ^ 1] if tables.nodes[PAIR, v] else NONE
    if w == partner:
        if tables.dislike[t ^ 1, ours] < 0:
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
    q = table[row, t]
    if q < 0:
        return False
    further = table[row, q]
    here = key[q >> 1]
    beyond = key[further >> 1] if further >= 0 else here + (2.0 if row == AFTER else -2.0)
    where = here + (beyond - here) * (0.001 + 0.998 * share(words))
    place(tables, state, v, where, table[WHO, 2 * v], table[WHO, 2 * v + 1])
    return True


@inner
def swap(tables: Tables, state: State, words: Words, v: int) -> bool:
    """Node `v` and a neighbour change workers and places in the order."""
    table = state.table
    u = tables.near[v, below(words, tables.near.shape[1])]
    if u == v or table[OUT, u] or tables.nodes[PAIR, u] != tables.nodes[PAIR, v]:
        return False
    for k in range(2 if tables.nodes[PAIR, v] else 1):
        theirs, ours = table[WHO, 2 * u + k], table[WHO, 2 * v + k]
        if tables.dislike[2 * v + k, theirs] < 0 or tables.dislike[2 * u + k, ours] < 0:
            return False
    a, a_2, b, b_2 = table[WHO, 2 * v], table[WHO, 2 * v + 1], table[WHO, 2 * u], table[WHO, 2 * u + 1]
    where, where_2 = state.key[v], state.key[u]
    for k in range(2 if tables.nodes[PAIR, v] else 1):
        take_out(tables, state, 2 * v + k)
        take_out(tables, state, 2 * u + k)
    place(tables, state, v, where_2, b, b_2)
    place(tables, state, u, where, a, a_2)
    return True


@inner
def exchange_tails(tables: Tables, state: State, words: Words, v: int) -> bool:
    """What comes after a moment in the order changes hands between the runs of node `v` and of a neighbour."""
    table, key = state.table, state.key
    u = tables.near[v, below(words, tables.near.shape[1])]
    if u == v or table[OUT, u]:
        return False
    t, t_2 = random_task(tables, words, v), random_task(tables, words, u)
    w, w_2 = table[WHO, t], table[WHO, t_2]
    if w == w_2:
        return False
    is_first = earlier(key, v, u)
    first, first_2 = (table[AFTER, t], t_2) if is_first else (t, table[AFTER, t_2])
    if share(words) < 0.05:
        first, first_2 = table[FIRST, w], table[FIRST, w_2]
    elif is_first:
        while table[BEFORE, first_2] >= 0 and earlier(key, v, table[BEFORE, first_2] >> 1):
            first_2 = table[BEFORE, first_2]
    else:
        while table[BEFORE, first] >= 0 and earlier(key, u, table[BEFORE, first] >> 1):
            first = table[BEFORE, first]
    if (first < 0 and first_2 < 0) or not (can_take(tables, state, first, w_2) and can_take(tables, state, first_2, w)):
        return False
    end, end_2 = table[LAST, w], table[LAST, w_2]
    cut = table[BEFORE, first] if first >= 0 else end
    cut_2 = table[BEFORE, first_2] if first_2 >= 0 else end_2
    join(state, w, cut, first_2, end_2)
    join(state, w_2, cut_2, first, end)
    hand_over(tables, state, first_2, w_2, w)
    hand_over(tables, state, first, w, w_2)
    return True


@inner
def can_take(tables: Tables, state: State, t: int, w: int) -> bool:
    """Whether worker `w` may do task `t` and all after it."""
    while t >= 0:
        if tables.dislike[t, w] < 0:
            return False
        t = state.table[AFTER, t]
    return True


@inner
def join(state: State, w: int, p: int, q: int, end: int) -> None:
    """Task `q` and what follows it, up to `end`, come after task `p` of worker `w`; `p` is the last when `q` is NONE."""
    if p < 0:
        put(state, FIRST, w, q)
    else:
        put(state, AFTER, p, q)
    if q >= 0:
        put(state, BEFORE, q, p)
        again(state, q)
    put(state, LAST, w, end if q >= 0 else p)
    touch(state, w)


@inner
def hand_over(tables: Tables, state: State, t: int, giver: int, taker: int) -> None:
    """Task `t` and all after it are now the taker's."""
    while t >= 0:
        state.totals[DISLIKED] += tables.dislike[t, taker] - tables.dislike[t, giver]
        put(state, WHO, t, taker)
        again(state, t)
        t = state.table[AFTER, t]


@inner
def leave_anew(tables: Tables, state: State, words: Words, w: int) -> bool:
    """Worker `w` leaves earlier or later: with the shift, later by some of their waits, or by a little."""
    table = state.table
    t = table[FIRST, w]
    if t < 0 or tables.workers[AT_START, w]:
        return False
    leaves = table[START, t] - tables.travel[tables.workers[HOME, w], tables.nodes[PLACE, t >> 1]]
    chance = share(words)
    if chance < 0.2:
        leaves = tables.workers[SHIFT_START, w]
    elif chance < 0.6:
        waits = 0
        while t >= 0:
            waits += table[WAIT, t]
            if waits > 0 and share(words) < 0.3:
                break
            t = table[AFTER, t]
        if waits == 0:
            return False
        leaves += waits if share(words) < 0.7 else below(words, waits + 1)
    else:
        reach = 1 + tables.weights[REACH]
        leaves += below(words, 2 * reach + 1) - reach
    leaves = max(tables.workers[SHIFT_START, w], leaves)
    if leaves == table[LEAVE, w]:
        return False
    put(state, LEAVE, w, leaves)
    t = table[FIRST, w]
    if t >= 0:
        again(state, t)
    return True


@inner
def eat_anew(tables: Tables, state: State, words: Words, w: int) -> bool:
    """Worker `w` eats at the first chance from another time on: about the end of one of their stops."""
    table = state.table
    t = table[FIRST, w]
    if t < 0 or tables.workers[HAS_MEAL, w] == 0:
        return False
    wanted = 0
    if share(words) < 0.8:
        while t >= 0 and share(words) < 0.8:
            wanted = table[START, t] - below(words, 2) * table[LEG, t] + below(words, 2) * tables.tasks[SERVICE, t]
            t = table[AFTER, t]
    else:
        span = tables.workers[MEAL_LATEST, w] - tables.workers[MEAL_EARLIEST, w]
        wanted = tables.workers[MEAL_EARLIEST, w] + below(words, span + 1)
    if wanted == table[EAT_FROM, w]:
        return False
    put(state, EAT_FROM, w, wanted)
    touch(state, w)
    again(state, table[FIRST, w])
    t = table[FIRST, w]
    while t >= 0:
        again(state, t)
        t = table[AFTER, t]
    return True


@inner
def open_anew(tables: Tables, state: State, words: Words, v: int) -> bool:
    """Node `v` may start from another of its windows on."""
    if tables.nodes[WINDOWS, v] < 2:
        return False
    window = below(words, tables.nodes[WINDOWS, v])
    if window == state.table[WINDOW, v]:
        return False
    put(state, WINDOW, v, window)
    again(state, 2 * v)
    return True


@inner
def leave_out(tables: Tables, state: State, v: int) -> bool:
    """Node `v`'s visit is not made."""
    if not tables.nodes[OPTIONAL, v]:
        return False
    u = tables.nodes[MATE, v]
    for node in (v, u):
        if node >= 0:
            put(state, OUT, node, 1)
            for k in range(2 if tables.nodes[PAIR, node] else 1):
                take_out(tables, state, 2 * node + k)
    state.totals[UNFILLED] += tables.nodes[PENALTY, v]
    return True


@inner
def bring_in(tables: Tables, state: State, words: Words, v: int) -> bool:
    """Node `v`'s visit, left out so far, is made: beside neighbours."""
    found, where, w, w_2 = target(tables, state, words, v)
    if not found:
        return False
    u = tables.nodes[MATE, v]
    if u >= 0:
        found, where_2, w_3, w_4 = target(tables, state, words, u)
        if not found:
            return False
        put(state, OUT, u, 0)
        place(tables, state, u, where_2, w_3, w_4)
    put(state, OUT, v, 0)
    place(tables, state, v, where, w, w_2)
    state.totals[UNFILLED] -= tables.nodes[PENALTY, v]
    return True


@inner
def employ(tables: Tables, state: State, words: Words) -> bool:
    """The worker with the longest idle time takes a task that they may do from somebody else."""
    table = state.table
    people = tables.workers.shape[1]
    w = below(words, people)
    for n in range(people):
        if table[IDLE, n] > table[IDLE, w]:
            w = n
    for _ in range(PICKS):
        v = below(words, tables.nodes.shape[1])
        t = random_task(tables, words, v)
        if table[OUT, v] or tables.dislike[t, w] < 0 or table[WHO, t] == w:
            continue
        partner = table[WHO, t ^ 1] if tables.nodes[PAIR, v] else NONE
        if partner == w:
            continue
        give(tables, state, words, v, state.key[v], w if t & 1 == 0 else partner, partner if t & 1 == 0 else w)
        return True
    return False
