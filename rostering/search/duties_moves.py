"""The moves of the duties search: each says one random change around a visit; compiled. They neither judge nor make it.

Each is called when nothing is said (`say_nothing`) and gives False for a move that cannot be; `forget` follows then.
"""

from __future__ import annotations

from rostering.search.duties_board import (
    C_COUNT,
    D_TASK,
    DRAFT,
    G_NEARS,
    G_RUNS,
    G_WORKERS,
    LINE,
    NEVER,
    NOBODY,
    P_AFTER,
    P_BEFORE,
    P_RUN,
    P_TASK,
    R_CLOSES,
    R_FIRST,
    R_OPENS,
    R_WORKER,
    ROW,
    RUN,
    S_DRAFTS,
    S_PUTS,
    S_RETIMED,
    SPAN,
    T_AFTER,
    T_BEFORE,
    T_HI,
    T_LATE,
    T_LO,
    T_OUT,
    T_RUN,
    T_SERVICE,
    T_START,
    TASK,
    V_ANCHORED,
    V_FIXED,
    V_MATE,
    V_MATE_END,
    V_NEAR,
    V_SLOTS,
    V_SYNC_MAX,
    V_SYNC_MIN,
    V_WINDOW,
    V_WINDOW_END,
    V_WISH,
    VISIT,
    W_RUN,
    W_RUN_END,
    Board,
)
from rostering.search.duties_draft import (
    open_draft,
    put_in,
    retime,
    take_out,
    take_visit_out,
)
from rostering.search.duties_room import detour, first_start, last_start, picked
from rostering.search.kernel.chance import Words, below, share
from rostering.search.kernel.jit import inlined, inner

CHAIN_MAX = 3


@inner
def a_task(b: Board, chance: Words, v: int) -> int:
    """A task of visit `v`, at random."""
    return 2 * v + below(chance, 2) if b.visit[VISIT * v + V_SLOTS] == 2 else 2 * v


@inner
def near_task(b: Board, chance: Words, v: int) -> int:
    """A task of a visit near to `v`, at random; NOBODY when that visit is in no run."""
    u = b.visit[VISIT * v + V_NEAR + below(chance, b.work[G_NEARS])]
    t = a_task(b, chance, u)
    return t if b.visit[TASK * t + T_RUN] >= 0 and u != v else NOBODY


@inner
def _window(b: Board, chance: Words, v: int) -> int:
    """One of visit `v`'s windows: mostly the one it is in."""
    since, until = b.visit[VISIT * v + V_WINDOW], b.visit[VISIT * v + V_WINDOW_END]
    if until - since == 1:
        return since  # type: ignore[no-any-return]
    if b.visit[TASK * (2 * v) + T_RUN] >= 0 and share(chance) < 0.5:
        for j in range(since, until):
            if b.table[SPAN * j] <= b.visit[TASK * (2 * v) + T_START] <= b.table[SPAN * j + 1]:
                return j
    return since + below(chance, until - since)  # type: ignore[no-any-return]


@inner
def _want(b: Board, chance: Words, v: int, first: int, last: int) -> int:
    """The start to ask for: mostly the present or the preferred one, sometimes any."""
    if first > last:
        return first
    dice = share(chance)
    if dice < 0.2:
        return first + below(chance, last - first + 1)
    wish = b.visit[VISIT * v + V_WISH]
    if wish != NEVER and dice < 0.8:
        return wish  # type: ignore[no-any-return]
    if b.visit[TASK * (2 * v) + T_RUN] >= 0:
        return b.visit[TASK * (2 * v) + T_START]  # type: ignore[no-any-return]
    return first


@inner
def _room(b: Board, t: int, lo: int, hi: int) -> tuple[int, int]:
    """First and last start of task `t` where it is put in, or stays; all of [lo, hi] when it is put into its own run."""
    work, r = b.work, b.visit[TASK * t + T_RUN]
    before, after = b.visit[TASK * t + T_BEFORE], b.visit[TASK * t + T_AFTER]
    for j in range(work[S_PUTS]):
        if work[DRAFT * j + P_TASK] == t:
            if work[DRAFT * j + P_RUN] == r:
                return lo, hi  # drafting decides
            r, before, after = work[DRAFT * j + P_RUN], work[DRAFT * j + P_BEFORE], work[DRAFT * j + P_AFTER]
            break
    return max(lo, first_start(b, r, before, t)), min(hi, last_start(b, r, t, after))


@inner
def fitted(b: Board, chance: Words, v: int) -> bool:
    """Retime visit `v` for the places it is put in or stays in; False when it has no start there, or nothing changes.

    Exchanged tasks, crossed runs and places that were looked for have their starts already.
    """
    work, visit = b.work, b.visit
    if work[S_DRAFTS] + work[S_RETIMED] > 0 or (work[S_PUTS] == 2 and work[DRAFT + P_TASK] >> 1 != v):
        return True
    t, j = 2 * v, _window(b, chance, v)
    lo, hi = b.table[SPAN * j], b.table[SPAN * j + 1]
    first, last = _room(b, t, lo, hi)
    if visit[VISIT * v + V_SLOTS] == 2:
        least, most = visit[VISIT * v + V_SYNC_MIN], visit[VISIT * v + V_SYNC_MAX]
        two = _room(b, t + 1, lo + least, hi + most)
        first, last = max(first, two[0] - most), min(last, two[1] - least)
        lo = picked(b, v, first, last, _want(b, chance, v, first, last))
        if lo == NEVER:
            return False
        _retimed(b, t, lo, lo)
        second = max(two[0], lo + least)
        _retimed(b, t + 1, second, second)
    elif first > last:
        return False
    elif visit[VISIT * v + V_ANCHORED] == 1:
        lo = picked(b, v, first, last, _want(b, chance, v, first, last))
        if lo == NEVER:
            return False
        _retimed(b, t, lo, lo)
    elif work[S_PUTS] == 0:
        retime(b, t, lo, hi)
    else:
        _retimed(b, t, lo, hi)
    return work[S_PUTS] + work[S_RETIMED] > 0  # type: ignore[no-any-return]


@inner
def _retimed(b: Board, t: int, lo: int, hi: int) -> None:
    """The bounds of task `t`'s start become [lo, hi], if they are not."""
    if b.visit[TASK * t + T_LO] != lo or b.visit[TASK * t + T_HI] != hi:
        retime(b, t, lo, hi)


@inner
def _put_beside(b: Board, chance: Words, t: int, u: int) -> None:
    """Task `t` goes just before or just after task `u`."""
    before = u if share(chance) < 0.5 else b.visit[TASK * u + T_BEFORE]
    put_in(b, t, b.visit[TASK * u + T_RUN], before)


@inner
def move_single(b: Board, chance: Words, v: int) -> bool:
    """Single visit `v`, rostered or not, goes beside a near visit."""
    u = near_task(b, chance, v)
    t = 2 * v
    if u < 0 or not b.may[b.work[G_WORKERS] * t + b.run[RUN * (b.visit[TASK * u + T_RUN]) + R_WORKER]]:
        return False
    take_out(b, t)
    _put_beside(b, chance, t, u)
    return True


@inner
def _best_place(b: Board, t: int, r: int, lo: int, hi: int) -> int:
    """The task of run `r` after which `t` comes at least travel (NOBODY: it comes first), NOBODY - 1 if nowhere."""
    best, least = int(NOBODY - 1), int(NEVER)
    before, after = int(NOBODY), b.run[RUN * r + R_FIRST]
    while True:
        if max(lo, first_start(b, r, before, t)) <= min(hi, last_start(b, r, t, after)):
            more = detour(b, r, before, t, after)
            if more < least:
                best, least = before, more
        if after < 0:
            return best
        before, after = after, b.visit[TASK * after + T_AFTER]


@inner
def _known_run(b: Board, chance: Words, u: int, start: int) -> int:
    """The run on duty at `start` of somebody who does visit `u`; NOBODY when there is none."""
    known = b.visit[TASK * a_task(b, chance, u) + T_RUN]
    if known >= 0:
        for r in range(b.run[RUN * known + W_RUN], b.run[RUN * known + W_RUN_END]):
            if b.run[RUN * r + R_OPENS] <= start <= b.run[RUN * r + R_CLOSES]:
                return r
    return NOBODY


@inner
def move_anywhere(b: Board, chance: Words, v: int, is_known: int) -> bool:
    """A slot of visit `v` goes where it fits best in another run; the other half of a double-up stays in its place.

    Known: a run of somebody who does another visit of the customer; or in exchange for a visit there.
    """
    visit, u, r = b.visit, v, int(NOBODY)
    if is_known == 1:
        since = visit[VISIT * v + V_MATE]
        u = b.table[SPAN * (since + below(chance, visit[VISIT * v + V_MATE_END] - since))]
    t = a_task(b, chance, v)
    if is_known == 0:
        r = below(chance, b.work[G_RUNS])
    else:
        start = visit[TASK * t + T_START]
        r = _known_run(b, chance, u, start)
        if u == v or r < 0:
            return False
        if share(chance) >= 0.5:
            other = b.run[RUN * r + R_FIRST]
            while other >= 0 and visit[TASK * other + T_START] + visit[TASK * other + T_SERVICE] <= start:
                other = visit[TASK * other + T_AFTER]
            return other >= 0 and exchanged(b, t, other)
    if r == visit[TASK * t + T_RUN] or not _may_swap(b, t, b.run[RUN * r + R_WORKER]):
        return False
    j = _window(b, chance, v)
    lo, hi = b.table[SPAN * j], b.table[SPAN * j + 1]
    if t & 1:
        lo, hi = lo + visit[VISIT * v + V_SYNC_MIN], hi + visit[VISIT * v + V_SYNC_MAX]
    before = _best_place(b, t, r, lo, hi)
    if before < NOBODY:
        return False
    take_out(b, t)
    put_in(b, t, r, before)
    return True


@inner
def move_half(b: Board, chance: Words, v: int) -> bool:
    """One half of rostered double-up `v` goes beside a near visit; the other stays in its place."""
    u = near_task(b, chance, v)
    if u < 0:
        return False
    t = 2 * v + below(chance, 2)
    w = b.run[RUN * (b.visit[TASK * u + T_RUN]) + R_WORKER]
    if not b.may[b.work[G_WORKERS] * t + w] or b.run[RUN * (b.visit[TASK * (t ^ 1) + T_RUN]) + R_WORKER] == w:
        return False
    take_out(b, t)
    _put_beside(b, chance, t, u)
    return True


@inner
def move_pair(b: Board, chance: Words, v: int) -> bool:
    """Both halves of double-up `v`, rostered or not, go beside near visits."""
    u, other = near_task(b, chance, v), near_task(b, chance, v)
    if u < 0 or other < 0:
        return False
    w, x = b.run[RUN * (b.visit[TASK * u + T_RUN]) + R_WORKER], b.run[RUN * (b.visit[TASK * other + T_RUN]) + R_WORKER]
    if w == x or not b.may[b.work[G_WORKERS] * (2 * v) + w] or not b.may[b.work[G_WORKERS] * (2 * v + 1) + x]:
        return False
    take_visit_out(b, v)
    _put_beside(b, chance, 2 * v, u)
    _put_beside(b, chance, 2 * v + 1, other)
    return True


@inner
def _may_swap(b: Board, t: int, w: int) -> bool:
    """Whether task `t` may go to worker `w`, who has not its other half."""
    if not b.may[b.work[G_WORKERS] * t + w]:
        return False
    return b.visit[VISIT * (t >> 1) + V_SLOTS] == 1 or b.run[RUN * (b.visit[TASK * (t ^ 1) + T_RUN]) + R_WORKER] != w  # type: ignore[no-any-return]


@inlined
def swap(b: Board, chance: Words, v: int) -> bool:
    """A task of rostered visit `v` and a near one of another run change places; starts that stay put stay."""
    t = a_task(b, chance, v)
    u = near_task(b, chance, v)
    return u >= 0 and exchanged(b, t, u)


@inner
def exchanged(b: Board, t: int, u: int) -> bool:
    """Rostered tasks `t` and `u` change places, if their runs are two."""
    r, s = b.visit[TASK * t + T_RUN], b.visit[TASK * u + T_RUN]
    if r == s:
        return False
    if not _may_swap(b, t, b.run[RUN * s + R_WORKER]) or not _may_swap(b, u, b.run[RUN * r + R_WORKER]):
        return False
    take_out(b, t)
    take_out(b, u)
    put_in(b, t, s, b.visit[TASK * u + T_BEFORE])
    put_in(b, u, r, b.visit[TASK * t + T_BEFORE])
    for each in (t, u):
        first, last = _room(b, each, b.visit[TASK * each + T_LO], b.visit[TASK * each + T_HI])
        if first > last:
            return False
    return True


@inner
def replace(b: Board, chance: Words, v: int) -> bool:
    """Absent visit `v` takes the place of a near single visit, slot by slot, which becomes absent."""
    for k in range(b.visit[VISIT * v + V_SLOTS]):
        u = near_task(b, chance, v)
        if (
            u < 0
            or b.visit[VISIT * (u >> 1) + V_FIXED] == 1
            or b.visit[VISIT * (u >> 1) + V_SLOTS] == 2
            or b.visit[TASK * u + T_OUT] == 1
        ):
            return False
        r = b.visit[TASK * u + T_RUN]
        if not b.may[b.work[G_WORKERS] * (2 * v + k) + b.run[RUN * r + R_WORKER]]:
            return False
        if k == 1 and b.run[RUN * (b.work[P_RUN]) + R_WORKER] == b.run[RUN * r + R_WORKER]:
            return False
        take_out(b, u)
        put_in(b, 2 * v + k, r, b.visit[TASK * u + T_BEFORE])
    return True


@inner
def _all_may(b: Board, t: int, count: int, w: int) -> bool:
    """Whether worker `w` may take `count` tasks from `t` on."""
    while t >= 0 and count > 0:
        if not _may_swap(b, t, w):
            return False
        t = b.visit[TASK * t + T_AFTER]
        count -= 1
    return True


@inner
def _copy(b: Board, i: int, t: int, until: int, count: int) -> int:
    """Add up to `count` tasks from `t` on, up to but not including `until`, to draft `i`; the task after them."""
    n = b.work[DRAFT * i + C_COUNT]
    while t >= 0 and t != until and count > 0:
        b.work[LINE * n + ROW * i + D_TASK] = t
        n += 1
        count -= 1
        t = b.visit[TASK * t + T_AFTER]
    b.work[DRAFT * i + C_COUNT] = n
    return t


@inner
def cross(b: Board, chance: Words, v: int) -> bool:
    """A chain of up to three tasks, or all, after `v` and one before or after a near task of another run change places."""
    t = a_task(b, chance, v)
    u = near_task(b, chance, v)
    if u < 0 or b.visit[TASK * u + T_RUN] == b.visit[TASK * t + T_RUN]:
        return False
    r, s = b.visit[TASK * t + T_RUN], b.visit[TASK * u + T_RUN]
    one, two = b.visit[TASK * t + T_AFTER], u  # u follows t in its new run
    before = b.visit[TASK * u + T_BEFORE]
    if first_start(b, r, t, u) > b.visit[TASK * u + T_LATE]:
        return False
    ones = twos = int(NEVER)
    if share(chance) < 0.5:
        ones, twos = below(chance, CHAIN_MAX + 1), 1 + below(chance, CHAIN_MAX)
    elif one >= 0 and first_start(b, s, before, one) > b.visit[TASK * one + T_LATE]:
        return False
    if not _all_may(b, one, ones, b.run[RUN * s + R_WORKER]) or not _all_may(b, two, twos, b.run[RUN * r + R_WORKER]):
        return False
    i, j = open_draft(b, r), open_draft(b, s)
    _copy(b, i, b.run[RUN * r + R_FIRST], one, int(NEVER))
    _copy(b, j, b.run[RUN * s + R_FIRST], two, int(NEVER))
    rest_one, rest_two = _copy(b, j, one, int(NOBODY), ones), _copy(b, i, two, int(NOBODY), twos)
    _copy(b, i, rest_one, int(NOBODY), int(NEVER))
    _copy(b, j, rest_two, int(NOBODY), int(NEVER))
    return True
