"""When silence becomes an alert: the table of rules.md, the next visit, slots and cancellations."""

import pytest

from evm.domain.alerts.deadline import Stage, deadlines, deadlines_of
from evm.domain.plan import Cancellation, CancelledBy, Risk
from tests.domain.stories import at, planned


def times(visit, next_start=None):
    found = deadlines_of(visit, next_start=next_start)
    return {one.stage.value: f"{one.due_at:%H:%M:%S}" for one in found if one.slot == 0}


@pytest.mark.parametrize(
    ("risk", "expected"),
    [
        (Risk.TIME_CRITICAL, {"warn": "09:10:00", "page": "09:15:00", "missed": "09:30:00", "check_out": "09:45:00"}),
        (Risk.STANDARD, {"warn": "09:30:00", "missed": "10:00:00", "check_out": "10:00:00"}),
        (Risk.LOW, {"warn": "10:00:00", "missed": "11:00:00", "check_out": "10:00:00"}),
    ],
)
def test_the_stages_of_each_risk(risk, expected):
    """Broken: rules.md's table of minutes after the planned start."""
    assert times(planned(risk=risk)) == expected


def test_every_stage_falls_before_the_same_customers_next_visit():
    """Broken: breakfast would be missed after lunch began."""
    assert times(planned(risk=Risk.LOW), at("09:45"))["missed"] == "09:44:59"
    both = deadlines([planned(risk=Risk.LOW), planned("v2", "09:45"), planned("v3", "09:20", customer="c2")])
    capped = {one.stage: one.due_at for one in both if one.visit_id == "v1"}
    assert capped[Stage.WARN] == capped[Stage.MISSED] == at("09:44:59")
    assert capped[Stage.CHECK_OUT] == at("10:00")


def test_a_cancelled_next_visit_caps_nothing_and_has_no_deadlines():
    """Broken: a visit that was called off would raise alerts, or hurry others."""
    gone = planned("v2", "09:45", cancelled=Cancellation(at=at("08:00"), by=CancelledBy.CUSTOMER, reason="away"))
    both = deadlines([planned(risk=Risk.LOW), gone])
    assert {one.visit_id for one in both} == {"v1"}
    assert max(one.due_at for one in both) == at("11:00")


def test_every_slot_has_its_own():
    """Broken: one of two workers coming would silence the other's absence."""
    both = deadlines_of(planned(workers_needed=2), next_start=None)
    assert {one.slot for one in both} == {0, 1}
    assert len({(one.visit_id, one.revision, one.slot, one.stage) for one in both}) == len(both) == 6
