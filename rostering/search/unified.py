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
from rostering.search.kernel.chance import seeded
from rostering.search.kernel.heap import empty_heap
from rostering.search.unified_anneal import BEST, COST, anneal, rebuild, renumber
from rostering.search.unified_decode import (
    IMPOSSIBLE,
    UNKNOWN,
    drop_broken,
    follow,
    meals_of,
    out_of,
    reasons_of,
    runs_of,
)
from rostering.search.unified_rows import AMONG, State, empty_best
from rostering.search.unified_tables import Nodes, first_state, nodes_of
from rostering.search.unified_wishes import beyond_unified
from rostering.stop import Progress, StopRule, share_used

CHUNK_MOVES = 20_000
RENUMBER_MOVES = 100_000
REHEAT_MOVES = 4_000_000
SMALL_NODES = 60
FIRST_CYCLE = 0.25
CYCLES_SMALL = 3
REHEAT = 0.5
QUENCH_MOVES = 200
FROZEN = 0.001
HOT = 0.3
COLD = 0.06
COLD_SMALL = 0.03
"""How hot a search begins and ends, in what a visit costs after the first descent.

Means of `popback bench instances --set uhhc --subset --seconds 60 --seeds 3 --clock cpu` against those with 1 to 0.01 (small problems: 1 to
0.005): i-175 1.6 % better, i-054 1.3, i-235 9.9, i-360 1.8, i-414 0.7, the small i-100 and i-247 0.1; i-263 0.3 % worse.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnifiedEngine:
    """Annealing; temperatures go from `hot` times what a visit costs after a first descent down to `cold` times that.

    Small problems are reheated from the best roster so far, again and again: they freeze long before the time is up.
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
    """One search: the state, the best choices so far, and where it stands."""

    def __init__(self, compiled: Compiled, nodes: Nodes, state: State, seed: int, engine: UnifiedEngine) -> None:
        self.compiled, self.nodes, self.state, self.engine = compiled, nodes, state, engine
        self.words = seeded(seed)
        self.heap = empty_heap(visits=len(nodes.demand))
        self.best = empty_best(state=state)
        self.standing = np.array([rebuild(nodes.tables, state, self.heap), UNKNOWN], np.int64)
        self.quench = QUENCH_MOVES * len(nodes.demand)
        self.scale = 0.0
        self.moves = self.improved_at = self.cycle = 0
        self.curve: list[tuple[int, int]] = []

    def run(self, stop: StopRule, report: Callable[[Progress], None] | None) -> Answer:
        """Chunks of moves until `stop` says so, ever cooler as its share is used."""
        while not stop(progress := self.progress()):
            if report is not None:
                report(progress)
            self._chunk(min(CHUNK_MOVES, self.moves + 1), self._heat(stop, progress))
        return self.answer()

    def progress(self) -> Progress:
        """Where it stands."""
        best = int(self.standing[BEST])
        return Progress(
            iterations=self.moves,
            objective=int(self.standing[COST]) if best == UNKNOWN else best,
            unfilled=out_of(nodes=self.nodes, table=self.best.table)[0],
            improved_at=self.improved_at,
            legal=best != UNKNOWN,
        )

    def answer(self) -> Answer:
        """The best choices as runs; without any that break no limit, the present ones less the visits that do."""
        nodes, state = self.nodes, self.state
        self._go_back()
        rebuild(nodes.tables, state, self.heap)
        dropped = drop_broken(nodes=nodes, state=state, heap=self.heap)
        return Answer(
            runs=runs_of(compiled=self.compiled, nodes=nodes, state=state),
            iterations=self.moves,
            curve=tuple(self.curve) or ((self.moves, int(self.standing[COST])),),
            meals=meals_of(compiled=self.compiled, nodes=nodes, state=state),
            reasons=reasons_of(compiled=self.compiled, nodes=nodes, state=state, dropped=dropped),
        )

    def _heat(self, stop: StopRule, progress: Progress) -> float:
        """The temperature now; none at first, until a descent has shown what a visit costs."""
        share = share_used(stop=stop, progress=progress)
        if share is None:
            share = (self.moves % REHEAT_MOVES) / REHEAT_MOVES
        if self.moves < self.quench:
            return FROZEN
        if self.scale == 0.0:
            dear = out_of(nodes=self.nodes, table=self.state.table)[1]
            self.scale = max(1, int(self.standing[COST]) - dear) / len(self.nodes.demand)
        cycle, share = self._cycle(share)
        self.state.totals[AMONG] = self._among(share)
        hot = self.engine.hot * (REHEAT if cycle else 1.0)
        cold = COLD_SMALL if self._is_small() else self.engine.cold
        if cycle != self.cycle:
            self.cycle = cycle
            self._go_back()
        return max(FROZEN, self.scale * hot * math.pow(cold, share))

    def _among(self, share: float) -> int:
        """Over how many of the idlest the idle time is averaged: everybody at first, the idlest alone in the end."""
        people = 1 if self._is_small() else len(self.compiled.workers)
        return max(1, round(math.pow(people, 1.0 - share)))

    def _is_small(self) -> bool:
        return len(self.nodes.demand) <= SMALL_NODES

    def _cycle(self, share: float) -> tuple[int, float]:
        """(which cycle, how much of it is used): one for a big problem, several for a small one."""
        if not self._is_small():
            return 0, share
        if share < FIRST_CYCLE:
            return 0, share / FIRST_CYCLE
        rest = min(0.999999, (share - FIRST_CYCLE) / (1.0 - FIRST_CYCLE)) * CYCLES_SMALL
        return 1 + int(rest), rest - int(rest)

    def _go_back(self) -> None:
        """The best roster so far stands again."""
        if self.standing[BEST] < UNKNOWN:
            self.state.table[:], self.state.key[:] = self.best.table, self.best.key
            self.standing[COST] = rebuild(self.nodes.tables, self.state, self.heap)

    def _chunk(self, moves: int, heat: float) -> None:
        before = int(self.standing[BEST])
        anneal(self.nodes.tables, self.state, self.heap, self.best, self.standing, self.words, moves, heat)
        self.moves += moves
        if self.standing[BEST] < before:
            self.improved_at = self.moves
            self.curve.append((self.moves, int(self.standing[BEST])))
        if self.moves % RENUMBER_MOVES < moves:
            renumber(self.state)
