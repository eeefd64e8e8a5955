"""Invoices with the newest verdict of every line, as the page shows them. Not judging (evm.services.invoice)."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Subquery, and_, case, false, func, select, true
from sqlalchemy.orm import Session

from evm.store.screens.scope import Scope
from evm.store.tables.money import invoice_lines, invoices, line_verdicts
from evm.store.tables.people import care_workers, councils, customers, providers

_FIRST: Final = line_verdicts.alias("first_verdicts")


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceRow:
    """One invoice. `period_until` is the first day after."""

    invoice_id: str
    provider_id: str
    provider_name: str
    council_id: str
    council_name: str
    number: str
    period_since: date
    period_until: date
    claimed_pence: int
    received_at: datetime
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictSum:
    """All lines of one verdict ("not judged" for those without)."""

    verdict: str
    lines: int
    claimed_pence: int
    payable_pence: int
    reduced_pence: int
    withheld_pence: int
    disallowed_pence: int
    shadow_pence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """What the newest verdicts pay over the first ones (`released_pence` on `lines`), and what they pay less (`taken_back_pence`)."""

    lines: int
    released_pence: int
    taken_back_pence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LineRow:
    """One claim line with its newest verdict; the verdict's fields are None until it is judged. `first_payable_pence`: what its first
    verdict paid. `claim_row`: the row of the claim file it came from; `meant_visit_id`: of a line that names no visit, the one it was
    taken for."""

    line_no: int
    visit_id: str | None
    slot: int
    customer_id: str
    customer_name: str | None
    worker_id: str | None
    worker_name: str | None
    start_at: datetime
    minutes_claimed: int
    pence_claimed: int
    verdict: str | None
    version: int | None
    payable_pence: int | None
    reduced_pence: int | None
    withheld_pence: int | None
    disallowed_pence: int | None
    minutes_evidenced: int | None
    reason: str | None
    words: str | None
    first_payable_pence: int | None
    shadow_pence: int | None
    claim_row: int | None
    meant_visit_id: str | None


def listed(session: Session, *, scope: Scope, limit: int, offset: int = 0) -> tuple[InvoiceRow, ...]:
    """Invoices of the scope, the newest first."""
    rows = session.execute(
        _selected()
        .where(invoices_visible(scope))
        .order_by(invoices.c.received_at.desc(), invoices.c.invoice_id)
        .limit(limit)
        .offset(offset)
    ).mappings()
    return tuple(InvoiceRow(**dict(row)) for row in rows)


def count(session: Session, *, scope: Scope) -> int:
    """How many invoices the scope covers."""
    return int(session.execute(select(func.count()).select_from(invoices).where(invoices_visible(scope))).scalar_one())


def one(session: Session, *, scope: Scope, invoice_id: str) -> InvoiceRow | None:
    """One invoice, None when it does not exist or is out of scope."""
    row = (
        session.execute(_selected().where(invoices_visible(scope), invoices.c.invoice_id == invoice_id))
        .mappings()
        .first()
    )
    return None if row is None else InvoiceRow(**dict(row))


def sums(session: Session, *, invoice_id: str) -> tuple[VerdictSum, ...]:
    """The lines' amounts by newest verdict. Their claimed amounts add up to the invoice's."""
    newest = _newest(invoice_id)
    held = line_verdicts.c
    verdict = func.coalesce(held.verdict, "not judged")
    rows = session.execute(
        select(
            verdict.label("verdict"),
            func.count().label("lines"),
            func.sum(invoice_lines.c.pence_claimed).label("claimed_pence"),
            *(func.sum(func.coalesce(held[name], 0)).label(name) for name in _PARTS),
        )
        .select_from(_joined(newest))
        .where(invoice_lines.c.invoice_id == invoice_id)
        .group_by(verdict)
    ).mappings()
    return tuple(
        VerdictSum(
            verdict=row["verdict"],
            lines=int(row["lines"]),
            claimed_pence=int(row["claimed_pence"]),
            **{name: int(row[name]) for name in _PARTS},
        )
        for row in rows
    )


_PARTS: Final = ("payable_pence", "reduced_pence", "withheld_pence", "disallowed_pence", "shadow_pence")
RELEASED: Final = "released"


def released(session: Session, *, invoice_id: str) -> Released:
    """What judging again has changed since the invoice was first judged."""
    held, first = line_verdicts.c, _FIRST.c
    more = held.payable_pence - first.payable_pence
    row = session.execute(
        select(
            func.count(),
            func.coalesce(func.sum(case((more > 0, more), else_=0)), 0),
            func.coalesce(func.sum(case((more < 0, -more), else_=0)), 0),
        )
        .select_from(_with_first(_newest(invoice_id)))
        .where(invoice_lines.c.invoice_id == invoice_id, more != 0)
    ).one()
    return Released(lines=int(row[0]), released_pence=int(row[1]), taken_back_pence=int(row[2]))


def lines_before(session: Session, *, invoice_id: str, verdict: str | None, line_no: int) -> int:
    """How many lines of this choice stand before a line: where in the list it is."""
    chosen = select(func.count()).select_from(_with_first(_newest(invoice_id)))
    before = chosen.where(
        invoice_lines.c.invoice_id == invoice_id, invoice_lines.c.line_no < line_no, _of_verdict(verdict)
    )
    return int(session.execute(before).scalar_one())


def _of_verdict(verdict: str | None) -> ColumnElement[bool]:
    held = line_verdicts.c
    if verdict is None:
        return true()
    if verdict == RELEASED:
        return held.payable_pence != _FIRST.c.payable_pence
    return held.verdict.is_(None) if verdict == "not judged" else held.verdict == verdict


def lines(
    session: Session, *, invoice_id: str, verdict: str | None, limit: int | None, offset: int = 0
) -> tuple[LineRow, ...]:
    """The lines in their order, all or of one verdict ("not judged" for those without, "released" for those that pay other than at
    first)."""
    own, held = invoice_lines.c, line_verdicts.c
    statement = (
        select(
            own.line_no,
            own.visit_id,
            own.slot,
            own.customer_id,
            customers.c.name.label("customer_name"),
            own.worker_id,
            care_workers.c.name.label("worker_name"),
            own.start_at,
            own.minutes_claimed,
            own.pence_claimed,
            held.verdict,
            held.version,
            held.payable_pence,
            held.reduced_pence,
            held.withheld_pence,
            held.disallowed_pence,
            held.minutes_evidenced,
            held.reason,
            held.words,
            _FIRST.c.payable_pence.label("first_payable_pence"),
            held.shadow_pence,
            own.claim_row,
            own.meant_visit_id,
        )
        .select_from(
            _with_first(_newest(invoice_id))
            .outerjoin(customers, customers.c.customer_id == own.customer_id)
            .outerjoin(care_workers, care_workers.c.worker_id == own.worker_id)
        )
        .where(own.invoice_id == invoice_id, _of_verdict(verdict))
        .order_by(own.line_no)
        .offset(offset)
    )
    if limit is not None:
        statement = statement.limit(limit)
    return tuple(LineRow(**dict(row)) for row in session.execute(statement).mappings())


def _newest(invoice_id: str) -> Subquery:
    held = line_verdicts.c
    return (
        select(held.line_no, func.max(held.version).label("version"))
        .where(held.invoice_id == invoice_id)
        .group_by(held.line_no)
        .subquery()
    )


def _joined(newest: Subquery) -> Any:
    own, held = invoice_lines.c, line_verdicts.c
    return invoice_lines.outerjoin(newest, newest.c.line_no == own.line_no).outerjoin(
        line_verdicts,
        and_(held.invoice_id == own.invoice_id, held.line_no == own.line_no, held.version == newest.c.version),
    )


def _with_first(newest: Subquery) -> Any:
    own, first = invoice_lines.c, _FIRST.c
    same = and_(first.invoice_id == own.invoice_id, first.line_no == own.line_no, first.version == 1)
    return _joined(newest).outerjoin(_FIRST, same)


def invoices_visible(scope: Scope) -> ColumnElement[bool]:
    """An invoice spans localities: whoever is held to one locality, or to their own visits, sees none."""
    if scope.nothing or scope.worker_id is not None or scope.locality_id is not None:
        return false()
    return and_(
        invoices.c.provider_id == scope.provider_id if scope.provider_id is not None else true(),
        invoices.c.council_id == scope.council_id if scope.council_id is not None else true(),
    )


def _selected() -> Select[Any]:
    own = invoices.c
    return (
        select(
            own.invoice_id,
            own.provider_id,
            providers.c.name.label("provider_name"),
            own.council_id,
            councils.c.name.label("council_name"),
            own.number,
            own.period_since,
            own.period_until,
            own.claimed_pence,
            own.received_at,
            own.state,
        )
        .join(providers, providers.c.provider_id == own.provider_id)
        .join(councils, councils.c.council_id == own.council_id)
    )
