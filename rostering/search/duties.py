"""The engine "duties": rosters within hard windows, by insertion and annealing over whole runs, each kept legal.

It expresses every rule of the product; soft due times with sequences are better searched by other engines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rostering.search.compiled import Compiled
from rostering.search.duties_anneal import anneal, keep_best
from rostering.search.duties_board import (
    G_RUNS,
    G_VISITS,
    KEPT,
    NOBODY,
    S_BEST,
    V_SLOTS,
    Board,
    Ints,
    by_visit,
    nobody_kept,
)
from rostering.search.duties_first import first_board, heats_of, runs_of
from rostering.search.duties_tables import RULES_KNOWN, rules_of
from rostering.search.engine import Answer, Stops
from rostering.search.kernel.chance import Words, seeded
from rostering.search.unified_wishes import unified_only
from rostering.stop import Progress, StopRule, share_used

MOVES = 1_000
"""Moves in one iteration."""
BLOCK = 1_000
"""An iteration's moves are of so many visits that follow one another in the problem (of a week about a day), which the
processor's cache holds (measured on 7,000 visits: 10 to 20 % more moves)."""
ROUND = 2_000
"""Iterations from hot to cold when no rule says what share is used."""
HOT, COLD, WARM = 1.0, 0.03, 0.2


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
        """What only the search "unified" expresses, and rules of a run or of days that it does not know."""
        unknown = [f"the rule {rule}" for rule in sorted(rules_of(compiled=compiled) - RULES_KNOWN)]
        return next(iter((*unified_only(problem=compiled.problem), *unknown)), None)

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
        board = first_board(compiled=compiled, start=start)
        kept = nobody_kept(board=board)
        keep_best(board, kept)
        hot = self.hot if start is None else self.hot * WARM
        search = _Search(board=board, kept=kept, chance=seeded(seed), hot=hot, cold=self.cold)
        curve = search.run(stop=stop, report=report)
        return Answer(runs=runs_of(board=board, kept=kept), iterations=search.iterations, curve=curve)


@dataclass(slots=True, kw_only=True)
class _Search:
    """One search: its board, the best roster so far (`kept`), its random numbers and how far it is."""

    board: Board
    kept: Ints
    chance: Words
    hot: float
    cold: float
    iterations: int = 0
    improved_at: int = 0

    def run(self, *, stop: StopRule, report: Callable[[Progress], None] | None) -> tuple[tuple[int, int], ...]:
        """Anneal until the rule says stop, cooler as it is used up; the curve of improvements."""
        curve = [(0, self._best())]
        hot, cold = (
            unit * factor for unit, factor in zip(heats_of(board=self.board), (self.hot, self.cold), strict=True)
        )
        while True:
            progress = Progress(
                iterations=self.iterations,
                objective=self._best(),
                unfilled=self._unfilled(),
                improved_at=self.improved_at,
            )
            if report is not None:
                report(progress)
            if stop(progress) or not self._visits or not self.board.work[G_RUNS]:
                return tuple(curve)
            used = share_used(stop=stop, progress=progress)
            if used is None:
                used = self.iterations % ROUND / ROUND
            since = self.iterations * BLOCK // 2 % self._visits
            anneal(self.board, self.chance, MOVES, hot * (cold / hot) ** used, self.kept, since, BLOCK)
            self.iterations += 1
            if self._best() < curve[-1][1]:
                curve.append((self.iterations, self._best()))
                self.improved_at = self.iterations

    def _best(self) -> int:
        return int(self.board.work[S_BEST])

    def _unfilled(self) -> int:
        """Slots that nobody has in the best roster."""
        absent = self.kept.reshape(-1, KEPT)[: 2 * self._visits : 2, 0] == NOBODY
        return int(by_visit(self.board)[absent, V_SLOTS].sum())

    @property
    def _visits(self) -> int:
        return int(self.board.work[G_VISITS])
