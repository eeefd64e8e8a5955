"""Which slots are claimed on more than one invoice, whether a line names its visit or only customer and start. Not what is made of it
(evm.domain.billing.checks)."""

from typing import Any

from sqlalchemy import Select, Subquery, and_, or_, select, union_all
from sqlalchemy.orm import Session

from evm.domain.billing.checks import Elsewhere
from evm.domain.billing.invoice import Verdict
from evm.domain.ids import VisitId
from evm.store.money import APPROVED, newest_of_all
from evm.store.tables.money import invoice_lines, invoices
from evm.store.tables.plans import planned_visits

Slot = tuple[VisitId, int]


def claimed_elsewhere(session: Session, *, invoice_id: str) -> dict[Slot, Elsewhere]:
    """Slots of this invoice that another invoice of the same provider claims too, on a line that is not disallowed.

    Of several the approved one counts, then the lowest number."""
    other, heading, own = _also_claimed(invoice_id), invoices.alias("heading"), invoices.alias("own")
    newest = newest_of_all(select(other.c.invoice_id).distinct())
    query = (
        select(other.c.visit_id, other.c.slot, heading.c.number, heading.c.state)
        .join(heading, heading.c.invoice_id == other.c.invoice_id)
        .join(own, own.c.invoice_id == invoice_id)
        .outerjoin(newest, and_(newest.c.invoice_id == other.c.invoice_id, newest.c.line_no == other.c.line_no))
        .where(
            heading.c.provider_id == own.c.provider_id,
            or_(newest.c.verdict.is_(None), newest.c.verdict != Verdict.DISALLOW.value),
        )
        .order_by((heading.c.state == APPROVED).desc(), heading.c.number)
    )
    found: dict[Slot, Elsewhere] = {}
    for row in session.execute(query):
        other_claim = Elsewhere(number=row.number, approved=row.state == APPROVED)
        found.setdefault((VisitId(row.visit_id), row.slot), other_claim)
    return found


def invoices_sharing(session: Session, *, invoice_id: str) -> tuple[str, ...]:
    """Other invoices, of whatever provider, that claim a slot of this one, by id."""
    return tuple(sorted(session.execute(select(_also_claimed(invoice_id).c.invoice_id).distinct()).scalars()))


def _also_claimed(invoice_id: str) -> Subquery:
    """The lines of other invoices that claim a slot of this one, with the visit each means: the one it names, or the planned visit of
    its customer and start."""
    unnamed = _unnamed(invoice_id).cte("unnamed")
    own = invoice_lines.alias("sharing_mine").c
    mine = union_all(
        select(own.visit_id, own.slot).where(own.invoice_id == invoice_id, own.visit_id.is_not(None)),
        select(unnamed.c.visit_id, unnamed.c.slot).where(unnamed.c.invoice_id == invoice_id),
    ).cte("mine")
    parts = []
    for line in (invoice_lines.alias("sharing_other"), unnamed.alias("unnamed_other")):
        same = and_(line.c.visit_id == mine.c.visit_id, line.c.slot == mine.c.slot)
        columns = (line.c.invoice_id, line.c.line_no, line.c.visit_id, line.c.slot)
        parts.append(select(*columns).select_from(mine).join(line, same).where(line.c.invoice_id != invoice_id))
    return union_all(*parts).subquery("other")


def _unnamed(invoice_id: str) -> Select[Any]:
    """Lines without a visit id, of this invoice and of its provider's others for any of the same days, with the visit each means."""
    line, plan, heading, own = (
        invoice_lines.alias("unnamed_line"),
        planned_visits.alias("meant"),
        invoices.alias("unnamed_heading"),
        invoices.alias("unnamed_own"),
    )
    return (
        select(line.c.invoice_id, line.c.line_no, plan.c.visit_id, line.c.slot)
        .join(heading, heading.c.invoice_id == line.c.invoice_id)
        .join(
            own,
            and_(
                own.c.provider_id == heading.c.provider_id,
                own.c.period_since < heading.c.period_until,
                heading.c.period_since < own.c.period_until,
            ),
        )
        .join(
            plan,
            and_(
                plan.c.customer_id == line.c.customer_id,
                plan.c.start_at == line.c.start_at,
                plan.c.provider_id == heading.c.provider_id,
            ),
        )
        .where(own.c.invoice_id == invoice_id, line.c.visit_id.is_(None))
    )
