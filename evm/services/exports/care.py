"""Commissioned care and actuals as rows: one a planned slot with what happened in it, and one a customer and week. Not their CSV form
(csv_text) and not pay (payroll)."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Final

from sqlalchemy.orm import Session

from evm.domain.ids import CustomerId
from evm.domain.visit import Attendance, SlotRecord
from evm.services.exports.csv_text import Cell
from evm.store import exports
from evm.store.exports import Care
from evm.store.screens import Scope

ACTUALS: Final = (
    "council", "provider", "locality", "customer", "customer_name", "visit", "slot", "care_day", "planned_start", "planned_minutes",
    "planned_worker", "popback", "commissioned_minutes_week", "actual_start", "actual_end", "actual_minutes", "actual_worker",
    "grade_time", "grade_place", "outcome", "findings", "cancelled_by", "cancelled_at", "billed_minutes", "billed_pence", "invoice",
    "claimed_pence", "verdict", "payable_pence",
)  # fmt: skip
COMMISSIONED: Final = (
    "council", "provider", "locality", "customer", "customer_name", "week", "commissioned_minutes_week", "planned_visits",
    "planned_minutes", "cancelled_visits", "cancelled_minutes", "actual_minutes", "unplanned_minutes", "billed_minutes", "billed_pence",
)  # fmt: skip


def actuals(session: Session, *, scope: Scope, since: date, until: date) -> Iterator[Sequence[Cell]]:
    """A row each slot of each visit with its care day in `[since, until)`, planned ones by start, then unplanned attendances (without a
    `visit`), day by day. `actual_minutes` are the evidenced ones that count, as billed: floor(payable seconds ÷ 60) a slot."""
    for day in _days(since, until):
        for care in exports.care_of_day(session, scope=scope, day=day):
            yield from _slots(care)


def commissioned(session: Session, *, scope: Scope, since: date, until: date) -> Iterator[Sequence[Cell]]:
    """A row each customer, provider and week (its Monday) that has a visit with its care day in `[since, until)`, by week, provider and
    customer. A first or last week that is cut by the period counts only the days inside it; `commissioned_minutes_week` is that of the
    first day on which there is a visit."""
    monday = since - timedelta(days=since.weekday())
    while monday < until:
        yield from _week(session, scope, monday, max(since, monday), min(until, monday + timedelta(days=7)))
        monday += timedelta(days=7)


def _week(session: Session, scope: Scope, monday: date, since: date, until: date) -> Iterator[Sequence[Cell]]:
    heads: dict[tuple[str, CustomerId, str], Care] = {}
    sums: dict[tuple[str, CustomerId, str], list[int]] = {}
    for day in _days(since, until):
        for care in exports.care_of_day(session, scope=scope, day=day):
            key = (care.provider_id, care.customer_id, care.locality_id)
            heads.setdefault(key, care)
            own = sums.setdefault(key, [0] * 8)
            for place, number in enumerate(_counted(care)):
                own[place] += number
    for key in sorted(sums):
        head = heads[key]
        yield (
            head.council_id,
            head.provider_id,
            head.locality_id,
            head.customer_id,
            head.customer_name,
            monday,
            head.commissioned_minutes_week,
            *sums[key],
        )


def _counted(care: Care) -> tuple[int, ...]:
    """Planned visits and minutes (a slot each), cancelled ones, evidenced minutes, unplanned ones, billed minutes and pence."""
    planned = (care.minutes or 0) * care.workers_needed if care.visit_id is not None else 0
    is_cancelled = care.cancelled_at is not None
    evidenced = sum(one.attendance.minutes for one in care.visit.slots if one.attendance) if care.visit else 0
    return (
        int(care.visit_id is not None and not is_cancelled),
        0 if is_cancelled else planned,
        int(is_cancelled),
        planned if is_cancelled else 0,
        evidenced if care.visit_id is not None else 0,
        evidenced if care.visit_id is None else 0,
        sum(minutes for minutes, _ in care.charged.values()),
        sum(pence for _, pence in care.charged.values()),
    )


def _slots(care: Care) -> Iterator[Sequence[Cell]]:
    records = {record.slot: record for record in (care.visit.slots if care.visit else ())}
    numbers = sorted({*range(care.workers_needed), *records, *care.rostered, *care.charged, *care.claimed})
    for slot in numbers:
        yield _row(care, slot, records.get(slot))


def _row(care: Care, slot: int, record: SlotRecord | None) -> Sequence[Cell]:
    there = None if record is None else record.attendance
    billed = care.charged.get(slot)
    claims = care.claimed.get(slot, ())
    return (
        care.council_id,
        care.provider_id,
        care.locality_id,
        care.customer_id,
        care.customer_name,
        care.visit_id or "",
        slot,
        care.care_day,
        care.start,
        care.minutes,
        care.rostered.get(slot) or "",
        "yes" if care.popback else "no",
        care.commissioned_minutes_week,
        *_presence(there),
        care.visit.outcome.value if care.visit else ("cancelled" if care.cancelled_at else "pending"),
        _findings(care, slot, there),
        care.cancelled_by,
        care.cancelled_at,
        None if billed is None else billed[0],
        None if billed is None else billed[1],
        "; ".join(one.number for one in claims),
        sum(one.pence_claimed for one in claims) if claims else None,
        "; ".join(one.verdict or "not judged" for one in claims),
        sum(one.payable_pence or 0 for one in claims) if claims else None,
    )


def _presence(there: Attendance | None) -> tuple[Cell, ...]:
    """Start, end, minutes that count, worker, and how far time and place can be trusted."""
    if there is None:
        return (None, None, 0, "", "", "")
    return (
        there.start,
        there.end,
        there.minutes,
        there.worker,
        there.grade_time.value,
        there.grade_place.value,
    )


def _findings(care: Care, slot: int, there: Attendance | None) -> str:
    """The codes of what was found about the slot, and about the visit as a whole."""
    found = care.visit.findings if care.visit else ()
    codes = {one.code.value for one in found if one.slot in {None, slot}}
    codes |= {one.code.value for one in (there.findings if there else ())}
    return "; ".join(sorted(codes))


def _days(since: date, until: date) -> Iterator[date]:
    for ordinal in range(since.toordinal(), until.toordinal()):
        yield date.fromordinal(ordinal)
