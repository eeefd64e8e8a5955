"""Cancellation: the agreed share of a visit cancelled at short notice, payable without attendance (rules.md, Billing).
Not the refusal at the door or the unanswered bell."""

from datetime import timedelta
from typing import Final

from evm.domain.billing.agreement import Agreement, CancellationCharge
from evm.domain.billing.charge import Charge, Law, Rule, VisitToBill
from evm.domain.money import pence_words

NAME: Final = "cancellation"


def charges(visit: VisitToBill, agreement: Agreement) -> tuple[Charge, ...]:
    """A charge a slot for a cancelled visit that nobody attended, when the agreement has one for its notice; no minutes."""
    agreed = _agreed(visit, agreement)
    minutes = visit.visit.planned_minutes
    if agreed is None or minutes is None or visit.attended():
        return ()
    rate = agreement.rate_pence_per_minute
    words = (
        f"Cancelled by the {agreed.by.value} with less than {agreed.notice_hours_max} hours' notice: "
        f"{agreed.share} of the {minutes} planned minutes at {pence_words(rate)} a minute is agreed."
    )
    amount = minutes * rate * agreed.share
    slots = [record.slot for record in visit.visit.slots]
    return tuple(Charge(slot=slot, minutes=0, amount_pence=amount, rule=NAME, words=words) for slot in slots)


def _agreed(visit: VisitToBill, agreement: Agreement) -> CancellationCharge | None:
    start = visit.visit.planned_start
    if visit.cancelled is None or start is None:
        return None
    notice = start - visit.cancelled.at
    fitting = [
        agreed
        for agreed in agreement.cancellations
        if agreed.by is visit.cancelled.by and notice < timedelta(hours=agreed.notice_hours_max)
    ]
    return min(fitting, key=lambda agreed: agreed.notice_hours_max, default=None)


RULE: Final = Rule(name=NAME, laws=frozenset({Law.MONOTONE}), charges=charges)
