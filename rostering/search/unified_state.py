"""Kernel of the unified search: changes of the state with a journal, and the times of a run; no moves.

How the arrays are laid out stands in `unified_rows`. Starts are worked out again only where they change, in the order of
the nodes' keys.
"""

from __future__ import annotations

import numpy as np

from rostering.search.kernel.heap import Heap, Ints, clear, earlier, pop, push
from rostering.search.kernel.jit import folded, inner
from rostering.search.unified_rows import (
    ABOVE,
    AFTER,
    AT_START,
    BEFORE,
    BROKEN,
    DISLIKED,
    DISLIKES,
    EAT_FROM,
    EATEN,
    EXCESS,
    FINISH,
    FIRST,
    HAS_MEAL,
    HOME_LEGS,
    IDLE,
    INDEX,
    IS_TOUCHED,
    JOURNAL,
    JOURNAL_AT,
    LAST,
    LATE,
    LATE_CAP,
    LATENESS,
    LATEST,
    LEAST_APART,
    LEAVE,
    LEG,
    LEGS,
    LEVEL,
    MEAL_EARLIEST,
    MEAL_LATEST,
    MEAL_LEAST,
    MEAL_PENALTY,
    MEALS,
    MISSED,
    MOST_APART,
    NONE,
    OLD,
    OUT,
    OVER,
    OVER_CAP,
    OVERDUE,
    OVERTIME,
    PAIR,
    PENDING,
    PENDING_NODE,
    PEOPLE,
    PLACE,
    SERVICE,
    SHIFT_END,
    SHIFT_START,
    SPANS,
    START,
    TAIL,
    TAIL_WAIT,
    TOTALS,
    TOUCHED,
    TOUCHED_WORKER,
    TRAVEL,
    W_OVER,
    W_WAITING,
    WAIT,
    WAITING,
    WHO,
    WIDTH,
    WINDOW,
    WORK,
    State,
    Tables,
)
from rostering.search.unified_windows import lateness, legal

ENTRIES_OF_NODE, ENTRIES_OF_WORKER = 12, 7
"""What timing a node, and summing up a worker's day, writes to the journal at most."""


@folded
def put(state: State, i: int, value: int) -> None:
    """A number of the table, with the old one kept for undoing."""
    old = state.table[i]
    if old != value:
        n = state.totals[JOURNAL]
        state.totals[4 * n + INDEX] = i
        state.totals[4 * n + OLD] = old
        state.totals[JOURNAL] = n + 1
        state.table[i] = value


@folded
def put_key(state: State, v: int, value: float) -> None:
    """A node's key, with the old one kept. The node must be in no run."""
    n = state.totals[JOURNAL]
    state.totals[4 * n + INDEX] = len(state.table) + v
    state.totals[4 * n + OLD] = np.float64(state.key[v]).view(np.int64)
    state.totals[JOURNAL] = n + 1
    state.key[v] = value


@folded
def touch(state: State, w: int) -> None:
    """Remember that worker `w`'s day has to be summed up again."""
    if state.table[16 * ~w + IS_TOUCHED] == 0:
        state.table[16 * ~w + IS_TOUCHED] = 1
        state.totals[4 * state.totals[TOUCHED] + TOUCHED_WORKER] = w
        state.totals[TOUCHED] += 1


@folded
def again(state: State, t: int) -> None:
    """Remember that task `t`'s node has to be timed again (not in the heap yet: keys may still change)."""
    state.totals[4 * state.totals[PENDING] + PENDING_NODE] = t >> 1
    state.totals[PENDING] += 1


@inner
def undo(state: State) -> None:
    """Back to before the move: every number, every key, and the totals."""
    totals = state.totals
    for n in range(totals[JOURNAL] - 1, -1, -1):
        i, old = totals[4 * n + INDEX], totals[4 * n + OLD]
        if i < len(state.table):
            state.table[i] = old
        else:
            state.key[i - len(state.table)] = np.int64(old).view(np.float64)
    for n in range(TOTALS):
        totals[n] = totals[WIDTH + n]
    begin(state)


@inner
def begin(state: State) -> None:
    """Nothing to undo but what comes now, nobody touched."""
    totals = state.totals
    for n in range(totals[TOUCHED]):
        state.table[16 * ~state.totals[4 * n + TOUCHED_WORKER] + IS_TOUCHED] = 0
    for n in range(JOURNAL, PENDING + 1):
        totals[n] = 0
    for n in range(TOTALS):
        totals[WIDTH + n] = totals[n]


@folded
def later(totals: Ints, was: int, now: int) -> None:
    """The worst lateness once that of one task is no longer what it was: not known when the worst became better."""
    most = max(totals[LATEST], ~totals[LATEST])
    if now >= most:
        totals[LATEST] = now
    elif was == most:
        totals[LATEST] = ~most


@inner
def take_out(tables: Tables, state: State, t: int) -> None:
    """Task `t` leaves its run; the stop after it is to be timed again. Its own times stop counting."""
    table, totals = state.table, state.totals
    w, p, q = table[16 * t + WHO], table[16 * t + BEFORE], table[16 * t + AFTER]
    if p < 0:
        put(state, 16 * ~w + FIRST, q)
    else:
        put(state, 16 * p + AFTER, q)
    if q < 0:
        put(state, 16 * ~w + LAST, p)
    else:
        put(state, 16 * q + BEFORE, p)
        again(state, q)
    totals[TRAVEL] -= table[16 * t + LEG]
    totals[WAITING] -= table[16 * t + WAIT]
    totals[LATENESS] -= table[16 * t + LATE]
    later(totals, table[16 * t + LATE], 0)
    totals[BROKEN] -= table[16 * t + OVERDUE]
    totals[DISLIKED] -= dislike(tables, t, w)
    for f in range(LEG, OVERDUE + 1):
        put(state, 16 * t + f, 0)
    put(state, 16 * t + START, NONE)
    put(state, 16 * t + WHO, NONE)
    touch(state, w)


@inner
def put_in(tables: Tables, state: State, t: int, w: int) -> None:
    """Task `t` goes where its node's key belongs in worker `w`'s run; it and the stop after it are to be timed."""
    table, key = state.table, state.key
    v = t >> 1
    p, q = NONE, table[16 * ~w + FIRST]
    while q >= 0 and earlier(key, q >> 1, v):
        p, q = q, table[16 * q + AFTER]
    put(state, 16 * t + BEFORE, p)
    put(state, 16 * t + AFTER, q)
    if p < 0:
        put(state, 16 * ~w + FIRST, t)
    else:
        put(state, 16 * p + AFTER, t)
    if q < 0:
        put(state, 16 * ~w + LAST, t)
    else:
        put(state, 16 * q + BEFORE, t)
        again(state, q)
    put(state, 16 * t + WHO, w)
    state.totals[DISLIKED] += dislike(tables, t, w)
    again(state, t)
    touch(state, w)


@folded
def dislike(tables: Tables, t: int, w: int) -> int:
    """What worker `w` costs at task `t`; -1 where they may not do it."""
    return tables.numbers[tables.rows[16 * t + DISLIKES] + w]  # type: ignore[no-any-return]


@folded
def arrival(tables: Tables, state: State, t: int) -> tuple[int, int, int, int]:
    """(when the worker is ready to serve task `t`, leg, EATEN, wait before the meal) after the stop before it."""
    table = state.table
    w, p = table[16 * t + WHO], table[16 * t + BEFORE]
    there = tables.rows[16 * t + PLACE]
    eaten, waited = 0, 0
    if p < 0:
        leg = tables.numbers[tables.rows[16 * ~w + HOME_LEGS] + there]
        free = max(tables.rows[16 * ~w + SHIFT_START], table[16 * ~w + LEAVE])
    else:
        leg = tables.numbers[tables.rows[16 * p + LEGS] + there]
        free = table[16 * p + START] + tables.rows[16 * p + SERVICE]
        eaten = min(1, table[16 * p + EATEN])
    if eaten or not tables.rows[16 * ~w + HAS_MEAL]:
        return free + leg, leg, eaten, 0
    earliest, latest, least = (
        tables.rows[16 * ~w + MEAL_EARLIEST],
        tables.rows[16 * ~w + MEAL_LATEST],
        tables.rows[16 * ~w + MEAL_LEAST],
    )
    wanted = table[16 * ~w + EAT_FROM]
    if p >= 0 and free >= wanted and max(free, earliest) + least <= latest:
        return max(free, earliest) + least + leg, leg, 2, max(0, earliest - free)
    ready = free + leg
    begins = tables.rows[16 * ~w + SHIFT_START] + leg if p < 0 and not tables.rows[16 * ~w + AT_START] else ready
    if ready >= wanted and max(begins, earliest) + least <= latest:
        if p >= 0 or tables.rows[16 * ~w + AT_START]:
            waited = max(0, earliest - ready)
        return max(ready, max(begins, earliest) + least), leg, 3, waited
    return ready, leg, 0, 0


@folded
def note(
    tables: Tables, state: State, heap: Heap, t: int, start: int, ready: int, leg: int, eaten: int, waited: int
) -> None:
    """The times of task `t`; the stop after it is timed again when they changed."""
    table, totals = state.table, state.totals
    w = table[16 * t + WHO]
    wait = waited + start - ready
    if table[16 * t + BEFORE] < 0 and (eaten == 3 or not tables.rows[16 * ~w + AT_START]):
        wait = waited
    late, _ = lateness(tables, t, start)
    broken = max(0, late - tables.rows[16 * t + LATE_CAP])
    totals[TRAVEL] += leg - table[16 * t + LEG]
    totals[WAITING] += wait - table[16 * t + WAIT]
    totals[LATENESS] += late - table[16 * t + LATE]
    later(totals, table[16 * t + LATE], late)
    totals[BROKEN] += broken - table[16 * t + OVERDUE]
    if table[16 * t + START] != start or table[16 * t + EATEN] != eaten:
        q = table[16 * t + AFTER]
        if q >= 0:
            push(heap, state.key, q >> 1)
        touch(state, w)
    elif table[16 * t + LEG] != leg:
        touch(state, w)
    put(state, 16 * t + START, start)
    put(state, 16 * t + EATEN, eaten)
    put(state, 16 * t + LEG, leg)
    put(state, 16 * t + WAIT, wait)
    put(state, 16 * t + LATE, late)
    put(state, 16 * t + OVERDUE, broken)


@folded
def time_node(tables: Tables, state: State, heap: Heap, v: int) -> None:
    """The earliest starts of a node's tasks after the stops before them; a pair waits for its later half."""
    t = 2 * v
    opening = tables.numbers[tables.rows[32 * v + SPANS] + 2 * state.table[32 * v + WINDOW]]
    ready, leg, eaten, waited = arrival(tables, state, t)
    start = legal(tables, t, max(ready, opening))
    if not tables.rows[32 * v + PAIR]:
        note(tables, state, heap, t, start, ready, leg, eaten, waited)
        return
    ready_2, leg_2, eaten_2, waited_2 = arrival(tables, state, t + 1)
    start_2 = legal(tables, t + 1, max(ready_2, opening, start + tables.rows[32 * v + LEAST_APART]))
    start = max(start, start_2 - tables.rows[32 * v + MOST_APART])
    note(tables, state, heap, t, start, ready, leg, eaten, waited)
    note(tables, state, heap, t + 1, start_2, ready_2, leg_2, eaten_2, waited_2)


@folded
def sum_up(tables: Tables, state: State, w: int) -> None:
    """The end of worker `w`'s day: a meal not yet eaten, the way back, overtime and idleness."""
    table, totals = state.table, state.totals
    last = table[16 * ~w + LAST]
    length = tables.rows[16 * ~w + SHIFT_END] - tables.rows[16 * ~w + SHIFT_START]
    has_meal = tables.rows[16 * ~w + HAS_MEAL] == 1
    missed = tables.rows[16 * ~w + MEAL_PENALTY] if has_meal else 0
    tail, over, excess, wait, work, idle = 0, 0, 0, 0, 0, length
    if last >= 0:
        tail = tables.numbers[tables.rows[16 * last + LEGS] + tables.rows[16 * ~w + FINISH]]
        back = table[16 * last + START] + tables.rows[16 * last + SERVICE] + tail
        if has_meal:
            if table[16 * last + EATEN] > 0:
                missed, work = 0, tables.rows[16 * ~w + MEAL_LEAST]
            else:
                pause = max(0, tables.rows[16 * ~w + MEAL_EARLIEST] - back + tail)
                late = back + pause + tables.rows[16 * ~w + MEAL_LEAST]
                extra = max(0, late - tables.rows[16 * ~w + SHIFT_END]) - max(
                    0, back - tables.rows[16 * ~w + SHIFT_END]
                )
                cost = tables.numbers[W_WAITING] * pause + tables.numbers[W_OVER] * extra
                if late - tail <= tables.rows[16 * ~w + MEAL_LATEST] and cost <= missed:
                    missed, work, wait, back = 0, tables.rows[16 * ~w + MEAL_LEAST], pause, late
        care = tail
        t = table[16 * ~w + FIRST]
        while t >= 0:
            care += table[16 * t + LEG] + tables.rows[16 * t + SERVICE]
            t = table[16 * t + AFTER]
        over = max(0, back - tables.rows[16 * ~w + SHIFT_END])
        excess = max(0, over - tables.rows[16 * ~w + OVER_CAP])
        idle = max(back, tables.rows[16 * ~w + SHIFT_END]) - tables.rows[16 * ~w + SHIFT_START] - care - work
        work = care
    totals[TRAVEL] += tail - table[16 * ~w + TAIL]
    totals[WAITING] += wait - table[16 * ~w + TAIL_WAIT]
    totals[OVERTIME] += over - table[16 * ~w + OVER]
    totals[MEALS] += missed - table[16 * ~w + MISSED]
    totals[BROKEN] += excess - table[16 * ~w + EXCESS]
    put(state, 16 * ~w + TAIL, tail)
    put(state, 16 * ~w + TAIL_WAIT, wait)
    put(state, 16 * ~w + OVER, over)
    put(state, 16 * ~w + MISSED, missed)
    put(state, 16 * ~w + EXCESS, excess)
    level = totals[LEVEL]
    totals[ABOVE] += max(0, idle - level) - max(0, table[16 * ~w + IDLE] - level)
    put(state, 16 * ~w + IDLE, idle)
    put(state, 16 * ~w + WORK, work)


@folded
def room(tables: Tables, state: State) -> int:
    """How long the journal may be before a node is timed: enough is left for that, and for summing up everybody's day."""
    rows = (len(state.totals) - JOURNAL_AT) // 4
    return rows - ENTRIES_OF_NODE - ENTRIES_OF_WORKER * tables.numbers[PEOPLE]  # type: ignore[no-any-return]


@inner
def settle(tables: Tables, state: State, heap: Heap) -> bool:
    """Times everything that a change touched, in the order of keys, then the days of the workers concerned.

    False, with the change to be undone, should it need more room than the journal has: runs that are all in the order of
    the keys never do, two pairs that each wait for the other would write past its end.
    """
    most = room(tables, state)
    for n in range(state.totals[PENDING]):
        push(heap, state.key, state.totals[4 * n + PENDING_NODE])
    while heap.size[0] > 0:
        v = pop(heap, state.key)
        if state.totals[JOURNAL] > most:
            clear(heap)
            return False
        if state.table[32 * v + OUT] == 0:
            time_node(tables, state, heap, v)
    for n in range(state.totals[TOUCHED]):
        sum_up(tables, state, state.totals[4 * n + TOUCHED_WORKER])
    return True
