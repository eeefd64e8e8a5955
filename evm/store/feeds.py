"""Other systems' names for our people, and what is known of vendors' feeds and of how providers are monitored. Not the events of a feed
(evm.store.evidence) and not what they mean (evm.services.feeds)."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.orm import Session

from evm.domain.ids import CouncilId, ProviderId, WorkerId
from evm.store.tables.feeds import external_refs, provider_monitoring, vendor_feeds, worker_persons
from evm.store.tables.people import care_workers, customers, localities, providers
from evm.store.tables.plans import planned_visits
from evm.store.tables.transfers import provider_spells
from evm.store.writes import insert_new

IDS_A_STATEMENT: Final = 500


class RefKind(StrEnum):
    """Whose name a reference is. `PERSON`: a worker's as a human being, whoever employs them; kept as a digest only."""

    PROVIDER = "provider"
    CUSTOMER = "customer"
    WORKER = "worker"
    PERSON = "person"


class Monitoring(StrEnum):
    """How a provider's visits are heard of: as they happen, or in files that come afterwards."""

    LIVE = "live"
    FEED = "feed"


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorFeed:
    """A vendor's feed of one provider. What happened before `covered_until` is in a file that came."""

    provider: ProviderId
    vendor: str
    first_received_at: datetime
    received_at: datetime
    covered_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitoringEntry:
    """One setting of how a provider is monitored, with who made it and why."""

    provider: ProviderId
    kind: Monitoring
    why: str
    who: str
    set_at: datetime


def refs(session: Session, *, owner_id: str, system: str, kind: RefKind, among: Collection[str]) -> dict[str, str]:
    """Our ids of these references of a council's or provider's system; those nobody stated are absent."""
    c = external_refs.c
    found: dict[str, str] = {}
    for some in _chunks(among):
        query = select(c.ref, c.our_id).where(c.owner_id == owner_id, c.system == system, c.kind == kind.value)
        found.update((row.ref, row.our_id) for row in session.execute(query.where(c.ref.in_(some))))
    return found


def set_refs(
    session: Session, *, owner_id: str, system: str, kind: RefKind, refs: Mapping[str, str], now: datetime
) -> None:
    """State what these references mean from now on, in place of what was stated before."""
    c = external_refs.c
    for some in _chunks(refs):
        where = (c.owner_id == owner_id, c.system == system, c.kind == kind.value, c.ref.in_(some))
        session.execute(delete(external_refs).where(*where))
    rows = [
        {"owner_id": owner_id, "system": system, "kind": kind.value, "ref": ref, "our_id": ours, "stated_at": now}
        for ref, ours in sorted(refs.items())
    ]
    if rows:
        session.connection().execute(insert(external_refs), rows)


def persons(session: Session, *, worker_ids: Collection[WorkerId]) -> dict[WorkerId, str]:
    """The digests of the persons that these workers are, as far as they are known."""
    c = worker_persons.c
    found: dict[WorkerId, str] = {}
    for some in _chunks(worker_ids):
        rows = session.execute(select(c.worker_id, c.person_sha256).where(c.worker_id.in_(some)))
        found.update((WorkerId(row.worker_id), row.person_sha256) for row in rows)
    return found


def set_persons(session: Session, *, persons: Mapping[WorkerId, str], now: datetime) -> None:
    """State which persons these workers are, by digest."""
    for some in _chunks(persons):
        session.execute(delete(worker_persons).where(worker_persons.c.worker_id.in_(some)))
    rows = [{"worker_id": worker, "person_sha256": sha, "stated_at": now} for worker, sha in sorted(persons.items())]
    if rows:
        session.connection().execute(insert(worker_persons), rows)


def same_persons(session: Session, *, worker_ids: Collection[WorkerId]) -> dict[WorkerId, frozenset[WorkerId]]:
    """Of these workers, and of those found so, who are known to be the same human being as workers of other providers: by the digest that
    was stated, or by one telephone number. Each with all the others; people with one provider only are absent."""
    found: dict[WorkerId, frozenset[WorkerId]] = {}
    asked: set[WorkerId] = set()
    asking = set(worker_ids)
    while asking:
        for worker, other in _same_pairs(session, asking):
            together = found.get(worker, frozenset({worker})) | found.get(other, frozenset({other}))
            found.update(dict.fromkeys(together, together))
        asked |= asking
        asking = found.keys() - asked
    return {worker: together - {worker} for worker, together in found.items()}


def _same_pairs(session: Session, worker_ids: Collection[WorkerId]) -> Iterator[tuple[WorkerId, WorkerId]]:
    own, other = care_workers.alias("own"), care_workers.alias("other")
    one, two = worker_persons.alias("one"), worker_persons.alias("two")
    for some in _chunks(worker_ids):
        by_phone = (
            select(own.c.worker_id, other.c.worker_id)
            .join(other, other.c.phone == own.c.phone)
            .where(own.c.worker_id.in_(some), own.c.phone.is_not(None), other.c.provider_id != own.c.provider_id)
        )
        by_digest = (
            select(one.c.worker_id, two.c.worker_id)
            .join(two, two.c.person_sha256 == one.c.person_sha256)
            .where(one.c.worker_id.in_(some), two.c.worker_id != one.c.worker_id)
        )
        for query in (by_phone, by_digest):
            for row in session.execute(query):
                yield WorkerId(row[0]), WorkerId(row[1])


def known_ids(
    session: Session,
    *,
    kind: RefKind,
    ids: Collection[str],
    provider_id: ProviderId | None = None,
    council_id: CouncilId | None = None,
) -> frozenset[str]:
    """Which of these are ids of providers, customers or workers; of one provider's (a customer whom it has or had a visit planned for
    counts as its own) or of one council's if asked."""
    found: set[str] = set()
    for some in _chunks(ids):
        found.update(session.execute(_known(kind, some, provider_id, council_id)).scalars())
    return frozenset(found)


def _known(kind: RefKind, some: list[str], provider_id: ProviderId | None, council_id: CouncilId | None) -> Any:
    if kind is RefKind.PROVIDER:
        return select(providers.c.provider_id).where(providers.c.provider_id.in_(some))
    if kind is RefKind.CUSTOMER:
        query = select(customers.c.customer_id).where(customers.c.customer_id.in_(some))
        if provider_id is not None:
            plan = planned_visits.c
            served = select(plan.customer_id).where(plan.provider_id == provider_id, plan.customer_id.in_(some))
            query = query.where(or_(customers.c.provider_id == provider_id, customers.c.customer_id.in_(served)))
        if council_id is not None:
            places = select(localities.c.locality_id).where(localities.c.council_id == council_id)
            query = query.where(customers.c.locality_id.in_(places))
        return query
    own = select(care_workers.c.worker_id).where(care_workers.c.worker_id.in_(some))
    if provider_id is None:
        return own
    spell = provider_spells.c  # who has passed to another provider did what an old provider's late file says
    passed = select(spell.subject_id).where(spell.kind == "worker", spell.provider_id == provider_id)
    return own.where(or_(care_workers.c.provider_id == provider_id, care_workers.c.worker_id.in_(passed)))


def heard_feed(
    session: Session, *, provider_id: ProviderId, vendor: str, covered_until: datetime, now: datetime
) -> None:
    """Note that a vendor's file came; how far it reaches never goes back."""
    c = vendor_feeds.c
    fresh = {
        "provider_id": provider_id,
        "vendor": vendor,
        "first_received_at": now,
        "received_at": now,
        "covered_until": covered_until,
    }
    session.execute(insert_new(session, vendor_feeds).values(fresh))
    where = (c.provider_id == provider_id, c.vendor == vendor)
    session.execute(update(vendor_feeds).where(*where).values(received_at=now))
    session.execute(
        update(vendor_feeds).where(*where, c.covered_until < covered_until).values(covered_until=covered_until)
    )


def vendor_feeds_of(session: Session, *, provider_ids: Collection[ProviderId]) -> tuple[VendorFeed, ...]:
    """The feeds of these providers, by provider and vendor."""
    c = vendor_feeds.c
    query = select(vendor_feeds).where(c.provider_id.in_(sorted(set(provider_ids)))).order_by(c.provider_id, c.vendor)
    return tuple(
        VendorFeed(
            provider=ProviderId(row.provider_id),
            vendor=row.vendor,
            first_received_at=row.first_received_at,
            received_at=row.received_at,
            covered_until=row.covered_until,
        )
        for row in session.execute(query)
    )


def add_monitoring(session: Session, *, entry: MonitoringEntry) -> None:
    """Append a setting; from now on it stands."""
    values = {"provider_id": entry.provider, "kind": entry.kind.value, "why": entry.why, "who": entry.who}
    session.execute(insert(provider_monitoring).values(**values, set_at=entry.set_at))


def monitoring(session: Session, *, provider_ids: Collection[ProviderId]) -> dict[ProviderId, MonitoringEntry]:
    """What stands for these providers; those for whom nothing was ever set are absent."""
    c = provider_monitoring.c
    query = select(provider_monitoring).where(c.provider_id.in_(sorted(set(provider_ids)))).order_by(c.entry_id)
    return {
        ProviderId(row.provider_id): MonitoringEntry(
            provider=ProviderId(row.provider_id),
            kind=Monitoring(row.kind),
            why=row.why,
            who=row.who,
            set_at=row.set_at,
        )
        for row in session.execute(query)
    }


def _chunks(ids: Iterable[str]) -> Iterator[list[str]]:
    ordered = sorted(set(ids))
    for start in range(0, len(ordered), IDS_A_STATEMENT):
        yield ordered[start : start + IDS_A_STATEMENT]
