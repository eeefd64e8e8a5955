"""Assistance: a worker's phone asks for help. It pages at once and never waits for reconciliation."""

from datetime import datetime
from typing import Final

from evm.domain.alerts.situation import AlertDraft, AlertKind, AlertRule, Situation, about_event
from evm.domain.evidence import EventKind

NAME: Final = "assistance"


def drafts(situation: Situation, _now: datetime) -> tuple[AlertDraft, ...]:
    """One alert an event."""
    event = situation.event
    if event is None or event.kind is not EventKind.ASSISTANCE:
        return ()
    who = "A worker whose device is nobody's" if event.worker is None else f"Worker {event.worker}"
    where = "at an unknown place" if event.customer is None else f"with customer {event.customer}"
    return (about_event(event, kind=AlertKind.ASSISTANCE, words=f"{who} asks for assistance {where}."),)


RULE: Final = AlertRule(name=NAME, drafts=drafts)
