"""Kernel of the unified search: the longest idle time, and the mean of several that stands for it while all is hot.

Where many are as idle as the idlest, no one move makes the longest idle time shorter, so that its price alone leads
nowhere. The mean of the k longest is shortened by each of them, and it is the longest itself once k is 1.
"""

from __future__ import annotations

from rostering.search.kernel.jit import inner
from rostering.search.unified_state import ABOVE, AMONG, IDLE, LEVEL, State, Tables


@inner
def longest_idle(tables: Tables, state: State) -> int:
    """The longest idle time."""
    longest = 0
    for w in range(tables.workers.shape[1]):
        longest = max(longest, state.table[IDLE, w])
    return longest


@inner
def level_off(tables: Tables, state: State) -> None:
    """LEVEL becomes the idle time of the last of the AMONG idlest, so that with ABOVE it gives their mean exactly."""
    people = tables.workers.shape[1]
    low, high = -1, longest_idle(tables, state)
    while high - low > 1:
        middle = (low + high) // 2
        above = 0
        for w in range(people):
            above += state.table[IDLE, w] > middle
        if above >= state.totals[AMONG]:
            low = middle
        else:
            high = middle
    total = 0
    for w in range(people):
        total += max(0, state.table[IDLE, w] - high)
    state.totals[LEVEL] = high
    state.totals[ABOVE] = total
