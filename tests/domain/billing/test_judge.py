"""Verdicts: each reason a line can be paid, reduced, withheld, queried or disallowed, and only for that reason."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest

from evm.domain.billing import judge as judging
from evm.domain.billing.agreement import CancellationCharge, SecondSlot
from evm.domain.billing.checks import Elsewhere
from evm.domain.billing.invoice import Reason, Verdict, totals
from evm.domain.evidence import Grade
from evm.domain.ids import CustomerId, VisitId
from evm.domain.plan import Absence, AbsenceKind, Cancellation, CancelledBy
from evm.domain.visit import VisitOutcome
from tests.domain.billing.bills import START, agreement, attendance, claim, known, line, planned, visit

AWAY = Absence(
    customer_id=CustomerId("customer-1"), kind=AbsenceKind.HOSPITAL, since=START - timedelta(days=1), until=None
)
CANCELLED = Cancellation(at=START - timedelta(hours=3), by=CancelledBy.CUSTOMER, reason="at her sister's")


def judge(*, claim, known):
    return judging.judge(claim=claim, known=known).verdicts


def one(there, *, claimed=None, plan=None, **facts):
    """The verdict on a single line for a single visit."""
    plan = plan or planned()
    happened = visit(there, of=plan)
    (found,) = judge(claim=claim(claimed or line()), known=known(happened, plans=(plan,), **facts))
    return found


def test_evidenced_minutes_pay_as_claimed():
    """A line that its evidence covers and that is not paid would break this."""
    found = one(attendance())
    assert (found.verdict, found.reason) == (Verdict.PAY, Reason.EVIDENCED)
    assert (found.payable_pence, found.claimed_pence, found.minutes_evidenced) == (1365, 1365, 30)
    assert found.words == "30 minutes evidenced; £13.65 is paid as claimed."
    assert (found.evidence, found.visit_version) == (("in-a", "out-a"), 1)


def test_more_minutes_than_evidenced_are_reduced_to_the_evidence():
    """bad-input 88: paying the claim, or nothing, would break this."""
    found = one(attendance(seconds=27 * 60 + 59))
    assert (found.verdict, found.reason) == (Verdict.REDUCE, Reason.MORE_THAN_EVIDENCED)
    assert (found.payable_pence, found.reduced_pence, found.minutes_evidenced) == (1229, 136, 27)
    assert found.words == "30 minutes claimed, 27 minutes evidenced: £12.29 is paid and £1.36 is not."


def test_minutes_over_the_plan_are_reduced_and_the_sentence_says_why():
    """Evidence of an hour does not commission one."""
    found = one(attendance(seconds=3600), claimed=line(minutes=60))
    assert (found.verdict, found.payable_pence) == (Verdict.REDUCE, 1365)
    assert found.words.endswith("30 minutes over the 30 minutes that the plan allows are not paid.")


def test_a_claim_below_the_evidence_pays_the_claim():
    """More than was claimed is never paid."""
    found = one(attendance(), claimed=line(minutes=20))
    assert (found.verdict, found.payable_pence, found.claimed_pence) == (Verdict.PAY, 910, 910)


@pytest.mark.parametrize(
    ("there", "reason"),
    [
        (None, Reason.NO_EVIDENCE),
        (attendance(seconds=None), Reason.PARTIAL_EVIDENCE),
        (replace(attendance(), check_in=None, start=None, payable_seconds=0), Reason.PARTIAL_EVIDENCE),
        (attendance(payable_seconds=0), Reason.PARTIAL_EVIDENCE),
        (attendance(grade_place=Grade.D), Reason.PLACE_CONTRADICTED),
        (attendance(grade_place=Grade.C), Reason.GRADE_UNAPPROVED),
        (attendance(grade_time=Grade.C), Reason.GRADE_UNAPPROVED),
        (attendance(grade_time=Grade.D), Reason.GRADE_UNAPPROVED),
        (attendance(amended=True), Reason.AMENDMENT_UNAPPROVED),
    ],
)
def test_evidence_that_may_still_come_withholds_the_whole_line(there, reason):
    """Background S3: paying what is not evidenced, or refusing what may still be, would break this."""
    found = one(there)
    assert (found.verdict, found.reason) == (Verdict.WITHHOLD, reason)
    assert (found.withheld_pence, found.payable_pence) == (1365, 0)
    assert found.words.endswith(".")


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (VisitOutcome.MISSED, Reason.MISSED),
        (VisitOutcome.NO_REPLY, Reason.NOT_RECEIVED),
        (VisitOutcome.REFUSED, Reason.NOT_RECEIVED),
        (VisitOutcome.PENDING, Reason.NO_EVIDENCE),
    ],
)
def test_a_visit_nobody_attended_is_withheld_by_its_outcome(outcome, reason):
    """A missed visit that paid would break this; so would a reason that does not say what is known."""
    plan = planned()
    facts = known(visit(None, of=plan, outcome=outcome), plans=(plan,))
    (found,) = judge(claim=claim(line()), known=facts)
    assert (found.verdict, found.reason) == (Verdict.WITHHOLD, reason)


def test_a_planned_visit_not_reconciled_yet_is_withheld():
    """Nothing known is not the same as nothing commissioned."""
    (found,) = judge(claim=claim(line()), known=known(plans=(planned(),)))
    assert (found.verdict, found.reason, found.visit_version) == (Verdict.WITHHOLD, Reason.NO_EVIDENCE, None)


@pytest.mark.parametrize(
    "changes", [{"grade_place": Grade.D}, {"grade_time": Grade.C}, {"amended": True}, {"waits": True}]
)
def test_what_a_person_approved_pays(changes):
    """An approval that did not release the line would break this."""
    assert one(attendance(approved=True, **changes)).verdict is Verdict.PAY


@pytest.mark.parametrize("grade", [Grade.A, Grade.B])
def test_grades_a_and_b_pay_by_themselves(grade):
    """The default pairs of protocol.md."""
    assert one(attendance(grade_time=grade, grade_place=grade)).verdict is Verdict.PAY


def test_the_agreement_says_which_grades_pay():
    """A threshold that is not the agreement's would break this."""
    strict = agreement(grades_place=frozenset({Grade.A}))
    assert one(attendance(grade_place=Grade.B), agreements=(strict,)).reason is Reason.GRADE_UNAPPROVED


def test_doubtful_events_are_queried_and_count_as_withheld():
    """A fork or a conflict must not pay, nor be lost: a person decides."""
    found = one(attendance(waits=True))
    assert (found.verdict, found.reason) == (Verdict.QUERY, Reason.EVIDENCE_WAITS)
    assert totals([found]).withheld_pence == 1365


@pytest.mark.parametrize(
    ("claimed", "reason"),
    [
        (line(visit_id="visit-9"), Reason.UNKNOWN_VISIT),
        (line(slot=1), Reason.UNKNOWN_SLOT),
        (line(slot=-1), Reason.UNKNOWN_SLOT),
        (line(pence_claimed=1366), Reason.RATE_NOT_AGREED),
    ],
)
def test_what_nothing_can_evidence_is_disallowed(claimed, reason):
    """A visit, worker or rate that nobody agreed must not wait for evidence."""
    found = one(attendance(), claimed=claimed)
    assert (found.verdict, found.reason) == (Verdict.DISALLOW, reason)
    assert found.disallowed_pence == claimed.pence_claimed


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        (datetime(2026, 10, 31, 23, 59, tzinfo=UTC), Reason.OUTSIDE_PERIOD),
        (datetime(2026, 11, 1, 0, 0, tzinfo=UTC), Reason.EVIDENCED),
        (datetime(2026, 11, 30, 23, 59, tzinfo=UTC), Reason.EVIDENCED),
        (datetime(2026, 12, 1, 0, 0, tzinfo=UTC), Reason.OUTSIDE_PERIOD),
    ],
)
def test_the_period_ends_before_its_first_day_after(start, reason):
    """A visit of the next invoice paid on this one would be paid twice."""
    assert one(attendance(start=start), plan=planned(start=start)).reason is reason


def test_the_period_counts_local_days():
    """23:30 UTC on 31 July is 1 August in London: the care day, not the UTC date, decides."""
    start = datetime(2026, 7, 31, 23, 30, tzinfo=UTC)
    plan = planned(start=start)
    august = claim(line(), period_since=date(2026, 8, 1), period_until=date(2026, 9, 1))
    (found,) = judge(claim=august, known=known(visit(attendance(start=start), of=plan), plans=(plan,)))
    assert found.verdict is Verdict.PAY


def test_a_day_before_the_agreement_has_no_agreed_rate():
    """bad-input 90: a visit before the contract must not be priced by it."""
    found = one(attendance(), agreements=(agreement(effective_from=date(2026, 11, 3)),))
    assert (found.verdict, found.reason) == (Verdict.DISALLOW, Reason.RATE_NOT_AGREED)


def test_a_cancelled_visit_without_an_agreed_charge_is_disallowed():
    """Claiming a visit that was cancelled in time would break this."""
    found = one(None, plan=planned(cancelled=CANCELLED))
    assert (found.verdict, found.reason) == (Verdict.DISALLOW, Reason.CANCELLED)


def test_a_cancelled_visit_pays_its_agreed_charge_without_attendance():
    """rules.md: agreed charges are payable without attendance; no more than the charge is."""
    half = CancellationCharge(by=CancelledBy.CUSTOMER, notice_hours_max=24, share=Fraction(1, 2))
    facts = {"plan": planned(cancelled=CANCELLED), "agreements": (agreement(cancellations=(half,)),)}
    found = one(None, **facts)
    assert (found.verdict, found.payable_pence, found.reduced_pence) == (Verdict.REDUCE, 683, 682)
    assert one(None, claimed=line(minutes=15), **facts).verdict is Verdict.PAY


def test_an_agreed_cancellation_charge_may_be_claimed_as_what_it_is():
    """No minutes and the agreed amount is the honest claim for it: refusing it as a wrong rate would break this."""
    half = CancellationCharge(by=CancelledBy.CUSTOMER, notice_hours_max=24, share=Fraction(1, 2))
    facts = {"plan": planned(cancelled=CANCELLED), "agreements": (agreement(cancellations=(half,)),)}
    found = one(None, claimed=line(minutes=0, pence_claimed=683), **facts)
    assert (found.verdict, found.reason, found.payable_pence) == (Verdict.PAY, Reason.AGREED_CHARGE, 683)
    over = one(None, claimed=line(minutes=0, pence_claimed=700), **facts)
    assert (over.verdict, over.reason) == (Verdict.DISALLOW, Reason.RATE_NOT_AGREED)


def test_a_line_without_a_visit_id_means_the_visit_that_still_stands():
    """A cancelled visit and its replacement at the same time: which one a line means must not depend on the order of rows."""
    gone = planned(visit_id="visit-0", cancelled=CANCELLED)
    for plans in ((gone, planned()), (planned(), gone)):
        found = judge(claim=claim(line(visit_id=None)), known=known(visit(attendance()), plans=plans))
        assert [each.verdict for each in found] == [Verdict.PAY]


def test_a_cancelled_visit_that_was_attended_is_queried():
    """A worker who came after all must be neither paid nor refused by a machine."""
    found = one(attendance(), plan=planned(cancelled=CANCELLED))
    assert (found.verdict, found.reason) == (Verdict.QUERY, Reason.ATTENDED_THOUGH_CANCELLED)


def test_row_91_a_visit_while_the_customer_was_away_is_disallowed_or_queried():
    """bad-input 91: nobody there, nothing to pay; somebody there, a person decides."""
    spells = {CustomerId("customer-1"): (AWAY,)}
    assert one(None, absences=spells).reason is Reason.AWAY
    found = one(attendance(), absences=spells)
    assert (found.verdict, found.reason) == (Verdict.QUERY, Reason.ATTENDED_WHILE_AWAY)


@pytest.mark.parametrize(("until", "verdict"), [(START, Verdict.PAY), (START + timedelta(seconds=1), Verdict.QUERY)])
def test_an_absence_ends_when_it_says(until, verdict):
    """The spell is half-open: the visit at its end takes place."""
    spells = {CustomerId("customer-1"): (replace(AWAY, until=until),)}
    assert one(attendance(), absences=spells).verdict is verdict


def test_a_visit_of_another_customer_is_queried():
    """A line that names one customer and another's visit must not pay for either by itself."""
    found = one(attendance(), claimed=line(customer=CustomerId("customer-2")))
    assert (found.verdict, found.reason) == (Verdict.QUERY, Reason.OTHER_CUSTOMER)


def test_a_slot_claimed_twice_pays_once():
    """The lower line number is judged; the other is a duplicate, whatever the order they came in."""
    lines = (line(line_no=7), line(line_no=3))
    first, second = judge(claim=claim(*lines), known=known(visit(attendance())))
    assert (first.line_no, first.verdict) == (3, Verdict.PAY)
    assert (second.line_no, second.verdict, second.reason) == (7, Verdict.DISALLOW, Reason.DUPLICATE)
    assert second.words == "Line 3 claims the same visit and worker."


def test_a_line_that_could_never_be_claimed_does_not_take_the_slot():
    """A line at a wrong rate followed by the right one: the right one pays."""
    lines = (line(line_no=1, pence_claimed=99999), line(line_no=2))
    wrong, right = judge(claim=claim(*lines), known=known(visit(attendance())))
    assert (wrong.verdict, right.verdict) == (Verdict.DISALLOW, Verdict.PAY)


def test_one_attendance_under_two_visits_pays_once():
    """No second of an attendance is billed twice, even if it was matched twice."""
    plans = (planned(visit_id="visit-1"), planned(visit_id="visit-2"))
    facts = known(*[visit(attendance(), of=plan) for plan in plans], plans=plans)
    lines = (line(line_no=1, visit_id="visit-1"), line(line_no=2, visit_id="visit-2"))
    first, second = judge(claim=claim(*lines), known=facts)
    assert first.verdict is Verdict.PAY
    assert (second.verdict, second.reason) == (Verdict.QUERY, Reason.EVIDENCE_USED)


@pytest.mark.parametrize(
    ("approved", "verdict", "reason"),
    [(False, Verdict.QUERY, Reason.CLAIMED_ELSEWHERE), (True, Verdict.DISALLOW, Reason.DUPLICATE)],
)
def test_a_visit_on_two_invoices_is_held_unless_the_other_is_approved(approved, verdict, reason):
    """bad-input 89: paying both would break this; so would choosing one of two open ones by machine."""
    other = {(VisitId("visit-1"), 0): Elsewhere(number="INV-0", approved=approved)}
    found = one(attendance(), elsewhere=other)
    assert (found.verdict, found.reason) == (verdict, reason)
    assert "INV-0" in found.words


def test_a_line_without_a_visit_id_is_matched_by_customer_and_start():
    """A provider whose system knows only customer and time is still paid for what is evidenced."""
    assert one(attendance(), claimed=line(visit_id=None)).verdict is Verdict.PAY


def test_a_line_without_a_match_is_withheld():
    """Evidence or plan may still come; disallowing it at once would break this."""
    found = one(attendance(), claimed=line(visit_id=None, start=START + timedelta(hours=3)))
    assert (found.verdict, found.reason) == (Verdict.WITHHOLD, Reason.NO_MATCH)


def test_each_worker_of_a_double_up_is_judged_alone():
    """One of two workers without evidence must not hold the other's line."""
    plan = planned(workers=2)
    facts = known(visit(attendance(), None, of=plan), plans=(plan,))
    first, second = judge(claim=claim(line(line_no=1), line(line_no=2, slot=1)), known=facts)
    assert (first.verdict, second.verdict) == (Verdict.PAY, Verdict.WITHHOLD)


def test_the_second_worker_is_reduced_to_time_together_where_agreed():
    """The agreement's second slot reaches the line's pennies and its sentence."""
    plan = planned(workers=2)
    there = (attendance(name="a"), attendance(name="b", seconds=1500))
    facts = known(
        visit(*there, of=plan, overlap_seconds=1200),
        plans=(plan,),
        agreements=(agreement(second_slot=SecondSlot.OVERLAP),),
    )
    _, second = judge(claim=claim(line(line_no=1), line(line_no=2, slot=1, minutes=25)), known=facts)
    assert (second.verdict, second.payable_pence) == (Verdict.REDUCE, 910)
    assert "time together" in second.words


@pytest.mark.parametrize("there", [None, attendance(seconds=600), attendance(waits=True)])
def test_shadow_mode_shows_the_verdict_and_holds_nothing(there):
    """A council that only watches must pay every claim and see what it would not have paid."""
    open_ = one(there)
    shadow = one(there, agreements=(agreement(shadow_until=date(2026, 11, 3)),))
    assert (shadow.verdict, shadow.reason) == (open_.verdict, open_.reason)
    assert shadow.payable_pence == shadow.claimed_pence == 1365
    assert shadow.shadow_pence == 1365 - open_.payable_pence
    assert "Shadow mode until 3 November 2026" in shadow.words


def test_shadow_mode_ends_on_its_day():
    """The day itself is judged in earnest."""
    assert one(None, agreements=(agreement(shadow_until=date(2026, 11, 2)),)).withheld_pence == 1365


def test_late_evidence_releases_the_line():
    """The same claim judged again with the check-out there pays what was withheld."""
    before, after = one(attendance(seconds=None)), one(attendance())
    assert (before.withheld_pence, after.payable_pence) == (1365, 1365)


def test_row_95_one_bad_line_of_ten_thousand_holds_only_itself():
    """bad-input 95: a line that took its neighbours with it would break this."""
    count = 10_000
    plans = tuple(planned(visit_id=f"visit-{number}", start=START) for number in range(count))
    happened = [visit(attendance(name=str(number)), of=plan) for number, plan in enumerate(plans)]
    lines = [line(line_no=number + 1, visit_id=f"visit-{number}") for number in range(count)]
    lines[4321] = replace(lines[4321], visit=VisitId("visit-unknown"))
    verdicts = judge(claim=claim(*lines), known=known(*happened, plans=plans))
    assert [verdict.line_no for verdict in verdicts if verdict.verdict is not Verdict.PAY] == [4322]
