"""What became of a planned visit as a whole, and how long its workers were there together. Not what was wrong with it (visit_findings)."""

from collections.abc import Sequence
from datetime import datetime

from evm.domain.evidence import EventKind, Evidence
from evm.domain.period import seconds_between
from evm.domain.plan import PlannedVisit
from evm.domain.policy import Policy
from evm.domain.visit import SlotRecord, VisitOutcome


def outcome_of(
    visit: PlannedVisit, slots: tuple[SlotRecord, ...], notes: Sequence[Evidence], policy: Policy, *, is_missed: bool
) -> VisitOutcome:
    """Turned away or not let in counts only while less than half of the planned time was given afterwards or besides."""
    attended = [record.attendance for record in slots if record.attendance is not None]
    given = max((one.payable_seconds for one in attended), default=0)
    if given < policy.not_delivered_share_max * visit.minutes * 60:
        if any(note.kind is EventKind.CUSTOMER_REFUSED for note in notes):
            return VisitOutcome.REFUSED
        no_reply = [note.at for note in notes if note.kind is EventKind.NO_REPLY]
        if no_reply and not any(one.start is not None and one.start > max(no_reply) for one in attended):
            return VisitOutcome.NO_REPLY
    if len(attended) == len(slots):
        return VisitOutcome.DELIVERED
    if attended:
        return VisitOutcome.PART_DELIVERED
    return VisitOutcome.MISSED if is_missed else VisitOutcome.PENDING


def overlap_seconds_of(slots: tuple[SlotRecord, ...]) -> int:
    """Seconds in which at least two of the slots' workers were present (stays are counted to their cap)."""
    edges: list[tuple[datetime, int]] = []
    for record in slots:
        one = record.attendance
        if one is not None and one.start is not None and one.end is not None:
            end = one.end if one.end_max is None else min(one.end, one.end_max)
            edges += [(one.start, 1), (max(one.start, end), -1)]
    total, present, since = 0, 0, None
    for at, change in sorted(edges):
        if since is not None and present >= 2:
            total += seconds_between(since, at)
        present, since = present + change, at
    return total
