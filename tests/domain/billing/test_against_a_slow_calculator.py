"""The price of a visit against an independent calculator: a second at a time, in decimals, no shared code."""

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from evm.domain.billing.charge import VisitToBill
from evm.domain.billing.price import price, slot_pence
from tests.domain.billing.bills import agreement, attendance, planned, visit


def slowly(seconds_there, *, planned_minutes, tolerance_minutes, tenths_of_a_penny):
    """Count whole minutes by walking the seconds, stop at the cap, multiply, round half up."""
    whole = 0
    for second in range(1, seconds_there + 1):
        if second % 60 == 0 and whole < planned_minutes + tolerance_minutes:
            whole += 1
    exact = Decimal(whole) * Decimal(tenths_of_a_penny) / Decimal(10)
    return int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP))


@given(st.integers(0, 7200), st.integers(5, 90), st.integers(0, 10), st.integers(1, 3333))
def test_the_price_is_what_a_patient_clerk_would_reckon(seconds_there, minutes, tolerance, tenths):
    """A minute or a penny off, at any length, plan, tolerance or rate, would break this."""
    deal = agreement(tolerance_minutes=tolerance, rate_pence_per_minute=Fraction(tenths, 10))
    happened = visit(attendance(seconds=seconds_there), of=planned(minutes=minutes))
    found = slot_pence(price(visit=VisitToBill(visit=happened), agreement=deal), slot=0)
    assert found == slowly(
        seconds_there, planned_minutes=minutes, tolerance_minutes=tolerance, tenths_of_a_penny=tenths
    )
