"""Transfers between providers, kept: the order, who passes, their spells and devices. Not what a transfer may do (evm.services.transfers).

Changes are guarded by the database: a subject's open spell can be ended once, and a spell's first day is its key."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Row, and_, delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from evm.domain.ids import CustomerId, DeviceId, LocalityId, ProviderId, VisitId, WorkerId
from evm.domain.transfer import ALWAYS, Passed, Spell, Transfer, TransferState
from evm.store.tables.accounts import accounts
from evm.store.tables.alerts import alerts
from evm.store.tables.money import invoice_lines, invoices
from evm.store.tables.people import care_workers, customers, devices
from evm.store.tables.plans import planned_slots, planned_visits, popback_requests
from evm.store.tables.rosters import rosters
from evm.store.tables.transfers import provider_spells, transfer_devices, transfers
from evm.store.tables.visits import visits

IDS_A_STATEMENT: Final = 500


def claimed_from(
    session: Session, *, provider: ProviderId, customer_ids: Collection[CustomerId], since: date
) -> tuple[str, ...]:
    """The numbers of the provider's invoices that claim planned visits of these customers on a day from `since` on."""
    line, visit = invoice_lines.c, planned_visits.c
    found: set[str] = set()
    for some in _chunks(customer_ids):
        query = (
            select(invoices.c.number)
            .join(invoice_lines, line.invoice_id == invoices.c.invoice_id)
            .join(planned_visits, visit.visit_id == line.visit_id)
            .where(invoices.c.provider_id == provider, visit.customer_id.in_(some), visit.care_day >= since)
            .distinct()
        )
        found.update(session.execute(query).scalars())
    return tuple(sorted(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """A device that a worker carries."""

    device_id: DeviceId
    device_type: str
    worker_id: WorkerId


def add_transfer(session: Session, *, transfer: Transfer, now: datetime, by: str) -> None:
    """Append an order; its id must be new."""
    session.execute(
        insert(transfers).values(
            transfer_id=transfer.transfer_id,
            from_provider_id=transfer.from_provider,
            to_provider_id=transfer.to_provider,
            on_day=transfer.on_day,
            locality_id=transfer.locality_id,
            state=transfer.state.value,
            shows_history=transfer.shows_history,
            revoke_on=transfer.revoke_on,
            ordered_at=now,
            ordered_by=by,
            answer={},
        )
    )


def transfer(session: Session, *, transfer_id: str) -> Transfer | None:
    """One transfer, or None."""
    row = session.execute(select(transfers).where(transfers.c.transfer_id == transfer_id)).first()
    return None if row is None else _transfer(row)


def transfer_list(session: Session, *, state: TransferState | None = None) -> tuple[Transfer, ...]:
    """Transfers by day and id, in one state if given."""
    query = select(transfers).order_by(transfers.c.on_day, transfers.c.transfer_id)
    if state is not None:
        query = query.where(transfers.c.state == state.value)
    return tuple(_transfer(row) for row in session.execute(query))


def next_due(session: Session, *, today: date, besides: Collection[str] = ()) -> Transfer | None:
    """The first ordered transfer whose day has come, locked where the database can; None when none is, or others hold them all."""
    query = (
        select(transfers)
        .where(
            transfers.c.state == TransferState.ORDERED.value,
            transfers.c.on_day <= today,
            transfers.c.transfer_id.not_in(sorted(besides)),
        )
        .order_by(transfers.c.on_day, transfers.c.transfer_id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    row = session.execute(query).first()
    return None if row is None else _transfer(row)


def due_with(session: Session, *, transfer: Transfer, besides: Collection[str] = ()) -> tuple[Transfer, ...]:
    """The other ordered transfers of the same day from and to the same providers, locked as `next_due`, by id."""
    own = transfers.c
    query = (
        select(transfers)
        .where(
            own.state == TransferState.ORDERED.value,
            own.on_day == transfer.on_day,
            own.from_provider_id == transfer.from_provider,
            own.to_provider_id == transfer.to_provider,
            own.transfer_id.not_in(sorted({transfer.transfer_id, *besides})),
        )
        .order_by(own.transfer_id)
        .with_for_update(skip_locked=True)
    )
    return tuple(_transfer(row) for row in session.execute(query))


def to_revoke(session: Session, *, today: date) -> Transfer | None:
    """The first applied transfer whose old credentials are to end by now, locked as `next_due`."""
    query = (
        select(transfers)
        .where(
            transfers.c.state == TransferState.APPLIED.value,
            transfers.c.revoked_at.is_(None),
            transfers.c.revoke_on <= today,
        )
        .order_by(transfers.c.revoke_on, transfers.c.transfer_id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    row = session.execute(query).first()
    return None if row is None else _transfer(row)


def move_on(session: Session, *, transfer_id: str, was: TransferState, becomes: TransferState, now: datetime) -> bool:
    """Change a transfer's state; False when it is not (or no longer) in state `was`: somebody else was quicker."""
    stamp = {TransferState.APPLIED: "applied_at", TransferState.CANCELLED: "cancelled_at"}[becomes]
    done = session.execute(
        update(transfers)
        .where(transfers.c.transfer_id == transfer_id, transfers.c.state == was.value)
        .values({"state": becomes.value, stamp: now})
        .returning(transfers.c.transfer_id)
    )
    return done.first() is not None


def keep_answer(session: Session, *, transfer_id: str, answer: Mapping[str, Any]) -> None:
    """Keep what applying the transfer did."""
    session.execute(update(transfers).where(transfers.c.transfer_id == transfer_id).values(answer=dict(answer)))


def answer_of(session: Session, *, transfer_id: str) -> dict[str, Any]:
    """What applying the transfer did; empty before it was."""
    found = session.execute(select(transfers.c.answer).where(transfers.c.transfer_id == transfer_id)).scalar_one()
    return dict(found)


def mark_revoked(session: Session, *, transfer_id: str, now: datetime) -> None:
    """Note that the old credentials are ended."""
    session.execute(update(transfers).where(transfers.c.transfer_id == transfer_id).values(revoked_at=now))


def begin_spells(session: Session, *, kind: Passed, ids: Collection[str], transfer: Transfer) -> frozenset[str]:
    """End these people's spells with the old provider at the transfer's day and begin those with the new one; answers who could not
    be passed, because an order that stands passes them already."""
    spells = provider_spells.c
    had = spells_of(session, kind=kind, ids=ids)
    first = [
        {"kind": kind.value, "subject_id": one, "since": ALWAYS, "until": None, "provider_id": transfer.from_provider}
        for one in sorted(ids)
        if one not in had
    ]
    if first:
        session.execute(insert(provider_spells), first)
    ended: set[str] = set()
    for some in _chunks(ids):
        done = session.execute(
            update(provider_spells)
            .where(
                spells.kind == kind.value,
                spells.subject_id.in_(some),
                spells.provider_id == transfer.from_provider,
                spells.until.is_(None),
                spells.since < transfer.on_day,
            )
            .values(until=transfer.on_day)
            .returning(spells.subject_id)
        )
        ended.update(done.scalars())
    begun = [
        {
            "kind": kind.value,
            "subject_id": one,
            "since": transfer.on_day,
            "until": None,
            "provider_id": transfer.to_provider,
            "transfer_id": transfer.transfer_id,
        }
        for one in sorted(ended)
    ]
    if begun:
        session.execute(insert(provider_spells), begun)
    return frozenset(ids) - ended


def undo_spells(session: Session, *, transfer: Transfer) -> int:
    """Take the spells of a cancelled transfer away and let those before them go on; how many people stay."""
    spells = provider_spells.c
    theirs = session.execute(
        delete(provider_spells)
        .where(spells.transfer_id == transfer.transfer_id)
        .returning(spells.kind, spells.subject_id)
    ).all()
    for kind in Passed:
        for some in _chunks(row.subject_id for row in theirs if row.kind == kind.value):
            session.execute(
                update(provider_spells)
                .where(spells.kind == kind.value, spells.subject_id.in_(some), spells.until == transfer.on_day)
                .values(until=None)
            )
            session.execute(
                delete(provider_spells).where(
                    spells.kind == kind.value,
                    spells.subject_id.in_(some),
                    spells.since == ALWAYS,
                    spells.until.is_(None),
                    spells.transfer_id.is_(None),
                )
            )
    return len(theirs)


def spells_of(session: Session, *, kind: Passed, ids: Collection[str]) -> dict[str, tuple[Spell, ...]]:
    """The spells of these people, by their first day; whoever never passed is absent."""
    found: defaultdict[str, list[Spell]] = defaultdict(list)
    columns = provider_spells.c
    for some in _chunks(ids):
        query = select(columns.subject_id, columns.provider_id, columns.since, columns.until).where(
            columns.kind == kind.value, columns.subject_id.in_(some)
        )
        for row in session.execute(query.order_by(columns.since)):
            found[row.subject_id].append(Spell(provider=ProviderId(row.provider_id), since=row.since, until=row.until))
    return {one: tuple(spells) for one, spells in found.items()}


def passing(session: Session, *, transfer_id: str, kind: Passed) -> tuple[str, ...]:
    """Who passes by this transfer, by id."""
    columns = provider_spells.c
    query = select(columns.subject_id).where(columns.transfer_id == transfer_id, columns.kind == kind.value)
    return tuple(session.execute(query.order_by(columns.subject_id)).scalars())


def ever_with(session: Session, *, kind: Passed, provider_id: ProviderId, since: date, until: date) -> frozenset[str]:
    """Who has a spell with the provider that touches the days `[since, until)`, among those who passed."""
    columns = provider_spells.c
    query = select(columns.subject_id).where(
        columns.kind == kind.value,
        columns.provider_id == provider_id,
        columns.since < until,
        or_(columns.until.is_(None), columns.until > since),
    )
    return frozenset(session.execute(query).scalars())


def former_pins(
    session: Session, *, pins: Collection[tuple[ProviderId, str]]
) -> dict[tuple[ProviderId, str], WorkerId]:
    """Who of those that passed typed this PIN at a provider they were or will be with, where just one did."""
    if not pins:
        return {}
    spells, worker = provider_spells.c, care_workers.c
    query = (
        select(spells.provider_id, worker.pin, worker.worker_id)
        .join(care_workers, worker.worker_id == spells.subject_id)
        .where(spells.kind == Passed.WORKER.value, worker.pin.in_(sorted({pin for _, pin in pins})))
        .distinct()
    )
    found: defaultdict[tuple[ProviderId, str], set[WorkerId]] = defaultdict(set)
    for row in session.execute(query):
        found[ProviderId(row.provider_id), row.pin].add(WorkerId(row.worker_id))
    return {key: next(iter(who)) for key, who in found.items() if key in pins and len(who) == 1}


def let_nobody_pass(session: Session, *, customer_ids: Collection[CustomerId]) -> None:
    """Wait for a transfer of these customers that is just being applied, and let none of them pass until this transaction ends. Where
    the database can lock rows; elsewhere there is one writer anyway."""
    own = customers.c.customer_id
    for some in _chunks(customer_ids):
        session.execute(select(own).where(own.in_(some)).order_by(own).with_for_update(read=True)).all()


def hand_over(session: Session, *, kind: Passed, ids: Collection[str], was: ProviderId, to: ProviderId) -> None:
    """Make those of these people who are still the old provider's the new one's from now; a worker's account goes along."""
    table = customers if kind is Passed.CUSTOMER else care_workers
    key = table.c.customer_id if kind is Passed.CUSTOMER else table.c.worker_id
    for some in _chunks(ids):
        session.execute(select(key).where(key.in_(some)).order_by(key).with_for_update()).all()  # in one order for all
        session.execute(update(table).where(key.in_(some), table.c.provider_id == was).values(provider_id=to))
        if kind is Passed.WORKER:
            session.execute(update(accounts).where(accounts.c.worker_id.in_(some)).values(provider_id=to))


def hand_over_visits(
    session: Session, *, customer_ids: Collection[CustomerId], transfer: Transfer
) -> tuple[VisitId, ...]:
    """Make the planned visits of the transfer's day and after the new provider's, cancelled ones too; their ids."""
    columns = planned_visits.c
    found: list[VisitId] = []
    for some in _chunks(customer_ids):
        done = session.execute(
            update(planned_visits)
            .where(
                columns.customer_id.in_(some),
                columns.care_day >= transfer.on_day,
                columns.provider_id == transfer.from_provider,
            )
            .values(provider_id=transfer.to_provider)
            .returning(columns.visit_id)
        )
        found += [VisitId(one) for one in done.scalars()]
    return tuple(sorted(found))


def take_off_strangers(
    session: Session, *, providers: Collection[ProviderId], since: date, now: datetime
) -> tuple[VisitId, ...]:
    """Empty the slots, from a day on, on which a worker of another provider than the visit's stands; the visits, by id. Who was on a
    visit whose start has passed stays on it: that is what was planned."""
    visit, slot = planned_visits.c, planned_slots.c
    found = session.execute(
        select(slot.visit_id, slot.slot)
        .join(planned_visits, visit.visit_id == slot.visit_id)
        .join(care_workers, care_workers.c.worker_id == slot.worker_id)
        .where(
            visit.provider_id.in_(sorted(providers)),
            visit.care_day >= since,
            visit.start_at >= now,
            visit.cancelled_at.is_(None),
            care_workers.c.provider_id != visit.provider_id,
        )
    ).all()
    for row in found:
        session.execute(
            update(planned_slots).where(slot.visit_id == row.visit_id, slot.slot == row.slot).values(worker_id=None)
        )
    return tuple(sorted({VisitId(row.visit_id) for row in found}))


def give_up_pins(session: Session, *, worker_ids: Collection[WorkerId], at: ProviderId) -> tuple[WorkerId, ...]:
    """Take the PIN from those of these workers whose PIN somebody at the provider has already; who they are."""
    theirs, other = care_workers.c, care_workers.alias("theirs").c
    lost: list[WorkerId] = []
    for some in _chunks(worker_ids):
        clashes = select(other.pin).where(other.provider_id == at, other.pin.is_not(None), other.worker_id.not_in(some))
        done = session.execute(
            update(care_workers)
            .where(theirs.worker_id.in_(some), theirs.pin.in_(clashes))
            .values(pin=None)
            .returning(theirs.worker_id)
        )
        lost += [WorkerId(one) for one in done.scalars()]
    return tuple(sorted(lost))


def supersede(session: Session, *, provider: ProviderId, locality: LocalityId, day: date) -> None:
    """Withdraw the provider's published roster of a locality and day: it has no visit left."""
    columns = rosters.c
    session.execute(
        update(rosters)
        .where(
            columns.provider_id == provider,
            columns.locality_id == locality,
            columns.day == day,
            columns.state == "published",
        )
        .values(state="superseded")
    )


def published_days(session: Session, *, provider: ProviderId, since: date) -> tuple[tuple[LocalityId, date], ...]:
    """Localities and days, from a day on, for which the provider has a published roster."""
    columns = rosters.c
    query = (
        select(columns.locality_id, columns.day)
        .where(columns.provider_id == provider, columns.day >= since, columns.state == "published")
        .distinct()
        .order_by(columns.day, columns.locality_id)
    )
    return tuple((LocalityId(row.locality_id), row.day) for row in session.execute(query))


def reconciled_since(
    session: Session, *, customer_ids: Collection[CustomerId], since: date
) -> tuple[tuple[CustomerId, date], ...]:
    """Of these customers each with the days, from a day on, of which something was concluded already, planned or not."""
    found: set[tuple[CustomerId, date]] = set()
    for some in _chunks(customer_ids):
        query = select(visits.c.customer_id, visits.c.care_day).where(
            visits.c.customer_id.in_(some), visits.c.care_day >= since, visits.c.is_newest
        )
        found.update((CustomerId(row.customer_id), row.care_day) for row in session.execute(query))
    return tuple(sorted(found))


def counts(session: Session, *, provider: ProviderId, customer_ids: Collection[str], since: date) -> dict[str, int]:
    """What hangs on these customers: visits to come, promised pop-backs, open alerts; and the provider's invoices in flight."""
    visit, asked = planned_visits.c, popback_requests.c
    found = {"visits": 0, "popbacks_promised": 0, "alerts_open": 0}
    for some in _chunks(customer_ids):
        coming = and_(visit.customer_id.in_(some), visit.care_day >= since, visit.cancelled_at.is_(None))
        found["visits"] += session.execute(select(func.count()).where(coming)).scalar_one()
        promised = (
            select(func.count())
            .select_from(popback_requests)
            .join(planned_visits, visit.visit_id == asked.visit_id)
            .where(coming, asked.state.in_(["promised", "kept"]))
        )
        found["popbacks_promised"] += session.execute(promised).scalar_one()
        unclosed = and_(alerts.c.customer_id.in_(some), alerts.c.provider_id == provider, alerts.c.state != "closed")
        found["alerts_open"] += session.execute(select(func.count()).where(unclosed)).scalar_one()
    flying = and_(invoices.c.provider_id == provider, invoices.c.state != "approved")
    return found | {"invoices_in_flight": session.execute(select(func.count()).where(flying)).scalar_one()}


def devices_of(session: Session, *, provider: ProviderId, worker_ids: Collection[WorkerId]) -> tuple[Carried, ...]:
    """The provider's devices of these workers that are not revoked."""
    found: list[Carried] = []
    columns = devices.c
    for some in _chunks(worker_ids):
        query = select(columns.device_id, columns.device_type, columns.worker_id).where(
            columns.provider_id == provider, columns.worker_id.in_(some), columns.revoked_at.is_(None)
        )
        for row in session.execute(query.order_by(columns.device_id)):
            carried = Carried(
                device_id=DeviceId(row.device_id), device_type=row.device_type, worker_id=WorkerId(row.worker_id)
            )
            found.append(carried)
    return tuple(found)


def add_devices(session: Session, *, transfer_id: str, pairs: Sequence[tuple[DeviceId, DeviceId]]) -> None:
    """Keep which new device stands beside which old one."""
    rows = [{"transfer_id": transfer_id, "device_id": old, "new_device_id": new} for old, new in pairs]
    if rows:
        session.execute(insert(transfer_devices), rows)


def device_pairs(session: Session, *, transfer_id: str) -> tuple[tuple[DeviceId, DeviceId], ...]:
    """(old, new) device ids of a transfer."""
    columns = transfer_devices.c
    query = select(columns.device_id, columns.new_device_id).where(columns.transfer_id == transfer_id)
    return tuple(
        (DeviceId(row.device_id), DeviceId(row.new_device_id))
        for row in session.execute(query.order_by(columns.device_id))
    )


def devices_left_behind(session: Session, *, transfer: Transfer) -> tuple[DeviceId, ...]:
    """The old devices of a transfer, but for those of workers who are back with the provider they had left."""
    pair, own = transfer_devices.c, devices.c
    query = (
        select(pair.device_id)
        .join(devices, and_(own.device_id == pair.device_id, own.provider_id == transfer.from_provider))
        .outerjoin(care_workers, care_workers.c.worker_id == own.worker_id)
        .where(
            pair.transfer_id == transfer.transfer_id,
            care_workers.c.provider_id.is_distinct_from(transfer.from_provider),
        )
    )
    return tuple(DeviceId(one) for one in session.execute(query.order_by(pair.device_id)).scalars())


def _transfer(row: Row[Any]) -> Transfer:
    return Transfer(
        transfer_id=row.transfer_id,
        from_provider=ProviderId(row.from_provider_id),
        to_provider=ProviderId(row.to_provider_id),
        on_day=row.on_day,
        locality_id=None if row.locality_id is None else LocalityId(row.locality_id),
        state=TransferState(row.state),
        shows_history=row.shows_history,
        revoke_on=row.revoke_on,
    )


def _chunks(ids: Iterable[str]) -> Iterator[list[str]]:
    ordered = sorted(set(ids))
    for start in range(0, len(ordered), IDS_A_STATEMENT):
        yield ordered[start : start + IDS_A_STATEMENT]
