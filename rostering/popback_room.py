"""A pop-back that fits nowhere as things stand: room for it by handing one or two ordinary visits to other workers.

Windows hold, pinned and promised visits stay, nobody loses their visit. Not the ranking of plain offers.
"""

from __future__ import annotations

from dataclasses import dataclass

from rostering.problem import Demand
from rostering.replan_room import make_room
from rostering.replan_search import Published, Repair
from rostering.standing import Slot, Standing
from rostering.ways import Tastes
from rostering.weights import Weights

TRIALS_MAX = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """The roster with the pop-back in it and what it costs more, in points."""

    standing: Standing
    points: int


def room_for(*, standing: Standing, demand: Demand, tastes: Tastes) -> Room | None:
    """Room for a visit that has no place, by a chain of hand-overs; None when none was found in TRIALS_MAX trials."""
    slots: dict[Slot, tuple[str, int]] = {}
    for (visit, slot), start in standing.starts.items():
        worker = standing.worker_of(visit=visit, slot=slot)
        if worker is not None:
            slots[visit, slot] = worker, start
    demands = standing.rules.demands
    only = frozenset({demand.id})
    firm = frozenset(each.id for each in demands.values() if each.is_pinned or each.must_keep)
    published = Published(slots=slots, lost=only, owed=only, firm=firm, not_before=None, changes_max=len(slots))
    prices = _with_handing_on(tastes, published, standing.rules.problem.weights)
    repair = Repair(standing=standing, published=published, tastes=prices, absent={demand.id}, trials_left=TRIALS_MAX)
    before = repair.points(standing)
    make_room(repair=repair, stopped=lambda: False)
    if repair.absent:
        return None
    return Room(standing=repair.standing, points=repair.points(repair.standing) - before)


def _with_handing_on(tastes: Tastes, published: Published, weights: Weights) -> Tastes:
    """The desk's prices, a visit that changes hands costing `weights.changed` more."""

    def worker(demand: Demand, who: str) -> int:
        known = published.workers(demand.id)
        return tastes.worker(demand, who) + (weights.changed if known and who not in known else 0)

    return Tastes(travel=tastes.travel, start=tastes.start, worker=worker, move=tastes.move)
