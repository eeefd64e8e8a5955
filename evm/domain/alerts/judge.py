"""What becomes of a deadline that has come: met, alerted, void, or to be looked at again. Not the claiming of rows (watch)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from evm.domain.alerts.deadline import Stage
from evm.domain.alerts.rules import RULES
from evm.domain.alerts.rules.overdue_check_out import overdue_at
from evm.domain.alerts.situation import AlertDraft, Situation
from evm.domain.visit import VisitOutcome


class Verdict(StrEnum):
    """`VOID`: there is nothing to wait for (cancelled, another revision). `WAIT`: leave the row open and look again."""

    MET = "met"
    ALERTED = "alerted"
    VOID = "void"
    WAIT = "wait"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    verdict: Verdict
    drafts: tuple[AlertDraft, ...] = ()


def drafts_of(situation: Situation, *, now: datetime) -> tuple[AlertDraft, ...]:
    """What every rule in `RULES` makes of the situation, in that order. For an event this is all there is to ask."""
    return tuple(draft for rule in RULES for draft in rule.drafts(situation, now))


def judge(situation: Situation, *, now: datetime) -> Judgement:
    """The verdict on the situation's deadline at `now`, with the alerts to raise when it is `ALERTED`."""
    deadline, planned = situation.deadline, situation.planned
    assert deadline is not None
    if planned is None or planned.cancelled is not None or planned.revision != deadline.revision:
        return Judgement(verdict=Verdict.VOID)
    if situation.visit is not None and situation.visit.outcome is VisitOutcome.CANCELLED:
        return Judgement(verdict=Verdict.VOID)
    if now < deadline.due_at or (deadline.stage is Stage.CHECK_OUT and now < overdue_at(situation)):
        return Judgement(verdict=Verdict.WAIT)
    drafts = drafts_of(situation, now=now)
    return Judgement(verdict=Verdict.ALERTED if drafts else Verdict.MET, drafts=drafts)
