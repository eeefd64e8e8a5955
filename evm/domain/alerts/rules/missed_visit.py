"""Missed visit: a slot's deadline came and nobody has checked in to it. Any claim of attendance quiets it, whatever its grade
(protocol.md); one of two workers coming does not quiet the other's slot; evidence that cannot be read quiets nothing. Not an unverified
attendance, which has its own rule."""

from datetime import datetime
from typing import Final

from evm.domain.alerts.deadline import Stage
from evm.domain.alerts.situation import AlertDraft, AlertKind, AlertRule, Situation, about_slot
from evm.domain.finding import FindingCode
from evm.domain.period import in_zone, seconds_between
from evm.domain.plan import PlannedVisit, Risk
from evm.domain.visit import Attendance, Visit, VisitOutcome

NAME: Final = "missed_visit"
_SOMEBODY_WAS_THERE: Final = frozenset({VisitOutcome.NO_REPLY, VisitOutcome.REFUSED})
"""No reply pages by its own rule; a refusal is an outcome. Neither is a missed visit."""


_WEAK: Final = frozenset({FindingCode.PLACE_UNVERIFIED, FindingCode.PLACE_CONTRADICTED, FindingCode.TIME_UNVERIFIED})


def left_before(attendance: Attendance, planned_start: datetime) -> bool:
    """Whether all that is known is a check-out before the visit should begin: it ends some earlier stay, and claims nothing here."""
    return attendance.start is None and attendance.end is not None and attendance.end <= planned_start


def _somebody_was_at_the_door(visit: Visit, planned: PlannedVisit) -> bool:
    """No reply and refusal; a time-critical visit that is said to be refused needs evidence as good as its attendance does."""
    if visit.outcome is VisitOutcome.REFUSED and planned.risk is Risk.TIME_CRITICAL:
        return not any(finding.code in _WEAK for finding in visit.findings)
    return visit.outcome in _SOMEBODY_WAS_THERE


def drafts(situation: Situation, _now: datetime) -> tuple[AlertDraft, ...]:
    """One alert a slot and stage (warn, page, missed); the page and missed stages ring a person."""
    deadline, planned = situation.deadline, situation.planned
    if deadline is None or planned is None or deadline.stage is Stage.CHECK_OUT:
        return ()
    attendance = situation.attendance()
    if attendance is not None and not left_before(attendance, planned.start):
        return ()
    if situation.visit is not None and _somebody_was_at_the_door(situation.visit, planned):
        return ()
    start = in_zone(planned.start, zone=situation.zone)
    minutes = seconds_between(planned.start, deadline.due_at) // 60
    slot = f" (worker {deadline.slot + 1} of {planned.workers_needed})" if planned.workers_needed > 1 else ""
    words = f"Nobody has checked in{slot} {minutes} minutes after the planned start of {start:%H:%M}."
    if situation.is_unreadable:
        words = f"The evidence about the visit planned for {start:%H:%M}{slot} could not be read: ring to make sure."
    rostered = planned.rostered[deadline.slot] if deadline.slot < len(planned.rostered) else None
    pages = deadline.stage is not Stage.WARN
    return (about_slot(situation, kind=AlertKind.MISSED_VISIT, words=words, pages=pages, worker=rostered),)


RULE: Final = AlertRule(name=NAME, drafts=drafts)
