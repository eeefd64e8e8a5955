"""The changes that the linked search tries: each draws one at random and makes its steps; it does not judge them.

Every move answers whether it made any step (False: what it drew makes no sense). New order keys lie between those of
the stops before and after, so that keys rise along every run.
"""

from __future__ import annotations

from rostering.search.kernel.chance import Words, below, share
from rostering.search.kernel.jit import folded, inner
from rostering.search.kernel.links import AFTER, BEFORE, RUN
from rostering.search.linked_state import (
    EXTRA,
    LATE,
    WORST,
    Journal,
    State,
    exchange,
    larger,
    leave_out,
    leg_between,
    order,
    put,
    put_by_key,
    take,
)
from rostering.search.linked_tables import (
    ABLE_COUNT,
    ANY_COST,
    COST,
    PENALTY,
    PER_LATE,
    PER_TRAVEL,
    PER_WORST,
    SLOTS,
    Tables,
)

SEGMENT_MAX = 4
EDGE = 2.0


@folded
def is_out(state: State, v: int) -> bool:
    """Whether visit `v` is in no run."""
    return state.stop[8 * v + RUN] < 0  # type: ignore[no-any-return]


@folded
def a_stop(tables: Tables, words: Words, v: int) -> int:
    """One of the visit's stops."""
    return 2 * v + (below(words, 2) if tables.visit[8 * v + SLOTS] == 2 else 0)


@folded
def a_near(tables: Tables, words: Words, v: int) -> int:
    """One of the visits near `v`."""
    return tables.near[v, below(words, tables.near.shape[1])]  # type: ignore[no-any-return]


@folded
def _a_run(tables: Tables, words: Words, t: int) -> int:
    """One of the runs that may take stop `t`."""
    return tables.listed[t, COST + tables.able.shape[1] + below(words, tables.listed[t, ABLE_COUNT])]  # type: ignore[no-any-return]


@folded
def _between(words: Words, lo: float, hi: float) -> float:
    return lo + (hi - lo) * (0.001 + 0.998 * share(words))


@folded
def _key_beside(state: State, words: Words, v: int, t: int) -> float:
    """A key just before or just after stop `t` of another visit, where no other stop of its run but `v`'s is between."""
    stop, key = state.stop, state.key
    here = key[t >> 1]
    if share(words) < 0.5:
        q = stop[4 * t + AFTER]
        if q >= 0 and q >> 1 == v:
            q = stop[4 * q + AFTER]
        return _between(words, here, key[q >> 1] if q >= 0 else here + EDGE)
    p = stop[4 * t + BEFORE]
    if p >= 0 and p >> 1 == v:
        p = stop[4 * p + BEFORE]
    return _between(words, key[p >> 1] if p >= 0 else here - EDGE, here)


@folded
def _replace(tables: Tables, state: State, journal: Journal, v: int, key: float, r: int, s: int) -> bool:
    """Visit `v` at `key` in run `r`, and its second stop in run `s`."""
    if is_out(state, v):
        journal.sums[EXTRA] -= tables.listed[2 * v, PENALTY]
    else:
        take(tables, state, journal, 2 * v)
        if tables.visit[8 * v + SLOTS] == 2:
            take(tables, state, journal, 2 * v + 1)
    if key != state.key[v]:
        order(state, journal, v, key)
    put_by_key(tables, state, journal, 2 * v, r)
    if tables.visit[8 * v + SLOTS] == 2:
        put_by_key(tables, state, journal, 2 * v + 1, s)
    return True


@folded
def _too_far(tables: Tables, state: State, v: int, u: int, bound: float) -> bool:
    """Whether one-slot visit `v`, before or after stop `u` of another run, costs too much whatever lateness does."""
    stop = state.stop
    t, r, s = 2 * v, stop[8 * v + RUN], stop[4 * u + RUN]
    if s == r or tables.run[ANY_COST] != 0:
        return False
    p, q = stop[4 * t + BEFORE], stop[4 * t + AFTER]
    saved = leg_between(tables, r, p, t) + leg_between(tables, r, t, q) - leg_between(tables, r, p, q)
    p, q = stop[4 * u + BEFORE], stop[4 * u + AFTER]
    before = leg_between(tables, s, p, t) + leg_between(tables, s, t, u) - leg_between(tables, s, p, u)
    after = leg_between(tables, s, u, t) + leg_between(tables, s, t, q) - leg_between(tables, s, u, q)
    gain = tables.run[PER_LATE] * state.sums[LATE] + tables.run[PER_WORST] * state.sums[WORST]
    return tables.run[PER_TRAVEL] * (-larger(-before, -after) - saved) - gain >= bound  # type: ignore[no-any-return]


@folded
def beside(tables: Tables, state: State, journal: Journal, words: Words, v: int, bound: float) -> bool:
    """Visit `v` goes beside a near visit, in its run; the second worker stays, or comes from near too."""
    u = a_near(tables, words, v)
    if u == v or (is_out(state, u) and not is_out(state, v)):
        return False
    if is_out(state, u) or (is_out(state, v) and share(words) < 0.2):
        return anywhere(tables, state, journal, words, v)
    t = a_stop(tables, words, u)
    r = state.stop[4 * t + RUN]
    k = below(words, 2) if tables.visit[8 * v + SLOTS] == 2 else 0
    if not tables.able[2 * v + k, r] and tables.visit[8 * v + SLOTS] == 2:
        k = 1 - k
    if not tables.able[2 * v + k, r] or (
        tables.visit[8 * v + SLOTS] == 1 and not is_out(state, v) and _too_far(tables, state, v, t, bound)
    ):
        return False
    other = _other_run(tables, state, words, v, k, r) if tables.visit[8 * v + SLOTS] == 2 else r
    if other < 0:
        return False
    return _replace(tables, state, journal, v, _key_beside(state, words, v, t), other if k else r, r if k else other)


@folded
def _other_run(tables: Tables, state: State, words: Words, v: int, k: int, r: int) -> int:
    """A run for the visit's other stop when stop `k` goes to run `r`: as it was, changed over, or from near; or -1."""
    t = 2 * v + 1 - k
    other = state.stop[4 * t + RUN]
    if other == r or is_out(state, v) or share(words) < 0.3:
        if other == r and not is_out(state, v) and share(words) < 0.5:
            other = state.stop[4 * (2 * v + k) + RUN]
        elif share(words) < 0.7:
            u = a_near(tables, words, v)
            if is_out(state, u):
                return -1
            other = state.stop[4 * (a_stop(tables, words, u)) + RUN]
        else:
            other = _a_run(tables, words, t)
    if other == r or other < 0 or not tables.able[t, other]:
        return -1
    return other  # type: ignore[no-any-return]


@inner
def anywhere(tables: Tables, state: State, journal: Journal, words: Words, v: int) -> bool:
    """Visit `v`, or one stop of it, goes to any run that may take it, and perhaps elsewhere in the order."""
    stop = state.stop
    k = below(words, tables.visit[8 * v + SLOTS])
    r = _a_run(tables, words, 2 * v + k)
    s = -1
    if tables.visit[8 * v + SLOTS] == 2:
        s = _a_run(tables, words, 2 * v + 1 - k) if is_out(state, v) else stop[4 * (2 * v + 1 - k) + RUN]
        if r == s:
            if is_out(state, v):
                return False
            s = stop[4 * (2 * v + k) + RUN]
            if r == s or not tables.able[2 * v + 1 - k, s]:
                return False
    key = state.key[v]
    if share(words) < 0.5:
        key += (share(words) - 0.5) * len(state.key) * 0.1
    elif not is_out(state, v) and r == stop[4 * (2 * v + k) + RUN]:
        return False
    return _replace(tables, state, journal, v, key, s if k else r, r if k else s)


@inner
def sooner_or_later(tables: Tables, state: State, journal: Journal, words: Words, v: int) -> bool:
    """Visit `v` goes past the stop before or after it in one of its runs."""
    if is_out(state, v):
        return False
    stop, key = state.stop, state.key
    t = a_stop(tables, words, v)
    if share(words) < 0.5:
        q = stop[4 * t + AFTER]
        if q < 0:
            return False
        beyond = stop[4 * q + AFTER]
        lo = key[q >> 1]
        hi = key[beyond >> 1] if beyond >= 0 else lo + EDGE
    else:
        p = stop[4 * t + BEFORE]
        if p < 0:
            return False
        beyond = stop[4 * p + BEFORE]
        hi = key[p >> 1]
        lo = key[beyond >> 1] if beyond >= 0 else hi - EDGE
    new = _between(words, lo, hi)
    return _replace(tables, state, journal, v, new, stop[8 * v + RUN], stop[4 * (2 * v + 1) + RUN])


@inner
def change_places(tables: Tables, state: State, journal: Journal, words: Words, v: int) -> bool:
    """Visit `v` and a near one with as many slots change places: runs and order."""
    u = a_near(tables, words, v)
    if u == v or is_out(state, u) or is_out(state, v) or tables.visit[8 * u + SLOTS] != tables.visit[8 * v + SLOTS]:
        return False
    stop = state.stop
    for k in range(tables.visit[8 * v + SLOTS]):
        if (
            not tables.able[2 * v + k, stop[4 * (2 * u + k) + RUN]]
            or not tables.able[2 * u + k, stop[4 * (2 * v + k) + RUN]]
        ):
            return False
    key_v, key_u = state.key[v], state.key[u]
    runs_v = (stop[8 * v + RUN], stop[4 * (2 * v + 1) + RUN])
    runs_u = (stop[8 * u + RUN], stop[4 * (2 * u + 1) + RUN])
    for k in range(tables.visit[8 * v + SLOTS]):
        take(tables, state, journal, 2 * v + k)
        take(tables, state, journal, 2 * u + k)
    order(state, journal, v, key_u)
    order(state, journal, u, key_v)
    for k in range(tables.visit[8 * v + SLOTS]):
        put_by_key(tables, state, journal, 2 * v + k, runs_u[1] if k else runs_u[0])
        put_by_key(tables, state, journal, 2 * u + k, runs_v[1] if k else runs_v[0])
    return True


@inner
def change_workers(tables: Tables, state: State, journal: Journal, words: Words, v: int) -> bool:
    """A stop of visit `v` and one of a near visit change workers; each visit keeps its place in the order."""
    u = a_near(tables, words, v)
    if u == v or is_out(state, u) or is_out(state, v):
        return False
    stop = state.stop
    t, other = a_stop(tables, words, v), a_stop(tables, words, u)
    r, s = stop[4 * t + RUN], stop[4 * other + RUN]
    if r == s or not tables.able[t, s] or not tables.able[other, r]:
        return False
    if stop[4 * (t ^ 1) + RUN] == s or stop[4 * (other ^ 1) + RUN] == r:
        return False
    take(tables, state, journal, t)
    take(tables, state, journal, other)
    put_by_key(tables, state, journal, t, s)
    put_by_key(tables, state, journal, other, r)
    return True


@inner
def _may_follow(tables: Tables, state: State, t: int, r: int) -> bool:
    """Whether stop `t` and all after it may be in run `r`."""
    stop = state.stop
    while t >= 0:
        if not tables.able[t, r] or (tables.visit[8 * (t >> 1) + SLOTS] == 2 and stop[4 * (t ^ 1) + RUN] == r):
            return False
        t = stop[4 * t + AFTER]
    return True


@inner
def ends_change(tables: Tables, state: State, journal: Journal, words: Words, v: int) -> bool:
    """What follows a stop of `v` changes places with a near visit's stop and what follows it."""
    u = a_near(tables, words, v)
    if u == v or is_out(state, u) or is_out(state, v) or state.key[u] <= state.key[v]:
        return False
    stop, key = state.stop, state.key
    t = a_stop(tables, words, v)
    head = a_stop(tables, words, u)
    r, s = stop[4 * t + RUN], stop[4 * head + RUN]
    if r == s:
        return False
    q, p = stop[4 * t + AFTER], stop[4 * head + BEFORE]
    if p >= 0 and q >= 0 and key[p >> 1] >= key[q >> 1]:
        return False
    if not _may_follow(tables, state, q, s) or not _may_follow(tables, state, head, r):
        return False
    exchange(tables, state, journal, r, t, s, p)
    return True


@inner
def segment(tables: Tables, state: State, journal: Journal, words: Words, v: int) -> bool:
    """A stop of `v` and some after it, all of one slot, go before or after a stop of a near visit in another run."""
    u = a_near(tables, words, v)
    if u == v or is_out(state, u) or is_out(state, v):
        return False
    stop, key = state.stop, state.key
    t = a_stop(tables, words, v)
    beside_stop = a_stop(tables, words, u)
    r = stop[4 * beside_stop + RUN]
    length = 2 + below(words, SEGMENT_MAX - 1)
    if r == stop[4 * t + RUN]:
        return False
    p, q = beside_stop, stop[4 * beside_stop + AFTER]
    if share(words) < 0.5:
        p, q = stop[4 * beside_stop + BEFORE], beside_stop
    lo = key[p >> 1] if p >= 0 else key[q >> 1] - EDGE
    hi = key[q >> 1] if q >= 0 else lo + EDGE
    end = t
    for i in range(length):
        if not tables.able[end, r]:
            return False
        if tables.visit[8 * (end >> 1) + SLOTS] == 2 and not (
            lo < key[end >> 1] < hi and stop[4 * (end ^ 1) + RUN] != r
        ):
            return False
        if i == length - 1 or stop[4 * end + AFTER] < 0:
            break
        end = stop[4 * end + AFTER]
    return _moved_segment(tables, state, journal, words, t, end, r, p, lo, hi)


@inner
def _moved_segment(
    tables: Tables,
    state: State,
    journal: Journal,
    words: Words,
    t: int,
    end: int,
    r: int,
    p: int,
    lo: float,
    hi: float,
) -> bool:
    """Stops `t` to `end` after stop `p` of run `r`; keys that are not between `lo` and `hi` in order change.

    False where no number is left between two keys: the order of keys would no longer be that of the run.
    """
    while True:
        following = state.stop[4 * t + AFTER]
        v = t >> 1
        last = t == end
        take(tables, state, journal, t)
        if not lo < state.key[v] < hi:
            if tables.visit[8 * v + SLOTS] == 2:
                return False
            within = _between(words, lo, lo + (hi - lo) * 0.5)
            if not lo < within < hi:
                return False
            order(state, journal, v, within)
        lo = state.key[v]
        put(tables, state, journal, t, r, p)
        p = t
        if last:
            return True
        t = following


@inner
def give_up(tables: Tables, state: State, journal: Journal, v: int) -> bool:
    """Visit `v` is left out."""
    if is_out(state, v):
        return False
    take(tables, state, journal, 2 * v)
    if tables.visit[8 * v + SLOTS] == 2:
        take(tables, state, journal, 2 * v + 1)
    leave_out(tables, state, journal, v)
    return True
