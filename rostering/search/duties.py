"""The engine "duties": rosters within hard windows, by insertion and annealing over whole runs, each kept legal.

It expresses every rule of the product; soft due times with sequences are better searched by other engines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from rostering.search.compiled import Compiled
from rostering.search.duties_anneal import anneal, keep_best
from rostering.search.duties_board import S_ABSENT, S_BEST, Ints
from rostering.search.duties_insert import insert_all
from rostering.search.duties_tables import RULES_KNOWN, board_of, heat_of, rules_of, runs_of
from rostering.search.engine import Answer, Stops
from rostering.search.kernel.chance import seeded
from rostering.stop import Progress, StopRule, share_used

MOVES_AN_ITERATION = 1_000
HOT, COLD = 1.0, 0.05
PLACES_TRIED = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class DutiesEngine:
    """Insertion, then annealing; an iteration is 1,000 moves."""

    hot: float = HOT
    cold: float = COLD

    @property
    def name(self) -> str:
        """As `Params.engine` gives it."""
        return "duties"

    def refuses(self, *, compiled: Compiled) -> str | None:
        """Rules of a run or of days that it does not know."""
        unknown = sorted(rules_of(compiled=compiled) - RULES_KNOWN)
        return f"the rule {unknown[0]}" if unknown else None

    def search(
        self,
        *,
        compiled: Compiled,
        stop: StopRule,
        seed: int,
        start: Mapping[int, Stops] | None = None,
        report: Callable[[Progress], None] | None = None,
    ) -> Answer:
        """The best answer before `stop`, searched from `start` (a warm start) when there is one."""
        board = board_of(compiled=compiled)
        kept = np.full((len(board.task) + len(board.run), 3), -1, dtype=np.int64)
        insert_all(board, _order(compiled), PLACES_TRIED)
        keep_best(board, kept)
        chance = seeded(seed)
        heat = heat_of(board=board)
        iterations, improved_at = 0, 0
        best = int(board.sums[S_BEST])
        curve = [(0, best)]
        while True:
            progress = Progress(
                iterations=iterations, objective=best, unfilled=int(board.sums[S_ABSENT]), improved_at=improved_at
            )
            if report is not None:
                report(progress)
            if stop(progress):
                break
            used = share_used(stop=stop, progress=progress)
            used = 1.0 if used is None else used
            anneal(board, chance, MOVES_AN_ITERATION, heat * self.hot * (self.cold / self.hot) ** used, kept)
            iterations += 1
            if board.sums[S_BEST] < best:
                best, improved_at = int(board.sums[S_BEST]), iterations
                curve.append((iterations, best))
        return Answer(runs=runs_of(board=board, kept=kept), iterations=iterations, curve=tuple(curve))


def _order(compiled: Compiled) -> Ints:
    return np.array(sorted(range(len(compiled.demands)), key=lambda d: _urgency(compiled, d)), dtype=np.int64)


def _urgency(compiled: Compiled, d: int) -> tuple[int, int, int, int, int]:
    demand = compiled.demands[d]
    rank = 0 if demand.is_pinned else 1 if demand.must_keep else 2
    windows = compiled.windows[d]
    choice = min((len(duties) for duties in compiled.eligible[d]), default=0)
    scarce = 0 if choice * 3 < len(compiled.duties) else 1
    return rank, -len(demand.slots), scarce, windows[0][0] if windows else 0, d
