"""Kernel of the unified search: where a visit might go, and who might do it. It changes nothing but the random numbers."""

from __future__ import annotations

from rostering.search.kernel.chance import Words, below, share
from rostering.search.kernel.jit import folded, inner
from rostering.search.unified_rows import AFTER, BEFORE, CHOICES, NEAR, NEARS, NONE, OUT, PAIR, WHO, State, Tables
from rostering.search.unified_state import dislike


@folded
def random_task(tables: Tables, words: Words, v: int) -> int:
    """One of a node's tasks."""
    return 2 * v + (below(words, 2) if tables.rows[32 * v + PAIR] else 0)


@folded
def choice(tables: Tables, words: Words, t: int) -> int:
    """A worker who may do task `t`, or NONE."""
    first = tables.rows[16 * t + CHOICES]
    many = tables.numbers[first]
    return NONE if many == 0 else tables.numbers[first + 1 + below(words, many)]


@folded
def neighbour(tables: Tables, words: Words, v: int) -> int:
    """A node that is near node `v` in place and time; `v` itself where there is none."""
    return tables.numbers[tables.rows[32 * v + NEAR] + below(words, tables.numbers[NEARS])]  # type: ignore[no-any-return]


@inner
def beside(state: State, words: Words, v: int, t: int) -> float:
    """A key just before or just after task `t`, between it and the task before or after it that is not of node `v`."""
    table, key = state.table, state.key
    here = key[t >> 1]
    if below(words, 2):
        q = table[16 * t + AFTER]
        if q >= 0 and q >> 1 == v:
            q = table[16 * q + AFTER]
        beyond = key[q >> 1] if q >= 0 else here + 2.0
    else:
        q = table[16 * t + BEFORE]
        if q >= 0 and q >> 1 == v:
            q = table[16 * q + BEFORE]
        beyond = key[q >> 1] if q >= 0 else here - 2.0
    return here + (beyond - here) * (0.001 + 0.998 * share(words))  # type: ignore[no-any-return]


@inner
def target(tables: Tables, state: State, words: Words, v: int) -> tuple[bool, float, int, int]:
    """(found, key, worker, second worker): a place beside a neighbour of node `v`, with a partner for a pair."""
    table = state.table
    u = neighbour(tables, words, v)
    k = below(words, 2) if tables.rows[32 * v + PAIR] else 0
    if u == v or table[32 * u + OUT]:
        return False, 0.0, NONE, NONE
    beside_task = random_task(tables, words, u)
    w = table[16 * beside_task + WHO]
    if dislike(tables, 2 * v + k, w) < 0:
        if not tables.rows[32 * v + PAIR] or dislike(tables, 2 * v + 1 - k, w) < 0:
            return False, 0.0, NONE, NONE
        k = 1 - k
    where = beside(state, words, v, beside_task)
    if not tables.rows[32 * v + PAIR]:
        return True, where, w, NONE
    other = table[16 * (2 * v + 1 - k) + WHO]
    if other == w or other < 0 or share(words) < 0.3:
        swapped = table[16 * (2 * v + k) + WHO]
        if other == w and swapped >= 0 and share(words) < 0.5:
            other = swapped
        elif share(words) < 0.7:
            u = neighbour(tables, words, v)
            if table[32 * u + OUT]:
                return False, 0.0, NONE, NONE
            other = table[16 * random_task(tables, words, u) + WHO]
        else:
            other = choice(tables, words, 2 * v + 1 - k)
    if other == w or other < 0 or dislike(tables, 2 * v + 1 - k, other) < 0:
        return False, 0.0, NONE, NONE
    return (True, where, w, other) if k == 0 else (True, where, other, w)
