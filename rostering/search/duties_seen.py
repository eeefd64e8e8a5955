"""Whom each customer sees: how many worker-visits by each worker, and what those outside the three commonest cost; compiled.

Rows of Board.table behind the visits' points are customers': in a worker's column the customer's worker-visits by that worker,
and in column (workers + k) the number of workers who have k or more. The three commonest have the sum over k of the
lesser of that number and three, so one worker-visit more or less changes the sum by one or nothing. It makes no move.
"""

from __future__ import annotations

from rostering.search.duties_board import (
    C_COUNT,
    C_OUT,
    C_RUN,
    D_TASK,
    DRAFT,
    G_STRANGER,
    G_WORKERS,
    LINE,
    P_RUN,
    P_TASK,
    R_WORKER,
    ROW,
    RUN,
    S_DRAFTS,
    S_OUTS,
    S_PUTS,
    T_RUN,
    TASK,
    V_CUSTOMER,
    VISIT,
    Board,
)
from rostering.search.kernel.jit import inner

TEAM = 3


@inner
def _come(b: Board, t: int, r: int, by: int) -> int:
    """Task `t`'s customer sees the worker of run `r` once more (by 1) or less (-1); the strangers that adds."""
    row, w = b.visit[VISIT * (t >> 1) + V_CUSTOMER], b.run[RUN * r + R_WORKER]
    k = b.table[row + w]
    if by > 0:
        k += 1
    at = row + b.work[G_WORKERS] + k
    b.table[row + w] += by
    b.table[at] += by
    if by > 0:
        return -1 if b.table[at] <= TEAM else 0
    return 1 if b.table[at] < TEAM else 0


@inner
def stranger_points(b: Board, t: int, r: int) -> int:
    """What it would cost, but for what else happens, that the worker of run `r` does task `t`, which nobody does."""
    if b.work[G_STRANGER] == 0:
        return 0
    row, w = b.visit[VISIT * (t >> 1) + V_CUSTOMER], b.run[RUN * r + R_WORKER]
    return 0 if b.table[row + b.work[G_WORKERS] + b.table[row + w] + 1] < TEAM else b.work[G_STRANGER]


@inner
def see(b: Board, by: int) -> int:
    """Count the move that was said (by 1), or count it back (-1); the points it adds.

    A move that has drafted its runs itself has neither put in nor taken out.
    """
    if b.work[G_STRANGER] == 0:
        return 0
    more = 0
    for j in range(b.work[S_OUTS]):
        t = b.work[DRAFT * j + C_OUT]
        more += _come(b, t, b.visit[TASK * t + T_RUN], -by)
    for j in range(b.work[S_PUTS]):
        more += _come(b, b.work[DRAFT * j + P_TASK], b.work[DRAFT * j + P_RUN], by)
    if b.work[S_OUTS] + b.work[S_PUTS] > 0:
        return b.work[G_STRANGER] * more  # type: ignore[no-any-return]
    for i in range(b.work[S_DRAFTS]):
        r = b.work[DRAFT * i + C_RUN]
        for p in range(b.work[DRAFT * i + C_COUNT]):
            t = b.work[LINE * p + ROW * i + D_TASK]
            if b.visit[TASK * t + T_RUN] != r:
                if b.visit[TASK * t + T_RUN] >= 0:
                    more += _come(b, t, b.visit[TASK * t + T_RUN], -by)
                more += _come(b, t, r, by)
    return b.work[G_STRANGER] * more  # type: ignore[no-any-return]
