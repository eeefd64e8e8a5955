"""Provider change (background S8): customers, packages and workers pass in bulk from one provider to another on a day. Not devices'
credentials (the caller enrols those) and not who may see what (evm.store.screens.scope).

Ordering writes spells from the day on, so that everything that asks "whose on that day" knows at once; on the day itself the plan is
handed over. Everything before stays the old provider's: evidence, visits, findings and invoices are not touched."""

import hashlib
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Final

from sqlalchemy.orm import Session

from evm.domain.ids import CustomerId, LocalityId, ProviderId, WorkerId
from evm.domain.people import CareWorker, Customer
from evm.domain.period import care_day
from evm.domain.policy import Policy
from evm.domain.transfer import Passed, Transfer, TransferState
from evm.services.localities import not_commissioned
from evm.services.transfer_people import pass_people, tell_providers
from evm.services.transfer_rosters import pass_rosters_on
from evm.store import money, people, transfers
from evm.store.savepoint import Failed, attempt

GRACE_DAYS: Final = 35
"""So long after the day an old credential still brings what its phone kept (a phone keeps receipted events 35 days)."""
BACK_DAYS_MAX: Final = 28
AHEAD_DAYS_MAX: Final = 400

_LOG: Final = logging.getLogger(__name__)


class TransferRefused(ValueError):  # noqa: N818 -- named for what is wrong
    """A transfer that cannot be ordered or undone: the field at fault and the sentence that says what to do."""

    def __init__(self, *, field: str, words: str) -> None:
        super().__init__(f"{field}: {words}")
        self.field = field
        self.words = words


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Who is to pass, from whom to whom, on which local day. `customers`/`workers` None: all of the provider's (in the locality, if one
    is named); given, exactly these."""

    from_provider: ProviderId
    to_provider: ProviderId
    on_day: date
    locality_id: LocalityId | None = None
    customers: tuple[CustomerId, ...] | None = None
    workers: tuple[WorkerId, ...] | None = None
    shows_history: bool = True
    grace_days: int = GRACE_DAYS


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a transfer would do. `people` are (id, name). `refusals` are (field, words): while there is one, it cannot be ordered."""

    customers: tuple[tuple[str, str], ...]
    workers: tuple[tuple[str, str], ...]
    visits: int
    popbacks_promised: int
    rosters_published: tuple[str, ...]
    devices: tuple[str, ...]
    alerts_open: int
    invoices_in_flight: int
    refusals: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """A transfer that stands, and the old devices of workers who pass by it and have no new one beside them yet."""

    transfer: Transfer
    already: bool
    devices: tuple[transfers.Carried, ...]


def preview(session: Session, *, wanted: Wanted, now: datetime, policy: Policy) -> Preview:
    """Everything the transfer would touch and everything that stands against it; nothing is written."""
    customers, workers, refusals = _who(session, wanted, today=care_day(now, zone=policy.zone))
    refusals = [*refusals, *_in_the_way(session, wanted, customers, workers)]
    ids = [one.customer_id for one in customers]
    places = {one.locality_id for one in customers}
    counted = transfers.counts(session, provider=wanted.from_provider, customer_ids=ids, since=wanted.on_day)
    published = transfers.published_days(session, provider=wanted.from_provider, since=wanted.on_day)
    carried = transfers.devices_of(
        session, provider=wanted.from_provider, worker_ids=[one.worker_id for one in workers]
    )
    return Preview(
        customers=tuple((one.customer_id, one.name) for one in customers),
        workers=tuple((one.worker_id, one.name) for one in workers),
        rosters_published=tuple(f"{place} {day.isoformat()}" for place, day in published if place in places),
        devices=tuple(one.device_id for one in carried),
        refusals=tuple(refusals),
        **counted,
    )


def order(session: Session, *, wanted: Wanted, now: datetime, by: str, policy: Policy) -> Ordered:
    """Order the transfer, or answer the one that stands already; who joined the provider since is taken in. The caller's transaction
    makes it all or nothing. TransferRefused with the first thing that stands against it."""
    standing = _standing(session, wanted)
    if standing is not None and standing.state is TransferState.APPLIED:
        if not _left(session, wanted, now=now, policy=policy):
            return _ordered(session, standing, already=True)
        standing = None
    found = preview(session, wanted=wanted, now=now, policy=policy)
    passed = set() if standing is None else _passing(session, [standing])
    new = {one for one, _ in (*found.customers, *found.workers)} - passed
    if standing is not None and not new:
        return _ordered(session, standing, already=True)
    if found.refusals:
        field, words = found.refusals[0]
        raise TransferRefused(field=field, words=words)
    ordered = standing or _new_transfer(session, wanted)
    if standing is None:
        transfers.add_transfer(session, transfer=ordered, now=now, by=by)
    for kind, named in ((Passed.CUSTOMER, found.customers), (Passed.WORKER, found.workers)):
        ids = [one for one, _ in named if one in new]
        stuck = transfers.begin_spells(session, kind=kind, ids=ids, transfer=ordered)
        if stuck:
            words = (
                f"{_few(stuck)} passes by another order already, or has passed since that day: cancel that order, "
                "or choose a day after it"
            )
            raise TransferRefused(field=f"{kind.value}s", words=words)
    return _ordered(session, ordered, already=False)


def cancel(session: Session, *, wanted: Wanted, now: datetime) -> Transfer:
    """Undo an order before its day: spells go, and the caller revokes the new devices (`store.transfers.device_pairs`).
    TransferRefused when there is none, or it has been applied."""
    standing = _standing(session, wanted)
    if standing is None:
        raise TransferRefused(
            field="on", words="no such transfer is ordered; popback provider transfers lists those that are"
        )
    done = transfers.move_on(
        session,
        transfer_id=standing.transfer_id,
        was=TransferState.ORDERED,
        becomes=TransferState.CANCELLED,
        now=now,
    )
    if not done:
        words = "the transfer has been applied: order one in the other direction instead"
        raise TransferRefused(field="on", words=words)
    transfers.undo_spells(session, transfer=standing)
    return replace(standing, state=TransferState.CANCELLED)


def apply_due(session: Session, *, now: datetime, policy: Policy) -> int:
    """Apply the transfers whose day has come, and end the old credentials of those whose days of grace are over; how many were done.

    Those of one day, from and to the same, go together: a care worker of one locality who visits a customer of another stays on. Each
    whole or not at all; one that fails is logged, tried again at the next call, and holds up no other."""
    today = care_day(now, zone=policy.zone)
    done, failed = 0, set[str]()
    while (due := transfers.next_due(session, today=today, besides=failed)) is not None:
        together = (due, *transfers.due_with(session, transfer=due, besides=failed))
        if not isinstance(attempt(session, work=partial(_apply, session, together, now, policy)), Failed):
            done += len(together)
            continue
        for alone in together:
            outcome = attempt(session, work=partial(_apply, session, (alone,), now, policy))
            if isinstance(outcome, Failed):
                _LOG.error("transfer %s cannot be applied", alone.transfer_id, exc_info=outcome.error)
                failed.add(alone.transfer_id)
            else:
                done += 1
    while (over := transfers.to_revoke(session, today=today)) is not None:
        for old in transfers.devices_left_behind(session, transfer=over):
            people.revoke_device(session, provider=over.from_provider, device=old, now=now)
        transfers.mark_revoked(session, transfer_id=over.transfer_id, now=now)
        done += 1
    return done


def _apply(session: Session, together: Sequence[Transfer], now: datetime, policy: Policy) -> None:
    """Transfers from and to the same on one day: everybody passes first, then what nobody can do any more is seen."""
    first = together[0]
    before = transfers.published_days(session, provider=first.from_provider, since=first.on_day)
    answers = [pass_people(session, due=due, now=now) for due in together]
    visits = [visit for _, theirs in answers for visit in theirs]
    emptied = transfers.take_off_strangers(
        session, providers=[first.from_provider, first.to_provider], since=first.on_day, now=now
    )
    rosters, failed = pass_rosters_on(
        session, transfer=first, days=before, visits=visits, emptied=emptied, now=now, policy=policy
    )
    answers[0][0].update(visits_unfilled=len(emptied), rosters=rosters, rosters_to_make=list(failed))
    for due, (answer, _) in zip(together, answers, strict=True):
        transfers.keep_answer(session, transfer_id=due.transfer_id, answer=answer)
        tell_providers(session, due=due, answer=answer, now=now)


def _who(
    session: Session, wanted: Wanted, *, today: date
) -> tuple[list[Customer], list[CareWorker], list[tuple[str, str]]]:
    """Who passes, and what is wrong with the wish itself."""
    wrong = _wrong_wish(session, wanted, today=today)
    if wrong:
        return [], [], wrong
    theirs = people.customers(
        session, provider_id=wanted.from_provider, locality_id=wanted.locality_id, customer_ids=wanted.customers
    )
    staff = people.workers(
        session, provider_id=wanted.from_provider, locality_id=wanted.locality_id, worker_ids=wanted.workers
    )
    where = f"of {wanted.from_provider}" + (f" in {wanted.locality_id}" if wanted.locality_id else "")
    for field, named, found in (
        ("customers", wanted.customers, {one.customer_id for one in theirs}),
        ("workers", wanted.workers, {one.worker_id for one in staff}),
    ):
        strangers = sorted(set(named or ()) - found)
        if strangers:
            wrong.append((field, f"{_few(strangers)} is none {where}: take the line out, or correct it"))
    if not theirs and not staff:
        wrong.append(("from", f"nobody {where} is left to pass"))
    return list(theirs), list(staff), wrong


def _wrong_wish(session: Session, wanted: Wanted, *, today: date) -> list[tuple[str, str]]:
    known = {one.provider_id for one in people.providers(session)}
    if wanted.from_provider not in known:
        return [("from", f"{wanted.from_provider} is no provider here; there are {', '.join(sorted(known)) or 'none'}")]
    if wanted.to_provider not in known:
        return [("to", f"{wanted.to_provider} is no provider here; there are {', '.join(sorted(known))}")]
    if wanted.from_provider == wanted.to_provider:
        return [("to", "is the provider they are with already")]
    if wanted.locality_id is not None and wanted.locality_id not in {
        one.locality_id for one in people.localities(session)
    }:
        return [("locality", f"{wanted.locality_id} is no locality here")]
    first, last = today - timedelta(days=BACK_DAYS_MAX), today + timedelta(days=AHEAD_DAYS_MAX)
    if not first <= wanted.on_day <= last:
        return [("on", f"must be from {first.isoformat()} to {last.isoformat()}")]
    return []


def _in_the_way(
    session: Session, wanted: Wanted, customers: Sequence[Customer], workers: Sequence[CareWorker]
) -> list[tuple[str, str]]:
    """What stands against the transfer itself, each with its remedy."""
    found: list[tuple[str, str]] = []
    council_of = {place.locality_id: place.council_id for place in people.localities(session)}
    for council in sorted({council_of[one.locality_id] for one in customers}):
        deals = money.agreements(session, provider_id=wanted.to_provider, council_id=council)
        if not any(deal.effective_from <= wanted.on_day for deal in deals):
            words = (
                f"has no agreement with {council} in force on {wanted.on_day.isoformat()}: take that agreement in first"
            )
            found.append(("to", words))
    for locality in sorted({one.locality_id for one in customers}):
        why = not_commissioned(session, provider_id=wanted.to_provider, locality_id=locality, on=wanted.on_day)
        if why is not None:
            found.append(("to", f"{why}: take that contract in first"))
    staying = people.workers(session, provider_id=wanted.to_provider)
    found += _clashes("PIN", [(one, one.pin) for one in workers], {one.pin: one for one in staying if one.pin})
    numbers = {one.dialled_number: one for one in staying if one.dialled_number}
    found += _clashes("dialled number", [(one, one.dialled_number) for one in workers], numbers)
    claimed = transfers.claimed_from(
        session,
        provider=wanted.from_provider,
        customer_ids=[one.customer_id for one in customers],
        since=wanted.on_day,
    )
    if claimed:
        words = (
            f"invoices {_few(claimed)} of {wanted.from_provider} claim visits of that day or after: choose a later day"
        )
        found.append(("on", words))
    return found


def _clashes(
    what: str, coming: Sequence[tuple[CareWorker, str | None]], there: Mapping[str, CareWorker]
) -> list[tuple[str, str]]:
    return [
        (
            "workers",
            f"the {what} of {one.name} ({one.worker_id}) is that of {there[key].name} ({there[key].worker_id}): change one",
        )
        for one, key in coming
        if key is not None and key in there
    ]


def _same(session: Session, wanted: Wanted) -> list[Transfer]:
    """The orders, not cancelled, from and to the same, for the same day and locality."""
    asked = (wanted.from_provider, wanted.to_provider, wanted.on_day, wanted.locality_id)
    return [
        one
        for one in transfers.transfer_list(session)
        if (one.from_provider, one.to_provider, one.on_day, one.locality_id) == asked
        and one.state is not TransferState.CANCELLED
    ]


def _standing(session: Session, wanted: Wanted) -> Transfer | None:
    """The order of `_same` that is not applied yet, else one that is."""
    return min(_same(session, wanted), key=lambda one: one.state is not TransferState.ORDERED, default=None)


def _left(session: Session, wanted: Wanted, *, now: datetime, policy: Policy) -> bool:
    """Whether somebody is wanted who did not pass by the same order, applied already."""
    if wanted.customers is not None or wanted.workers is not None:
        named = {*(wanted.customers or ()), *(wanted.workers or ())}
        return not named <= _passing(session, _same(session, wanted))
    customers, workers, _ = _who(session, wanted, today=care_day(now, zone=policy.zone))
    return bool(customers or workers)


def _passing(session: Session, standing: Sequence[Transfer]) -> set[str]:
    return {
        one
        for each in standing
        for kind in Passed
        for one in transfers.passing(session, transfer_id=each.transfer_id, kind=kind)
    }


def _ordered(session: Session, standing: Transfer, *, already: bool) -> Ordered:
    workers = transfers.passing(session, transfer_id=standing.transfer_id, kind=Passed.WORKER)
    carried = transfers.devices_of(
        session, provider=standing.from_provider, worker_ids=[WorkerId(one) for one in workers]
    )
    beside = {old for old, _ in transfers.device_pairs(session, transfer_id=standing.transfer_id)}
    return Ordered(
        transfer=standing, already=already, devices=tuple(one for one in carried if one.device_id not in beside)
    )


def _new_transfer(session: Session, wanted: Wanted) -> Transfer:
    tried = sum(one.state is not TransferState.ORDERED for one in transfers.transfer_list(session))
    asked = (wanted.from_provider, wanted.to_provider, wanted.on_day.isoformat(), wanted.locality_id or "", str(tried))
    return Transfer(
        transfer_id="t" + hashlib.sha256("|".join(asked).encode()).hexdigest()[:16],
        from_provider=wanted.from_provider,
        to_provider=wanted.to_provider,
        on_day=wanted.on_day,
        locality_id=wanted.locality_id,
        state=TransferState.ORDERED,
        shows_history=wanted.shows_history,
        revoke_on=wanted.on_day + timedelta(days=wanted.grace_days),
    )


def _few(names: Collection[str], *, most: int = 5) -> str:
    shown = sorted(names)[:most]
    return ", ".join(shown) + (f" and {len(names) - most} more" if len(names) > most else "")
