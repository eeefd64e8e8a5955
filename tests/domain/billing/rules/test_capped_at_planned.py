"""Capped at planned: what is over the plan comes off, but for tolerance and authorised minutes."""

import pytest

from evm.domain.billing.charge import VisitToBill
from evm.domain.billing.price import price, slot_minutes
from evm.domain.billing.rules.capped_at_planned import charges
from tests.domain.billing.bills import agreement, attendance, to_bill, visit


def billed(minutes, *, tolerance=0, authorised=None):
    deal = agreement(rules=("actual_minutes", "capped_at_planned"), tolerance_minutes=tolerance)
    bill = VisitToBill(visit=visit(attendance(seconds=minutes * 60)), authorised_minutes=authorised)
    return slot_minutes(price(visit=bill, agreement=deal), slot=0)


@pytest.mark.parametrize(("there", "paid"), [(29, 29), (30, 30), (31, 30), (90, 30)])
def test_nothing_over_the_planned_thirty_minutes_is_billed(there, paid):
    """Paying for time that was not commissioned would break this."""
    assert billed(there) == paid


@pytest.mark.parametrize(("there", "paid"), [(30, 30), (34, 34), (35, 35), (36, 35)])
def test_the_tolerance_lies_above_the_plan(there, paid):
    """A tolerance that also cut short visits, or was paid without evidence, would break this."""
    assert billed(there, tolerance=5) == paid


def test_authorised_minutes_lift_the_cap_and_never_lower_it():
    """An authorised hour pays what is evidenced of it; an authorised 20 minutes does not shorten the plan."""
    assert billed(50, authorised=60) == 50
    assert billed(90, authorised=60) == 60
    assert billed(30, authorised=20) == 30


def test_the_charge_says_how_much_came_off():
    """A provider could not check a reduction without its minutes."""
    deal = agreement()
    bill = to_bill(visit(attendance(seconds=2100)))
    first = price(visit=bill, agreement=agreement(rules=("actual_minutes",)))
    (found,) = charges(to_bill(visit(attendance(seconds=2100)), so_far=first), deal)
    assert found.words == "5 minutes over the 30 minutes that the plan allows are not paid."
    assert found.minutes == -5
    assert found.amount_pence == -5 * deal.rate_pence_per_minute


def test_an_unplanned_attendance_has_no_cap():
    """Without a plan there is nothing to be capped at; such an attendance waits for approval instead."""
    happened = visit(attendance(), planned_minutes=None, planned_start=None, visit_id=None)
    assert charges(to_bill(happened, so_far=()), agreement()) == ()
