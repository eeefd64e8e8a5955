"""The moves of the duties search: each says one random change around a visit; compiled. They neither judge nor make it.

Each is called when nothing is said (`say_nothing`) and gives False for a move that cannot be; `forget` follows then.
"""

from __future__ import annotations

from rostering.search.duties_board import (
    C_COUNT,
    D_TASK,
    NEVER,
    NOBODY,
    NONE,
    ONE,
    P_AFTER,
    P_BEFORE,
    P_RUN,
    P_TASK,
    R_CLOSES,
    R_FIRST,
    R_OPENS,
    R_WORKER,
    S_RETIMED,
    T_AFTER,
    T_BEFORE,
    T_HI,
    T_LATE,
    T_LO,
    T_OUT,
    T_RUN,
    T_SERVICE,
    T_START,
    V_ANCHORED,
    V_FIXED,
    V_MATE,
    V_MATE_END,
    V_SLOTS,
    V_SYNC_MAX,
    V_SYNC_MIN,
    V_WINDOW,
    V_WINDOW_END,
    V_WISH,
    VISIT_COLUMNS,
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
from rostering.search.kernel.jit import inner

CHAIN_MAX = 3


@inner
def near_task(b: Board, chance: Words, v: int) -> int:
    """A task of a visit near to `v`, at random; NOBODY when that visit is in no run."""
    u = b.visit[v, VISIT_COLUMNS + below(chance, b.visit.shape[1] - VISIT_COLUMNS)]
    t = 2 * u
    if b.visit[u, V_SLOTS] == 2:
        t += below(chance, 2)
    return t if b.task[t, T_RUN] >= 0 and u != v else NOBODY


@inner
def _window(b: Board, chance: Words, v: int) -> int:
    """One of visit `v`'s windows: mostly the one it is in."""
    since, until = b.visit[v, V_WINDOW], b.visit[v, V_WINDOW_END]
    if until - since == 1:
        return since  # type: ignore[no-any-return]
    if b.task[2 * v, T_RUN] >= 0 and share(chance) < 0.5:
        for j in range(since, until):
            if b.span[j, 0] <= b.task[2 * v, T_START] <= b.span[j, 1]:
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
    wish = b.visit[v, V_WISH]
    if wish != NEVER and dice < 0.8:
        return wish  # type: ignore[no-any-return]
    if b.task[2 * v, T_RUN] >= 0:
        return b.task[2 * v, T_START]  # type: ignore[no-any-return]
    return first


@inner
def _room_of_put(b: Board, j: int, lo: int, hi: int) -> tuple[int, int]:
    """First and last start of the `j`-th task put in; its whole window when it stays in its run (drafting decides)."""
    t, r = b.draft[j, P_TASK], b.draft[j, P_RUN]
    if b.task[t, T_RUN] == r:
        return lo, hi
    first = max(lo, first_start(b, r, b.draft[j, P_BEFORE], t))
    return first, min(hi, last_start(b, r, t, b.draft[j, P_AFTER]))


@inner
def _room_of_stay(b: Board, t: int, lo: int, hi: int) -> tuple[int, int]:
    """First and last start of task `t` between its present neighbours."""
    r = b.task[t, T_RUN]
    first = max(lo, first_start(b, r, b.task[t, T_BEFORE], t))
    return first, min(hi, last_start(b, r, t, b.task[t, T_AFTER]))


@inner
def _fits_single(b: Board, chance: Words, v: int) -> bool:
    """Retime single visit `v`, put in as the first put, for its place; False when it has no start there."""
    t, j = 2 * v, _window(b, chance, v)
    lo, hi = b.span[j, 0], b.span[j, 1]
    first, last = _room_of_put(b, int(NONE), lo, hi)
    if first > last:
        return False
    if b.visit[v, V_ANCHORED] == 1:
        lo = picked(b, v, first, last, _want(b, chance, v, first, last))
        if lo == NEVER:
            return False
        hi = lo
    if b.task[t, T_LO] != lo or b.task[t, T_HI] != hi:
        retime(b, t, lo, hi)
    return True


@inner
def _fits_pair(b: Board, chance: Words, v: int, one: tuple[int, int], two: tuple[int, int]) -> bool:
    """Retime double-up `v` to starts inside both rooms; False when there are none."""
    least, most = b.visit[v, V_SYNC_MIN], b.visit[v, V_SYNC_MAX]
    first, last = max(one[0], two[0] - most), min(one[1], two[1] - least)
    start = picked(b, v, first, last, _want(b, chance, v, first, last))
    if start == NEVER:
        return False
    second = max(two[0], start + least)
    if b.task[2 * v, T_LO] != start or b.task[2 * v, T_HI] != start:
        retime(b, 2 * v, start, start)
    if b.task[2 * v + 1, T_LO] != second or b.task[2 * v + 1, T_HI] != second:
        retime(b, 2 * v + 1, second, second)
    return True


@inner
def _put_beside(b: Board, chance: Words, t: int, u: int) -> None:
    """Task `t` goes just before or just after task `u`."""
    before = u if share(chance) < 0.5 else b.task[u, T_BEFORE]
    put_in(b, t, b.task[u, T_RUN], before)


@inner
def move_single(b: Board, chance: Words, v: int) -> bool:
    """Single visit `v`, rostered or not, goes beside a near visit."""
    u = near_task(b, chance, v)
    t = 2 * v
    if u < 0 or not b.may[t, b.run[b.task[u, T_RUN], R_WORKER]]:
        return False
    take_out(b, t)
    _put_beside(b, chance, t, u)
    return _fits_single(b, chance, v)


@inner
def _best_place(b: Board, t: int, r: int, lo: int, hi: int) -> int:
    """The task of run `r` after which `t` comes at least travel (NOBODY: it comes first), NOBODY - 1 if nowhere."""
    best, least = int(NOBODY - 1), int(NEVER)
    before, after = int(NOBODY), b.run[r, R_FIRST]
    while True:
        if max(lo, first_start(b, r, before, t)) <= min(hi, last_start(b, r, t, after)):
            more = detour(b, r, before, t, after)
            if more < least:
                best, least = before, more
        if after < 0:
            return best
        before, after = after, b.task[after, T_AFTER]


@inner
def move_anywhere(b: Board, chance: Words, v: int) -> bool:
    """A slot of visit `v` goes where it fits best in any other run; the other half of a double-up stays in its place."""
    t = 2 * v + (below(chance, 2) if b.visit[v, V_SLOTS] == 2 else 0)
    return _move_to(b, chance, v, t, below(chance, b.run.shape[0]))


@inner
def move_known(b: Board, chance: Words, v: int) -> bool:
    """As `move_anywhere`, to a run of somebody who does another visit of the customer, or in exchange for a visit there."""
    since = b.visit[v, V_MATE]
    u = b.span[since + below(chance, b.visit[v, V_MATE_END] - since), 0]
    t = 2 * v + (below(chance, 2) if b.visit[v, V_SLOTS] == 2 else 0)
    known = b.task[2 * u + (below(chance, 2) if b.visit[u, V_SLOTS] == 2 else 0), T_RUN]
    if u == v or known < 0:
        return False
    start = b.task[t, T_START]
    for r in range(b.run[known, W_RUN], b.run[known, W_RUN_END]):
        if b.run[r, R_OPENS] <= start <= b.run[r, R_CLOSES]:
            if share(chance) < 0.5:
                return _move_to(b, chance, v, t, r)
            other = b.run[r, R_FIRST]
            while other >= 0 and b.task[other, T_START] + b.task[other, T_SERVICE] <= start:
                other = b.task[other, T_AFTER]
            return other >= 0 and _swap(b, t, other)
    return False


@inner
def _move_to(b: Board, chance: Words, v: int, t: int, r: int) -> bool:
    """Task `t` of visit `v` goes where it fits best in run `r`, if that is another than its own."""
    if r == b.task[t, T_RUN] or not _may_swap(b, t, b.run[r, R_WORKER]):
        return False
    j = _window(b, chance, v)
    lo, hi = b.span[j, 0], b.span[j, 1]
    if t & 1:
        lo, hi = lo + b.visit[v, V_SYNC_MIN], hi + b.visit[v, V_SYNC_MAX]
    before = _best_place(b, t, r, lo, hi)
    if before < NOBODY:
        return False
    take_out(b, t)
    put_in(b, t, r, before)
    return _fits_half(b, chance, v, t) if b.visit[v, V_SLOTS] == 2 else _fits_single(b, chance, v)


@inner
def _fits_half(b: Board, chance: Words, v: int, t: int) -> bool:
    """Retime double-up `v`, whose half `t` is put in while the other stays; False when they cannot meet."""
    j = _window(b, chance, v)
    lo, hi = b.span[j, 0], b.span[j, 1]
    least, most = b.visit[v, V_SYNC_MIN], b.visit[v, V_SYNC_MAX]
    if t & 1 == 0:
        one, two = _room_of_put(b, int(NONE), lo, hi), _room_of_stay(b, t ^ 1, lo + least, hi + most)
    else:
        one, two = _room_of_stay(b, t ^ 1, lo, hi), _room_of_put(b, int(NONE), lo + least, hi + most)
    return _fits_pair(b, chance, v, one, two)


@inner
def move_half(b: Board, chance: Words, v: int) -> bool:
    """One half of rostered double-up `v` goes beside a near visit; the other stays in its place."""
    u = near_task(b, chance, v)
    if u < 0:
        return False
    t = 2 * v + below(chance, 2)
    w = b.run[b.task[u, T_RUN], R_WORKER]
    if not b.may[t, w] or b.run[b.task[t ^ 1, T_RUN], R_WORKER] == w:
        return False
    take_out(b, t)
    _put_beside(b, chance, t, u)
    return _fits_half(b, chance, v, t)


@inner
def move_pair(b: Board, chance: Words, v: int) -> bool:
    """Both halves of double-up `v`, rostered or not, go beside near visits."""
    u, other = near_task(b, chance, v), near_task(b, chance, v)
    if u < 0 or other < 0:
        return False
    w, x = b.run[b.task[u, T_RUN], R_WORKER], b.run[b.task[other, T_RUN], R_WORKER]
    if w == x or not b.may[2 * v, w] or not b.may[2 * v + 1, x]:
        return False
    take_visit_out(b, v)
    _put_beside(b, chance, 2 * v, u)
    _put_beside(b, chance, 2 * v + 1, other)
    return _put_pair(b, chance, v)


@inner
def _put_pair(b: Board, chance: Words, v: int) -> bool:
    j = _window(b, chance, v)
    lo, hi = b.span[j, 0], b.span[j, 1]
    one = _room_of_put(b, int(NONE), lo, hi)
    two = _room_of_put(b, int(ONE), lo + b.visit[v, V_SYNC_MIN], hi + b.visit[v, V_SYNC_MAX])
    return _fits_pair(b, chance, v, one, two)


@inner
def shift(b: Board, chance: Words, v: int) -> bool:
    """Rostered visit `v` starts at another time, or in another window, in its place."""
    j = _window(b, chance, v)
    lo, hi = b.span[j, 0], b.span[j, 1]
    one = _room_of_stay(b, 2 * v, lo, hi)
    if b.visit[v, V_SLOTS] == 2:
        two = _room_of_stay(b, 2 * v + 1, lo + b.visit[v, V_SYNC_MIN], hi + b.visit[v, V_SYNC_MAX])
        if not _fits_pair(b, chance, v, one, two):
            return False
    elif b.visit[v, V_ANCHORED] == 1:
        start = picked(b, v, one[0], one[1], _want(b, chance, v, one[0], one[1]))
        if start == NEVER or start == b.task[2 * v, T_LO]:
            return False
        retime(b, 2 * v, start, start)
    elif one[0] <= one[1]:
        retime(b, 2 * v, lo, hi)
    return b.sums[S_RETIMED] != 0  # type: ignore[no-any-return]


@inner
def _may_swap(b: Board, t: int, w: int) -> bool:
    """Whether task `t` may go to worker `w`, who has not its other half."""
    if not b.may[t, w]:
        return False
    return b.visit[t >> 1, V_SLOTS] == 1 or b.run[b.task[t ^ 1, T_RUN], R_WORKER] != w  # type: ignore[no-any-return]


@inner
def swap(b: Board, chance: Words, v: int) -> bool:
    """A task of rostered visit `v` and a near one of another run change places; starts that stay put stay."""
    t = 2 * v + (below(chance, 2) if b.visit[v, V_SLOTS] == 2 else 0)
    u = near_task(b, chance, v)
    return u >= 0 and _swap(b, t, u)


@inner
def _swap(b: Board, t: int, u: int) -> bool:
    """Rostered tasks `t` and `u` change places, if their runs are two."""
    r, s = b.task[t, T_RUN], b.task[u, T_RUN]
    if r == s:
        return False
    if not _may_swap(b, t, b.run[s, R_WORKER]) or not _may_swap(b, u, b.run[r, R_WORKER]):
        return False
    take_out(b, t)
    take_out(b, u)
    put_in(b, t, s, b.task[u, T_BEFORE])
    put_in(b, u, r, b.task[t, T_BEFORE])
    for j in range(2):
        each = b.draft[j, P_TASK]
        first, last = _room_of_put(b, j, b.task[each, T_LO], b.task[each, T_HI])
        if first > last:
            return False
    return True


@inner
def replace(b: Board, chance: Words, v: int) -> bool:
    """Absent visit `v` takes the place of a near single visit, slot by slot, which becomes absent."""
    slots = b.visit[v, V_SLOTS]
    for k in range(slots):
        u = near_task(b, chance, v)
        if u < 0 or b.visit[u >> 1, V_FIXED] == 1 or b.visit[u >> 1, V_SLOTS] == 2 or b.task[u, T_OUT] == 1:
            return False
        r = b.task[u, T_RUN]
        if not b.may[2 * v + k, b.run[r, R_WORKER]]:
            return False
        if k == 1 and b.run[b.draft[0, P_RUN], R_WORKER] == b.run[r, R_WORKER]:
            return False
        take_out(b, u)
        put_in(b, 2 * v + k, r, b.task[u, T_BEFORE])
    if slots == 2:
        return _put_pair(b, chance, v)
    return _fits_single(b, chance, v)


@inner
def _all_may(b: Board, t: int, count: int, w: int) -> bool:
    """Whether worker `w` may take `count` tasks from `t` on."""
    while t >= 0 and count > 0:
        if not _may_swap(b, t, w):
            return False
        t = b.task[t, T_AFTER]
        count -= 1
    return True


@inner
def _copy(b: Board, i: int, t: int, until: int, count: int) -> int:
    """Add up to `count` tasks from `t` on, up to but not including `until`, to draft `i`; the task after them."""
    n = b.draft[i, C_COUNT]
    while t >= 0 and t != until and count > 0:
        b.line[i, D_TASK, n] = t
        n += 1
        count -= 1
        t = b.task[t, T_AFTER]
    b.draft[i, C_COUNT] = n
    return t


@inner
def cross(b: Board, chance: Words, v: int) -> bool:
    """A chain of up to three tasks, or all, after `v` and one before or after a near task of another run change places."""
    t = 2 * v + (below(chance, 2) if b.visit[v, V_SLOTS] == 2 else 0)
    u = near_task(b, chance, v)
    if u < 0 or b.task[u, T_RUN] == b.task[t, T_RUN]:
        return False
    r, s = b.task[t, T_RUN], b.task[u, T_RUN]
    one, two = b.task[t, T_AFTER], u  # u follows t in its new run
    before = b.task[u, T_BEFORE]
    if first_start(b, r, t, u) > b.task[u, T_LATE]:
        return False
    ones = twos = int(NEVER)
    if share(chance) < 0.5:
        ones, twos = below(chance, CHAIN_MAX + 1), 1 + below(chance, CHAIN_MAX)
    elif one >= 0 and first_start(b, s, before, one) > b.task[one, T_LATE]:
        return False
    if not _all_may(b, one, ones, b.run[s, R_WORKER]) or not _all_may(b, two, twos, b.run[r, R_WORKER]):
        return False
    i, j = open_draft(b, r), open_draft(b, s)
    _copy(b, i, b.run[r, R_FIRST], one, int(NEVER))
    _copy(b, j, b.run[s, R_FIRST], two, int(NEVER))
    rest_one, rest_two = _copy(b, j, one, int(NOBODY), ones), _copy(b, i, two, int(NOBODY), twos)
    _copy(b, i, rest_one, int(NOBODY), int(NEVER))
    _copy(b, j, rest_two, int(NOBODY), int(NEVER))
    return True
