"""Charges kept for what was done: once a visit version, adding up to the line, in words."""

from datetime import date

from evm.domain.ids import VisitId
from evm.domain.policy import Policy
from evm.services import invoice as invoices
from evm.services.price import charges_of_visit, price_days
from evm.store import money
from tests import factories
from tests.services.invoicing import NOW, claim, late_check_out, seed

WEEK = {"provider_id": factories.PROVIDER, "since_day": date(2026, 11, 2), "until_day": date(2026, 11, 9)}


def test_every_attended_visit_is_priced_once(session):
    """Pricing again would bill again."""
    seed(session)
    assert price_days(session, **WEEK, policy=Policy()) == 2
    assert price_days(session, **WEEK, policy=Policy()) == 0


def test_the_days_are_half_open(session):
    """A visit of the first day after would be priced into the wrong period."""
    seed(session)
    assert price_days(session, **(WEEK | {"until_day": date(2026, 11, 3)}), policy=Policy()) == 1


def test_charges_explain_themselves_and_add_up(session):
    """A visit over its plan shows what was evidenced, what came off, and the pennies of the line."""
    seed(session, seconds=(2100,))
    price_days(session, **WEEK, policy=Policy())
    found = charges_of_visit(session, visit_id=VisitId("v1"), version=1)
    assert [(charge.rule, charge.minutes) for charge in found] == [("actual_minutes", 35), ("capped_at_planned", -5)]
    assert sum(charge.pence for charge in found) == 1365
    assert found[0].words == "35 minutes evidenced at 45.5p a minute."
    assert [charge.line for charge in found] == [0, 1]


def test_late_evidence_prices_the_next_version_and_keeps_the_first(session):
    """A charge that was edited would leave an issued invoice without its explanation."""
    seed(session)
    price_days(session, **WEEK, policy=Policy())
    late_check_out(session, 2, seconds=1680)
    assert price_days(session, **WEEK, policy=Policy()) == 1
    assert [(charge.visit_version, charge.minutes) for charge in money.charges(session, visit_key="v2")] == [
        (1, 25),
        (2, 28),
    ]


def test_judging_an_invoice_prices_its_visits(session):
    """Every paid line's charges can be read beside it."""
    seed(session)
    invoice_id = invoices.submit(session, invoice=claim(), now=NOW)
    invoices.judge(session, invoice_id=invoice_id, now=NOW, policy=Policy())
    assert [charge.pence for charge in charges_of_visit(session, visit_id=VisitId("v1"), version=1)] == [1365]
    assert price_days(session, **WEEK, policy=Policy()) == 0


def test_a_day_before_the_agreement_is_not_priced(session):
    """A rate must not reach back behind its date of effect."""
    seed(session, effective_from=date(2026, 11, 3))
    assert price_days(session, **WEEK, policy=Policy()) == 1
    assert charges_of_visit(session, visit_id=VisitId("v1"), version=1) == ()
