"""The linked search's state made anew from its visits' order and runs: what every change to it must agree with."""

from __future__ import annotations

import numpy as np

from rostering.search.kernel.jit import compiled
from rostering.search.kernel.links import NONE, put_after
from rostering.search.linked_state import EXTRA, LATE, NEVER, TRAVEL, WORST, State, leg_between, starts_of, worst_of
from rostering.search.linked_tables import Tables


@compiled
def rebuilt(tables: Tables, state: State) -> int:
    """Links, starts and sums from keys, runs (`run_of`) and who is out; how many windows and shifts that breaks."""
    links = state.links
    links.before[:] = NONE
    links.after[:] = NONE
    links.first[:] = NONE
    links.last[:] = NONE
    state.start[:] = NEVER
    state.sums[:] = 0
    broken = 0
    for v in np.argsort(state.key):
        if state.out[v]:
            state.sums[EXTRA] += tables.penalty[v]
            links.run_of[2 * v] = NONE
            links.run_of[2 * v + 1] = NONE
            continue
        for t in range(2 * v, 2 * v + tables.slots[v]):
            r = links.run_of[t]
            p = links.last[r]
            state.sums[TRAVEL] += leg_between(tables, r, p, t) + leg_between(tables, r, t, NONE)
            state.sums[TRAVEL] -= leg_between(tables, r, p, NONE)
            state.sums[EXTRA] += tables.cost[t, r]
            put_after(links, t, r, p)
        first, second = starts_of(tables, state, v)
        broken += first > tables.latest[v]
        state.start[2 * v] = first
        state.sums[LATE] += max(0, first - tables.due[v])
        if tables.slots[v] == 2:
            state.start[2 * v + 1] = second
            state.sums[LATE] += max(0, second - tables.due[v])
    state.sums[WORST] = worst_of(tables, state)
    for r in range(len(links.last)):
        t = links.last[r]
        broken += t >= 0 and state.start[t] + tables.service[t] + tables.back_leg[r, t >> 1] > tables.back_by[r]
    return broken
