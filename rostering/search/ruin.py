"""The Python search over runs as an engine: insertion, ruin and recreate, CP-SAT; it repairs nothing of its own."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rostering.search.compiled import Compiled
from rostering.search.engine import Answer, Stops
from rostering.search.insertion import insert
from rostering.search.pool import recombine
from rostering.search.recreate import Found, construct, improve
from rostering.search.runs import timed
from rostering.search.state import SearchState
from rostering.stop import Progress, StopRule


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsEngine:
    """Ruin and recreate over runs with hard windows. `effort_seconds` is CP-SAT's deterministic time."""

    name: str = "runs"
    ruin_mean: int = 10
    temperature: int = 60
    effort_seconds: int = 2
    columns_max: int = 6_000

    def refuses(self, *, compiled: Compiled) -> str | None:
        """Loads, which it does not sum: nothing else of what can be compiled."""
        limited = any(worker.capacity is not None for worker in compiled.workers)
        return "loads" if limited and any(demand.load for demand in compiled.demands) else None

    def search(
        self,
        *,
        compiled: Compiled,
        stop: StopRule,
        seed: int,
        start: Mapping[int, Stops] | None = None,
        report: Callable[[Progress], None] | None = None,
    ) -> Answer:
        """The best answer before `stop`; what a warm start leaves out is inserted first."""
        first = construct(compiled=compiled) if start is None else state_of(compiled=compiled, runs=start)
        fill(state=first)
        found = improve(
            start=first,
            stop=stop,
            rng=random.Random(seed),
            ruin_mean=self.ruin_mean,
            temperature=self.temperature,
            report=report,
        )
        if self.effort_seconds:
            self._recombine(compiled, found, seed)
        return answer_of(found=found)

    def _recombine(self, compiled: Compiled, found: Found, seed: int) -> None:
        columns = list(found.columns.values())[-self.columns_max :]
        seen = {id(run) for _, run in columns}
        columns += [(r, run) for r, run in enumerate(found.best.runs) if run.items and id(run) not in seen]
        if not columns:
            return
        combined = recombine(
            compiled=compiled, columns=columns, hint=found.best, seed=seed, effort_seconds=self.effort_seconds
        )
        if combined is not None:
            fill(state=combined)
            if combined.objective() < found.objective:
                found.best, found.objective = combined, combined.objective()
                found.curve.append((found.iterations, found.objective))


def fill(*, state: SearchState) -> None:
    """Absent visits are inserted where they fit, in order."""
    for d in sorted(state.absent):
        insert(state=state, d=d)


def answer_of(*, found: Found) -> Answer:
    """What was found, as every engine gives it."""
    runs = {
        r: tuple((d, k, s) for (d, k), s in zip(run.items, run.times.starts, strict=True))
        for r, run in enumerate(found.best.runs)
        if run.items
    }
    return Answer(runs=runs, iterations=found.iterations, curve=tuple(found.curve))


def state_of(*, compiled: Compiled, runs: Mapping[int, Stops]) -> SearchState:
    """An answer's runs as a search state. What a run's own rules refuse is left out: its visits are absent.

    Anchored visits keep their start; the others may move within the window they are in.
    """
    kept = {r: stops for r, stops in runs.items() if stops}
    while True:
        state = SearchState.empty(compiled=compiled)
        spans: dict[int, list[tuple[int, int]]] = {}
        for r, stops in kept.items():
            _hold(state, r, stops, spans)
        whole = {d for d, found in spans.items() if len(found) == len(compiled.demands[d].slots)}
        if len(whole) == len(spans):
            state.absent -= whole
            for d in whole:
                state.spans[compiled.demands[d].id] = (min(a for a, _ in spans[d]), max(b for _, b in spans[d]))
            return state
        kept = {r: tuple(stop for stop in stops if stop[0] in whole) for r, stops in kept.items()}


def _hold(state: SearchState, r: int, stops: Stops, spans: dict[int, list[tuple[int, int]]]) -> None:
    compiled = state.compiled
    bounds = [_bounds(compiled, d, start) for d, _, start in stops]
    items = [(d, k) for d, k, _ in stops]
    run = timed(compiled=compiled, r=r, items=items, lo=[lo for lo, _ in bounds], hi=[hi for _, hi in bounds])
    if run is None:
        return
    state.runs[r] = run
    for (d, k), start in zip(items, run.times.starts, strict=True):
        state.duty_of[d, k] = r
        spans.setdefault(d, []).append((start, start + compiled.demands[d].slots[k].service_seconds))


def _bounds(compiled: Compiled, d: int, start: int) -> tuple[int, int]:
    if compiled.anchored[d]:
        return start, start
    return next(((lo, hi) for lo, hi in compiled.windows[d] if lo <= start <= hi), (start, start))
