"""Simulated annealing over linked runs: draws a change, prices it, keeps the best roster seen. It decides no temperature."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from rostering.search.kernel.chance import Words, below, share
from rostering.search.kernel.heap import Flags, Floats
from rostering.search.kernel.jit import compiled, entered, folded
from rostering.search.kernel.links import Ints
from rostering.search.linked_moves import (
    anywhere,
    beside,
    change_places,
    change_workers,
    ends_change,
    give_up,
    segment,
    sooner_or_later,
)
from rostering.search.linked_rebuilt import rebuilt
from rostering.search.linked_state import Journal, State, begin, points, settle, undo
from rostering.search.linked_tables import Tables

OUT_SHARE = 0.04
ROOM_BETWEEN_KEYS = 1.0


class Best(NamedTuple):
    """The best roster seen: keys, runs, who is out, and its points (one number)."""

    key: Floats
    run_of: Ints
    out: Flags
    points: Ints


def best_of(state: State) -> Best:
    """A copy of the state as the best so far; its points are the caller's."""
    return Best(state.key.copy(), state.links.run_of.copy(), state.out.copy(), np.full(1, np.iinfo(np.int64).max))


@entered
def remember(tables: Tables, state: State, best: Best) -> None:
    """The state is the best so far."""
    for v in range(len(state.key)):
        best.key[v] = state.key[v]
        best.out[v] = state.out[v]
        best.run_of[2 * v] = state.links.run_of[2 * v]
        best.run_of[2 * v + 1] = state.links.run_of[2 * v + 1]
    best.points[0] = points(tables, state)


@compiled
def recall(tables: Tables, state: State, best: Best) -> int:
    """The state is the best so far again; how many rules it breaks (none, if it was legal)."""
    state.key[:] = best.key
    state.links.run_of[:] = best.run_of
    state.out[:] = best.out
    return rebuilt(tables, state)


@compiled
def spread_keys(state: State) -> None:
    """Keys 1, 2, 3 ... in the same order: repeated halving leaves floats no room."""
    ranks = np.argsort(state.key)
    for i in range(len(ranks)):
        state.key[ranks[i]] = (i + 1) * ROOM_BETWEEN_KEYS


@folded
def _drawn(  # noqa: PLR0911 -- a move a line
    tables: Tables, state: State, journal: Journal, words: Words, mix: Floats, bound: float
) -> bool:
    """One change, drawn by `mix` (shares added up: beside, anywhere, ends, sooner or later, places,
    segment, workers)."""
    v = below(words, len(state.key))
    if state.sums[3] > 0 and share(words) < OUT_SHARE:
        for _ in range(len(state.key)):
            if state.out[v]:
                break
            v = v + 1 if v + 1 < len(state.key) else 0
    draw = share(words)
    if draw < mix[0] or state.out[v]:
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
    tables: Tables, state: State, journal: Journal, best: Best, words: Words, mix: Floats, moves: int, heat: float
) -> int:
    """`moves` changes at one temperature (points); how many were kept. `best` follows."""
    kept = 0
    cost = points(tables, state)
    for _ in range(moves):
        bound = -heat * math.log(1.0 - share(words))
        begin(journal)
        if not _drawn(tables, state, journal, words, mix, bound):
            undo(state, journal)
            continue
        if settle(tables, state, journal, bound):
            kept += 1
            cost = points(tables, state)
            if cost < best.points[0]:
                remember(tables, state, best)
    return kept
