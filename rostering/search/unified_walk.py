"""One random walk of the unified search: a state, its random numbers, and the best state that it and others found."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from rostering.search.kernel.chance import Words, seeded
from rostering.search.kernel.heap import Heap, Ints, empty_heap
from rostering.search.unified_anneal import BEST, COST, anneal, rebuild, renumber
from rostering.search.unified_rows import Best, State, empty_best
from rostering.search.unified_tables import Nodes

UNKNOWN = 2**60
"""What the best costs while there is none that breaks no limit."""
RENUMBER_MOVES = 100_000


@dataclass(slots=True)
class Shared:
    """The best state of all walks, and what it costs."""

    best: Best
    cost: int = UNKNOWN


@dataclass(slots=True)
class Walk:
    """A state that moves at random, `cost` what it costs now; `shared` is the best of all walks of one search."""

    nodes: Nodes
    state: State
    words: Words
    shared: Shared
    moves: int = 0
    heap: Heap = field(init=False)
    _standing: Ints = field(init=False)

    def __post_init__(self) -> None:
        self.heap = empty_heap(visits=len(self.nodes.demand))
        self._standing = np.array([rebuild(self.nodes.tables, self.state, self.heap), UNKNOWN], np.int64)

    @property
    def cost(self) -> int:
        """What the state costs as the search goes by it."""
        return int(self._standing[COST])

    def chunk(self, *, moves: int, heat: float) -> None:
        """Moves at one temperature; the shared best follows."""
        self._standing[BEST] = self.shared.cost
        tables, words = self.nodes.tables, self.words
        anneal(tables, self.state, self.heap, self.shared.best, self._standing, words, moves, heat)
        self.moves += moves
        if self.moves % RENUMBER_MOVES < moves:
            renumber(self.state)
        self.shared.cost = int(self._standing[BEST])

    def go_back(self) -> None:
        """The best state so far stands again, where there is one."""
        if self.shared.cost < UNKNOWN:
            self.state.table[:], self.state.key[:] = self.shared.best.table, self.shared.best.key
            self._standing[COST] = rebuild(self.nodes.tables, self.state, self.heap)

    def another(self, *, seed: int) -> Walk:
        """A walk of its own from the best state so far (from here, where there is none)."""
        here = self.state
        state = State(here.table.copy(), here.key.copy(), here.totals.copy())
        walk = Walk(self.nodes, state, seeded(seed), self.shared)
        walk.go_back()
        return walk


def walk_from(*, nodes: Nodes, state: State, seed: int) -> Walk:
    """The first walk of a search."""
    return Walk(nodes, state, seeded(seed), Shared(empty_best(state=state)))
