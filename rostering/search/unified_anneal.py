"""Kernel of the unified search: annealing over the moves, and a state built anew from its decisions."""

from __future__ import annotations

import math

import numpy as np

from rostering.search.kernel.chance import Words, below, seeded, share
from rostering.search.kernel.heap import Heap, Ints
from rostering.search.kernel.jit import entered, inlined, inner
from rostering.search.unified_close import close_up, leave_together
from rostering.search.unified_cost import additive, idleness, level_off, longest_idle, worst
from rostering.search.unified_moves import (
    bring_in,
    eat_anew,
    employ,
    exchange_tails,
    leave_anew,
    leave_out,
    open_anew,
    reassign,
    relocate,
    shift,
    swap,
)
from rostering.search.unified_rows import (
    AMONG,
    BEFORE,
    BROKEN,
    CLOSES,
    EAT_FROM,
    FIRST,
    JOURNAL,
    LAST,
    LEAVE,
    MATE,
    NONE,
    OUT,
    OVERDUE,
    PAIR,
    PENALTY,
    PENDING,
    PEOPLE,
    REACH,
    START,
    UNFILLED,
    W_IDLE,
    WHO,
    Best,
    State,
    Tables,
    by_row,
)
from rostering.search.unified_state import begin, put_in, settle, touch, undo

COST, BEST = range(2)
LEVEL_MOVES = 1_000
NO_ORDER = np.zeros(0, np.int64)


def rebuild(tables: Tables, state: State, heap: Heap) -> int:
    """Links, times and totals anew from the choices (keys, WHO, WINDOW, OUT, LEAVE, EAT_FROM); the cost."""
    rows, tasks = by_row(state.table), 2 * len(state.key)
    rows[:tasks, BEFORE : OVERDUE + 1] = 0
    rows[:tasks, START] = NONE
    chosen = rows[tasks:, [LEAVE, EAT_FROM]]
    rows[tasks:] = 0
    rows[tasks:, [FIRST, LAST]] = NONE
    rows[tasks:, [LEAVE, EAT_FROM]] = chosen
    among = state.totals[AMONG]
    state.totals[: PENDING + 1] = 0
    state.totals[AMONG] = among
    standing, order = np.zeros(2, np.int64), np.argsort(state.key, kind="stable")
    _annealed(tables, state, heap, Best(state.table, state.key), standing, seeded(0), order, 0, 0.0)
    return int(standing[COST])


@inlined
def build(tables: Tables, state: State, heap: Heap, order: Ints) -> None:
    """All visits that are made go where their workers and keys say, into runs that are empty."""
    table = state.table
    begin(state)
    for v in order:
        who, who_2 = table[32 * v + WHO], table[32 * v + 16 + WHO]
        table[32 * v + WHO] = NONE
        table[32 * v + 16 + WHO] = NONE
        if table[32 * v + OUT]:
            if tables.rows[32 * v + MATE] < v:
                state.totals[UNFILLED] += tables.rows[32 * v + PENALTY]
            continue
        put_in(tables, state, 2 * v, who)
        if tables.rows[32 * v + PAIR]:
            put_in(tables, state, 2 * v + 1, who_2)
        state.totals[JOURNAL] = 0
    for w in range(tables.numbers[PEOPLE]):
        touch(state, w)
    settle(tables, state, heap)
    begin(state)


@inlined
def change(tables: Tables, state: State, words: Words, v: int) -> bool:
    """One random move at node `v`; False when it came to nothing (the state may have to be undone)."""
    people = tables.numbers[PEOPLE]
    chance = share(words)
    if state.table[32 * v + OUT]:
        changed = bring_in(tables, state, words, v)
    elif chance < 0.05 and tables.numbers[W_IDLE] > 0:
        changed = employ(tables, state, words)
    elif chance < 0.42:
        changed = relocate(tables, state, words, v)
    elif chance < 0.52:
        changed = reassign(tables, state, words, v)
    elif chance < 0.64:
        changed = exchange_tails(tables, state, words, v)
    elif chance < 0.74:
        changed = shift(tables, state, words, v)
    elif chance < 0.84:
        changed = swap(tables, state, words, v)
    elif chance < 0.92:
        changed = leave_anew(tables, state, words, below(words, people))
    elif chance < 0.95:
        changed = eat_anew(tables, state, words, below(words, people))
    elif chance < 0.97:
        changed = open_anew(tables, state, words, v)
    elif chance < 0.99 or tables.numbers[CLOSES] == 0:
        changed = leave_out(tables, state, v)
    else:
        reach = 1 + tables.numbers[REACH]
        changed = leave_together(tables, state, below(words, 2 * reach + 1) - reach)
    return changed


@inner
def remember(state: State, best: Best) -> None:
    """The best is what stands now."""
    for v in range(len(state.key)):
        best.key[v] = state.key[v]
    for i in range(len(state.table)):
        best.table[i] = state.table[i]


def anneal(
    tables: Tables,
    state: State,
    heap: Heap,
    best: Best,
    standing: Ints,
    words: Words,
    moves: int,
    temperature: float,
) -> int:
    """`moves` random moves at one temperature; gives how many were kept. `standing` has the cost now and the best."""
    return _annealed(tables, state, heap, best, standing, words, NO_ORDER, moves, temperature)


@entered
def _annealed(
    tables: Tables,
    state: State,
    heap: Heap,
    best: Best,
    standing: Ints,
    words: Words,
    order: Ints,
    moves: int,
    temperature: float,
) -> int:
    """As `anneal`, after the runs are built anew where an order of all nodes is given.

    Both are one function to be compiled, for both need most of what the search is made of.
    """
    if len(order) > 0:
        build(tables, state, heap, order)
    kept = 0
    nodes = len(state.key)
    closes = tables.numbers[CLOSES] == 1
    for move in range(moves):
        if move % LEVEL_MOVES == 0:
            level_off(tables, state)
            standing[COST] = additive(tables, state.totals) + worst(tables, state)
        begin(state)
        if not (change(tables, state, words, below(words, nodes)) and settle(tables, state, heap)):
            undo(state)
            continue
        limit = standing[COST] - temperature * math.log(1.0 - share(words))
        cost = additive(tables, state.totals)
        if cost < limit:
            cost += worst(tables, state)
        if cost >= limit and closes:
            cost = close_up(tables, state, heap, cost, limit)
        if cost >= limit:
            undo(state)
            continue
        kept += 1
        standing[COST] = cost
        cost -= idleness(tables, state.totals)
        if cost < standing[BEST] and state.totals[BROKEN] == 0:
            cost += tables.numbers[W_IDLE] * longest_idle(tables, state)
            if cost < standing[BEST]:
                standing[BEST] = cost
                remember(state, best)
    level_off(tables, state)
    standing[COST] = additive(tables, state.totals) + worst(tables, state)
    return kept


def renumber(state: State) -> None:
    """Keys 1, 2, 3 and so on in the same order (equal ones by number), so that there is room between them again."""
    state.key[np.argsort(state.key, kind="stable")] = np.arange(1.0, len(state.key) + 1.0)
