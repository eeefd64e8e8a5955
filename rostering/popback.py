"""Pop-backs: where one more visit fits into a published roster, what it would move, and the roster with it.

Nobody's visits change hands and nothing leaves its window; pinned visits, double-ups and accepted pop-backs do not
move at all. It promises nothing: whoever accepts an offer publishes the roster.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from rostering.constraint import Encoding
from rostering.constraints import CONSTRAINTS
from rostering.lines import Line, Place, lines_of, places_in
from rostering.problem import Demand, Problem, Window, Worker
from rostering.roster import Nearest, Roster, Run
from rostering.verify import violations

NEAREST_MAX = 3
PAIR_PLACES_MAX = 40
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
class Offer:
    """One way to serve the pop-back: workers slot by slot, its start, the extra travel, and everything that it moves.

    `demand` is the pop-back with the requested window, marked must_keep; `runs` are the changed runs.
    """

    demand: Demand
    workers: tuple[str, ...]
    start: int
    extra_travel_seconds: int
    moved: tuple[Moved, ...]
    runs: tuple[Run, ...]
    points: int

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


def offers(*, problem: Problem, roster: Roster, demand: Demand, earliest: int, latest: int, limit: int = 5) -> Offers:
    """Up to `limit` offers to start `demand` in [earliest, latest], at most one for each set of workers, best first.

    Points of an offer: extra travel, seconds that other visits move, half of the distance from the preferred start,
    and the weights of workers who are not preferred. Each offer was verified: it adds no violation to the roster.
    """
    asked = replace(demand, windows=(Window(earliest, latest),), must_keep=True)
    made = _ranked(problem, roster, asked, limit)
    if made:
        return Offers(offers=made)
    wide = replace(asked, windows=(Window(earliest - ELSEWHEN_SECONDS, latest + ELSEWHEN_SECONDS),))
    others = _ranked(problem, roster, wide, limit)
    middle = (earliest + latest) // 2
    starts = sorted({offer.start for offer in others}, key=lambda start: (abs(start - middle), start))
    nearest = _nearest(problem, roster, asked)
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
    was = {(move.visit, move.slot): move.was for move in offer.moved}
    runs = list(roster.runs)
    for new in offer.runs:
        before = {
            (stop.visit, stop.slot): was.get((stop.visit, stop.slot), stop.start)
            for stop in new.stops
            if stop.visit != offer.demand.id
        }
        old = next((run for run in runs if run.worker == new.worker and _times(run) == before), None)
        if (old is None and before) or any(stop.visit == offer.demand.id for run in roster.runs for stop in run.stops):
            raise StaleOfferError(f"{new.worker}'s run has changed since the offer was made")
        if old is not None:
            runs.remove(old)
        runs.append(new)
    runs.sort(key=lambda run: (run.worker, run.leave))
    return Roster(runs=tuple(runs), unfilled=tuple(u for u in roster.unfilled if u.visit != offer.demand.id))


def _times(run: Run) -> dict[tuple[str, int], int]:
    return {(stop.visit, stop.slot): stop.start for stop in run.stops}


def _ranked(problem: Problem, roster: Roster, asked: Demand, limit: int) -> tuple[Offer, ...]:
    before, after = _placed_only(problem, roster, asked)
    encodings = [rule.encode(after) for rule in CONSTRAINTS]
    clear = _clear_of_rivals(encodings, roster, asked)
    lines = lines_of(problem=before, roster=roster)
    if len(asked.slots) == 1:
        found = [_offer(after, asked, (place,)) for place in _places(encodings, lines, clear, 0)]
    else:
        found = list(_pair_offers(after, asked, clear, encodings, lines))
    found.sort(key=lambda offer: (offer.points, offer.start, offer.workers))
    known = _faults(before, Roster(runs=roster.runs))
    made: list[Offer] = []
    for offer in found:
        if len(made) >= limit:
            break
        if any(offer.workers == other.workers for other in made):
            continue
        if _faults(after, insert(roster=Roster(runs=roster.runs), offer=offer)) <= known:
            made.append(offer)
    return tuple(made)


def _placed_only(problem: Problem, roster: Roster, asked: Demand) -> tuple[Problem, Problem]:
    """The problem of the visits that are in runs: without the pop-back, and with it."""
    placed = {stop.visit for run in roster.runs for stop in run.stops}
    demands = tuple(demand for demand in problem.demands if demand.id in placed)
    return replace(problem, demands=demands), replace(problem, demands=(*demands, asked))


def _faults(problem: Problem, roster: Roster) -> set[tuple[str, str | None, str | None]]:
    return {(v.rule, v.visit, v.worker) for v in violations(problem=problem, roster=roster)}


def _clear_of_rivals(encodings: list[Encoding], roster: Roster, asked: Demand) -> Demand:
    """The pop-back with its windows cut to starts that keep clear of its customer's published visits."""
    spans: dict[str, tuple[int, int]] = {}
    for run in roster.runs:
        for stop in run.stops:
            was = spans.get(stop.visit, (stop.start, stop.end))
            spans[stop.visit] = min(was[0], stop.start), max(was[1], stop.end)
    windows = [(window.earliest, window.latest) for window in asked.windows]
    for encoding in encodings:
        for a, b in encoding.blocked(asked, spans) if encoding.blocked else ():
            cut = [((lo, min(hi, a)), (max(lo, b), hi)) for lo, hi in windows]
            windows = [piece for pieces in cut for piece in pieces if piece[0] <= piece[1]]
    whole = tuple(Window(lo, hi) for lo, hi in sorted(set(windows)))
    return replace(asked, windows=whole)


def _places(encodings: list[Encoding], lines: list[Line], asked: Demand, k: int) -> Iterator[Place]:
    for line in lines:
        if _pair_block(encodings, asked, k, line.worker) is None:
            yield from places_in(line=line, demand=asked, slot=k)


def _pair_block(encodings: list[Encoding], asked: Demand, k: int, worker: Worker) -> str | None:
    for rule, encoding in zip(CONSTRAINTS, encodings, strict=True):
        if encoding.pair is not None and not encoding.pair(asked, k, worker):
            return rule.name
    return None


def _pair_offers(
    problem: Problem, asked: Demand, clear: Demand, encodings: list[Encoding], lines: list[Line]
) -> Iterator[Offer]:
    """Pairs of places of different workers at starts that fit together: of the cheapest places of each slot."""
    sides = [sorted(_places(encodings, lines, clear, k), key=_cost)[:PAIR_PLACES_MAX] for k in (0, 1)]
    for one in sides[0]:
        for two in sides[1]:
            if one.line.worker.id == two.line.worker.id:
                continue
            first = max(one.first, two.first - asked.sync.max_seconds)
            last = min(one.last, two.last - asked.sync.min_seconds)
            if first > last:
                continue
            start = min(max(one.start, first), last)
            second = min(max(two.first, start + asked.sync.min_seconds), start + asked.sync.max_seconds)
            yield _offer(problem, asked, (one.starting(start=start), two.starting(start=second)))


def _cost(place: Place) -> tuple[int, int]:
    return place.extra_travel_seconds + place.moved_seconds(), place.start


def _offer(problem: Problem, asked: Demand, places: tuple[Place, ...]) -> Offer:
    workers = tuple(place.line.worker.id for place in places)
    moved = tuple(
        Moved(visit=d.id, slot=k, worker=place.line.worker.id, was=was, becomes=becomes)
        for place in places
        for (d, k, was), becomes in zip(place.line.stops, place.others(), strict=True)
        if was != becomes
    )
    extra = sum(place.extra_travel_seconds for place in places)
    weights, start = problem.weights, places[0].start
    points = weights.travel * extra + sum(abs(move.becomes - move.was) for move in moved)
    if asked.preferred_start is not None:
        points += abs(start - asked.preferred_start) // 2
    if asked.preferred_workers:
        points += weights.not_preferred * sum(who not in asked.preferred_workers for who in workers)
    runs = tuple(place.run(problem=problem, demand=asked) for place in places)
    return Offer(
        demand=asked, workers=workers, start=start, extra_travel_seconds=extra, moved=moved, runs=runs, points=points
    )


def _nearest(problem: Problem, roster: Roster, asked: Demand) -> tuple[Nearest, ...]:
    encodings = [rule.encode(_placed_only(problem, roster, asked)[1]) for rule in CONSTRAINTS]
    by_worker: dict[str, list[Line]] = {}
    for line in lines_of(problem=problem, roster=roster):
        by_worker.setdefault(line.worker.id, []).append(line)
    clear = _clear_of_rivals(encodings, roster, asked)
    found = [_block(encodings, worker, by_worker.get(worker.id, []), asked, clear) for worker in problem.workers]
    found.sort(key=lambda each: each[0])
    return tuple(each for _, each in found[:NEAREST_MAX])


def _block(
    encodings: list[Encoding], worker: Worker, lines: list[Line], asked: Demand, clear: Demand
) -> tuple[int, Nearest]:
    blocks = [_pair_block(encodings, asked, k, worker) for k in range(len(asked.slots))]
    if all(blocks):
        sentence = f"{worker.id} is ruled out by {blocks[0]}"
        return 3, Nearest(worker=worker.id, rule=blocks[0] or "", sentence=sentence)
    if not lines or not any(list(places_in(line=line.emptied(), demand=asked, slot=0)) for line in lines):
        sentence = f"{worker.id} is not available then"
        return 2, Nearest(worker=worker.id, rule="availability", sentence=sentence)
    if not any(list(places_in(line=line, demand=asked, slot=0)) for line in lines):
        sentence = f"{worker.id} has no time between their visits, even moving them within their windows"
        return 1, Nearest(worker=worker.id, rule="travel_feasible", sentence=sentence)
    if not any(list(places_in(line=line, demand=clear, slot=0)) for line in lines):
        sentence = f"{worker.id} has the time, but it would be too close to the customer's other visits"
        return 0, Nearest(worker=worker.id, rule="visit_gap", sentence=sentence)
    sentence = f"{worker.id} has the time, but a rule on breaks, hours, rest or pairs forbids it"
    return 0, Nearest(worker=worker.id, rule="run", sentence=sentence)
