"""Ways to put one visit into a roster that stands, cheapest first, each allowed by every rule; it chooses none."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rostering.lines import Line, Place, Planned, calm_span, gentle_start, places_in, pushed, starts_to_try
from rostering.problem import Demand
from rostering.standing import Change, Standing, apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Tastes:
    """What a way costs, in points: a second of travel, a start, a worker, and another visit's move (slot, from, to)."""

    travel: int
    start: Callable[[Demand, int], int]
    worker: Callable[[Demand, str], int]
    move: Callable[[Demand, int, int, int], int]


class Placing(NamedTuple):
    """One slot of a way: where, when, and what it alone costs."""

    points: int
    start: int
    slot: int
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to serve a visit's missing slots: the lines' new stops, and what it costs."""

    demand: Demand
    points: int
    placings: tuple[Placing, ...]
    workers: tuple[str, ...]
    change: Change

    @property
    def extra_travel_seconds(self) -> int:
        """Seconds of travel that it adds in all."""
        return sum(placing.place.extra_travel_seconds for placing in self.placings)


def ways(
    *,
    standing: Standing,
    demand: Demand,
    tastes: Tastes,
    numbers: Collection[int] | None = None,
) -> Iterator[Way]:
    """Every way to put the visit's missing slots in, by rising points, then start, then workers.

    `numbers` names the lines to look at (default all). A way that pushes others is tried at the gentlest start, then
    at the other starts that could make a rule of the run hold.
    """
    missing = standing.missing(demand=demand)
    look = _Look(standing, demand, tastes, numbers)
    if len(missing) == 1:
        yield from look.singles(missing[0])
    elif missing:
        yield from look.pairs()


class _Look:
    """One question: what is looked at, and what everything costs."""

    __slots__ = ("demand", "numbers", "standing", "tastes")

    def __init__(
        self,
        standing: Standing,
        demand: Demand,
        tastes: Tastes,
        numbers: Collection[int] | None,
    ) -> None:
        self.standing, self.demand, self.tastes = standing, demand, tastes
        self.numbers = range(len(standing.lines)) if numbers is None else numbers

    def singles(self, slot: int) -> Iterator[Way]:
        other = self._other_worker(slot)
        heap = [(*self._key((placing,)), number, True, placing) for number, placing in enumerate(self.placings(slot))]
        heapq.heapify(heap)
        count = len(heap)
        while heap:
            *_, is_first, placing = heapq.heappop(heap)
            line = self.standing.lines[placing.place.number]
            if line.worker.id == other:
                continue
            change = {placing.place.number: self._stops(line, placing)}
            if self.standing.allows(change):
                yield self._way((placing,), change)
            elif is_first:
                for again in self._again(line, placing):
                    count += 1
                    heapq.heappush(heap, (*self._key((again,)), count, False, again))

    def _other_worker(self, slot: int) -> str | None:
        """Who has the other half of a double-up, and so cannot have this one."""
        if len(self.demand.slots) == 1 or self.demand.sync.independent:
            return None
        return self.standing.worker_of(visit=self.demand.id, slot=1 - slot)

    def placings(self, slot: int) -> Iterator[Placing]:
        """Every place of the slot at its gentlest start."""
        standing, demand = self.standing, self.demand
        spans = standing.spans_for(demand=demand, slot=slot)
        able, service = standing.rules.able(demand, slot), demand.slots[slot].service_seconds
        wanted, lines, legs_of = self._wanted(slot), standing.lines, standing.rules.legs_of
        for number in self.numbers:
            line = lines[number]
            if line.worker.id not in able or not spans or line.start > spans[-1][1] or line.end < spans[0][0]:
                continue
            legs = legs_of(line.worker.mode, demand.place)
            for place in places_in(line=line, number=number, legs=legs, service_seconds=service, spans=spans):
                start, moved = gentle_start(line=line, place=place, service_seconds=service, wanted=wanted)
                yield self._priced(line, place, slot, start, calm=not moved)

    def _wanted(self, slot: int) -> int | None:
        wanted, demand = self.demand.preferred_start, self.demand
        return wanted + demand.sync.min_seconds if wanted is not None and slot else wanted

    def _priced(self, line: Line, place: Place, slot: int, start: int, *, calm: bool) -> Placing:
        demand, tastes = self.demand, self.tastes
        points = tastes.travel * place.extra_travel_seconds + tastes.worker(demand, line.worker.id)
        if slot == 0:
            points += tastes.start(demand, start)
        if not calm:
            service = demand.slots[slot].service_seconds
            starts = pushed(line=line, place=place, start=start, service_seconds=service)
            for (other, k, was), becomes in zip(line.stops, starts, strict=True):
                if was != becomes:
                    points += tastes.move(other, k, was, becomes)
        return Placing(points, start, slot, place)

    def _again(self, line: Line, placing: Placing) -> list[Placing]:
        service = self.demand.slots[placing.slot].service_seconds
        calm = calm_span(line=line, place=placing.place, service_seconds=service)
        tries = starts_to_try(place=placing.place, calm=calm, wanted=self._wanted(placing.slot))
        return [
            self._priced(line, placing.place, placing.slot, start, calm=calm[0] <= start <= calm[1])
            for start in tries
            if start != placing.start
        ]

    def pairs(self) -> Iterator[Way]:
        sides = [sorted(self.placings(slot), key=lambda p: (p.points, p.start, p.place)) for slot in (0, 1)]
        bounds = self._meetings(sides)
        heap: list[tuple[int, int, tuple[str, ...], int, int, tuple[Placing, ...]]] = []
        count = 0
        at = 0
        while at < len(bounds) or heap:
            if heap and (at >= len(bounds) or heap[0][0] <= bounds[at][0]):
                *_, tried, both = heapq.heappop(heap)
                change = {p.place.number: self._stops(self.standing.lines[p.place.number], p) for p in both}
                if self.standing.allows(change):
                    yield self._way(both, change)
                elif not tried:
                    for again in self._joint(both)[1:]:
                        count += 1
                        heapq.heappush(heap, (*self._key(again), count, 1, again))
            else:
                _, i, j = bounds[at]
                at, count = at + 1, count + 1
                best = self._joint((sides[0][i], sides[1][j]))[0]
                heapq.heappush(heap, (*self._key(best), count, 0, best))

    def _meetings(self, sides: Sequence[Sequence[Placing]]) -> list[tuple[int, int, int]]:
        """(points at least, i, j) of the pairs of different workers whose starts can meet, cheapest first."""
        lines, (least, most) = self.standing.lines, apart(demand=self.demand)
        worker = [[lines[placing.place.number].worker.id for placing in side] for side in sides]
        found: list[tuple[int, int, int]] = []
        for i, one in enumerate(sides[0]):
            earliest, latest = one.place.first + least, one.place.last + most
            found += [
                (one.points + two.points, i, j)
                for j, two in enumerate(sides[1])
                if earliest <= two.place.last and two.place.first <= latest and worker[0][i] != worker[1][j]
            ]
        found.sort()
        return found

    def _joint(self, both: Sequence[Placing]) -> list[tuple[Placing, ...]]:
        """The two placings at starts that fit together, cheapest first."""
        (one, two), (least, most) = both, apart(demand=self.demand)
        first, last = max(one.place.first, two.place.first - most), min(one.place.last, two.place.last - least)
        lines = [self.standing.lines[placing.place.number] for placing in both]
        calm = [
            calm_span(line=line, place=p.place, service_seconds=self.demand.slots[p.slot].service_seconds)
            for line, p in zip(lines, both, strict=True)
        ]
        tries = [first, last, one.start, two.start - least, *calm[0]]
        tries += [edge - least for edge in calm[1]]
        if self.demand.preferred_start is not None:
            tries.append(self.demand.preferred_start)
        found: list[tuple[Placing, ...]] = []
        for start in dict.fromkeys(min(max(each, first), last) for each in tries):
            second = max(two.place.first, min(max(two.start, start + least), start + most))
            second = min(second, two.place.last)
            starts = (start, second)
            found.append(
                tuple(
                    self._priced(line, p.place, p.slot, at, calm=span[0] <= at <= span[1])
                    for line, p, at, span in zip(lines, both, starts, calm, strict=True)
                )
            )
        return sorted(found, key=self._key)

    def _key(self, placings: tuple[Placing, ...]) -> tuple[int, int, tuple[str, ...]]:
        workers = tuple(self.standing.lines[p.place.number].worker.id for p in placings)
        return sum(p.points for p in placings), placings[0].start, workers

    def _stops(self, line: Line, placing: Placing) -> tuple[Planned, ...]:
        place, service = placing.place, self.demand.slots[placing.slot].service_seconds
        starts = pushed(line=line, place=place, start=placing.start, service_seconds=service)
        stops = [(demand, slot, at) for (demand, slot, _), at in zip(line.stops, starts, strict=True)]
        stops.insert(place.at, (self.demand, placing.slot, placing.start))
        return tuple(stops)

    def _way(self, placings: tuple[Placing, ...], change: Change) -> Way:
        points, _, workers = self._key(placings)
        return Way(demand=self.demand, points=points, placings=placings, workers=workers, change=change)
