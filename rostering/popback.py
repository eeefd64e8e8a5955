"""Pop-backs: where one more visit fits into a published roster, what it would move, and the roster with it.

Nothing leaves its window, and pinned visits, double-ups and accepted pop-backs do not move at all. Visits change hands
only where that is asked for and nothing else helps. It promises nothing: whoever accepts an offer publishes the roster.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from rostering.blocks import NEAREST_MAX, blocks
from rostering.popback_room import room_for
from rostering.problem import Demand, Problem, Window
from rostering.roster import Nearest, Roster, Run, Unfilled, timed_run
from rostering.standing import Change, Standing
from rostering.standing_rules import Rules
from rostering.verify import violations
from rostering.ways import Tastes, Way, ways

ELSEWHEN_SECONDS = 6 * 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A visit that would start at another time than published, still inside its window."""

    visit: str
    slot: int
    worker: str
    was: int
    becomes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """A visit that another worker than published would do, at `becomes`, still inside its window."""

    visit: str
    slot: int
    was_worker: str
    worker: str
    was: int
    becomes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One way to serve the pop-back: workers slot by slot, its start, the extra travel, and everything that it moves.

    `demand` is the pop-back with the requested window, marked must_keep; `runs` are the changed runs, and `replaced`
    the published runs that they grew from. `handed` are visits that change hands (see offers' `may_hand_on`).
    """

    demand: Demand
    workers: tuple[str, ...]
    start: int
    extra_travel_seconds: int
    moved: tuple[Moved, ...]
    runs: tuple[Run, ...]
    points: int
    replaced: tuple[Run, ...] = ()
    handed: tuple[Handed, ...] = ()

    @property
    def moved_seconds(self) -> int:
        """Seconds by which other visits move, in all."""
        return sum(abs(move.becomes - move.was) for move in self.moved)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """Offers, best first; when there are none, why, who was nearest, and the nearest feasible starts outside the request."""

    offers: tuple[Offer, ...]
    reason: str = ""
    nearest: tuple[Nearest, ...] = ()
    other_starts: tuple[int, ...] = ()


class StaleOfferError(ValueError):
    """The roster is not the one that the offer was made for; ask for offers again."""


def offers(
    *,
    problem: Problem,
    roster: Roster,
    demand: Demand,
    earliest: int,
    latest: int,
    limit: int = 5,
    may_hand_on: bool = False,
) -> Offers:
    """Up to `limit` offers to start `demand` in [earliest, latest], at most one for each set of workers, best first.

    Points of an offer: extra travel, seconds that other visits move, half of the distance from the preferred start,
    and the weights of workers who are not preferred. Each offer was verified: it adds no violation to the roster.
    There is an offer whenever any worker's run, or any two workers' runs for a double-up, can take the visit without
    a visit changing hands or leaving its window. When none can and visits `may_hand_on`, one offer is looked for that
    hands ordinary visits on to other workers.
    """
    asked = replace(demand, windows=(Window(earliest, latest),), must_keep=True)
    standing = _standing(problem, roster, asked)
    made = _ranked(standing, asked, limit)
    if not made and may_hand_on:
        made = _handing_on(standing, asked)
    if made:
        return Offers(offers=made)
    wide = replace(asked, windows=(Window(earliest - ELSEWHEN_SECONDS, latest + ELSEWHEN_SECONDS),))
    others = _ranked(_standing(problem, roster, wide), wide, limit)
    middle = (earliest + latest) // 2
    starts = sorted({offer.start for offer in others}, key=lambda start: (abs(start - middle), start))
    nearest = tuple(block.nearest for block in blocks(standing=standing, demand=asked, slot=0)[:NEAREST_MAX])
    reason = f"no worker can start it between {earliest} and {latest} s"
    if nearest:
        reason += "; nearest: " + "; ".join(each.sentence for each in nearest)
    return Offers(offers=(), reason=reason, nearest=nearest, other_starts=tuple(starts))


def accept(*, problem: Problem, roster: Roster, offer: Offer) -> tuple[Problem, Roster]:
    """The problem with the pop-back as an accepted demand, and `insert`'s roster: the pair to publish and verify."""
    others = tuple(demand for demand in problem.demands if demand.id != offer.demand.id)
    return replace(problem, demands=(*others, offer.demand)), insert(roster=roster, offer=offer)


def insert(*, roster: Roster, offer: Offer) -> Roster:
    """The roster with the offer's runs in place of the ones they grew from. Raises StaleOfferError."""
    runs = list(roster.runs)
    for old in offer.replaced:
        if old not in runs:
            raise StaleOfferError(f"{old.worker}'s run has changed since the offer was made")
        runs.remove(old)
    for new in offer.runs:
        if any(run.worker == new.worker and run.leave < new.back and new.leave < run.back for run in runs):
            raise StaleOfferError(f"{new.worker} has a run then since the offer was made")
    if any(stop.visit == offer.demand.id for run in runs for stop in run.stops):
        raise StaleOfferError(f"{offer.demand.id} is in the roster already")
    runs = sorted((*runs, *offer.runs), key=lambda run: (run.worker, run.leave))
    return Roster(runs=tuple(runs), unfilled=tuple(u for u in roster.unfilled if u.visit != offer.demand.id))


def popback_tastes(*, problem: Problem) -> Tastes:
    """What an offer's points are made of (see offers)."""
    weights = problem.weights

    def start(demand: Demand, at: int) -> int:
        return 0 if demand.preferred_start is None else abs(at - demand.preferred_start) // 2

    def worker(demand: Demand, who: str) -> int:
        return weights.not_preferred if demand.preferred_workers and who not in demand.preferred_workers else 0

    def move(_demand: Demand, _slot: int, was: int, becomes: int) -> int:
        return abs(becomes - was)

    return Tastes(travel=weights.travel, start=start, worker=worker, move=move)


def _standing(problem: Problem, roster: Roster, asked: Demand) -> Standing:
    """The roster as lines, under the rules of the visits that are in runs and of the pop-back."""
    placed = {stop.visit for run in roster.runs for stop in run.stops} - {asked.id}
    demands = (demand for demand in problem.demands if demand.id in placed)
    return Standing.of(rules=Rules.of(problem=replace(problem, demands=(*demands, asked))), runs=roster.runs)


def _ranked(standing: Standing, asked: Demand, limit: int) -> tuple[Offer, ...]:
    made: dict[frozenset[str], Offer] = {}
    for way in ways(standing=standing, demand=asked, tastes=popback_tastes(problem=standing.rules.problem)):
        if len(made) >= limit:
            break
        if frozenset(way.workers) not in made:
            offer = _offer(standing, way)
            if _adds_no_fault(standing, offer):
                made[frozenset(way.workers)] = offer
    return tuple(sorted(made.values(), key=lambda offer: (offer.points, offer.start, offer.workers)))


def _offer(standing: Standing, way: Way) -> Offer:
    problem = standing.rules.problem
    lines = [(standing.lines[number], stops) for number, stops in way.change.items() if stops]
    return Offer(
        demand=way.demand,
        workers=way.workers,
        start=way.placings[0].start,
        extra_travel_seconds=way.extra_travel_seconds,
        moved=_moved(standing, way.change),
        runs=tuple(timed_run(problem=problem, worker=line.worker, stops=list(stops)) for line, stops in lines),
        points=way.points,
        replaced=tuple(standing.published[number] for number in way.change if number in standing.published),
        handed=_handed(standing, way.change),
    )


def _moved(standing: Standing, change: Change) -> tuple[Moved, ...]:
    """Visits that stay with their worker and start at another time."""
    return tuple(
        Moved(visit=d.id, slot=k, worker=standing.lines[number].worker.id, was=standing.starts[d.id, k], becomes=start)
        for number, stops in change.items()
        for d, k, start in stops
        if standing.line_of_slot.get((d.id, k)) == number and standing.starts[d.id, k] != start
    )


def _handed(standing: Standing, change: Change) -> tuple[Handed, ...]:
    """Visits that are in another line than they were."""
    return tuple(
        Handed(
            visit=d.id,
            slot=k,
            was_worker=standing.lines[standing.line_of_slot[d.id, k]].worker.id,
            worker=standing.lines[number].worker.id,
            was=standing.starts[d.id, k],
            becomes=start,
        )
        for number, stops in change.items()
        for d, k, start in stops
        if standing.line_of_slot.get((d.id, k), number) != number
    )


def _handing_on(standing: Standing, asked: Demand) -> tuple[Offer, ...]:
    """An offer that hands visits on, if there is one that the verifier finds nothing new in."""
    room = room_for(standing=standing, demand=asked, tastes=popback_tastes(problem=standing.rules.problem))
    if room is None:
        return ()
    after, rules = room.standing, standing.rules
    pairs = enumerate(zip(standing.lines, after.lines, strict=True))
    change = {number: new.stops for number, (old, new) in pairs if new.stops != old.stops}
    lines = [(after.lines[number], stops) for number, stops in change.items() if stops]
    old_travel = sum(sum(standing.lines[number].legs) for number in change)
    offer = Offer(
        demand=asked,
        workers=tuple(after.worker_of(visit=asked.id, slot=k) or "" for k in range(len(asked.slots))),
        start=after.starts[asked.id, 0],
        extra_travel_seconds=sum(sum(line.legs) for line, _ in lines) - old_travel,
        moved=_moved(standing, change),
        runs=tuple(timed_run(problem=rules.problem, worker=line.worker, stops=list(stops)) for line, stops in lines),
        points=room.points,
        replaced=tuple(standing.published[number] for number in change if number in standing.published),
        handed=_handed(standing, change),
    )
    return (offer,) if _adds_no_fault(standing, offer) else ()


def _adds_no_fault(standing: Standing, offer: Offer) -> bool:
    """Whether the independent verifier finds nothing new in the part of the roster that the offer can touch."""
    rules = standing.rules
    moved = {offer.demand.id, *(move.visit for move in offer.moved), *(each.visit for each in offer.handed)}
    near = {other for visit in moved for other in rules.siblings[rules.demands[visit].customer]} | moved
    slots = [(visit, slot) for visit in near for slot in (0, 1)]
    who = {standing.worker_of(visit=visit, slot=slot) for visit, slot in slots} | set(offer.workers)
    who |= {run.worker for run in (*offer.runs, *offer.replaced)}
    before = [run for run in (*standing.published.values(), *standing.loose) if run.worker in who]
    after = [run for run in before if run not in offer.replaced] + list(offer.runs)
    return faults(rules, after, who) <= faults(rules, before, who)


def faults(rules: Rules, runs: Iterable[Run], who: Iterable[str | None]) -> set[tuple[str, str | None, str | None]]:
    """What the verifier says of these runs alone: (rule, visit, worker); slots in other runs are not looked at."""
    kept = tuple(runs)
    placed = {(stop.visit, stop.slot) for run in kept for stop in run.stops}
    demands = tuple(rules.demands[visit] for visit in sorted({visit for visit, _ in placed}))
    elsewhere = tuple(
        Unfilled(visit=demand.id, slot=slot, reason="in another run")
        for demand in demands
        for slot in range(len(demand.slots))
        if (demand.id, slot) not in placed
    )
    known = {*who, *(pin for demand in demands for pin in demand.pinned_workers)}
    workers = tuple(worker for worker in rules.problem.workers if worker.id in known)
    part = replace(rules.problem, demands=demands, workers=workers)
    return {(v.rule, v.visit, v.worker) for v in violations(problem=part, roster=Roster(runs=kept, unfilled=elsewhere))}
