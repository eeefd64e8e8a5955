"""Room for a visit that fits nowhere as things stand: others are handed on, or, for a promised one, taken out.

Not the pricing and not the bookkeeping of a re-plan (rostering.replan_search).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from rostering.constraint import Span
from rostering.lines import Line, line_of, places_in
from rostering.problem import Demand
from rostering.replan_search import Repair
from rostering.standing import Standing, apart

CHAIN_DEPTH = 3
CHAIN_TRIALS = 500
GOOD_CHAINS = 6


def make_room(*, repair: Repair, stopped: Callable[[], bool], among: Collection[str] | None = None) -> None:
    """Fill absent visits (or those `among` them) by handing on what is in their way, in chains of up to CHAIN_DEPTH.

    Visits that somebody had are tried whatever `stopped` says: the trials are counted, not timed.
    """
    owed = repair.published.owed
    absent = repair.absent if among is None else repair.absent & set(among)
    for visit in sorted(
        absent, key=lambda each: (each not in owed, not repair.demand(each).must_keep, -repair.penalty(each), each)
    ):
        if visit not in owed and (stopped() or not repair.may_change(repair.standing)):
            return
        found = _shortest_chain(repair, repair.demand(visit))
        if found is not None and (visit in owed or repair.may_change(found)):
            repair.standing = found
            repair.absent.discard(visit)


def drop_halves(*, repair: Repair) -> frozenset[str]:
    """Take out the other half of each visit for two that nobody else can be found for: one alone is no visit.

    Whom they then can be given to together is tried at once; those that stay absent are returned.
    """
    halves = {visit for visit in repair.absent if any((visit, k) in repair.standing.starts for k in (0, 1))}
    for visit in sorted(halves):
        if repair.demand(visit).sync.independent:
            continue
        after = repair.without(repair.standing, {visit})
        if after is not None:
            repair.standing = after
    repair.fill(halves)
    return frozenset(halves & repair.absent)


def _shortest_chain(repair: Repair, demand: Demand) -> Standing | None:
    """The roster with the visit in it after the shortest chain that makes room, within the trials that are left."""
    repair.trials_floor = max(0, repair.trials_left - CHAIN_TRIALS)
    for depth in range(1, CHAIN_DEPTH + 1):
        found = _chained(repair, repair.standing, demand, frozenset(), depth)
        if found is not None or repair.trials_left <= repair.trials_floor:
            return found
    return None


def _chained(repair: Repair, standing: Standing, demand: Demand, chain: frozenset[str], depth: int) -> Standing | None:
    """The roster with the visit in it, just `depth` others handed on; None when that fails. Of the shortest chains the
    cheapest of the first few, of longer ones the first."""
    if depth == 0:
        way = next(repair.ways_in(standing, demand), None)
        return None if way is None else standing.changed(way.change)
    found: list[tuple[int, int, Standing]] = []
    for after, other in _in_the_way(repair, standing, demand, chain):
        if repair.trials_left <= repair.trials_floor:
            break
        repair.trials_left -= 1
        done = _chained(repair, after, other, chain | {demand.id}, depth - 1)
        if done is not None:
            found.append((repair.points(done), len(found), done))
            if depth > 1 or len(found) >= GOOD_CHAINS:
                break
    return min(found)[2] if found else None


def _in_the_way(
    repair: Repair, standing: Standing, demand: Demand, chain: frozenset[str]
) -> Iterator[tuple[Standing, Demand]]:
    """Rosters in which one visit gave its place to this one: (the roster, the visit that is out now)."""
    missing = standing.missing(demand=demand)
    seen: set[str] = set()
    for slot in missing:
        spans = standing.spans_for(demand=demand, slot=slot)
        able = standing.rules.able(demand, slot)
        partners = _partners(standing, demand, 1 - slot) if len(missing) == 2 else None
        for number, line in enumerate(standing.lines):
            if line.worker.id not in able or not spans or line.end < spans[0][0] or line.start > spans[-1][1]:
                continue
            for other in _movable(repair, line, chain):
                freed = _freed(standing, number, demand, slot, other, spans) if other.id not in seen else []
                if not freed or not (partners is None or _meets(demand, slot, line.worker.id, freed, partners)):
                    continue
                seen.add(other.id)
                after = repair.without(standing, {other.id})
                numbers = (number,) if partners is None else None
                way = None if after is None else next(repair.ways_in(after, demand, numbers), None)
                if after is not None and way is not None:
                    after.apply(way.change)
                    yield after, other


def _partners(standing: Standing, demand: Demand, slot: int) -> list[tuple[str, int, int]]:
    """(worker, first, last) of every place that the slot has as things stand."""
    spans = standing.spans_for(demand=demand, slot=slot)
    able, service = standing.rules.able(demand, slot), demand.slots[slot].service_seconds
    return [
        (line.worker.id, place.first, place.last)
        for number, line in enumerate(standing.lines)
        if line.worker.id in able
        for place in places_in(
            line=line,
            number=number,
            legs=standing.rules.legs_of(line.worker.mode, demand.place),
            service_seconds=service,
            spans=spans,
        )
    ]


def _meets(
    demand: Demand, slot: int, worker: str, freed: Sequence[Span], partners: Sequence[tuple[str, int, int]]
) -> bool:
    """Whether somebody else could start the other slot in time for one of the freed spans of this one."""
    least, most = apart(demand=demand)
    if slot:
        least, most = -most, -least
    return any(
        who != worker and first <= hi + most and lo + least <= last for lo, hi in freed for who, first, last in partners
    )


def _movable(repair: Repair, line: Line, chain: frozenset[str]) -> list[Demand]:
    before = repair.published.not_before
    return [
        demand
        for demand, _, start in line.stops
        if demand.id not in chain and demand.id not in repair.published.firm and (before is None or start >= before)
    ]


def _freed(standing: Standing, number: int, demand: Demand, slot: int, other: Demand, spans: list[Span]) -> list[Span]:
    """Starts that the slot could have in the line if the other visit were not in it."""
    line = standing.lines[number]
    stops = tuple(stop for stop in line.stops if stop[0] is not other)
    legs_of = standing.rules.legs_of
    without = line_of(
        worker=line.worker, start=line.start, end=line.end, stops=stops, give=standing.give, legs_of=legs_of
    )
    legs, service = legs_of(line.worker.mode, demand.place), demand.slots[slot].service_seconds
    found = places_in(line=without, number=number, legs=legs, service_seconds=service, spans=spans)
    return [(place.first, place.last) for place in found]


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
