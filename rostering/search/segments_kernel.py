"""Compiled ruin and recreate over linked runs with hard windows and loads; arrays in, arrays changed in place, no objects.

Strings of stops near each other are taken out of a few runs and put back where they cost least, position by position with
"blinks" (Christiaens and Vanden Berghe 2020, Slack Induction by String Removals), under simulated annealing. Every stop
knows its earliest and its latest feasible start, so that a position is judged in a few steps whatever the run's length.
Only positions beside a stop's nearest predecessors and successors are tried (granular neighbourhoods).

Arrays (all int64 unless said): `stops[c]` and `runs[r]` have the columns named below, a stop's most used first; `groups[g]`
are runs that are alike; `travel[m, a, b]` (int32) is by mode between nodes, the stops first, then the homes, and after the
last mode comes each turned round, `[b, a]`; `dear[g, c]` is what stop c costs there, FAR when it may not be there;
`lists[0][c]` and `lists[1][c]` (int32) are stops that may come right before and right after stop c, nearest first, ended by
-1; `near[c]` (int32) the stops around it. `total` = (points, absent stops, moves made, stops taken out on average, travel
weight, runs kept for undoing, positions until the next blink).
Not an engine: rostering.search.segments makes the arrays and reads the answer.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rostering.search.kernel.jit import compiled, inlined

Ints = np.ndarray[Any, np.dtype[np.int64]]
Shorts = np.ndarray[Any, np.dtype[np.int32]]
Number = Any
"""A whole number: Python's when called from Python, 64 bits once compiled."""

RUN, BEFORE, AFTER, START, LATE, SERVICE, LEG, LATEST, EARLIEST, LOAD, PENALTY, REMOTE, ABSENT_AT = range(13)
STOP_COLUMNS = 16
FIRST, LAST, CARRIED, SIZE, GROUP, IDLE_AT, MARK = range(7)
RUN_COLUMNS = 8
MODE, HOME, OPENS, CLOSES, CAPACITY, IDLE_FROM, IDLE_MANY = range(7)
GROUP_COLUMNS = 8
POINTS, ABSENT, MOVES, TAKEN, WEIGHT, KEPT, TO_BLINK = range(7)
FAR = 1 << 60
KEPT_RUN, KEPT_FROM, KEPT_LOAD = range(3)
KEPT_STOP, KEPT_START, KEPT_LATE, KEPT_LEG = range(4)


@inlined
def start_after(travel: Shorts, stops: Ints, groups: Ints, g: Number, p: Number, c: Number) -> Number:
    """Earliest start of stop c right after stop p (or after leaving home) in a run of group g."""
    if p < 0:
        there = groups[g, OPENS] + travel[groups[g, MODE], groups[g, HOME], c]
    else:
        there = stops[p, START] + stops[p, SERVICE] + travel[groups[g, MODE], p, c]
    return max(there, stops[c, EARLIEST])


@inlined
def late_before(travel: Shorts, stops: Ints, groups: Ints, g: Number, q: Number, c: Number) -> Number:
    """Latest start of stop c right before stop q (or before going home) in a run of group g."""
    if q < 0:
        end = groups[g, CLOSES] - travel[groups[g, MODE], c, groups[g, HOME]]
    else:
        end = stops[q, LATE] - travel[groups[g, MODE], c, q]
    return min(end - stops[c, SERVICE], stops[c, LATEST])


@inlined
def detour(travel: Shorts, groups: Ints, g: Number, p: Number, q: Number, c: Number) -> Number:
    """Travel that stop c adds between p and q (-1: home) in a run of group g; a run of nothing has no travel."""
    m, home = groups[g, MODE], groups[g, HOME]
    a = home if p < 0 else p
    b = home if q < 0 else q
    change = np.int64(travel[m, a, c]) + np.int64(travel[m, c, b])
    if p >= 0 or q >= 0:
        change -= travel[m, a, b]
    return change


@inlined
def points(
    travel: Shorts,
    stops: Ints,
    runs: Ints,
    groups: Ints,
    dear: Ints,
    weight: Number,
    r: Number,
    p: Number,
    q: Number,
    c: Number,
) -> Number:
    """Points of stop c between stops p and q of run r; FAR when a window, load or person forbids it.

    The leg from p to c is read from the turned travel, where c's row stays in the cache.
    """
    g, cost = runs[r, GROUP], FAR
    if runs[r, CARRIED] + stops[c, LOAD] <= groups[g, CAPACITY] and dear[g, c] < FAR:
        m, home = groups[g, MODE], groups[g, HOME]
        turned = m + travel.shape[0] // 2
        if p < 0:
            leg_in = np.int64(travel[turned, c, home])
            there = groups[g, OPENS] + leg_in
        else:
            leg_in = np.int64(travel[turned, c, p])
            there = stops[p, START] + stops[p, SERVICE] + leg_in
        start = max(there, stops[c, EARLIEST])
        if q < 0:
            leg_out = np.int64(travel[m, c, home])
            end = groups[g, CLOSES] - leg_out
        else:
            leg_out = np.int64(travel[m, c, q])
            end = stops[q, LATE] - leg_out
        if start <= stops[c, LATEST] and start + stops[c, SERVICE] <= end:
            saved = np.int64(0)
            if q >= 0:
                saved = stops[q, LEG]
            elif p >= 0:
                saved = np.int64(travel[turned, home, p])
            cost = dear[g, c] + (leg_in + leg_out - saved) * weight
    return cost


@compiled
def refresh(travel: Shorts, stops: Ints, groups: Ints, g: Number, c: Number) -> None:
    """Earliest starts from stop c to the end of its run and latest starts from c to its beginning, as far as they change."""
    at = c
    while at >= 0:
        start = start_after(travel, stops, groups, g, stops[at, BEFORE], at)
        if start == stops[at, START] and at != c:
            break
        stops[at, START] = start
        at = stops[at, AFTER]
    at = c
    while at >= 0:
        late = late_before(travel, stops, groups, g, stops[at, AFTER], at)
        if late == stops[at, LATE] and at != c:
            break
        stops[at, LATE] = late
        at = stops[at, BEFORE]


@inlined
def _idle_add(runs: Ints, groups: Ints, idle: Ints, r: Number) -> None:
    g = runs[r, GROUP]
    at = groups[g, IDLE_FROM] + groups[g, IDLE_MANY]
    idle[at] = r
    runs[r, IDLE_AT] = at
    groups[g, IDLE_MANY] += 1


@inlined
def _idle_drop(runs: Ints, groups: Ints, idle: Ints, r: Number) -> None:
    g = runs[r, GROUP]
    groups[g, IDLE_MANY] -= 1
    end = groups[g, IDLE_FROM] + groups[g, IDLE_MANY]
    other, at = idle[end], runs[r, IDLE_AT]
    idle[at] = other
    runs[other, IDLE_AT] = at
    idle[end] = r
    runs[r, IDLE_AT] = end


@compiled
def put(
    travel: Shorts,
    stops: Ints,
    runs: Ints,
    groups: Ints,
    dear: Ints,
    idle: Ints,
    absent: Ints,
    total: Ints,
    r: Number,
    p: Number,
    c: Number,
) -> None:
    """Stop c, which is absent, into run r right after stop p (-1: first)."""
    g = runs[r, GROUP]
    q = runs[r, FIRST] if p < 0 else stops[p, AFTER]
    total[POINTS] += detour(travel, groups, g, p, q, c) * total[WEIGHT] + dear[g, c] - stops[c, PENALTY]
    stops[c, RUN], stops[c, BEFORE], stops[c, AFTER] = r, p, q
    stops[c, LEG] = travel[groups[g, MODE], groups[g, HOME] if p < 0 else p, c]
    if p < 0:
        runs[r, FIRST] = c
    else:
        stops[p, AFTER] = c
    if q < 0:
        runs[r, LAST] = c
    else:
        stops[q, BEFORE] = c
        stops[q, LEG] = travel[groups[g, MODE], c, q]
    runs[r, CARRIED] += stops[c, LOAD]
    if runs[r, SIZE] == 0:
        _idle_drop(runs, groups, idle, r)
    runs[r, SIZE] += 1
    total[ABSENT] -= 1
    other, at = absent[total[ABSENT]], stops[c, ABSENT_AT]
    absent[at] = other
    stops[other, ABSENT_AT] = at
    refresh(travel, stops, groups, g, c)


@compiled
def take(
    travel: Shorts,
    stops: Ints,
    runs: Ints,
    groups: Ints,
    dear: Ints,
    idle: Ints,
    absent: Ints,
    total: Ints,
    c: Number,
) -> None:
    """Stop c out of its run; it is absent then."""
    r = stops[c, RUN]
    g = runs[r, GROUP]
    p, q = stops[c, BEFORE], stops[c, AFTER]
    total[POINTS] -= detour(travel, groups, g, p, q, c) * total[WEIGHT] + dear[g, c] - stops[c, PENALTY]
    stops[c, RUN] = -1
    if p < 0:
        runs[r, FIRST] = q
    else:
        stops[p, AFTER] = q
    if q < 0:
        runs[r, LAST] = p
    else:
        stops[q, BEFORE] = p
        stops[q, LEG] = travel[groups[g, MODE], groups[g, HOME] if p < 0 else p, q]
    runs[r, CARRIED] -= stops[c, LOAD]
    runs[r, SIZE] -= 1
    if runs[r, SIZE] == 0:
        _idle_add(runs, groups, idle, r)
    absent[total[ABSENT]] = c
    stops[c, ABSENT_AT] = total[ABSENT]
    total[ABSENT] += 1
    if q >= 0:
        refresh(travel, stops, groups, g, q)
    if p >= 0:
        refresh(travel, stops, groups, g, p)


@compiled
def keep(stops: Ints, runs: Ints, total: Ints, kept_runs: Ints, kept_stops: Ints, r: Number) -> None:
    """Notes run r as it stands, once a move."""
    if runs[r, MARK] == total[MOVES]:
        return
    runs[r, MARK] = total[MOVES]
    i = total[KEPT]
    kept_runs[i, KEPT_RUN] = r
    kept_runs[i, KEPT_LOAD] = runs[r, CARRIED]
    at = kept_runs[i, KEPT_FROM]
    c = runs[r, FIRST]
    while c >= 0:
        kept_stops[at, KEPT_STOP] = c
        kept_stops[at, KEPT_START] = stops[c, START]
        kept_stops[at, KEPT_LATE] = stops[c, LATE]
        kept_stops[at, KEPT_LEG] = stops[c, LEG]
        at += 1
        c = stops[c, AFTER]
    total[KEPT] = i + 1
    kept_runs[i + 1, KEPT_FROM] = at


@compiled
def restore(stops: Ints, runs: Ints, groups: Ints, idle: Ints, total: Ints, kept_runs: Ints, kept_stops: Ints) -> None:
    """Every noted run as it stood."""
    for i in range(total[KEPT]):
        c = runs[kept_runs[i, KEPT_RUN], FIRST]
        while c >= 0:
            stops[c, RUN] = -1
            c = stops[c, AFTER]
    for i in range(total[KEPT]):
        r = kept_runs[i, KEPT_RUN]
        was = runs[r, SIZE]
        low, high = kept_runs[i, KEPT_FROM], kept_runs[i + 1, KEPT_FROM]
        before = np.int64(-1)
        for at in range(low, high):
            c = kept_stops[at, KEPT_STOP]
            stops[c, RUN], stops[c, BEFORE] = r, before
            stops[c, START], stops[c, LATE] = kept_stops[at, KEPT_START], kept_stops[at, KEPT_LATE]
            stops[c, LEG] = kept_stops[at, KEPT_LEG]
            stops[c, AFTER] = kept_stops[at + 1, KEPT_STOP] if at + 1 < high else -1
            before = c
        runs[r, FIRST] = kept_stops[low, KEPT_STOP] if high > low else -1
        runs[r, LAST] = before
        runs[r, CARRIED] = kept_runs[i, KEPT_LOAD]
        runs[r, SIZE] = high - low
        if was == 0 and high > low:
            _idle_drop(runs, groups, idle, r)
        if was > 0 and high == low:
            _idle_add(runs, groups, idle, r)


@compiled
def put_last(
    travel: Shorts,
    stops: Ints,
    runs: Ints,
    groups: Ints,
    dear: Ints,
    idle: Ints,
    absent: Ints,
    total: Ints,
    r: Number,
    c: Number,
) -> bool:
    """Stop c, which is absent, at the end of run r, if it may be there."""
    p = runs[r, LAST]
    if points(travel, stops, runs, groups, dear, total[WEIGHT], r, p, -1, c) >= FAR:
        return False
    put(travel, stops, runs, groups, dear, idle, absent, total, r, p, c)
    return True
