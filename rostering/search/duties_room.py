"""Whether and when a stop fits between two others, and what the way there costs, in a few steps; compiled.

Necessary conditions from the earliest and latest starts that stand; the drafted runs decide (duties_draft).
"""

from __future__ import annotations

from rostering.search.duties_board import (
    G_PLACES,
    NEVER,
    R_CLOSES,
    R_HOME,
    R_LEGS,
    R_OPENS,
    RUN,
    SPAN,
    T_EARLY,
    T_LATE,
    T_OUT,
    T_PLACE,
    T_RUN,
    T_SERVICE,
    T_START,
    TASK,
    V_RIVAL,
    V_RIVAL_END,
    V_SLOTS,
    VISIT,
    Board,
)
from rostering.search.kernel.jit import inner


@inner
def leg(b: Board, r: int, one: int, other: int) -> int:
    """Ticks of travel of run `r` from task `one` to task `other`; NOBODY is home."""
    home = b.run[RUN * r + R_HOME]
    start = home if one < 0 else b.visit[TASK * one + T_PLACE]
    end = home if other < 0 else b.visit[TASK * other + T_PLACE]
    if start < 0 or end < 0:
        return 0
    return b.table[b.run[RUN * r + R_LEGS] + b.work[G_PLACES] * start + end]  # type: ignore[no-any-return]


@inner
def detour(b: Board, r: int, before: int, t: int, after: int) -> int:
    """Ticks of travel that run `r` gains by going from `before` to `after` by `t`."""
    direct = 0 if before < 0 and after < 0 else leg(b, r, before, after)
    return leg(b, r, before, t) + leg(b, r, t, after) - direct


@inner
def first_start(b: Board, r: int, before: int, t: int) -> int:
    """The earliest start of `t` after `before`, whatever its window."""
    free = b.run[RUN * r + R_OPENS]
    if before >= 0:
        free = b.visit[TASK * before + T_EARLY] + b.visit[TASK * before + T_SERVICE]
    return free + leg(b, r, before, t)  # type: ignore[no-any-return]


@inner
def last_start(b: Board, r: int, t: int, after: int) -> int:
    """The latest start of `t` that lets run `r` be at `after` in time, whatever its window."""
    limit = b.run[RUN * r + R_CLOSES] if after < 0 else b.visit[TASK * after + T_LATE]
    return limit - leg(b, r, t, after) - b.visit[TASK * t + T_SERVICE]  # type: ignore[no-any-return]


@inner
def _is_free(b: Board, v: int, start: int) -> bool:
    """Whether no rival that is in a run closes this start to visit `v`."""
    for j in range(b.visit[VISIT * v + V_RIVAL], b.visit[VISIT * v + V_RIVAL_END]):
        since, until = _closed(b, j)
        if since < start < until:
            return False
    return True


@inner
def _closed(b: Board, j: int) -> tuple[int, int]:
    """The starts that rival `j` closes, both ends excluded: empty when it is in no run."""
    other = b.table[SPAN * j]
    t = 2 * other
    if b.visit[TASK * t + T_RUN] < 0 or b.visit[TASK * t + T_OUT] == 1:
        return 0, 0
    start, end = b.visit[TASK * t + T_START], b.visit[TASK * t + T_START] + b.visit[TASK * t + T_SERVICE]
    if b.visit[VISIT * other + V_SLOTS] == 2:
        start = min(start, b.visit[TASK * (t + 1) + T_START])
        end = max(end, b.visit[TASK * (t + 1) + T_START] + b.visit[TASK * (t + 1) + T_SERVICE])
    return start - b.table[SPAN * j + 1], end + b.table[SPAN * j + 2]


@inner
def picked(b: Board, v: int, first: int, last: int, want: int) -> int:
    """The start in [first, last] nearest to `want` that no rival closes; NEVER when there is none."""
    if first > last:
        return NEVER
    want = min(max(want, first), last)
    if _is_free(b, v, want):
        return want
    best, away = NEVER, NEVER
    for j in range(b.visit[VISIT * v + V_RIVAL], b.visit[VISIT * v + V_RIVAL_END]):
        since, until = _closed(b, j)
        if since >= until:
            continue
        for edge in (since, until):
            if first <= edge <= last and abs(edge - want) < away and _is_free(b, v, edge):
                best, away = edge, abs(edge - want)
    return best
