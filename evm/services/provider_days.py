"""Which provider answers for a customer or a care worker on a day, when people have passed from one to another. Not the passing itself
(evm.services.transfers)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from sqlalchemy.orm import Session

from evm.domain.evidence import Evidence
from evm.domain.ids import CustomerId, EventId, ProviderId
from evm.domain.period import care_day
from evm.domain.transfer import Passed, Spell, provider_on
from evm.domain.visit import Visit
from evm.store import people, transfers


def providers_answering(session: Session, *, events: Sequence[Evidence], zone: str) -> dict[EventId, ProviderId]:
    """Of events about people who passed: the provider, other than the device's, that answers for the customer (or, where none is
    known, the worker) on the event's day. Empty when nobody passed."""
    customers = transfers.spells_of(session, kind=Passed.CUSTOMER, ids={e.customer for e in events if e.customer})
    lone = {e.worker for e in events if e.worker and not e.customer}
    workers = transfers.spells_of(session, kind=Passed.WORKER, ids=lone)
    found: dict[EventId, ProviderId] = {}
    for e in events:
        spells = customers.get(e.customer or "", ()) if e.customer else workers.get(e.worker or "", ())
        provider = provider_on(spells, day=care_day(e.at, zone=zone), now=e.provider)
        if provider != e.provider:
            found[e.event_id] = provider
    return found


def customers_served(
    session: Session, *, provider_id: ProviderId, since_day: date, until_day: date
) -> frozenset[CustomerId]:
    """Whoever is the provider's customer now, or was on any of the days `[since_day, until_day)`."""
    now = {one.customer_id for one in people.customers(session, provider_id=provider_id)}
    passed = transfers.ever_with(
        session, kind=Passed.CUSTOMER, provider_id=provider_id, since=since_day, until=until_day
    )
    return frozenset(now) | {CustomerId(one) for one in passed}


def with_their_provider(session: Session, *, visits: Sequence[Visit]) -> list[Visit]:
    """The visits with each unplanned one made the provider's whose customer it was that day, whatever phone told of it."""
    unplanned = {visit.customer for visit in visits if visit.visit_id is None}
    spells = transfers.spells_of(session, kind=Passed.CUSTOMER, ids=unplanned)
    return [_owned(visit, spells.get(visit.customer, ())) if visit.visit_id is None else visit for visit in visits]


def _owned(visit: Visit, spells: Sequence[Spell]) -> Visit:
    provider = provider_on(spells, day=date.fromisoformat(visit.care_day), now=visit.provider)
    return visit if provider == visit.provider else replace(visit, provider=provider)
