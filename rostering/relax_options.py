"""Every way in which one visit could be served if some rules did not hold, and which rules those are. It chooses none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

from rostering.constraint import Span
from rostering.constraints import CONSTRAINTS, pinned, travel_feasible, visit_gap, windows
from rostering.constraints import availability as shifts
from rostering.lines import Line, Place, calm_span, line_of, places_in, pushed, starts_to_try
from rostering.problem import SECONDS_PER_DAY, Demand, Worker
from rostering.standing import Standing
from rostering.standing_rules import clear_of


class Rule(NamedTuple):
    """A rule that could be relaxed, for one worker or (None) for the visit."""

    name: str
    worker: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One slot done by one worker with a start in [first, last], if these rules do not hold."""

    slot: int
    worker: str
    rules: frozenset[Rule]
    first: int
    last: int


def options(*, standing: Standing, demand: Demand, slot: int) -> list[Option]:
    """Every option of the slot, those left out that need more than another of the same worker and start."""
    found: list[Option] = []
    for worker in standing.rules.problem.workers:
        mine: list[Option] = []
        own = _nature(standing, demand, slot, worker)
        for relaxed in sorted(product((False, True), repeat=4), key=sum):
            mine += [each for each in _timed(standing, demand, slot, worker, own, relaxed) if not _beaten(each, mine)]
        found += mine
    return found


def _beaten(option: Option, by: Sequence[Option]) -> bool:
    return any(
        other.rules <= option.rules and other.first <= option.first and option.last <= other.last for other in by
    )


def _nature(standing: Standing, demand: Demand, slot: int, worker: Worker) -> frozenset[Rule]:
    """Rules that keep the worker from the slot whatever the time."""
    return frozenset(
        Rule(rule.name, None)
        for rule, encoding in zip(CONSTRAINTS, standing.rules.encodings, strict=True)
        if encoding.pair is not None and not encoding.pair(demand, slot, worker)
    )


def _timed(
    standing: Standing,
    demand: Demand,
    slot: int,
    worker: Worker,
    own: frozenset[Rule],
    relaxed: tuple[bool, ...],
) -> Iterator[Option]:
    """Options with the visit's window, its distance to others, the worker's other visits, their shifts relaxed or not."""
    any_time, any_gap, alone, any_hours = relaxed
    names = [
        Rule(windows.NAME, None) if any_time else None,
        Rule(visit_gap.NAME, None) if any_gap else None,
        Rule(travel_feasible.NAME, worker.id) if alone else None,
        Rule(shifts.NAME, worker.id) if any_hours else None,
    ]
    needs = own | {name for name in names if name is not None}
    spans, pin = _spans(standing, demand, slot, any_time=any_time, any_gap=any_gap)
    for number, line in _lines(standing, worker, alone=alone, any_hours=any_hours):
        legs = standing.rules.legs_of(worker.mode, demand.place)
        service = demand.slots[slot].service_seconds
        for place in places_in(line=line, number=number, legs=legs, service_seconds=service, spans=spans):
            for broken, first, last in _rules_of_place(standing, demand, slot, line, place):
                rules = (
                    needs | pin | {Rule(name, worker.id) for name in broken - ({shifts.NAME} if any_hours else set())}
                )
                yield Option(slot=slot, worker=worker.id, rules=rules, first=first, last=last)


def _spans(
    standing: Standing, demand: Demand, slot: int, *, any_time: bool, any_gap: bool
) -> tuple[list[Span], frozenset[Rule]]:
    """Starts that are looked at, and the pin if it has to go for them."""
    problem = standing.rules.problem
    spans = list(standing.rules.starts(demand))
    contradictory = not spans
    if any_time:
        spans = [(problem.horizon.start, problem.horizon.end)]
    elif contradictory:
        spans = [(window.earliest, window.latest) for window in demand.windows]
    if not any_gap:
        spans = clear_of(spans, standing.rules.blocked(demand, standing.spans))
    if slot and not demand.sync.independent:
        spans = [(lo + demand.sync.min_seconds, hi + demand.sync.max_seconds) for lo, hi in spans]
    goes = demand.pinned_start is not None and (any_time or contradictory)
    return spans, frozenset({Rule(pinned.NAME, None)} if goes else ())


def _lines(standing: Standing, worker: Worker, *, alone: bool, any_hours: bool) -> list[tuple[int, Line]]:
    numbers = standing.lines_of_worker[worker.id]
    lines = [(number, standing.lines[number]) for number in numbers]
    horizon = standing.rules.problem.horizon
    if any_hours and not lines:
        lines = [(-1, _line(standing, worker, (horizon.start, horizon.end), ()))]
    found: list[tuple[int, Line]] = []
    for number, line in lines:
        span = line.start, line.end
        if any_hours:
            span = min(span[0], horizon.start) - SECONDS_PER_DAY, max(span[1], horizon.end) + SECONDS_PER_DAY
        kept = () if alone else line.stops
        found.append((number, _line(standing, worker, span, kept) if alone or any_hours else line))
    return found


def _line(standing: Standing, worker: Worker, span: Span, stops: tuple[tuple[Demand, int, int], ...]) -> Line:
    legs_of = standing.rules.legs_of
    return line_of(worker=worker, start=span[0], end=span[1], stops=stops, give=standing.give, legs_of=legs_of)


def _rules_of_place(
    standing: Standing, demand: Demand, slot: int, line: Line, place: Place
) -> Iterator[tuple[frozenset[str], int, int]]:
    """(rules of the worker's day that break, from, to): for the whole place if none does, else start by start."""
    service = demand.slots[slot].service_seconds
    if place.number < 0:
        yield frozenset(), place.first, place.last
        return
    calm = calm_span(line=line, place=place, service_seconds=service)
    for start in starts_to_try(place=place, calm=calm, wanted=demand.preferred_start):
        others = pushed(line=line, place=place, start=start, service_seconds=service)
        stops = [(d, k, at) for (d, k, _), at in zip(line.stops, others, strict=True)]
        stops.insert(place.at, (demand, slot, start))
        yield frozenset(standing.all_forbidden_by(number=place.number, stops=tuple(stops))), start, start
