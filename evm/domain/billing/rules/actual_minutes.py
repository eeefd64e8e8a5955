"""Actual minutes: every evidenced minute of every slot at the agreed rate (background S2). Not what may be paid of it."""

from typing import Final

from evm.domain.billing.agreement import Agreement
from evm.domain.billing.charge import Charge, Law, Rule, VisitToBill, counted, evidence_of
from evm.domain.money import pence_words

NAME: Final = "actual_minutes"


def charges(visit: VisitToBill, agreement: Agreement) -> tuple[Charge, ...]:
    """A charge a slot with evidenced minutes; minutes are whole, floor(payable seconds ÷ 60)."""
    rate = agreement.rate_pence_per_minute
    return tuple(
        Charge(
            slot=slot,
            minutes=attendance.minutes,
            amount_pence=attendance.minutes * rate,
            rule=NAME,
            words=f"{counted(attendance.minutes)} evidenced at {pence_words(rate)} a minute.",
            evidence=evidence_of(attendance),
        )
        for slot, attendance in visit.attended()
        if attendance.minutes > 0
    )


RULE: Final = Rule(name=NAME, laws=frozenset({Law.NEVER_EXCEEDS_EVIDENCE, Law.MONOTONE}), charges=charges)
