"""The money laws as checks that raise AssertionError, so that tests can also show each one failing. Not the tests themselves."""

from fractions import Fraction
from itertools import permutations

from evm.domain.billing import judge as judging
from evm.domain.billing import price as pricing
from evm.domain.billing.agreement import Agreement
from evm.domain.billing.charge import VisitToBill
from evm.domain.billing.invoice import InvoiceClaim, Verdict, totals
from evm.domain.billing.judge import Known
from evm.domain.money import round_half_up
from evm.domain.visit import Visit
from tests.domain.billing.bills import cut


def lines_add_up(claim: InvoiceClaim, known: Known) -> None:
    """Each line, and the invoice: claimed = payable + reduced + withheld + disallowed, to the penny, and nothing above the claim."""
    verdicts = judging.judge(claim=claim, known=known).verdicts
    assert [verdict.line_no for verdict in verdicts] == sorted(line.line_no for line in claim.lines)
    claimed = {line.line_no: line.pence_claimed for line in claim.lines}
    for verdict in verdicts:
        parts = [verdict.payable_pence, verdict.reduced_pence, verdict.withheld_pence, verdict.disallowed_pence]
        assert min(parts) >= 0
        assert sum(parts) == verdict.claimed_pence == claimed[verdict.line_no]
    sums = totals(verdicts)
    assert sums.claimed_pence == claim.claimed_pence
    assert sums.payable_pence == sum(verdict.payable_pence for verdict in verdicts)


def charges_add_up(visit: VisitToBill, agreement: Agreement) -> None:
    """The pence of a slot's charges are the slot's pence."""
    charges = pricing.price(visit=visit, agreement=agreement)
    parts = pricing.charge_pence(charges)
    for slot in {charge.slot for charge in charges}:
        of_slot = [part for part, charge in zip(parts, charges, strict=True) if charge.slot == slot]
        assert sum(of_slot) == pricing.slot_pence(charges, slot=slot)


def never_above_evidence(visit: VisitToBill, agreement: Agreement) -> None:
    """No slot stands above the evidenced minutes of its attendance, in minutes or in money."""
    charges = pricing.price(visit=visit, agreement=agreement)
    for record in visit.visit.slots:
        evidenced = 0 if record.attendance is None else record.attendance.payable_seconds // 60
        minutes = pricing.slot_minutes(charges, slot=record.slot)
        assert 0 <= minutes <= evidenced
        assert pricing.slot_pence(charges, slot=record.slot) <= round_half_up(
            evidenced * agreement.rate_pence_per_minute
        )


def no_second_twice(claim: InvoiceClaim, known: Known) -> None:
    """What an invoice pays for one attendance is never more than that attendance's minutes at the rate."""
    paid: dict[str, Fraction] = {}
    minutes: dict[str, int] = {}
    rate: dict[str, Fraction] = {}
    plans = {line.line_no: line for line in claim.lines}
    for verdict in judging.judge(claim=claim, known=known).verdicts:
        line = plans[verdict.line_no]
        if verdict.verdict not in (Verdict.PAY, Verdict.REDUCE) or line.visit is None:
            continue
        there = known.visits[line.visit].slots[line.slot].attendance
        assert there is not None
        minutes[there.attendance_id] = there.minutes
        rate[there.attendance_id] = known.agreements[0].rate_pence_per_minute
        paid[there.attendance_id] = paid.get(there.attendance_id, Fraction()) + verdict.payable_pence
    for attendance_id, pence in paid.items():
        assert pence <= round_half_up(minutes[attendance_id] * rate[attendance_id])


def less_evidence_never_raises(visit: Visit, agreement: Agreement, *, slot: int, seconds: int) -> None:
    """Take evidence away from one slot: no slot's price rises (rules that declare `monotone` only)."""
    before = pricing.price(visit=VisitToBill(visit=visit), agreement=agreement)
    after = pricing.price(visit=VisitToBill(visit=cut(visit, slot=slot, seconds=seconds)), agreement=agreement)
    for record in visit.slots:
        assert pricing.slot_pence(after, slot=record.slot) <= pricing.slot_pence(before, slot=record.slot)


def less_evidence_never_raises_the_visit(visit: Visit, agreement: Agreement, *, slot: int, seconds: int) -> None:
    """Take evidence away from one slot: the visit as a whole costs no more, whatever rules apply."""
    before = pricing.price(visit=VisitToBill(visit=visit), agreement=agreement)
    after = pricing.price(visit=VisitToBill(visit=cut(visit, slot=slot, seconds=seconds)), agreement=agreement)
    assert sum(charge.amount_pence for charge in after) <= sum(charge.amount_pence for charge in before)


def replay_gives_the_same(claim: InvoiceClaim, known: Known) -> None:
    """Lines in any order, visits in any order, once more: the same verdicts, words and pennies."""
    first = judging.judge(claim=claim, known=known).verdicts
    backwards = Known(
        planned=dict(reversed(known.planned.items())),
        visits=dict(reversed(known.visits.items())),
        agreements=tuple(reversed(known.agreements)),
        absences=known.absences,
        elsewhere=known.elsewhere,
    )
    for lines in list(permutations(claim.lines))[:6]:
        again = InvoiceClaim(
            provider=claim.provider,
            council=claim.council,
            number=claim.number,
            period_since=claim.period_since,
            period_until=claim.period_until,
            claimed_pence=claim.claimed_pence,
            lines=lines,
        )
        assert judging.judge(claim=again, known=backwards).verdicts == first
