"""The use case "work out what happened": load plan and evidence, reconcile purely, append the versions that changed.
Not the rules (evm.domain.reconcile). Any number of runs over the same facts writes nothing new."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from itertools import groupby, islice, takewhile
from typing import Final

from sqlalchemy.orm import Session

from evm.domain.evidence import EventKind, Evidence
from evm.domain.ids import CustomerId, ProviderId, WorkerId
from evm.domain.people import TravelMode
from evm.domain.period import Period, care_day, day_period
from evm.domain.place import Home
from evm.domain.plan import Absence, PlannedVisit
from evm.domain.policy import Policy
from evm.domain.reconcile import reconcile
from evm.domain.visit import Visit
from evm.services.feeds import reach_of_feeds
from evm.services.provider_days import customers_served, with_their_provider
from evm.services.reclassify import reclassify
from evm.store import evidence as log
from evm.store import feeds, holds, ingest_state, people, plans, visits
from evm.store.evidence import Presence
from evm.store.savepoint import Done, attempt

CustomerDay = tuple[CustomerId, date]
Seen = tuple[Presence, EventKind]
DAYS_A_CHUNK = 7
PUT_OFF = timedelta(minutes=1)
"""After so long a day that could not be reconciled is tried again."""

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """Everything the reconciliation of some customers' days rests on."""

    plan: tuple[PlannedVisit, ...]
    evidence: tuple[Evidence, ...]
    homes: dict[CustomerId, Home]
    modes: dict[WorkerId, TravelMode]
    lines: dict[CustomerId, tuple[str, ...]]
    absences: tuple[Absence, ...]
    same_person: dict[WorkerId, frozenset[WorkerId]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """The keys of the visits that changed, the customers' days that could not be reconciled and are put off, and those that another
    process works on and that are queued again."""

    changed: tuple[str, ...]
    failed: frozenset[CustomerDay]
    busy: frozenset[CustomerDay] = frozenset()


def run_pending(session: Session, *, now: datetime, policy: Policy, limit: int = 500) -> int:
    """Reconcile up to `limit` queued requests in the caller's transaction. Answers how many customer-days they named; 0: none waits
    (but such as could not be reconciled and are put off, or whose customers another process works on just now: they stay queued)."""
    pairs = ingest_state.take_reconcile(session, limit=limit, ready_at=now)
    return len(pairs) - len(reconcile_free(session, pairs=pairs, now=now, policy=policy).busy & pairs)


def reconcile_customer_days(
    session: Session, *, pairs: Collection[CustomerDay], now: datetime, policy: Policy
) -> tuple[str, ...]:
    """Reconcile these days of these customers, and those of customers whom the same workers saw just before and after (an event here
    can cap a stay there), and of whoever shares their landline. Answers the keys of visits that changed; alerts that they answer are
    reclassified. Waits for other processes that work on these customers."""
    wanted = _with_neighbours(session, pairs, policy)
    customers = people.sharing_a_line(session, customer_ids={customer for customer, _ in wanted})
    holds.hold_customers(session, customer_ids=customers)
    return _reconcile_held(session, wanted, now, policy).changed


def reconcile_free(session: Session, *, pairs: Collection[CustomerDay], now: datetime, policy: Policy) -> Reconciled:
    """As `reconcile_customer_days`, of those customers only on whom no other process works; the others' days are queued again. Who holds
    them now may have read before what these days are asked for."""
    wanted = _with_neighbours(session, pairs, policy)
    customers = people.sharing_a_line(session, customer_ids={customer for customer, _ in wanted})
    taken = customers - holds.try_customers(session, customer_ids=customers)
    unfree = people.sharing_a_line(session, customer_ids=taken)
    busy = frozenset(pair for pair in wanted if pair[0] in unfree)
    ingest_state.queue_reconcile(session, pairs=busy, now=now)
    return replace(_reconcile_held(session, wanted - busy, now, policy), busy=busy)


def _reconcile_held(session: Session, pairs: Collection[CustomerDay], now: datetime, policy: Policy) -> Reconciled:
    """Reconcile days of customers who are held. One that fails (a bug, a row nobody can read) leaves nothing behind, is logged and put
    off, and holds up no other: its day's customers are then taken one by one."""
    changed: list[str] = []
    failed: set[CustomerDay] = set()
    for day, customers in _by_day(pairs):
        together = attempt(session, work=partial(_reconcile_day, session, customers, day, now, policy))
        if isinstance(together, Done):
            changed += together.value
            continue
        for customer in sorted(customers):
            alone = attempt(session, work=partial(_reconcile_day, session, frozenset({customer}), day, now, policy))
            if isinstance(alone, Done):
                changed += alone.value
            else:
                _LOG.error("%s on %s cannot be reconciled", customer, day, exc_info=alone.error)
                failed.add((customer, day))
    if failed:
        _LOG.error("%d customer-days are put off: their evidence could not be reconciled", len(failed))
        ingest_state.queue_reconcile(session, pairs=failed, now=now + PUT_OFF)
    return Reconciled(changed=tuple(changed), failed=frozenset(failed))


def _reconcile_day(
    session: Session, customers: frozenset[CustomerId], day: date, now: datetime, policy: Policy
) -> tuple[str, ...]:
    here = people.sharing_a_line(session, customer_ids=customers)
    facts = _facts_of_customers(session, here, day, policy)
    return _reconcile(session, facts, here, (day, day + timedelta(days=1)), now, policy)


def reconcile_days(
    session: Session, *, provider_id: ProviderId, since_day: date, until_day: date, now: datetime, policy: Policy
) -> int:
    """Reconcile every customer of a provider for care days `[since_day, until_day)`, a week at a time. Answers how many visits changed."""
    changed = 0
    served = customers_served(session, provider_id=provider_id, since_day=since_day, until_day=until_day)
    homes = people.homes(session, customer_ids=served)
    modes = {w.worker_id: w.mode for w in people.workers(session, provider_id=provider_id)}
    holds.hold_customers(session, customer_ids=homes)
    start = since_day
    while start < until_day:
        end = min(until_day, start + timedelta(days=DAYS_A_CHUNK))
        facts = _facts_of_provider(session, homes, modes, (start, end), policy)
        changed += len(_reconcile(session, facts, frozenset(homes), (start, end), now, policy))
        start = end
    return changed


def _by_day(pairs: Iterable[CustomerDay]) -> Iterable[tuple[date, frozenset[CustomerId]]]:
    for day, some in groupby(sorted(pairs, key=lambda pair: (pair[1], pair[0])), key=lambda pair: pair[1]):
        yield day, frozenset(customer for customer, _ in some)


def _window(since_day: date, until_day: date, policy: Policy) -> Period:
    """The days themselves with a stay's greatest length to spare at both ends."""
    spare = timedelta(hours=policy.stay_hours_max + 1)
    first = day_period(since_day, zone=policy.zone)
    last = day_period(until_day - timedelta(days=1), zone=policy.zone)
    return Period(start=first.start - spare, end=last.end + spare)


def _touching(day: date, policy: Policy) -> Period:
    """When an event can belong to a visit of the day: an hour before it begins until a night visit ends."""
    whole = day_period(day, zone=policy.zone)
    return Period(start=whole.start - timedelta(hours=1), end=whole.end + timedelta(hours=12))


def _with_neighbours(session: Session, pairs: Collection[CustomerDay], policy: Policy) -> set[CustomerDay]:
    found = set(pairs)
    for day, customers in _by_day(pairs):
        window = _window(day, day + timedelta(days=1), policy)
        workers = log.workers_at(session, customer_ids=customers, since=window.start, until=window.end)
        same = feeds.same_persons(session, worker_ids=workers)
        everybody = workers.union(*same.values())
        seen = log.presence(session, worker_ids=everybody, since=window.start, until=window.end)
        found |= {
            (customer, care_day(at, zone=policy.zone))
            for customer, at in _beside(_by_person(seen, same), customers, _touching(day, policy), policy)
        }
    return found


def _by_person(seen: Iterable[Seen], same: Mapping[WorkerId, Collection[WorkerId]]) -> Iterable[Seen]:
    """By worker and instant as they come; workers who are one person by that person."""
    if not same:
        return seen
    named = [((min([worker, *same.get(worker, ())]), customer, at), kind) for (worker, customer, at), kind in seen]
    return sorted(named, key=lambda one: (one[0][0], one[0][2]))


def _beside(
    seen: Iterable[Seen], customers: frozenset[CustomerId], touching: Period, policy: Policy
) -> Iterable[tuple[CustomerId, datetime]]:
    """Events at other customers that one of these customers' can bear on, in some worker's day: those next to it, the check-in before
    it whatever check-outs lie between (a check-in caps the stay before it), those so near on both sides of it that they would be
    one stay's repetitions but for it, and those of stays that overlap the one it opens or closes."""
    near = timedelta(minutes=policy.same_stay_minutes_max)
    for _, events in groupby(seen, key=lambda one: one[0][0]):
        row = list(events)
        for place, ((_, customer, at), _) in enumerate(row):
            if customer in customers and at in touching:
                reached = {
                    *_next_to(row, place),
                    *_before(row, place),
                    *_around(row, place, near),
                    *_overlapping(row, place),
                }
                yield from (other for other in reached if other[0] != customer)


def _next_to(row: Sequence[Seen], place: int) -> Iterable[tuple[CustomerId, datetime]]:
    return [one[1:] for one, _ in (*row[max(0, place - 1) : place], *row[place + 1 : place + 2])]


def _before(row: Sequence[Seen], place: int) -> Iterable[tuple[CustomerId, datetime]]:
    """Back to the check-in before this event, and whatever bears the same instant as that one."""
    opened: datetime | None = None
    for one, kind in islice(reversed(row), len(row) - place, None):
        if opened is not None and one[2] < opened:
            return
        yield one[1:]
        if kind is EventKind.CHECK_IN:
            opened = one[2]


def _around(row: Sequence[Seen], place: int, near: timedelta) -> Iterable[tuple[CustomerId, datetime]]:
    """Events of customers who have some shortly before this one as well as shortly after."""
    since, until = row[place][0][2] - near, row[place][0][2] + near
    earlier = [
        one[1:] for one, _ in takewhile(lambda seen: seen[0][2] >= since, islice(reversed(row), len(row) - place, None))
    ]
    later = [one[1:] for one, _ in takewhile(lambda seen: seen[0][2] <= until, islice(row, place + 1, None))]
    both = {customer for customer, _ in earlier} & {customer for customer, _ in later}
    return [found for found in (*earlier, *later) if found[0] in both]


def _overlapping(row: Sequence[Seen], place: int) -> Iterable[tuple[CustomerId, datetime]]:
    """What lies between this event and its pair at the same customer, and the check-ins of stays that had begun elsewhere and not ended by
    then."""
    (_, here, _), kind = row[place]
    before = list(islice(reversed(row), len(row) - place, None))
    if kind is EventKind.CHECK_OUT:
        within = list(takewhile(lambda seen: seen[0][1] != here, before))
        within = within if len(within) < len(before) else []
    else:
        after = row[place + 1 :]
        within = list(takewhile(lambda seen: seen[0][1] != here, after))
        within = within if len(within) < len(after) else []
    last: dict[CustomerId, Seen] = {}
    for seen in before:
        last.setdefault(seen[0][1], seen)
    begun = [seen for seen in last.values() if seen[1] is EventKind.CHECK_IN and seen[0][1] != here]
    return [one[1:] for one, _ in (*within, *begun)]


def _facts_of_customers(session: Session, customers: frozenset[CustomerId], day: date, policy: Policy) -> _Facts:
    window = _window(day, day + timedelta(days=1), policy)
    workers = log.workers_at(session, customer_ids=customers, since=window.start, until=window.end)
    same = feeds.same_persons(session, worker_ids=workers)
    everybody = workers.union(*same.values())
    events = log.evidence_for(
        session, customer_ids=customers, worker_ids=everybody, since=window.start, until=window.end
    )
    named = customers | {e.customer for e in events if e.customer is not None}
    return _Facts(
        plan=plans.planned_visits(
            session, customer_ids=customers, since_day=day - timedelta(days=1), until_day=day + timedelta(days=2)
        ),
        evidence=(*events, *log.later_amendments(session, customer_ids=customers, since=window.end)),
        homes=people.homes(session, customer_ids=named),
        modes=people.modes(session, worker_ids={e.worker for e in events if e.worker is not None}),
        lines=people.landlines(session, customer_ids=customers),
        absences=plans.absences(session, customer_ids=customers, since=window.start, until=window.end),
        same_person=same,
    )


def _facts_of_provider(
    session: Session,
    homes: dict[CustomerId, Home],
    modes: dict[WorkerId, TravelMode],
    days: tuple[date, date],
    policy: Policy,
) -> _Facts:
    since_day, until_day = days
    window = _window(since_day, until_day, policy)
    events = log.evidence_for(session, customer_ids=homes, since=window.start, until=window.end)
    passed = {e.worker for e in events if e.worker is not None} - modes.keys()
    same = feeds.same_persons(session, worker_ids=modes.keys() | passed)
    others: frozenset[WorkerId] = frozenset[WorkerId]().union(*same.values()) - modes.keys() - passed
    if others:
        theirs = log.evidence_for(session, worker_ids=others, since=window.start, until=window.end)
        known = {(e.provider, e.device, e.event_id, e.sha256) for e in events}
        events += tuple(e for e in theirs if (e.provider, e.device, e.event_id, e.sha256) not in known)
    return _Facts(
        plan=plans.planned_visits(
            session,
            customer_ids=homes,
            since_day=since_day - timedelta(days=1),
            until_day=until_day + timedelta(days=1),
        ),
        evidence=(*events, *log.later_amendments(session, customer_ids=homes, since=window.end)),
        homes=homes,
        modes=modes | people.modes(session, worker_ids=passed),
        lines=people.landlines(session, customer_ids=homes),
        absences=plans.absences(session, customer_ids=homes, since=window.start, until=window.end),
        same_person=same,
    )


def _reconcile(
    session: Session,
    facts: _Facts,
    customers: frozenset[CustomerId],
    days: tuple[date, date],
    now: datetime,
    policy: Policy,
) -> tuple[str, ...]:
    found: list[Visit] = []
    for some, known_until in _by_what_is_told(session, facts, customers, now, policy):
        found += reconcile(
            plan=facts.plan,
            evidence=facts.evidence,
            policy=policy,
            homes=facts.homes,
            modes=facts.modes,
            lines=facts.lines,
            absences=facts.absences,
            same_person=facts.same_person,
            customers=some,
            now=known_until,
        )
    since, until = days[0].isoformat(), days[1].isoformat()
    kept = with_their_provider(session, visits=[visit for visit in found if since <= visit.care_day < until])
    whole = {(customer, days[0] + timedelta(days=n)) for customer in customers for n in range((days[1] - days[0]).days)}
    changed = visits.append_versions(session, visits=kept, now=now, customer_days=whole)
    _reclassify(session, kept, set(changed), now, policy)
    return changed


def _by_what_is_told(
    session: Session, facts: _Facts, customers: frozenset[CustomerId], now: datetime, policy: Policy
) -> Iterable[tuple[frozenset[CustomerId], datetime]]:
    """The customers by the instant up to which something would have been told of them: now, or of a provider monitored by feed as far as
    its feed makes it certain that nobody came. A slot nobody came to by then is missed."""
    provider_of = {visit.customer_id: visit.provider_id for visit in facts.plan}
    reach = reach_of_feeds(session, providers=set(provider_of.values()))
    told: dict[datetime, set[CustomerId]] = {}
    for customer in customers:
        one = reach.get(provider_of[customer]) if customer in provider_of else None
        certain = now
        if one is not None:
            certain = one.covered_until or one.since
            certain = min(now, certain - timedelta(minutes=policy.match_after_minutes))
        told.setdefault(certain, set()).add(customer)
    return [(frozenset(some), certain) for certain, some in sorted(told.items())]


def _reclassify(
    session: Session, kept: Iterable[Visit], changed: Collection[str], now: datetime, policy: Policy
) -> None:
    planned = [visit for visit in kept if visit.visit_id is not None and visit.visit_id in changed]
    reclassify(session, visits=planned, now=now, policy=policy)
