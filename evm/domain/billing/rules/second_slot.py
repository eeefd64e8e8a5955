"""Second slot of a double-up: billed for presence, or only for the time both workers were there. Not whether they had to be.

Under `overlap` the longest attended slot counts as the first, so a worker left alone is billed as one worker whichever slot the
roster gave them. A line can therefore rise when its partner's evidence goes (the visit as a whole cannot): not `monotone`."""

from typing import Final

from evm.domain.billing.agreement import Agreement, SecondSlot
from evm.domain.billing.charge import Charge, Law, Rule, VisitToBill, counted, taken_off

NAME: Final = "second_slot"


def charges(visit: VisitToBill, agreement: Agreement) -> tuple[Charge, ...]:
    """A negative charge for each further slot that was present longer than both were there."""
    if agreement.second_slot is SecondSlot.PRESENCE:
        return ()
    slots = sorted({charge.slot for charge in visit.so_far}, key=lambda slot: (-visit.minutes_so_far(slot), slot))
    together = visit.visit.overlap_seconds // 60
    found = []
    for slot in slots[1:]:
        alone = visit.minutes_so_far(slot) - together
        if alone > 0:
            words = f"{counted(alone)} without the other worker are not paid: the agreement pays a second for time together."
            found.append(taken_off(slot=slot, minutes=alone, agreement=agreement, rule=NAME, words=words))
    return tuple(found)


RULE: Final = Rule(name=NAME, laws=frozenset({Law.NEVER_EXCEEDS_EVIDENCE}), charges=charges, takes_off=True)
