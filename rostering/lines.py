"""A published run as a line of visits that may give a little: where another fits, and what it pushes; no ranking."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from rostering.constraints.availability import rested_pieces
from rostering.problem import Demand, Problem, Worker
from rostering.roster import Roster, Run, timed_run

Planned = tuple[Demand, int, int]
"""(demand, slot, published start)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One unbroken time of a worker and what is published in it; lo and hi bound how far each start may give."""

    problem: Problem
    worker: Worker
    start: int
    end: int
    stops: tuple[Planned, ...]
    lo: tuple[int, ...]
    hi: tuple[int, ...]

    def emptied(self) -> Line:
        """The same time without any visit."""
        return replace(self, stops=(), lo=(), hi=())

    def leg(self, a: int | None, b: int | None) -> int:
        """Seconds between two places (None: the worker's home is not rostered)."""
        return 0 if a is None or b is None else self.problem.travel.between(self.worker.mode, a, b)

    def place_at(self, at: int) -> int | None:
        """Where stop `at` is; home before the first and after the last."""
        return self.stops[at][0].place if 0 <= at < len(self.stops) else self.worker.home

    def service(self, at: int) -> int:
        """Seconds of service at stop `at`."""
        demand, slot, _ = self.stops[at]
        return demand.slots[slot].service_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A slot of a visit put into a line before stop `at`, startable from `first` to `last`, at `start`."""

    line: Line
    at: int
    slot: int
    service_seconds: int
    here: int
    first: int
    last: int
    start: int
    extra_travel_seconds: int

    def starting(self, *, start: int) -> Place:
        """The same place at another start within [first, last]."""
        return replace(self, start=start)

    def others(self) -> list[int]:
        """Starts of the line's own stops: each as published, or pushed just as far as needed."""
        line = self.line
        starts = [start for _, _, start in line.stops]
        limit, there = self.start, self.here
        for i in range(self.at - 1, -1, -1):
            limit -= line.leg(line.place_at(i), there) + line.service(i)
            if starts[i] <= limit:
                break
            starts[i], there = limit, line.stops[i][0].place
        free, there = self.start + self.service_seconds, self.here
        for i in range(self.at, len(starts)):
            free += line.leg(there, line.place_at(i))
            if starts[i] >= free:
                break
            starts[i] = free
            free, there = free + line.service(i), line.stops[i][0].place
        return starts

    def moved_seconds(self) -> int:
        """Seconds by which the line's own stops move, in all."""
        return sum(abs(new - old) for new, (_, _, old) in zip(self.others(), self.line.stops, strict=True))

    def run(self, *, problem: Problem, demand: Demand) -> Run:
        """The line's run with `demand`'s slot in it."""
        stops = [(d, k, start) for (d, k, _), start in zip(self.line.stops, self.others(), strict=True)]
        stops.insert(self.at, (demand, self.slot, self.start))
        return timed_run(problem=problem, worker=self.line.worker, stops=stops)


def lines_of(*, problem: Problem, roster: Roster) -> list[Line]:
    """Every unbroken time of every worker with the run in it. A run that lies in none of them cannot take anything."""
    demands = problem.demand_by_id()
    lines: list[Line] = []
    for worker in problem.workers:
        runs = [run for run in roster.runs if run.worker == worker.id]
        for start, end in rested_pieces(worker=worker):
            inside = [run for run in runs if start <= run.leave and run.back <= end]
            if len(inside) > 1 or any(run.leave < end and start < run.back for run in runs if run not in inside):
                continue
            stops = tuple((demands[s.visit], s.slot, s.start) for run in inside for s in run.stops)
            bounds = [_give(stop) for stop in stops]
            lines.append(
                Line(
                    problem=problem,
                    worker=worker,
                    start=start,
                    end=end,
                    stops=stops,
                    lo=tuple(lo for lo, _ in bounds),
                    hi=tuple(hi for _, hi in bounds),
                )
            )
    return lines


def _give(stop: Planned) -> tuple[int, int]:
    demand, _, start = stop
    if demand.is_pinned or demand.must_keep or len(demand.slots) > 1:
        return start, start
    for window in demand.windows:
        if window.earliest <= start <= window.latest:
            return window.earliest, window.latest
    return start, start


def places_in(*, line: Line, demand: Demand, slot: int) -> Iterator[Place]:
    """Every place of the demand's slot in the line, at the start that moves least (then nearest to the preferred)."""
    early, late = _bounds(line)
    if early is None or late is None:
        return
    service, here = demand.slots[slot].service_seconds, demand.place
    for window in demand.windows:
        shift = (demand.sync.min_seconds, demand.sync.max_seconds) if slot else (0, 0)
        for at in range(len(line.stops) + 1):
            leg_in, leg_out = line.leg(line.place_at(at - 1), here), line.leg(here, line.place_at(at))
            free = early[at - 1] + line.service(at - 1) if at else line.start
            until = late[at] if at < len(line.stops) else line.end
            first = max(free + leg_in, window.earliest + shift[0])
            last = min(until - leg_out - service, window.latest + shift[1])
            if first <= last:
                skipped = line.leg(line.place_at(at - 1), line.place_at(at)) if line.stops else 0
                place = Place(
                    line=line,
                    at=at,
                    slot=slot,
                    service_seconds=service,
                    here=here,
                    first=first,
                    last=last,
                    start=first,
                    extra_travel_seconds=leg_in + leg_out - skipped,
                )
                yield _gentlest(place, demand, leg_in, leg_out)


def _gentlest(place: Place, demand: Demand, leg_in: int, leg_out: int) -> Place:
    line, at = place.line, place.at
    tries = [place.first, place.last]
    if at:
        tries.append(line.stops[at - 1][2] + line.service(at - 1) + leg_in)
    if at < len(line.stops):
        tries.append(line.stops[at][2] - leg_out - place.service_seconds)
    want = demand.preferred_start
    if want is not None:
        tries.append(want)
    options = [place.starting(start=min(max(start, place.first), place.last)) for start in tries]
    return min(
        options,
        key=lambda each: (each.moved_seconds(), 0 if want is None else abs(each.start - want), each.start),
    )


def _bounds(line: Line) -> tuple[list[int] | None, list[int] | None]:
    """Earliest and latest starts of the line's stops, or None when what is published does not fit itself."""
    free, early = line.start, []
    for i in range(len(line.stops)):
        start = max(free + line.leg(line.place_at(i - 1), line.place_at(i)), line.lo[i])
        if start > line.stops[i][2]:
            return None, None
        early.append(start)
        free = start + line.service(i)
    until = line.end - (line.leg(line.place_at(len(line.stops) - 1), line.worker.home) if line.stops else 0)
    late = [0] * len(early)
    for i in range(len(early) - 1, -1, -1):
        until = min(line.hi[i], until - line.service(i))
        if until < line.stops[i][2]:
            return None, None
        late[i] = until
        until -= line.leg(line.place_at(i - 1), line.place_at(i))
    return early, late
