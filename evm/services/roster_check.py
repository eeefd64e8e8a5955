"""What a roster would do to its workers' time, said before it is published: call cramming built into it. Not the hard rules
(rostering.verify)."""

from dataclasses import replace

from evm.domain.cramming import in_roster
from evm.domain.ids import WorkerId
from evm.domain.plan import PlannedVisit
from evm.domain.policy import Policy
from evm.services.roster_problem import Day
from rostering.roster import Roster


def findings_of(*, day: Day, roster: Roster, policy: Policy) -> tuple[str, ...]:
    """A sentence for every worker-day that cannot be worked as rostered (rules.md, call cramming built into the roster). The starts
    judged are those the roster gives, which are the planned ones once it is published."""
    crammed = in_roster(
        plan=_as_rostered(day, roster),
        homes={customer.customer_id: customer.home for customer in day.customers.values()},
        modes={worker.worker_id: worker.mode for worker in day.workers},
        policy=policy,
    )
    return tuple(f"{one.worker} on {one.day.isoformat()}: {' '.join(one.sentences)}" for one in crammed)


def _as_rostered(day: Day, roster: Roster) -> list[PlannedVisit]:
    placed = roster.starts()
    found = []
    for visit in day.visits:
        slots = [placed.get((visit.visit_id, slot)) for slot in range(visit.workers_needed)]
        starts = [day.instant(each[1]) for each in slots if each is not None]
        workers = tuple(None if each is None else WorkerId(each[0]) for each in slots)
        found.append(replace(visit, start=min(starts, default=visit.start), rostered=workers))
    return found
