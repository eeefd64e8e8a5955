"""Room for a visit that fits nowhere as things stand: others are handed on, or, for a promised one, taken out.

Not the pricing and not the bookkeeping of a re-plan (rostering.replan_search).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rostering.constraint import Span
from rostering.lines import Line, line_of, places_in
from rostering.problem import Demand
from rostering.replan_search import Repair
from rostering.standing import Standing

CHAIN_DEPTH = 2
CHAIN_TRIALS = 400
GOOD_CHAINS = 6


def make_room(*, repair: Repair, stopped: Callable[[], bool]) -> None:
    """Fill absent visits by handing on one visit, or two in a chain, of those in their way.

    Visits that somebody had are tried whatever `stopped` says: the trials are counted, not timed.
    """
    owed = repair.published.owed
    for visit in sorted(
        repair.absent,
        key=lambda each: (each not in owed, not repair.demand(each).must_keep, -repair.penalty(each), each),
    ):
        if visit not in owed and (stopped() or not repair.may_change(repair.standing)):
            return
        repair.trials_left = CHAIN_TRIALS
        found = _chained(repair, repair.standing, repair.demand(visit), frozenset(), CHAIN_DEPTH)
        if found is not None and (visit in owed or repair.may_change(found)):
            repair.standing = found
            repair.absent.discard(visit)


def drop_halves(*, repair: Repair) -> None:
    """Take out the other half of each visit for two that nobody else can be found for: one alone is no visit."""
    halves = {visit for visit in repair.absent if any((visit, k) in repair.standing.starts for k in (0, 1))}
    for visit in sorted(halves):
        demand = repair.demand(visit)
        if demand.sync.independent:
            continue
        after = repair.without(repair.standing, {visit})
        if after is not None:
            repair.standing = after
    repair.fill()


def _chained(repair: Repair, standing: Standing, demand: Demand, chain: frozenset[str], depth: int) -> Standing | None:
    """The standing roster with the visit in it, whatever was in its way handed on; None when that fails."""
    way = next(repair.ways_in(standing, demand), None)
    if way is not None:
        after = standing.copy()
        after.apply(way.change)
        return after
    if depth == 0:
        return None
    best: tuple[int, Standing] | None = None
    good = 0
    for after, other in _in_the_way(repair, standing, demand, chain):
        if repair.trials_left <= 0 or good >= GOOD_CHAINS:
            break
        repair.trials_left -= 1
        done = _chained(repair, after, other, chain | {demand.id}, 0)
        if done is not None:
            good += 1
            points = repair.points(done)
            best = (points, done) if best is None or points < best[0] else best
    if best is None and depth > 1:
        return _deeper(repair, standing, demand, chain, depth)
    return None if best is None else best[1]


def _deeper(repair: Repair, standing: Standing, demand: Demand, chain: frozenset[str], depth: int) -> Standing | None:
    for after, other in _in_the_way(repair, standing, demand, chain):
        if repair.trials_left <= 0:
            return None
        repair.trials_left -= 1
        done = _chained(repair, after, other, chain | {demand.id}, depth - 1)
        if done is not None:
            return done
    return None


def _in_the_way(
    repair: Repair, standing: Standing, demand: Demand, chain: frozenset[str]
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
        for other in _movable(repair, line, chain):
            if not _fits_without(standing, number, demand, slot, other, spans):
                continue
            after = repair.without(standing, {other.id})
            way = None if after is None else next(repair.ways_in(after, demand, (number,)), None)
            if after is not None and way is not None:
                after.apply(way.change)
                yield after, other


def _movable(repair: Repair, line: Line, chain: frozenset[str]) -> list[Demand]:
    before = repair.published.not_before
    return [
        demand
        for demand, _, start in line.stops
        if demand.id not in chain and demand.id not in repair.published.firm and (before is None or start >= before)
    ]


def _fits_without(standing: Standing, number: int, demand: Demand, slot: int, other: Demand, spans: list[Span]) -> bool:
    line = standing.lines[number]
    stops = tuple(stop for stop in line.stops if stop[0] is not other)
    legs_of = standing.rules.legs_of
    without = line_of(
        worker=line.worker, start=line.start, end=line.end, stops=stops, give=standing.give, legs_of=legs_of
    )
    legs, service = legs_of(line.worker.mode, demand.place), demand.slots[slot].service_seconds
    found = places_in(line=without, number=number, legs=legs, service_seconds=service, spans=spans)
    return next(found, None) is not None


def keep_promises(*, repair: Repair) -> None:
    """Put in each absent promised visit (for one worker) by taking out ordinary visits that stand in its way.

    What it pushes out is absent afterwards: a promise goes before a window that is only usual.
    """
    for visit in sorted(repair.absent):
        demand = repair.demand(visit)
        if demand.must_keep and len(demand.slots) == 1:
            _force(repair, demand)


def _force(repair: Repair, demand: Demand) -> None:
    near = repair.standing.rules.siblings[demand.customer]
    for siblings in (frozenset(), frozenset(visit for visit in near if _is_ordinary(repair, visit))):
        tries = [_cleared(repair, demand, number, siblings) for number in range(len(repair.standing.lines))]
        found = [each for each in tries if each is not None]
        if found:
            out, after = min(found, key=lambda each: (sum(repair.penalty(v) for v in each[0]), sorted(each[0])))
            repair.standing = after
            repair.absent = (repair.absent | out) - {demand.id}
            return


def _is_ordinary(repair: Repair, visit: str) -> bool:
    demand = repair.demand(visit)
    stays = demand.must_keep or demand.is_pinned or not repair.is_free(visit)
    return not stays and (visit, 0) in repair.standing.starts


def _cleared(
    repair: Repair, demand: Demand, number: int, siblings: frozenset[str]
) -> tuple[frozenset[str], Standing] | None:
    """(visits taken out, the roster with the promised visit in this line), as few out as come nearest in time."""
    line = repair.standing.lines[number]
    if line.worker.id not in repair.standing.rules.able(demand, 0):
        return None
    middle = (demand.windows[0].earliest + demand.windows[-1].latest) // 2
    mine = [(abs(start - middle), d.id) for d, _, start in line.stops if _is_ordinary(repair, d.id)]
    out = siblings
    for visit in ["", *(visit for _, visit in sorted(mine))]:
        out |= {visit} if visit else out
        after = repair.without(repair.standing, out) if out else repair.standing.copy()
        way = None if after is None else next(repair.ways_in(after, demand, (number,)), None)
        if after is not None and way is not None:
            after.apply(way.change)
            return out, after
    return None
