"""A roster as it stands, as lines that know the rules: what may be put in or taken out, and the roster afterwards.

It is changed only in place by `apply`, and copied to try something. It ranks nothing and searches nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from rostering.constraint import RunTimes, Span
from rostering.constraints import CONSTRAINTS
from rostering.constraints.availability import rested_pieces
from rostering.lines import Line, Planned, line_of, times_of
from rostering.problem import TIME_MAX, Demand, Worker
from rostering.roster import Run, timed_run
from rostering.standing_rules import Rules, clear_of, met

Slot = tuple[str, int]
"""(visit, slot)."""
Change = Mapping[int, tuple[Planned, ...]]
"""What lines hold instead, by their number."""
Keep = Callable[[Demand, int | None], Span]
"""Bounds on a visit's start beside the rules: (earliest, latest), given where it starts (None: it is not placed)."""


@dataclass(slots=True, kw_only=True)
class Standing:
    """Lines by number, where each slot is, and each visit's span; `loose` runs lie in no line and stay as they are.

    `keep` bounds how far visits may move beside the rules; `published` are the runs that the lines began with.
    """

    rules: Rules
    keep: Keep | None
    lines: list[Line]
    line_of_slot: dict[Slot, int]
    starts: dict[Slot, int]
    spans: dict[str, Span]
    loose: tuple[Run, ...]
    lines_of_worker: Mapping[str, tuple[int, ...]]
    published: Mapping[int, Run]

    @classmethod
    def of(cls, *, rules: Rules, runs: Sequence[Run], keep: Keep | None = None) -> Standing:
        """The runs as lines of every worker of the problem. Runs that lie in no line of their worker are loose."""
        by_worker: defaultdict[str, list[Run]] = defaultdict(list)
        for run in runs:
            by_worker[run.worker].append(run)
        standing = cls._empty(rules, keep)
        for run in runs:
            for stop in run.stops:
                standing.starts[stop.visit, stop.slot] = stop.start
                was = standing.spans.get(stop.visit, (stop.start, stop.end))
                standing.spans[stop.visit] = min(was[0], stop.start), max(was[1], stop.end)
        found: dict[int, Run] = {}
        numbers: dict[str, tuple[int, ...]] = {}
        for worker in rules.problem.workers:
            before = len(standing.lines)
            found |= standing.add_lines(worker, by_worker[worker.id])
            numbers[worker.id] = tuple(range(before, len(standing.lines)))
        in_lines = {id(run) for run in found.values()}
        standing.loose = tuple(run for run in runs if id(run) not in in_lines)
        standing.lines_of_worker, standing.published = numbers, found
        return standing

    @classmethod
    def _empty(cls, rules: Rules, keep: Keep | None) -> Standing:
        return cls(
            rules=rules,
            keep=keep,
            lines=[],
            line_of_slot={},
            starts={},
            spans={},
            loose=(),
            lines_of_worker={},
            published={},
        )

    def add_lines(self, worker: Worker, runs: Sequence[Run]) -> dict[int, Run]:
        """Lines for every time of a worker, with those of the runs that lie in one; these by line number."""
        used: dict[int, Run] = {}
        for start, end in rested_pieces(worker=worker):
            inside = [run for run in runs if start <= run.leave and run.back <= end]
            if len(inside) > 1 or any(run.leave < end and start < run.back for run in runs if run not in inside):
                continue
            stops = tuple((self.rules.demands[s.visit], s.slot, s.start) for run in inside for s in run.stops)
            number = len(self.lines)
            used.update((number, run) for run in inside)
            self.lines.append(self._line(worker, start, end, stops))
            for demand, slot, _ in stops:
                self.line_of_slot[demand.id, slot] = number
        return used

    def _line(self, worker: Worker, start: int, end: int, stops: tuple[Planned, ...]) -> Line:
        return line_of(worker=worker, start=start, end=end, stops=stops, give=self.give, legs_of=self.rules.legs_of)

    def copy(self) -> Standing:
        """A standing roster that can be changed without changing this one."""
        return Standing(
            rules=self.rules,
            keep=self.keep,
            lines=self.lines[:],
            line_of_slot=self.line_of_slot.copy(),
            starts=self.starts.copy(),
            spans=self.spans.copy(),
            loose=self.loose,
            lines_of_worker=self.lines_of_worker,
            published=self.published,
        )

    def changed(self, change: Change) -> Standing:
        """A copy in which the lines hold this instead."""
        after = self.copy()
        after.apply(change)
        return after

    def give(self, demand: Demand, start: int) -> Span:
        """How far the visit may move from `start`: not at all when pinned, promised or done by two at once."""
        if demand.is_pinned or demand.must_keep or len(demand.slots) > 1:
            return start, start
        lo, hi = next(((a, b) for a, b in self.rules.starts(demand) if a <= start <= b), (start, start))
        if self.keep is not None:
            kept = self.keep(demand, start)
            lo, hi = max(lo, kept[0]), min(hi, kept[1])
        if lo < hi and self.rules.is_spaced(demand):
            for a, b in self.rules.blocked(demand, self.spans):
                if a < start < b:
                    return start, start
                lo, hi = (max(lo, b), hi) if start >= b else (lo, min(hi, a))
        return (lo, hi) if lo <= start <= hi else (start, start)

    def spans_for(self, *, demand: Demand, slot: int) -> list[Span]:
        """Legal starts of a slot that is not placed, as its other half (if placed) and its customer's others leave."""
        spans = list(self.rules.starts(demand))
        if self.keep is not None:
            spans = met(spans, [self.keep(demand, None)])
        if self.rules.is_spaced(demand):
            spans = clear_of(spans, self.rules.blocked(demand, self.spans))
        if len(demand.slots) == 1:
            return spans
        other = self.starts.get((demand.id, 1 - slot))
        if demand.sync.independent:
            return spans
        least, most = apart(demand=demand)
        if slot:
            return [(lo + least, hi + most) for lo, hi in spans] if other is None else [(other + least, other + most)]
        return spans if other is None else met(spans, [(other - most, other - least)])

    def missing(self, *, demand: Demand) -> tuple[int, ...]:
        """The visit's slots that nobody has."""
        return tuple(slot for slot in range(len(demand.slots)) if (demand.id, slot) not in self.starts)

    def worker_of(self, *, visit: str, slot: int) -> str | None:
        """Who has the slot, in a line or in a loose run."""
        number = self.line_of_slot.get((visit, slot))
        if number is not None:
            return self.lines[number].worker.id
        loose = (run.worker for run in self.loose for stop in run.stops if (stop.visit, stop.slot) == (visit, slot))
        return next(loose, None)

    def allows(self, change: Change) -> bool:
        """Whether the rules of runs, of workers' days and of customers' gaps let the lines hold this instead.

        A rule that a line breaks already does not forbid it. Time is not checked: places are made to fit.
        """
        fresh = {number: self._times(number, stops) for number, stops in change.items()}
        for number, times in fresh.items():
            line = self.lines[number]
            if times.starts and not self._run_allowed(line, times):
                return False
        return all(self._days_allowed(number, fresh) for number in change) and self._gaps_allowed(change)

    def _times(self, number: int, stops: tuple[Planned, ...]) -> RunTimes:
        return times_of(stops=stops, legs=self.legs(number=number, stops=stops))

    def legs(self, *, number: int, stops: Sequence[Planned]) -> list[int]:
        """Seconds into each stop and home from the last, for the line's worker."""
        worker = self.lines[number].worker
        here, found, mode = worker.home, [], worker.mode
        for demand, _, _ in stops:
            found.append(0 if here is None else self.rules.legs_of.between(mode, here, demand.place))
            here = demand.place
        last = worker.last_place
        found.append(0 if here is None or last is None else self.rules.legs_of.between(mode, here, last))
        return found

    def _run_allowed(self, line: Line, times: RunTimes) -> bool:
        asks = [encoding.run for encoding in self.rules.encodings if encoding.run]
        return all(ask(line.worker, times) or (line.stops and not ask(line.worker, line.times())) for ask in asks)

    def forbidden_by(self, *, number: int, stops: tuple[Planned, ...]) -> str | None:
        """The first rule of runs or of workers' days that the line would break with these stops, or None."""
        return next(iter(self.all_forbidden_by(number=number, stops=stops)), None)

    def all_forbidden_by(self, *, number: int, stops: tuple[Planned, ...]) -> list[str]:
        """Every rule of runs or of workers' days that the line would break with these stops, in the rules' order."""
        line, times = self.lines[number], self._times(number, stops)
        runs = self._day_runs(number, {number: times})
        return [
            rule.name
            for rule, encoding in zip(CONSTRAINTS, self.rules.encodings, strict=True)
            if (encoding.run is not None and not encoding.run(line.worker, times))
            or (encoding.days is not None and not encoding.days(line.worker, runs))
        ]

    def _day_runs(self, number: int, fresh: Mapping[int, RunTimes]) -> list[RunTimes]:
        worker = self.lines[number].worker
        loose = (run_times(run) for run in self.loose if run.worker == worker.id)
        own = self.lines_of_worker[worker.id]
        return in_order((fresh[n] if n in fresh else self.lines[n].times() for n in own), loose)

    def _days_allowed(self, number: int, fresh: Mapping[int, RunTimes]) -> bool:
        worker = self.lines[number].worker
        runs = self._day_runs(number, fresh)
        failed = [e.days for e in self.rules.encodings if e.days is not None and not e.days(worker, runs)]
        if not failed:
            return True
        before = self._day_runs(number, {})
        return all(not ask(worker, before) for ask in failed)

    def _gaps_allowed(self, change: Change) -> bool:
        moved = [
            (demand, start)
            for stops in change.values()
            for demand, slot, start in stops
            if self.starts.get((demand.id, slot)) != start and self.rules.is_spaced(demand)
        ]
        if not moved:
            return True
        spans = {**self.spans, **spans_of((*change.values(), self._other_halves(change)))}
        for demand, _ in moved:
            start = spans[demand.id][0]
            if any(a < start < b for a, b in self.rules.blocked(demand, spans)):
                return False
        return True

    def _other_halves(self, change: Change) -> list[Planned]:
        """Halves of the change's double-ups that are in other lines."""
        here = {(demand.id, slot): demand for stops in change.values() for demand, slot, _ in stops}
        twos = [(demand, 1 - slot) for (_, slot), demand in here.items() if len(demand.slots) == 2]
        return [
            (demand, slot, self.starts[demand.id, slot])
            for demand, slot in twos
            if (demand.id, slot) not in here and (demand.id, slot) in self.starts
        ]

    def apply(self, change: Change) -> None:
        """Let the lines hold this instead, and let their neighbours' bounds follow."""
        touched: set[str] = set()
        for number in change:
            for demand, slot, _ in self.lines[number].stops:
                touched.add(demand.id)
                del self.line_of_slot[demand.id, slot], self.starts[demand.id, slot]
        for number, stops in change.items():
            for demand, slot, start in stops:
                touched.add(demand.id)
                self.line_of_slot[demand.id, slot], self.starts[demand.id, slot] = number, start
        dirty = set(change)
        for visit in touched:
            was = self.spans.get(visit)
            if self._respan(visit) != was:
                near = self.rules.siblings[self.rules.demands[visit].customer]
                dirty |= {self.line_of_slot[other, 0] for other in near if (other, 0) in self.line_of_slot}
        for number in dirty:
            line = self.lines[number]
            stops = change.get(number, line.stops)
            self.lines[number] = self._line(line.worker, line.start, line.end, stops)

    def _respan(self, visit: str) -> Span | None:
        demand = self.rules.demands[visit]
        starts = [(slot, self.starts[visit, slot]) for slot in (0, 1) if (visit, slot) in self.starts]
        if not starts:
            self.spans.pop(visit, None)
            return None
        ends = [start + demand.slots[slot].service_seconds for slot, start in starts]
        span = self.spans[visit] = min(start for _, start in starts), max(ends)
        return span

    def runs(self) -> tuple[Run, ...]:
        """The runs as they stand, loose ones included, by worker and time."""
        problem = self.rules.problem
        made = [
            timed_run(problem=problem, worker=line.worker, stops=list(line.stops)) for line in self.lines if line.stops
        ]
        return tuple(sorted((*made, *self.loose), key=lambda run: (run.worker, run.leave)))


def apart(*, demand: Demand) -> Span:
    """Least and most seconds from the first slot's start to the second's."""
    if demand.sync.independent:
        return -TIME_MAX, TIME_MAX
    return demand.sync.min_seconds, demand.sync.max_seconds


def spans_of(lines: Iterable[Sequence[Planned]]) -> dict[str, Span]:
    """From the first start to the last end of each visit in the stops."""
    spans: dict[str, Span] = {}
    for stops in lines:
        for demand, slot, start in stops:
            end = start + demand.slots[slot].service_seconds
            was = spans.get(demand.id, (start, end))
            spans[demand.id] = min(was[0], start), max(was[1], end)
    return spans


def in_order(some: Iterable[RunTimes], more: Iterable[RunTimes]) -> list[RunTimes]:
    """The runs that have a stop, by when they leave."""
    return sorted((times for times in (*some, *more) if times.starts), key=lambda times: times.leave)


def run_times(run: Run) -> RunTimes:
    """A finished run's times, as the rules of a run ask for them."""
    return RunTimes(
        run.leave,
        run.back,
        tuple(stop.arrive for stop in run.stops),
        tuple(stop.start for stop in run.stops),
        tuple(stop.end for stop in run.stops),
    )
