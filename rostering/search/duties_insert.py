"""Puts absent visits where they cost least: every place of every run is looked at, both halves of a double-up together.

Compiled. It moves nobody else.
"""

from __future__ import annotations

from rostering.search.duties_board import (
    F_BEFORE,
    F_COLUMNS,
    F_COST,
    F_FIRST,
    F_LAST,
    F_RUN,
    G_LATE,
    G_OFF,
    G_TRAVEL,
    NEVER,
    NOBODY,
    NONE,
    ONE,
    ONES,
    PAIRS,
    PLACES_MAX,
    R_CLOSES,
    R_FIRST,
    R_OPENS,
    R_WORKER,
    T_AFTER,
    T_EARLY,
    V_ABSENT_AT,
    V_ANCHORED,
    V_DUE,
    V_FIXED,
    V_SLOTS,
    V_SYNC_MAX,
    V_SYNC_MIN,
    V_WINDOW,
    V_WINDOW_END,
    V_WISH,
    Board,
    Ints,
)
from rostering.search.duties_draft import forget, make, put_in, retime, say_nothing, weighed
from rostering.search.duties_room import detour, first_start, last_start, picked
from rostering.search.duties_seen import stranger_points
from rostering.search.kernel.chance import Words, below
from rostering.search.kernel.jit import entered, inner


@inner
def places(b: Board, t: int, lo: int, hi: int, found: Ints) -> int:
    """The cheapest places for task `t` to start in [lo, hi], into the rows of `found`, cheapest first; how many.

    A row is (points, run, task before, first start, last start). Rules of a run or of days are not looked at.
    """
    keep, count, v = found.shape[0], int(NONE), t >> 1
    wish = b.visit[v, V_WISH]
    for r in range(b.run.shape[0]):
        w = b.run[r, R_WORKER]
        if not b.may[t, w] or b.run[r, R_OPENS] > hi or b.run[r, R_CLOSES] < lo:
            continue
        strange = stranger_points(b, t, r)
        before, after = int(NOBODY), b.run[r, R_FIRST]
        while True:
            first = max(lo, first_start(b, r, before, t))
            if before >= 0 and b.task[before, T_EARLY] > hi:
                break
            last = min(hi, last_start(b, r, t, after))
            if first <= last:
                cost = b.sums[G_TRAVEL] * detour(b, r, before, t, after) + b.soft[v, w] + strange
                if wish != NEVER:
                    cost += b.sums[G_OFF] * max(0, first - wish, wish - last)
                cost += b.sums[G_LATE] * max(0, first - b.visit[v, V_DUE])
                if count < keep or cost < found[count - 1, F_COST]:
                    count = _file(found, count, cost, r, before, first, last)
            if after < 0:
                break
            before, after = after, b.task[after, T_AFTER]
    return count


@inner
def _file(found: Ints, count: int, cost: int, r: int, before: int, first: int, last: int) -> int:
    """Put a place in its order; how many there are then."""
    at = min(count, found.shape[0] - 1)
    while at > 0 and found[at - 1, F_COST] > cost:
        for c in range(F_COLUMNS):
            found[at, c] = found[at - 1, c]
        at -= 1
    found[at, F_COST] = cost
    found[at, F_RUN] = r
    found[at, F_BEFORE] = before
    found[at, F_FIRST] = first
    found[at, F_LAST] = last
    return min(count + 1, found.shape[0])  # type: ignore[no-any-return]


@inner
def _pairs(b: Board, v: int, ones: Ints, count: int, twos: Ints, count_two: int, pairs: Ints) -> int:
    """The cheapest pairs of places of different workers whose starts can meet, as rows (cost, one, two); how many."""
    least, most = b.visit[v, V_SYNC_MIN], b.visit[v, V_SYNC_MAX]
    kept = 0
    for i in range(count):
        for j in range(count_two):
            cost = ones[i, F_COST] + twos[j, F_COST]
            if kept == pairs.shape[0] and cost >= pairs[kept - 1, 0]:
                break
            if b.run[ones[i, F_RUN], R_WORKER] == b.run[twos[j, F_RUN], R_WORKER]:
                continue
            if ones[i, F_FIRST] + least > twos[j, F_LAST] or twos[j, F_FIRST] > ones[i, F_LAST] + most:
                continue
            at = min(kept, pairs.shape[0] - 1)
            while at > 0 and pairs[at - 1, 0] > cost:
                for c in range(3):
                    pairs[at, c] = pairs[at - 1, c]
                at -= 1
            pairs[at, 0], pairs[at, 1], pairs[at, 2] = cost, i, j
            kept = min(kept + 1, pairs.shape[0])
    return kept


@inner
def _say_single(b: Board, v: int, lo: int, hi: int, i: int, want: int) -> bool:
    """Say visit `v` at place `i`, at the start nearest to `want` if its start must stay put."""
    if b.visit[v, V_ANCHORED] == 1:
        lo = picked(b, v, b.found[ONES + i, F_FIRST], b.found[ONES + i, F_LAST], want)
        if lo == NEVER:
            return False
        hi = lo
    retime(b, 2 * v, lo, hi)
    put_in(b, 2 * v, b.found[ONES + i, F_RUN], b.found[ONES + i, F_BEFORE])
    return True


@inner
def _say_pair(b: Board, v: int, i: int, j: int) -> bool:
    """Say double-up `v` at places `i` and `j`, at the legal starts nearest to the preferred one."""
    one, two = b.found[ONES + i], b.found[j]
    least, most = b.visit[v, V_SYNC_MIN], b.visit[v, V_SYNC_MAX]
    first = max(one[F_FIRST], two[F_FIRST] - most)
    last = min(one[F_LAST], two[F_LAST] - least)
    start = picked(b, v, first, last, _wish(b, v, first))
    if start == NEVER:
        return False
    second = max(two[F_FIRST], start + least)
    retime(b, 2 * v, start, start)
    retime(b, 2 * v + 1, second, second)
    put_in(b, 2 * v, one[F_RUN], one[F_BEFORE])
    put_in(b, 2 * v + 1, two[F_RUN], two[F_BEFORE])
    return True


@inner
def _wish(b: Board, v: int, first: int) -> int:
    """Visit `v`'s preferred start, or the first it may have."""
    wish = b.visit[v, V_WISH]
    return first if wish == NEVER else wish


@inner
def _look(b: Board, v: int, j: int, keep: int) -> int:
    """Look for places of absent visit `v` in its window `j`: the `keep` cheapest, or pairs of them; how many."""
    lo, hi = b.span[j, 0], b.span[j, 1]
    if b.visit[v, V_SLOTS] == 1:
        return places(b, 2 * v, lo, hi, b.found[ONES : ONES + keep])
    count = places(b, 2 * v, lo, hi, b.found[ONES : ONES + PLACES_MAX])
    other = places(b, 2 * v + 1, lo + b.visit[v, V_SYNC_MIN], hi + b.visit[v, V_SYNC_MAX], b.found[:PLACES_MAX])
    return _pairs(b, v, b.found[ONES:], count, b.found[:PLACES_MAX], other, b.found[PAIRS:ONES])


@inner
def _say(b: Board, v: int, j: int, i: int, attempt: int) -> bool:
    """Say the `i`-th of what was looked at; a start that must stay put is asked for as preferred, first and last."""
    if b.visit[v, V_SLOTS] == 2:
        return attempt == 0 and _say_pair(b, v, b.found[PAIRS + i, 1], b.found[PAIRS + i, 2])
    want = _wish(b, v, b.found[ONES + i, F_FIRST])
    if attempt == 1:
        want = b.found[ONES + i, F_FIRST]
    if attempt == 2:
        want = b.found[ONES + i, F_LAST]
    return _say_single(b, v, b.span[j, 0], b.span[j, 1], i, want)


@inner
def say_cheapest(b: Board, chance: Words, v: int) -> bool:
    """Say absent visit `v` at the cheapest of its places in one of its windows; False when there is none."""
    j = b.visit[v, V_WINDOW] + below(chance, b.visit[v, V_WINDOW_END] - b.visit[v, V_WINDOW])
    return _look(b, v, j, int(ONE)) > 0 and _say(b, v, j, int(NONE), int(NONE))


@entered
def insert_all(b: Board, order: Ints, keep: int) -> int:
    """Put in each absent visit of `order` in turn, looking at its `keep` cheapest places; how many went in.

    All slots of a visit go in or none.
    """
    done = 0
    for v in order:
        tries = 3 if b.visit[v, V_ANCHORED] == 1 and b.visit[v, V_FIXED] == 1 else 1
        for j in range(b.visit[v, V_WINDOW], b.visit[v, V_WINDOW_END]):
            if b.visit[v, V_ABSENT_AT] < 0:
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
