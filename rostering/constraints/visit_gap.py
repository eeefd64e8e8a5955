"""Between two visits of one customer there is at least the larger of their gaps (meals and medicine need spacing)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from rostering.constraint import Constraint, Encoding, Span, Violation
from rostering.problem import Demand, Problem
from rostering.roster import Roster

NAME = "visit_gap"


def encode(problem: Problem) -> Encoding:
    """A visit that could come too near to another of its customer is anchored, and its start kept clear of theirs."""
    rivals = _rivals(problem)

    def anchored(demand: Demand) -> bool:
        return bool(rivals[demand.id])

    def blocked(demand: Demand, placed: Mapping[str, Span]) -> tuple[Span, ...]:
        return tuple(
            (placed[rival][0] - gap - _longest(demand), placed[rival][1] + gap)
            for rival, gap in rivals[demand.id]
            if rival in placed
        )

    return Encoding(anchored=anchored, blocked=blocked)


def _longest(demand: Demand) -> int:
    last = demand.slots[-1].service_seconds + (demand.sync.max_seconds if len(demand.slots) == 2 else 0)
    return max(demand.slots[0].service_seconds, last)


def _rivals(problem: Problem) -> dict[str, tuple[tuple[str, int], ...]]:
    by_customer: dict[str, list[Demand]] = defaultdict(list)
    for demand in problem.demands:
        by_customer[demand.customer].append(demand)
    rivals: dict[str, tuple[tuple[str, int], ...]] = {}
    for siblings in by_customer.values():
        for one in siblings:
            near = [(other.id, _gap(one, other)) for other in siblings if other is not one and _can_clash(one, other)]
            rivals[one.id] = tuple(near)
    return rivals


def _gap(one: Demand, other: Demand) -> int:
    return max(one.gap_seconds, other.gap_seconds)


def _reach(demand: Demand) -> Span:
    pin = demand.pinned_start
    if pin is not None:
        return pin, pin + _longest(demand)
    latest = max(window.latest for window in demand.windows)
    return min(window.earliest for window in demand.windows), latest + _longest(demand)


def _can_clash(one: Demand, other: Demand) -> bool:
    gap = _gap(one, other)
    first, second = _reach(one), _reach(other)
    return gap > 0 and first[0] < second[1] + gap and second[0] < first[1] + gap


def violations(problem: Problem, roster: Roster) -> tuple[Violation, ...]:
    """Pairs of a customer's visits with less than the gap between them."""
    spans: dict[str, Span] = {}
    for run in roster.runs:
        for stop in run.stops:
            was = spans.get(stop.visit, (stop.start, stop.end))
            spans[stop.visit] = min(was[0], stop.start), max(was[1], stop.end)
    wrong: list[Violation] = []
    placed = [demand for demand in problem.demands if demand.id in spans]
    placed.sort(key=lambda demand: (demand.customer, spans[demand.id]))
    for i, one in enumerate(placed):
        for other in placed[i + 1 :]:
            if other.customer != one.customer:
                break
            between = spans[other.id][0] - spans[one.id][1]
            if max(one.gap_seconds, other.gap_seconds) > max(0, between):
                sentence = f"only {between} s between visits {one.id} and {other.id} of {one.customer}"
                wrong.append(Violation(rule=NAME, visit=other.id, sentence=sentence))
    return tuple(wrong)


CONSTRAINT = Constraint(name=NAME, encode=encode, violations=violations)
