"""A mended roster made cheaper around the disruption: a few visits are taken out and put back. It fills by the way."""

from __future__ import annotations

import random
from collections.abc import Callable

from rostering.replan_search import Repair
from rostering.stop import Progress, StopRule

NEAR_MAX = 24
TAKEN_OUT_MAX = 5


def improve(
    *, repair: Repair, stop: StopRule, rng: random.Random, report: Callable[[Progress], None] | None = None
) -> int:
    """Take a few visits around the disruption out and put them back for less, until the rule says stop; iterations."""
    around = sorted(visit for visit in repair.published.lost if repair.is_free(visit))
    best = repair.objective()
    repair.curve.append((0, best))
    iterations = improved_at = 0
    while around and repair.standing.lines:
        progress = Progress(
            iterations=iterations, objective=best, unfilled=repair.slots_absent(), improved_at=improved_at
        )
        if report is not None:
            report(progress)
        if stop(progress):
            break
        iterations += 1
        tried = _tried(repair, around, rng)
        if tried is not None and (cost := tried.objective()) < best and _is_calm(repair, tried):
            repair.standing, repair.absent, best, improved_at = tried.standing, tried.absent, cost, iterations
            repair.curve.append((iterations, best))
    return iterations


def _is_calm(repair: Repair, tried: Repair) -> bool:
    """Whether it leaves nobody out who is in now, and changes no more than it may, or than is changed already."""
    if not tried.absent <= repair.absent:
        return False
    most = max(repair.published.changes_max, repair.changed_count(repair.standing))
    return repair.changed_count(tried.standing) <= most


def _tried(repair: Repair, around: list[str], rng: random.Random) -> Repair | None:
    gone = {rng.choice(around)}
    near = _near(repair, next(iter(gone)))
    gone |= set(rng.sample(near, min(len(near), rng.randint(0, TAKEN_OUT_MAX - 1))))
    after = repair.without(repair.standing, gone - repair.absent)
    if after is None:
        return None
    tried = Repair(
        standing=after,
        published=repair.published,
        tastes=repair.tastes,
        absent=repair.absent | gone,
        priced=repair.priced,
    )
    order = sorted(gone | repair.absent)
    rng.shuffle(order)
    order.sort(key=lambda visit: -len(repair.demand(visit).slots))
    for visit in order:
        way = next(tried.ways_in(tried.standing, tried.demand(visit)), None)
        if way is None and visit not in repair.absent:
            return None
        if way is not None:
            tried.take(way)
    return tried


def _near(repair: Repair, visit: str) -> list[str]:
    """Movable visits near in place and time, nearest first."""
    standing, here = repair.standing, repair.demand(visit)
    at = standing.starts.get((visit, 0), here.windows[0].earliest)
    into = standing.rules.legs_of(standing.lines[0].worker.mode, here.place).into
    before = repair.published.not_before
    found = [
        (into[standing.rules.demands[other].place] + abs(start - at) // 4, other)
        for (other, slot), start in standing.starts.items()
        if slot == 0 and other != visit and repair.is_free(other) and (before is None or start >= before)
    ]
    return [other for _, other in sorted(found)[:NEAR_MAX]]
