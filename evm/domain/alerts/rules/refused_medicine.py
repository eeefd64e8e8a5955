"""Refused medicine: a time-critical task was not done, or the whole visit that has one was refused (rules.md: "a refused time-critical
medicine is an alert now"). Not other tasks left undone, which the visit's page shows."""

from datetime import datetime
from typing import Final

from evm.domain.alerts.situation import AlertDraft, AlertKind, AlertRule, Situation, about_event
from evm.domain.evidence import EventKind

NAME: Final = "refused_medicine"


def drafts(situation: Situation, _now: datetime) -> tuple[AlertDraft, ...]:
    """One alert for each time-critical task the event reports as not done; else one for a refusal of a visit with such tasks."""
    event = situation.event
    if event is None:
        return ()
    undone = [task for task in event.tasks if not task.done and task.code in situation.time_critical_tasks]
    if not undone and event.kind is EventKind.CUSTOMER_REFUSED and situation.refused_tasks:
        words = (
            f"Customer {event.customer} refused a visit with the time-critical {_tasks(situation.refused_tasks)}"
            + (f": {event.words}." if event.words else ".")
        )
        return (about_event(event, kind=AlertKind.REFUSED_MEDICINE, words=words, what="visit"),)
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


def _tasks(codes: frozenset[str]) -> str:
    return ("task " if len(codes) == 1 else "tasks ") + ", ".join(sorted(codes))


RULE: Final = AlertRule(name=NAME, drafts=drafts)
