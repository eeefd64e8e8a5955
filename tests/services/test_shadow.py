"""A provider's shadow mode as the council sets it: what it pays, what it does not, its history, and what setting it may not undo."""

from datetime import date, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from evm.domain.billing.invoice import Reason, Verdict
from evm.domain.policy import Policy
from evm.services import invoice as invoices
from evm.services import shadow
from evm.services.shadow import ShadowRefused
from evm.store import money
from evm.store import shadow as shadow_store
from tests import factories
from tests.services.invoicing import NOW, claim, line, seed

DECEMBER = date(2026, 12, 1)


def judged(session, invoice=None):
    found = invoices.submit(session, invoice=invoice or claim(), now=NOW)
    return found, invoices.judge(session, invoice_id=found, now=NOW, policy=Policy())


def set_shadow(session, until, **changes):
    values = {"why": "The provider's phones came late", "who": "C. Officer", "now": NOW} | changes
    return shadow.set_shadow(
        session,
        council_id=factories.COUNCIL,
        provider_id=factories.PROVIDER,
        until=until,
        policy=Policy(),
        **values,
    )


def sums_of(session, invoice_id):
    return invoices.invoice(session, invoice_id=invoice_id).totals


def test_the_councils_setting_stands_in_place_of_the_agreements_term(session):
    """Shadow mode for one provider would otherwise need a new version of its agreement."""
    seed(session, shadow_until=date(2026, 11, 3))
    set_shadow(session, DECEMBER)
    _, sums = judged(session)
    assert (sums.payable_pence, sums.withheld_pence, sums.shadow_pence) == (4095, 0, 227 + 1365)


def test_what_is_wrong_whatever_evidence_says_is_not_paid_in_shadow_mode(session):
    """A duplicate and a visit nobody commissioned would be paid because nobody looks yet (ADR-0004)."""
    seed(session)
    set_shadow(session, DECEMBER)
    lines = (line(1), line(4, visit="v1", start=line(1).start), line(5, visit="v9"), line(3))
    invoice_id, sums = judged(session, claim(*lines))
    found = {each.line.line_no: each.verdict for each in invoices.lines_of(session, invoice_id=invoice_id)}
    assert [(n, each.reason, each.payable_pence) for n, each in found.items()] == [
        (1, Reason.EVIDENCED, 1365),
        (3, Reason.PARTIAL_EVIDENCE, 1365),
        (4, Reason.DUPLICATE, 0),
        (5, Reason.UNKNOWN_VISIT, 0),
    ]
    assert sums.claimed_pence == sums.payable_pence + sums.reduced_pence + sums.withheld_pence + sums.disallowed_pence
    assert (sums.shadow_pence, sums.disallowed_pence) == (1365, 2 * 1365)


def test_extending_shadow_mode_releases_what_judged_invoices_hold(session):
    """The page would say that nothing is held while the invoice still holds it."""
    seed(session)
    invoice_id, sums = judged(session)
    assert sums.withheld_pence == 1365
    set_shadow(session, DECEMBER)
    assert sums_of(session, invoice_id).payable_pence == 4095
    assert [version for version, _, _ in money.verdict_history(session, invoice_id=invoice_id, line_no=3)] == [1, 2]


def test_shadow_mode_ends_early_but_never_over_days_that_were_judged_in_it(session):
    """Money that was paid by the rule would be taken back by changing the rule."""
    seed(session)
    set_shadow(session, date(2026, 12, 31))
    judged(session)
    with pytest.raises(ShadowRefused, match=r"invoice INV-1 .*the earliest possible is 2026-11-30") as refused:
        set_shadow(session, date(2026, 11, 10))
    assert refused.value.field == "until"
    entry = set_shadow(session, date(2026, 11, 30))
    assert (entry.before, entry.shadow_until) == (date(2026, 12, 31), date(2026, 11, 30))


def test_an_invoice_not_judged_yet_does_not_hold_shadow_mode_open(session):
    """Nothing was paid for it, so nothing would be taken back."""
    seed(session)
    set_shadow(session, DECEMBER)
    invoices.submit(session, invoice=claim(), now=NOW)
    set_shadow(session, date(2026, 11, 2))
    _, sums = judged(session)
    assert (sums.shadow_pence, sums.withheld_pence) == (0, 1365)


def test_every_setting_is_kept_with_who_why_and_what_stood_before(session):
    """An auditor could not see who let money go unheld, and when."""
    seed(session, shadow_until=date(2026, 11, 3))
    set_shadow(session, DECEMBER, why="  Phones came\n late ")
    set_shadow(session, date(2026, 12, 24), who="Another", now=NOW + timedelta(hours=1))
    newest, first = shadow_store.history(session, council_id=factories.COUNCIL, provider_id=factories.PROVIDER)
    assert (first.before, first.shadow_until, first.why, first.who) == (
        date(2026, 11, 3),
        DECEMBER,
        "Phones came late",
        "C. Officer",
    )
    assert (newest.before, newest.shadow_until, newest.who) == (DECEMBER, date(2026, 12, 24), "Another")


@pytest.mark.parametrize("statement", ["UPDATE shadow_terms SET who = 'x'", "DELETE FROM shadow_terms"])
def test_the_history_of_shadow_mode_cannot_be_changed(session, statement):
    """Who set it could be rewritten afterwards."""
    seed(session)
    set_shadow(session, DECEMBER)
    with pytest.raises(DatabaseError, match="append-only"):
        session.execute(text(statement))


@pytest.mark.parametrize(
    ("until", "changes", "field"),
    [
        (date(2028, 1, 1), {}, "until"),
        (DECEMBER, {"why": " "}, "why"),
        (DECEMBER, {"why": "x" * 501}, "why"),
        (DECEMBER, {"why": "a\x00b"}, "why"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_with_its_field(session, until, changes, field):
    """A typing error of a year would switch withholding off for good."""
    seed(session)
    with pytest.raises(ShadowRefused) as refused:
        set_shadow(session, until, **changes)
    assert refused.value.field == field


def test_setting_the_day_that_stands_already_is_refused(session):
    """The history would fill with entries that changed nothing."""
    seed(session)
    set_shadow(session, DECEMBER)
    with pytest.raises(ShadowRefused, match="stands already"):
        set_shadow(session, DECEMBER)


def test_shadow_mode_needs_an_agreement_between_the_two(session):
    """Set for a provider with whom nothing is agreed it would never apply, and nobody would notice."""
    factories.seed(session)
    with pytest.raises(ShadowRefused, match="no agreement"):
        set_shadow(session, DECEMBER)


def test_received_invoices_are_judged_by_the_standing_job_and_once(session):
    """A claim that was imported would otherwise wait for somebody to ask for its verdicts."""
    seed(session)
    invoice_id = invoices.submit(session, invoice=claim(), now=NOW)
    assert invoices.judge_received(session, now=NOW, policy=Policy()) == (invoice_id,)
    assert invoices.judge_received(session, now=NOW, policy=Policy()) == ()
    found = [each.verdict.verdict for each in invoices.lines_of(session, invoice_id=invoice_id)]
    assert found == [Verdict.PAY, Verdict.REDUCE, Verdict.WITHHOLD]
