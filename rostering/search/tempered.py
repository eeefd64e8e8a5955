"""Parallel tempering: a small problem searched at several temperatures at once; it knows no engine and makes no moves.

A small problem freezes long before its time is up, and a reheated one forgets what it knew. Here one walk stays at each
temperature, and two neighbours change theirs by what they cost (Swendsen and Wang 1986): the hot ones find other ways to
arrange a day, the cold ones what is best about them.
"""

from __future__ import annotations

import math
from dataclasses import InitVar, dataclass, field
from typing import Generic, Protocol, Self, TypeVar

import numpy as np


class Walk(Protocol):
    """A state that moves at random."""

    @property
    def cost(self) -> int:
        """What it costs now."""
        ...

    def another(self, *, seed: int) -> Self:
        """One of its own from the best state so far."""
        ...


AnyWalk = TypeVar("AnyWalk", bound=Walk)


def ladder(*, coolest: float, hottest: float, many: int) -> tuple[float, ...]:
    """So many temperatures, two or more, each the same number of times the one before."""
    return tuple(coolest * math.pow(hottest / coolest, k / (many - 1)) for k in range(many))


@dataclass(slots=True)
class Tempered(Generic[AnyWalk]):
    """A walk at each temperature (in points, coolest first), all from the best of `walk`; a seed decides every choice."""

    walk: InitVar[AnyWalk]
    heats: tuple[float, ...]
    seed: int
    walks: list[AnyWalk] = field(init=False)
    _turn: int = field(init=False, default=0)
    _laps: int = field(init=False, default=0)
    _chance: np.random.Generator = field(init=False)

    def __post_init__(self, walk: AnyWalk) -> None:
        seeds = np.random.SeedSequence(self.seed).generate_state(len(self.heats))
        self.walks = [walk.another(seed=int(seed)) for seed in seeds]
        self._chance = np.random.default_rng(self.seed)

    def turn(self) -> tuple[AnyWalk, float]:
        """The walk whose turn it is to move, and at which temperature; once all had theirs, neighbours may change."""
        if self._turn == len(self.walks):
            self._turn = 0
            self._exchange()
        k = self._turn
        self._turn += 1
        return self.walks[k], self.heats[k]

    def _exchange(self) -> None:
        """Every second pair of neighbours, the other pairs the next time."""
        self._laps += 1
        for k in range(self._laps % 2, len(self.walks) - 1, 2):
            cooler, hotter = self.walks[k], self.walks[k + 1]
            gain = (1 / self.heats[k] - 1 / self.heats[k + 1]) * (cooler.cost - hotter.cost)
            if gain >= 0 or self._chance.random() < math.exp(gain):
                self.walks[k], self.walks[k + 1] = hotter, cooler
