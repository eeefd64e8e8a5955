"""The search behind a re-plan: fill what was lost, make room by handing visits on, then mend around the disruption.

It works on a Standing with its own prices; what counts as lost, and what the outcome means, is rostering.replan's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from rostering.lines import Line, Planned
from rostering.problem import Demand
from rostering.standing import Slot, Standing
from rostering.ways import Tastes, Way, ways

REGRET_OVER_MAX = 30
TRIALS_MAX = 1_200
"""Of handing visits on, in a whole re-plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """Who had each slot and when, which visits are lost (and so owe nothing to that), and what may not be touched.

    `owed` are the lost visits that somebody had. `firm` visits stay where they are; `not_before` is the earliest start
    of anything that changes; `changes_max` is how many slots may change for a visit that nobody had.
    """

    slots: Mapping[Slot, tuple[str, int]]
    lost: frozenset[str]
    owed: frozenset[str]
    firm: frozenset[str]
    not_before: int | None
    changes_max: int

    def workers(self, visit: str) -> frozenset[str]:
        """The visit's published workers."""
        found = (self.slots.get((visit, slot)) for slot in (0, 1))
        return frozenset(each[0] for each in found if each is not None)


@dataclass(slots=True, kw_only=True)
class Repair:
    """A standing roster being mended: its absent visits, prices, and the best so far by (unfilled points, points)."""

    standing: Standing
    published: Published
    tastes: Tastes
    absent: set[str]
    trials_left: int = TRIALS_MAX
    trials_floor: int = 0
    curve: list[tuple[int, int]] = field(default_factory=list)
    priced: dict[int, tuple[Line, int]] = field(default_factory=dict)

    def changed_count(self, standing: Standing) -> int:
        """Slots that the disruption left alone and that have another worker or start than published."""
        return sum(
            visit not in self.published.lost
            and (standing.starts.get((visit, slot)), standing.worker_of(visit=visit, slot=slot)) != (start, who)
            for (visit, slot), (who, start) in self.published.slots.items()
        )

    def may_change(self, standing: Standing) -> bool:
        """Whether so few slots have changed that a visit that nobody had yet may be filled by changing others."""
        return self.changed_count(standing) <= self.published.changes_max

    def fill(self, visits: Collection[str] | None = None) -> None:
        """Put absent visits (default all) in, the one that would lose most by waiting first, until none has a way.

        One that nobody had as published is put in only while few enough slots change.
        """
        left = sorted(self.absent if visits is None else self.absent & set(visits))
        while left:
            found = [(visit, self._two_ways(visit)) for visit in left[:REGRET_OVER_MAX]]
            open_ones = [(visit, two) for visit, two in found if two]
            left = [visit for visit, _ in open_ones] + left[REGRET_OVER_MAX:]
            if not open_ones:
                continue
            visit, two = max(open_ones, key=lambda each: (*self._urgency(*each), each[0]))
            left.remove(visit)
            after = self.standing.copy()
            after.apply(two[0].change)
            if visit in self.published.owed or self.may_change(after):
                self.standing = after
                self.absent.discard(visit)

    def _two_ways(self, visit: str) -> list[Way]:
        found: list[Way] = []
        for way in self.ways_in(self.standing, self.demand(visit)):
            found.append(way)
            if len(found) == 2:
                break
        return found

    def _urgency(self, visit: str, two: list[Way]) -> tuple[bool, int]:
        """Promised visits first, then what would be lost if the cheapest way were gone."""
        penalty = self.penalty(visit)
        lost = penalty if len(two) == 1 else min(penalty, two[1].points - two[0].points)
        return self.demand(visit).must_keep, lost

    def demand(self, visit: str) -> Demand:
        return self.standing.rules.demands[visit]

    def penalty(self, visit: str) -> int:
        demand = self.demand(visit)
        each = demand.unfilled_penalty
        return (self.standing.rules.problem.weights.unfilled if each is None else each) * len(demand.slots)

    def ways_in(self, standing: Standing, demand: Demand, numbers: Collection[int] | None = None) -> Iterator[Way]:
        return ways(
            standing=standing,
            demand=demand,
            tastes=self.tastes,
            numbers=numbers,
        )

    def take(self, way: Way) -> None:
        self.standing.apply(way.change)
        self.absent.discard(way.demand.id)

    def without(self, standing: Standing, visits: Collection[str]) -> Standing | None:
        """The standing roster without these visits, the others back towards their published starts; None if a rule
        forbids it."""
        numbers = {standing.line_of_slot[v, k] for v in visits for k in (0, 1) if (v, k) in standing.line_of_slot}
        change = {n: tuple(s for s in standing.lines[n].stops if s[0].id not in visits) for n in sorted(numbers)}
        if any((v, k) in standing.starts and (v, k) not in standing.line_of_slot for v in visits for k in (0, 1)):
            return None  # in a loose run, which stays as it is
        settled = {n: self._settled(standing, n, stops) for n, stops in change.items()}
        for each in (settled, change):
            if standing.allows(each) and all(self._in_time(standing, n, stops) for n, stops in each.items()):
                after = standing.copy()
                after.apply(each)
                return after
        return None

    def _settled(self, standing: Standing, number: int, stops: tuple[Planned, ...]) -> tuple[Planned, ...]:
        """The stops each as near to its published start as its neighbours let it, where it may move at all."""
        line, legs = standing.lines[number], standing.legs(number=number, stops=stops)
        starts = [start for _, _, start in stops]
        for i, (demand, slot, start) in enumerate(stops):
            was = self.published.slots.get((demand.id, slot))
            lo, hi = standing.give(demand, start)
            if was is None or was[1] == start or lo == hi:
                continue
            service = demand.slots[slot].service_seconds
            before = stops[i - 1] if i else None
            free = line.start if before is None else starts[i - 1] + before[0].slots[before[1]].service_seconds
            until = (starts[i + 1] if i + 1 < len(stops) else line.end) - legs[i + 1] - service
            lo, hi = max(lo, free + legs[i]), min(hi, until)
            if lo <= hi:
                starts[i] = min(max(was[1], lo), hi)
        return tuple((demand, slot, at) for (demand, slot, _), at in zip(stops, starts, strict=True))

    def _in_time(self, standing: Standing, number: int, stops: tuple[Planned, ...]) -> bool:
        """Whether everybody can be there in time: a journey past a visit may take longer than by way of it."""
        line, legs = standing.lines[number], standing.legs(number=number, stops=stops)
        free = line.start
        for (demand, slot, start), leg in zip(stops, legs, strict=False):
            if start < free + leg:
                return False
            free = start + demand.slots[slot].service_seconds
        return not stops or free + legs[-1] <= line.end

    def points(self, standing: Standing) -> int:
        """What the roster costs in travel, workers, starts and changes; absent visits are not in it."""
        return sum(self._known_points(number, line) for number, line in enumerate(standing.lines) if line.stops)

    def _known_points(self, number: int, line: Line) -> int:
        known = self.priced.get(number)
        if known is None or known[0] is not line:
            known = self.priced[number] = line, self.line_points(line)
        return known[1]

    def line_points(self, line: Line) -> int:
        """What one line costs."""
        tastes, who = self.tastes, line.worker.id
        total = tastes.travel * sum(line.legs)
        for demand, slot, start in line.stops:
            was = self.published.slots.get((demand.id, slot))
            total += tastes.worker(demand, who)
            if demand.id in self.published.lost or was is None:
                total += tastes.start(demand, start) if slot == 0 else 0
            else:
                total += tastes.move(demand, slot, was[1], start)
        return total

    def objective(self) -> int:
        """Points with the penalties of absent visits."""
        return self.points(self.standing) + sum(self.penalty(visit) for visit in self.absent)

    def slots_absent(self) -> int:
        return sum(len(self.demand(visit).slots) for visit in self.absent)

    def is_free(self, visit: str) -> bool:
        return visit not in self.published.firm
