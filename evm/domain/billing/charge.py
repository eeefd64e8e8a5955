"""What a billing rule takes and gives: the visit as billing sees it, and charges that explain themselves. Not the rules."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from evm.domain.billing.agreement import Agreement
from evm.domain.plan import Cancellation
from evm.domain.visit import Attendance, Visit


class Law(StrEnum):
    """What a rule promises (rules.md, Billing); Hypothesis holds it to what it declares."""

    NEVER_EXCEEDS_EVIDENCE = "never_exceeds_evidence"
    MONOTONE = "monotone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """Minutes priced for one slot, or taken off again (both numbers negative). `amount_pence` is exact; it is rounded once, in the
    sum of its slot's charges. `words` is the sentence an invoice shows; `evidence` the event ids it rests on."""

    slot: int
    minutes: int
    amount_pence: Fraction
    rule: str
    words: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitToBill:
    """A visit with what billing must know besides: its cancellation, minutes a person authorised over the plan, and the charges
    of the agreement's earlier rules."""

    visit: Visit
    cancelled: Cancellation | None = None
    authorised_minutes: int | None = None
    so_far: tuple[Charge, ...] = ()

    def minutes_so_far(self, slot: int) -> int:
        """Minutes the earlier rules left on one slot."""
        return sum(charge.minutes for charge in self.so_far if charge.slot == slot)

    def attended(self) -> tuple[tuple[int, Attendance], ...]:
        """The slots that somebody attended, each attendance once: the first slot that names it keeps it."""
        seen: set[str] = set()
        found: list[tuple[int, Attendance]] = []
        for record in self.visit.slots:
            attendance = record.attendance
            if attendance is not None and attendance.attendance_id not in seen:
                seen.add(attendance.attendance_id)
                found.append((record.slot, attendance))
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A kind of billing: its name in agreements, the laws it keeps, and what it charges for one visit. `takes_off`: it only takes
    minutes off what earlier rules charged, so it cannot come first."""

    name: str
    laws: frozenset[Law]
    charges: Callable[[VisitToBill, Agreement], tuple[Charge, ...]]
    takes_off: bool = False


def evidence_of(attendance: Attendance) -> tuple[str, ...]:
    """The event ids of an attendance: its check-in, then its check-out, as far as there are."""
    return tuple(event for event in (attendance.check_in, attendance.check_out) if event is not None)


def counted(minutes: int) -> str:
    """`1 minute`, `30 minutes`."""
    return "1 minute" if minutes == 1 else f"{minutes} minutes"


def taken_off(*, slot: int, minutes: int, agreement: Agreement, rule: str, words: str) -> Charge:
    """A charge that takes `minutes` (positive) off a slot again at the agreed rate."""
    return Charge(
        slot=slot, minutes=-minutes, amount_pence=-minutes * agreement.rate_pence_per_minute, rule=rule, words=words
    )
