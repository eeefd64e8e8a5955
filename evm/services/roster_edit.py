"""A person changes a roster: other workers on a visit, another start, a pin. Always as a new draft that says what it changes and
which rules it breaks; publishing it is another step. Not the search (rostering) and not changes of the plan (plan_changes)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from evm.domain.ids import VisitId, WorkerId
from evm.domain.policy import Policy
from evm.services.popback_places import standing_roster
from evm.services.roster import RosterRefused
from evm.services.roster_drafts import Prepared, add_hand_made, prepare
from evm.services.roster_problem import Pin, Wishes
from evm.services.roster_runs import Placed, runs_of
from evm.store import rosters
from rostering.roster import Roster, Unfilled


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a person wants of one visit: `workers`, one a slot (None: nobody), and `start` (aware UTC); None leaves it as it is.
    `pin`: later rosters keep it so."""

    workers: tuple[WorkerId | None, ...] | None = None
    start: datetime | None = None
    pin: bool = False


def edit(session: Session, *, roster_id: str, changes: Mapping[VisitId, Change], now: datetime, policy: Policy) -> str:
    """Store a draft that is the roster with these changes; its id. Every rule it then breaks is said in the draft.

    Raises RosterRefused for a roster, visit or worker that is not there, or a number of workers that is not the visit's."""
    record = rosters.roster(session, roster_id=roster_id)
    if record is None:
        raise RosterRefused("There is no such roster.")
    prepared = prepare(
        session,
        locality_id=record.locality_id,
        provider_id=record.provider_id,
        day=record.day,
        seed=0,
        policy=policy,
        wishes=Wishes(),
    )
    for visit_id, change in changes.items():
        _check(prepared, visit_id, change)
    before = standing_roster(body=record.body, day=prepared.day, problem=prepared.problem)
    roster = _changed(prepared, before, changes)
    pins = _pins(prepared, roster, changes)
    pinned = replace(prepared, wishes=replace(prepared.wishes, pins=pins))
    return add_hand_made(session, prepared=pinned, roster=roster, now=now, policy=policy)


def _check(prepared: Prepared, visit_id: VisitId, change: Change) -> None:
    demand = prepared.problem.demand_by_id().get(visit_id)
    if demand is None:
        raise RosterRefused(f"Visit {visit_id} is not to be made on {prepared.day.day}.", visits=[visit_id])
    if change.workers is None:
        return
    if len(change.workers) != len(demand.slots):
        raise RosterRefused(f"Visit {visit_id} needs {len(demand.slots)} workers: name one a slot.", visits=[visit_id])
    known = prepared.problem.worker_by_id()
    for worker in change.workers:
        if worker is not None and worker not in known:
            raise RosterRefused(f"{worker} is not a worker of this locality.", visits=[visit_id])


def _changed(prepared: Prepared, before: Roster, changes: Mapping[VisitId, Change]) -> Roster:
    problem, day = prepared.problem, prepared.day
    demands = problem.demand_by_id()
    placed: dict[tuple[str, int], tuple[str | None, int]] = dict(before.starts())
    for visit_id, change in changes.items():
        for slot in range(len(demands[visit_id].slots)):
            worker, start = placed.get((visit_id, slot), (None, day.second(day.visit(visit_id).start)))
            start = start if change.start is None else day.second(change.start)
            placed[visit_id, slot] = (worker if change.workers is None else change.workers[slot], start)
    runs: dict[str, list[Placed]] = {}
    for (visit, slot), (worker, start) in placed.items():
        if worker is not None:
            runs.setdefault(worker, []).append((demands[visit], slot, start))
    reasons = {(each.visit, each.slot): each.reason for each in before.unfilled}
    return Roster(
        runs=runs_of(problem=problem, placed=runs),
        unfilled=tuple(
            Unfilled(visit=demand.id, slot=slot, reason=reasons.get((demand.id, slot), "taken off by hand"))
            for demand in problem.demands
            for slot in range(len(demand.slots))
            if placed.get((demand.id, slot), (None, 0))[0] is None
        ),
    )


def _pins(prepared: Prepared, roster: Roster, changes: Mapping[VisitId, Change]) -> dict[VisitId, Pin]:
    """The pins this edit sets: the visit's workers and start as they are after it, if every slot is filled."""
    starts = roster.starts()
    found = {}
    for visit_id, change in changes.items():
        slots = range(len(prepared.problem.demand_by_id()[visit_id].slots))
        mine = [starts[visit_id, slot] for slot in slots if (visit_id, slot) in starts]
        if change.pin and len(mine) == len(slots):
            workers = tuple(WorkerId(worker) for worker, _ in mine)
            found[visit_id] = Pin(workers=workers, start=prepared.day.instant(mine[0][1]))
    return found
