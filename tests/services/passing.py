"""A week of two customers, one of whom passes from one provider to another with a worker: for tests of provider change and of exports."""

from datetime import UTC, date, datetime, timedelta

from sqlalchemy.orm import Session

from evm.domain.evidence import EventKind
from evm.domain.ids import ProviderId
from evm.domain.people import Branch, Provider
from evm.domain.policy import Policy
from evm.services import receive, reconcile, transfers
from evm.services.receive import Incoming
from evm.services.transfers import Wanted
from evm.store import money, people, plans, visits
from tests import factories
from tests.domain.billing import bills
from tests.factories import NINE, PROVIDER
from tests.services.invoicing import agreement

POLICY = Policy()
NEW = ProviderId("bright")
DAY = date(2026, 11, 5)  # a Thursday; the visits run from Monday 2 to Sunday 8
MIDNIGHT = datetime(2026, 11, 5, tzinfo=UTC)
BEFORE = datetime(2026, 11, 1, 12, tzinfo=UTC)
LATER = datetime(2026, 12, 1, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
WANTED = Wanted(from_provider=PROVIDER, to_provider=NEW, on_day=DAY, customers=("c1",), workers=("w1",))


def at(day: int, *, minutes: int = 0) -> datetime:
    """Nine o'clock on a day of November 2026."""
    return NINE + timedelta(days=day - 2, minutes=minutes)


def settle(session: Session) -> None:
    """Customers c1 and c2 and workers w1 and w2 of one provider; each customer is planned at nine (c2 at ten) for a week; an agreement
    with each provider; c1 and w1 are to pass on Thursday."""
    factories.seed(
        session,
        customers=[factories.customer("c1", phone="+441614960003"), factories.customer("c2", home=factories.home(500))],
        workers=[factories.worker("w1", pin="1111"), factories.worker("w2", pin="2222")],
        devices=[factories.device("p1"), factories.device("p2", worker="w2")],
    )
    people.add_providers(session, providers=[Provider(provider_id=NEW, name="Bright Care")])
    branch = Branch(branch_id="bright", provider_id=NEW, name="Bright", phone="+441614960002")
    people.add_branches(session, branches=[branch])
    money.add_agreements(
        session,
        agreements=[agreement(), bills.agreement(council=factories.COUNCIL, provider=NEW, agreement_id="theirs")],
    )
    planned = [
        factories.planned_visit(
            f"{who}-{day}", customer=who, start=at(day, minutes=60 * (who == "c2")), rostered=(worker,)
        )
        for day in range(2, 9)
        for who, worker in (("c1", "w1"), ("c2", "w2"))
    ]
    plans.add_planned_visits(session, visits=planned)


def said(session: Session, *claims, now: datetime | None = None) -> None:
    for one in claims:
        item = Incoming(claim=one, payload=one.sha256.encode(), channel="mqtt")
        received = now or one.captured_at + timedelta(seconds=2)
        receive.receive(session, items=[item], now=received, policies=POLICY)


def stay(start: datetime, minutes: int = 30, **changes):
    return (
        factories.claim(EventKind.CHECK_IN, at=start, **changes),
        factories.claim(EventKind.CHECK_OUT, at=start + minutes * MINUTE, **changes),
    )


def reconciled(session: Session, now: datetime = LATER) -> None:
    while reconcile.run_pending(session, now=now, policy=POLICY):
        pass


def passed(session: Session, wanted: Wanted = WANTED, *, ordered_at: datetime = BEFORE) -> None:
    transfers.order(session, wanted=wanted, now=ordered_at, by="test", policy=POLICY)
    assert transfers.apply_due(session, now=MIDNIGHT, policy=POLICY) == 1


def happened(session: Session, visit_id: str):
    return visits.newest_of(session, visit_ids=[visit_id]).get(visit_id)


def minutes_of(session: Session, visit_id: str) -> int:
    visit = happened(session, visit_id)
    return 0 if visit is None else sum(slot.attendance.minutes for slot in visit.slots if slot.attendance)
