"""When silence about a planned visit becomes something a person must act on: one deadline a slot and stage (rules.md, Missed visits and
safeguarding). Not what happens then (rules/) and not the rows (the store)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from operator import attrgetter
from types import MappingProxyType
from typing import Final

from evm.domain.ids import CustomerId, VisitId
from evm.domain.plan import PlannedVisit, Risk


class Stage(StrEnum):
    """A deadline's place in the story of one slot; the text stands in the database and on pages."""

    WARN = "warn"
    PAGE = "page"
    MISSED = "missed"
    CHECK_OUT = "check_out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """At `due_at` somebody must have checked in to `slot` of this revision of the visit (out of it, for `CHECK_OUT`)."""

    visit_id: VisitId
    revision: int
    slot: int
    stage: Stage
    due_at: datetime


STAGE_MINUTES: Final[Mapping[Risk, Mapping[Stage, int]]] = MappingProxyType(
    {
        Risk.TIME_CRITICAL: MappingProxyType({Stage.WARN: 10, Stage.PAGE: 15, Stage.MISSED: 30}),
        Risk.STANDARD: MappingProxyType({Stage.WARN: 30, Stage.MISSED: 60}),
        Risk.LOW: MappingProxyType({Stage.WARN: 60, Stage.MISSED: 120}),
    }
)
"""Minutes after the planned start. A standard or low visit that is missed pages at once, so it has no page stage of its own."""

CHECK_OUT_MINUTES: Final[Mapping[Risk, int]] = MappingProxyType(
    {Risk.TIME_CRITICAL: 15, Risk.STANDARD: 30, Risk.LOW: 30}
)
"""Minutes after the planned end; sooner on a risk flag."""


def deadlines_of(visit: PlannedVisit, *, next_start: datetime | None) -> tuple[Deadline, ...]:
    """Every deadline of one planned visit, by slot and stage. `next_start`: that customer's next planned start, before which every
    missed-visit stage falls due. A cancelled visit has none."""
    if visit.cancelled is not None:
        return ()
    found = []
    for slot in range(visit.workers_needed):
        for stage in STAGE_MINUTES[visit.risk]:
            due_at = due(visit, stage=stage, next_start=next_start)
            found.append(_deadline(visit, slot, stage, due_at))
        found.append(_deadline(visit, slot, Stage.CHECK_OUT, check_out_due(visit)))
    return tuple(found)


def deadlines(visits: Sequence[PlannedVisit]) -> tuple[Deadline, ...]:
    """The deadlines of many visits, sorted by due time. Give whole days of each customer: the next visit caps the one before it."""
    following = next_starts(visits)
    found = [deadline for visit in visits for deadline in deadlines_of(visit, next_start=following.get(visit.visit_id))]
    return tuple(sorted(found, key=attrgetter("due_at", "visit_id", "slot", "stage")))


def next_starts(visits: Sequence[PlannedVisit]) -> dict[VisitId, datetime]:
    """For each visit the strictly later planned start of the same customer's next visit, cancelled ones left aside."""
    starts: dict[CustomerId, set[datetime]] = {}
    for visit in visits:
        if visit.cancelled is None:
            starts.setdefault(visit.customer_id, set()).add(visit.start)
    following = {customer: dict(pairwise(sorted(instants))) for customer, instants in starts.items()}
    found = {}
    for visit in visits:
        later = following.get(visit.customer_id, {}).get(visit.start)
        if later is not None:
            found[visit.visit_id] = later
    return found


def due(visit: PlannedVisit, *, stage: Stage, next_start: datetime | None) -> datetime:
    """When a missed-visit stage falls due: by the risk's table, and always before the customer's next visit."""
    due_at = visit.start + timedelta(minutes=STAGE_MINUTES[visit.risk][stage])
    if next_start is None:
        return due_at
    return max(visit.start, min(due_at, next_start - timedelta(seconds=1)))


def missed_due(visit: PlannedVisit, *, next_start: datetime | None) -> datetime:
    """The moment from which a slot nobody checked in to is missed."""
    return due(visit, stage=Stage.MISSED, next_start=next_start)


def check_out_due(visit: PlannedVisit) -> datetime:
    """The moment from which a check-out is overdue."""
    return visit.start + timedelta(minutes=visit.minutes + CHECK_OUT_MINUTES[visit.risk])


def _deadline(visit: PlannedVisit, slot: int, stage: Stage, due_at: datetime) -> Deadline:
    return Deadline(visit_id=visit.visit_id, revision=visit.revision, slot=slot, stage=stage, due_at=due_at)
