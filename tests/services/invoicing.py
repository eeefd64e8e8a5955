"""A council, a provider, an agreement, planned visits and what happened at them, in a database, for invoice and price tests."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from evm.domain.billing.agreement import Agreement
from evm.domain.billing.invoice import ClaimLine, InvoiceClaim
from evm.domain.ids import VisitId
from evm.domain.plan import PlannedVisit
from evm.domain.visit import Attendance, SlotRecord, Visit, VisitOutcome
from evm.store import money, plans, visits
from tests import factories
from tests.domain.billing import bills

NOW = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)
START = factories.NINE


def agreement(**changes: Any) -> Agreement:
    return bills.agreement(council=factories.COUNCIL, provider=factories.PROVIDER, **changes)


def attendance(name: str, *, seconds: int | None = 1800, start: datetime = START, **changes: Any) -> Attendance:
    return bills.attendance(
        name=name, seconds=seconds, start=start, customer=factories.customer().customer_id, **changes
    )


def happened(plan: PlannedVisit, *there: Attendance | None) -> Visit:
    slots = tuple(SlotRecord(slot=slot, rostered=None, attendance=each) for slot, each in enumerate(there))
    return Visit(
        visit_id=plan.visit_id,
        customer=plan.customer_id,
        provider=plan.provider_id,
        care_day=plan.start.date().isoformat(),
        planned_start=plan.start,
        planned_minutes=plan.minutes,
        outcome=VisitOutcome.DELIVERED if any(there) else VisitOutcome.PENDING,
        slots=slots,
    )


def seed(
    session: Session, *, planned: int = 3, seconds: Sequence[int | None] = (1800, 1500, None), **terms: Any
) -> None:
    """Planned visits v1, v2, … one a day from 2 November 2026, 30 minutes each, attended for so many seconds."""
    factories.seed(session)
    money.add_agreements(session, agreements=[agreement(**terms)])
    plan = [factories.planned_visit(f"v{n + 1}", start=START + timedelta(days=n)) for n in range(planned)]
    plans.add_planned_visits(session, visits=plan)
    done = [
        happened(each, attendance(each.visit_id, seconds=there, start=each.start))
        for each, there in zip(plan, seconds, strict=False)
    ]
    visits.append_versions(session, visits=done, now=NOW)


def line(number: int, **changes: Any) -> ClaimLine:
    """Line n claims visit vn: 30 minutes, £13.65."""
    plain = bills.line(line_no=number, visit_id=f"v{number}", customer=factories.customer().customer_id)
    return replace(plain, **({"start": START + timedelta(days=number - 1)} | changes))


def claim(*lines: ClaimLine, **changes: Any) -> InvoiceClaim:
    plain = bills.claim(*(lines or (line(1), line(2), line(3))), council=factories.COUNCIL, provider=factories.PROVIDER)
    return replace(plain, **({"period_since": date(2026, 11, 2), "period_until": date(2026, 11, 30)} | changes))


def late_check_out(session: Session, number: int, *, seconds: int = 1800, now: datetime = NOW) -> None:
    """Evidence of visit vn comes late: its next version."""
    plan = plans.planned_visit(session, visit_id=VisitId(f"v{number}"))
    assert plan is not None
    there = attendance(plan.visit_id, seconds=seconds, start=plan.start)
    visits.append_versions(session, visits=[happened(plan, there)], now=now)
