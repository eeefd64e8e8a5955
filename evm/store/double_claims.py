"""Which slots are claimed on more than one invoice, whether a line names its visit or was found to mean one. Not what is made of it
(evm.domain.billing.checks)."""

from collections.abc import Mapping

from sqlalchemy import Subquery, and_, bindparam, func, or_, select, union_all, update
from sqlalchemy.orm import Session

from evm.domain.billing.checks import Elsewhere
from evm.domain.billing.invoice import Verdict
from evm.domain.ids import VisitId
from evm.store.money import APPROVED, newest_of_all
from evm.store.tables.money import invoice_lines, invoices

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


def keep_meant(session: Session, *, invoice_id: str, visits: Mapping[int, VisitId | None]) -> None:
    """Keep, by line number, the visits that lines mean which name none; None: no visit, or no longer one. Writes what changed."""
    own = invoice_lines.c
    query = select(own.line_no, own.meant_visit_id).where(own.invoice_id == invoice_id, own.visit_id.is_(None))
    before = {row.line_no: row.meant_visit_id for row in session.execute(query)} if visits else {}
    changed = [
        {"of_line": line_no, "meant": visit} for line_no, visit in sorted(visits.items()) if before[line_no] != visit
    ]
    if changed:
        where = (own.invoice_id == invoice_id, own.line_no == bindparam("of_line"))
        session.connection().execute(
            update(invoice_lines).where(*where).values(meant_visit_id=bindparam("meant")), changed
        )


def _also_claimed(invoice_id: str) -> Subquery:
    """The lines of other invoices that claim a slot of this one, with the visit each names, or was found to mean when last judged."""
    own = invoice_lines.alias("sharing_mine").c
    mine = (
        select(func.coalesce(own.visit_id, own.meant_visit_id).label("visit_id"), own.slot)
        .where(own.invoice_id == invoice_id, func.coalesce(own.visit_id, own.meant_visit_id).is_not(None))
        .cte("mine")
    )
    parts = []
    for number, name in enumerate(("visit_id", "meant_visit_id")):
        line = invoice_lines.alias(f"sharing_other_{number}")
        same = and_(line.c[name] == mine.c.visit_id, line.c.slot == mine.c.slot)
        columns = (line.c.invoice_id, line.c.line_no, line.c[name].label("visit_id"), line.c.slot)
        parts.append(select(*columns).select_from(mine).join(line, same).where(line.c.invoice_id != invoice_id))
    return union_all(*parts).subquery("other")
