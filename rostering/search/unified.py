"""The engine "unified": every published wish at once, by compiled annealing over one order of all visits.

Due windows at start or end, meals, overtime, idle shifts, balance, optional and independent visits. Each visit is
started as early as the order allows; when a worker leaves and from when they eat are the search's own choices, so that
waiting is weighed against lateness. It knows no pins, no gaps, no breaks and no rule over several days: those it refuses.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from rostering.search.compiled import Compiled
from rostering.search.engine import Answer, Stops
from rostering.search.tempered import Tempered, ladder
from rostering.search.unified_anneal import rebuild
from rostering.search.unified_decode import (
    IMPOSSIBLE,
    drop_broken,
    follow,
    meals_of,
    out_of,
    reasons_of,
    runs_of,
)
from rostering.search.unified_rows import AMONG, State
from rostering.search.unified_tables import Nodes, first_state, nodes_of
from rostering.search.unified_walk import UNKNOWN, Walk, walk_from
from rostering.search.unified_wishes import beyond_unified
from rostering.stop import Progress, StopRule, share_used

CHUNK_MOVES = 20_000
LAP_MOVES = 4_000_000
QUENCH_MOVES = 200
FROZEN = 0.001
HOT = 0.3
COLD = 0.06
"""How hot a search begins and ends, in what a visit costs after the first descent.

Means of `popback bench instances --set uhhc --subset --seconds 60 --seeds 3 --clock cpu` against those with 1 to 0.01: i-175 1.6 % better,
i-054 1.3, i-360 1.8, i-414 0.7; i-263 0.3 % worse.
"""
COLD_SMALL = 0.03
FIRST_SHARE = 0.1
"""A small problem: annealed so far down in this part of the time, then searched at several temperatures at once."""
WALKS, COOLEST, HOTTEST = 9, 0.007, 0.3
"""How many those are, and the ends of their ladder, as HOT and COLD."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnifiedEngine:
    """Annealing; temperatures go from `hot` times what a visit costs after a first descent down to `cold` times that.

    Small problems freeze long before the time is up: they go on at several temperatures (`tempered`).
    """

    name: str = "unified"
    hot: float = HOT
    cold: float = COLD

    def refuses(self, *, compiled: Compiled) -> str | None:
        """Pins, gaps, breaks, hours limits, loads, hard windows alone, and several duties a worker."""
        return beyond_unified(compiled=compiled)

    def search(
        self,
        *,
        compiled: Compiled,
        stop: StopRule,
        seed: int,
        start: Mapping[int, Stops] | None = None,
        report: Callable[[Progress], None] | None = None,
    ) -> Answer:
        """The best answer before `stop`; visits that a warm start leaves out begin as left out, if they may be."""
        if not compiled.demands or not compiled.workers:
            reasons = dict.fromkeys(range(len(compiled.demands)), IMPOSSIBLE)
            return Answer(runs={}, iterations=0, curve=((0, sum(compiled.penalty)),), reasons=reasons)
        nodes = nodes_of(compiled=compiled)
        state = first_state(nodes=nodes, choose=np.random.default_rng(seed))
        if start is not None:
            follow(compiled=compiled, nodes=nodes, state=state, start=start)
        return _Search(compiled, nodes, state, seed, self).run(stop, report)


class _Search:
    """One search: its walk, or several once a small problem is searched at several temperatures, and where it stands."""

    def __init__(self, compiled: Compiled, nodes: Nodes, state: State, seed: int, engine: UnifiedEngine) -> None:
        self.compiled, self.nodes, self.seed, self.engine = compiled, nodes, seed, engine
        self.walk = walk_from(nodes=nodes, state=state, seed=seed)
        self.tempered: Tempered[Walk] | None = None
        self.quench = QUENCH_MOVES * len(nodes.demand)
        self.scale = 0.0
        self.moves = self.improved_at = 0
        self.curve: list[tuple[int, int]] = []

    def run(self, stop: StopRule, report: Callable[[Progress], None] | None) -> Answer:
        """Chunks of moves until `stop` says so, ever cooler as its share is used."""
        while not stop(progress := self.progress()):
            if report is not None:
                report(progress)
            self._chunk(min(CHUNK_MOVES, self.moves + 1), stop, progress)
        return self.answer()

    def progress(self) -> Progress:
        """Where it stands."""
        best = self.walk.shared.cost
        return Progress(
            iterations=self.moves,
            objective=self.walk.cost if best == UNKNOWN else best,
            unfilled=out_of(nodes=self.nodes, table=self.walk.shared.best.table)[0],
            improved_at=self.improved_at,
            legal=best != UNKNOWN,
        )

    def answer(self) -> Answer:
        """The best choices as runs; without any that break no limit, the present ones less the visits that do."""
        nodes, walk = self.nodes, self.walk
        state = walk.state
        walk.go_back()
        rebuild(nodes.tables, state, walk.heap)
        dropped = drop_broken(nodes=nodes, state=state, heap=walk.heap)
        return Answer(
            runs=runs_of(compiled=self.compiled, nodes=nodes, state=state),
            iterations=self.moves,
            curve=tuple(self.curve) or ((self.moves, walk.cost),),
            meals=meals_of(compiled=self.compiled, nodes=nodes, state=state),
            reasons=reasons_of(compiled=self.compiled, nodes=nodes, state=state, dropped=dropped),
        )

    def _chunk(self, moves: int, stop: StopRule, progress: Progress) -> None:
        """Some moves, at the temperature of this part of the search."""
        share = share_used(stop=stop, progress=progress)
        if share is None:
            share = (self.moves % LAP_MOVES) / LAP_MOVES
        before = self.walk.shared.cost
        if self.tempered is None and self.nodes.is_small and self.scale and share >= FIRST_SHARE:
            self.tempered = self._tempered()
        walk, heat = self.tempered.turn() if self.tempered else (self.walk, self._heat(share))
        walk.chunk(moves=moves, heat=heat)
        self.moves += moves
        if self.walk.shared.cost < before:
            self.improved_at = self.moves
            self.curve.append((self.moves, self.walk.shared.cost))

    def _tempered(self) -> Tempered[Walk]:
        """A walk at each temperature, all from the best roster so far."""
        heats = ladder(coolest=self.scale * COOLEST, hottest=self.scale * HOTTEST, many=WALKS)
        return Tempered(self.walk, heats, self.seed)

    def _heat(self, share: float) -> float:
        """The temperature now; none at first, until a descent has shown what a visit costs."""
        if self.moves < self.quench:
            return FROZEN
        if self.scale == 0.0:
            dear = out_of(nodes=self.nodes, table=self.walk.state.table)[1]
            self.scale = max(1, self.walk.cost - dear) / len(self.nodes.demand)
        cold = self.engine.cold
        if self.nodes.is_small:
            share, cold = min(1.0, share / FIRST_SHARE), COLD_SMALL
        self.walk.state.totals[AMONG] = self._among(share)
        return max(FROZEN, self.scale * self.engine.hot * math.pow(cold, share))

    def _among(self, share: float) -> int:
        """Over how many of the idlest the idle time is averaged: everybody at first, the idlest alone in the end."""
        people = 1 if self.nodes.is_small else len(self.compiled.workers)
        return max(1, round(math.pow(people, 1.0 - share)))
