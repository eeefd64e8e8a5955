"""What happened, from plan and evidence: rules.md sentence by sentence, and bad-input rows 14, 15, 25-28."""

import pytest

from evm.domain.evidence import EventKind, Grade, Method
from evm.domain.ids import CustomerId, WorkerId
from evm.domain.plan import Absence, AbsenceKind, Cancellation, CancelledBy, Risk
from evm.domain.reconcile import visit_key
from evm.domain.visit import VisitOutcome
from tests.domain.stories import (
    HOMES,
    amendment,
    at,
    attendance,
    check_in,
    check_out,
    codes,
    event,
    home,
    only,
    planned,
    stay,
    visits_of,
)


def test_a_plain_visit_is_delivered_with_its_whole_seconds_and_no_findings():
    """Broken: the spine itself: one check-in and one check-out give one visit of that many minutes."""
    visit = only(visits_of([planned()], stay("09:02", "09:31:30")))
    assert visit.outcome is VisitOutcome.DELIVERED
    assert attendance(visit).payable_seconds == 29 * 60 + 30
    assert attendance(visit).minutes == 29
    assert visit.findings == ()
    assert visit.care_day == "2026-11-02"
    assert visit_key(visit) == "v1"


def test_a_visit_nobody_came_to_is_pending_until_its_deadline_and_missed_after_it():
    """Broken: visits would be missed before their time, or never."""
    assert only(visits_of([planned()], [])).outcome is VisitOutcome.PENDING
    assert only(visits_of([planned()], [], now=at("09:59:59"))).outcome is VisitOutcome.PENDING
    missed = only(visits_of([planned()], [], now=at("10:00")))
    assert missed.outcome is VisitOutcome.MISSED
    assert codes(missed) == {"missed"}


def test_late_evidence_turns_a_missed_visit_into_a_delivered_one():
    """Broken: a phone without signal would leave a visit missed for ever."""
    visit = only(visits_of([planned()], stay("09:00", "09:30"), now=at("23:00")))
    assert visit.outcome is VisitOutcome.DELIVERED


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        ("09:15", "09:45", set()),
        ("09:15:01", "09:45", {"late"}),
        ("08:45", "09:15", set()),
        ("08:44:59", "09:15", {"early"}),
        ("09:00", "09:24", set()),
        ("09:00", "09:23:59", {"short"}),
        ("09:00", "09:45", set()),
        ("09:00", "09:45:01", {"long"}),
    ],
)
def test_late_early_short_and_long_begin_just_past_the_policys_limits(since, until, expected):
    """Broken: the thresholds of the policy page would not be those that are applied."""
    assert codes(only(visits_of([planned()], stay(since, until)))) == expected


def test_a_finding_about_one_minute_says_one_minute():
    """Broken: a worker would read "1 minutes of the planned 30" about her own visit."""
    visit = only(visits_of([planned()], stay("09:00", "09:01:10")))
    assert [found.words for slot in visit.slots for found in slot.attendance.findings] == [
        "1 minute of the planned 30."
    ]


@pytest.mark.parametrize(
    ("clock", "fits"), [("07:59:59", False), ("08:00", True), ("10:59:59", True), ("11:00", False)]
)
def test_a_check_in_pairs_from_sixty_minutes_before_to_two_hours_after_the_planned_start(clock, fits):
    """Broken: the window [start - 60 min, start + 120 min) of rules.md."""
    visits = visits_of([planned()], [check_in(clock)])
    assert (visits[0].visit_id is not None and len(visits) == 1) is fits


def test_the_next_planned_start_closes_the_window_of_the_visit_before():
    """Broken: a check-in for lunch could be eaten by breakfast."""
    plan = [planned(), planned("v2", "10:00")]
    visits = visits_of(plan, stay("10:00", "10:30"))
    assert [visit.outcome for visit in visits] == [VisitOutcome.PENDING, VisitOutcome.DELIVERED]


def test_an_explicit_visit_wins_over_the_nearer_one():
    """Broken: rule (1) of matching: what the phone says comes first."""
    plan = [planned(), planned("v2", "10:00")]
    visits = visits_of(plan, stay("09:50", "10:20", visit="v1"))
    assert [visit.outcome for visit in visits] == [VisitOutcome.DELIVERED, VisitOutcome.PENDING]


def test_of_two_claims_for_one_slot_the_earlier_check_in_wins():
    """Broken: who came first would depend on the order of arrival."""
    events = [*stay("09:10", "09:40", worker="w2", visit="v1"), *stay("09:20", "09:50", visit="v1")]
    first, second = visits_of([planned()], events)
    assert attendance(first).worker == "w2"
    assert second.visit_id is None
    assert attendance(second).waits


def test_row_28_a_claim_of_a_cancelled_or_unknown_visit_is_an_unplanned_attendance():
    """Broken (bad-input 28): such evidence would vanish, or be paid."""
    called_off = planned(cancelled=Cancellation(at=at("07:00"), by=CancelledBy.CUSTOMER, reason="family visits"))
    for name in ("v1", "v-unknown"):
        visits = visits_of([called_off], stay("09:00", "09:30", visit=name))
        by_key = {visit_key(visit): visit for visit in visits}
        assert by_key["v1"].outcome is VisitOutcome.CANCELLED
        unplanned = by_key["unplanned:w1-c1-check_in-02090000"]
        assert codes(unplanned) == {"unplanned attendance"}
        assert attendance(unplanned).waits
        assert attendance(unplanned).minutes == 30


def test_a_different_worker_than_rostered_is_a_match_with_a_finding():
    """Broken: a colleague who covers would leave a visit missed."""
    visit = only(visits_of([planned()], stay("09:00", "09:30", worker="w9")))
    assert visit.outcome is VisitOutcome.DELIVERED
    assert codes(visit) == {"another worker than rostered"}


def test_row_27_a_forgotten_check_out_pays_nothing():
    """Broken (bad-input 27): an open stay would be paid by guess."""
    visit = only(visits_of([planned()], [check_in("09:00"), check_in("09:50", customer="c2")]))
    assert attendance(visit).payable_seconds == 0
    assert visit.outcome is VisitOutcome.DELIVERED
    assert codes(visit) == {"forgotten check-out"}


def test_a_forgotten_check_out_is_not_said_while_the_visit_may_still_be_under_way():
    """Broken: every running visit would show a fault."""
    assert codes(only(visits_of([planned()], [check_in("09:00")], now=at("09:40")))) == set()
    assert codes(only(visits_of([planned()], [check_in("09:00")], now=at("10:00")))) == {"forgotten check-out"}


def test_an_amendment_pays_only_when_a_second_person_approved_it():
    """Broken: anyone could write their own minutes."""
    for approver in (None, "coordinator", "w1"):
        said = amendment("12:00", since=None, until="09:28", by=approver)
        visit = only(visits_of([planned()], [check_in("09:00"), said]))
        assert attendance(visit).payable_seconds == 0, approver
        assert "amended" in codes(visit)
    said = amendment("12:00", since=None, until="09:28", by="manager")
    visit = only(visits_of([planned()], [check_in("09:00"), said]))
    assert attendance(visit).payable_seconds == 28 * 60
    assert attendance(visit).amended
    assert attendance(visit).check_in == "w1-c1-check_in-02090000"


def test_row_27_an_amendment_is_held_beyond_the_travel_feasible_end():
    """Broken (bad-input 27): a forgotten check-out could be amended over the next customer's visit."""
    said = amendment("12:00", since=None, until="09:45", by="manager")
    # 3,000 m by car: ceil(3.6 * 1.3 * 3000 / 22) = 639 s, so the worker left for 09:40 at 09:29:21 at the latest.
    events = [check_in("09:00"), *stay("09:40", "10:10", customer="c2"), said]
    visit = only(visits_of([planned()], events))
    assert attendance(visit).end_max == at("09:29:21")
    assert attendance(visit).payable_seconds == 29 * 60 + 21
    assert any("held" in found.words for found in visit.findings)


def test_an_amendment_to_exactly_the_planned_minutes_is_remarked():
    """Broken: the commonest false amendment would pass unseen."""
    said = amendment("12:00", since="09:00", until="09:30", by="manager")
    assert "amended to exactly planned" in codes(only(visits_of([planned()], [said])))


def test_an_approved_amendment_alone_makes_a_visit_of_a_worker_who_logged_nothing():
    """Broken: a visit with a broken phone could never be paid."""
    said = amendment("12:00", since="09:01", until="09:29", by="manager")
    visit = only(visits_of([planned()], [said], now=at("13:00")))
    assert visit.outcome is VisitOutcome.DELIVERED
    assert attendance(visit).minutes == 28
    assert attendance(visit).amended
    waiting = amendment("12:00", since="09:01", until="09:29", by=None)
    assert only(visits_of([planned()], [waiting], now=at("13:00"))).outcome is VisitOutcome.MISSED


def test_no_amendment_pays_time_in_which_the_worker_was_with_somebody_else():
    """Broken: two people's word would pay a second that a phone shows elsewhere."""
    said = amendment("12:00", since="09:00", until="09:30", by="manager")
    visits = visits_of([planned()], [*stay("09:20", "09:50", customer="c2"), said])
    assert attendance(only(visits)).payable_seconds == 20 * 60


def test_row_26_check_out_before_check_in_keeps_both_and_bills_nothing():
    """Broken (bad-input 26): out before in."""
    visits = visits_of([planned()], [check_out("08:55"), check_in("09:00")])
    planned_visit = next(visit for visit in visits if visit.visit_id)
    assert attendance(planned_visit).start == at("09:00")
    assert sum(attendance(visit).payable_seconds for visit in visits) == 0
    assert "forgotten check-out" in codes(planned_visit)
    assert "check-out without check-in" in {code for visit in visits for code in codes(visit)}


def test_row_26_a_check_out_without_check_in_shows_that_somebody_came_and_bills_nothing():
    """Broken (bad-input 26): a forgotten check-in would stand as a missed visit."""
    visit = only(visits_of([planned()], [check_out("09:31")], now=at("12:00")))
    assert visit.outcome is VisitOutcome.DELIVERED
    assert attendance(visit).payable_seconds == 0
    assert attendance(visit).start is None
    assert codes(visit) == {"check-out without check-in"}


def test_row_26_a_second_check_in_soon_after_bills_nothing_of_the_doubtful_part():
    """Broken (bad-input 26): double in: the minutes between the two are doubtful, the rest is not."""
    visit = only(visits_of([planned()], [check_in("09:00"), check_in("09:05"), check_out("09:30")]))
    assert attendance(visit).start == at("09:00")
    assert attendance(visit).payable_seconds == 25 * 60
    assert "duplicate events" in codes(visit)


def test_row_26_a_second_check_out_soon_after_bills_to_the_first():
    """Broken (bad-input 26): double out."""
    visit = only(visits_of([planned()], [check_in("09:00"), check_out("09:26"), check_out("09:40")]))
    assert attendance(visit).payable_seconds == 26 * 60
    assert "duplicate events" in codes(visit)


def test_a_check_in_hours_later_leaves_the_earlier_stay_open():
    """Broken: a forgotten check-out at breakfast would swallow lunch."""
    plan = [planned(), planned("v2", "12:00")]
    first, second = visits_of(plan, [check_in("09:00"), *stay("12:00", "12:30")])
    assert attendance(first).payable_seconds == 0
    assert attendance(second).payable_seconds == 30 * 60


def test_row_14_the_same_event_twice_is_one_event():
    """Broken (bad-input 14): a re-sent event would count as a repeat."""
    events = stay("09:00", "09:30")
    assert visits_of([planned()], [*events, *events]) == visits_of([planned()], events)


def test_row_15_the_same_id_with_another_body_waits_and_counts_the_cautious_reading():
    """Broken (bad-input 15): a second body could lengthen a visit."""
    later = check_out("09:45", event_id="out", body="b")
    events = [check_in("09:00"), check_out("09:20", event_id="out", body="a"), later]
    visit = only(visits_of([planned()], events))
    assert attendance(visit).payable_seconds == 20 * 60
    assert attendance(visit).waits
    assert "conflicting events" in codes(visit)


def test_an_overlap_caps_the_earlier_stay_at_the_last_feasible_moment():
    """Broken: one worker's second would be billed twice."""
    plan = [planned(), planned("v2", "09:40", customer="c2")]
    events = [*stay("09:00", "09:50"), *stay("09:40", "10:10", customer="c2")]
    first, second = visits_of(plan, events)
    assert attendance(first).payable_seconds == 29 * 60 + 21
    assert "overlap" in codes(first)
    assert attendance(second).payable_seconds == 30 * 60


def test_a_journey_quicker_than_the_policys_is_a_finding_and_not_a_cap():
    """Broken: a faster road than the policy's would cost an honest worker minutes."""
    plan = [planned(), planned("v2", "09:35", customer="c2")]
    first, _ = visits_of(plan, [*stay("09:00", "09:30"), *stay("09:33", "10:00", customer="c2")])
    assert attendance(first).payable_seconds == 30 * 60
    assert codes(first) == {"impossible journey"}


def test_double_up_counts_the_time_both_were_there():
    """Broken: the double-handed time of a two-worker visit."""
    visit = planned(workers_needed=2, rostered=(WorkerId("w1"), WorkerId("w2")))
    found = only(visits_of([visit], [*stay("09:00", "09:30"), *stay("09:20", "09:50", worker="w2")]))
    assert found.overlap_seconds == 10 * 60
    assert codes(found) == {"double-up not together", "late"}
    assert [record.attendance.worker for record in found.slots] == ["w1", "w2"]


def test_one_of_two_workers_coming_leaves_the_others_slot_missed():
    """Broken: the second slot's absence would be silenced by the first, or by its own worker coming twice."""
    visit = planned(workers_needed=2, rostered=(WorkerId("w1"), WorkerId("w2")))
    events = [*stay("08:50", "09:00", worker="w2"), *stay("09:10", "09:30", worker="w2")]
    found = visits_of([visit], events, now=at("12:00"))
    part = next(one for one in found if one.visit_id)
    assert part.outcome is VisitOutcome.PART_DELIVERED
    assert part.slots[0].attendance is None
    assert [finding.slot for finding in part.findings if finding.code == "missed"] == [0]


def test_one_stay_over_two_adjoining_visits_is_split_at_the_planned_boundary():
    """Broken: the second of two adjoining visits would be missed although the worker stayed."""
    plan = [planned(), planned("v2", "09:30")]
    first, second = visits_of(plan, stay("09:05", "09:55"))
    assert (attendance(first).payable_seconds, attendance(second).payable_seconds) == (25 * 60, 25 * 60)
    assert attendance(second).attendance_id.endswith(":2")
    assert "one stay split over two visits" in codes(first)


def test_a_stay_is_not_split_when_something_else_fits():
    """Broken: a split would push out the attendance that belongs to the second visit."""
    plan = [planned(), planned("v2", "09:30")]
    visits = visits_of(plan, [*stay("09:05", "09:55"), *stay("09:40", "09:58", worker="w2")])
    assert [attendance(visit).worker for visit in visits] == ["w1", "w2"]
    assert attendance(visits[0]).payable_seconds == 50 * 60


ONE_LINE = {CustomerId("c1"): ("+441610000001",), CustomerId("c2"): ("+441610000001",)}


def test_two_landline_calls_around_a_couples_adjoining_visits_are_one_stay_never_billed_twice():
    """Broken: a couple on one landline would have one forgotten check-out and one check-in missing."""
    homes = {CustomerId("c1"): home(), CustomerId("c2"): home()}
    plan = [planned(), planned("v2", "09:30", customer="c2")]
    line = {"method": Method.LANDLINE, "grade_place": Grade.B}
    for out_at in ("c2", "c1"):
        events = [check_in("09:01", **line), check_out("09:59", customer=out_at, **line)]
        first, second = visits_of(plan, events, homes=homes, lines=ONE_LINE)
        assert (attendance(first).payable_seconds, attendance(second).payable_seconds) == (29 * 60, 29 * 60)
        assert second.customer == "c2"


def test_neighbours_at_one_address_with_a_line_each_are_no_couple():
    """Broken: in sheltered housing a forgotten check-out would be closed, and paid, by a call from another flat."""
    homes = {CustomerId("c1"): home(), CustomerId("c2"): home()}
    lines = {CustomerId("c1"): ("+441610000001",), CustomerId("c2"): ("+441610000002",)}
    plan = [planned(), planned("v2", "09:30", customer="c2")]
    line = {"method": Method.LANDLINE, "grade_place": Grade.B}
    events = [check_in("09:01", **line), check_out("09:59", customer="c2", **line)]
    first, second = visits_of(plan, events, homes=homes, lines=lines)
    assert (attendance(first).payable_seconds, attendance(second).payable_seconds) == (0, 0)


def test_a_worker_who_serves_a_couple_by_phone_is_matched_by_customer_not_by_address():
    """Broken: neighbours at one address would share their evidence."""
    homes = {CustomerId("c1"): home(), CustomerId("c2"): home()}
    plan = [planned(), planned("v2", "09:30", customer="c2")]
    first, second = visits_of(plan, stay("09:00", "09:58"), homes=homes, lines=ONE_LINE)
    assert first.outcome is VisitOutcome.DELIVERED
    assert second.outcome is VisitOutcome.PENDING


def test_no_reply_and_refusal_are_outcomes_of_their_own():
    """Broken: could not get in, and sent away at the door, would both read as missed or delivered."""
    no_reply = event(EventKind.NO_REPLY, "09:05")
    refused = event(EventKind.CUSTOMER_REFUSED, "09:05")
    assert only(visits_of([planned()], [no_reply], now=at("12:00"))).outcome is VisitOutcome.NO_REPLY
    assert only(visits_of([planned()], [*stay("09:03", "09:06"), refused])).outcome is VisitOutcome.REFUSED
    assert only(visits_of([planned()], [no_reply, *stay("09:10", "09:40")])).outcome is VisitOutcome.DELIVERED


def test_visits_while_the_customer_is_away_are_suspended_and_attendances_then_are_findings():
    """Broken: hospital spells would raise missed visits or pay for visits nobody could have made."""
    away = Absence(customer_id=CustomerId("c1"), kind=AbsenceKind.HOSPITAL, since=at("08:00"), until=None)
    assert only(visits_of([planned()], [], absences=[away], now=at("12:00"))).outcome is VisitOutcome.CANCELLED
    visits = visits_of([planned()], stay("09:00", "09:30"), absences=[away])
    assert "visit while away" in codes(next(visit for visit in visits if visit.visit_id is None))


def test_grades_of_the_visit_are_the_worse_of_both_events_and_are_said():
    """Broken: a good check-in would cover a contradicted check-out."""
    events = [check_in("09:00"), check_out("09:30", grade_place=Grade.D, grade_time=Grade.C)]
    visit = only(visits_of([planned()], events))
    assert attendance(visit).grade_place is Grade.D
    assert attendance(visit).grade_time is Grade.C
    assert codes(visit) == {"place contradicted", "time unverified"}


def test_flags_seen_at_receipt_become_findings_of_the_visit():
    """Broken: a replayed fix or a fork would be known to the log and to nobody else."""
    events = [
        check_in("09:00", flags=("replayed fix", "qos0")),
        check_out("09:30", flags=("sequence fork",), waits=True),
    ]
    visit = only(visits_of([planned()], events))
    assert codes(visit) == {"replayed fix", "sequence fork"}
    assert attendance(visit).waits


def test_an_attendance_may_cross_midnight_and_belongs_to_the_planned_starts_care_day():
    """Broken: a night visit would be cut in two or counted on the wrong day."""
    night = planned("v1", "23:30", 120)
    visit = only(visits_of([night], [check_in("23:35"), check_out(at("01:25", day=1))]))
    assert visit.care_day == "2026-11-02"
    assert attendance(visit).minutes == 110


def test_row_25_an_event_nine_days_old_still_makes_its_visit():
    """Broken (bad-input 25): late evidence would be dropped."""
    events = [check_in("09:00", received_at=at("09:00", day=9)), check_out("09:30", received_at=at("09:00", day=9))]
    assert only(visits_of([planned()], events)).outcome is VisitOutcome.DELIVERED


def test_only_the_wanted_customers_visits_come_back_and_others_still_cap():
    """Broken: a customer's visits would differ with who else was asked for."""
    plan = [planned(), planned("v2", "09:40", customer="c2")]
    events = [*stay("09:00", "09:50"), *stay("09:40", "10:10", customer="c2")]
    both = visits_of(plan, events)
    alone = visits_of(plan[:1], events, customers=frozenset({CustomerId("c1")}))
    assert alone == tuple(visit for visit in both if visit.customer == "c1")


def test_a_missed_deadline_falls_before_the_customers_next_visit():
    """Broken: breakfast would be missed only after lunch was due."""
    plan = [planned(risk=Risk.LOW), planned("v2", "09:45")]
    visits = visits_of(plan, [], now=at("09:44:59"), homes=HOMES)
    assert [visit.outcome for visit in visits] == [VisitOutcome.MISSED, VisitOutcome.PENDING]
