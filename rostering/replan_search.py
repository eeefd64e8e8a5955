"""The search behind a re-plan: fill what was lost, make room by handing visits on, then mend around the disruption.

It works on a Standing with its own prices; what counts as lost, and what the outcome means, is rostering.replan's.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from rostering.constraint import Span
from rostering.lines import Line, Planned, line_of, places_in
from rostering.problem import Demand
from rostering.standing import Slot, Standing
from rostering.stop import Progress, StopRule
from rostering.ways import Tastes, Way, ways

REGRET_OVER_MAX = 30
CHAIN_DEPTH = 2
CHAIN_TRIALS = 400
GOOD_CHAINS = 6
NEAR_MAX = 24
TAKEN_OUT_MAX = 5


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
    trials_left: int = 0
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
            visit, two = max(open_ones, key=lambda each: (self._regret(each[0], each[1]), each[0]))
            left.remove(visit)
            after = self.standing.copy()
            after.apply(two[0].change)
            if visit in self.published.owed or self.may_change(after):
                self.standing = after
                self.absent.discard(visit)

    def _two_ways(self, visit: str) -> list[Way]:
        found: list[Way] = []
        for way in self._ways(self.standing, self._demand(visit)):
            found.append(way)
            if len(found) == 2:
                break
        return found

    def _regret(self, visit: str, two: list[Way]) -> int:
        penalty = self._penalty(visit)
        return penalty if len(two) == 1 else min(penalty, two[1].points - two[0].points)

    def _demand(self, visit: str) -> Demand:
        return self.standing.rules.demands[visit]

    def _penalty(self, visit: str) -> int:
        demand = self._demand(visit)
        each = demand.unfilled_penalty
        return (self.standing.rules.problem.weights.unfilled if each is None else each) * len(demand.slots)

    def _ways(self, standing: Standing, demand: Demand, numbers: Collection[int] | None = None) -> Iterator[Way]:
        return ways(
            standing=standing,
            demand=demand,
            tastes=self.tastes,
            numbers=numbers,
            not_before=self.published.not_before,
        )

    def _take(self, way: Way) -> None:
        self.standing.apply(way.change)
        self.absent.discard(way.demand.id)

    def make_room(self, *, stopped: Callable[[], bool]) -> None:
        """Fill absent visits by handing on one visit, or two in a chain, of those in their way.

        Visits that somebody had are tried whatever `stopped` says: the trials are counted, not timed.
        """
        owed = self.published.owed
        for visit in sorted(self.absent, key=lambda each: (each not in owed, -self._penalty(each), each)):
            if visit not in owed and (stopped() or not self.may_change(self.standing)):
                return
            self.trials_left = CHAIN_TRIALS
            found = self._chained(self.standing, self._demand(visit), frozenset(), CHAIN_DEPTH)
            if found is not None and (visit in owed or self.may_change(found)):
                self.standing = found
                self.absent.discard(visit)

    def drop_halves(self) -> None:
        """Take out the other half of each visit for two that nobody else can be found for: one alone is no visit."""
        halves = {visit for visit in self.absent if any((visit, k) in self.standing.starts for k in (0, 1))}
        for visit in sorted(halves):
            demand = self._demand(visit)
            if demand.sync.independent:
                continue
            after = self.without(self.standing, {visit})
            if after is not None:
                self.standing = after
        self.fill()

    def _chained(self, standing: Standing, demand: Demand, chain: frozenset[str], depth: int) -> Standing | None:
        """The standing roster with the visit in it, whatever was in its way handed on; None when that fails."""
        way = next(self._ways(standing, demand), None)
        if way is not None:
            after = standing.copy()
            after.apply(way.change)
            return after
        if depth == 0:
            return None
        best: tuple[int, Standing] | None = None
        good = 0
        for after, other in self._in_the_way(standing, demand, chain):
            if self.trials_left <= 0 or good >= GOOD_CHAINS:
                break
            self.trials_left -= 1
            done = self._chained(after, other, chain | {demand.id}, 0)
            if done is not None:
                good += 1
                points = self.points(done)
                best = (points, done) if best is None or points < best[0] else best
        if best is None and depth > 1:
            return self._deeper(standing, demand, chain, depth)
        return None if best is None else best[1]

    def _deeper(self, standing: Standing, demand: Demand, chain: frozenset[str], depth: int) -> Standing | None:
        for after, other in self._in_the_way(standing, demand, chain):
            if self.trials_left <= 0:
                return None
            self.trials_left -= 1
            done = self._chained(after, other, chain | {demand.id}, depth - 1)
            if done is not None:
                return done
        return None

    def _in_the_way(
        self, standing: Standing, demand: Demand, chain: frozenset[str]
    ) -> Iterator[tuple[Standing, Demand]]:
        """Rosters in which one visit gave its place to this one: (the roster, the visit that is out now)."""
        missing = standing.missing(demand=demand)
        if len(missing) != 1:
            return
        slot = missing[0]
        spans = standing.spans_for(demand=demand, slot=slot)
        able = standing.rules.able(demand, slot)
        for number, line in enumerate(standing.lines):
            if line.worker.id not in able or not spans or line.end < spans[0][0] or line.start > spans[-1][1]:
                continue
            for other in self._movable(line, chain):
                if not self._fits_without(standing, number, demand, slot, other, spans):
                    continue
                after = self.without(standing, {other.id})
                way = None if after is None else next(self._ways(after, demand, (number,)), None)
                if after is not None and way is not None:
                    after.apply(way.change)
                    yield after, other

    def _movable(self, line: Line, chain: frozenset[str]) -> list[Demand]:
        before = self.published.not_before
        return [
            demand
            for demand, _, start in line.stops
            if demand.id not in chain and demand.id not in self.published.firm and (before is None or start >= before)
        ]

    def _fits_without(
        self, standing: Standing, number: int, demand: Demand, slot: int, other: Demand, spans: list[Span]
    ) -> bool:
        line = standing.lines[number]
        stops = tuple(stop for stop in line.stops if stop[0] is not other)
        legs_of = standing.rules.legs_of
        without = line_of(
            worker=line.worker, start=line.start, end=line.end, stops=stops, give=standing.give, legs_of=legs_of
        )
        legs, service = legs_of(line.worker.mode, demand.place), demand.slots[slot].service_seconds
        found = places_in(line=without, number=number, legs=legs, service_seconds=service, spans=spans)
        return next(found, None) is not None

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
        return self.points(self.standing) + sum(self._penalty(visit) for visit in self.absent)

    def improve(self, *, stop: StopRule, rng: random.Random, report: Callable[[Progress], None] | None = None) -> int:
        """Take a few visits around the disruption out and put them back for less, until the rule says stop; iterations."""
        around = sorted(visit for visit in self.published.lost if self._is_free(visit))
        best = self.objective()
        self.curve.append((0, best))
        iterations = improved_at = 0
        while around:
            progress = Progress(
                iterations=iterations, objective=best, unfilled=self._slots_absent(), improved_at=improved_at
            )
            if report is not None:
                report(progress)
            if stop(progress):
                break
            iterations += 1
            tried = self._tried(around, rng)
            if tried is not None and (cost := tried.objective()) < best and tried.absent <= self.absent:
                self.standing, self.absent, best, improved_at = tried.standing, tried.absent, cost, iterations
                self.curve.append((iterations, best))
        return iterations

    def _slots_absent(self) -> int:
        return sum(len(self._demand(visit).slots) for visit in self.absent)

    def _is_free(self, visit: str) -> bool:
        return visit not in self.published.firm

    def _tried(self, around: list[str], rng: random.Random) -> Repair | None:
        gone = {rng.choice(around)}
        near = self._near(next(iter(gone)))
        gone |= set(rng.sample(near, min(len(near), rng.randint(0, TAKEN_OUT_MAX - 1))))
        after = self.without(self.standing, gone - self.absent)
        if after is None:
            return None
        tried = Repair(
            standing=after, published=self.published, tastes=self.tastes, absent=self.absent | gone, priced=self.priced
        )
        order = sorted(gone | self.absent)
        rng.shuffle(order)
        order.sort(key=lambda visit: -len(self._demand(visit).slots))
        for visit in order:
            way = next(tried._ways(tried.standing, tried._demand(visit)), None)
            if way is None and visit not in self.absent:
                return None
            if way is not None:
                tried._take(way)
        return tried

    def _near(self, visit: str) -> list[str]:
        """Movable visits near in place and time, nearest first."""
        standing, here = self.standing, self._demand(visit)
        at = standing.starts.get((visit, 0), here.windows[0].earliest)
        into = standing.rules.legs_of(standing.rules.problem.workers[0].mode, here.place).into
        before = self.published.not_before
        found = [
            (into[standing.rules.demands[other].place] + abs(start - at) // 4, other)
            for (other, slot), start in standing.starts.items()
            if slot == 0 and other != visit and self._is_free(other) and (before is None or start >= before)
        ]
        return [other for _, other in sorted(found)[:NEAR_MAX]]
