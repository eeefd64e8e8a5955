"""Judges an invoice: every line meets its visit and evidence and gets one verdict. Pure; keeps nothing and edits nothing.

The same claim and the same knowledge give the same pennies, in whatever order lines and visits are handed in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

from evm.domain.billing.agreement import Agreement, agreement_on
from evm.domain.billing.charge import Charge, VisitToBill, counted, evidence_of
from evm.domain.billing.checks import CLAIM_CHECKS, EVIDENCE_CHECKS, Case, Check, Elsewhere, Ruling
from evm.domain.billing.invoice import ClaimLine, InvoiceClaim, LineVerdict, Reason, Verdict
from evm.domain.billing.line_matching import Meant, meant_visits
from evm.domain.billing.price import price, slot_pence
from evm.domain.ids import CustomerId, LocalityId, VisitId
from evm.domain.money import pounds
from evm.domain.plan import Absence, PlannedVisit
from evm.domain.visit import Attendance, SlotRecord, Visit, VisitOutcome

Slot = tuple[VisitId, int]
HELD_IN_SHADOW: Final = frozenset(
    {
        Reason.UNKNOWN_VISIT,
        Reason.UNKNOWN_SLOT,
        Reason.OTHER_CUSTOMER,
        Reason.OUTSIDE_PERIOD,
        Reason.RATE_NOT_AGREED,
        Reason.DUPLICATE,
        Reason.CLAIMED_ELSEWHERE,
        Reason.CANCELLED,
    }
)
"""What is wrong by the claim and the plan alone, whatever evidence says: not paid in shadow mode either (ADR-0004)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known when an invoice is judged: the provider's planned visits, what happened at them (newest versions), its agreements
    with the council, the customers' absences, and other invoices that claim the same slots. `meant`: the visits that lines mean which
    name none, by line number; None: worked out here. `uncommissioned`: why the provider may not serve a locality on a local day."""

    planned: Mapping[VisitId, PlannedVisit]
    visits: Mapping[VisitId, Visit]
    agreements: Sequence[Agreement]
    absences: Mapping[CustomerId, tuple[Absence, ...]] = field(default_factory=dict)
    elsewhere: Mapping[Slot, Elsewhere] = field(default_factory=dict)
    meant: Mapping[int, Meant] | None = None
    uncommissioned: Mapping[tuple[LocalityId, date], str] = field(default_factory=dict)
    zone: str = "Europe/London"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Verdicts by line number, and the charges of every visit that was priced on the way."""

    verdicts: tuple[LineVerdict, ...]
    charges: Mapping[VisitId, tuple[Charge, ...]]


def judge(*, claim: InvoiceClaim, known: Known) -> Judgement:
    """A verdict for every line. Line numbers are unique (the service sees to it)."""
    bench = _Bench(claim, known)
    verdicts = tuple(bench.verdict(line) for line in sorted(claim.lines, key=lambda line: line.line_no))
    return Judgement(verdicts=verdicts, charges=bench.charges)


def charges_of(*, planned: PlannedVisit, visit: Visit | None, agreement: Agreement) -> tuple[Charge, ...]:
    """The charges of one planned visit; with `visit` None nothing is reconciled, and only agreed charges can stand."""
    return price(
        visit=VisitToBill(visit=visit or _not_begun(planned), cancelled=planned.cancelled), agreement=agreement
    )


class _Bench:
    """What is remembered from line to line: which line holds a slot, which line an attendance pays, and the charges of a visit."""

    def __init__(self, claim: InvoiceClaim, known: Known) -> None:
        self.claim = claim
        self.known = known
        self.zone = ZoneInfo(known.zone)
        self.meant = meant_visits(lines=claim.lines, planned=known.planned) if known.meant is None else known.meant
        self.agreements: dict[date, Agreement | None] = {}
        self.charges: dict[VisitId, tuple[Charge, ...]] = {}
        self.held: dict[Slot, int] = {}
        self.paying: dict[str, int] = {}

    def verdict(self, line: ClaimLine) -> LineVerdict:
        case, day = self._case(line)
        ruling = _first(CLAIM_CHECKS, case) or self._once(case) or _first(EVIDENCE_CHECKS, case) or self._fresh(case)
        found = self._say_which(_settle(case, ruling or _evidenced(case)), case)
        if case.agreement is None or not case.agreement.in_shadow(day) or found.reason in HELD_IN_SHADOW:
            return found
        return _in_shadow(found, case.agreement)

    def _case(self, line: ClaimLine) -> tuple[Case, date]:
        meant = Meant(visit=line.visit) if line.visit is not None else self.meant.get(line.line_no, Meant())
        planned = None if meant.visit is None else self.known.planned.get(meant.visit)
        day = (line.start if planned is None else planned.start).astimezone(self.zone).date()
        agreement = self._agreement(day)
        visit = None if planned is None else self.known.visits.get(planned.visit_id)
        charges = self._charges(planned, agreement)
        case = Case(
            line=line,
            planned=planned,
            visit=visit,
            attendance=None if visit is None else _attendance(visit, slot=line.slot),
            agreement=agreement,
            charges=charges,
            due_pence=slot_pence(charges, slot=line.slot),
            in_period=self.claim.period_since <= day < self.claim.period_until,
            away=self._away(planned),
            elsewhere=None if planned is None else self.known.elsewhere.get((planned.visit_id, line.slot)),
            uncommissioned=None if planned is None else self.known.uncommissioned.get((planned.locality_id, day)),
            rivals=tuple(self._clock(self.known.planned[rival]) for rival in meant.rivals),
        )
        return case, day

    def _clock(self, planned: PlannedVisit) -> str:
        return f"{planned.start.astimezone(self.zone):%H:%M}"

    def _say_which(self, found: LineVerdict, case: Case) -> LineVerdict:
        """Whose feed the evidence came in, and which visit a line was taken for that names none and starts at another time."""
        words = found.words
        if case.attendance is not None and case.attendance.feed is not None:
            words += f" The times are from {case.attendance.feed}'s feed."
        meant = self.meant.get(case.line.line_no)
        if case.line.visit is None and case.planned is not None and meant is not None and not meant.exact:
            words += f" Taken for the visit planned at {self._clock(case.planned)}."
        return found if words == found.words else replace(found, words=words)

    def _agreement(self, day: date) -> Agreement | None:
        if day not in self.agreements:
            self.agreements[day] = agreement_on(self.known.agreements, day=day)
        return self.agreements[day]

    def _charges(self, planned: PlannedVisit | None, agreement: Agreement | None) -> tuple[Charge, ...]:
        if planned is None or agreement is None:
            return ()
        if planned.visit_id not in self.charges:
            visit = self.known.visits.get(planned.visit_id)
            self.charges[planned.visit_id] = charges_of(planned=planned, visit=visit, agreement=agreement)
        return self.charges[planned.visit_id]

    def _away(self, planned: PlannedVisit | None) -> Absence | None:
        spells = () if planned is None else self.known.absences.get(planned.customer_id, ())
        for spell in spells:
            if (
                planned is not None
                and spell.since <= planned.start
                and (spell.until is None or planned.start < spell.until)
            ):
                return spell
        return None

    def _once(self, case: Case) -> Ruling | None:
        """A slot is claimed once on an invoice: the lowest line number holds it."""
        assert case.planned is not None
        first = self.held.setdefault((case.planned.visit_id, case.line.slot), case.line.line_no)
        if first == case.line.line_no:
            return None
        words = f"Line {first} claims the same visit and worker."
        return Ruling(verdict=Verdict.DISALLOW, reason=Reason.DUPLICATE, words=words)

    def _fresh(self, case: Case) -> Ruling | None:
        """No second is paid twice: an attendance pays one line, whatever visits it was matched to."""
        assert case.attendance is not None
        first = self.paying.setdefault(case.attendance.attendance_id, case.line.line_no)
        if first == case.line.line_no:
            return None
        words = f"The same attendance already pays line {first}; a person must decide."
        return Ruling(verdict=Verdict.QUERY, reason=Reason.EVIDENCE_USED, words=words)


def _attendance(visit: Visit, *, slot: int) -> Attendance | None:
    return next((record.attendance for record in visit.slots if record.slot == slot), None)


def _first(checks: tuple[Check, ...], case: Case) -> Ruling | None:
    for check in checks:
        ruling = check(case)
        if ruling is not None:
            return ruling
    return None


def _evidenced(case: Case) -> Ruling:
    """The line pays what its evidence is worth, and never more than was claimed."""
    assert case.attendance is not None
    claimed, due = case.line.pence_claimed, case.due_pence
    if claimed <= due:
        words = f"{counted(case.attendance.minutes)} evidenced; {pounds(claimed)} is paid as claimed."
        return Ruling(verdict=Verdict.PAY, reason=Reason.EVIDENCED, words=words)
    why = [charge.words for charge in case.charges if charge.slot == case.line.slot]
    words = (
        f"{counted(case.line.minutes_claimed)} claimed, {counted(case.attendance.minutes)} evidenced: {pounds(due)} is paid "
        f"and {pounds(claimed - due)} is not."
    )
    return Ruling(verdict=Verdict.REDUCE, reason=Reason.MORE_THAN_EVIDENCED, words=" ".join([words, *why[1:]]))


def _settle(case: Case, ruling: Ruling) -> LineVerdict:
    claimed = case.line.pence_claimed
    pays = ruling.verdict in (Verdict.PAY, Verdict.REDUCE)
    payable = min(claimed, case.due_pence) if pays else 0
    attendance = case.attendance
    return LineVerdict(
        line_no=case.line.line_no,
        verdict=ruling.verdict,
        reason=ruling.reason,
        words=ruling.words,
        claimed_pence=claimed,
        payable_pence=payable,
        reduced_pence=claimed - payable if pays else 0,
        withheld_pence=claimed if ruling.verdict in (Verdict.WITHHOLD, Verdict.QUERY) else 0,
        disallowed_pence=claimed if ruling.verdict is Verdict.DISALLOW else 0,
        minutes_evidenced=0 if attendance is None else attendance.minutes,
        visit_version=None if case.visit is None else case.visit.version,
        evidence=() if attendance is None else evidence_of(attendance),
    )


def _in_shadow(found: LineVerdict, agreement: Agreement) -> LineVerdict:
    """Shadow mode: the verdict is shown and the claim is paid; `shadow_pence` says what would not have been (ADR-0004)."""
    held = found.claimed_pence - found.payable_pence
    if held == 0:
        return found
    assert agreement.shadow_until is not None
    until = f"{agreement.shadow_until.day} {agreement.shadow_until:%B %Y}"
    return replace(
        found,
        words=f"{found.words} Shadow mode until {until}: {pounds(held)} would not be paid, and nothing is held.",
        payable_pence=found.claimed_pence,
        reduced_pence=0,
        withheld_pence=0,
        disallowed_pence=0,
        shadow_pence=held,
    )


def _not_begun(planned: PlannedVisit) -> Visit:
    slots = tuple(SlotRecord(slot=slot, rostered=None, attendance=None) for slot in range(planned.workers_needed))
    return Visit(
        visit_id=planned.visit_id,
        customer=planned.customer_id,
        provider=planned.provider_id,
        care_day="",
        planned_start=planned.start,
        planned_minutes=planned.minutes,
        outcome=VisitOutcome.PENDING,
        slots=slots,
    )
