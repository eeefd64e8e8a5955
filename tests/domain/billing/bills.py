"""Builders and Hypothesis strategies for billing tests: attendances, visits, agreements, claims. Not the store's factories."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from evm.domain.billing.agreement import Agreement, SecondSlot
from evm.domain.billing.charge import VisitToBill
from evm.domain.billing.invoice import ClaimLine, InvoiceClaim
from evm.domain.billing.judge import Known
from evm.domain.evidence import Grade
from evm.domain.ids import AgreementId, CouncilId, CustomerId, ProviderId, VisitId, WorkerId
from evm.domain.money import round_half_up
from evm.domain.plan import PlannedVisit
from evm.domain.visit import Attendance, SlotRecord, Visit, VisitOutcome

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
RATE = Fraction(91, 2)


def agreement(**changes: Any) -> Agreement:
    """45.5p a minute from April 2026, default rules."""
    plain = Agreement(
        agreement_id=AgreementId("tariff"),
        version=1,
        council=CouncilId("manchester"),
        provider=ProviderId("acorn"),
        effective_from=date(2026, 4, 1),
        rate_pence_per_minute=RATE,
    )
    return replace(plain, **changes)


def attendance(*, seconds: int | None = 1800, name: str = "a", start: datetime = START, **changes: Any) -> Attendance:
    """One worker there for `seconds`, well evidenced; None: no check-out."""
    plain = Attendance(
        attendance_id=f"in-{name}",
        worker=WorkerId(f"worker-{name}"),
        customer=CustomerId("customer-1"),
        start=start,
        end=None if seconds is None else start + timedelta(seconds=seconds),
        check_in=f"in-{name}",
        check_out=None if seconds is None else f"out-{name}",
        visit=None,
        grade_time=Grade.A,
        grade_place=Grade.A,
        payable_seconds=seconds or 0,
    )
    return replace(plain, **changes)


def planned(*, visit_id: str = "visit-1", minutes: int = 30, workers: int = 1, **changes: Any) -> PlannedVisit:
    plain = PlannedVisit(
        visit_id=VisitId(visit_id),
        customer_id=CustomerId("customer-1"),
        provider_id=ProviderId("acorn"),
        locality_id=None,  # type: ignore[arg-type]  # billing never looks at it
        start=START,
        minutes=minutes,
        workers_needed=workers,
        rostered=(None,) * workers,
    )
    return replace(plain, **changes)


def visit(*attendances: Attendance | None, of: PlannedVisit | None = None, **changes: Any) -> Visit:
    """What happened at a planned visit: one slot an argument."""
    of = of or planned(workers=max(1, len(attendances)))
    plain = Visit(
        visit_id=of.visit_id,
        customer=of.customer_id,
        provider=of.provider_id,
        care_day="2026-11-02",
        planned_start=of.start,
        planned_minutes=of.minutes,
        outcome=VisitOutcome.DELIVERED if any(attendances) else VisitOutcome.PENDING,
        slots=tuple(SlotRecord(slot=slot, rostered=None, attendance=each) for slot, each in enumerate(attendances)),
        version=1,
    )
    return replace(plain, **changes)


def to_bill(happened: Visit, **changes: Any) -> VisitToBill:
    return replace(VisitToBill(visit=happened), **changes)


def line(
    *, line_no: int = 1, visit_id: str | None = "visit-1", slot: int = 0, minutes: int = 30, **changes: Any
) -> ClaimLine:
    """A claim of `minutes` at the agreed 45.5p."""
    plain = ClaimLine(
        line_no=line_no,
        visit=None if visit_id is None else VisitId(visit_id),
        slot=slot,
        customer=CustomerId("customer-1"),
        worker=None,
        start=START,
        minutes_claimed=minutes,
        pence_claimed=round_half_up(minutes * RATE),
    )
    return replace(plain, **changes)


def claim(*lines: ClaimLine, **changes: Any) -> InvoiceClaim:
    """An invoice for November 2026 with a total that agrees."""
    plain = InvoiceClaim(
        provider=ProviderId("acorn"),
        council=CouncilId("manchester"),
        number="INV-1",
        period_since=date(2026, 11, 1),
        period_until=date(2026, 12, 1),
        claimed_pence=sum(each.pence_claimed for each in lines),
        lines=lines,
    )
    return replace(plain, **changes)


def known(*visits: Visit, plans: tuple[PlannedVisit, ...] = (), **changes: Any) -> Known:
    """What is known of some visits; `plans` default to one slot a record, 30 minutes."""
    plans = plans or tuple(planned(visit_id=str(each.visit_id), workers=len(each.slots)) for each in visits)
    plain = Known(
        planned={each.visit_id: each for each in plans},
        visits={each.visit_id: each for each in visits if each.visit_id is not None},
        agreements=(agreement(),),
    )
    return replace(plain, **changes)


def cut(happened: Visit, *, slot: int, seconds: int) -> Visit:
    """The same visit with less evidence: one slot keeps only `seconds` (nought: nobody), and the overlap shrinks with it."""
    slots = tuple(
        replace(record, attendance=_shorter(record.attendance, seconds=seconds)) if record.slot == slot else record
        for record in happened.slots
    )
    return replace(happened, slots=slots, overlap_seconds=min(happened.overlap_seconds, seconds))


def _shorter(there: Attendance | None, *, seconds: int) -> Attendance | None:
    if there is None or seconds == 0:
        return None
    kept = min(there.payable_seconds, seconds)
    return replace(there, payable_seconds=kept)


# ---- strategies

rates = st.fractions(min_value=Fraction(1, 10), max_value=Fraction(300), max_denominator=60)
seconds_there = st.integers(0, 3600) | st.integers(0, 4 * 3600)
grades = st.sampled_from(Grade)


@st.composite
def agreements(draw: st.DrawFn, rules: tuple[str, ...] | None = None) -> Agreement:
    return agreement(
        rate_pence_per_minute=draw(rates),
        tolerance_minutes=draw(st.integers(0, 10)),
        second_slot=draw(st.sampled_from(SecondSlot)),
        **({} if rules is None else {"rules": rules}),
    )


@st.composite
def attendances(draw: st.DrawFn, name: str) -> Attendance:
    seconds = draw(seconds_there)
    return attendance(
        seconds=seconds,
        name=name,
        grade_time=draw(st.sampled_from([Grade.A, Grade.A, Grade.B, Grade.C])),
        grade_place=draw(st.sampled_from([Grade.A, Grade.B, Grade.B, Grade.D])),
        waits=draw(st.sampled_from([False, False, False, True])),
    )


@st.composite
def visits(draw: st.DrawFn, visit_id: str = "visit-1") -> tuple[PlannedVisit, Visit]:
    """A planned visit of one or two slots and what happened at it."""
    plan = planned(visit_id=visit_id, minutes=draw(st.integers(5, 240)), workers=draw(st.integers(1, 2)))
    there = [draw(st.none() | attendances(f"{visit_id}-{slot}")) for slot in range(plan.workers_needed)]
    shortest = min((each.payable_seconds if each else 0 for each in there), default=0) if len(there) == 2 else 0
    return plan, visit(*there, of=plan, overlap_seconds=draw(st.integers(0, shortest)))


@st.composite
def invoices(draw: st.DrawFn) -> tuple[InvoiceClaim, Known]:
    """An invoice of up to six lines over up to three visits: honest, inflated, doubled and unknown lines."""
    pairs = [draw(visits(f"visit-{number}")) for number in range(draw(st.integers(1, 3)))]
    deal = draw(agreements())
    ids = [plan.visit_id for plan, _ in pairs]
    lines = [
        line(
            line_no=number,
            visit_id=draw(st.sampled_from([*ids, "visit-unknown"])),
            slot=draw(st.integers(0, 2)),
            minutes=draw(st.integers(1, 300)),
        )
        for number in range(1, draw(st.integers(1, 6)) + 1)
    ]
    priced = [replace(each, pence_claimed=draw(_claimed(each, deal))) for each in lines]
    facts = known(*[happened for _, happened in pairs], plans=tuple(plan for plan, _ in pairs), agreements=(deal,))
    return claim(*priced), facts


def _claimed(each: ClaimLine, deal: Agreement) -> st.SearchStrategy[int]:
    agreed = round_half_up(each.minutes_claimed * deal.rate_pence_per_minute)
    return st.just(agreed) | st.integers(0, agreed + 2)
