"""The sentences of what is wrong with one attendance or one visit. Each function looks at one thing; none decides any money.
Sentences name times, minutes and ids, never a person's name."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from evm.domain.attendances import clock
from evm.domain.evidence import Evidence, Grade
from evm.domain.finding import Finding, FindingCode
from evm.domain.ids import WorkerId
from evm.domain.period import seconds_between
from evm.domain.plan import Absence, PlannedVisit
from evm.domain.policy import Policy
from evm.domain.visit import Attendance, SlotRecord

FLAG_WORDS: Final[Mapping[str, tuple[FindingCode, str]]] = MappingProxyType(
    {
        code.value: (code, words)
        for code, words in (
            (FindingCode.CLOCK_TAMPERING, "The phone's clock cannot be right."),
            (FindingCode.DUPLICATE_EVENTS, "The same event was recorded twice."),
            (
                FindingCode.CONFLICTING_EVENTS,
                "Two different messages carry the same event id: the cautious reading counts.",
            ),
            (FindingCode.REPLAYED_FIX, "The very same position was sent before: it may have been replayed."),
            (FindingCode.BROKEN_CHAIN, "The event does not follow from the phone's previous one."),
            (FindingCode.SEQUENCE_FORK, "The phone used this sequence number for something else, too."),
            (FindingCode.MANY_WORKERS_ON_DEVICE, "Several workers use this phone."),
        )
    }
)
"""What a flag set at receipt says on the visit. Other flags are notes about the device and make no finding."""


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Each finding once, by code, slot and words."""
    distinct = set(findings)
    if len(distinct) <= 1:
        return tuple(distinct)
    return tuple(sorted(distinct, key=_place))


def _place(one: Finding) -> tuple[str, int, str, tuple[str, ...]]:
    return one.code, -1 if one.slot is None else one.slot, one.words, one.evidence


def of_evidence(events: Sequence[Evidence]) -> list[Finding]:
    """What was seen when the events were received: flags, grades of time and of place."""
    found: list[Finding] = []
    for event in events:
        ids = (event.event_id,)
        word = event.kind.value.replace("_", "-")
        for flag in event.flags:
            if flag in FLAG_WORDS:
                code, words = FLAG_WORDS[flag]
                found.append(Finding(code=code, words=words, evidence=ids))
        if event.grade_place is Grade.C:
            words = f"Nothing proves the place of the {word} (grade C)."
            found.append(Finding(code=FindingCode.PLACE_UNVERIFIED, words=words, evidence=ids))
        if event.grade_place is Grade.D:
            words = f"The place of the {word} is contradicted (grade D)."
            found.append(Finding(code=FindingCode.PLACE_CONTRADICTED, words=words, evidence=ids))
        if event.grade_time in {Grade.C, Grade.D}:
            words = f"Nothing proves the time of the {word} (grade {event.grade_time})."
            found.append(Finding(code=FindingCode.TIME_UNVERIFIED, words=words, evidence=ids))
    return found


def against_plan(
    attendance: Attendance, visit: PlannedVisit, rostered: WorkerId | None, policy: Policy
) -> list[Finding]:
    """Late, early, short, long, and another worker than rostered."""
    found = _punctuality(attendance, visit, policy) + _length(attendance, visit, policy)
    if rostered is not None and rostered != attendance.worker:
        words = f"Worker {attendance.worker} came; worker {rostered} was rostered."
        found.append(_on(FindingCode.OTHER_WORKER, words, attendance))
    return found


def _punctuality(attendance: Attendance, visit: PlannedVisit, policy: Policy) -> list[Finding]:
    if attendance.start is None:
        return []
    late_seconds = seconds_between(visit.start, attendance.start)
    if late_seconds > policy.late_minutes_max * 60:
        return [_on(FindingCode.LATE, _start_words(attendance.start, visit, late_seconds, "after", policy), attendance)]
    if -late_seconds > policy.early_minutes_max * 60:
        return [
            _on(FindingCode.EARLY, _start_words(attendance.start, visit, -late_seconds, "before", policy), attendance)
        ]
    return []


def _start_words(start: datetime, visit: PlannedVisit, seconds: int, side: str, policy: Policy) -> str:
    return (
        f"Checked in at {clock(start, policy=policy)}, {_minutes(seconds // 60)} {side} the planned start of "
        f"{clock(visit.start, policy=policy)}."
    )


def _length(attendance: Attendance, visit: PlannedVisit, policy: Policy) -> list[Finding]:
    if attendance.start is None or attendance.end is None:
        return []
    stayed = seconds_between(attendance.start, attendance.end)
    of_planned = f"of the planned {visit.minutes}"
    if attendance.payable_seconds < policy.short_share_min * visit.minutes * 60:
        return [_on(FindingCode.SHORT, f"{_minutes(attendance.minutes)} {of_planned}.", attendance)]
    if stayed > policy.long_share_max * visit.minutes * 60:
        return [_on(FindingCode.LONG, f"{_minutes(stayed // 60)} instead {of_planned}.", attendance)]
    return []


def of_double_up(
    slots: Sequence[SlotRecord], overlap_seconds: int, visit: PlannedVisit, policy: Policy
) -> list[Finding]:
    """Both came and were not there together for most of the planned time."""
    closed = [record for record in slots if record.attendance is not None and record.attendance.end is not None]
    if visit.workers_needed < 2 or len(closed) < 2:
        return []
    if overlap_seconds >= policy.together_share_min * visit.minutes * 60:
        return []
    words = f"The workers were together for {overlap_seconds // 60} of the planned {visit.minutes} minutes."
    return [Finding(code=FindingCode.DOUBLE_UP_NOT_TOGETHER, words=words)]


def of_absence(customer_days: Sequence[Absence], *, start: datetime | None, end: datetime | None) -> list[Finding]:
    """Somebody checked in while the customer was away."""
    instant = start or end
    found = []
    for spell in customer_days:
        if instant is not None and spell.since <= instant and (spell.until is None or instant < spell.until):
            words = f"The customer was away then ({spell.kind.value})."
            found.append(Finding(code=FindingCode.VISIT_WHILE_AWAY, words=words))
    return found


def of_missing_slots(
    slots: Sequence[SlotRecord], visit: PlannedVisit, missed_due_at: datetime, now: datetime | None, policy: Policy
) -> list[Finding]:
    """The slots nobody came to, once their deadline has passed."""
    if now is None or now < missed_due_at:
        return []
    by = clock(missed_due_at, policy=policy)
    start = clock(visit.start, policy=policy)
    return [
        Finding(code=FindingCode.MISSED, words=f"Nobody checked in by {by} (planned start {start}).", slot=record.slot)
        for record in slots
        if record.attendance is None
    ]


def is_still_under_way(visit: PlannedVisit, check_out_due_at: datetime, now: datetime | None) -> bool:
    """Whether a check-out that is not there yet may still come in good time."""
    return now is not None and now < check_out_due_at and now - visit.start < timedelta(days=1)


def _on(code: FindingCode, words: str, attendance: Attendance) -> Finding:
    ids = sorted({event for event in (attendance.check_in, attendance.check_out) if event is not None})
    return Finding(code=code, words=words, evidence=tuple(ids))


def _minutes(count: int) -> str:
    return "1 minute" if count == 1 else f"{count} minutes"
