"""Capped at planned: what stands on a slot over the planned minutes comes off again, but for the agreement's tolerance or for
minutes that a person authorised. Not a rule for unplanned attendances, which have no plan to be capped at."""

from typing import Final

from evm.domain.billing.agreement import Agreement
from evm.domain.billing.charge import Charge, Law, Rule, VisitToBill, counted, taken_off

NAME: Final = "capped_at_planned"


def charges(visit: VisitToBill, agreement: Agreement) -> tuple[Charge, ...]:
    """A negative charge for each slot above the cap."""
    planned = visit.visit.planned_minutes
    if planned is None:
        return ()
    cap = max(planned + agreement.tolerance_minutes, visit.authorised_minutes or 0)
    found = []
    for slot in sorted({charge.slot for charge in visit.so_far}):
        over = visit.minutes_so_far(slot) - cap
        if over > 0:
            words = f"{counted(over)} over the {counted(cap)} that the plan allows are not paid."
            found.append(taken_off(slot=slot, minutes=over, agreement=agreement, rule=NAME, words=words))
    return tuple(found)


RULE: Final = Rule(
    name=NAME, laws=frozenset({Law.NEVER_EXCEEDS_EVIDENCE, Law.MONOTONE}), charges=charges, takes_off=True
)
