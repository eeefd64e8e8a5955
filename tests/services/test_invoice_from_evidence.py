"""From check-ins to pennies: evidence is received, reconciled, priced and invoiced, with nothing made up in between."""

from dataclasses import replace
from datetime import date, timedelta

from evm.domain.billing.invoice import Reason, Verdict
from evm.domain.evidence import EventKind, Grade
from evm.domain.plan import Cancellation, CancelledBy
from evm.domain.policy import Policy
from evm.services import invoice as invoices
from evm.services.history import import_evidence
from evm.services.reconcile import reconcile_days
from evm.store import money, plans
from tests import factories
from tests.domain.billing import bills
from tests.services.invoicing import NOW, START, agreement, claim

POLICY = Policy()
MINUTE = timedelta(minutes=1)


def came(session, *events):
    """Evidence as (kind, instant, changes) is stored and its days are reconciled."""
    rows = [factories.evidence(kind, at=at, **changes) for kind, at, changes in events]
    import_evidence(session, rows=rows, payloads=[b"{}"] * len(rows), now=NOW)
    reconciled(session)


def reconciled(session):
    until = date(2026, 11, 30)
    reconcile_days(
        session, provider_id=factories.PROVIDER, since_day=START.date(), until_day=until, now=NOW, policy=POLICY
    )


def stay(start, minutes, **changes):
    """A check-in and its check-out."""
    return [
        (EventKind.CHECK_IN, start, changes),
        (EventKind.CHECK_OUT, start + minutes * MINUTE, changes),
    ]


def planned(session, count, **changes):
    """Planned visits v1, v2, … one a day at nine, and their agreement."""
    factories.seed(session, workers=[factories.worker("w1"), factories.worker("w2", phone=None)])
    money.add_agreements(session, agreements=[agreement()])
    visits = [factories.planned_visit(f"v{n + 1}", start=START + timedelta(days=n), **changes) for n in range(count)]
    plans.add_planned_visits(session, visits=visits)
    return [visit.start for visit in visits]


def lines(*numbers, minutes=30):
    made = [
        bills.line(line_no=n, visit_id=f"v{n}", customer=factories.customer().customer_id, minutes=minutes)
        for n in numbers
    ]
    return [replace(each, start=START + timedelta(days=each.line_no - 1)) for each in made]


def judged(session, *claimed):
    invoice_id = invoices.submit(session, invoice=claim(*claimed), now=NOW)
    sums = invoices.judge(session, invoice_id=invoice_id, now=NOW, policy=POLICY)
    found = invoices.lines_of(session, invoice_id=invoice_id)
    return sums, [(each.verdict.verdict, each.verdict.reason) for each in found]


def test_what_phones_said_decides_what_is_paid(session):
    """The whole way of issue 2's spine for six visits: full, short, place contradicted, no check-out, nobody, over the plan."""
    at = planned(session, 6)
    came(
        session,
        *stay(at[0], 30),
        *stay(at[1], 25),
        *stay(at[2], 30, grade_place=Grade.D),
        (EventKind.CHECK_IN, at[3], {}),
        *stay(at[5], 50),
    )
    sums, found = judged(session, *lines(1, 2, 3, 4, 5, 6))
    assert found == [
        (Verdict.PAY, Reason.EVIDENCED),
        (Verdict.REDUCE, Reason.MORE_THAN_EVIDENCED),
        (Verdict.WITHHOLD, Reason.PLACE_CONTRADICTED),
        (Verdict.WITHHOLD, Reason.PARTIAL_EVIDENCE),
        (Verdict.WITHHOLD, Reason.MISSED),
        (Verdict.PAY, Reason.EVIDENCED),
    ]
    assert sums.payable_pence == 1365 + 1138 + 1365
    assert (sums.reduced_pence, sums.withheld_pence) == (227, 3 * 1365)


def test_seconds_are_floored_a_slot_not_a_visit(session):
    """29 minutes 59 seconds of each of two workers are 29 and 29 minutes, not 59."""
    (start,) = planned(session, 1, workers_needed=2, rostered=("w1", "w2"))
    end = start + 30 * MINUTE - timedelta(seconds=1)
    came(
        session,
        (EventKind.CHECK_IN, start, {}),
        (EventKind.CHECK_OUT, end, {}),
        (EventKind.CHECK_IN, start, {"worker": "w2", "device": "p2"}),
        (EventKind.CHECK_OUT, end, {"worker": "w2", "device": "p2"}),
    )
    first = lines(1)[0]
    sums, found = judged(session, first, replace(first, line_no=2, slot=1))
    assert [verdict for verdict, _ in found] == [Verdict.REDUCE, Verdict.REDUCE]
    assert sums.payable_pence == 2 * 1320  # 29 minutes at 45.5p are £13.195, half up


def test_a_cancelled_visit_is_disallowed_after_reconciling(session):
    """Reconciling a cancelled visit must not make it payable."""
    at = planned(session, 1)
    cancelled = Cancellation(at=at[0] - timedelta(days=1), by=CancelledBy.CUSTOMER, reason="away")
    plans.cancel(session, visit_id="v1", cancellation=cancelled)
    reconciled(session)
    assert judged(session, *lines(1))[1] == [(Verdict.DISALLOW, Reason.CANCELLED)]


def test_a_late_check_out_releases_the_line_on_its_own(session):
    """Evidence from a phone that was without signal reaches the invoice through rows alone."""
    at = planned(session, 1)
    came(session, (EventKind.CHECK_IN, at[0], {}))
    invoice_id = invoices.submit(session, invoice=claim(*lines(1)), now=NOW)
    assert invoices.judge(session, invoice_id=invoice_id, now=NOW, policy=POLICY).withheld_pence == 1365
    came(session, (EventKind.CHECK_OUT, at[0] + 30 * MINUTE, {}))
    assert invoices.rejudge_behind(session, now=NOW + MINUTE, policy=POLICY) == (invoice_id,)
    found = invoices.invoice(session, invoice_id=invoice_id)
    assert (found.totals.payable_pence, found.released_pence) == (1365, 1365)
