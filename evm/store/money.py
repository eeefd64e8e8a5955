"""Agreements, charges, invoices and the verdicts on their lines, kept. Not how they are concluded (evm.domain.billing).

Verdicts are appended, version by version; a line's newest version is its verdict."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Subquery, and_, case, func, insert, literal, select, update
from sqlalchemy.orm import Session

from evm.domain.billing.agreement import Agreement
from evm.domain.billing.invoice import InvoiceClaim, LineVerdict, Totals, Verdict
from evm.domain.billing.terms import agreement_of_terms, terms_of_agreement
from evm.domain.ids import CouncilId, CustomerId, ProviderId, VisitId
from evm.store.money_rows import (
    ChargeRow,
    JudgedLine,
    StoredInvoice,
    charge_values,
    heading_of,
    judged_of,
    line_of,
    line_values,
    verdict_of,
    verdict_values,
)
from evm.store.tables.money import agreements as agreements_table
from evm.store.tables.money import charges as charges_table
from evm.store.tables.money import invoice_lines, invoices, line_verdicts
from evm.store.tables.visits import visits
from evm.store.writes import bulk_insert

IDS_A_STATEMENT: Final = 500
RECEIVED: Final = "received"
JUDGED: Final = "judged"
APPROVED: Final = "approved"
LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Before any evidence: what was judged then is judged again."""


def add_agreements(session: Session, *, agreements: Sequence[Agreement]) -> None:
    """Append agreement versions; one that is there already is refused by the database."""
    rows = [
        {
            "agreement_id": agreement.agreement_id,
            "version": agreement.version,
            "council_id": agreement.council,
            "provider_id": agreement.provider,
            "effective_from": agreement.effective_from,
            "terms": terms_of_agreement(agreement),
        }
        for agreement in agreements
    ]
    if rows:
        session.execute(insert(agreements_table), rows)


def agreements(
    session: Session, *, provider_id: ProviderId, council_id: CouncilId | None = None
) -> tuple[Agreement, ...]:
    """Every version of a provider's agreements, by date of effect and version; with one council if asked."""
    columns = agreements_table.c
    query = select(columns.terms).where(columns.provider_id == provider_id)
    if council_id is not None:
        query = query.where(columns.council_id == council_id)
    rows = session.execute(query.order_by(columns.effective_from, columns.version, columns.agreement_id))
    return tuple(agreement_of_terms(row.terms) for row in rows)


def agreement_versions(session: Session, *, agreement_ids: Collection[str]) -> dict[str, list[Agreement]]:
    """Every version of these agreements, by version; an unknown one is absent."""
    columns = agreements_table.c
    query = select(agreements_table).where(columns.agreement_id.in_(sorted(set(agreement_ids))))
    found: dict[str, list[Agreement]] = {}
    for row in session.execute(query.order_by(columns.agreement_id, columns.version)):
        found.setdefault(row.agreement_id, []).append(agreement_of_terms(row.terms))
    return found


def append_charges(session: Session, *, charges: Sequence[ChargeRow]) -> None:
    """Append the charges of visit versions that have none yet."""
    rows = [charge_values(charge) for charge in charges]
    bulk_insert(session, table=charges_table, rows=rows)


def charges(session: Session, *, visit_key: str, visit_version: int | None = None) -> tuple[ChargeRow, ...]:
    """A visit's charges by version, slot and line; of one version if asked."""
    columns = charges_table.c
    query = select(charges_table).where(columns.visit_key == visit_key)
    if visit_version is not None:
        query = query.where(columns.visit_version == visit_version)
    rows = session.execute(query.order_by(columns.visit_version, columns.slot, columns.line)).mappings()
    return tuple(ChargeRow(**dict(row)) for row in rows)


def priced_versions(session: Session, *, visit_keys: Collection[str]) -> set[tuple[str, int]]:
    """Which versions of these visits have charges."""
    columns = charges_table.c
    found: set[tuple[str, int]] = set()
    for keys in _chunks(visit_keys):
        query = select(columns.visit_key, columns.visit_version).where(columns.visit_key.in_(keys)).distinct()
        found.update((row.visit_key, row.visit_version) for row in session.execute(query))
    return found


def add_invoice(session: Session, *, invoice_id: str, claim: InvoiceClaim, now: datetime) -> None:
    """Append a received invoice with its lines; a number the provider used before is refused by the database."""
    heading = {
        "invoice_id": invoice_id,
        "provider_id": claim.provider,
        "council_id": claim.council,
        "number": claim.number,
        "period_since": claim.period_since,
        "period_until": claim.period_until,
        "claimed_pence": claim.claimed_pence,
        "received_at": now,
        "state": RECEIVED,
    }
    session.execute(insert(invoices).values(heading))
    session.connection().execute(insert(invoice_lines), [line_values(invoice_id, line) for line in claim.lines])


def invoice_of_number(session: Session, *, provider_id: ProviderId, number: str) -> str | None:
    """The id of a provider's invoice by the number the provider gave it, or None."""
    query = select(invoices.c.invoice_id).where(invoices.c.provider_id == provider_id, invoices.c.number == number)
    return session.execute(query).scalar_one_or_none()


def invoice_list(
    session: Session, *, provider_id: ProviderId | None = None, council_id: CouncilId | None = None
) -> tuple[StoredInvoice, ...]:
    """Invoice headings, the newest period first, then by id."""
    query = select(invoices)
    if provider_id is not None:
        query = query.where(invoices.c.provider_id == provider_id)
    if council_id is not None:
        query = query.where(invoices.c.council_id == council_id)
    rows = session.execute(query.order_by(invoices.c.period_since.desc(), invoices.c.invoice_id)).mappings()
    return tuple(heading_of(row, lines=()) for row in rows)


def invoice_heading(session: Session, *, invoice_id: str) -> StoredInvoice | None:
    """One invoice without its lines, or None if unknown."""
    row = session.execute(select(invoices).where(invoices.c.invoice_id == invoice_id)).mappings().first()
    return None if row is None else heading_of(row, lines=())


def invoice_claim(
    session: Session, *, invoice_id: str, customer_ids: Collection[CustomerId] | None = None
) -> StoredInvoice | None:
    """One invoice with its lines by number, all or those of some customers; None if unknown."""
    row = session.execute(select(invoices).where(invoices.c.invoice_id == invoice_id)).mappings().first()
    if row is None:
        return None
    query = select(invoice_lines).where(invoice_lines.c.invoice_id == invoice_id).order_by(invoice_lines.c.line_no)
    if customer_ids is not None:
        query = query.where(invoice_lines.c.customer_id.in_(customer_ids))
    return heading_of(row, lines=tuple(line_of(line) for line in session.execute(query).mappings()))


def set_state(session: Session, *, invoice_id: str, state: str) -> None:
    """Move an invoice on: received, judged, approved."""
    session.execute(update(invoices).where(invoices.c.invoice_id == invoice_id).values(state=state))


def set_judged(session: Session, *, invoice_id: str, now: datetime) -> None:
    """Record that an invoice was judged by everything known at `now`; a received one becomes judged."""
    own = invoices.c
    state = case((own.state == RECEIVED, JUDGED), else_=own.state)
    session.execute(update(invoices).where(own.invoice_id == invoice_id).values(state=state, judged_at=now))


def judge_again(session: Session, *, council_id: CouncilId, since_day: date) -> None:
    """Have the council's judged invoices of days from this one on judged again, except those that are approved. One that is being judged
    by another process is waited for, so that it is judged again, too."""
    own = invoices.c
    query = update(invoices).where(own.council_id == council_id, own.period_until > since_day, own.state != APPROVED)
    long_ago = literal(LONG_AGO, own.judged_at.type)
    session.execute(query.values(judged_at=case((own.judged_at.is_not(None), long_ago), else_=own.judged_at)))


def invoices_received(session: Session, *, limit: int) -> tuple[str, ...]:
    """Invoices that were never judged, the oldest first, at most `limit`; on PostgreSQL two takers never get the same one."""
    own = invoices.c
    query = select(own.invoice_id).where(own.state == RECEIVED).order_by(own.received_at, own.invoice_id).limit(limit)
    return tuple(session.execute(query.with_for_update(skip_locked=True)).scalars())


def invoices_behind(session: Session, *, limit: int) -> tuple[str, ...]:
    """Judged invoices in whose period a visit was reconciled since (or at the very instant of) judging, by id, at most `limit`; on
    PostgreSQL two takers never get the same one."""
    own = invoices.c
    newer = select(visits.c.visit_key).where(_reconciled_since()).correlate(invoices).exists()
    query = select(own.invoice_id).where(own.judged_at.is_not(None), newer).order_by(own.invoice_id).limit(limit)
    return tuple(session.execute(query.with_for_update(skip_locked=True)).scalars())


def customers_behind(session: Session, *, invoice_id: str) -> frozenset[CustomerId]:
    """The customers of those visits."""
    query = (
        select(visits.c.customer_id)
        .join(invoices, _reconciled_since())
        .where(invoices.c.invoice_id == invoice_id)
        .distinct()
    )
    return frozenset(CustomerId(customer) for customer in session.execute(query).scalars())


def _reconciled_since() -> ColumnElement[bool]:
    visit, own = visits.c, invoices.c
    return and_(
        visit.provider_id == own.provider_id,
        visit.care_day >= own.period_since,
        visit.care_day < own.period_until,
        visit.is_newest,
        visit.reconciled_at >= own.judged_at,
    )


def invoices_claiming(session: Session, *, visit_ids: Collection[VisitId]) -> tuple[str, ...]:
    """Invoices with a line for any of these visits, named or found to be meant, by id."""
    found: set[str] = set()
    own = invoice_lines.c
    for ids in _chunks(visit_ids):
        for column in (own.visit_id, own.meant_visit_id):
            found.update(session.execute(select(own.invoice_id).where(column.in_(ids)).distinct()).scalars())
    return tuple(sorted(found))


def append_verdicts(
    session: Session, *, invoice_id: str, verdicts: Sequence[tuple[int, LineVerdict]], now: datetime
) -> None:
    """Append verdicts, each with its version; a version that is there already is refused by the database."""
    rows = [verdict_values(invoice_id, version, verdict, now) for version, verdict in verdicts]
    bulk_insert(session, table=line_verdicts, rows=rows)


def newest_verdicts(
    session: Session, *, invoice_id: str, customer_ids: Collection[CustomerId] | None = None
) -> dict[int, tuple[int, LineVerdict]]:
    """By line number: the newest version and its verdict, for lines that were judged; all or those of some customers."""
    found = lines(session, invoice_id=invoice_id, customer_ids=customer_ids)
    return {
        each.line.line_no: (each.version, each.verdict)
        for each in found
        if each.version is not None and each.verdict is not None
    }


def verdict_history(
    session: Session, *, invoice_id: str, line_no: int
) -> tuple[tuple[int, datetime, LineVerdict], ...]:
    """Every version of a line's verdict with the instant it was issued, the first first."""
    columns = line_verdicts.c
    query = (
        select(line_verdicts, invoice_lines.c.pence_claimed)
        .join(
            invoice_lines,
            and_(invoice_lines.c.invoice_id == columns.invoice_id, invoice_lines.c.line_no == columns.line_no),
        )
        .where(columns.invoice_id == invoice_id, columns.line_no == line_no)
        .order_by(columns.version)
    )
    return tuple((row["version"], row["judged_at"], verdict_of(row)) for row in session.execute(query).mappings())


def lines(
    session: Session,
    *,
    invoice_id: str,
    verdict: Verdict | None = None,
    customer_ids: Collection[CustomerId] | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> tuple[JudgedLine, ...]:
    """An invoice's lines by number with their newest verdicts, all or those of one verdict or of some customers."""
    newest = newest_of_all([invoice_id])
    query = (
        select(
            invoice_lines,
            *(newest.c[name] for name in VERDICT_COLUMNS),
        )
        .outerjoin(
            newest,
            and_(newest.c.invoice_id == invoice_lines.c.invoice_id, newest.c.line_no == invoice_lines.c.line_no),
        )
        .where(invoice_lines.c.invoice_id == invoice_id)
        .order_by(invoice_lines.c.line_no)
    )
    if verdict is not None:
        query = query.where(newest.c.verdict == verdict.value)
    if customer_ids is not None:
        query = query.where(invoice_lines.c.customer_id.in_(customer_ids))
    if limit is not None or offset:
        query = query.limit(limit).offset(offset)
    return tuple(judged_of(row) for row in session.execute(query).mappings())


def invoice_totals(session: Session, *, invoice_id: str) -> Totals | None:
    """The sums of the newest verdicts; None while any line is not judged."""
    newest = newest_of_all([invoice_id])
    own = invoice_lines.c
    parts = ("payable_pence", "reduced_pence", "withheld_pence", "disallowed_pence", "shadow_pence")
    query = (
        select(
            func.count().label("lines"),
            func.count(newest.c.verdict).label("judged"),
            func.sum(own.pence_claimed).label("claimed_pence"),
            *(func.sum(newest.c[name]).label(name) for name in parts),
        )
        .select_from(invoice_lines)
        .outerjoin(newest, and_(newest.c.invoice_id == own.invoice_id, newest.c.line_no == own.line_no))
        .where(own.invoice_id == invoice_id)
    )
    row = session.execute(query).mappings().one()
    if row["lines"] == 0 or row["judged"] < row["lines"]:
        return None
    return Totals(claimed_pence=int(row["claimed_pence"]), **{name: int(row[name]) for name in parts})


def released_pence(session: Session, *, invoice_id: str) -> int:
    """What the lines' newest verdicts pay over their first ones: money released since the invoice was first judged."""
    newest = newest_of_all([invoice_id])
    first = line_verdicts.alias("first")
    query = (
        select(func.coalesce(func.sum(newest.c.payable_pence - first.c.payable_pence), 0))
        .select_from(newest)
        .join(first, and_(first.c.invoice_id == newest.c.invoice_id, first.c.line_no == newest.c.line_no))
        .where(first.c.version == 1)
    )
    return int(session.execute(query).scalar_one())


VERDICT_COLUMNS: Final = (
    "version",
    "judged_at",
    "verdict",
    "payable_pence",
    "reduced_pence",
    "withheld_pence",
    "disallowed_pence",
    "shadow_pence",
    "minutes_evidenced",
    "reason",
    "words",
    "visit_version",
    "evidence",
)


def newest_of_all(invoice_ids: Any) -> Subquery:
    """The newest verdict of every line of these invoices (ids, or a select of them), as a subquery."""
    columns = line_verdicts.c
    last = (
        select(columns.invoice_id, columns.line_no, func.max(columns.version).label("version"))
        .where(columns.invoice_id.in_(invoice_ids))
        .group_by(columns.invoice_id, columns.line_no)
        .subquery("last")
    )
    return (
        select(line_verdicts)
        .join(
            last,
            and_(
                last.c.invoice_id == columns.invoice_id,
                last.c.line_no == columns.line_no,
                last.c.version == columns.version,
            ),
        )
        .subquery("newest")
    )


def _chunks(ids: Iterable[str]) -> Iterator[list[str]]:
    ordered = sorted(set(ids))
    for start in range(0, len(ordered), IDS_A_STATEMENT):
        yield ordered[start : start + IDS_A_STATEMENT]
