"""A published run as a line of visits that may give a little: where another fits, and what it pushes; no ranking.

One line is one unbroken time of a worker with the run in it. Nothing here knows a rule other than time.
"""

# ruff: noqa: PLR1730 -- in the innermost loop an `if` is far cheaper than `min` or `max`

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rostering.constraint import RunTimes, Span
from rostering.problem import Demand, Travel, Worker

Planned = tuple[Demand, int, int]
"""(demand, slot, start)."""
Give = Callable[[Demand, int], Span]
"""How far a visit that starts at the given second may move: (earliest, latest) start, both its start if not at all."""


@dataclass(frozen=True, slots=True)
class Legs:
    """Seconds to one place from every place, and from it to every place, by one mode."""

    into: Sequence[int]
    out: Sequence[int]


class LegsOf:
    """Rows and columns of the travel matrices as plain lists, read when first asked for."""

    __slots__ = ("_known", "_travel")

    def __init__(self, *, travel: Travel) -> None:
        self._travel = travel
        self._known: dict[tuple[str, int], Legs] = {}

    def __call__(self, mode: str, place: int) -> Legs:
        """The legs at `place` by `mode`."""
        legs = self._known.get((mode, place))
        if legs is None:
            matrix = self._travel.seconds_by_mode[mode]
            legs = self._known[mode, place] = Legs(matrix[:, place].tolist(), matrix[place].tolist())
        return legs

    def between(self, mode: str, a: int, b: int) -> int:
        """Seconds from place `a` to place `b` by `mode`."""
        return int(self._travel.seconds_by_mode[mode].item(a, b))


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One unbroken time of a worker and what is published in it.

    places: home, each stop's, where the day ends. legs[i]: seconds into stop i, and home from the last. free[i]: when the worker can
    be done with everything before position i; until[i]: the latest start of stop i (at the last position: the end of
    the time). free and until are empty when what is published does not fit itself: then nothing can be put in.
    """

    worker: Worker
    start: int
    end: int
    stops: tuple[Planned, ...]
    lo: tuple[int, ...]
    hi: tuple[int, ...]
    places: tuple[int | None, ...]
    legs: tuple[int, ...]
    free: tuple[int, ...]
    until: tuple[int, ...]

    @property
    def is_sound(self) -> bool:
        """Whether what is in the line fits itself."""
        return bool(self.free)

    def times(self) -> RunTimes:
        """The run's times, as the rules of a run ask for them."""
        return times_of(stops=self.stops, legs=self.legs)


class Place(NamedTuple):
    """A slot of a visit put into line `number` before stop `at`, startable from `first` to `last`."""

    number: int
    at: int
    first: int
    last: int
    leg_in: int
    leg_out: int
    extra_travel_seconds: int


def line_of(*, worker: Worker, start: int, end: int, stops: tuple[Planned, ...], give: Give, legs_of: LegsOf) -> Line:
    """The line with these stops; each may move as far as `give` lets it."""
    places = (worker.home, *(demand.place for demand, _, _ in stops), worker.last_place)
    legs = _legs(worker, places, legs_of) if stops else (0,)  # who goes nowhere does not travel
    bounds = [give(demand, at) for demand, _, at in stops]
    lo, hi = tuple(low for low, _ in bounds), tuple(high for _, high in bounds)
    free, until = _bounds(start, end, stops, legs, lo, hi)
    return Line(
        worker=worker, start=start, end=end, stops=stops, lo=lo, hi=hi, places=places, legs=legs, free=free, until=until
    )


def _legs(worker: Worker, places: Sequence[int | None], legs_of: LegsOf) -> tuple[int, ...]:
    found = []
    for number in range(1, len(places)):
        before, after = places[number - 1], places[number]
        found.append(0 if before is None or after is None else legs_of.between(worker.mode, before, after))
    return tuple(found)


def _bounds(
    start: int, end: int, stops: Sequence[Planned], legs: Sequence[int], lo: Sequence[int], hi: Sequence[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    free = [start]
    for i, (demand, slot, at) in enumerate(stops):
        early = max(free[i] + legs[i], lo[i])
        if early > at:
            return (), ()
        free.append(early + demand.slots[slot].service_seconds)
    until = [end] * (len(stops) + 1)
    limit = end
    for i in range(len(stops) - 1, -1, -1):
        demand, slot, at = stops[i]
        until[i] = limit = min(hi[i], limit - legs[i + 1] - demand.slots[slot].service_seconds)
        if limit < at:
            return (), ()
    return tuple(free), tuple(until)


def times_of(*, stops: Sequence[Planned], legs: Sequence[int]) -> RunTimes:
    """Leaving, coming back and each stop's arrival, start and end; all empty for no stops."""
    if not stops:
        return RunTimes(0, 0, (), (), ())
    starts = [start for _, _, start in stops]
    ends = [start + demand.slots[slot].service_seconds for demand, slot, start in stops]
    arrives = [starts[0], *(ends[i] + legs[i + 1] for i in range(len(stops) - 1))]
    return RunTimes(starts[0] - legs[0], ends[-1] + legs[-1], arrives, starts, ends)


def places_in(*, line: Line, number: int, legs: Legs, service_seconds: int, spans: Sequence[Span]) -> Iterator[Place]:
    """Every place in the line of a visit that starts inside one of `spans`, others giving way as far as they may."""
    free, until, places, skipped = line.free, line.until, line.places, line.legs
    into, out = legs.into, legs.out
    for lo, hi in spans:
        for at in range(bisect_left(until, lo + service_seconds), bisect_right(free, hi)):
            before, after = places[at], places[at + 1]
            leg_in = 0 if before is None else into[before]
            leg_out = 0 if after is None else out[after]
            first, last = free[at] + leg_in, until[at] - leg_out - service_seconds
            if first < lo:
                first = lo
            if last > hi:
                last = hi
            if first <= last:
                yield Place(number, at, first, last, leg_in, leg_out, leg_in + leg_out - skipped[at])


def pushed(*, line: Line, place: Place, start: int, service_seconds: int) -> list[int]:
    """Starts of the line's own stops with the visit at `start`: each as it was, or pushed just as far as needed."""
    stops, legs = line.stops, line.legs
    starts = [at for _, _, at in stops]
    limit = start - place.leg_in
    for i in range(place.at - 1, -1, -1):
        demand, slot, _ = stops[i]
        limit -= demand.slots[slot].service_seconds
        if starts[i] <= limit:
            break
        starts[i] = limit
        limit -= legs[i]
    free = start + service_seconds + place.leg_out
    for i in range(place.at, len(starts)):
        if starts[i] >= free:
            break
        starts[i] = free
        demand, slot, _ = stops[i]
        free += demand.slots[slot].service_seconds + legs[i + 1]
    return starts


def calm_span(*, line: Line, place: Place, service_seconds: int) -> Span:
    """Starts at the place that push nobody: (from, to); from is after to when there are none."""
    first, last = place.first, place.last
    if place.at:
        demand, slot, start = line.stops[place.at - 1]
        first = max(first, start + demand.slots[slot].service_seconds + place.leg_in)
    if place.at < len(line.stops):
        last = min(last, line.stops[place.at][2] - place.leg_out - service_seconds)
    return first, last


def gentle_start(*, line: Line, place: Place, service_seconds: int, wanted: int | None) -> tuple[int, int]:
    """(start, seconds moved): the start that moves the others least, then nearest to the wanted (or the earliest)."""
    calm_first, calm_last = calm_span(line=line, place=place, service_seconds=service_seconds)
    if calm_first <= calm_last:
        return (calm_first if wanted is None else min(max(wanted, calm_first), calm_last)), 0
    best: tuple[int, int, int] | None = None
    for start in starts_to_try(place=place, calm=(calm_first, calm_last), wanted=wanted):
        moved = moved_seconds(
            line=line, starts=pushed(line=line, place=place, start=start, service_seconds=service_seconds)
        )
        key = moved, 0 if wanted is None else abs(start - wanted), start
        if best is None or key < best:
            best = key
    assert best is not None
    return best[2], best[0]


def starts_to_try(*, place: Place, calm: Span, wanted: int | None) -> list[int]:
    """Starts at which something changes: both ends, next to either neighbour, the wanted; each inside the place."""
    tries = [place.first, place.last, *calm]
    if wanted is not None:
        tries.append(wanted)
    return list(dict.fromkeys(min(max(start, place.first), place.last) for start in tries))


def moved_seconds(*, line: Line, starts: Sequence[int]) -> int:
    """Seconds by which the line's own stops move, in all."""
    return sum(abs(new - old) for new, (_, _, old) in zip(starts, line.stops, strict=True))
