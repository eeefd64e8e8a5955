"""What was agreed to happen: support plans, versioned task plans and the planned visits that follow from them.
Not what happened (visit.py) and not who travels where (rosters)."""

from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum

from evm.domain.ids import CustomerId, LocalityId, ProviderId, VisitId, WorkerId


class Outcome(StrEnum):
    """The seven outcomes a council signs off in a support plan (background S6)."""

    HEALTH = "improved health"
    QUALITY_OF_LIFE = "quality of life"
    CONTRIBUTION = "positive contribution"
    CHOICE = "choice and control"
    FREEDOM = "freedom from discrimination or harassment"
    ECONOMIC = "economic well-being"
    DIGNITY = "personal dignity"


class Risk(StrEnum):
    """How soon silence about a visit becomes an alert (rules.md, missed visits)."""

    TIME_CRITICAL = "time_critical"
    STANDARD = "standard"
    LOW = "low"


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportPlan:
    """Outcomes and budget signed off by the council. `commissioned_minutes_week` is the yardstick of reassessment."""

    customer_id: CustomerId
    outcomes: frozenset[Outcome]
    budget_week_pence: int
    commissioned_minutes_week: int
    effective_from: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One thing a visit must do; `time_critical` for medicine, food, continence."""

    code: str
    words: str
    outcome: Outcome
    time_critical: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitPattern:
    """One weekly visit of a task plan, in local time. `offset_minutes` (UTC offset) says which of two equal local times on the
    day the clocks go back; None elsewhere. `slot_name` ("breakfast") makes the visit's id stable across versions."""

    slot_name: str
    weekdays: frozenset[int]
    start: time
    minutes: int
    workers_needed: int = 1
    risk: Risk = Risk.STANDARD
    tasks: tuple[Task, ...] = ()
    skills_required: frozenset[str] = frozenset()
    flexible_minutes: int = 30
    on_bank_holidays: bool = True
    offset_minutes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPlan:
    """What each visit must do, when, how long and with how many workers, agreed by provider and customer. Versions never change:
    version n is in force from its `effective_from` until version n + 1's."""

    customer_id: CustomerId
    version: int
    effective_from: date
    patterns: tuple[VisitPattern, ...]


class CancelledBy(StrEnum):
    CUSTOMER = "customer"
    PROVIDER = "provider"
    COUNCIL = "council"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    at: datetime
    by: CancelledBy
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedVisit:
    """One occurrence of a task plan: `[start, start + minutes)`, `start` aware UTC, `workers_needed` slots numbered from 0.

    `rostered[slot]` is the worker on the published roster, or None. `revision` counts changes of this occurrence (deadlines are
    keyed by it). `popback` marks a promised visit outside the usual arrangement."""

    visit_id: VisitId
    customer_id: CustomerId
    provider_id: ProviderId
    locality_id: LocalityId
    start: datetime
    minutes: int
    workers_needed: int = 1
    rostered: tuple[WorkerId | None, ...] = (None,)
    risk: Risk = Risk.STANDARD
    tasks: tuple[str, ...] = ()
    skills_required: frozenset[str] = frozenset()
    flexible_minutes: int = 30
    task_plan_version: int = 1
    revision: int = 1
    popback: bool = False
    cancelled: Cancellation | None = None


class AbsenceKind(StrEnum):
    HOSPITAL = "hospital"
    RESPITE = "respite"
    HOLIDAY = "holiday"
    DECEASED = "deceased"


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """A spell `[since, until)` (aware UTC, `until` None = open) in which the customer's visits are suspended."""

    customer_id: CustomerId
    kind: AbsenceKind
    since: datetime
    until: datetime | None
