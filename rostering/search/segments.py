"""The engine "segments": visits of one worker with one hard window and loads, by compiled ruin and recreate.

Every window is kept at every step, so that its plans can always be published. It knows no double-ups, no breaks and no
rule over several runs of one worker: those it refuses.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from rostering.problem import SECONDS_PER_DAY, Worker
from rostering.search.compiled import Compiled
from rostering.search.engine import Answer, Stops
from rostering.search.kernel.chance import seeded
from rostering.search.segments_anneal import anneal, recreate
from rostering.search.segments_arrays import TIME_MAX, Arrays, arrays_of, follow, runs_of
from rostering.search.segments_kernel import ABSENT, POINTS, WEIGHT
from rostering.stop import Progress, StopRule, share_used

CHUNK_MOVES = 200
HOT = 1.0
COLD = 0.02
REHEAT_MOVES = 500_000
ROUNDS = 4
ONE_ROUND_VISITS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentsEngine:
    """Slack induction by string removals under annealing, with granular insertion.

    Temperatures fall from `hot` to `cold` mean legs of the first plan, in `rounds` rounds one after another (None: by size;
    small problems, soon cold, gain from being heated again).
    """

    name: str = "segments"
    hot: float = HOT
    cold: float = COLD
    rounds: int | None = None

    def refuses(self, *, compiled: Compiled) -> str | None:
        """Double-ups, several windows, soft times, fixed visits, breaks, and rules over a worker's several runs."""
        return _of_demands(compiled) or _of_weights(compiled) or _of_workers(compiled)

    def search(
        self,
        *,
        compiled: Compiled,
        stop: StopRule,
        seed: int,
        start: Mapping[int, Stops] | None = None,
        report: Callable[[Progress], None] | None = None,
    ) -> Answer:
        """The best answer before `stop`; what a warm start leaves out, or cannot have, is put where it costs least."""
        if not compiled.demands or not compiled.duties:
            return Answer(runs={}, iterations=0, curve=((0, sum(compiled.penalty)),))
        arrays = arrays_of(compiled=compiled)
        if start is not None:
            follow(arrays=arrays, start=start)
        return _Search(compiled, arrays, seed, self).run(stop, report)


class _Search:
    """One search: the arrays, the best plan's copy, and where it stands."""

    def __init__(self, compiled: Compiled, arrays: Arrays, seed: int, engine: SegmentsEngine) -> None:
        n, duties = len(arrays.stops), len(arrays.runs)
        self.compiled, self.arrays, self.hot, self.cold = compiled, arrays, engine.hot, engine.cold
        self.rounds = engine.rounds or (ROUNDS if n < ONE_ROUND_VISITS else 1)
        self.words = seeded(seed)
        self.work = np.zeros((3, n), np.int64)
        self.kept = np.zeros((duties + 1, 3), np.int64), np.zeros((n + 1, 4), np.int64)
        a = arrays
        recreate(
            a.travel, a.stops, a.runs, a.groups, a.dear, a.lists, a.idle, a.absent, a.total, *self.kept, self.words,
            self.work, n,
        )  # fmt: skip
        self.best = a.stops.copy(), a.runs.copy(), a.total.copy()
        self.leg = max(1.0, float(a.travel_of(*self.best[:2]) * max(1, a.total[WEIGHT])) / n)
        self.moves = self.improved_at = 0
        self.curve = [(0, int(a.total[POINTS]))]

    def run(self, stop: StopRule, report: Callable[[Progress], None] | None) -> Answer:
        """Chunks of moves until `stop` says so, ever cooler as its share is used."""
        while not stop(progress := self.progress()):
            if report is not None:
                report(progress)
            self._chunk(min(CHUNK_MOVES, self.moves + 1), self._heat(stop, progress))
        runs = runs_of(compiled=self.compiled, stops=self.best[0], runs=self.best[1])
        return Answer(runs=runs, iterations=self.moves, curve=tuple(self.curve))

    def progress(self) -> Progress:
        """Where it stands."""
        total = self.best[2]
        return Progress(
            iterations=self.moves,
            objective=int(total[POINTS]),
            unfilled=int(total[ABSENT]),
            improved_at=self.improved_at,
        )

    def _heat(self, stop: StopRule, progress: Progress) -> float:
        share = share_used(stop=stop, progress=progress)
        if share is None:
            share = (self.moves % REHEAT_MOVES) / REHEAT_MOVES
        share = 1.0 if share >= 1 else share * self.rounds % 1.0
        return self.leg * self.hot * math.pow(self.cold / self.hot, share)

    def _chunk(self, moves: int, heat: float) -> None:
        a = self.arrays
        improved = anneal(
            a.travel, a.stops, a.runs, a.groups, a.dear, a.lists, a.near, a.idle, a.absent, a.total, *self.best,
            *self.kept, self.words, self.work, moves, heat,
        )  # fmt: skip
        if improved >= 0:
            self.improved_at = self.moves + int(improved) + 1
            self.curve.append((self.improved_at, int(self.best[2][POINTS])))
        self.moves += moves


def _of_demands(compiled: Compiled) -> str | None:
    weights, demands = compiled.problem.weights, compiled.demands
    told = {
        "double-ups": any(len(demand.slots) != 1 for demand in demands),
        "visits with several windows": any(len(windows) > 1 for windows in compiled.windows),
        "soft due times": any(demand.due is not None or demand.due_windows for demand in demands),
        "preferred starts": any(demand.preferred_start is not None for demand in demands),
        "pinned and promised visits": any(compiled.fixed),
        "incompatible workers": weights.incompatible and any(demand.incompatible_workers for demand in demands),
        "gaps between visits of one customer": _gaps_matter(compiled),
    }
    return next((name for name, is_so in told.items() if is_so), None)


def _gaps_matter(compiled: Compiled) -> bool:
    times = Counter(demand.customer for demand in compiled.demands)
    return any(demand.gap_seconds > 0 and times[demand.customer] > 1 for demand in compiled.demands)


def _of_weights(compiled: Compiled) -> str | None:
    weights, travel = compiled.problem.weights, compiled.problem.travel
    for name in ("waiting", "waiting_worst", "idle_worst", "balance", "stranger"):
        if getattr(weights, name):
            return f"a weight of {name}"
    if any(matrix.size and int(matrix.max()) >= TIME_MAX for matrix in travel.seconds_by_mode.values()):
        return "travel times that long"
    return None


def _of_workers(compiled: Compiled) -> str | None:
    horizon = compiled.problem.horizon
    if horizon.end - horizon.start >= 7 * SECONDS_PER_DAY and any(w.weekly_rest_seconds for w in compiled.workers):
        return "weekly rest"
    if any(len(duties) > 1 for duties in compiled.duties_of):
        return "workers with several runs"
    return next((said for worker in compiled.workers if (said := _of_worker(worker))), None)


def _of_worker(worker: Worker) -> str | None:
    told = {
        "hours limits": worker.hours_limit_seconds is not None,
        "breaks": worker.break_rule is not None or worker.meal is not None,
        "overtime": worker.overtime_seconds_max > 0,
        "days that end elsewhere": worker.finish is not None,
        "leaving at the start of a shift": worker.leaves_at_shift_start,
    }
    return next((name for name, is_so in told.items() if is_so), None)
