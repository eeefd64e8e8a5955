"""The agreement between a council and a provider: its rate, its rules in order and what pays by itself. Not the rules' workings
(rules/) and not its text form (terms.py)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from fractions import Fraction

from evm.domain.evidence import GRADES_THAT_PAY, Grade
from evm.domain.ids import AgreementId, CouncilId, ProviderId
from evm.domain.plan import CancelledBy


class SecondSlot(StrEnum):
    """How the other worker of a double-up is billed: for all of their presence, or for the time both were there (rules.md)."""

    PRESENCE = "presence"
    OVERLAP = "overlap"


@dataclass(frozen=True, slots=True, kw_only=True)
class CancellationCharge:
    """`share` of the planned minutes is payable without attendance when `by` cancels with less than `notice_hours_max` notice."""

    by: CancelledBy
    notice_hours_max: int
    share: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """One version of the tariff and rules. In force from `effective_from` until the next version's.

    `rules` are names in `evm.domain.billing.rules.RULES`, applied in this order. A visit pays by itself when both of its grades are
    in the sets. Lines of care days before `shadow_until` are judged and shown, and no money is held (background S3)."""

    agreement_id: AgreementId
    version: int
    council: CouncilId
    provider: ProviderId
    effective_from: date
    rate_pence_per_minute: Fraction
    rules: tuple[str, ...] = ("actual_minutes", "capped_at_planned", "second_slot", "cancellation")
    tolerance_minutes: int = 0
    second_slot: SecondSlot = SecondSlot.PRESENCE
    grades_time: frozenset[Grade] = GRADES_THAT_PAY
    grades_place: frozenset[Grade] = GRADES_THAT_PAY
    cancellations: tuple[CancellationCharge, ...] = ()
    shadow_until: date | None = None

    def in_shadow(self, day: date) -> bool:
        """Whether a care day's verdicts hold no money yet."""
        return self.shadow_until is not None and day < self.shadow_until


def agreement_on(agreements: Sequence[Agreement], *, day: date) -> Agreement | None:
    """The one in force on a day: of those that have begun, the latest begun; of two that began together, the later version."""
    begun = [agreement for agreement in agreements if agreement.effective_from <= day]
    return max(begun, key=lambda agreement: (agreement.effective_from, agreement.version), default=None)
