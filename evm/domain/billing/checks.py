"""The questions an invoice line is asked, one a function, in order: the first that objects decides. Not the sums (judge.py).

Sources: rules.md, Invoices and withholding; background S3 (Manchester withheld what electronic monitoring did not evidence)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from evm.domain.billing.agreement import Agreement
from evm.domain.billing.charge import Charge, counted
from evm.domain.billing.invoice import ClaimLine, Reason, Verdict
from evm.domain.evidence import Grade
from evm.domain.finding import FindingCode
from evm.domain.money import pence_words, pounds, round_half_up
from evm.domain.plan import Absence, PlannedVisit
from evm.domain.visit import Attendance, Visit, VisitOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """Another invoice that claims the same slot; `approved`: it stands and cannot be held any more."""

    number: str
    approved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One line with all that is known about it. `visit` None: nothing reconciled yet; `attendance`: who attended the claimed slot;
    `charges` are those of the whole visit, and `due_pence` what they come to for the claimed slot. `rivals`: the local starts of the
    planned visits that fit a line equally well which names none; `uncommissioned`: why the provider may not serve there that day."""

    line: ClaimLine
    planned: PlannedVisit | None
    visit: Visit | None
    attendance: Attendance | None
    agreement: Agreement | None
    charges: tuple[Charge, ...]
    due_pence: int
    in_period: bool
    away: Absence | None
    elsewhere: Elsewhere | None
    rivals: tuple[str, ...] = ()
    uncommissioned: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """An answer that decides a line."""

    verdict: Verdict
    reason: Reason
    words: str


Check = Callable[[Case], Ruling | None]


def _disallow(reason: Reason, words: str) -> Ruling:
    return Ruling(verdict=Verdict.DISALLOW, reason=reason, words=words)


def _withhold(reason: Reason, words: str) -> Ruling:
    return Ruling(verdict=Verdict.WITHHOLD, reason=reason, words=words)


def _query(reason: Reason, words: str) -> Ruling:
    return Ruling(verdict=Verdict.QUERY, reason=reason, words=words)


def known_visit(case: Case) -> Ruling | None:
    """A line must name a planned visit of this provider; one that names none may still be matched."""
    if case.planned is not None:
        return None
    if case.rivals:
        words = f"The visits planned at {' and '.join(case.rivals)} fit this line equally well; a person must say which it means."
        return _query(Reason.MATCH_UNCLEAR, words)
    if case.line.visit is None:
        words = "No planned visit of this customer starts then or near it; the line waits for a match."
        return _withhold(Reason.NO_MATCH, words)
    return _disallow(Reason.UNKNOWN_VISIT, f"No visit {case.line.visit} was commissioned from this provider.")


def commissioned_provider(case: Case) -> Ruling | None:
    """Where the council keeps contracts, the provider holds one for the visit's locality on its day (background S8)."""
    if case.uncommissioned is None:
        return None
    return _disallow(Reason.UNKNOWN_VISIT, f"Not commissioned: {case.uncommissioned}.")


def same_customer(case: Case) -> Ruling | None:
    if case.planned is None or case.planned.customer_id == case.line.customer:
        return None
    words = f"The visit was commissioned for another customer than {case.line.customer}, whom the line names."
    return _query(Reason.OTHER_CUSTOMER, words)


def commissioned_slot(case: Case) -> Ruling | None:
    if case.planned is None or 0 <= case.line.slot < case.planned.workers_needed:
        return None
    workers = "one worker" if case.planned.workers_needed == 1 else f"{case.planned.workers_needed} workers"
    words = f"The visit was commissioned for {workers}; this line claims worker {case.line.slot + 1}."
    return _disallow(Reason.UNKNOWN_SLOT, words)


def within_period(case: Case) -> Ruling | None:
    if case.in_period:
        return None
    return _disallow(Reason.OUTSIDE_PERIOD, "The visit's day is not in the period of this invoice.")


def agreed_rate(case: Case) -> Ruling | None:
    """The day must have an agreement, and the line must not ask more for its minutes than the agreed rate gives. An agreed charge for a
    cancelled visit may be claimed as such, without minutes."""
    if case.agreement is None:
        return _disallow(Reason.RATE_NOT_AGREED, "No agreement with this provider was in force on that day.")
    rate, minutes = case.agreement.rate_pence_per_minute, case.line.minutes_claimed
    agreed_pence = round_half_up(minutes * rate)
    charge_pence = case.due_pence if case.planned is not None and case.planned.cancelled is not None else 0
    if case.line.pence_claimed <= max(agreed_pence, charge_pence):
        return None
    words = (
        f"{pounds(case.line.pence_claimed)} is claimed for {counted(minutes)}; at the agreed {pence_words(rate)} a minute "
        f"that is {pounds(agreed_pence)}. Claim it again at the agreed rate."
    )
    return _disallow(Reason.RATE_NOT_AGREED, words)


def one_invoice(case: Case) -> Ruling | None:
    """A slot claimed on two invoices is held on both, unless the other is approved: then this one is the duplicate."""
    if case.elsewhere is None:
        return None
    if case.elsewhere.approved:
        words = f"The same visit and worker were claimed on invoice {case.elsewhere.number}, which is approved."
        return _disallow(Reason.DUPLICATE, words)
    words = f"The same visit and worker are claimed on invoice {case.elsewhere.number} too; a person must decide which stands."
    return _query(Reason.CLAIMED_ELSEWHERE, words)


def not_cancelled(case: Case) -> Ruling | None:
    """A cancelled visit pays only the charge that the agreement has for its notice."""
    if case.planned is None or case.planned.cancelled is None:
        return None
    if case.attendance is not None:
        words = "The visit was cancelled, yet evidence says that a worker attended; a person must decide."
        return _query(Reason.ATTENDED_THOUGH_CANCELLED, words)
    if case.due_pence == 0:
        words = f"The {case.planned.cancelled.by.value} cancelled the visit, and the agreement has no charge for its notice."
        return _disallow(Reason.CANCELLED, words)
    verdict = Verdict.PAY if case.line.pence_claimed <= case.due_pence else Verdict.REDUCE
    words = f"Cancelled; the agreement pays {pounds(case.due_pence)} for such notice, without attendance."
    return Ruling(verdict=verdict, reason=Reason.AGREED_CHARGE, words=words)


def customer_at_home(case: Case) -> Ruling | None:
    if case.away is None:
        return None
    if case.attendance is None:
        return _disallow(Reason.AWAY, f"The customer was away ({case.away.kind.value}) and nobody attended.")
    words = f"The customer was recorded as away ({case.away.kind.value}), yet evidence says that a worker attended."
    return _query(Reason.ATTENDED_WHILE_AWAY, words)


NOT_RECEIVED: Final = {
    VisitOutcome.REFUSED: "The customer refused the visit, and no minutes are evidenced.",
    VisitOutcome.NO_REPLY: "Nobody answered the door, and no minutes are evidenced.",
}


def attended(case: Case) -> Ruling | None:
    if case.attendance is not None:
        return None
    outcome = case.visit.outcome if case.visit is not None else VisitOutcome.PENDING
    if outcome is VisitOutcome.MISSED:
        return _withhold(Reason.MISSED, "The visit stands as missed: no evidence says that a worker came.")
    if outcome in NOT_RECEIVED:
        return _withhold(Reason.NOT_RECEIVED, NOT_RECEIVED[outcome])
    return _withhold(Reason.NO_EVIDENCE, "No check-in or check-out for this worker's part of the visit is stored yet.")


def waits_for_nobody(case: Case) -> Ruling | None:
    if case.attendance is None or not case.attendance.waits or case.attendance.approved:
        return None
    return _query(
        Reason.EVIDENCE_WAITS, "Something is wrong with the evidence of this attendance; a person must decide."
    )


def in_one_place(case: Case) -> Ruling | None:
    """Nobody works in two places at once: until a person decides, neither visit is billed by itself (bad-input 84)."""
    if case.attendance is None or case.attendance.approved:
        return None
    overlaps = [found.words for found in case.attendance.findings if found.code is FindingCode.OVERLAP]
    if not overlaps:
        return None
    words = "The worker is recorded in two places at once; a person must decide. "
    return _query(Reason.WORKER_OVERLAPS, words + " ".join(overlaps))


def both_ends(case: Case) -> Ruling | None:
    """Half an attendance pays nothing until it is amended."""
    attendance = case.attendance
    if attendance is None:
        return None
    if attendance.amended and not attendance.approved:
        return _withhold(Reason.AMENDMENT_UNAPPROVED, "The times were amended; they pay once a second person approves.")
    if attendance.start is None or attendance.end is None:
        missing = "check-in" if attendance.start is None else "check-out"
        return _withhold(Reason.PARTIAL_EVIDENCE, f"The {missing} is missing; nothing is payable until it is amended.")
    if attendance.payable_seconds == 0:
        return _withhold(
            Reason.PARTIAL_EVIDENCE, "The evidence of this attendance is doubtful; no time is payable yet."
        )
    return None


def trusted(case: Case) -> Ruling | None:
    """The agreement says which grades pay by themselves; what a person approved pays at any grade."""
    attendance, agreement = case.attendance, case.agreement
    if attendance is None or agreement is None or attendance.approved:
        return None
    if attendance.grade_place is Grade.D and Grade.D not in agreement.grades_place:
        words = "The evidence contradicts the place (grade D): it was recorded somewhere else than at this customer's."
        return _withhold(Reason.PLACE_CONTRADICTED, words)
    if attendance.grade_time in agreement.grades_time and attendance.grade_place in agreement.grades_place:
        return None
    words = (
        f"Time is grade {attendance.grade_time.value} and place grade {attendance.grade_place.value}; the agreement pays "
        f"time {_grades(agreement.grades_time)} with place {_grades(agreement.grades_place)}, the rest once approved."
    )
    return _withhold(Reason.GRADE_UNAPPROVED, words)


def _grades(grades: frozenset[Grade]) -> str:
    return " or ".join(sorted(grades))


CLAIM_CHECKS: Final[tuple[Check, ...]] = (
    known_visit,
    same_customer,
    commissioned_provider,
    commissioned_slot,
    within_period,
    agreed_rate,
)
"""Whether the line may be claimed at all. Only a line that passes them occupies its slot on the invoice."""

EVIDENCE_CHECKS: Final[tuple[Check, ...]] = (
    one_invoice,
    not_cancelled,
    customer_at_home,
    attended,
    waits_for_nobody,
    in_one_place,
    both_ends,
    trusted,
)
"""Whether evidence lets it pay. A line that passes them pays what is evidenced."""
