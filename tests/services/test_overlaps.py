"""A worker in two places at once, within a provider or at two (bad-input 84): both visits say so, and neither is billed by itself."""

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from evm.domain.billing.agreement import Agreement
from evm.domain.billing.invoice import InvoiceClaim, Reason, Verdict
from evm.domain.evidence import EventKind
from evm.domain.finding import FindingCode
from evm.domain.ids import CustomerId, ProviderId, VisitId, WorkerId
from evm.domain.people import Provider
from evm.domain.policy import Policy
from evm.domain.visit import Visit
from evm.services import invoice as invoices
from evm.services import receive, reconcile
from evm.services.imports.kinds.refs import person_digest
from evm.services.receive import Incoming
from evm.store import feeds, ingest_state, money, people, plans, visits
from tests import factories
from tests.domain.billing import bills
from tests.factories import NINE

POLICY = Policy()
NOW = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)
OTHER = ProviderId("bright")


def at(minutes: float) -> datetime:
    return NINE + timedelta(minutes=minutes)


@pytest.fixture
def seeded(session: Session) -> Session:
    """Two homes 100 metres apart, at each a visit of kindly at nine and ten; a third with another provider."""
    people.add_providers(session, providers=[Provider(provider_id=OTHER, name="Bright Care")])
    near, far = factories.home(100), factories.home(200)
    factories.seed(
        session,
        customers=[factories.customer("c1"), factories.customer("c2", home=near)],
        workers=[factories.worker("w1"), factories.worker("w2")],
    )
    people.add_customers(session, customers=[factories.customer("c9", home=far, provider_id=OTHER)])
    people.add_workers(session, workers=[factories.worker("w9", provider_id=OTHER)])
    money.add_agreements(session, agreements=[agreement(factories.PROVIDER), agreement(OTHER)])
    plan = [
        factories.planned_visit("v1", start=at(0)),
        factories.planned_visit("v2", customer="c2", start=at(30)),
        factories.planned_visit("v9", customer="c9", start=at(20), provider_id=OTHER),
    ]
    plans.add_planned_visits(session, visits=plan)
    return session


def agreement(provider: ProviderId) -> Agreement:
    return bills.agreement(council=factories.COUNCIL, provider=provider, agreement_id=f"tariff-{provider}")


def stay(session: Session, worker: str, customer: str, since: float, until: float, *, provider: str = "kindly") -> None:
    """A check-in and a check-out, in the order of their times."""
    for kind, minutes in ((EventKind.CHECK_IN, since), (EventKind.CHECK_OUT, until)):
        say(session, kind, worker, customer, minutes, provider=provider)


def say(
    session: Session, kind: EventKind, worker: str, customer: str, minutes: float, *, provider: str = "kindly"
) -> None:
    said = factories.claim(kind, at=at(minutes), worker=WorkerId(worker), tag=f"tag-{customer}")
    said = replace(said, provider=ProviderId(provider))
    item = Incoming(claim=said, payload=b"{}", channel="mqtt")
    receive.receive(session, items=[item], now=at(minutes), policies=POLICY)
    settle(session)


def settle(session: Session) -> None:
    while reconcile.run_pending(session, now=NOW, policy=POLICY):
        pass


def visit(session: Session, name: str) -> Visit:
    return visits.newest_of(session, visit_ids=[VisitId(name)])[VisitId(name)]


def overlaps(session: Session, name: str) -> list[str]:
    return [found.words for found in visit(session, name).findings if found.code is FindingCode.OVERLAP]


def verdict(
    session: Session, name: str, customer: str, minutes: int, *, provider: str = "kindly"
) -> tuple[Verdict, Reason]:
    line = bills.line(visit_id=name, customer=CustomerId(customer), start=at(minutes))
    claim = InvoiceClaim(
        provider=ProviderId(provider),
        council=factories.COUNCIL,
        number=f"INV-{name}",
        period_since=date(2026, 11, 1),
        period_until=date(2026, 12, 1),
        claimed_pence=line.pence_claimed,
        lines=(line,),
    )
    invoice_id = invoices.submit(session, invoice=claim, now=NOW)
    invoices.judge(session, invoice_id=invoice_id, now=NOW, policy=POLICY)
    (judged,) = invoices.lines_of(session, invoice_id=invoice_id)
    assert judged.verdict is not None
    return judged.verdict.verdict, judged.verdict.reason


def test_row_84_a_worker_in_two_homes_at_once_is_found_on_both_visits_and_not_billed(seeded: Session) -> None:
    """Broken: two customers would pay for one worker's half hour, and nobody would be asked."""
    say(seeded, EventKind.CHECK_IN, "w1", "c1", 0)
    stay(seeded, "w1", "c2", 20, 50)
    say(seeded, EventKind.CHECK_OUT, "w1", "c1", 35)
    assert "checked in elsewhere at 09:20" in overlaps(seeded, "v1")[0]
    assert overlaps(seeded, "v2") == ["Checked in here at 09:20, yet recorded elsewhere from 09:00 until 09:35."]
    assert verdict(seeded, "v1", "c1", 0) == (Verdict.QUERY, Reason.WORKER_OVERLAPS)
    assert verdict(seeded, "v2", "c2", 30) == (Verdict.QUERY, Reason.WORKER_OVERLAPS)


def test_row_84_stays_one_after_the_other_are_not_an_overlap(seeded: Session) -> None:
    """Broken: every worker with two visits would be asked about."""
    stay(seeded, "w1", "c1", 0, 30)
    stay(seeded, "w1", "c2", 33, 63)
    assert (overlaps(seeded, "v1"), overlaps(seeded, "v2")) == ([], [])
    assert verdict(seeded, "v1", "c1", 0) == (Verdict.PAY, Reason.EVIDENCED)


@pytest.mark.parametrize("known_by", ["phone", "digest"])
def test_row_84_one_person_with_two_providers_at_once_is_found_at_both(seeded: Session, known_by: str) -> None:
    """Broken: an agency worker could be paid by two agencies for one hour, each seeing its own half."""
    one_person(seeded, known_by)
    stay(seeded, "w1", "c1", 0, 30)
    stay(seeded, "w9", "c9", 20, 50, provider=OTHER)
    assert overlaps(seeded, "v1") == ["The same person is recorded with another provider from 09:20 until 09:50."]
    assert overlaps(seeded, "v9") == ["The same person is recorded with another provider from 09:00 until 09:30."]
    assert verdict(seeded, "v1", "c1", 0) == (Verdict.QUERY, Reason.WORKER_OVERLAPS)
    assert verdict(seeded, "v9", "c9", 20, provider=OTHER) == (Verdict.QUERY, Reason.WORKER_OVERLAPS)


def test_row_84_what_is_said_names_neither_the_other_customer_nor_the_other_provider(seeded: Session) -> None:
    """Broken: one agency would read in its findings whom another cares for."""
    one_person(seeded, "phone")
    stay(seeded, "w1", "c1", 0, 30)
    stay(seeded, "w9", "c9", 20, 50, provider=OTHER)
    words = " ".join(found.words for found in visit(seeded, "v1").findings)
    assert all(name not in words for name in ("c9", "bright", "Bright", "w9"))


def test_row_84_two_people_with_two_providers_are_not_one(seeded: Session) -> None:
    """Broken: colleagues of two agencies who happen to work at one time would be held."""
    stay(seeded, "w1", "c1", 0, 30)
    stay(seeded, "w9", "c9", 20, 50, provider=OTHER)
    assert (overlaps(seeded, "v1"), overlaps(seeded, "v9")) == ([], [])


def one_person(session: Session, known_by: str) -> None:
    from sqlalchemy import update

    from evm.store.tables.people import care_workers

    if known_by == "phone":
        own = care_workers.c
        session.execute(update(care_workers).where(own.worker_id.in_(["w1", "w9"])).values(phone="+447700900123"))
    else:
        digest = person_digest("QQ123456C")
        feeds.set_persons(session, persons={WorkerId("w1"): digest, WorkerId("w9"): digest}, now=NOW)


@pytest.mark.parametrize("seed", range(8))
def test_row_84_in_whatever_order_events_come_the_findings_are_those_of_the_whole_day(
    seeded: Session, seed: int
) -> None:
    """Broken: a check-out that comes last would leave the other visit without its finding, and it would be paid."""
    one_person(seeded, "phone")
    order = random.Random(seed)
    said = []
    for worker, customer, provider in (("w1", "c1", "kindly"), ("w1", "c2", "kindly"), ("w9", "c9", str(OTHER))):
        since = order.randrange(0, 40)
        said += [
            (EventKind.CHECK_IN, worker, customer, since, provider),
            (EventKind.CHECK_OUT, worker, customer, since + order.randrange(5, 60), provider),
        ]
    order.shuffle(said)
    for kind, worker, customer, minutes, provider in said:
        say(seeded, kind, worker, customer, minutes, provider=provider)
    piecewise = {name: replace(visit(seeded, name), version=0) for name in ("v1", "v2", "v9")}
    everybody = {(CustomerId(name), date(2026, 11, 2)) for name in ("c1", "c2", "c9")}
    ingest_state.queue_reconcile(seeded, pairs=everybody, now=NOW)
    settle(seeded)
    for provider in (factories.PROVIDER, OTHER):
        reconcile.reconcile_days(
            seeded,
            provider_id=provider,
            since_day=date(2026, 11, 2),
            until_day=date(2026, 11, 3),
            now=NOW,
            policy=POLICY,
        )
    assert {name: replace(visit(seeded, name), version=0) for name in piecewise} == piecewise
