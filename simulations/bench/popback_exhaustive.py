"""Whether a pop-back fits into a published roster at all, by trying everything; slow, and apart from rostering.popback.

It reads the runs as they are, puts the visit at every position of every able worker's run, lets the others give way
inside their windows, and believes only the verifier. It shares no code with the desk that it judges.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rostering.problem import Demand, Problem, Shift, Window, Worker
from rostering.roster import Roster, Run, Unfilled, timed_run
from rostering.verify import violations

Planned = tuple[Demand, int, int]
Faults = frozenset[tuple[str, str | None, str | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seat:
    """A position in a run (None: a run of its own) and the starts that time allows there."""

    worker: Worker
    run: Run | None
    stops: tuple[Planned, ...]
    at: int
    first: int
    last: int


class Exhaustive:
    """Answers for one published roster, whose own violations are known and do not count against a pop-back."""

    def __init__(self, *, problem: Problem, roster: Roster) -> None:
        self._problem, self._roster = problem, roster
        self._demands = problem.demand_by_id()
        self._customers: defaultdict[str, set[str]] = defaultdict(set)
        for run in roster.runs:
            for stop in run.stops:
                self._customers[self._demands[stop.visit].customer].add(run.worker)

    def can_insert(self, *, demand: Demand, earliest: int, latest: int) -> bool:
        """Whether any worker (any two, for two slots) can start the visit in [earliest, latest]."""
        asked = replace(demand, windows=(Window(earliest, latest),), must_keep=True)
        seats = list(self._seats(asked, 0))
        if len(asked.slots) == 1:
            return any(self._stands(asked, [(0, seat, start)]) for seat in seats for start in _tries(seat, asked))
        others = list(self._seats(asked, 1))
        alone = [(seat, self._starts_alone(asked, 1, seat)) for seat in others]
        for one in seats:
            mine = self._starts_alone(asked, 0, one)
            for two, theirs in alone:
                if one.worker is not two.worker and mine & theirs:
                    start = min(mine & theirs)
                    if self._stands(asked, [(0, one, start), (1, two, start)]):
                        return True
        return False

    def _starts_alone(self, asked: Demand, slot: int, seat: _Seat) -> frozenset[int]:
        """Starts, on the minute, at which the one worker's run stands by itself."""
        single = replace(asked, slots=(asked.slots[slot],))
        minutes = range(-(-seat.first // 60) * 60, seat.last + 1, 60)
        return frozenset(start for start in minutes if self._stands(single, [(0, seat, start)]))

    def _seats(self, asked: Demand, slot: int) -> Iterator[_Seat]:
        for worker in self._problem.workers:
            if not _able(asked, slot, worker):
                continue
            mine = [run for run in self._roster.runs if run.worker == worker.id]
            for time in _times(worker):
                inside = [run for run in mine if time.start <= run.leave and run.back <= time.end]
                run = inside[0] if inside else None
                stops = tuple((self._demands[s.visit], s.slot, s.start) for s in run.stops) if run else ()
                for at in range(len(stops) + 1):
                    yield from self._seat(asked, slot, worker, run, stops, at, time)

    def _seat(
        self,
        asked: Demand,
        slot: int,
        worker: Worker,
        run: Run | None,
        stops: tuple[Planned, ...],
        at: int,
        time: Shift,
    ) -> Iterator[_Seat]:
        window = asked.windows[0]
        free, here = time.start, worker.home
        for demand, k, start in stops[:at]:
            free = max(free + self._leg(worker, here, demand.place), _give(demand, start)[0])
            free, here = free + demand.slots[k].service_seconds, demand.place
        first = max(free + self._leg(worker, here, asked.place), window.earliest)
        until, there = time.end, worker.last_place
        for demand, k, start in reversed(stops[at:]):
            until -= self._leg(worker, demand.place, there) + demand.slots[k].service_seconds
            until, there = min(until, _give(demand, start)[1]), demand.place
        last = until - self._leg(worker, asked.place, there) - asked.slots[slot].service_seconds
        last = min(last, window.latest)
        if first <= last:
            yield _Seat(worker=worker, run=run, stops=stops, at=at, first=first, last=last)

    def _leg(self, worker: Worker, a: int | None, b: int | None) -> int:
        return 0 if a is None or b is None else self._problem.travel.between(worker.mode, a, b)

    def _seated(self, asked: Demand, slot: int, seat: _Seat, start: int) -> tuple[Run | None, Run]:
        """(run before, run after) with the visit in the seat and the others pushed as far as they must."""
        worker, stops = seat.worker, list(seat.stops)
        there, limit = asked.place, start
        for i in range(seat.at - 1, -1, -1):
            demand, k, was = stops[i]
            limit -= self._leg(worker, demand.place, there) + demand.slots[k].service_seconds
            there, limit = demand.place, min(limit, was)
            stops[i] = demand, k, limit
        here, free = asked.place, start + asked.slots[slot].service_seconds
        for i in range(seat.at, len(stops)):
            demand, k, was = stops[i]
            at = max(free + self._leg(worker, here, demand.place), was)
            here, free = demand.place, at + demand.slots[k].service_seconds
            stops[i] = demand, k, at
        stops.insert(seat.at, (asked, slot, start))
        return seat.run, timed_run(problem=self._problem, worker=worker, stops=stops)

    def _stands(self, asked: Demand, taken: Sequence[tuple[int, _Seat, int]]) -> bool:
        """Whether the verifier finds nothing new in the runs of all who visit any customer of the changed runs."""
        swaps = [self._seated(asked, slot, seat, start) for slot, seat, start in taken]
        customers = {asked.customer} | {
            self._demands[stop.visit].customer for old, _ in swaps if old is not None for stop in old.stops
        }
        who = {seat.worker.id for _, seat, _ in taken}.union(*(self._customers.get(c, set()) for c in customers))
        before = [run for run in self._roster.runs if run.worker in who]
        gone = [id(old) for old, _ in swaps if old is not None]
        after = [run for run in before if id(run) not in gone] + [new for _, new in swaps]
        return self._faults(after, asked, who) <= self._faults(before, asked, who)

    def _faults(self, runs: Sequence[Run], asked: Demand, who: set[str]) -> Faults:
        placed = {(stop.visit, stop.slot) for run in runs for stop in run.stops}
        demands = [asked if visit == asked.id else self._demands[visit] for visit in sorted({v for v, _ in placed})]
        elsewhere = tuple(
            Unfilled(visit=demand.id, slot=slot, reason="elsewhere")
            for demand in demands
            for slot in range(len(demand.slots))
            if (demand.id, slot) not in placed
        )
        known = who | {pin for demand in demands for pin in demand.pinned_workers}
        workers = tuple(worker for worker in self._problem.workers if worker.id in known)
        part = replace(self._problem, demands=tuple(demands), workers=workers)
        found = violations(problem=part, roster=Roster(runs=tuple(runs), unfilled=elsewhere))
        return frozenset((v.rule, v.visit, v.worker) for v in found)


def _able(asked: Demand, slot: int, worker: Worker) -> bool:
    return (
        asked.slots[slot].skills <= worker.skills
        and asked.gender in (None, worker.gender)
        and (asked.language is None or asked.language in worker.languages)
        and worker.id not in asked.excluded_workers
        and asked.customer not in worker.excluded_customers
    )


def _times(worker: Worker) -> list[Shift]:
    """The worker's shifts without their leave, joined where they touch, after the rest of the night before."""
    marks = sorted({edge for s in (*worker.shifts, *worker.leave) for edge in (s.start, s.end)})
    free = -(10**15) if worker.last_back is None else worker.last_back + worker.daily_rest_seconds
    joined: list[Shift] = []
    for a, b in itertools.pairwise(marks):
        on = any(s.start <= a and b <= s.end for s in worker.shifts)
        away = any(s.start < b and a < s.end for s in worker.leave)
        if not on or away or b <= free:
            continue
        if joined and joined[-1].end == a:
            joined[-1] = Shift(joined[-1].start, b)
        else:
            joined.append(Shift(max(a, free), b))
    return joined


def _give(demand: Demand, start: int) -> tuple[int, int]:
    if demand.is_pinned or demand.must_keep or len(demand.slots) > 1:
        return start, start
    return next(((w.earliest, w.latest) for w in demand.windows if w.earliest <= start <= w.latest), (start, start))


def _tries(seat: _Seat, asked: Demand) -> list[int]:
    """Starts to try: both ends, five minutes apart between, and after the visit before; the wished first."""
    starts = {seat.first, seat.last, *range(seat.first, seat.last + 1, 300)}
    if seat.at:
        demand, k, start = seat.stops[seat.at - 1]
        starts.add(start + demand.slots[k].service_seconds)
    wanted = seat.first if asked.preferred_start is None else asked.preferred_start
    ordered = sorted(starts, key=lambda start: (abs(start - wanted), start))
    return [start for start in ordered if seat.first <= start <= seat.last]
