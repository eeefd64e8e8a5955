"""The changes that the linked search tries: each draws one at random and makes its steps; it does not judge them.

Every move answers whether it made any step (False: what it drew makes no sense). New order keys lie between those of
the stops before and after, so that keys rise along every run.
"""

from __future__ import annotations

from rostering.search.kernel.chance import Words, below, share
from rostering.search.kernel.jit import folded, inner
from rostering.search.linked_state import (
    Journal,
    State,
    exchange,
    leave_out,
    leg_between,
    let_in,
    order,
    put,
    put_by_key,
    take,
)
from rostering.search.linked_tables import Tables

SEGMENT_MAX = 4
EDGE = 2.0


@folded
def a_stop(tables: Tables, words: Words, v: int) -> int:
    """One of the visit's stops."""
    return 2 * v + (below(words, 2) if tables.slots[v] == 2 else 0)


@folded
def a_near(tables: Tables, words: Words, v: int) -> int:
    """One of the visits near `v`."""
    return tables.near[v, below(words, tables.near.shape[1])]  # type: ignore[no-any-return]


@folded
def _a_run(tables: Tables, words: Words, t: int) -> int:
    """One of the runs that may take stop `t`."""
    first = tables.able_from[t]
    return tables.able_runs[first + below(words, tables.able_from[t + 1] - first)]  # type: ignore[no-any-return]


@folded
def _between(words: Words, lo: float, hi: float) -> float:
    return lo + (hi - lo) * (0.001 + 0.998 * share(words))


@folded
def _key_beside(state: State, words: Words, v: int, t: int) -> float:
    """A key just before or just after stop `t` of another visit, where no other stop of its run but `v`'s is between."""
    links, key = state.links, state.key
    here = key[t >> 1]
    if share(words) < 0.5:
        q = links.after[t]
        if q >= 0 and q >> 1 == v:
            q = links.after[q]
        return _between(words, here, key[q >> 1] if q >= 0 else here + EDGE)
    p = links.before[t]
    if p >= 0 and p >> 1 == v:
        p = links.before[p]
    return _between(words, key[p >> 1] if p >= 0 else here - EDGE, here)


@folded
def _replace(tables: Tables, state: State, journal: Journal, v: int, key: float, r: int, s: int) -> bool:
    """Visit `v` at `key` in run `r`, and its second stop in run `s`."""
    if state.out[v]:
        let_in(tables, state, journal, v)
    else:
        take(tables, state, journal, 2 * v)
        if tables.slots[v] == 2:
            take(tables, state, journal, 2 * v + 1)
    if key != state.key[v]:
        order(state, journal, v, key)
    put_by_key(tables, state, journal, 2 * v, r)
    if tables.slots[v] == 2:
        put_by_key(tables, state, journal, 2 * v + 1, s)
    return True


@folded
def _too_far(tables: Tables, state: State, v: int, u: int, bound: float) -> bool:
    """Whether one-slot visit `v`, before or after stop `u` of another run, costs too much whatever lateness does."""
    links = state.links
    t, r, s = 2 * v, links.run_of[2 * v], links.run_of[u]
    if s == r or tables.weights[3] != 0:
        return False
    p, q = links.before[t], links.after[t]
    saved = leg_between(tables, r, p, t) + leg_between(tables, r, t, q) - leg_between(tables, r, p, q)
    p, q = links.before[u], links.after[u]
    before = leg_between(tables, s, p, t) + leg_between(tables, s, t, u) - leg_between(tables, s, p, u)
    after = leg_between(tables, s, u, t) + leg_between(tables, s, t, q) - leg_between(tables, s, u, q)
    gain = tables.weights[1] * state.sums[1] + tables.weights[2] * state.sums[2]
    return tables.weights[0] * (min(before, after) - saved) - gain >= bound  # type: ignore[no-any-return]


@folded
def beside(tables: Tables, state: State, journal: Journal, words: Words, v: int, bound: float) -> bool:
    """Visit `v` goes beside a near visit, in its run; the second worker stays, or comes from near too."""
    u = a_near(tables, words, v)
    if u == v or (state.out[u] and not state.out[v]):
        return False
    if state.out[u] or (state.out[v] and share(words) < 0.2):
        return anywhere(tables, state, journal, words, v)
    t = a_stop(tables, words, u)
    r = state.links.run_of[t]
    k = below(words, 2) if tables.slots[v] == 2 else 0
    if not tables.able[2 * v + k, r] and tables.slots[v] == 2:
        k = 1 - k
    if not tables.able[2 * v + k, r] or (
        tables.slots[v] == 1 and not state.out[v] and _too_far(tables, state, v, t, bound)
    ):
        return False
    other = _other_run(tables, state, words, v, k, r) if tables.slots[v] == 2 else r
    if other < 0:
        return False
    return _replace(tables, state, journal, v, _key_beside(state, words, v, t), other if k else r, r if k else other)


@folded
def _other_run(tables: Tables, state: State, words: Words, v: int, k: int, r: int) -> int:
    """A run for the visit's other stop when stop `k` goes to run `r`: as it was, changed over, or from near; or -1."""
    t = 2 * v + 1 - k
    other = state.links.run_of[t]
    if other == r or state.out[v] or share(words) < 0.3:
        if other == r and not state.out[v] and share(words) < 0.5:
            other = state.links.run_of[2 * v + k]
        elif share(words) < 0.7:
            u = a_near(tables, words, v)
            if state.out[u]:
                return -1
            other = state.links.run_of[a_stop(tables, words, u)]
        else:
            other = _a_run(tables, words, t)
    if other == r or other < 0 or not tables.able[t, other]:
        return -1
    return other  # type: ignore[no-any-return]


@inner
def anywhere(tables: Tables, state: State, journal: Journal, words: Words, v: int) -> bool:
    """Visit `v`, or one stop of it, goes to any run that may take it, and perhaps elsewhere in the order."""
    links = state.links
    k = below(words, tables.slots[v])
    r = _a_run(tables, words, 2 * v + k)
    s = -1
    if tables.slots[v] == 2:
        s = _a_run(tables, words, 2 * v + 1 - k) if state.out[v] else links.run_of[2 * v + 1 - k]
        if r == s:
            if state.out[v]:
                return False
            s = links.run_of[2 * v + k]
            if r == s or not tables.able[2 * v + 1 - k, s]:
                return False
    key = state.key[v]
    if share(words) < 0.5:
        key += (share(words) - 0.5) * len(state.key) * 0.1
    elif not state.out[v] and r == links.run_of[2 * v + k]:
        return False
    return _replace(tables, state, journal, v, key, s if k else r, r if k else s)


@inner
def sooner_or_later(tables: Tables, state: State, journal: Journal, words: Words, v: int) -> bool:
    """Visit `v` goes past the stop before or after it in one of its runs."""
    if state.out[v]:
        return False
    links, key = state.links, state.key
    t = a_stop(tables, words, v)
    if share(words) < 0.5:
        q = links.after[t]
        if q < 0:
            return False
        beyond = links.after[q]
        lo = key[q >> 1]
        hi = key[beyond >> 1] if beyond >= 0 else lo + EDGE
    else:
        p = links.before[t]
        if p < 0:
            return False
        beyond = links.before[p]
        hi = key[p >> 1]
        lo = key[beyond >> 1] if beyond >= 0 else hi - EDGE
    new = _between(words, lo, hi)
    return _replace(tables, state, journal, v, new, links.run_of[2 * v], links.run_of[2 * v + 1])


@inner
def change_places(tables: Tables, state: State, journal: Journal, words: Words, v: int) -> bool:
    """Visit `v` and a near one with as many slots change places: runs and order."""
    u = a_near(tables, words, v)
    if u == v or state.out[u] or state.out[v] or tables.slots[u] != tables.slots[v]:
        return False
    links = state.links
    for k in range(tables.slots[v]):
        if not tables.able[2 * v + k, links.run_of[2 * u + k]] or not tables.able[2 * u + k, links.run_of[2 * v + k]]:
            return False
    key_v, key_u = state.key[v], state.key[u]
    runs_v = (links.run_of[2 * v], links.run_of[2 * v + 1])
    runs_u = (links.run_of[2 * u], links.run_of[2 * u + 1])
    for k in range(tables.slots[v]):
        take(tables, state, journal, 2 * v + k)
        take(tables, state, journal, 2 * u + k)
    order(state, journal, v, key_u)
    order(state, journal, u, key_v)
    for k in range(tables.slots[v]):
        put_by_key(tables, state, journal, 2 * v + k, runs_u[1] if k else runs_u[0])
        put_by_key(tables, state, journal, 2 * u + k, runs_v[1] if k else runs_v[0])
    return True


@inner
def change_workers(tables: Tables, state: State, journal: Journal, words: Words, v: int) -> bool:
    """A stop of visit `v` and one of a near visit change workers; each visit keeps its place in the order."""
    u = a_near(tables, words, v)
    if u == v or state.out[u] or state.out[v]:
        return False
    links = state.links
    t, other = a_stop(tables, words, v), a_stop(tables, words, u)
    r, s = links.run_of[t], links.run_of[other]
    if r == s or not tables.able[t, s] or not tables.able[other, r]:
        return False
    if links.run_of[t ^ 1] == s or links.run_of[other ^ 1] == r:
        return False
    take(tables, state, journal, t)
    take(tables, state, journal, other)
    put_by_key(tables, state, journal, t, s)
    put_by_key(tables, state, journal, other, r)
    return True


@inner
def _may_follow(tables: Tables, state: State, t: int, r: int) -> bool:
    """Whether stop `t` and all after it may be in run `r`."""
    links = state.links
    while t >= 0:
        if not tables.able[t, r] or (tables.slots[t >> 1] == 2 and links.run_of[t ^ 1] == r):
            return False
        t = links.after[t]
    return True


@inner
def ends_change(tables: Tables, state: State, journal: Journal, words: Words, v: int) -> bool:
    """What follows a stop of `v` changes places with a near visit's stop and what follows it."""
    u = a_near(tables, words, v)
    if u == v or state.out[u] or state.out[v] or state.key[u] <= state.key[v]:
        return False
    links, key = state.links, state.key
    t = a_stop(tables, words, v)
    head = a_stop(tables, words, u)
    r, s = links.run_of[t], links.run_of[head]
    if r == s:
        return False
    q, p = links.after[t], links.before[head]
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
    if u == v or state.out[u] or state.out[v]:
        return False
    links, key = state.links, state.key
    t = a_stop(tables, words, v)
    beside_stop = a_stop(tables, words, u)
    r = links.run_of[beside_stop]
    length = 2 + below(words, SEGMENT_MAX - 1)
    if r == links.run_of[t]:
        return False
    p, q = beside_stop, links.after[beside_stop]
    if share(words) < 0.5:
        p, q = links.before[beside_stop], beside_stop
    lo = key[p >> 1] if p >= 0 else key[q >> 1] - EDGE
    hi = key[q >> 1] if q >= 0 else lo + EDGE
    end = t
    for i in range(length):
        if not tables.able[end, r]:
            return False
        if tables.slots[end >> 1] == 2 and not (lo < key[end >> 1] < hi and links.run_of[end ^ 1] != r):
            return False
        if i == length - 1 or links.after[end] < 0:
            break
        end = links.after[end]
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
    """Stops `t` to `end` after stop `p` of run `r`; keys that are not between `lo` and `hi` in order change."""
    while True:
        following = state.links.after[t]
        v = t >> 1
        last = t == end
        take(tables, state, journal, t)
        if not lo < state.key[v] < hi:
            if tables.slots[v] == 2:
                return False
            order(state, journal, v, _between(words, lo, lo + (hi - lo) * 0.5))
        lo = state.key[v]
        put(tables, state, journal, t, r, p)
        p = t
        if last:
            return True
        t = following


@inner
def give_up(tables: Tables, state: State, journal: Journal, v: int) -> bool:
    """Visit `v` is left out."""
    if state.out[v]:
        return False
    take(tables, state, journal, 2 * v)
    if tables.slots[v] == 2:
        take(tables, state, journal, 2 * v + 1)
    leave_out(tables, state, journal, v)
    return True
