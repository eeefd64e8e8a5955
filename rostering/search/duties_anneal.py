"""The annealing of the duties search, a number of moves at a time, and the best roster it met; compiled."""

from __future__ import annotations

import math

from rostering.search.duties_board import (
    G_STRANGER,
    NEVER,
    NOBODY,
    R_FIRST,
    R_KEPT,
    S_ABSENT,
    S_BEST,
    S_COST,
    T_AFTER,
    T_START,
    V_ABSENT,
    V_ABSENT_AT,
    V_ANCHORED,
    V_SLOTS,
    V_WINDOW,
    V_WINDOW_END,
    Board,
    Ints,
)
from rostering.search.duties_draft import forget, make, say_nothing, weighed
from rostering.search.duties_insert import say_cheapest
from rostering.search.duties_moves import (
    cross,
    move_anywhere,
    move_half,
    move_known,
    move_pair,
    move_single,
    replace,
    shift,
    swap,
)
from rostering.search.kernel.chance import Words, below, share
from rostering.search.kernel.jit import entered, inlined

ABSENT_SHARE = 0.04
KNOWN_SHARE = 0.2
"""Of moves, where it matters whom a customer sees, so many give a visit to somebody whom the customer sees."""


@entered
def keep_best(b: Board, kept: Ints) -> None:
    """Copy what has changed of the roster: a row (run, task after, start) a task, and the first task of each run."""
    tasks = b.task.shape[0]
    for r in range(b.run.shape[0]):
        if b.run[r, R_KEPT] == 1:
            continue
        b.run[r, R_KEPT] = 1
        t = b.run[r, R_FIRST]
        kept[tasks + r, 0] = t
        while t >= 0:
            kept[t, 0] = r
            kept[t, 1] = b.task[t, T_AFTER]
            kept[t, 2] = b.task[t, T_START]
            t = b.task[t, T_AFTER]
    for i in range(b.sums[S_ABSENT]):
        t = 2 * b.visit[i, V_ABSENT]
        kept[t, 0] = NOBODY
        kept[t + 1, 0] = NOBODY
    b.sums[S_BEST] = b.sums[S_COST]


@inlined
def _said_absent(b: Board, chance: Words) -> bool:
    """Say how an absent visit may come in: at its cheapest place, beside a near one, or instead of one."""
    v = b.visit[below(chance, b.sums[S_ABSENT]), V_ABSENT]
    dice = share(chance)
    if dice < 0.1:
        said = say_cheapest(b, chance, v)
    elif dice < 0.55:
        said = replace(b, chance, v)
    elif b.visit[v, V_SLOTS] == 2:
        said = move_pair(b, chance, v)
    else:
        said = move_single(b, chance, v)
    return said


@inlined
def _said(b: Board, chance: Words, v: int) -> bool:
    """Say a random move of rostered visit `v`."""
    dice = share(chance)
    retimable = b.visit[v, V_ANCHORED] == 1 or b.visit[v, V_WINDOW_END] - b.visit[v, V_WINDOW] > 1
    if b.sums[G_STRANGER] > 0 and share(chance) < KNOWN_SHARE:
        said = move_known(b, chance, v)
    elif dice < 0.25:
        said = cross(b, chance, v)
    elif dice < 0.45:
        said = swap(b, chance, v)
    elif retimable and dice < 0.6:
        said = shift(b, chance, v)
    elif dice > 0.94:
        said = move_anywhere(b, chance, v)
    elif b.visit[v, V_SLOTS] == 1:
        said = move_single(b, chance, v)
    elif dice < 0.85:
        said = move_half(b, chance, v)
    else:
        said = move_pair(b, chance, v)
    return said


@entered
def anneal(b: Board, chance: Words, moves: int, heat: float, kept: Ints, since: int, some: int) -> None:
    """Make `moves` random moves of `some` visits from `since` on, round the end, each if its cost is below what chance
    allows at this heat; keep the best roster.
    """
    visits = b.visit.shape[0]
    some = min(some, visits)
    for _ in range(moves):
        say_nothing(b)
        if b.sums[S_ABSENT] > 0 and share(chance) < ABSENT_SHARE:
            said = _said_absent(b, chance)
        else:
            v = (since + below(chance, some)) % visits
            said = b.visit[v, V_ABSENT_AT] < 0 and _said(b, chance, v)
        change = NEVER
        if said:
            change = weighed(b, -heat * math.log(1.0 - share(chance)))
        if change == NEVER:
            forget(b)
            continue
        if change > 0 and b.sums[S_COST] < b.sums[S_BEST]:
            keep_best(b, kept)
        make(b, change)
    say_nothing(b)
    if b.sums[S_COST] < b.sums[S_BEST]:
        keep_best(b, kept)
