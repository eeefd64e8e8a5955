"""Pennies: rounding, splitting and showing them."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evm.domain.money import apportion, exact_number, pence_words, pounds, round_half_up

weights = st.lists(st.fractions(min_value=0, max_value=1000, max_denominator=97), min_size=1, max_size=30)


@pytest.mark.parametrize(
    ("amount", "pence"),
    [("1/2", 1), ("3/2", 2), ("5/2", 3), ("249/100", 2), ("0", 0), ("-1/2", -1), ("-5/2", -3), ("-249/100", -2)],
)
def test_half_a_penny_rounds_away_from_nought(amount, pence):
    """Banker's rounding, or a credit that does not undo its charge, would break this."""
    assert round_half_up(Fraction(amount)) == pence


@given(st.fractions(min_value=-(10**6), max_value=10**6))
def test_rounding_moves_an_amount_by_half_a_penny_at_most(amount):
    """A rounding through floats, or one that truncates, would break this."""
    assert abs(round_half_up(amount) - amount) <= Fraction(1, 2)
    assert round_half_up(-amount) == -round_half_up(amount)


@given(st.integers(-(10**9), 10**9), weights.filter(lambda parts: sum(parts) > 0))
def test_the_parts_of_an_apportioned_amount_add_up_to_it(total_pence, parts):
    """A penny lost or made when a total is shared out would break this; so would a part further than a penny from its share."""
    split = apportion(total_pence=total_pence, weights=parts)
    assert sum(split) == total_pence
    whole = sum(parts)
    assert all(abs(got - total_pence * part / whole) < 1 for got, part in zip(split, parts, strict=True))


def test_the_odd_penny_goes_to_the_largest_remainder_and_ties_to_the_first():
    """A split that depends on anything but the weights and their order would break this."""
    assert apportion(total_pence=100, weights=[1, 1, 1]) == (34, 33, 33)
    assert apportion(total_pence=10, weights=[Fraction(1, 3), 1, Fraction(2, 3)]) == (2, 5, 3)
    assert apportion(total_pence=-100, weights=[1, 1, 1]) == (-34, -33, -33)


@pytest.mark.parametrize("parts", [[], [0, 0], [2, -1]])
def test_weights_that_mean_nothing_are_refused(parts):
    """A silent division of nothing would break this."""
    with pytest.raises(ValueError, match="weights"):
        apportion(total_pence=1, weights=parts)


@pytest.mark.parametrize(
    ("pence", "words"), [(0, "£0.00"), (5, "£0.05"), (1234, "£12.34"), (1400000, "£14,000.00"), (-50, "-£0.50")]
)
def test_amounts_read_as_pounds(pence, words):
    """A page that shows £12.3 or £-1.50 would break this."""
    assert pounds(pence) == words


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        ("45", "45p"),
        ("91/2", "45.5p"),
        ("112/3", "37⅓p"),
        ("1/1000", "0.001p"),
        ("5/6", "⅚p"),
        ("451/12", "37 7/12p"),
        ("7/12", "7/12p"),
    ],
)
def test_rates_read_exactly(rate, words):
    """A rate shown rounded would not explain its charge."""
    assert pence_words(Fraction(rate)) == words


@pytest.mark.parametrize("text", ["1e3", "-5", "£12", "1,234", "nan", "", "4.", "1/0", "٣", "1" * 10, "1_0", " 5"])
def test_a_number_that_is_not_plain_is_refused(text):
    """bad-input 85: an amount read through float() would take several of these."""
    with pytest.raises(ValueError, match="plain number"):
        exact_number(text)
