"""No reply: a worker at the door could not get in. It pages at once; the worker stays until released (rules.md, Missed visits)."""

from datetime import datetime
from typing import Final

from evm.domain.alerts.situation import AlertDraft, AlertKind, AlertRule, Situation, about_event
from evm.domain.evidence import EventKind

NAME: Final = "no_reply"


def drafts(situation: Situation, _now: datetime) -> tuple[AlertDraft, ...]:
    """One alert an event, with what to do next."""
    event = situation.event
    if event is None or event.kind is not EventKind.NO_REPLY:
        return ()
    who = "A worker whose device is nobody's" if event.worker is None else f"Worker {event.worker}"
    where = "an unknown place" if event.customer is None else f"customer {event.customer}'s door"
    words = (
        f"{who} gets no reply at {where} and stays until released. Ring the customer, then next of kin, then police."
    )
    return (about_event(event, kind=AlertKind.NO_REPLY, words=words),)


RULE: Final = AlertRule(name=NAME, drafts=drafts)
