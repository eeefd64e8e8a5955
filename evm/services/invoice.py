"""The use cases of an invoice: it is submitted, judged by evidence, and judged again when evidence comes. Not the verdicts' reasons
(evm.domain.billing) and not what a valid invoice looks like (invoice_form)."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from evm.domain.billing.agreement import Agreement
from evm.domain.billing.invoice import InvoiceClaim, LineVerdict, Totals, Verdict, totals
from evm.domain.billing.judge import Known
from evm.domain.billing.judge import judge as judge_claim
from evm.domain.billing.line_matching import Meant, meant_visits
from evm.domain.ids import CustomerId, LocalityId, ProviderId, VisitId
from evm.domain.period import care_day
from evm.domain.plan import Absence, PlannedVisit
from evm.domain.policy import Policy
from evm.domain.visit import Visit
from evm.services import price
from evm.services.invoice_form import InvoiceConflict, InvoiceRefused, check_form, check_same
from evm.services.localities import not_commissioned
from evm.store import areas, double_claims, money, people, plans, shadow
from evm.store import visits as visit_store
from evm.store.locks import hold
from evm.store.money_rows import JudgedLine, StoredInvoice

__all__ = [
    "InvoiceConflict",
    "InvoiceRefused",
    "InvoiceSummary",
    "InvoiceUnknown",
    "invoice",
    "invoice_id_of",
    "judge",
    "judge_received",
    "lines_of",
    "rejudge_behind",
    "rejudge_for_visits",
    "submit",
]


SECOND: Final = timedelta(seconds=1)
AT_ONCE: Final = timedelta(0)
CUSTOMERS_A_STATEMENT: Final = 500


class InvoiceUnknown(LookupError):  # noqa: N818 -- named for what is wrong
    """There is no invoice with this id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceSummary:
    """An invoice's heading, its sums (None until judged), and the pence released since it was first judged."""

    invoice: StoredInvoice
    totals: Totals | None
    released_pence: int


def submit(session: Session, *, invoice: InvoiceClaim, now: datetime, zone: str = "Europe/London") -> str:
    """Take in a provider's invoice and answer its id. The same invoice again answers the same id; nothing about evidence is asked.

    InvoiceRefused: something in it cannot be true. InvoiceConflict: its number was used for another invoice."""
    check_form(session, invoice=invoice, today=now.astimezone(ZoneInfo(zone)).date())
    hold(session, names=[f"invoice|{invoice.provider}|{invoice.number}"])
    known = money.invoice_of_number(session, provider_id=invoice.provider, number=invoice.number)
    if known is not None:
        check_same(stored=_stored(session, known).claim, sent=invoice)
        return known
    invoice_id = invoice_id_of(provider=invoice.provider, number=invoice.number)
    money.add_invoice(session, invoice_id=invoice_id, claim=invoice, now=now)
    return invoice_id


def invoice_id_of(*, provider: ProviderId, number: str) -> str:
    """Our id of a provider's invoice: the same number is the same invoice."""
    return "inv-" + sha256(f"{provider}|{number}".encode()).hexdigest()[:24]


def judge(session: Session, *, invoice_id: str, now: datetime, policy: Policy, settle: timedelta = AT_ONCE) -> Totals:
    """Give every line its verdict by what is stored now, keep its visits' charges, and answer the sums in pence.

    Judging again appends a next version only where a verdict changed. Judged invoices that claim the same slots are judged again too:
    both are held until a person decides (bad-input 89). `settle`: how long ago a visit may have been reconciled that is not committed
    yet, by another process; it is looked at again. InvoiceUnknown."""
    sums = _judge_one(session, invoice_id=invoice_id, now=now, policy=policy)
    money.set_judged(session, invoice_id=invoice_id, now=now - settle)
    for other in double_claims.invoices_sharing(session, invoice_id=invoice_id):
        if _heading(session, other).state != money.RECEIVED:
            _judge_one(session, invoice_id=other, now=now, policy=policy)
    return sums


def judge_received(
    session: Session, *, now: datetime, policy: Policy, limit: int = 1, settle: timedelta = AT_ONCE
) -> tuple[str, ...]:
    """Judge up to `limit` invoices that were received and never judged, the oldest first; answers their ids."""
    received = money.invoices_received(session, limit=limit)
    for invoice_id in received:
        judge(session, invoice_id=invoice_id, now=now, policy=policy, settle=settle)
    return received


def rejudge_for_visits(
    session: Session, *, visit_ids: Collection[VisitId], now: datetime, policy: Policy
) -> tuple[str, ...]:
    """Judge again, in the judged invoices that claim any of these visits, the lines of their customers; answers the invoices' ids."""
    customers = frozenset(visit.customer_id for visit in plans.planned_visits_of(session, visit_ids=visit_ids))
    claiming = money.invoices_claiming(session, visit_ids=visit_ids)
    judged = tuple(found for found in claiming if _heading(session, found).state != money.RECEIVED)
    for invoice_id in judged:
        _judge_one(session, invoice_id=invoice_id, now=now, policy=policy, customers=customers)
    return judged


def rejudge_behind(
    session: Session, *, now: datetime, policy: Policy, limit: int = 10, settle: timedelta = AT_ONCE
) -> tuple[str, ...]:
    """Judge again up to `limit` judged invoices that are behind their visits; answers their ids, none when all are up to date.

    Needs no queue and no event: what is behind follows from the rows, so a crash loses nothing. A visit reconciled at the very instant
    of judging (or up to `settle` before it: see `judge`) is looked at once more, and changes nothing. Only the lines of customers whose
    visits moved are judged: no line's verdict depends on another customer's evidence."""
    behind = money.invoices_behind(session, limit=limit)
    for invoice_id in behind:
        customers = money.customers_behind(session, invoice_id=invoice_id)
        _judge_one(session, invoice_id=invoice_id, now=now, policy=policy, customers=customers)
        money.set_judged(session, invoice_id=invoice_id, now=now - settle)
    return behind


def invoice(session: Session, *, invoice_id: str) -> InvoiceSummary:
    """One invoice with its sums. InvoiceUnknown."""
    return InvoiceSummary(
        invoice=_heading(session, invoice_id),
        totals=money.invoice_totals(session, invoice_id=invoice_id),
        released_pence=money.released_pence(session, invoice_id=invoice_id),
    )


def lines_of(
    session: Session, *, invoice_id: str, verdict: Verdict | None = None, limit: int | None = None, offset: int = 0
) -> tuple[JudgedLine, ...]:
    """Lines by number with their newest verdict, its sentence, and what it rests on (visit version, event ids)."""
    return money.lines(session, invoice_id=invoice_id, verdict=verdict, limit=limit, offset=offset)


def _judge_one(
    session: Session, *, invoice_id: str, now: datetime, policy: Policy, customers: frozenset[CustomerId] | None = None
) -> Totals:
    """Judge an invoice, whole or only the lines of some customers, and answer the sums of what was judged."""
    hold(session, names=["judge"])  # each next version of a verdict follows the one before it
    some = customers if customers is not None and len(customers) <= CUSTOMERS_A_STATEMENT else None
    stored = _stored(session, invoice_id, customers=some)
    known = _known(session, stored, policy=policy, customers=some)
    judgement = judge_claim(claim=stored.claim, known=known)
    first = stored.state == money.RECEIVED
    before = {} if first else money.newest_verdicts(session, invoice_id=invoice_id, customer_ids=some)
    money.append_verdicts(session, invoice_id=invoice_id, verdicts=_changed(before, judgement.verdicts), now=now)
    price.keep_charges(session, known=known, charges=judgement.charges)
    return totals(judgement.verdicts)


def _changed(
    before: Mapping[int, tuple[int, LineVerdict]], verdicts: Iterable[LineVerdict]
) -> list[tuple[int, LineVerdict]]:
    """The verdicts that say something new, each with its next version. A visit's version alone says nothing."""
    found = []
    for verdict in verdicts:
        version, old = before.get(verdict.line_no, (0, None))
        if old is None or replace(verdict, visit_version=old.visit_version) != old:
            found.append((version + 1, verdict))
    return found


def _known(
    session: Session, stored: StoredInvoice, *, policy: Policy, customers: frozenset[CustomerId] | None
) -> Known:
    claim = stored.claim
    planned = _planned(session, claim, customers=customers)
    meant = _meant(session, stored, planned, policy=policy)
    return Known(
        planned=planned,
        visits=_happened(session, claim, planned, customers=customers),
        agreements=_agreements(session, claim),
        absences=_absences(session, claim, planned.values()),
        elsewhere=double_claims.claimed_elsewhere(session, invoice_id=stored.invoice_id),
        meant=meant,
        uncommissioned=_uncommissioned(session, claim, planned.values(), zone=policy.zone),
        zone=policy.zone,
    )


def _meant(
    session: Session, stored: StoredInvoice, planned: Mapping[VisitId, PlannedVisit], *, policy: Policy
) -> Mapping[int, Meant]:
    """What the lines mean that name no visit, kept with them: another invoice that claims the same is found by it."""
    meant = meant_visits(
        lines=stored.claim.lines,
        planned=planned,
        before_minutes=policy.match_before_minutes,
        after_minutes=policy.match_after_minutes,
    )
    visits = {line.line_no: meant.get(line.line_no, Meant()).visit for line in stored.claim.lines if line.visit is None}
    double_claims.keep_meant(session, invoice_id=stored.invoice_id, visits=visits)
    return meant


def _uncommissioned(
    session: Session, claim: InvoiceClaim, planned: Collection[PlannedVisit], *, zone: str
) -> dict[tuple[LocalityId, date], str]:
    """Why the provider may not serve these visits' localities on their days, where it may not; nothing where no contracts are kept."""
    kept = areas.contracts(session, council_id=claim.council)
    own = [contract for contract in kept if contract.provider_id == claim.provider]
    there = {(visit.locality_id, care_day(visit.start, zone=zone)) for visit in planned} if kept else set()
    found: dict[tuple[LocalityId, date], str] = {}
    for place, day in sorted(there):
        if not any(contract.locality_id == place and contract.holds(day) for contract in own):
            why = not_commissioned(session, provider_id=claim.provider, locality_id=place, on=day)
            found |= {} if why is None else {(place, day): why}
    return found


def _agreements(session: Session, claim: InvoiceClaim) -> tuple[Agreement, ...]:
    """The agreements, with the council's own setting of shadow mode, if it made one, in place of their term."""
    deals = money.agreements(session, provider_id=claim.provider, council_id=claim.council)
    setting = shadow.newest_entry(session, council_id=claim.council, provider_id=claim.provider)
    return deals if setting is None else tuple(replace(deal, shadow_until=setting.shadow_until) for deal in deals)


def _planned(
    session: Session, claim: InvoiceClaim, *, customers: frozenset[CustomerId] | None
) -> dict[VisitId, PlannedVisit]:
    """This provider's visits in this council: those of the period, and those that lines name on other days."""
    found = plans.planned_visits(
        session,
        provider_id=claim.provider,
        customer_ids=customers,
        since_day=claim.period_since,
        until_day=claim.period_until,
    )
    beyond = {line.visit for line in claim.lines if line.visit} - {visit.visit_id for visit in found}
    found += plans.planned_visits_of(session, visit_ids=beyond)
    places = {place.locality_id for place in people.localities(session, council_id=claim.council)}
    theirs = [each for each in found if each.provider_id == claim.provider and each.locality_id in places]
    return {each.visit_id: each for each in theirs}


def _happened(
    session: Session,
    claim: InvoiceClaim,
    planned: Mapping[VisitId, PlannedVisit],
    *,
    customers: frozenset[CustomerId] | None,
) -> dict[VisitId, Visit]:
    """What happened at these planned visits: read day by day for a whole invoice, by id for a few customers."""
    if customers is not None:
        return visit_store.newest_of(session, visit_ids=planned.keys())
    found = visit_store.newest(
        session, provider_id=claim.provider, since_day=claim.period_since, until_day=claim.period_until
    )
    visits = {visit.visit_id: visit for visit in found if visit.visit_id is not None}
    return visits | visit_store.newest_of(session, visit_ids=planned.keys() - visits.keys())


def _absences(
    session: Session, claim: InvoiceClaim, planned: Collection[PlannedVisit]
) -> dict[CustomerId, tuple[Absence, ...]]:
    """When the customers of these visits were away, whosever customers they are by now."""
    starts = [visit.start for visit in planned]
    first = min(starts, default=datetime.combine(claim.period_since, time(), tzinfo=UTC))
    last = max(starts, default=datetime.combine(claim.period_until, time(), tzinfo=UTC))
    found: dict[CustomerId, tuple[Absence, ...]] = {}
    customers = {visit.customer_id for visit in planned}
    for spell in plans.absences(session, customer_ids=customers, since=first, until=max(first, last) + SECOND):
        found[spell.customer_id] = (*found.get(spell.customer_id, ()), spell)
    return found


def _heading(session: Session, invoice_id: str) -> StoredInvoice:
    found = money.invoice_heading(session, invoice_id=invoice_id)
    if found is None:
        raise InvoiceUnknown(invoice_id)
    return found


def _stored(session: Session, invoice_id: str, *, customers: frozenset[CustomerId] | None = None) -> StoredInvoice:
    found = money.invoice_claim(session, invoice_id=invoice_id, customer_ids=customers)
    if found is None:
        raise InvoiceUnknown(invoice_id)
    return found
