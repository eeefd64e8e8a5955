"""Times one drafted run: earliest and latest starts, the starts chosen, and the rules of a run.

Compiled; the draft is in Board.work. It decides nothing about who goes where.
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
    DRAFT,
    G_LATE,
    G_OFF,
    G_PLACES,
    G_SOFT,
    G_TIMED,
    G_TRAVEL,
    G_WAITING,
    LINE,
    NEVER,
    NOBODY,
    NONE,
    ONE,
    R_CAPACITY,
    R_CLOSES,
    R_HOME,
    R_LEGS,
    R_OPENS,
    R_WORKER,
    ROW,
    RUN,
    T_HI,
    T_LO,
    T_PLACE,
    T_SERVICE,
    TASK,
    V_DUE,
    V_LOAD,
    V_SOFT,
    V_WISH,
    VISIT,
    W_BREAK,
    W_BREAK_AFTER,
    W_OWN,
    W_RULED,
    Board,
)
from rostering.search.duties_days import days_allow
from rostering.search.kernel.jit import inner

PAUSES_MAX = 4


@inner
def priced(b: Board, i: int) -> int:
    """Points of draft `i` that its order alone decides (travel, wishes of who comes); fills in its legs."""
    r, n = b.work[DRAFT * i + C_RUN], b.work[DRAFT * i + C_COUNT]
    if n == 0:
        b.work[LINE * 0 + ROW * i + D_LEG] = 0
        return 0
    home, legs, w = b.run[RUN * r + R_HOME], b.run[RUN * r + R_LEGS], b.run[RUN * r + R_WORKER]
    here, travel, soft = home, 0, 0
    for p in range(n):
        t = b.work[LINE * p + ROW * i + D_TASK]
        place = b.visit[TASK * t + T_PLACE]
        leg = 0 if here < 0 else b.table[legs + b.work[G_PLACES] * here + place]
        b.work[LINE * p + ROW * i + D_LEG] = leg
        travel += leg
        if b.work[G_SOFT] == 1:
            soft += b.table[b.visit[VISIT * (t >> 1) + V_SOFT] + w]
        here = place
    leg = 0 if home < 0 else b.table[legs + b.work[G_PLACES] * here + home]
    b.work[LINE * n + ROW * i + D_LEG] = leg
    return b.work[G_TRAVEL] * (travel + leg) + soft  # type: ignore[no-any-return]


@inner
def bounded(b: Board, i: int, early: int, late: int, pause_after: int, pause: int) -> bool:
    """Earliest and latest starts of draft `i`, with a pause after one stop; False when some stop has no start."""
    r, n = b.work[DRAFT * i + C_RUN], b.work[DRAFT * i + C_COUNT]
    row = ROW * i
    free = b.run[RUN * r + R_OPENS]
    for p in range(n):
        t = b.work[LINE * p + row + D_TASK]
        start = max(free + b.work[LINE * p + row + D_LEG], b.visit[TASK * t + T_LO])
        if start > b.visit[TASK * t + T_HI]:
            return False
        b.work[LINE * p + row + early] = start
        free = start + b.visit[TASK * t + T_SERVICE]
        if p == pause_after:
            free += pause
    limit = b.run[RUN * r + R_CLOSES] - b.work[LINE * n + row + D_LEG]
    if free > limit:
        return False
    for p in range(n - 1, -1, -1):
        t = b.work[LINE * p + row + D_TASK]
        limit -= b.visit[TASK * t + T_SERVICE]
        if p == pause_after:
            limit -= pause
        limit = min(limit, b.visit[TASK * t + T_HI])
        b.work[LINE * p + row + late] = limit
        limit -= b.work[LINE * p + row + D_LEG]
    return True


@inner
def _median_of(b: Board, i: int, since: int, until: int) -> int:
    """The lower median of the wished times of weighed stops in [since, until)."""
    row = ROW * i
    count = 0
    for p in range(since, until):
        if b.work[LINE * p + row + D_BLOCK] < 0:
            continue
        value = b.work[LINE * p + row + D_WISHED]
        at = count
        while at > 0 and b.work[LINE * (at - 1) + row + D_SORTED] > value:
            b.work[LINE * at + row + D_SORTED] = b.work[LINE * (at - 1) + row + D_SORTED]
            at -= 1
        b.work[LINE * at + row + D_SORTED] = value
        count += 1
    return b.work[LINE * ((count - 1) // 2) + row + D_SORTED]  # type: ignore[no-any-return]


@inner
def _wished(b: Board, i: int, early: int, late: int, pause_after: int, pause: int) -> None:
    """Into D_TRY: starts with the least distance from the wished ones in all, by isotonic regression with medians.

    Measured from the first stop less service and travel, starts may only rise; neighbours whose wishes would cross are
    pooled and take their median (pool adjacent violators). Stops without a wish go as early as they may. D_BLOCK of a
    stop: -1 no wish, NEVER inside a pool, else one more than the first stop of the pool before (0: none).
    """
    n, row = b.work[DRAFT * i + C_COUNT], ROW * i
    gone, top = 0, -1
    for p in range(n):
        t = b.work[LINE * p + row + D_TASK]
        if p > 0:
            gone += b.work[LINE * p + row + D_LEG]
        wish = b.visit[VISIT * (t >> 1) + V_WISH]
        b.work[LINE * p + row + D_TRY] = gone
        b.work[LINE * p + row + D_BLOCK] = -1
        b.work[LINE * p + row + D_WISHED] = (
            min(max(wish, b.work[LINE * p + row + early]), b.work[LINE * p + row + late]) - gone
        )
        gone += b.visit[TASK * t + T_SERVICE]
        if p == pause_after:
            gone += pause
        if wish == NEVER:
            continue
        b.work[LINE * p + row + D_POOL] = b.work[LINE * p + row + D_WISHED]
        b.work[LINE * p + row + D_BLOCK] = top + 1
        top = p
        while (
            b.work[LINE * top + row + D_BLOCK] > 0
            and b.work[LINE * (b.work[LINE * top + row + D_BLOCK] - 1) + row + D_POOL]
            > b.work[LINE * top + row + D_POOL]
        ):
            below = b.work[LINE * top + row + D_BLOCK] - 1
            b.work[LINE * top + row + D_BLOCK] = NEVER
            b.work[LINE * below + row + D_POOL] = _median_of(b, i, below, p + 1)
            top = below
    value = -NEVER
    for p in range(n):
        if 0 <= b.work[LINE * p + row + D_BLOCK] < NEVER:
            value = max(value, b.work[LINE * p + row + D_POOL])
        gone = b.work[LINE * p + row + D_TRY]
        value = min(max(value, b.work[LINE * p + row + early] - gone), b.work[LINE * p + row + late] - gone)
        b.work[LINE * p + row + D_TRY] = value + gone


@inner
def _early(b: Board, i: int, early: int) -> None:
    for p in range(b.work[DRAFT * i + C_COUNT]):
        b.work[LINE * p + ROW * i + D_TRY] = b.work[LINE * p + ROW * i + early]


@inner
def _compact(b: Board, i: int, early: int, late: int, pause_after: int, pause: int) -> None:
    """The last stop as early as it may, the others as late as that allows: the shortest time away from home."""
    n, row = b.work[DRAFT * i + C_COUNT], ROW * i
    limit = b.work[LINE * (n - 1) + row + early]
    for p in range(n - 1, -1, -1):
        b.work[LINE * p + row + D_TRY] = max(b.work[LINE * p + row + early], min(b.work[LINE * p + row + late], limit))
        if p > 0:
            t = b.work[LINE * (p - 1) + row + D_TASK]
            limit = b.work[LINE * p + row + D_TRY] - b.work[LINE * p + row + D_LEG] - b.visit[TASK * t + T_SERVICE]
            if p - 1 == pause_after:
                limit -= pause


@inner
def _timing_cost(b: Board, i: int) -> int:
    """Points of the starts in D_TRY."""
    n, row = b.work[DRAFT * i + C_COUNT], ROW * i
    cost, free = 0, 0
    for p in range(n):
        t = b.work[LINE * p + row + D_TASK]
        start = b.work[LINE * p + row + D_TRY]
        v = t >> 1
        wish = b.visit[VISIT * v + V_WISH]
        if wish != NEVER:
            cost += b.work[G_OFF] * abs(start - wish)
        if p > 0:
            cost += b.work[G_WAITING] * (start - free - b.work[LINE * p + row + D_LEG])
        lateness = start - b.visit[VISIT * v + V_DUE]
        if lateness > 0:
            cost += b.work[G_LATE] * lateness
        free = start + b.visit[TASK * t + T_SERVICE]
    return cost


@inner
def _measured(b: Board, i: int) -> bool:
    """Leaving, coming back and working time of the starts in D_TRY; False when the run lacks its break."""
    r, n = b.work[DRAFT * i + C_RUN], b.work[DRAFT * i + C_COUNT]
    row = ROW * i
    own, longest, free = 0, -1, 0
    for p in range(n):
        t = b.work[LINE * p + row + D_TASK]
        if p > 0:
            wait = b.work[LINE * p + row + D_TRY] - free - b.work[LINE * p + row + D_LEG]
            longest = max(longest, wait)
            if wait >= b.run[RUN * r + W_OWN]:
                own += wait
        free = b.work[LINE * p + row + D_TRY] + b.visit[TASK * t + T_SERVICE]
    b.work[DRAFT * i + C_LEAVE] = b.work[LINE * 0 + row + D_TRY] - b.work[LINE * 0 + row + D_LEG]
    b.work[DRAFT * i + C_BACK] = free + b.work[LINE * n + row + D_LEG]
    away = b.work[DRAFT * i + C_BACK] - b.work[DRAFT * i + C_LEAVE]
    b.work[DRAFT * i + C_WORKED] = away - own
    return b.run[RUN * r + W_BREAK] < 0 or away <= b.run[RUN * r + W_BREAK_AFTER] or longest >= b.run[RUN * r + W_BREAK]  # type: ignore[no-any-return]


@inner
def _tried(b: Board, i: int, best: int) -> int:
    """The starts in D_TRY become the draft's when they are legal and cheaper than `best` (below 0: none yet)."""
    cost = _timing_cost(b, i)
    if best >= 0 and cost >= best:
        return best
    r = b.work[DRAFT * i + C_RUN]
    leave, back, worked = b.work[DRAFT * i + C_LEAVE], b.work[DRAFT * i + C_BACK], b.work[DRAFT * i + C_WORKED]
    if not _measured(b, i) or not days_allow(b, r):
        b.work[DRAFT * i + C_LEAVE], b.work[DRAFT * i + C_BACK], b.work[DRAFT * i + C_WORKED] = leave, back, worked
        return best
    for p in range(b.work[DRAFT * i + C_COUNT]):
        b.work[LINE * p + ROW * i + D_START] = b.work[LINE * p + ROW * i + D_TRY]
    return cost


@inner
def _pause_places(b: Board, i: int, number: int) -> int:
    """The stop before the `number`-th longest wait of the earliest starts."""
    n, row = b.work[DRAFT * i + C_COUNT], ROW * i
    place = -1
    last_wait, last_place = NEVER, -1
    for _ in range(number + 1):
        best, place = -1, -1
        for p in range(n - 1):
            wait = (
                b.work[LINE * (p + 1) + row + D_EARLY]
                - b.work[LINE * p + row + D_EARLY]
                - b.visit[TASK * (b.work[LINE * p + row + D_TASK]) + T_SERVICE]
                - b.work[LINE * (p + 1) + row + D_LEG]
            )
            if wait > best and (wait < last_wait or (wait == last_wait and p > last_place)):
                best, place = wait, p
        last_wait, last_place = best, place
    return place


@inner
def _carried(b: Board, i: int) -> bool:
    """Whether the loads of draft `i` are within its run's capacity."""
    capacity = b.run[RUN * (b.work[DRAFT * i + C_RUN]) + R_CAPACITY]
    if capacity == NEVER:
        return True
    for p in range(b.work[DRAFT * i + C_COUNT]):
        capacity -= b.visit[VISIT * (b.work[LINE * p + ROW * i + D_TASK] >> 1) + V_LOAD]
    return capacity >= 0  # type: ignore[no-any-return]


@inner
def begun(b: Board, i: int) -> int:
    """Starts of draft `i` as far as its run alone decides: NONE when it has no legal ones, ONE when that is all.

    NEVER when its starts must yet be `settled`.
    """
    work, r, n = b.work, b.work[DRAFT * i + C_RUN], b.work[DRAFT * i + C_COUNT]
    if n > 0:
        if not _carried(b, i) or not bounded(b, i, int(D_EARLY), int(D_LATE), int(NOBODY), int(NONE)):
            return NONE
        if b.run[RUN * r + W_RULED] == 1 or work[G_TIMED] == 1:
            return NEVER
        for p in range(n):
            work[LINE * p + ROW * i + D_START] = work[LINE * p + ROW * i + D_EARLY]
    else:
        work[DRAFT * i + C_LEAVE] = 0
        work[DRAFT * i + C_BACK] = 0
        work[DRAFT * i + C_WORKED] = 0
        if b.run[RUN * r + W_RULED] == 1 and not days_allow(b, r):
            return NONE
    work[DRAFT * i + C_TIMING] = 0
    work[DRAFT * i + C_WORST] = 0
    return ONE


@inner
def settled(b: Board, i: int) -> bool:
    """The cheapest starts of those tried that keep every rule; False when none do.

    A long run without a natural wait is given its break by trying a pause after a stop, longest wait first.
    """
    r, n = b.work[DRAFT * i + C_RUN], b.work[DRAFT * i + C_COUNT]
    best = int(NOBODY)
    for attempt in range(PAUSES_MAX + 1):
        early, late, after, pause = int(D_EARLY), int(D_LATE), int(NOBODY), int(NONE)
        if attempt > 0:
            pause = b.run[RUN * r + W_BREAK]
            after = _pause_places(b, i, attempt - 1)
            if after < 0:
                break
            early, late = int(D_EARLY_PAUSED), int(D_LATE_PAUSED)
            if not bounded(b, i, early, late, after, pause):
                continue
        found = best
        _wished(b, i, early, late, after, pause)
        best = _tried(b, i, best)
        if attempt == 0 and best >= 0 and b.work[G_LATE] == 0 and b.work[G_WAITING] == 0:
            break  # nothing is nearer to what is wished
        if best < 0 or found < 0 or b.work[G_LATE] > 0 or b.work[G_WAITING] > 0:
            _early(b, i, early)
            best = _tried(b, i, best)
            _compact(b, i, early, late, after, pause)
            best = _tried(b, i, best)
        if b.run[RUN * r + W_BREAK] < 0 or n < 2:
            break
    if best < 0:
        return False
    b.work[DRAFT * i + C_TIMING] = best
    b.work[DRAFT * i + C_WORST] = 0
    for p in range(n):
        due = b.visit[VISIT * (b.work[LINE * p + ROW * i + D_TASK] >> 1) + V_DUE]
        b.work[DRAFT * i + C_WORST] = max(b.work[DRAFT * i + C_WORST], b.work[LINE * p + ROW * i + D_START] - due)
    return True
