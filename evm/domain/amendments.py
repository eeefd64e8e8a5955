"""Corrections as new evidence: what an approved amendment makes of an attendance. The original events stay; nothing here edits a fact.

Amended minutes never pay without a second person's approval, and never beyond the last moment from which the worker's next check-in
elsewhere was feasible (rules.md, Amendments)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from evm.domain.evidence import Amendment, Evidence
from evm.domain.finding import Finding, FindingCode
from evm.domain.ids import VisitId, WorkerId
from evm.domain.period import Period, ends_at
from evm.domain.plan import PlannedVisit
from evm.domain.visit import Attendance, SlotRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Amended:
    """The amendment of one worker's attendance that stands: the newest approved one, or else the newest."""

    event: Evidence
    amendment: Amendment
    approved: bool

    def waiting(self) -> Finding:
        """The finding of an amendment nobody else has approved yet."""
        words = f"An amendment ({self.amendment.reason_code}) for worker {self.amendment.worker} waits for approval: it pays nothing."
        return Finding(code=FindingCode.AMENDED, words=words, evidence=(self.event.event_id,))


Amendments = Mapping[VisitId, Mapping[WorkerId, Amended]]


def is_approved(amendment: Amendment) -> bool:
    """Approved by a second person: never by the one who attested it, and never by the worker it is about."""
    return amendment.approved_by is not None and amendment.approved_by not in {amendment.attested_by, amendment.worker}


def approved_amendments(events: Sequence[Evidence]) -> Amendments:
    """For each visit and worker the amendment that stands, approved or (when none is) waiting."""
    found: dict[VisitId, dict[WorkerId, Amended]] = defaultdict(dict)
    for event in sorted(events, key=lambda event: (event.at, event.event_id)):
        assert event.amendment is not None
        new = Amended(event=event, amendment=event.amendment, approved=is_approved(event.amendment))
        known = found[event.amendment.visit].get(event.amendment.worker)
        if known is None or new.approved or not known.approved:
            found[event.amendment.visit][event.amendment.worker] = new
    return found


def with_amendment(
    attendance: Attendance, amended: Amended | None, *, visit: PlannedVisit, elsewhere: Sequence[Period] = ()
) -> Attendance:
    """The attendance as the approved amendment corrects it; unchanged without one. `elsewhere`: when the same worker's own events
    place them with somebody else, which no amendment overrules."""
    if amended is None or not amended.approved:
        return attendance
    start = amended.amendment.check_in_at or attendance.start
    end = amended.amendment.check_out_at or attendance.end
    return replace(
        attendance,
        start=start,
        end=end,
        payable_seconds=_payable_seconds(start, end, attendance.end_max, elsewhere),
        amended=True,
        approved=True,
        findings=(*attendance.findings, *_findings(amended, start, end, attendance.end_max, visit)),
    )


def amended_alone(
    records: Sequence[SlotRecord],
    changes: Mapping[WorkerId, Amended],
    *,
    visit: PlannedVisit,
    elsewhere: Mapping[WorkerId, Sequence[Period]] = MappingProxyType({}),
) -> list[SlotRecord]:
    """The slots with approved amendments of workers who logged nothing: their own slot if free, else the lowest free one."""
    filled = list(records)
    for worker, amended in sorted(changes.items()):
        if not amended.approved or amended.amendment.check_in_at is None:
            continue
        free = [record for record in filled if record.attendance is None]
        record = next((one for one in free if one.rostered == worker), free[0] if free else None)
        if record is not None:
            filled[record.slot] = replace(
                record, attendance=_made_by_hand(worker, amended, visit, elsewhere.get(worker, ()))
            )
    return filled


def _made_by_hand(worker: WorkerId, amended: Amended, visit: PlannedVisit, elsewhere: Sequence[Period]) -> Attendance:
    start, end = amended.amendment.check_in_at, amended.amendment.check_out_at
    return Attendance(
        attendance_id=amended.event.event_id,
        worker=worker,
        customer=visit.customer_id,
        start=start,
        end=end,
        check_in=None,
        check_out=None,
        visit=visit.visit_id,
        grade_time=amended.event.grade_time,
        grade_place=amended.event.grade_place,
        payable_seconds=_payable_seconds(start, end, None, elsewhere),
        amended=True,
        approved=True,
        findings=_findings(amended, start, end, None, visit),
    )


def _payable_seconds(
    start: datetime | None, end: datetime | None, end_max: datetime | None, elsewhere: Sequence[Period]
) -> int:
    if start is None or end is None:
        return 0
    last = end if end_max is None else min(end, end_max)
    if last <= start:
        return 0
    there = Period(start=start, end=last)
    return there.seconds - _covered_seconds(there, elsewhere)


def _covered_seconds(there: Period, elsewhere: Sequence[Period]) -> int:
    """Seconds of `there` in which the worker was somewhere else, each counted once."""
    covered, reached = 0, there.start
    for other in sorted(elsewhere, key=lambda period: (period.start, period.end)):
        if other.end > reached and other.start < there.end:
            covered += there.shared_seconds(Period(start=max(reached, other.start), end=max(reached, other.end)))
            reached = max(reached, other.end)
    return covered


def _findings(
    amended: Amended, start: datetime | None, end: datetime | None, end_max: datetime | None, visit: PlannedVisit
) -> tuple[Finding, ...]:
    ids = (amended.event.event_id,)
    words = f"Amended ({amended.amendment.reason_code}), attested and approved by two people."
    if end is not None and end_max is not None and end > end_max:
        words += f" {-(-(end - end_max) // timedelta(minutes=1))} minutes of it are held: the worker could not have stayed so long."
    found = [Finding(code=FindingCode.AMENDED, words=words, evidence=ids)]
    if start == visit.start and end == ends_at(start=visit.start, minutes=visit.minutes):
        words = f"Amended to exactly the planned {visit.minutes} minutes."
        found.append(Finding(code=FindingCode.AMENDED_TO_PLANNED, words=words, evidence=ids))
    return tuple(found)
