"""Times one drafted run: earliest and latest starts, the starts chosen, and the rules of a run and of a worker's days.

Compiled; the draft is a row of Board.line and Board.draft. It decides nothing about who goes where.
"""

from __future__ import annotations

from rostering.search.duties_board import (
    C_BACK,
    C_COUNT,
    C_LEAVE,
    C_RUN,
    C_TIMING,
    C_WORKED,
    C_WORST,
    D_BLOCK,
    D_EARLY,
    D_EARLY_PAUSED,
    D_LATE,
    D_LATE_PAUSED,
    D_LEG,
    D_POOL,
    D_SORTED,
    D_START,
    D_TASK,
    D_TRY,
    D_WISHED,
    G_DAY,
    G_LATE,
    G_OFF,
    G_ORIGIN,
    G_SOFT,
    G_TIMED,
    G_TRAVEL,
    G_WAITING,
    G_WEEK,
    G_WEEKS,
    NEVER,
    NOBODY,
    NONE,
    R_BACK,
    R_CAPACITY,
    R_CLOSES,
    R_COUNT,
    R_DRAFT,
    R_HOME,
    R_LEAVE,
    R_MODE,
    R_OPENS,
    R_WORKED,
    R_WORKER,
    T_HI,
    T_LO,
    T_PLACE,
    T_SERVICE,
    V_DUE,
    V_LOAD,
    V_WISH,
    W_BREAK,
    W_BREAK_AFTER,
    W_HOURS_MAX,
    W_LAST_BACK,
    W_OWN,
    W_REST,
    W_RULED,
    W_RUN,
    W_RUN_END,
    W_WEEKLY,
    Board,
)
from rostering.search.kernel.jit import inner

PAUSES_MAX = 4


@inner
def priced(b: Board, i: int) -> int:
    """Points of draft `i` that its order alone decides (travel, wishes of who comes); fills in its legs."""
    r, n = b.draft[i, C_RUN], b.draft[i, C_COUNT]
    if n == 0:
        b.line[i, D_LEG, 0] = 0
        return 0
    home, mode, w = b.run[r, R_HOME], b.run[r, R_MODE], b.run[r, R_WORKER]
    here, travel, soft = home, 0, 0
    for p in range(n):
        t = b.line[i, D_TASK, p]
        place = b.task[t, T_PLACE]
        leg = 0 if here < 0 else b.leg[mode, here, place]
        b.line[i, D_LEG, p] = leg
        travel += leg
        if b.sums[G_SOFT] == 1:
            soft += b.soft[t >> 1, w]
        here = place
    leg = 0 if home < 0 else b.leg[mode, here, home]
    b.line[i, D_LEG, n] = leg
    return b.sums[G_TRAVEL] * (travel + leg) + soft  # type: ignore[no-any-return]


@inner
def bounded(b: Board, i: int, early: int, late: int, pause_after: int, pause: int) -> bool:
    """Earliest and latest starts of draft `i`, with a pause after one stop; False when some stop has no start."""
    r, n = b.draft[i, C_RUN], b.draft[i, C_COUNT]
    line = b.line[i]
    free = b.run[r, R_OPENS]
    for p in range(n):
        t = line[D_TASK, p]
        start = max(free + line[D_LEG, p], b.task[t, T_LO])
        if start > b.task[t, T_HI]:
            return False
        line[early, p] = start
        free = start + b.task[t, T_SERVICE]
        if p == pause_after:
            free += pause
    limit = b.run[r, R_CLOSES] - line[D_LEG, n]
    if free > limit:
        return False
    for p in range(n - 1, -1, -1):
        t = line[D_TASK, p]
        limit -= b.task[t, T_SERVICE]
        if p == pause_after:
            limit -= pause
        limit = min(limit, b.task[t, T_HI])
        line[late, p] = limit
        limit -= line[D_LEG, p]
    return True


@inner
def _median_of(b: Board, i: int, since: int, until: int) -> int:
    """The lower median of the wished times of weighed stops in [since, until)."""
    line = b.line[i]
    count = 0
    for p in range(since, until):
        if line[D_BLOCK, p] < 0:
            continue
        value = line[D_WISHED, p]
        at = count
        while at > 0 and line[D_SORTED, at - 1] > value:
            line[D_SORTED, at] = line[D_SORTED, at - 1]
            at -= 1
        line[D_SORTED, at] = value
        count += 1
    return line[D_SORTED, (count - 1) // 2]  # type: ignore[no-any-return]


@inner
def _wished(b: Board, i: int, early: int, late: int, pause_after: int, pause: int) -> None:
    """Into D_TRY: starts with the least distance from the wished ones in all, by isotonic regression with medians.

    Measured from the first stop less service and travel, starts may only rise; neighbours whose wishes would cross are
    pooled and take their median (pool adjacent violators). Stops without a wish go as early as they may. D_BLOCK of a
    stop: -1 no wish, NEVER inside a pool, else one more than the first stop of the pool before (0: none).
    """
    n, line = b.draft[i, C_COUNT], b.line[i]
    gone, top = 0, -1
    for p in range(n):
        t = line[D_TASK, p]
        if p > 0:
            gone += line[D_LEG, p]
        wish = b.visit[t >> 1, V_WISH]
        line[D_TRY, p] = gone
        line[D_BLOCK, p] = -1
        line[D_WISHED, p] = min(max(wish, line[early, p]), line[late, p]) - gone
        gone += b.task[t, T_SERVICE]
        if p == pause_after:
            gone += pause
        if wish == NEVER:
            continue
        line[D_POOL, p] = line[D_WISHED, p]
        line[D_BLOCK, p] = top + 1
        top = p
        while line[D_BLOCK, top] > 0 and line[D_POOL, line[D_BLOCK, top] - 1] > line[D_POOL, top]:
            below = line[D_BLOCK, top] - 1
            line[D_BLOCK, top] = NEVER
            line[D_POOL, below] = _median_of(b, i, below, p + 1)
            top = below
    value = -NEVER
    for p in range(n):
        if 0 <= line[D_BLOCK, p] < NEVER:
            value = max(value, line[D_POOL, p])
        gone = line[D_TRY, p]
        value = min(max(value, line[early, p] - gone), line[late, p] - gone)
        line[D_TRY, p] = value + gone


@inner
def _early(b: Board, i: int, early: int) -> None:
    for p in range(b.draft[i, C_COUNT]):
        b.line[i, D_TRY, p] = b.line[i, early, p]


@inner
def _compact(b: Board, i: int, early: int, late: int, pause_after: int, pause: int) -> None:
    """The last stop as early as it may, the others as late as that allows: the shortest time away from home."""
    n, line = b.draft[i, C_COUNT], b.line[i]
    limit = line[early, n - 1]
    for p in range(n - 1, -1, -1):
        line[D_TRY, p] = max(line[early, p], min(line[late, p], limit))
        if p > 0:
            t = line[D_TASK, p - 1]
            limit = line[D_TRY, p] - line[D_LEG, p] - b.task[t, T_SERVICE]
            if p - 1 == pause_after:
                limit -= pause


@inner
def _timing_cost(b: Board, i: int) -> int:
    """Points of the starts in D_TRY."""
    n, line = b.draft[i, C_COUNT], b.line[i]
    cost, free = 0, 0
    for p in range(n):
        t = line[D_TASK, p]
        start = line[D_TRY, p]
        v = t >> 1
        wish = b.visit[v, V_WISH]
        if wish != NEVER:
            cost += b.sums[G_OFF] * abs(start - wish)
        if p > 0:
            cost += b.sums[G_WAITING] * (start - free - line[D_LEG, p])
        lateness = start - b.visit[v, V_DUE]
        if lateness > 0:
            cost += b.sums[G_LATE] * lateness
        free = start + b.task[t, T_SERVICE]
    return cost


@inner
def _measured(b: Board, i: int) -> bool:
    """Leaving, coming back and working time of the starts in D_TRY; False when the run lacks its break."""
    r, n = b.draft[i, C_RUN], b.draft[i, C_COUNT]
    line = b.line[i]
    own, longest, free = 0, -1, 0
    for p in range(n):
        t = line[D_TASK, p]
        if p > 0:
            wait = line[D_TRY, p] - free - line[D_LEG, p]
            longest = max(longest, wait)
            if wait >= b.run[r, W_OWN]:
                own += wait
        free = line[D_TRY, p] + b.task[t, T_SERVICE]
    b.draft[i, C_LEAVE] = line[D_TRY, 0] - line[D_LEG, 0]
    b.draft[i, C_BACK] = free + line[D_LEG, n]
    away = b.draft[i, C_BACK] - b.draft[i, C_LEAVE]
    b.draft[i, C_WORKED] = away - own
    return b.run[r, W_BREAK] < 0 or away <= b.run[r, W_BREAK_AFTER] or longest >= b.run[r, W_BREAK]  # type: ignore[no-any-return]


@inner
def days_allow(b: Board, mine: int) -> bool:
    """Whether the worker of run `mine` may work all their runs, with the drafts in place of those they change."""
    worked = 0
    back = b.run[mine, W_LAST_BACK]
    day = -NEVER
    has_back = back != -NEVER
    week = 0
    week_start = b.sums[G_ORIGIN]
    free = week_start
    rested = b.sums[G_WEEKS] == 0
    for r in range(b.run[mine, W_RUN], b.run[mine, W_RUN_END]):
        i = b.run[r, R_DRAFT]
        if i >= 0:
            if b.draft[i, C_COUNT] == 0:
                continue
            leave, came, did = b.draft[i, C_LEAVE], b.draft[i, C_BACK], b.draft[i, C_WORKED]
        else:
            if b.run[r, R_COUNT] == 0:
                continue
            leave, came, did = b.run[r, R_LEAVE], b.run[r, R_BACK], b.run[r, R_WORKED]
        worked += did
        today = leave // b.sums[G_DAY]
        if has_back and today != day and leave - back < b.run[mine, W_REST]:
            return False
        back, day, has_back = came, today, True
        while week < b.sums[G_WEEKS] and leave >= week_start + b.sums[G_WEEK]:
            if not rested and week_start + b.sums[G_WEEK] - free < b.run[mine, W_WEEKLY]:
                return False
            week += 1
            week_start += b.sums[G_WEEK]
            free = max(free, week_start)
            rested = False
        if week < b.sums[G_WEEKS] and came > week_start:
            if leave - free >= b.run[mine, W_WEEKLY]:
                rested = True
            free = max(free, came)
    while week < b.sums[G_WEEKS]:
        if not rested and week_start + b.sums[G_WEEK] - free < b.run[mine, W_WEEKLY]:
            return False
        week += 1
        week_start += b.sums[G_WEEK]
        free = max(free, week_start)
        rested = False
    return worked <= b.run[mine, W_HOURS_MAX]  # type: ignore[no-any-return]


@inner
def _tried(b: Board, i: int, best: int) -> int:
    """The starts in D_TRY become the draft's when they are legal and cheaper than `best` (below 0: none yet)."""
    cost = _timing_cost(b, i)
    if best >= 0 and cost >= best:
        return best
    r = b.draft[i, C_RUN]
    leave, back, worked = b.draft[i, C_LEAVE], b.draft[i, C_BACK], b.draft[i, C_WORKED]
    if not _measured(b, i) or not days_allow(b, r):
        b.draft[i, C_LEAVE], b.draft[i, C_BACK], b.draft[i, C_WORKED] = leave, back, worked
        return best
    for p in range(b.draft[i, C_COUNT]):
        b.line[i, D_START, p] = b.line[i, D_TRY, p]
    return cost


@inner
def _pause_places(b: Board, i: int, number: int) -> int:
    """The stop before the `number`-th longest wait of the earliest starts."""
    n, line = b.draft[i, C_COUNT], b.line[i]
    place = -1
    last_wait, last_place = NEVER, -1
    for _ in range(number + 1):
        best, place = -1, -1
        for p in range(n - 1):
            wait = line[D_EARLY, p + 1] - line[D_EARLY, p] - b.task[line[D_TASK, p], T_SERVICE] - line[D_LEG, p + 1]
            if wait > best and (wait < last_wait or (wait == last_wait and p > last_place)):
                best, place = wait, p
        last_wait, last_place = best, place
    return place


@inner
def _carried(b: Board, i: int) -> bool:
    """Whether the loads of draft `i` are within its run's capacity."""
    capacity = b.run[b.draft[i, C_RUN], R_CAPACITY]
    if capacity == NEVER:
        return True
    for p in range(b.draft[i, C_COUNT]):
        capacity -= b.visit[b.line[i, D_TASK, p] >> 1, V_LOAD]
    return capacity >= 0  # type: ignore[no-any-return]


@inner
def timed(b: Board, i: int) -> bool:
    """Starts of draft `i` that keep every rule, at least cost as far as is tried; False when there are none.

    A long run without a natural wait is given its break by trying a pause after a stop, longest wait first.
    """
    r, n = b.draft[i, C_RUN], b.draft[i, C_COUNT]
    if n == 0:
        for c in (C_TIMING, C_WORST, C_LEAVE, C_BACK, C_WORKED):
            b.draft[i, c] = 0
        return b.run[r, W_RULED] == 0 or days_allow(b, r)
    if not _carried(b, i) or not bounded(b, i, int(D_EARLY), int(D_LATE), int(NOBODY), int(NONE)):
        return False
    if b.run[r, W_RULED] == 0 and b.sums[G_TIMED] == 0:
        for p in range(n):
            b.line[i, D_START, p] = b.line[i, D_EARLY, p]
        b.draft[i, C_TIMING] = 0
        b.draft[i, C_WORST] = 0
        return True
    return _settled(b, i)


@inner
def _settled(b: Board, i: int) -> bool:
    """The cheapest starts of those tried that keep the rules; False when none do."""
    r, n = b.draft[i, C_RUN], b.draft[i, C_COUNT]
    best = int(NOBODY)
    for attempt in range(PAUSES_MAX + 1):
        early, late, after, pause = int(D_EARLY), int(D_LATE), int(NOBODY), int(NONE)
        if attempt > 0:
            pause = b.run[r, W_BREAK]
            after = _pause_places(b, i, attempt - 1)
            if after < 0:
                break
            early, late = int(D_EARLY_PAUSED), int(D_LATE_PAUSED)
            if not bounded(b, i, early, late, after, pause):
                continue
        found = best
        _wished(b, i, early, late, after, pause)
        best = _tried(b, i, best)
        if attempt == 0 and best >= 0 and b.sums[G_LATE] == 0 and b.sums[G_WAITING] == 0:
            break  # nothing is nearer to what is wished
        if best < 0 or found < 0 or b.sums[G_LATE] > 0 or b.sums[G_WAITING] > 0:
            _early(b, i, early)
            best = _tried(b, i, best)
            _compact(b, i, early, late, after, pause)
            best = _tried(b, i, best)
        if b.run[r, W_BREAK] < 0 or n < 2:
            break
    if best < 0:
        return False
    b.draft[i, C_TIMING] = best
    b.draft[i, C_WORST] = 0
    for p in range(n):
        due = b.visit[b.line[i, D_TASK, p] >> 1, V_DUE]
        b.draft[i, C_WORST] = max(b.draft[i, C_WORST], b.line[i, D_START, p] - due)
    return True
