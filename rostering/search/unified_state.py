"""Kernel of the unified search: the state in one table, changes with a journal, and the times of a run; no moves.

A node is a visit, or one slot of a visit whose slots are independent; node `v`'s task `k` is `2 * v + k`. The state is
one table of whole numbers, a row a field, so that any move is undone by writing old numbers back. Starts are the
earliest that the order of the nodes, the departures and the chosen windows allow; they are worked out again only where
they change, in the order of the nodes' keys.
"""

from __future__ import annotations

from typing import NamedTuple

from rostering.search.kernel.heap import Floats, Heap, Ints, clear, earlier, pop, push
from rostering.search.kernel.jit import folded, inner

WHO, BEFORE, AFTER, START, EATEN, LEG, WAIT, LATE, OVERDUE, WINDOW, OUT = range(11)
FIRST, LAST, LEAVE, EAT_FROM, IDLE, OVER, MISSED, TAIL, TAIL_WAIT, WORK, EXCESS, IS_TOUCHED = range(11, 23)
FIELDS = 23
"""Rows: by task up to OVERDUE (lateness beyond the limit), by node WINDOW (first allowed) and OUT, then by worker.

EATEN: 0 not yet when the task starts, 1 before the stop before, 2 between the two at the stop before, 3 at this stop.
"""

TRAVEL, WAITING, LATENESS, OVERTIME, MEALS, DISLIKED, UNFILLED, BROKEN, ABOVE, LEVEL, AMONG = range(11)
TOTALS = 11
"""ABOVE: idle time above LEVEL, of everybody; LEVEL is chosen now and then so that about AMONG workers are above it."""

W_TRAVEL, W_WAITING, W_LATE, W_LATE_WORST, W_OVER, W_IDLE, W_WAIT_WORST, W_BALANCE, W_BROKEN, REACH = range(10)
NONE = -1


PLACE, PAIR, MATE, PENALTY, LEAST_APART, MOST_APART, WINDOWS, LATE_CAP, OPTIONAL, OPENS, CLOSES = range(11)
SERVICE, JUDGED, CHOICES, CHOICES_END = range(4)
HOME, FINISH, SHIFT_START, SHIFT_END, OVER_CAP, AT_START = range(6)
HAS_MEAL, MEAL_EARLIEST, MEAL_LATEST, MEAL_LEAST, MEAL_PENALTY = range(6, 11)


class Tables(NamedTuple):
    """The problem as few arrays (each costs time at every call), a row a field: by node, by task, by worker.

    Window `j` of a node is in rows OPENS + 2 * j and CLOSES + 2 * j. JUDGED is what is added to a start before it is
    held against a window's end. `dislike` is what a worker costs at a task, -1 where they may not do it; `choices` are
    the workers who may, from CHOICES to CHOICES_END. `near` has neighbours by node. Times in ticks.
    """

    nodes: Ints
    tasks: Ints
    workers: Ints
    travel: Ints
    dislike: Ints
    choices: Ints
    near: Ints
    weights: Ints


class State(NamedTuple):
    """The table, the keys, the totals, and what a move needs: journals, the heap, workers touched, tasks to time."""

    table: Ints
    key: Floats
    totals: Ints
    journal: Ints
    counts: Ints
    old_key: Floats
    lists: Ints
    heap: Heap


ENTRIES_OF_NODE, ENTRIES_OF_WORKER = 12, 7
"""What timing a node, and summing up a worker's day, writes to the journal at most."""

JOURNAL, KEYS, TOUCHED, PENDING = range(4)
"""counts[...]: how many entries each has; lists[0] holds the workers touched, lists[1] the nodes pending."""


@folded
def put(state: State, f: int, i: int, value: int) -> None:
    """A number of the table, with the old one kept for undoing."""
    old = state.table[f, i]
    if old != value:
        n = state.counts[JOURNAL]
        state.journal[n, 0] = f
        state.journal[n, 1] = i
        state.journal[n, 2] = old
        state.counts[JOURNAL] = n + 1
        state.table[f, i] = value


@folded
def put_key(state: State, v: int, value: float) -> None:
    """A node's key, with the old one kept. The node must be in no run."""
    n = state.counts[KEYS]
    state.old_key[2 * n] = v
    state.old_key[2 * n + 1] = state.key[v]
    state.counts[KEYS] = n + 1
    state.key[v] = value


@folded
def touch(state: State, w: int) -> None:
    """Remember that worker `w`'s day has to be summed up again."""
    if state.table[IS_TOUCHED, w] == 0:
        state.table[IS_TOUCHED, w] = 1
        state.lists[0, state.counts[TOUCHED]] = w
        state.counts[TOUCHED] += 1


@folded
def again(state: State, t: int) -> None:
    """Remember that task `t`'s node has to be timed again (not in the heap yet: keys may still change)."""
    state.lists[1, state.counts[PENDING]] = t >> 1
    state.counts[PENDING] += 1


@inner
def undo(state: State, totals: Ints) -> None:
    """Back to before the move: every number, every key, and the totals given."""
    for n in range(state.counts[JOURNAL] - 1, -1, -1):
        state.table[state.journal[n, 0], state.journal[n, 1]] = state.journal[n, 2]
    for n in range(state.counts[KEYS] - 1, -1, -1):
        state.key[int(state.old_key[2 * n])] = state.old_key[2 * n + 1]
    for n in range(TOTALS):
        state.totals[n] = totals[n]
    begin(state)


@inner
def begin(state: State) -> None:
    """Nothing to undo, nobody touched."""
    for n in range(state.counts[TOUCHED]):
        state.table[IS_TOUCHED, state.lists[0, n]] = 0
    state.counts[:] = 0


@inner
def take_out(tables: Tables, state: State, t: int) -> None:
    """Task `t` leaves its run; the stop after it is to be timed again. Its own times stop counting."""
    table, totals = state.table, state.totals
    w, p, q = table[WHO, t], table[BEFORE, t], table[AFTER, t]
    if p < 0:
        put(state, FIRST, w, q)
    else:
        put(state, AFTER, p, q)
    if q < 0:
        put(state, LAST, w, p)
    else:
        put(state, BEFORE, q, p)
        again(state, q)
    totals[TRAVEL] -= table[LEG, t]
    totals[WAITING] -= table[WAIT, t]
    totals[LATENESS] -= table[LATE, t]
    totals[BROKEN] -= table[OVERDUE, t]
    totals[DISLIKED] -= tables.dislike[t, w]
    for f in (LEG, WAIT, LATE, OVERDUE):
        put(state, f, t, 0)
    put(state, START, t, NONE)
    put(state, WHO, t, NONE)
    touch(state, w)


@inner
def put_in(tables: Tables, state: State, t: int, w: int) -> None:
    """Task `t` goes where its node's key belongs in worker `w`'s run; it and the stop after it are to be timed."""
    table, key = state.table, state.key
    v = t >> 1
    p, q = NONE, table[FIRST, w]
    while q >= 0 and earlier(key, q >> 1, v):
        p, q = q, table[AFTER, q]
    put(state, BEFORE, t, p)
    put(state, AFTER, t, q)
    if p < 0:
        put(state, FIRST, w, t)
    else:
        put(state, AFTER, p, t)
    if q < 0:
        put(state, LAST, w, t)
    else:
        put(state, BEFORE, q, t)
        again(state, q)
    put(state, WHO, t, w)
    state.totals[DISLIKED] += tables.dislike[t, w]
    again(state, t)
    touch(state, w)


@folded
def lateness(tables: Tables, v: int, t: int, start: int) -> tuple[int, int]:
    """(seconds late, the window that counts) of a start: the last window that opens at or before it."""
    j = 0
    while j + 1 < tables.nodes[WINDOWS, v] and tables.nodes[OPENS + 2 * (j + 1), v] <= start:
        j += 1
    return max(0, start + tables.tasks[JUDGED, t] - tables.nodes[CLOSES + 2 * (j), v]), j


@folded
def legal(tables: Tables, v: int, t: int, start: int) -> int:
    """`start`, or the opening of the next window when waiting for it costs less than being late for this one."""
    late, j = lateness(tables, v, t, start)
    while late > 0 and j + 1 < tables.nodes[WINDOWS, v]:
        opening = tables.nodes[OPENS + 2 * (j + 1), v]
        later = max(0, opening + tables.tasks[JUDGED, t] - tables.nodes[CLOSES + 2 * (j + 1), v])
        waits = tables.weights[W_WAITING] * (opening - start)
        if late <= tables.nodes[LATE_CAP, v] and tables.weights[W_LATE] * (late - later) <= waits:
            return start
        start, late, j = opening, later, j + 1
    return start


@folded
def arrival(tables: Tables, state: State, t: int) -> tuple[int, int, int, int]:
    """(when the worker is ready to serve task `t`, leg, EATEN, wait before the meal) after the stop before it."""
    table = state.table
    w, p = table[WHO, t], table[BEFORE, t]
    there = tables.nodes[PLACE, t >> 1]
    eaten, waited = 0, 0
    if p < 0:
        leg = tables.travel[tables.workers[HOME, w], there]
        free = max(tables.workers[SHIFT_START, w], table[LEAVE, w])
    else:
        leg = tables.travel[tables.nodes[PLACE, p >> 1], there]
        free = table[START, p] + tables.tasks[SERVICE, p]
        eaten = min(1, table[EATEN, p])
    if eaten or not tables.workers[HAS_MEAL, w]:
        return free + leg, leg, eaten, 0
    earliest, latest, least = (
        tables.workers[MEAL_EARLIEST, w],
        tables.workers[MEAL_LATEST, w],
        tables.workers[MEAL_LEAST, w],
    )
    wanted = table[EAT_FROM, w]
    if p >= 0 and free >= wanted and max(free, earliest) + least <= latest:
        return max(free, earliest) + least + leg, leg, 2, max(0, earliest - free)
    ready = free + leg
    begins = tables.workers[SHIFT_START, w] + leg if p < 0 and not tables.workers[AT_START, w] else ready
    if ready >= wanted and max(begins, earliest) + least <= latest:
        if p >= 0 or tables.workers[AT_START, w]:
            waited = max(0, earliest - ready)
        return max(ready, max(begins, earliest) + least), leg, 3, waited
    return ready, leg, 0, 0


@folded
def note(tables: Tables, state: State, t: int, start: int, ready: int, leg: int, eaten: int, waited: int) -> None:
    """The times of task `t`; the stop after it is timed again when they changed."""
    table, totals = state.table, state.totals
    v, w = t >> 1, table[WHO, t]
    wait = waited + start - ready
    if table[BEFORE, t] < 0 and (eaten == 3 or not tables.workers[AT_START, w]):
        wait = waited
    late, _ = lateness(tables, v, t, start)
    broken = max(0, late - tables.nodes[LATE_CAP, v])
    totals[TRAVEL] += leg - table[LEG, t]
    totals[WAITING] += wait - table[WAIT, t]
    totals[LATENESS] += late - table[LATE, t]
    totals[BROKEN] += broken - table[OVERDUE, t]
    if table[START, t] != start or table[EATEN, t] != eaten:
        q = table[AFTER, t]
        if q >= 0:
            push(state.heap, state.key, q >> 1)
        touch(state, w)
    elif table[LEG, t] != leg:
        touch(state, w)
    put(state, START, t, start)
    put(state, EATEN, t, eaten)
    put(state, LEG, t, leg)
    put(state, WAIT, t, wait)
    put(state, LATE, t, late)
    put(state, OVERDUE, t, broken)


@inner
def time_node(tables: Tables, state: State, v: int) -> None:
    """The earliest starts of a node's tasks after the stops before them; a pair waits for its later half."""
    t = 2 * v
    opening = tables.nodes[OPENS + 2 * state.table[WINDOW, v], v]
    ready, leg, eaten, waited = arrival(tables, state, t)
    start = legal(tables, v, t, max(ready, opening))
    if not tables.nodes[PAIR, v]:
        note(tables, state, t, start, ready, leg, eaten, waited)
        return
    ready_2, leg_2, eaten_2, waited_2 = arrival(tables, state, t + 1)
    start_2 = legal(tables, v, t + 1, max(ready_2, opening, start + tables.nodes[LEAST_APART, v]))
    start = max(start, start_2 - tables.nodes[MOST_APART, v])
    note(tables, state, t, start, ready, leg, eaten, waited)
    note(tables, state, t + 1, start_2, ready_2, leg_2, eaten_2, waited_2)


@inner
def sum_up(tables: Tables, state: State, w: int) -> None:
    """The end of worker `w`'s day: a meal not yet eaten, the way back, overtime and idleness."""
    table, totals = state.table, state.totals
    last = table[LAST, w]
    length = tables.workers[SHIFT_END, w] - tables.workers[SHIFT_START, w]
    has_meal = tables.workers[HAS_MEAL, w] == 1
    missed = tables.workers[MEAL_PENALTY, w] if has_meal else 0
    tail, over, excess, wait, work, idle = 0, 0, 0, 0, 0, length
    if last >= 0:
        tail = tables.travel[tables.nodes[PLACE, last >> 1], tables.workers[FINISH, w]]
        back = table[START, last] + tables.tasks[SERVICE, last] + tail
        if has_meal:
            if table[EATEN, last] > 0:
                missed, work = 0, tables.workers[MEAL_LEAST, w]
            else:
                pause = max(0, tables.workers[MEAL_EARLIEST, w] - back + tail)
                late = back + pause + tables.workers[MEAL_LEAST, w]
                extra = max(0, late - tables.workers[SHIFT_END, w]) - max(0, back - tables.workers[SHIFT_END, w])
                cost = tables.weights[W_WAITING] * pause + tables.weights[W_OVER] * extra
                if late - tail <= tables.workers[MEAL_LATEST, w] and cost <= missed:
                    missed, work, wait, back = 0, tables.workers[MEAL_LEAST, w], pause, late
        care = tail
        t = table[FIRST, w]
        while t >= 0:
            care += table[LEG, t] + tables.tasks[SERVICE, t]
            t = table[AFTER, t]
        over = max(0, back - tables.workers[SHIFT_END, w])
        excess = max(0, over - tables.workers[OVER_CAP, w])
        idle = max(back, tables.workers[SHIFT_END, w]) - tables.workers[SHIFT_START, w] - care - work
        work = care
    totals[TRAVEL] += tail - table[TAIL, w]
    totals[WAITING] += wait - table[TAIL_WAIT, w]
    totals[OVERTIME] += over - table[OVER, w]
    totals[MEALS] += missed - table[MISSED, w]
    totals[BROKEN] += excess - table[EXCESS, w]
    put(state, TAIL, w, tail)
    put(state, TAIL_WAIT, w, wait)
    put(state, OVER, w, over)
    put(state, MISSED, w, missed)
    put(state, EXCESS, w, excess)
    level = totals[LEVEL]
    totals[ABOVE] += max(0, idle - level) - max(0, table[IDLE, w] - level)
    put(state, IDLE, w, idle)
    put(state, WORK, w, work)


@inner
def settle(tables: Tables, state: State) -> bool:
    """Times everything that a change touched, in the order of keys, then the days of the workers concerned.

    False, with the change to be undone, should it need more room than the journal has: runs that are all in the order of
    the keys never do, two pairs that each wait for the other would write past its end.
    """
    room = len(state.journal) - ENTRIES_OF_NODE - ENTRIES_OF_WORKER * tables.workers.shape[1]
    for n in range(state.counts[PENDING]):
        push(state.heap, state.key, state.lists[1, n])
    while state.heap.size[0] > 0:
        v = pop(state.heap, state.key)
        if state.counts[JOURNAL] > room:
            clear(state.heap)
            return False
        if state.table[OUT, v] == 0:
            time_node(tables, state, v)
    for n in range(state.counts[TOUCHED]):
        sum_up(tables, state, state.lists[0, n])
    return True


@folded
def idleness(tables: Tables, totals: Ints) -> int:
    """What the mean of the AMONG longest idle times costs: of the longest alone when AMONG is 1."""
    return tables.weights[W_IDLE] * totals[LEVEL] + tables.weights[W_IDLE] * totals[ABOVE] // totals[AMONG]  # type: ignore[no-any-return]


@folded
def additive(tables: Tables, totals: Ints) -> int:
    """The part of the cost that is a sum over tasks and workers."""
    weights = tables.weights
    return (  # type: ignore[no-any-return]
        weights[W_TRAVEL] * totals[TRAVEL]
        + weights[W_WAITING] * totals[WAITING]
        + weights[W_LATE] * totals[LATENESS]
        + weights[W_OVER] * totals[OVERTIME]
        + weights[W_BROKEN] * totals[BROKEN]
        + totals[MEALS]
        + totals[DISLIKED]
        + totals[UNFILLED]
        + idleness(tables, totals)
    )


@inner
def worst(tables: Tables, state: State) -> int:
    """The part of the cost that looks at everyone: the latest start, longest wait, and balance."""
    table, weights = state.table, tables.weights
    tasks, people = tables.tasks.shape[1], tables.workers.shape[1]
    cost = 0
    if weights[W_LATE_WORST] > 0:
        latest = 0
        for t in range(tasks):
            latest = max(latest, table[LATE, t])
        cost += weights[W_LATE_WORST] * latest
    if weights[W_WAIT_WORST] > 0:
        longest = 0
        for t in range(tasks):
            longest = max(longest, table[WAIT, t])
        for w in range(people):
            longest = max(longest, table[TAIL_WAIT, w])
        cost += weights[W_WAIT_WORST] * longest
    if weights[W_BALANCE] > 0:
        total = 0
        for w in range(people):
            total += table[WORK, w]
        uneven = 0
        for w in range(people):
            uneven += -((-abs(table[WORK, w] * people - total)) // people)
        cost += weights[W_BALANCE] * uneven
    return cost
