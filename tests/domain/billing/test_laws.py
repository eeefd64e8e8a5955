"""The laws of money hold for whatever Hypothesis thinks of."""

from hypothesis import given
from hypothesis import strategies as st

from evm.domain.billing.charge import Law, VisitToBill
from evm.domain.billing.rules import RULES
from tests.domain.billing import laws
from tests.domain.billing.bills import agreements, invoices, visits

MONOTONE = tuple(rule.name for rule in RULES if Law.MONOTONE in rule.laws)
WITHIN_EVIDENCE = tuple(rule.name for rule in RULES if Law.NEVER_EXCEEDS_EVIDENCE in rule.laws)


@given(invoices())
def test_every_line_and_the_invoice_add_up_to_the_penny(made):
    """A penny that is claimed and neither paid, reduced, withheld nor disallowed would break this."""
    laws.lines_add_up(*made)


@given(visits(), agreements())
def test_the_charges_of_a_line_add_up_to_it(made, deal):
    """Charges rounded one by one would break this."""
    laws.charges_add_up(VisitToBill(visit=made[1]), deal)


@given(visits(), agreements(rules=WITHIN_EVIDENCE))
def test_nothing_is_billed_above_the_evidence(made, deal):
    """A rule that declares never_exceeds_evidence and bills a minute more would break this."""
    laws.never_above_evidence(VisitToBill(visit=made[1]), deal)


@given(invoices())
def test_no_second_is_billed_twice(made):
    """A slot claimed twice, or one attendance under two lines, that paid twice would break this."""
    laws.no_second_twice(*made)


@given(visits(), agreements(rules=MONOTONE), st.integers(0, 1), st.integers(0, 4 * 3600))
def test_less_evidence_never_raises_a_line(made, deal, slot, seconds):
    """A rule that declares monotone and pays more for fewer minutes would break this."""
    laws.less_evidence_never_raises(made[1], deal, slot=slot, seconds=seconds)


@given(visits(), agreements(), st.integers(0, 1), st.integers(0, 4 * 3600))
def test_less_evidence_never_raises_a_visit(made, deal, slot, seconds):
    """Under every rule together a provider can never gain by losing evidence of a visit."""
    laws.less_evidence_never_raises_the_visit(made[1], deal, slot=slot, seconds=seconds)


@given(invoices())
def test_a_replay_gives_the_same_pennies(made):
    """A verdict that depends on the order of lines or of rows from the database would break this."""
    laws.replay_gives_the_same(*made)
