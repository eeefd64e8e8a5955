"""Missed visit: silence about a slot at its deadline."""

import pytest

from evm.domain.alerts.deadline import Stage
from evm.domain.alerts.rules.missed_visit import RULE
from evm.domain.evidence import EventKind, Grade
from evm.domain.ids import WorkerId
from evm.domain.plan import Risk
from tests.domain.alerts.situations import at_deadline
from tests.domain.stories import at, check_in, check_out, event, planned

NOW = at("12:00")


@pytest.mark.parametrize(("stage", "pages"), [(Stage.WARN, False), (Stage.PAGE, True), (Stage.MISSED, True)])
def test_nobody_came_is_one_alert_a_stage_and_the_warning_does_not_page(stage, pages):
    """Broken: silence would stay silence, or late would page."""
    (draft,) = RULE.drafts(at_deadline(stage, plan=planned(risk=Risk.TIME_CRITICAL)), NOW)
    assert draft.pages is pages
    assert draft.key == f"missed visit:v1:1:0:{stage.value}"
    assert draft.worker == "w1"
    assert "planned start of 09:00" in draft.words


@pytest.mark.parametrize(
    "evidence", [[check_in("09:05", grade_place=Grade.D, grade_time=Grade.D)], [check_out("09:20")]]
)
def test_any_claim_of_attendance_quiets_it_whatever_its_grade(evidence):
    """Broken: a bad fix would page the branch although somebody is there."""
    assert RULE.drafts(at_deadline(Stage.MISSED, evidence), NOW) == ()


def test_a_lone_check_out_before_the_planned_start_claims_nothing():
    """Broken: a second tap on "check out" after the visit before would silence the visit nobody came to."""
    assert len(RULE.drafts(at_deadline(Stage.MISSED, [check_out("08:50")]), NOW)) == 1


def test_a_time_critical_visit_is_not_quieted_by_a_refusal_nothing_proves():
    """Broken: "she sent me away", said at another home, would hide that nobody brought the medicine."""
    critical = planned(risk=Risk.TIME_CRITICAL)
    weak = [event(EventKind.CUSTOMER_REFUSED, "09:05", grade_place=Grade.D)]
    assert len(RULE.drafts(at_deadline(Stage.MISSED, weak, plan=critical), NOW)) == 1
    assert RULE.drafts(at_deadline(Stage.MISSED, weak), NOW) == ()
    proved = [event(EventKind.CUSTOMER_REFUSED, "09:05")]
    assert RULE.drafts(at_deadline(Stage.MISSED, proved, plan=critical), NOW) == ()


def test_one_of_two_workers_does_not_quiet_the_others_slot():
    """Broken: a double-up served by one would pass unseen."""
    double = planned(workers_needed=2, rostered=(WorkerId("w1"), WorkerId("w2")))
    evidence = [check_in("09:00")]
    assert RULE.drafts(at_deadline(Stage.MISSED, evidence, plan=double, slot=0), NOW) == ()
    (draft,) = RULE.drafts(at_deadline(Stage.MISSED, evidence, plan=double, slot=1), NOW)
    assert draft.worker == "w2"
    assert "worker 2 of 2" in draft.words


@pytest.mark.parametrize("kind", [EventKind.NO_REPLY, EventKind.CUSTOMER_REFUSED])
def test_a_worker_at_the_door_is_not_a_missed_visit(kind):
    """Broken: no reply would page twice, and a refusal as missed."""
    assert RULE.drafts(at_deadline(Stage.MISSED, [event(kind, "09:05")]), NOW) == ()


def test_it_says_nothing_about_check_outs():
    """Broken: a forgotten check-out would read as a missed visit."""
    assert RULE.drafts(at_deadline(Stage.CHECK_OUT), NOW) == ()
