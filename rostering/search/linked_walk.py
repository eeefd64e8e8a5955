"""One random walk of the linked search: a state, its random numbers, and the best state that it and others found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rostering.search.kernel.chance import Words, seeded
from rostering.search.kernel.heap import Floats, Heap, empty_heap
from rostering.search.linked_anneal import Best, anneal, best_of, recall, spread_keys
from rostering.search.linked_state import Journal, State, empty_journal, points
from rostering.search.linked_tables import Tables

MOVES = 10_000
"""Changes tried in one iteration."""


@dataclass(slots=True, kw_only=True)
class Walk:
    """A state that moves at random; `best` is that of all walks of one search, `mix` how often each kind of change is tried."""

    tables: Tables
    state: State
    journal: Journal
    heap: Heap
    best: Best
    words: Words
    mix: Floats

    @property
    def cost(self) -> int:
        """Its points now."""
        return points(self.tables, self.state)

    def step(self, *, heat: float) -> None:
        """One iteration at temperature `heat` in points."""
        spread_keys(self.state)
        anneal(self.tables, self.state, self.journal, self.heap, self.best, self.words, self.mix, MOVES, heat)

    def go_back(self) -> None:
        """From the best so far."""
        recall(self.tables, self.state, self.best)

    def another(self, *, seed: int) -> Walk:
        """A walk of its own from the best so far."""
        here = self.state
        state = State(key=here.key.copy(), stop=here.stop.copy(), run=here.run.copy(), sums=here.sums.copy())
        walk = walk_from(tables=self.tables, state=state, seed=seed, mix=self.mix)
        walk.best = self.best
        walk.go_back()
        return walk


def walk_from(*, tables: Tables, state: State, seed: int, mix: tuple[float, ...] | Floats) -> Walk:
    """The first walk of a search, `state` the best so far."""
    visits, runs = len(state.key), len(state.run) // 2
    return Walk(
        tables=tables,
        state=state,
        journal=empty_journal(visits=visits, runs=runs),
        heap=empty_heap(visits=visits),
        best=best_of(tables, state),
        words=seeded(seed),
        mix=np.array(mix),
    )
