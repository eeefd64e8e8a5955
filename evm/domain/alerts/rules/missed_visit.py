"""Missed visit: a slot's deadline came and nobody has checked in to it. Any claim of attendance quiets it, whatever its grade
(protocol.md); one of two workers coming does not quiet the other's slot. Not an unverified attendance, which has its own rule."""

from datetime import datetime
from typing import Final

from evm.domain.alerts.deadline import Stage
from evm.domain.alerts.situation import AlertDraft, AlertKind, AlertRule, Situation, about_slot
from evm.domain.period import in_zone, seconds_between
from evm.domain.visit import VisitOutcome

NAME: Final = "missed_visit"
_SOMEBODY_WAS_THERE: Final = frozenset({VisitOutcome.NO_REPLY, VisitOutcome.REFUSED})
"""No reply pages by its own rule; a refusal is an outcome. Neither is a missed visit."""


def drafts(situation: Situation, _now: datetime) -> tuple[AlertDraft, ...]:
    """One alert a slot and stage (warn, page, missed); the page and missed stages ring a person."""
    deadline, planned = situation.deadline, situation.planned
    if deadline is None or planned is None or deadline.stage is Stage.CHECK_OUT:
        return ()
    if situation.attendance() is not None:
        return ()
    if situation.visit is not None and situation.visit.outcome in _SOMEBODY_WAS_THERE:
        return ()
    start = in_zone(planned.start, zone=situation.zone)
    minutes = seconds_between(planned.start, deadline.due_at) // 60
    slot = f" (worker {deadline.slot + 1} of {planned.workers_needed})" if planned.workers_needed > 1 else ""
    words = f"Nobody has checked in{slot} {minutes} minutes after the planned start of {start:%H:%M}."
    rostered = planned.rostered[deadline.slot] if deadline.slot < len(planned.rostered) else None
    pages = deadline.stage is not Stage.WARN
    return (about_slot(situation, kind=AlertKind.MISSED_VISIT, words=words, pages=pages, worker=rostered),)


RULE: Final = AlertRule(name=NAME, drafts=drafts)
