"""Simulated annealing over linked runs: draws a change, prices it, keeps the best roster seen. It decides no temperature."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from rostering.search.kernel.chance import Words, below, share
from rostering.search.kernel.heap import Floats, Heap
from rostering.search.kernel.jit import entered, folded, inner
from rostering.search.kernel.links import RUN, Ints
from rostering.search.linked_moves import (
    anywhere,
    beside,
    change_places,
    change_workers,
    ends_change,
    give_up,
    is_out,
    segment,
    sooner_or_later,
)
from rostering.search.linked_rebuilt import rebuilt
from rostering.search.linked_state import (
    EXTRA,
    LATE,
    TRAVEL,
    WORST,
    Journal,
    State,
    begin,
    by_stop,
    points,
    undo,
)
from rostering.search.linked_tables import PER_LATE, PER_TRAVEL, PER_WORST, Tables
from rostering.search.linked_timing import settle

OUT_SHARE = 0.04
ROOM_BETWEEN_KEYS = 1.0


class Best(NamedTuple):
    """The best roster seen: keys, the run of each stop, and its points (one number)."""

    key: Floats
    run_of: Ints
    points: Ints


def best_of(tables: Tables, state: State) -> Best:
    """A copy of the state as the best so far."""
    return Best(state.key.copy(), by_stop(state)[:, RUN].copy(), np.full(1, points(tables, state), np.int64))


@inner
def _remember(state: State, best: Best, cost: int) -> None:
    """The state, of `cost` points, is the best so far."""
    for v in range(len(state.key)):
        best.key[v] = state.key[v]
        best.run_of[2 * v] = state.stop[8 * v + RUN]
        best.run_of[2 * v + 1] = state.stop[4 * (2 * v + 1) + RUN]
    best.points[0] = cost


def recall(tables: Tables, state: State, best: Best) -> int:
    """The state is the best so far again; how many rules it breaks (none, if it was legal)."""
    state.key[:] = best.key
    by_stop(state)[:, RUN] = best.run_of
    return rebuilt(tables, state)


def spread_keys(state: State) -> None:
    """Keys 1, 2, 3 ... in the same order: repeated halving leaves floats no room."""
    state.key[np.argsort(state.key, kind="stable")] = np.arange(1, len(state.key) + 1) * ROOM_BETWEEN_KEYS


@folded
def _drawn(  # noqa: PLR0911 -- a move a line
    tables: Tables, state: State, journal: Journal, words: Words, mix: Floats, bound: float
) -> bool:
    """One change, drawn by `mix` (shares added up: beside, anywhere, ends, sooner or later, places,
    segment, workers)."""
    v = below(words, len(state.key))
    if state.sums[EXTRA] > 0 and share(words) < OUT_SHARE:
        for _ in range(len(state.key)):
            if is_out(state, v):
                break
            v = v + 1 if v + 1 < len(state.key) else 0
    draw = share(words)
    if draw < mix[0] or is_out(state, v):
        return beside(tables, state, journal, words, v, bound)
    if draw < mix[1]:
        return anywhere(tables, state, journal, words, v)
    if draw < mix[2]:
        return ends_change(tables, state, journal, words, v)
    if draw < mix[3]:
        return sooner_or_later(tables, state, journal, words, v)
    if draw < mix[4]:
        return change_places(tables, state, journal, words, v)
    if draw < mix[5]:
        return segment(tables, state, journal, words, v)
    if draw < mix[6]:
        return change_workers(tables, state, journal, words, v)
    return give_up(tables, state, journal, v)


@entered
def anneal(
    tables: Tables,
    state: State,
    journal: Journal,
    heap: Heap,
    best: Best,
    words: Words,
    mix: Floats,
    moves: int,
    heat: float,
) -> int:
    """`moves` changes at one temperature (points); how many were kept. `best` follows."""
    kept = 0
    weights, sums = tables.run, state.sums
    for _ in range(moves):
        bound = -heat * math.log(1.0 - share(words))
        begin(journal)
        if not _drawn(tables, state, journal, words, mix, bound):
            undo(state, journal)
            continue
        if settle(tables, state, journal, heap, bound):
            kept += 1
            cost = weights[PER_TRAVEL] * sums[TRAVEL] + weights[PER_LATE] * sums[LATE]
            cost += weights[PER_WORST] * sums[WORST] + sums[EXTRA]
            if cost < best.points[0]:
                _remember(state, best, cost)
    return kept
