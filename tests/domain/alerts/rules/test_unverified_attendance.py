"""Unverified attendance: a weak claim at a time-critical visit needs a person."""

import pytest

from evm.domain.alerts.deadline import Stage
from evm.domain.alerts.rules.unverified_attendance import RULE
from evm.domain.evidence import Grade
from evm.domain.plan import Risk
from tests.domain.alerts.situations import at_deadline
from tests.domain.stories import at, check_in, planned

NOW = at("12:00")
CRITICAL = planned(risk=Risk.TIME_CRITICAL)


@pytest.mark.parametrize("weak", [{"grade_place": Grade.C}, {"grade_time": Grade.D}])
def test_a_weak_claim_at_a_time_critical_visit_pages(weak):
    """Broken: a typed check-in would quiet a visit with insulin."""
    (draft,) = RULE.drafts(at_deadline(Stage.PAGE, [check_in("09:05", **weak)], plan=CRITICAL), NOW)
    assert draft.pages
    assert draft.kind.value == "unverified attendance"


@pytest.mark.parametrize(
    ("stage", "plan", "evidence"),
    [
        (Stage.PAGE, CRITICAL, [check_in("09:05", grade_place=Grade.B)]),
        (Stage.PAGE, CRITICAL, []),
        (Stage.MISSED, CRITICAL, [check_in("09:05", grade_place=Grade.C)]),
        (Stage.WARN, planned(), [check_in("09:05", grade_place=Grade.C)]),
    ],
)
def test_good_claims_other_stages_and_other_risks_are_left_alone(stage, plan, evidence):
    """Broken: pages would be so many that nobody reads them."""
    assert RULE.drafts(at_deadline(stage, evidence, plan=plan), NOW) == ()
