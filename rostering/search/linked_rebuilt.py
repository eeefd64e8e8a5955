"""The linked search's state made anew from its visits' order and runs: what every change to it must agree with."""

from __future__ import annotations

import numpy as np

from rostering.search.kernel.jit import entered
from rostering.search.kernel.links import AFTER, BEFORE, LAST, NONE, RUN, Ints, put_after
from rostering.search.linked_state import (
    EXTRA,
    LATE,
    NEVER,
    START,
    TRAVEL,
    WORST,
    State,
    by_stop,
    late_by,
    leg_between,
)
from rostering.search.linked_tables import COST, DUE, LATEST, PENALTY, SLOTS, Tables, by_eight
from rostering.search.linked_timing import starts_of, too_late, worst_of


def rebuilt(tables: Tables, state: State) -> int:
    """Links, starts and sums from keys and runs; how many windows and shifts that breaks.

    A visit with a stop in no run is out.
    """
    stop = by_stop(state)
    halved = (stop[::2, RUN] < 0) | ((by_eight(tables.visit)[:, SLOTS] == 2) & (stop[1::2, RUN] < 0))
    stop[np.repeat(halved, 2), RUN] = NONE
    stop[:, BEFORE : AFTER + 1] = NONE
    stop[:, START] = NEVER
    state.run[:] = NONE
    state.sums[:] = 0
    return _linked(tables, state, np.argsort(state.key, kind="stable"))


@entered
def _linked(tables: Tables, state: State, order: Ints) -> int:
    """Each visit that is not out, in `order`, behind what its runs hold; how many windows and shifts that breaks."""
    stop, sums = state.stop, state.sums
    broken = 0
    for v in order:
        if stop[8 * v + RUN] < 0:
            sums[EXTRA] += tables.listed[2 * v, PENALTY]
            continue
        for t in range(2 * v, 2 * v + tables.visit[8 * v + SLOTS]):
            r = stop[4 * t + RUN]
            p = state.run[2 * r + LAST]
            q = int(NONE)
            sums[TRAVEL] += leg_between(tables, r, p, t) + leg_between(tables, r, t, q) - leg_between(tables, r, p, q)
            sums[EXTRA] += tables.listed[t, COST + r]
            put_after(stop, state.run, t, r, p)
        first, second = starts_of(tables, stop, v)
        broken += first > tables.visit[8 * v + LATEST]
        stop[8 * v + START] = first
        sums[LATE] += late_by(first, tables.visit[8 * v + DUE])
        if tables.visit[8 * v + SLOTS] == 2:
            stop[4 * (2 * v + 1) + START] = second
            sums[LATE] += late_by(second, tables.visit[8 * v + DUE])
    sums[WORST] = worst_of(tables, state)
    for r in range(len(state.run) >> 1):
        broken += too_late(tables, state, r)
    return broken
