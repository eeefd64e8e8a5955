"""Puts absent visits where they cost least: every place of every run is looked at, both halves of a double-up together.

Compiled. It moves nobody else.
"""

from __future__ import annotations

from rostering.search.duties_board import (
    F_BEFORE,
    F_COST,
    F_FIRST,
    F_LAST,
    F_RUN,
    G_FOUND,
    G_LATE,
    G_OFF,
    G_RUNS,
    G_TRAVEL,
    G_WORKERS,
    NEVER,
    NOBODY,
    NONE,
    ONE,
    ONES,
    PAIRS,
    PAIRS_MAX,
    PLACE,
    PLACES_MAX,
    R_CLOSES,
    R_FIRST,
    R_OPENS,
    R_WORKER,
    RUN,
    SPAN,
    T_AFTER,
    T_EARLY,
    TASK,
    V_ABSENT_AT,
    V_ANCHORED,
    V_DUE,
    V_FIXED,
    V_SLOTS,
    V_SOFT,
    V_SYNC_MAX,
    V_SYNC_MIN,
    V_WINDOW,
    V_WINDOW_END,
    V_WISH,
    VISIT,
    Board,
    Ints,
)
from rostering.search.duties_draft import forget, make, put_in, retime, say_nothing, weighed
from rostering.search.duties_room import detour, first_start, last_start, picked
from rostering.search.duties_seen import stranger_points
from rostering.search.kernel.chance import Words, below
from rostering.search.kernel.jit import entered, inlined, inner


@inner
def places(b: Board, t: int, lo: int, hi: int, at: int, keep: int) -> int:
    """The `keep` cheapest places for task `t` to start in [lo, hi], into b.work from `at` on, cheapest first; how many.

    A row is (points, run, task before, first start, last start). Rules of a run or of days are not looked at.
    """
    work, count, v = b.work, int(NONE), t >> 1
    wish, due, soft = b.visit[VISIT * v + V_WISH], b.visit[VISIT * v + V_DUE], b.visit[VISIT * v + V_SOFT]
    for r in range(work[G_RUNS]):
        w = b.run[RUN * r + R_WORKER]
        if not b.may[work[G_WORKERS] * t + w] or b.run[RUN * r + R_OPENS] > hi or b.run[RUN * r + R_CLOSES] < lo:
            continue
        strange = stranger_points(b, t, r)
        before, after = int(NOBODY), b.run[RUN * r + R_FIRST]
        while True:
            first = max(lo, first_start(b, r, before, t))
            if before >= 0 and b.visit[TASK * before + T_EARLY] > hi:
                break
            last = min(hi, last_start(b, r, t, after))
            if first <= last:
                cost = work[G_TRAVEL] * detour(b, r, before, t, after) + b.table[soft + w] + strange
                if wish != NEVER:
                    cost += work[G_OFF] * max(0, first - wish, wish - last)
                cost += work[G_LATE] * max(0, first - due)
                if count < keep or cost < work[at + PLACE * (count - 1) + F_COST]:
                    count += count < keep
                    _file(b, at, count, cost, r, before, first, last)
            if after < 0:
                break
            before, after = after, b.visit[TASK * after + T_AFTER]
    return count


@inner
def _file(b: Board, at: int, count: int, cost: int, r: int, before: int, first: int, last: int) -> None:
    """Put a place in its order among the first `count` rows from `at` on; the last of them goes."""
    work, row = b.work, at + PLACE * (count - 1)
    while row > at and work[row - PLACE] > cost:
        for c in range(PLACE):
            work[row + c] = work[row + c - PLACE]
        row -= PLACE
    work[row + F_COST] = cost
    work[row + F_RUN] = r
    work[row + F_BEFORE] = before
    work[row + F_FIRST] = first
    work[row + F_LAST] = last


@inner
def _pairs(b: Board, v: int, count: int, count_two: int) -> int:
    """The cheapest pairs of places of different workers whose starts can meet, as rows (cost, one, two); how many."""
    work, least, most = b.work, b.visit[VISIT * v + V_SYNC_MIN], b.visit[VISIT * v + V_SYNC_MAX]
    pairs = work[G_FOUND] + PLACE * PAIRS
    kept = 0
    for i in range(count):
        one = work[G_FOUND] + PLACE * (ONES + i)
        for j in range(count_two):
            two = work[G_FOUND] + PLACE * j
            cost = work[one + F_COST] + work[two + F_COST]
            if kept == PAIRS_MAX and cost >= work[pairs + PLACE * (kept - 1)]:
                break
            if b.run[RUN * work[one + F_RUN] + R_WORKER] == b.run[RUN * work[two + F_RUN] + R_WORKER]:
                continue
            if work[one + F_FIRST] + least > work[two + F_LAST] or work[two + F_FIRST] > work[one + F_LAST] + most:
                continue
            if kept < PAIRS_MAX:
                kept += 1
            _file(b, pairs, kept, cost, i, j, int(NONE), int(NONE))
    return kept


@inner
def _say_single(b: Board, v: int, lo: int, hi: int, at: int, want: int) -> bool:
    """Say visit `v` at the place at `at`, at the start nearest to `want` if its start must stay put."""
    if b.visit[VISIT * v + V_ANCHORED] == 1:
        lo = picked(b, v, b.work[at + F_FIRST], b.work[at + F_LAST], want)
        if lo == NEVER:
            return False
        hi = lo
    retime(b, 2 * v, lo, hi)
    put_in(b, 2 * v, b.work[at + F_RUN], b.work[at + F_BEFORE])
    return True


@inner
def _say_pair(b: Board, v: int, i: int, j: int) -> bool:
    """Say double-up `v` at places `i` and `j`, at the legal starts nearest to the preferred one."""
    work = b.work
    one, two = work[G_FOUND] + PLACE * (ONES + i), work[G_FOUND] + PLACE * j
    least, most = b.visit[VISIT * v + V_SYNC_MIN], b.visit[VISIT * v + V_SYNC_MAX]
    first = max(work[one + F_FIRST], work[two + F_FIRST] - most)
    last = min(work[one + F_LAST], work[two + F_LAST] - least)
    start = picked(b, v, first, last, _wish(b, v, first))
    if start == NEVER:
        return False
    second = max(work[two + F_FIRST], start + least)
    retime(b, 2 * v, start, start)
    retime(b, 2 * v + 1, second, second)
    put_in(b, 2 * v, work[one + F_RUN], work[one + F_BEFORE])
    put_in(b, 2 * v + 1, work[two + F_RUN], work[two + F_BEFORE])
    return True


@inner
def _wish(b: Board, v: int, first: int) -> int:
    """Visit `v`'s preferred start, or the first it may have."""
    wish = b.visit[VISIT * v + V_WISH]
    return first if wish == NEVER else wish


@inner
def _look(b: Board, v: int, j: int, keep: int) -> int:
    """Look for places of absent visit `v` in its window `j`: the `keep` cheapest, or pairs of them; how many."""
    lo, hi = b.table[SPAN * j], b.table[SPAN * j + 1]
    twos = b.work[G_FOUND]
    ones = twos + PLACE * ONES
    if b.visit[VISIT * v + V_SLOTS] == 1:
        return places(b, 2 * v, lo, hi, ones, keep)
    count = places(b, 2 * v, lo, hi, ones, int(PLACES_MAX))
    lo, hi = lo + b.visit[VISIT * v + V_SYNC_MIN], hi + b.visit[VISIT * v + V_SYNC_MAX]
    return _pairs(b, v, count, places(b, 2 * v + 1, lo, hi, twos, int(PLACES_MAX)))


@inner
def _say(b: Board, v: int, j: int, i: int, attempt: int) -> bool:
    """Say the `i`-th of what was looked at; a start that must stay put is asked for as preferred, first and last."""
    if b.visit[VISIT * v + V_SLOTS] == 2:
        pair = b.work[G_FOUND] + PLACE * (PAIRS + i)
        return attempt == 0 and _say_pair(b, v, b.work[pair + F_RUN], b.work[pair + F_BEFORE])
    at = b.work[G_FOUND] + PLACE * (ONES + i)
    want = _wish(b, v, b.work[at + F_FIRST])
    if attempt == 1:
        want = b.work[at + F_FIRST]
    if attempt == 2:
        want = b.work[at + F_LAST]
    return _say_single(b, v, b.table[SPAN * j], b.table[SPAN * j + 1], at, want)


@inlined
def say_cheapest(b: Board, chance: Words, v: int) -> bool:
    """Say absent visit `v` at the cheapest of its places in one of its windows; False when there is none."""
    j = b.visit[VISIT * v + V_WINDOW] + below(chance, b.visit[VISIT * v + V_WINDOW_END] - b.visit[VISIT * v + V_WINDOW])
    return _look(b, v, j, int(ONE)) > 0 and _say(b, v, j, int(NONE), int(NONE))


@entered
def insert_all(b: Board, order: Ints, keep: int) -> int:
    """Put in each absent visit of `order` in turn, looking at its `keep` cheapest places; how many went in.

    All slots of a visit go in or none.
    """
    done = 0
    for v in order:
        tries = 3 if b.visit[VISIT * v + V_ANCHORED] == 1 and b.visit[VISIT * v + V_FIXED] == 1 else 1
        for j in range(b.visit[VISIT * v + V_WINDOW], b.visit[VISIT * v + V_WINDOW_END]):
            if b.visit[VISIT * v + V_ABSENT_AT] < 0:
                break
            for i in range(tries * _look(b, v, j, keep)):
                say_nothing(b)
                change = weighed(b, float(NEVER)) if _say(b, v, j, i // tries, i % tries) else NEVER
                if change < NEVER:
                    make(b, change)
                    done += 1
                    break
                forget(b)
    say_nothing(b)
    return done
