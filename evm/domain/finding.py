"""Something wrong that was recorded about a visit: a value, never an exception. Not an alert (something a person must act on)."""

from dataclasses import dataclass
from enum import StrEnum


class FindingCode(StrEnum):
    """Every kind of finding (rules.md). The text is the code used in tests, pages and docs."""

    LATE = "late"
    EARLY = "early"
    SHORT = "short"
    LONG = "long"
    MISSED = "missed"
    FORGOTTEN_CHECK_OUT = "forgotten check-out"
    ORPHAN_CHECK_OUT = "check-out without check-in"
    PLACE_UNVERIFIED = "place unverified"
    PLACE_CONTRADICTED = "place contradicted"
    TIME_UNVERIFIED = "time unverified"
    OVERLAP = "overlap"
    IMPOSSIBLE_JOURNEY = "impossible journey"
    DOUBLE_UP_NOT_TOGETHER = "double-up not together"
    CLOCK_TAMPERING = "clock tampering"
    DUPLICATE_EVENTS = "duplicate events"
    CONFLICTING_EVENTS = "conflicting events"
    REPLAYED_FIX = "replayed fix"
    BROKEN_CHAIN = "broken chain"
    SEQUENCE_FORK = "sequence fork"
    AMENDED = "amended"
    AMENDED_TO_PLANNED = "amended to exactly planned"
    IDENTICAL_DURATIONS = "identical durations"
    MANY_WORKERS_ON_DEVICE = "many workers on one device"
    VISIT_WHILE_AWAY = "visit while away"
    OTHER_WORKER = "another worker than rostered"
    UNPLANNED = "unplanned attendance"
    SPLIT = "one stay split over two visits"
    CRAMMING_BY_WORKER = "call cramming by the worker"
    CRAMMING_IN_ROSTER = "call cramming built into the roster"
    HIGH_MANUAL_SHARE = "high manual share"
    SILENT_CUSTOMER = "silent customer"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Finding:
    """`words` is the whole sentence a person reads; `evidence` are the event ids it rests on, sorted."""

    code: FindingCode
    words: str
    slot: int | None = None
    evidence: tuple[str, ...] = ()
