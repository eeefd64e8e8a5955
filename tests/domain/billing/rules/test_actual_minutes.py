"""Actual minutes: whole evidenced minutes at the rate."""

from datetime import timedelta

import pytest

from evm.domain.billing.rules.actual_minutes import charges
from tests.domain.billing.bills import START, agreement, attendance, to_bill, visit


@pytest.mark.parametrize(("seconds", "minutes"), [(1799, 29), (1800, 30), (1859, 30), (60, 1)])
def test_only_whole_minutes_count(seconds, minutes):
    """Rounding a begun minute up would break this."""
    (found,) = charges(to_bill(visit(attendance(seconds=seconds))), agreement())
    assert found.minutes == minutes
    assert found.amount_pence == minutes * agreement().rate_pence_per_minute


def test_a_charge_says_what_it_is_for_and_what_it_rests_on():
    """A charge without its sentence or its events could not be checked by anybody."""
    (found,) = charges(to_bill(visit(attendance(seconds=1920))), agreement())
    assert found.words == "32 minutes evidenced at 45.5p a minute."
    assert found.evidence == ("in-a", "out-a")


@pytest.mark.parametrize("there", [None, attendance(seconds=None), attendance(seconds=59)])
def test_no_whole_minute_is_no_charge(there):
    """A forgotten check-out that paid anything would break this."""
    assert charges(to_bill(visit(there)), agreement()) == ()


def test_each_worker_of_a_double_up_is_charged():
    """A second worker left out would break this."""
    found = charges(to_bill(visit(attendance(name="a"), attendance(name="b", seconds=1500))), agreement())
    assert [(charge.slot, charge.minutes) for charge in found] == [(0, 30), (1, 25)]


def test_one_attendance_on_both_slots_is_charged_once():
    """The same seconds under two slots would be billed twice."""
    same = attendance()
    assert len(charges(to_bill(visit(same, same)), agreement())) == 1


def test_payable_seconds_decide_not_the_clock():
    """A stay capped by an overlap elsewhere must not be billed to its check-out."""
    capped = attendance(seconds=3600, payable_seconds=1200, end_max=START + timedelta(seconds=1200))
    (found,) = charges(to_bill(visit(capped)), agreement())
    assert found.minutes == 20
