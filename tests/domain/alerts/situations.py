"""Builders of situations for the alert rules' tests."""

from typing import Any

from evm.domain.alerts.deadline import Stage, deadlines_of
from evm.domain.alerts.situation import Situation
from evm.domain.plan import PlannedVisit
from tests.domain.stories import planned, visits_of

LONDON = "Europe/London"


def at_deadline(stage: Stage, evidence: Any = (), *, plan: PlannedVisit | None = None, slot: int = 0) -> Situation:
    """The deadline of one stage and slot of a visit (v1 at 09:00 unless given), with what the evidence shows of it."""
    visit = plan or planned()
    deadline = next(one for one in deadlines_of(visit, next_start=None) if one.stage is stage and one.slot == slot)
    found = [one for one in visits_of([visit], list(evidence)) if one.visit_id]
    return Situation(zone=LONDON, deadline=deadline, planned=visit, visit=found[0])
