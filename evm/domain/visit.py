"""What happened: attendances and the visits they make. Not money (billing) and not what must be acted on (alerts)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from evm.domain.evidence import Grade
from evm.domain.finding import Finding
from evm.domain.ids import CustomerId, ProviderId, VisitId, WorkerId


class VisitOutcome(StrEnum):
    """`PENDING`: its time has not come, or nothing is known yet; `MISSED` is concluded by the missed-visit deadline (rules.md)."""

    PENDING = "pending"
    DELIVERED = "delivered"
    PART_DELIVERED = "part delivered"
    MISSED = "missed"
    CANCELLED = "cancelled"
    REFUSED = "refused by customer"
    NO_REPLY = "no reply"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attendance:
    """One worker with one customer, `[start, end)` in aware UTC whole seconds. `end` None: no check-out (pays 0 until amended).

    `payable_seconds` is 0 when open, orphan or doubtful; `end_max` is the last moment from which the worker's next check-in elsewhere
    was feasible. Grades are the worse of both events'. `attendance_id` is the check-in's event id (the check-out's when orphan);
    a split stay adds ":1", ":2". `feed`: the vendor whose feed any of it came in; None: all our own."""

    attendance_id: str
    worker: WorkerId
    customer: CustomerId
    start: datetime | None
    end: datetime | None
    check_in: str | None
    check_out: str | None
    visit: VisitId | None
    grade_time: Grade
    grade_place: Grade
    end_max: datetime | None = None
    payable_seconds: int = 0
    amended: bool = False
    approved: bool = False
    waits: bool = False
    findings: tuple[Finding, ...] = ()
    feed: str | None = None

    @property
    def minutes(self) -> int:
        """Evidenced minutes: floor(payable seconds ÷ 60) (rules.md, Billing)."""
        return self.payable_seconds // 60


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotRecord:
    """One slot of a planned visit and the attendance matched to it, if any."""

    slot: int
    rostered: WorkerId | None
    attendance: Attendance | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What happened at one planned visit, or at an unplanned attendance (`visit_id` None, one slot).

    `overlap_seconds`: time both slots were present (double-handed time; 0 for one worker). `version` counts reconciliations that
    changed something; it is given by the store, and 0 here."""

    visit_id: VisitId | None
    customer: CustomerId
    provider: ProviderId
    care_day: str
    planned_start: datetime | None
    planned_minutes: int | None
    outcome: VisitOutcome
    slots: tuple[SlotRecord, ...]
    overlap_seconds: int = 0
    findings: tuple[Finding, ...] = ()
    version: int = 0
