"""Unverified attendance: somebody claims to be at a time-critical visit, but neither the time nor the place is proved well enough for
silence (grade A or B, protocol.md): a person must look. Not a missed visit, and never about visits that are not time-critical."""

from datetime import datetime
from typing import Final

from evm.domain.alerts.deadline import Stage
from evm.domain.alerts.situation import AlertDraft, AlertKind, AlertRule, Situation, about_slot
from evm.domain.evidence import GRADES_THAT_PAY
from evm.domain.plan import Risk

NAME: Final = "unverified_attendance"


def drafts(situation: Situation, _now: datetime) -> tuple[AlertDraft, ...]:
    """One alert a slot, at the page stage."""
    deadline, planned, attendance = situation.deadline, situation.planned, situation.attendance()
    if (
        deadline is None
        or planned is None
        or deadline.stage is not Stage.PAGE
        or planned.risk is not Risk.TIME_CRITICAL
    ):
        return ()
    if attendance is None or {attendance.grade_time, attendance.grade_place} <= GRADES_THAT_PAY:
        return ()
    words = (
        f"Worker {attendance.worker} claims to be at a time-critical visit, but the evidence is weak "
        f"(time {attendance.grade_time}, place {attendance.grade_place}): ring to make sure."
    )
    return (
        about_slot(situation, kind=AlertKind.UNVERIFIED_ATTENDANCE, words=words, pages=True, worker=attendance.worker),
    )


RULE: Final = AlertRule(name=NAME, drafts=drafts)
