"""Every billing rule there is, one a file. Which of them apply, and in what order, is the agreement's to say."""

from typing import Final

from evm.domain.billing.charge import Rule
from evm.domain.billing.rules import actual_minutes, cancellation, capped_at_planned, second_slot

RULES: Final[tuple[Rule, ...]] = (
    actual_minutes.RULE,
    capped_at_planned.RULE,
    second_slot.RULE,
    cancellation.RULE,
)
