"""The compiled moves of the engine "segments": strings out, stops back, better or tolerably worse plans kept.

Arrays as rostering.search.segments_kernel describes them. Not an engine (rostering.search.segments).
"""

from __future__ import annotations

import math

import numpy as np

from rostering.search.kernel.chance import Words, below, share
from rostering.search.kernel.jit import compiled, inlined
from rostering.search.segments_kernel import (
    ABSENT,
    ABSENT_AT,
    AFTER,
    BEFORE,
    EARLIEST,
    FAR,
    FIRST,
    GROUP,
    IDLE_FROM,
    IDLE_MANY,
    KEPT,
    LATEST,
    LOAD,
    MARK,
    MOVES,
    PENALTY,
    POINTS,
    REMOTE,
    RUN,
    SIZE,
    TAKEN,
    TO_BLINK,
    WEIGHT,
    Ints,
    Number,
    Shorts,
    keep,
    points,
    put,
    restore,
    take,
)

STRING_MAX = 10
SPLIT_IN = 2
BLINK_IN = 100
ABSENT_TRIED_MAX = 60
ORDERS = 17


@inlined
def _string_sizes(words: Words, size: Number, longest: Number) -> tuple[Number, Number]:
    """How many stops of a run of `size` to take, and how many in their middle to leave."""
    wanted = 1 + below(words, min(size, longest))
    left = 0
    if 1 < wanted < size and below(words, SPLIT_IN) == 0:
        left = 1
        while wanted + left < size and below(words, SPLIT_IN) == 0:
            left += 1
    return wanted, left


@compiled
def _string(
    travel: Shorts,
    stops: Ints,
    runs: Ints,
    groups: Ints,
    dear: Ints,
    idle: Ints,
    absent: Ints,
    total: Ints,
    words: Words,
    c: Number,
    longest: Number,
) -> None:
    """Takes a string of stops that holds c out of its run; sometimes it leaves a few in its middle."""
    wanted, left = _string_sizes(words, runs[stops[c, RUN], SIZE], longest)
    span = wanted + left
    ahead, at = 0, stops[c, BEFORE]
    while at >= 0 and ahead < span:
        ahead, at = ahead + 1, stops[at, BEFORE]
    behind, at = 0, stops[c, AFTER]
    while at >= 0 and behind < span:
        behind, at = behind + 1, stops[at, AFTER]
    least = max(0, span - 1 - behind)
    back = least + below(words, min(ahead, span - 1) - least + 1)
    at = c
    for _ in range(back):
        at = stops[at, BEFORE]
    skip = 1 + below(words, wanted - 1) if left > 0 else span
    for i in range(span):
        following = stops[at, AFTER]
        if not skip <= i < skip + left:
            take(travel, stops, runs, groups, dear, idle, absent, total, at)
        at = following


@compiled
def _ruin(
    travel: Shorts,
    stops: Ints,
    runs: Ints,
    groups: Ints,
    dear: Ints,
    near: Shorts,
    idle: Ints,
    absent: Ints,
    total: Ints,
    kept_runs: Ints,
    kept_stops: Ints,
    words: Words,
) -> None:
    """Takes strings out of runs around one stop."""
    n = len(stops)
    busy = len(runs)
    for g in range(len(groups)):
        busy -= groups[g, IDLE_MANY]
    longest = max(1, min(STRING_MAX, (n - total[ABSENT]) // max(1, busy)))
    most = 4.0 * total[TAKEN] / (1.0 + longest) - 1.0
    strings = max(1, int(1.0 + share(words) * most))
    seed = below(words, n)
    for i in range(-1, near.shape[1]):
        c = seed if i < 0 else np.int64(near[seed, i])
        if c < 0 or strings == 0:
            break
        r = stops[c, RUN]
        if r < 0 or runs[r, MARK] == total[MOVES]:
            continue
        keep(stops, runs, total, kept_runs, kept_stops, r)
        _string(travel, stops, runs, groups, dear, idle, absent, total, words, c, longest)
        strings -= 1


@inlined
def _key(stops: Ints, words: Words, kind: Number, c: Number) -> Number:
    """What the order of putting back looks at: chance, load, distance, length or edges of the window."""
    key = below(words, 1 << 30)
    if 4 <= kind < 8:
        key = -stops[c, LOAD]
    elif 8 <= kind < 10:
        key = -stops[c, REMOTE]
    elif 10 <= kind < 11:
        key = stops[c, REMOTE]
    elif 11 <= kind < 13:
        key = stops[c, LATEST] - stops[c, EARLIEST]
    elif 13 <= kind < 15:
        key = stops[c, EARLIEST]
    elif kind >= 15:
        key = -stops[c, LATEST]
    return key


@compiled
def _order(stops: Ints, words: Words, chosen: Ints, keys: Ints, many: Number) -> None:
    """Puts the first `many` chosen stops in an order drawn by chance."""
    kind = below(words, ORDERS)
    for i in range(many):
        keys[i] = _key(stops, words, kind, chosen[i])
    for i in range(1, many):
        key, c, at = keys[i], chosen[i], i
        while at > 0 and keys[at - 1] > key:
            keys[at], chosen[at] = keys[at - 1], chosen[at - 1]
            at -= 1
        keys[at], chosen[at] = key, c


@compiled
def _best(
    travel: Shorts,
    stops: Ints,
    runs: Ints,
    groups: Ints,
    dear: Ints,
    lists: Shorts,
    idle: Ints,
    total: Ints,
    words: Words,
    c: Number,
) -> tuple[Number, Number]:
    """The run, and the stop in it, after which stop c costs least of the positions looked at; run -1 when there is none."""
    least, run, before = stops[c, PENALTY], np.int64(-1), np.int64(-1)
    weight, to_blink = total[WEIGHT], total[TO_BLINK]
    for side in range(2):
        for i in range(lists.shape[2]):
            near = np.int64(lists[side, c, i])
            if near < 0:
                break
            r = stops[near, RUN]
            to_blink -= 1
            if to_blink < 0:
                to_blink = below(words, 2 * BLINK_IN)
                continue
            if r < 0:
                continue
            p = near if side == 0 else stops[near, BEFORE]
            q = stops[near, AFTER] if side == 0 else near
            cost = points(travel, stops, runs, groups, dear, weight, r, p, q, c)
            if cost < least:
                least, run, before = cost, r, p
    for g in range(len(groups)):
        if groups[g, IDLE_MANY] > 0:
            r = idle[groups[g, IDLE_FROM] + groups[g, IDLE_MANY] - 1]
            cost = points(travel, stops, runs, groups, dear, weight, r, -1, -1, c)
            if cost < least:
                least, run, before = cost, r, np.int64(-1)
    total[TO_BLINK] = to_blink
    return run, before


@compiled
def _best_anywhere(
    travel: Shorts, stops: Ints, runs: Ints, groups: Ints, dear: Ints, weight: Number, c: Number
) -> tuple[Number, Number]:
    """As _best, over every position of every run that has stops."""
    least, run, before = stops[c, PENALTY], np.int64(-1), np.int64(-1)
    for r in range(len(runs)):
        if dear[runs[r, GROUP], c] >= FAR or runs[r, SIZE] == 0:
            continue
        p, q = np.int64(-1), runs[r, FIRST]
        while True:
            cost = points(travel, stops, runs, groups, dear, weight, r, p, q, c)
            if cost < least:
                least, run, before = cost, np.int64(r), p
            if q < 0:
                break
            p, q = q, stops[q, AFTER]
    return run, before


@compiled
def recreate(
    travel: Shorts,
    stops: Ints,
    runs: Ints,
    groups: Ints,
    dear: Ints,
    lists: Shorts,
    idle: Ints,
    absent: Ints,
    total: Ints,
    kept_runs: Ints,
    kept_stops: Ints,
    words: Words,
    work: Ints,
    most: Number,
) -> None:
    """Puts back up to `most` absent stops, each where it costs least; what fits nowhere stays absent."""
    many, chosen = total[ABSENT], work[0]
    for i in range(many):
        chosen[i] = absent[many - 1 - i]
    if many > most:
        for i in range(most // 2, most):
            j = i + below(words, many - i)
            chosen[i], chosen[j] = chosen[j], chosen[i]
        many = most
    _order(stops, words, chosen, work[1], many)
    for i in range(many):
        c = chosen[i]
        r, p = _best(travel, stops, runs, groups, dear, lists, idle, total, words, c)
        if r < 0:
            r, p = _best_anywhere(travel, stops, runs, groups, dear, total[WEIGHT], c)
        if r >= 0:
            keep(stops, runs, total, kept_runs, kept_stops, r)
            put(travel, stops, runs, groups, dear, idle, absent, total, r, p, c)


@compiled
def anneal(
    travel: Shorts,
    stops: Ints,
    runs: Ints,
    groups: Ints,
    dear: Ints,
    lists: Shorts,
    near: Shorts,
    idle: Ints,
    absent: Ints,
    total: Ints,
    best_stops: Ints,
    best_runs: Ints,
    best: Ints,
    kept_runs: Ints,
    kept_stops: Ints,
    words: Words,
    work: Ints,
    moves: Number,
    heat: float,
) -> Number:
    """Makes `moves` moves at temperature `heat` (points), the best plan kept; gives the last move that improved it, or -1.

    work: three rows of n. A move takes strings out and puts stops back; a worse plan stays with annealing's chance.
    """
    improved, out = -1, work[2]
    for move in range(moves):
        total[KEPT] = 0
        total[MOVES] += 1
        points, gone = total[POINTS], total[ABSENT]
        for i in range(gone):
            out[i] = absent[i]
        _ruin(travel, stops, runs, groups, dear, near, idle, absent, total, kept_runs, kept_stops, words)
        recreate(
            travel,
            stops,
            runs,
            groups,
            dear,
            lists,
            idle,
            absent,
            total,
            kept_runs,
            kept_stops,
            words,
            work,
            ABSENT_TRIED_MAX,
        )
        if total[POINTS] >= points - heat * math.log(max(share(words), 1e-300)):
            restore(stops, runs, groups, idle, total, kept_runs, kept_stops)
            for i in range(gone):
                absent[i] = out[i]
                stops[out[i], ABSENT_AT] = i
            total[POINTS], total[ABSENT] = points, gone
        elif total[POINTS] < best[POINTS]:
            best_stops[:, :] = stops
            best_runs[:, :] = runs
            best[:] = total
            improved = move
    return improved
