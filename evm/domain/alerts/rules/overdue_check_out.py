"""Overdue check-out: a worker checked in and should have left by now (rules.md: planned end + 30 min, sooner on a risk flag; counted
from the check-in when they came late). Not a forgotten check-out, which is a finding about money: a worker who has been heard of
elsewhere since is evidently safe."""

from datetime import datetime, timedelta
from typing import Final

from evm.domain.alerts.deadline import CHECK_OUT_MINUTES, Stage
from evm.domain.alerts.situation import AlertDraft, AlertKind, AlertRule, Situation, about_slot
from evm.domain.period import in_zone

NAME: Final = "overdue_check_out"


LATE_ARRIVAL_MINUTES_MAX: Final = 120
"""A worker may still come this long after the planned start (the matching window's default), and must be seen out again, too."""


def overdue_at(situation: Situation) -> datetime:
    """When the check-out is overdue: at its deadline, or as much later as the worker came late. While nobody has come it is looked at
    again when the last who may still come should have left."""
    deadline, planned, attendance = situation.deadline, situation.planned, situation.attendance()
    assert deadline is not None
    assert planned is not None
    if attendance is not None and (attendance.start is None or attendance.end is not None):
        return deadline.due_at
    latest = planned.start + timedelta(minutes=LATE_ARRIVAL_MINUTES_MAX)
    begun = latest if attendance is None or attendance.start is None else attendance.start
    return max(deadline.due_at, begun + timedelta(minutes=planned.minutes + CHECK_OUT_MINUTES[planned.risk]))


def drafts(situation: Situation, now: datetime) -> tuple[AlertDraft, ...]:
    """One alert a slot whose worker is still checked in; it pages."""
    deadline, attendance = situation.deadline, situation.attendance()
    if deadline is None or deadline.stage is not Stage.CHECK_OUT or attendance is None:
        return ()
    if attendance.start is None or attendance.end is not None or now < overdue_at(situation):
        return ()
    if situation.worker_seen_at is not None and situation.worker_seen_at > attendance.start:
        return ()
    since = in_zone(attendance.start, zone=situation.zone)
    words = f"Worker {attendance.worker} checked in at {since:%H:%M} and has not checked out: are they safe?"
    return (about_slot(situation, kind=AlertKind.OVERDUE_CHECK_OUT, words=words, pages=True, worker=attendance.worker),)


RULE: Final = AlertRule(name=NAME, drafts=drafts)
