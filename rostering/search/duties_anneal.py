"""The annealing of the duties search, a number of moves at a time, and the best roster it met; compiled."""

from __future__ import annotations

import math

from rostering.search.duties_board import (
    G_RUNS,
    G_STRANGER,
    G_VISITS,
    KEPT,
    NEVER,
    NOBODY,
    NONE,
    ONE,
    R_FIRST,
    R_KEPT,
    RUN,
    S_ABSENT,
    S_BEST,
    S_COST,
    T_AFTER,
    T_START,
    TASK,
    V_ABSENT,
    V_ABSENT_AT,
    V_ANCHORED,
    V_SLOTS,
    V_WINDOW,
    V_WINDOW_END,
    VISIT,
    Board,
    Ints,
)
from rostering.search.duties_draft import forget, make, say_nothing, weighed
from rostering.search.duties_insert import say_cheapest
from rostering.search.duties_moves import cross, fitted, move_anywhere, move_half, move_pair, move_single, replace, swap
from rostering.search.kernel.chance import Words, below, share
from rostering.search.kernel.jit import entered, inlined

ABSENT_SHARE = 0.04
KNOWN_SHARE = 0.2
"""Of moves, where it matters whom a customer sees, so many give a visit to somebody whom the customer sees."""


@entered
def keep_best(b: Board, kept: Ints) -> None:
    """Copy what has changed of the roster: a row (run, task after, start) a task, and the first task of each run."""
    tasks = 2 * b.work[G_VISITS]
    for r in range(b.work[G_RUNS]):
        if b.run[RUN * r + R_KEPT] == 1:
            continue
        b.run[RUN * r + R_KEPT] = 1
        t = b.run[RUN * r + R_FIRST]
        kept[KEPT * (tasks + r)] = t
        while t >= 0:
            kept[KEPT * t] = r
            kept[KEPT * t + 1] = b.visit[TASK * t + T_AFTER]
            kept[KEPT * t + 2] = b.visit[TASK * t + T_START]
            t = b.visit[TASK * t + T_AFTER]
    for i in range(b.work[S_ABSENT]):
        t = 2 * b.visit[VISIT * i + V_ABSENT]
        kept[KEPT * t] = NOBODY
        kept[KEPT * (t + 1)] = NOBODY
    b.work[S_BEST] = b.work[S_COST]


@inlined
def _said_absent(b: Board, chance: Words, v: int) -> bool:
    """Say how an absent visit may come in: at its cheapest place, beside a near one, or instead of one."""
    dice = share(chance)
    if dice < 0.1:
        said = say_cheapest(b, chance, v)
    elif dice < 0.55:
        said = replace(b, chance, v)
    elif b.visit[VISIT * v + V_SLOTS] == 2:
        said = move_pair(b, chance, v)
    else:
        said = move_single(b, chance, v)
    return said


@inlined
def _said(b: Board, chance: Words, v: int) -> bool:
    """Say a random move of rostered visit `v`."""
    dice = share(chance)
    retimable = (
        b.visit[VISIT * v + V_ANCHORED] == 1 or b.visit[VISIT * v + V_WINDOW_END] - b.visit[VISIT * v + V_WINDOW] > 1
    )
    if b.work[G_STRANGER] > 0 and share(chance) < KNOWN_SHARE:
        said = move_anywhere(b, chance, v, int(ONE))
    elif dice < 0.25:
        said = cross(b, chance, v)
    elif dice < 0.45:
        said = swap(b, chance, v)
    elif retimable and dice < 0.6:
        said = True
    elif dice > 0.94:
        said = move_anywhere(b, chance, v, int(NONE))
    elif b.visit[VISIT * v + V_SLOTS] == 1:
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
    visits = b.work[G_VISITS]
    some = min(some, visits)
    for _ in range(moves):
        say_nothing(b)
        if b.work[S_ABSENT] > 0 and share(chance) < ABSENT_SHARE:
            v = b.visit[VISIT * below(chance, b.work[S_ABSENT]) + V_ABSENT]
            said = _said_absent(b, chance, v)
        else:
            v = (since + below(chance, some)) % visits
            said = b.visit[VISIT * v + V_ABSENT_AT] < 0 and _said(b, chance, v)
        change = NEVER
        if said and fitted(b, chance, v):
            change = weighed(b, -heat * math.log(1.0 - share(chance)))
        if change == NEVER:
            forget(b)
            continue
        if change > 0 and b.work[S_COST] < b.work[S_BEST]:
            keep_best(b, kept)
        make(b, change)
    say_nothing(b)
    if b.work[S_COST] < b.work[S_BEST]:
        keep_best(b, kept)
