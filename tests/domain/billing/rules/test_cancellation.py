"""Cancellation: the agreed share for short notice, without attendance."""

from datetime import timedelta
from fractions import Fraction

import pytest

from evm.domain.billing.agreement import CancellationCharge
from evm.domain.billing.price import price, slot_pence
from evm.domain.plan import Cancellation, CancelledBy
from tests.domain.billing.bills import START, agreement, attendance, to_bill, visit

AGREED = (
    CancellationCharge(by=CancelledBy.CUSTOMER, notice_hours_max=24, share=Fraction(1, 2)),
    CancellationCharge(by=CancelledBy.CUSTOMER, notice_hours_max=2, share=Fraction(1)),
)


def charged(*, hours, by=CancelledBy.CUSTOMER, there=None):
    cancelled = Cancellation(at=START - timedelta(hours=hours), by=by, reason="hospital")
    found = price(visit=to_bill(visit(there), cancelled=cancelled), agreement=agreement(cancellations=AGREED))
    return [charge for charge in found if charge.rule == "cancellation"]


@pytest.mark.parametrize(("hours", "pence"), [(1, 1365), (2, 683), (23, 683), (24, 0), (72, 0)])
def test_the_notice_decides_the_share(hours, pence):
    """Notice of exactly 24 hours is enough, and of exactly 2 hours half; 682.5p rounds to 683p."""
    assert slot_pence(charged(hours=hours), slot=0) == pence


def test_only_the_one_who_cancelled_as_agreed_is_charged_for():
    """A provider that cancels itself must not be paid."""
    assert charged(hours=1, by=CancelledBy.PROVIDER) == []


def test_an_attended_visit_is_billed_for_its_minutes_only():
    """The charge on top of minutes would bill the visit twice."""
    assert charged(hours=1, there=attendance()) == []


def test_a_visit_that_was_not_cancelled_has_no_charge():
    """Silence is not a cancellation."""
    assert price(visit=to_bill(visit(None)), agreement=agreement(cancellations=AGREED)) == ()


def test_the_charge_explains_itself():
    """The clause, the notice and the share stand in its sentence."""
    (found,) = charged(hours=3)
    assert found.words == (
        "Cancelled by the customer with less than 24 hours' notice: 1/2 of the 30 planned minutes at 45.5p a minute is agreed."
    )
