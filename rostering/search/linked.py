"""The engine "linked": simulated annealing over linked runs, for soft due times, double-ups and sequences.

Visits have one order; each slot has a worker; every visit starts as early as that allows. What an order cannot say
(breaks, several windows, pins ...) it refuses. Temperatures follow the share of the stop rule that is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from rostering.search.compiled import Compiled
from rostering.search.engine import Answer, Stops
from rostering.search.kernel.chance import Words, seeded
from rostering.search.kernel.heap import Floats
from rostering.search.linked_anneal import Best, anneal, best_of, recall, remember, spread_keys
from rostering.search.linked_first import first_state, started_state
from rostering.search.linked_state import Journal, State, empty_journal, points
from rostering.search.linked_tables import Tables, refusal, tables_of
from rostering.stop import Progress, StopRule, share_used

MOVES = 10_000
"""Changes tried in one iteration."""
IDLE_ROUND = 2_000
"""Iterations of a round when no rule says what share is used."""
ROUNDS = ((120, 1), (60, 3), (0, 6))
"""(visits at least, rounds)."""
ALMOST_ALL = 0.999_999
OPTIONAL_LEGS = 100
"""A visit whose penalty is under so many mean legs may be left out for gain."""
MIX = (0.50, 0.60, 0.74, 0.82, 0.90, 1.00)
MIX_WITH_OPTIONAL = (0.50, 0.60, 0.74, 0.82, 0.90, 0.995)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedEngine:
    """Temperatures fall from `hot` to `cold` mean legs, in `rounds` rounds one after another (None: by size).

    Measured: above a quarter of a mean leg a roster is random, below a hundredth it stands still. Small rosters freeze
    in different ways, so that several short rounds find more than a long one. A warm start begins at `warm`.
    """

    name: str = "linked"
    hot: float = 0.25
    cold: float = 0.008
    rounds: int | None = None
    warm: float = 0.05

    def refuses(self, *, compiled: Compiled) -> str | None:
        """What an order of visits and a worker a slot do not say, and rosters without due times."""
        refused = refusal(compiled=compiled)
        if refused is None and all(demand.due is None for demand in compiled.demands):
            return "visits without due times"
        return refused

    def search(
        self,
        *,
        compiled: Compiled,
        stop: StopRule,
        seed: int,
        start: Mapping[int, Stops] | None = None,
        report: Callable[[Progress], None] | None = None,
    ) -> Answer:
        """The best answer before `stop`. An iteration is 10,000 changes tried."""
        tables = tables_of(compiled=compiled)
        state = started_state(tables=tables, start=start) if start else first_state(tables=tables)
        search = _Search.begun(tables=tables, state=state, seed=seed)
        leg = max(1.0, float(tables.leg.mean()) * compiled.problem.weights.travel)
        top = self.hot if start is None else self.warm
        rounds = self.rounds or next(rounds for size, rounds in ROUNDS if len(tables.slots) >= size)
        while not stop(progress := search.progress()):
            if report is not None:
                report(progress)
            share = share_used(stop=stop, progress=progress)
            if share is None:
                share, rounds = (progress.iterations % IDLE_ROUND) / IDLE_ROUND, 1
            search.step(leg * top * (self.cold / top) ** (min(share, ALMOST_ALL) * rounds % 1.0))
        return search.answer()


@dataclass(slots=True, kw_only=True)
class _Search:
    """A search under way."""

    tables: Tables
    state: State
    journal: Journal
    best: Best
    words: Words
    mix: Floats
    iterations: int = 0
    improved_at: int = 0
    curve: list[tuple[int, int]]

    @classmethod
    def begun(cls, *, tables: Tables, state: State, seed: int) -> _Search:
        """At iteration 0, with `state` as the best so far."""
        visits, runs = len(tables.slots), len(tables.leaves)
        best = best_of(state)
        remember(tables, state, best)
        optional = bool(state.out.any()) or bool((tables.penalty < OPTIONAL_LEGS * tables.leg.mean()).any())
        return cls(
            tables=tables,
            state=state,
            journal=empty_journal(visits=visits, runs=runs),
            best=best,
            words=seeded(seed),
            mix=np.array(MIX_WITH_OPTIONAL if optional else MIX),
            curve=[(0, int(best.points[0]))],
        )

    def progress(self) -> Progress:
        """Where it stands."""
        out = int(self.tables.slots[self.best.out].sum())
        return Progress(
            iterations=self.iterations, objective=self.curve[-1][1], unfilled=out, improved_at=self.improved_at
        )

    def step(self, heat: float) -> None:
        """One iteration at temperature `heat` in points."""
        self.iterations += 1
        spread_keys(self.state)
        anneal(self.tables, self.state, self.journal, self.best, self.words, self.mix, MOVES, heat)
        if self.best.points[0] < self.curve[-1][1]:
            self.improved_at = self.iterations
            self.curve.append((self.iterations, int(self.best.points[0])))

    def again(self) -> None:
        """From the best so far."""
        recall(self.tables, self.state, self.best)

    def answer(self) -> Answer:
        """The best so far as an answer."""
        recall(self.tables, self.state, self.best)
        assert points(self.tables, self.state) == self.best.points[0]
        return Answer(runs=stops_of(state=self.state), iterations=self.iterations, curve=tuple(self.curve))


def stops_of(*, state: State) -> dict[int, Stops]:
    """The state's runs as every engine gives them."""
    runs: dict[int, Stops] = {}
    for r, first in enumerate(state.links.first.tolist()):
        stops, t = [], first
        while t >= 0:
            stops.append((t >> 1, t & 1, int(state.start[t])))
            t = int(state.links.after[t])
        if stops:
            runs[r] = tuple(stops)
    return runs
