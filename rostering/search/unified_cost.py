"""Kernel of the unified search: what a state costs; of the idle times, the mean of several stands for the longest at first.

Where many are as idle as the idlest, no one move makes the longest idle time shorter, so that its price alone leads
nowhere. The mean of the k longest is shortened by each of them, and it is the longest itself once k is 1.
"""

from __future__ import annotations

from rostering.search.kernel.heap import Ints
from rostering.search.kernel.jit import folded, inner
from rostering.search.unified_rows import (
    ABOVE,
    AMONG,
    BROKEN,
    DISLIKED,
    IDLE,
    LATE,
    LATENESS,
    LATEST,
    LEVEL,
    MEALS,
    OVERTIME,
    PEOPLE,
    TAIL_WAIT,
    TRAVEL,
    UNFILLED,
    W_BALANCE,
    W_BROKEN,
    W_IDLE,
    W_LATE,
    W_LATE_WORST,
    W_OVER,
    W_TRAVEL,
    W_WAIT_WORST,
    W_WAITING,
    WAIT,
    WAITING,
    WORK,
    State,
    Tables,
)


@inner
def longest_idle(tables: Tables, state: State) -> int:
    """The longest idle time."""
    longest = 0
    for w in range(tables.numbers[PEOPLE]):
        longest = max(longest, state.table[16 * ~w + IDLE])
    return longest


@inner
def level_off(tables: Tables, state: State) -> None:
    """LEVEL becomes the idle time of the last of the AMONG idlest, so that with ABOVE it gives their mean exactly."""
    people = tables.numbers[PEOPLE]
    low, high = -1, longest_idle(tables, state)
    while high - low > 1:
        middle = (low + high) // 2
        above = 0
        for w in range(people):
            above += state.table[16 * ~w + IDLE] > middle
        if above >= state.totals[AMONG]:
            low = middle
        else:
            high = middle
    total = 0
    for w in range(people):
        total += max(0, state.table[16 * ~w + IDLE] - high)
    state.totals[LEVEL] = high
    state.totals[ABOVE] = total


@folded
def idleness(tables: Tables, totals: Ints) -> int:
    """What the mean of the AMONG longest idle times costs: of the longest alone when AMONG is 1."""
    return tables.numbers[W_IDLE] * totals[LEVEL] + tables.numbers[W_IDLE] * totals[ABOVE] // totals[AMONG]  # type: ignore[no-any-return]


@folded
def additive(tables: Tables, totals: Ints) -> int:
    """The part of the cost that is a sum over tasks and workers."""
    weights = tables.numbers
    return (  # type: ignore[no-any-return]
        weights[W_TRAVEL] * totals[TRAVEL]
        + weights[W_WAITING] * totals[WAITING]
        + weights[W_LATE] * totals[LATENESS]
        + weights[W_OVER] * totals[OVERTIME]
        + weights[W_BROKEN] * totals[BROKEN]
        + totals[MEALS]
        + totals[DISLIKED]
        + totals[UNFILLED]
        + idleness(tables, totals)
    )


@inner
def worst(tables: Tables, state: State) -> int:
    """The part of the cost that looks at everyone: the latest start, longest wait, and balance."""
    table, weights = state.table, tables.numbers
    tasks, people = 2 * len(state.key), tables.numbers[PEOPLE]
    cost = 0
    if weights[W_LATE_WORST] > 0:
        if state.totals[LATEST] < 0:
            latest = 0
            for t in range(tasks):
                latest = max(latest, table[16 * t + LATE])
            state.totals[LATEST] = latest
        cost += weights[W_LATE_WORST] * state.totals[LATEST]
    if weights[W_WAIT_WORST] > 0:
        longest = 0
        for t in range(tasks):
            longest = max(longest, table[16 * t + WAIT])
        for w in range(people):
            longest = max(longest, table[16 * ~w + TAIL_WAIT])
        cost += weights[W_WAIT_WORST] * longest
    if weights[W_BALANCE] > 0:
        total = 0
        for w in range(people):
            total += table[16 * ~w + WORK]
        uneven = 0
        for w in range(people):
            uneven += -((-abs(table[16 * ~w + WORK] * people - total)) // people)
        cost += weights[W_BALANCE] * uneven
    return cost
