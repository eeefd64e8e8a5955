"""Kernel of the unified search: annealing over the moves, and a state built anew from its decisions."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from rostering.search.kernel.chance import Words, below, share
from rostering.search.kernel.heap import Floats, Ints
from rostering.search.kernel.jit import compiled, entered, inner
from rostering.search.unified_idle import level_off, longest_idle
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
from rostering.search.unified_state import (
    AMONG,
    BROKEN,
    EAT_FROM,
    FIRST,
    JOURNAL,
    LAST,
    LEAVE,
    MATE,
    NONE,
    OUT,
    PAIR,
    PENALTY,
    START,
    TOTALS,
    UNFILLED,
    W_IDLE,
    WHO,
    WINDOW,
    State,
    Tables,
    additive,
    begin,
    idleness,
    put_in,
    settle,
    touch,
    undo,
    worst,
)

COST, BEST = range(2)
LEVEL_MOVES = 1_000


class Best(NamedTuple):
    """The decisions of the best state seen: the table and the keys; and room for a move's old totals."""

    table: Ints
    key: Floats
    totals: Ints


@compiled
def rebuild(tables: Tables, state: State) -> int:
    """Links, times and totals anew from the choices (keys, WHO, WINDOW, OUT, LEAVE, EAT_FROM); the cost."""
    table = state.table
    who = table[WHO].copy()
    keep = (WINDOW, OUT, LEAVE, EAT_FROM)
    for f in range(table.shape[0]):
        if f not in keep:
            table[f, :] = 0
    for f in (WHO, START, FIRST, LAST):
        table[f, :] = NONE
    among = state.totals[AMONG]
    state.totals[:] = 0
    state.totals[AMONG] = among
    begin(state)
    for v in np.argsort(state.key):
        if table[OUT, v]:
            if tables.nodes[MATE, v] < v:
                state.totals[UNFILLED] += tables.nodes[PENALTY, v]
            continue
        put_in(tables, state, 2 * v, who[2 * v])
        if tables.nodes[PAIR, v]:
            put_in(tables, state, 2 * v + 1, who[2 * v + 1])
        state.counts[JOURNAL] = 0
    for w in range(tables.workers.shape[1]):
        touch(state, w)
    settle(tables, state)
    begin(state)
    level_off(tables, state)
    return additive(tables, state.totals) + worst(tables, state)


@inner
def change(tables: Tables, state: State, words: Words, v: int) -> bool:
    """One random move at node `v`; False when it came to nothing (the state may have to be undone)."""
    people = tables.workers.shape[1]
    chance = share(words)
    if state.table[OUT, v]:
        changed = bring_in(tables, state, words, v)
    elif chance < 0.05 and tables.weights[W_IDLE] > 0:
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
    else:
        changed = leave_out(tables, state, v)
    return changed


@inner
def remember(state: State, best: Best) -> None:
    """The best is what stands now."""
    for i in range(len(state.key)):
        best.key[i] = state.key[i]
    for f in (WHO, WINDOW, OUT, LEAVE, EAT_FROM):
        for i in range(state.table.shape[1]):
            best.table[f, i] = state.table[f, i]


@entered
def anneal(
    tables: Tables, state: State, best: Best, standing: Ints, words: Words, moves: int, temperature: float
) -> int:
    """`moves` random moves at one temperature; gives how many were kept. `standing` has the cost now and the best."""
    before = best.totals
    kept = 0
    nodes = len(state.key)
    for move in range(moves):
        if move % LEVEL_MOVES == 0:
            level_off(tables, state)
            standing[COST] = additive(tables, state.totals) + worst(tables, state)
        for n in range(TOTALS):
            before[n] = state.totals[n]
        begin(state)
        if not (change(tables, state, words, below(words, nodes)) and settle(tables, state)):
            undo(state, before)
            continue
        limit = standing[COST] - temperature * math.log(1.0 - share(words))
        cost = additive(tables, state.totals)
        if cost < limit:
            cost += worst(tables, state)
        if cost >= limit:
            undo(state, before)
            continue
        kept += 1
        standing[COST] = cost
        cost -= idleness(tables, state.totals)
        if cost < standing[BEST] and state.totals[BROKEN] == 0:
            cost += tables.weights[W_IDLE] * longest_idle(tables, state)
            if cost < standing[BEST]:
                standing[BEST] = cost
                remember(state, best)
    level_off(tables, state)
    standing[COST] = additive(tables, state.totals) + worst(tables, state)
    return kept


@compiled
def renumber(state: State) -> None:
    """Keys 1, 2, 3 and so on in the same order (equal ones by number), so that there is room between them again."""
    order = np.argsort(state.key, kind="mergesort")
    for i in range(len(order)):
        state.key[order[i]] = float(i + 1)
