"""Overdue check-out: a worker who should have left and has not said so."""

import pytest

from evm.domain.alerts.deadline import Stage
from evm.domain.alerts.rules.overdue_check_out import RULE, overdue_at
from evm.domain.plan import Risk
from tests.domain.alerts.situations import at_deadline
from tests.domain.stories import at, check_in, planned, stay


def test_a_worker_still_inside_after_thirty_minutes_pages():
    """Broken: a worker in trouble would be looked for the next morning."""
    situation = at_deadline(Stage.CHECK_OUT, [check_in("09:00")])
    assert RULE.drafts(situation, at("09:59:59")) == ()
    (draft,) = RULE.drafts(situation, at("10:00"))
    assert draft.pages
    assert draft.worker == "w1"


def test_a_risk_flag_makes_it_sooner():
    """Broken: time-critical visits would wait as long as others."""
    situation = at_deadline(Stage.CHECK_OUT, [check_in("09:00")], plan=planned(risk=Risk.TIME_CRITICAL))
    assert situation.deadline.due_at == at("09:45")


def test_a_worker_who_came_late_gets_the_whole_visit_first():
    """Broken: a late visit would page while it is being given."""
    situation = at_deadline(Stage.CHECK_OUT, [check_in("09:40")])
    assert overdue_at(situation) == at("10:40")
    assert RULE.drafts(situation, at("10:00")) == ()
    assert len(RULE.drafts(situation, at("10:40"))) == 1


@pytest.mark.parametrize("evidence", [[], stay("09:00", "09:30")])
def test_nobody_inside_is_nobody_overdue(evidence):
    """Broken: a missed visit would page twice, a finished one once."""
    assert RULE.drafts(at_deadline(Stage.CHECK_OUT, evidence), at("12:00")) == ()
