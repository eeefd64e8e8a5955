"""The rules of a worker's days over all their runs: rests and hours; compiled. It times no run.

A run that the move changes counts as its draft says.
"""

from __future__ import annotations

from rostering.search.duties_board import (
    C_BACK,
    C_COUNT,
    C_LEAVE,
    C_WORKED,
    DRAFT,
    G_DAY,
    G_ORIGIN,
    G_WEEK,
    G_WEEKS,
    NEVER,
    NOBODY,
    R_BACK,
    R_COUNT,
    R_DRAFT,
    R_LEAVE,
    R_WORKED,
    RUN,
    W_HOURS_MAX,
    W_LAST_BACK,
    W_REST,
    W_RUN,
    W_RUN_END,
    W_WEEKLY,
    Board,
)
from rostering.search.kernel.jit import inner


@inner
def days_allow(b: Board, mine: int) -> bool:
    """Whether the worker of run `mine` may work all their runs, with the drafts in place of those they change."""
    worked = 0
    back = b.run[RUN * mine + W_LAST_BACK]
    day = -NEVER
    has_back = back != -NEVER
    week = 0
    week_start = b.work[G_ORIGIN]
    free = week_start
    rested = b.work[G_WEEKS] == 0
    end = b.run[RUN * mine + W_RUN_END]
    for r in range(b.run[RUN * mine + W_RUN], end + 1):
        i = NOBODY if r == end else b.run[RUN * r + R_DRAFT]
        if r == end:  # nothing more: only the weeks that are left are judged
            leave = week_start + (b.work[G_WEEKS] - week) * b.work[G_WEEK]
            came, did = leave, 0
        elif i >= 0:
            if b.work[DRAFT * i + C_COUNT] == 0:
                continue
            leave, came, did = b.work[DRAFT * i + C_LEAVE], b.work[DRAFT * i + C_BACK], b.work[DRAFT * i + C_WORKED]
        else:
            if b.run[RUN * r + R_COUNT] == 0:
                continue
            leave, came, did = b.run[RUN * r + R_LEAVE], b.run[RUN * r + R_BACK], b.run[RUN * r + R_WORKED]
        worked += did
        today = leave // b.work[G_DAY]
        if r < end and has_back and today != day and leave - back < b.run[RUN * mine + W_REST]:
            return False
        back, day, has_back = came, today, True
        while week < b.work[G_WEEKS] and leave >= week_start + b.work[G_WEEK]:
            if not rested and week_start + b.work[G_WEEK] - free < b.run[RUN * mine + W_WEEKLY]:
                return False
            week += 1
            week_start += b.work[G_WEEK]
            free = max(free, week_start)
            rested = False
        if week < b.work[G_WEEKS] and came > week_start:
            if leave - free >= b.run[RUN * mine + W_WEEKLY]:
                rested = True
            free = max(free, came)
    return worked <= b.run[RUN * mine + W_HOURS_MAX]  # type: ignore[no-any-return]
