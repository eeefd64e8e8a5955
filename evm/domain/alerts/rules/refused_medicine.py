"""Refused medicine: a time-critical task was not done (rules.md: "a refused time-critical medicine is an alert now"). Not other tasks
left undone, which the visit's page shows."""

from datetime import datetime
from typing import Final

from evm.domain.alerts.situation import AlertDraft, AlertKind, AlertRule, Situation, about_event

NAME: Final = "refused_medicine"


def drafts(situation: Situation, _now: datetime) -> tuple[AlertDraft, ...]:
    """One alert for each time-critical task the event reports as not done."""
    event = situation.event
    if event is None:
        return ()
    undone = [task for task in event.tasks if not task.done and task.code in situation.time_critical_tasks]
    return tuple(
        about_event(
            event,
            kind=AlertKind.REFUSED_MEDICINE,
            words=f"The time-critical task {task.code} was not done for customer {event.customer}"
            + (f": {task.reason}." if task.reason else "."),
            what=task.code,
        )
        for task in undone
    )


RULE: Final = AlertRule(name=NAME, drafts=drafts)
