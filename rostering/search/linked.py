"""The engine "linked": simulated annealing over linked runs, for soft due times, double-ups and sequences.

Visits have one order; each slot has a worker; every visit starts as early as that allows. What an order cannot say
(breaks, several windows, pins ...) it refuses. Temperatures follow the share of the stop rule that is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rostering.search.compiled import Compiled
from rostering.search.engine import Answer, Stops
from rostering.search.kernel.links import AFTER, FIRST, RUN
from rostering.search.linked_first import first_state, started_state
from rostering.search.linked_state import EXTRA, START, State, by_stop
from rostering.search.linked_tables import PENALTY, PER_TRAVEL, SLOTS, Tables, by_eight, refusal, tables_of
from rostering.search.linked_walk import Walk, walk_from
from rostering.search.tempered import Tempered, ladder
from rostering.stop import Progress, StopRule, share_used

IDLE_ROUND = 2_000
"""Iterations of a round when no rule says what share is used."""
ROUNDS = ((120, 1), (60, 3), (0, 6))
"""(visits at least, rounds)."""
TEMPERED_BELOW = 60
"""Visits: smaller rosters are annealed once, in FIRST_SHARE of the time, and then searched at WALKS temperatures at once."""
FIRST_SHARE = 0.15
WALKS = 8
COOLEST, HOTTEST = 1.5, 0.06
"""The coolest of those in the temperature that annealing ends at, the hottest in the one that it begins at."""
ALMOST_ALL = 0.999_999
PROBE = (1.0, 0.01)
PROBE_SHARE = 0.03
DEAREST = 1.5
TIGHT, TIGHTER = 0.7, 4.0
"""Where stops are dearer than this, lateness rules: a roster begins so many times hotter (75_1: +6 % without, +1 % with)."""
HOTTER_BELOW = 150
"""Visits: smaller rosters begin hotter, by as many times as they are smaller."""
OPTIONAL_LEGS = 100
"""A visit whose penalty is under so many mean legs may be left out for gain."""
MIX = (0.48, 0.58, 0.71, 0.78, 0.86, 0.94, 1.00)
MIX_WITH_OPTIONAL = (0.48, 0.58, 0.71, 0.78, 0.86, 0.94, 0.995)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedEngine:
    """Anneals in `rounds` rounds one after another (None: by size); the smallest go on at several temperatures (`tempered`).

    Temperatures are measured in a mean leg. A short probe tells how dear a stop is in the best roster, in mean legs:
    `dear`. A round then falls from `hot * dear ** 2` to `cold * dear` (measured: where stops are cheap beside a mean
    leg, hotter rosters are random; where due times are tight, colder ones never leave their first shape). A warm start
    begins at `warm`.
    """

    name: str = "linked"
    hot: float = 2.5
    cold: float = 0.015
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
        cooling = _Cooling(engine=self, search=search, probed=start is None)
        while not stop(progress := search.progress()):
            if report is not None:
                report(progress)
            search.step(cooling.heat(share=share_used(stop=stop, progress=progress), iterations=progress.iterations))
        return search.answer()


@dataclass(slots=True, kw_only=True)
class _Cooling:
    """The temperature, in points, at each share of the stop rule used."""

    engine: LinkedEngine
    search: _Search
    probed: bool
    top: float = field(init=False)
    bottom: float = field(init=False)
    leg: float = field(init=False)
    begins: float = 0.0
    is_tempered: bool = False

    def __post_init__(self) -> None:
        tables = self.search.tables
        self.leg = max(1.0, _mean_leg(tables) * float(tables.run[PER_TRAVEL]))
        self.top = PROBE[0] if self.probed else self.engine.warm
        self.bottom = PROBE[1] if self.probed else self.engine.cold * min(1.0, self.search.dear(self.leg))

    def heat(self, *, share: float | None, iterations: int) -> float:
        """The temperature now; without a share, in rounds of IDLE_ROUND iterations."""
        rounds = self.engine.rounds or next(rounds for size, rounds in ROUNDS if self.search.visits >= size)
        if share is None:
            share, rounds = (iterations % IDLE_ROUND) / IDLE_ROUND, 1
        if self.probed and share < PROBE_SHARE:
            return self._at(share / PROBE_SHARE)
        if self.probed:
            self.probed, self.begins = False, min(share, ALMOST_ALL)
            dear = min(DEAREST, self.search.dear(self.leg))
            small = max(1.0, HOTTER_BELOW / self.search.visits)
            self.top = self.engine.hot * small * dear**2 * (TIGHTER if dear > TIGHT else 1.0)
            self.bottom = self.engine.cold * dear
            self.is_tempered = self.engine.rounds is None and self.search.visits < TEMPERED_BELOW
        if self.is_tempered:
            return self._tempered(share)
        return self._at((min(share, ALMOST_ALL) - self.begins) / (1 - self.begins) * rounds % 1.0)

    def _tempered(self, share: float) -> float:
        """The temperature of the one annealing; from its end on that of the whole search, which is then tempered."""
        if share < FIRST_SHARE:
            return self._at((share - self.begins) / (FIRST_SHARE - self.begins))
        if self.search.tempered is None:
            coolest = COOLEST * self.leg * self.bottom
            hottest = max(2 * coolest, HOTTEST * self.leg * self.top)
            self.search.temper(ladder(coolest=coolest, hottest=hottest, many=WALKS))
        return self.leg * self.bottom

    def _at(self, within: float) -> float:
        return self.leg * self.top * float((self.bottom / self.top) ** within)


@dataclass(slots=True, kw_only=True)
class _Search:
    """A search under way: its walk, or several once a small roster is searched at several temperatures."""

    tables: Tables
    walk: Walk
    seed: int
    tempered: Tempered[Walk] | None = None
    iterations: int = 0
    improved_at: int = 0
    curve: list[tuple[int, int]]

    @classmethod
    def begun(cls, *, tables: Tables, state: State, seed: int) -> _Search:
        """At iteration 0, with `state` as the best so far."""
        cheap = tables.listed[:, PENALTY] < OPTIONAL_LEGS * _mean_leg(tables)
        optional = bool((by_stop(state)[::2, RUN] < 0).any()) or bool(cheap.any())
        walk = walk_from(tables=tables, state=state, seed=seed, mix=MIX_WITH_OPTIONAL if optional else MIX)
        return cls(tables=tables, walk=walk, seed=seed, curve=[(0, int(walk.best.points[0]))])

    @property
    def visits(self) -> int:
        """How many visits there are."""
        return len(self.walk.state.key)

    def progress(self) -> Progress:
        """Where it stands."""
        out = int(by_eight(self.tables.visit)[self.walk.best.run_of[::2] < 0, SLOTS].sum())
        return Progress(
            iterations=self.iterations, objective=self.curve[-1][1], unfilled=out, improved_at=self.improved_at
        )

    def dear(self, leg: float) -> float:
        """Points of a stop in the best roster, all but what is unfilled or not preferred, in mean legs."""
        self.walk.go_back()
        state = self.walk.state
        stops = max(1, int((by_stop(state)[:, RUN] >= 0).sum()))
        return max(1e-3, (self.walk.cost - int(state.sums[EXTRA])) / stops / leg)

    def step(self, heat: float) -> None:
        """One iteration at temperature `heat` in points, or at that of the walk whose turn it is."""
        self.iterations += 1
        walk = self.walk
        if self.tempered is not None:
            walk, heat = self.tempered.turn()
        walk.step(heat=heat)
        if walk.best.points[0] < self.curve[-1][1]:
            self.improved_at = self.iterations
            self.curve.append((self.iterations, int(walk.best.points[0])))

    def temper(self, heats: tuple[float, ...]) -> None:
        """From now on a walk at each of the temperatures, all from the best so far."""
        self.tempered = Tempered(self.walk, heats, self.seed)

    def answer(self) -> Answer:
        """The best so far as an answer."""
        self.walk.go_back()
        assert self.walk.cost == self.walk.best.points[0]
        return Answer(runs=stops_of(state=self.walk.state), iterations=self.iterations, curve=tuple(self.curve))


def _mean_leg(tables: Tables) -> float:
    """Seconds from one visit to another."""
    return float(tables.leg[: tables.leg.shape[1]].mean())


def stops_of(*, state: State) -> dict[int, Stops]:
    """The state's runs as every engine gives them."""
    runs: dict[int, Stops] = {}
    stop = by_stop(state).tolist()
    for r, first in enumerate(state.run[FIRST::2].tolist()):
        stops, t = [], first
        while t >= 0:
            stops.append((t >> 1, t & 1, stop[t][START]))
            t = stop[t][AFTER]
        if stops:
            runs[r] = tuple(stops)
    return runs
