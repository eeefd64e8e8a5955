"""Claim files as they came: which invoices they became, and their rows with every column. Not the invoices themselves (evm.store.money)
and not what a row means (evm.services.imports.kinds.claim)."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.orm import Session

from evm.domain.billing.invoice import ClaimLine
from evm.domain.ids import CouncilId, CustomerId, ProviderId, VisitId
from evm.store.money import RECEIVED
from evm.store.money_rows import line_values
from evm.store.tables.feeds import claim_files, claim_rows
from evm.store.tables.money import invoice_lines, invoices
from evm.store.writes import bulk_insert

ROWS_A_READ: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimFile:
    """One file reference of one provider: the invoice it became."""

    council: CouncilId
    reference: str
    provider: ProviderId
    invoice_id: str
    file_sha256: str
    layout: str
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRow:
    """One row of a claim. `workers`: how many care workers it claims for; `columns`: all that the file said, by its own headers."""

    invoice_id: str
    row: int
    week_ending: date | None
    customer: CustomerId
    visit: VisitId | None
    start: datetime
    minutes: int
    pence: int
    is_secondary: bool
    workers: int
    columns: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimSums:
    """What a claim's rows come to. `week_ending_last` None: no row names a week."""

    rows: int
    first_row: int
    pence: int
    start_first: datetime
    start_last: datetime
    week_ending_first: date | None
    week_ending_last: date | None


def files_of_reference(
    session: Session, *, council_id: CouncilId, references: Collection[str]
) -> dict[tuple[str, ProviderId], ClaimFile]:
    """What came under these references to a council, of whatever provider."""
    c = claim_files.c
    query = select(claim_files).where(c.council_id == council_id, c.reference.in_(sorted(set(references))))
    return {(row.reference, ProviderId(row.provider_id)): _file(row) for row in session.execute(query)}


def files_of_import(session: Session, *, council_id: CouncilId, file_sha256: str) -> tuple[ClaimFile, ...]:
    """The claims that one file holds, by reference and provider."""
    c = claim_files.c
    query = select(claim_files).where(c.council_id == council_id, c.file_sha256 == file_sha256)
    return tuple(_file(row) for row in session.execute(query.order_by(c.reference, c.provider_id)))


def numbers_used(session: Session, *, numbers: Collection[str]) -> frozenset[tuple[ProviderId, str]]:
    """Which providers have an invoice under one of these numbers."""
    c = invoices.c
    rows = session.execute(select(c.provider_id, c.number).where(c.number.in_(sorted(set(numbers)))))
    return frozenset((ProviderId(row.provider_id), row.number) for row in rows)


def begin(session: Session, *, file: ClaimFile, day: date) -> None:
    """The claim and its invoice's heading, without lines; the heading is completed by `complete`."""
    session.execute(
        insert(invoices).values(
            invoice_id=file.invoice_id,
            provider_id=file.provider,
            council_id=file.council,
            number=file.reference,
            period_since=day,
            period_until=day,
            claimed_pence=0,
            received_at=file.received_at,
            state=RECEIVED,
        )
    )
    session.execute(
        insert(claim_files).values(
            council_id=file.council,
            reference=file.reference,
            provider_id=file.provider,
            invoice_id=file.invoice_id,
            file_sha256=file.file_sha256,
            layout=file.layout,
            received_at=file.received_at,
        )
    )


def append_rows(session: Session, *, rows: Sequence[ClaimRow]) -> None:
    """Append rows."""
    values = [
        {
            "invoice_id": row.invoice_id,
            "row": row.row,
            "week_ending": row.week_ending,
            "customer_id": row.customer,
            "visit_id": row.visit,
            "start_at": row.start,
            "minutes": row.minutes,
            "pence": row.pence,
            "is_secondary": int(row.is_secondary),
            "workers": row.workers,
            "columns": row.columns,
        }
        for row in rows
    ]
    bulk_insert(session, table=claim_rows, rows=values)


def sums(session: Session, *, invoice_id: str) -> ClaimSums | None:
    """What the rows come to; None when there is none."""
    c = claim_rows.c
    row = session.execute(
        select(
            func.count().label("rows"),
            func.min(c.row).label("first_row"),
            func.sum(c.pence).label("pence"),
            func.min(c.start_at).label("start_first"),
            func.max(c.start_at).label("start_last"),
            func.min(c.week_ending).label("week_first"),
            func.max(c.week_ending).label("week_last"),
        ).where(c.invoice_id == invoice_id)
    ).one()
    if not row.rows:
        return None
    return ClaimSums(
        rows=row.rows,
        first_row=row.first_row,
        pence=int(row.pence),
        start_first=row.start_first,
        start_last=row.start_last,
        week_ending_first=row.week_first,
        week_ending_last=row.week_last,
    )


Together = tuple[int, int]
"""How many rows claim one customer at one start, and how many of them are for a second worker."""


def claimed_together(session: Session, *, invoice_id: str) -> dict[tuple[CustomerId, datetime], Together]:
    """The customers and starts that more than one row claims."""
    c = claim_rows.c
    query = (
        select(c.customer_id, c.start_at, func.count().label("rows"), func.sum(c.is_secondary).label("secondary"))
        .where(c.invoice_id == invoice_id)
        .group_by(c.customer_id, c.start_at)
        .having(func.count() > 1)
    )
    return {
        (CustomerId(row.customer_id), row.start_at): (row.rows, int(row.secondary)) for row in session.execute(query)
    }


def rows_in_order(session: Session, *, invoice_id: str) -> Iterator[Sequence[ClaimRow]]:
    """The rows in the file's order, a few thousand at a time, without their columns."""
    c = claim_rows.c
    wanted = [column for column in claim_rows.c if column.name != "columns"]
    last = 0
    while True:
        query = select(*wanted).where(c.invoice_id == invoice_id, c.row > last).order_by(c.row).limit(ROWS_A_READ)
        found = [
            ClaimRow(
                invoice_id=row.invoice_id,
                row=row.row,
                week_ending=row.week_ending,
                customer=CustomerId(row.customer_id),
                visit=None if row.visit_id is None else VisitId(row.visit_id),
                start=row.start_at,
                minutes=row.minutes,
                pence=row.pence,
                is_secondary=bool(row.is_secondary),
                workers=row.workers,
                columns={},
            )
            for row in session.execute(query)
        ]
        if not found:
            return
        yield found
        last = found[-1].row


def append_lines(session: Session, *, invoice_id: str, lines: Sequence[tuple[int, ClaimLine]]) -> None:
    """Append invoice lines, each with the file's row it came from."""
    values = [{**line_values(invoice_id, line), "claim_row": row} for row, line in lines]
    bulk_insert(session, table=invoice_lines, rows=values)


def complete(session: Session, *, invoice_id: str, period_since: date, period_until: date, claimed_pence: int) -> None:
    """The heading, once all rows are there."""
    values = {"period_since": period_since, "period_until": period_until, "claimed_pence": claimed_pence}
    session.execute(update(invoices).where(invoices.c.invoice_id == invoice_id).values(**values))


def columns_of(session: Session, *, invoice_id: str, rows: Collection[int]) -> dict[int, dict[str, str]]:
    """What the file said in these rows, by its own headers."""
    c = claim_rows.c
    query = select(c.row, c.columns).where(c.invoice_id == invoice_id, c.row.in_(sorted(set(rows))))
    return {row.row: row.columns for row in session.execute(query)}


def _file(row: Row[Any]) -> ClaimFile:
    return ClaimFile(
        council=CouncilId(row.council_id),
        reference=row.reference,
        provider=ProviderId(row.provider_id),
        invoice_id=row.invoice_id,
        file_sha256=row.file_sha256,
        layout=row.layout,
        received_at=row.received_at,
    )
