"""An invoice from the provider's file to its verdicts, through the database."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from evm.domain.billing.invoice import Reason, Totals, Verdict
from evm.domain.ids import CouncilId, CustomerId, ProviderId, VisitId
from evm.domain.plan import Absence, AbsenceKind, Cancellation, CancelledBy
from evm.domain.policy import Policy
from evm.services import invoice as invoices
from evm.services.invoice import InvoiceConflict, InvoiceRefused, InvoiceUnknown
from evm.store import money, plans
from tests.services.invoicing import NOW, START, agreement, claim, late_check_out, line, seed

POLICY = Policy()
LATER = NOW + timedelta(days=1)


def submitted(session, made=None):
    return invoices.submit(session, invoice=made or claim(), now=NOW)


def judged(session, made=None):
    """The invoice's id and its sums."""
    invoice_id = submitted(session, made)
    return invoice_id, invoices.judge(session, invoice_id=invoice_id, now=NOW, policy=POLICY)


def verdicts(session, invoice_id):
    return [(each.verdict.verdict, each.verdict.reason) for each in invoices.lines_of(session, invoice_id=invoice_id)]


def test_an_invoice_is_paid_reduced_and_withheld_by_its_evidence(session):
    """Background S3 end to end: 30 of 30 minutes pay, 25 of 30 reduce, no check-out withholds."""
    seed(session)
    invoice_id, sums = judged(session)
    assert sums == Totals(
        claimed_pence=4095, payable_pence=1365 + 1138, reduced_pence=227, withheld_pence=1365, disallowed_pence=0
    )
    assert verdicts(session, invoice_id) == [
        (Verdict.PAY, Reason.EVIDENCED),
        (Verdict.REDUCE, Reason.MORE_THAN_EVIDENCED),
        (Verdict.WITHHOLD, Reason.PARTIAL_EVIDENCE),
    ]
    found = invoices.invoice(session, invoice_id=invoice_id)
    assert (found.totals, found.released_pence, found.invoice.state) == (sums, 0, "judged")


def test_a_judged_line_says_why_and_what_it_rests_on(session):
    """A verdict without sentence, visit version or events could not be checked by anybody."""
    seed(session)
    invoice_id, _ = judged(session)
    second = invoices.lines_of(session, invoice_id=invoice_id)[1]
    assert second.verdict.words == "30 minutes claimed, 25 minutes evidenced: £11.38 is paid and £2.27 is not."
    assert (second.verdict.visit_version, second.verdict.evidence) == (1, ("in-v2", "out-v2"))
    assert (second.version, second.judged_at) == (1, NOW)


def test_lines_can_be_read_by_verdict_and_in_pages(session):
    """A page that shows another verdict's lines, or skips one, would break this."""
    seed(session)
    invoice_id, _ = judged(session)
    held = invoices.lines_of(session, invoice_id=invoice_id, verdict=Verdict.WITHHOLD)
    assert [each.line.line_no for each in held] == [3]
    page = invoices.lines_of(session, invoice_id=invoice_id, limit=2, offset=1)
    assert [each.line.line_no for each in page] == [2, 3]


def test_an_invoice_not_judged_yet_has_no_sums(session):
    """Showing nought as payable before judging would tell the provider a falsehood."""
    seed(session)
    invoice_id = submitted(session)
    found = invoices.invoice(session, invoice_id=invoice_id)
    assert (found.totals, found.invoice.state) == (None, "received")
    assert invoices.lines_of(session, invoice_id=invoice_id)[0].verdict is None


def test_late_evidence_releases_a_line_once_and_the_first_verdict_stays(session):
    """An issued verdict that changed, or a release that came twice, would break this."""
    seed(session)
    invoice_id, _ = judged(session)
    late_check_out(session, 3)
    for _ in range(2):
        changed = invoices.rejudge_for_visits(session, visit_ids=[VisitId("v3")], now=LATER, policy=POLICY)
        assert changed == (invoice_id,)
    history = money.verdict_history(session, invoice_id=invoice_id, line_no=3)
    assert [(version, at, verdict.verdict) for version, at, verdict in history] == [
        (1, NOW, Verdict.WITHHOLD),
        (2, LATER, Verdict.PAY),
    ]
    assert [len(money.verdict_history(session, invoice_id=invoice_id, line_no=number)) for number in (1, 2)] == [1, 1]
    found = invoices.invoice(session, invoice_id=invoice_id)
    assert (found.totals.payable_pence, found.released_pence) == (1365 + 1138 + 1365, 1365)


def test_an_invoice_behind_its_visits_is_found_from_the_rows_alone(session):
    """A release that depended on an event, or a queue nobody filled, would be lost with a crash."""
    seed(session)
    invoice_id, _ = judged(session)
    at = [NOW + timedelta(minutes=minute) for minute in range(4)]
    assert invoices.rejudge_behind(session, now=at[1], policy=POLICY) == (invoice_id,)
    assert invoices.rejudge_behind(session, now=at[1], policy=POLICY) == ()
    late_check_out(session, 3, now=at[2])
    assert invoices.rejudge_behind(session, now=at[3], policy=POLICY) == (invoice_id,)
    assert verdicts(session, invoice_id)[2] == (Verdict.PAY, Reason.EVIDENCED)
    assert invoices.rejudge_behind(session, now=at[3], policy=POLICY) == ()


def test_judging_some_customers_again_gives_what_judging_all_gives(session):
    """A verdict that depended on which lines were looked at would break this: duplicates and matches by start included."""
    seed(session)
    odd = [line(4, visit=VisitId("v3")), line(5, visit=None, start=START), line(6, customer=CustomerId("c2"))]
    invoice_id, _ = judged(session, claim(line(1), line(2), line(3), *odd))
    late_check_out(session, 3, now=LATER)
    assert invoices.rejudge_behind(session, now=LATER, policy=POLICY) == (invoice_id,)
    after = invoices.lines_of(session, invoice_id=invoice_id)
    assert [each.version for each in after] == [1, 1, 2, 2, 1, 1]  # line 4 is line 3's duplicate: its minutes moved too
    sums = invoices.judge(session, invoice_id=invoice_id, now=LATER + timedelta(days=1), policy=POLICY)
    assert invoices.lines_of(session, invoice_id=invoice_id) == after
    assert invoices.invoice(session, invoice_id=invoice_id).totals == sums


def test_an_approved_invoice_still_gains_its_releases_and_stays_approved(session):
    """An approved invoice never changes: a later version of a verdict is the adjustment."""
    seed(session)
    invoice_id, _ = judged(session)
    money.set_state(session, invoice_id=invoice_id, state=money.APPROVED)
    late_check_out(session, 3)
    invoices.rejudge_for_visits(session, visit_ids=[VisitId("v3")], now=LATER, policy=POLICY)
    found = invoices.invoice(session, invoice_id=invoice_id)
    assert (found.invoice.state, found.released_pence) == ("approved", 1365)


def test_judging_again_changes_nothing(session):
    """A replay must give the same pennies and no new versions."""
    seed(session)
    invoice_id, sums = judged(session)
    assert invoices.judge(session, invoice_id=invoice_id, now=LATER, policy=POLICY) == sums
    assert all(each.version == 1 for each in invoices.lines_of(session, invoice_id=invoice_id))


def test_a_visit_version_that_changes_no_verdict_makes_no_new_one(session):
    """Two minutes more above the plan change the visit but neither money nor reason."""
    seed(session)
    invoice_id, _ = judged(session)
    before = invoices.lines_of(session, invoice_id=invoice_id)[0]
    plan = plans.planned_visit(session, visit_id=VisitId("v1"))
    late_check_out(session, 1, seconds=1805)
    assert plan is not None
    invoices.rejudge_for_visits(session, visit_ids=[plan.visit_id], now=LATER, policy=POLICY)
    assert invoices.lines_of(session, invoice_id=invoice_id)[0] == before


def test_an_invoice_not_judged_yet_waits_for_its_judging(session):
    """Late evidence must not issue verdicts that nobody asked for."""
    seed(session)
    invoice_id = submitted(session)
    assert invoices.rejudge_for_visits(session, visit_ids=[VisitId("v1")], now=NOW, policy=POLICY) == ()
    assert invoices.lines_of(session, invoice_id=invoice_id)[0].verdict is None


def test_a_stored_verdict_cannot_be_edited_or_deleted(session):
    """The database itself refuses: an issued verdict never changes."""
    seed(session)
    judged(session)
    for statement in ("UPDATE line_verdicts SET payable_pence = 1", "DELETE FROM line_verdicts"):
        with pytest.raises(DatabaseError, match="append"), session.begin_nested():
            session.execute(text(statement))


# ---- submitting


def test_the_same_invoice_again_is_the_same_invoice(session):
    """bad-input 70: a file sent twice must not be claimed twice, in whatever order its lines stand."""
    seed(session)
    first = submitted(session)
    assert submitted(session, claim(line(3), line(1), line(2))) == first
    assert len(money.invoice_list(session)) == 1


def test_a_number_used_for_another_total_is_a_conflict(session):
    """bad-input 92: one number, two totals: neither may silently win."""
    seed(session)
    submitted(session)
    with pytest.raises(InvoiceConflict) as refused:
        submitted(session, claim(line(1)))
    assert refused.value.field == "number"
    assert "£40.95" in refused.value.words
    assert "£13.65" in refused.value.words


def test_a_number_used_for_other_lines_is_a_conflict(session):
    """The same total over other visits is another invoice."""
    seed(session)
    submitted(session)
    with pytest.raises(InvoiceConflict, match="other lines"):
        submitted(session, claim(line(1), line(2), line(3, minutes_claimed=29)))


@pytest.mark.parametrize("off", [1, -1])
def test_a_total_a_penny_off_is_refused_with_both_sums(session, off):
    """bad-input 87."""
    seed(session)
    with pytest.raises(InvoiceRefused) as refused:
        submitted(session, claim(claimed_pence=4095 + off))
    assert refused.value.field == "claimed_pence"
    assert refused.value.words == f"is £40.{95 + off}, but the lines add up to £40.95; they must agree"
    assert money.invoice_list(session) == ()


@pytest.mark.parametrize("amount", [-5, 0.005, 13.65, 1e400, "1365", "£12", "1,234", True, None, 10**7])
def test_an_amount_that_is_not_whole_pence_is_refused(session, amount):
    """bad-input 85."""
    seed(session)
    with pytest.raises(InvoiceRefused) as refused:
        submitted(session, replace(claim(line(1)), lines=(replace(line(1), pence_claimed=amount),)))
    assert refused.value.field == "lines[1].pence_claimed"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"minutes_claimed": -15}, "minutes_claimed"),
        ({"minutes_claimed": 1441}, "minutes_claimed"),
        ({"minutes_claimed": 45.5}, "minutes_claimed"),
        ({"slot": -1}, "slot"),
        ({"line_no": 0}, "line_no"),
        ({"visit": VisitId("v1'; --")}, "visit"),
        ({"customer": CustomerId("")}, "customer"),
        ({"worker": 7}, "worker"),
        ({"start": datetime(2026, 11, 2, 9)}, "start"),
        ({"start": datetime(9999, 12, 31, 23, 59, tzinfo=UTC)}, "start"),
        ({"start": datetime(1, 1, 1, tzinfo=UTC)}, "start"),
    ],
)
def test_a_line_that_cannot_be_true_is_named(session, changes, field):
    """bad-input 55, 81: the refusal names line and field."""
    seed(session)
    with pytest.raises(InvoiceRefused) as refused:
        submitted(session, claim(line(1, **changes), claimed_pence=1365))
    assert refused.value.field.endswith(f".{field}")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"period_until": date(2026, 11, 2)}, "period_until"),
        ({"period_until": date(2026, 12, 3)}, "period_until"),
        ({"period_since": date(2025, 11, 2)}, "period_until"),
        ({"period_since": date(2026, 2, 1), "period_until": date(2026, 3, 1)}, "period_since"),
        ({"number": " "}, "number"),
        ({"number": "INV\x00"}, "number"),
        ({"number": "1" * 41}, "number"),
        ({"provider": ProviderId("nobody")}, "provider"),
        ({"council": CouncilId("nowhere")}, "council"),
    ],
)
def test_a_heading_that_cannot_be_true_is_refused(session, changes, field):
    """bad-input 90: a closed, future or pre-contract period, and parties nobody knows."""
    seed(session)
    with pytest.raises(InvoiceRefused) as refused:
        submitted(session, claim(**changes))
    assert refused.value.field == field


def test_an_invoice_without_lines_and_a_line_number_twice_are_refused(session):
    """Verdicts are kept by line number: each must be one line's."""
    seed(session)
    with pytest.raises(InvoiceRefused, match="lines"):
        submitted(session, replace(claim(), lines=(), claimed_pence=0))
    with pytest.raises(InvoiceRefused, match="stands twice"):
        submitted(session, claim(line(1), line(2, line_no=1)))


def test_an_unknown_invoice_is_said_to_be_unknown(session):
    """A made-up id must not read as an empty invoice."""
    with pytest.raises(InvoiceUnknown):
        invoices.invoice(session, invoice_id="inv-none")
    with pytest.raises(InvoiceUnknown):
        invoices.judge(session, invoice_id="inv-none", now=NOW, policy=POLICY)


# ---- what the store must bring to the verdicts


def test_a_cancelled_visit_and_an_absence_reach_the_verdict(session):
    """bad-input 91: plans and absences that were not looked up would pay what nobody needed."""
    seed(session, seconds=())
    plans.cancel(
        session,
        visit_id=VisitId("v1"),
        cancellation=Cancellation(at=START - timedelta(days=2), by=CancelledBy.COUNCIL, reason="moved"),
    )
    at_visit_3 = START + timedelta(days=2)
    spell = Absence(
        customer_id=CustomerId("c1"), kind=AbsenceKind.HOSPITAL, since=at_visit_3, until=at_visit_3 + timedelta(hours=1)
    )
    plans.add_absences(session, absences=[spell])
    invoice_id, sums = judged(session)
    assert [reason for _, reason in verdicts(session, invoice_id)] == [
        Reason.CANCELLED,
        Reason.NO_EVIDENCE,
        Reason.AWAY,
    ]
    assert (sums.disallowed_pence, sums.withheld_pence) == (2730, 1365)


def test_a_visit_outside_the_period_is_told_from_one_never_commissioned(session):
    """Both are disallowed, for different reasons that the provider can act on."""
    seed(session)
    made = claim(line(1), line(2), line(3), line(4), period_until=date(2026, 11, 4))
    invoice_id, _ = judged(session, made)
    assert [reason for _, reason in verdicts(session, invoice_id)][2:] == [Reason.OUTSIDE_PERIOD, Reason.UNKNOWN_VISIT]


def test_a_later_rate_prices_later_days_only(session):
    """A rate that takes effect on the second visit's day must not touch the first."""
    seed(session)
    dearer = agreement(version=2, effective_from=START.date() + timedelta(days=1), rate_pence_per_minute=Fraction(50))
    money.add_agreements(session, agreements=[dearer])
    invoice_id, sums = judged(session, claim(line(1), line(2, pence_claimed=1500)))
    assert verdicts(session, invoice_id)[0] == (Verdict.PAY, Reason.EVIDENCED)
    assert sums.payable_pence == 1365 + 25 * 50


def test_row_89_a_slot_on_two_invoices_is_held_on_both(session):
    """bad-input 89: the first invoice, judged and not approved, is held as well."""
    seed(session)
    first, _ = judged(session, claim(line(1), line(2)))
    second, _ = judged(session, claim(line(1), line(3), number="INV-2"))
    assert verdicts(session, first)[0] == (Verdict.QUERY, Reason.CLAIMED_ELSEWHERE)
    assert verdicts(session, second)[0] == (Verdict.QUERY, Reason.CLAIMED_ELSEWHERE)
    assert verdicts(session, first)[1] == (Verdict.REDUCE, Reason.MORE_THAN_EVIDENCED)


@pytest.mark.parametrize(
    ("of_first", "of_second"), [({}, {"visit": None}), ({"visit": None}, {}), ({"visit": None}, {"visit": None})]
)
def test_row_89_a_slot_claimed_by_customer_and_start_is_found_on_both_invoices(session, of_first, of_second):
    """bad-input 89: leaving the visit's id out on one of two invoices would have the same minutes paid twice."""
    seed(session)
    first, _ = judged(session, claim(line(1, **of_first), line(2)))
    second, sums = judged(session, claim(line(1, **of_second), line(3), number="INV-2"))
    assert verdicts(session, first)[0] == (Verdict.QUERY, Reason.CLAIMED_ELSEWHERE)
    assert verdicts(session, second)[0] == (Verdict.QUERY, Reason.CLAIMED_ELSEWHERE)
    assert verdicts(session, first)[1] == (Verdict.REDUCE, Reason.MORE_THAN_EVIDENCED)
    assert sums.payable_pence == 0


def test_a_slot_on_an_approved_invoice_cannot_be_claimed_again(session):
    """What stands approved stays; the second claim is the duplicate."""
    seed(session)
    first, _ = judged(session, claim(line(1)))
    money.set_state(session, invoice_id=first, state=money.APPROVED)
    second, _ = judged(session, claim(line(1), number="INV-2"))
    assert verdicts(session, first) == [(Verdict.PAY, Reason.EVIDENCED)]
    assert verdicts(session, second) == [(Verdict.DISALLOW, Reason.DUPLICATE)]


def test_a_line_disallowed_elsewhere_may_be_claimed_again_properly(session):
    """A provider who claimed at a wrong rate must be able to claim at the right one."""
    seed(session)
    judged(session, claim(line(1, pence_claimed=2000)))
    second, _ = judged(session, claim(line(1), number="INV-2"))
    assert verdicts(session, second) == [(Verdict.PAY, Reason.EVIDENCED)]


def test_shadow_mode_pays_the_claim_and_keeps_what_would_have_been_held(session):
    """A council that only watches must see the sum it would withhold, and withhold nothing."""
    seed(session, shadow_until=date(2026, 12, 1))
    invoice_id, sums = judged(session)
    assert (sums.payable_pence, sums.withheld_pence, sums.shadow_pence) == (4095, 0, 227 + 1365)
    assert invoices.invoice(session, invoice_id=invoice_id).totals == sums
