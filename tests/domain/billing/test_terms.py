"""An agreement as text: what is read, and the sentence for what is not."""

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given

from evm.domain.billing.agreement import agreement_on
from evm.domain.billing.terms import AgreementRefused, agreement_of_terms, terms_of_agreement
from tests.domain.billing.bills import agreement, agreements

TERMS = {
    "agreement_id": "tariff",
    "version": 1,
    "council": "manchester",
    "provider": "acorn",
    "effective_from": "2026-04-01",
    "rate_pence_per_minute": "45.5",
}


def test_terms_with_nothing_but_the_necessary_give_the_defaults():
    """A default that changed without anybody saying so would break this."""
    found = agreement_of_terms(TERMS)
    assert found == agreement()
    assert found.rules == ("actual_minutes", "capped_at_planned", "second_slot", "cancellation")
    assert found.rate_pence_per_minute == Fraction(91, 2)


@given(agreements())
def test_an_agreement_comes_back_from_its_terms_unchanged(deal):
    """A term lost or rounded on its way through the database would break this."""
    assert agreement_of_terms(terms_of_agreement(deal)) == deal


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("rate_pence_per_minute", "0", "more than nought"),
        ("rate_pence_per_minute", "-1", "plain number"),
        ("rate_pence_per_minute", "333.4", "£200 an hour"),
        ("rate_pence_per_minute", 45.5, "in quotes"),
        ("rate_pence_per_minute", True, "in quotes"),
        ("rate_pence_per_minute", "1e2", "plain number"),
        ("version", 0, "whole number"),
        ("version", True, "whole number"),
        ("agreement_id", "Tariff!", "lower-case"),
        ("effective_from", "01/04/2026", "YYYY-MM-DD"),
        ("rules", ["actual_minutes", "bandings"], "one of"),
        ("rules", [], "at least one"),
        ("rules", ["actual_minutes", "actual_minutes"], "none twice"),
        ("rules", ["capped_at_planned", "actual_minutes"], "takes minutes off"),
        ("second_slot", "half", "presence, overlap"),
        ("grades_time", ["A", "E"], "A, B, C, D"),
        ("grades_place", [], "at least one grade"),
        ("tolerance_minutes", -1, "whole number"),
        ("cancellations", [{"by": "customer", "notice_hours_max": 24}], "by, notice_hours_max and share"),
        ("cancellations", [{"by": "customer", "notice_hours_max": 24, "share": "3/2"}], "share"),
        ("shadow_until", "soon", "YYYY-MM-DD"),
        ("discount", "2", "not a term"),
    ],
)
def test_a_term_that_cannot_be_used_is_named_with_its_remedy(field, value, words):
    """bad-input 86: a rate of nought, negative or above £200 an hour that was taken would break this, and so would a float."""
    with pytest.raises(AgreementRefused) as refused:
        agreement_of_terms({**TERMS, field: value})
    assert refused.value.field.startswith(field)
    assert words in refused.value.words


@pytest.mark.parametrize("field", list(TERMS))
def test_a_missing_term_is_named(field):
    """A default for who pays, or at what rate, would break this."""
    with pytest.raises(AgreementRefused) as refused:
        agreement_of_terms({name: value for name, value in TERMS.items() if name != field})
    assert refused.value.field == field


def test_two_hundred_pounds_an_hour_is_still_a_rate():
    """The bound itself is allowed; only what is above is refused."""
    assert agreement_of_terms({**TERMS, "rate_pence_per_minute": "1000/3"}).rate_pence_per_minute == Fraction(1000, 3)


def test_the_agreement_of_a_day_is_the_latest_begun():
    """A rate of next month, or of last year, on today's visit would break this."""
    old = agreement()
    new = agreement(version=2, effective_from=date(2026, 11, 2))
    mended = agreement(version=3, effective_from=date(2026, 11, 2))
    assert agreement_on([new, old], day=date(2026, 3, 31)) is None
    assert agreement_on([new, old], day=date(2026, 11, 1)) is old
    assert agreement_on([new, old], day=date(2026, 11, 2)) is new
    assert agreement_on([mended, old, new], day=date(2026, 12, 1)) is mended
