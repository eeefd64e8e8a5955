"""A small problem searched at several temperatures at once, from one good roster on: parallel tempering.

A small problem freezes long before its time is up, and a reheated one forgets what it knew. Here one walk at each
temperature goes on from the next chunk of moves to the next, and two neighbours change temperatures by what they cost
(Swendsen and Wang 1986): the hot ones find other ways to arrange a day, the cold ones what is best about them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle

import numpy as np

from rostering.search.unified_walk import Walk

WALKS = 9
COOLEST = 0.007
HOTTEST = 0.3
"""In what a visit costs after the first descent, as the temperatures of annealing."""


@dataclass(slots=True)
class Tempered:
    """The walks, coolest first; `cost_scale` is what a visit costs. The same seed gives the same walks."""

    walk: Walk
    seed: int
    cost_scale: float
    heats: tuple[float, ...] = field(init=False)
    walks: list[Walk] = field(init=False)
    _rounds: int = field(init=False, default=0)
    _chance: np.random.Generator = field(init=False)
    _next: Iterator[int] = field(init=False)

    def __post_init__(self) -> None:
        ratio = HOTTEST / COOLEST
        self.heats = tuple(self.cost_scale * COOLEST * math.pow(ratio, k / (WALKS - 1)) for k in range(WALKS))
        seeds = np.random.SeedSequence(self.seed).generate_state(WALKS)
        self.walks = [self.walk.another(seed=int(seed)) for seed in seeds]
        self._chance = np.random.default_rng(self.seed)
        self._next = cycle(range(WALKS))

    def chunk(self, *, moves: int) -> None:
        """Moves of the walk whose turn it is; after the last one's turn neighbours change places."""
        k = next(self._next)
        self.walks[k].chunk(moves=moves, heat=self.heats[k])
        if k == WALKS - 1:
            self._exchange()

    def _exchange(self) -> None:
        """Every second pair of neighbours, the other ones the next time, by their costs and temperatures."""
        self._rounds += 1
        for k in range(self._rounds % 2, WALKS - 1, 2):
            cooler, hotter = self.walks[k], self.walks[k + 1]
            gain = (1 / self.heats[k] - 1 / self.heats[k + 1]) * (cooler.cost - hotter.cost)
            if gain >= 0 or self._chance.random() < math.exp(gain):
                self.walks[k], self.walks[k + 1] = hotter, cooler
