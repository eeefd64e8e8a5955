"""Plans as database rows and back: support plans, task plans, planned visits, absences, pop-back requests. Not the statements."""

from collections.abc import Mapping, Sequence
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import RowMapping

from evm.domain.ids import CustomerId, LocalityId, ProviderId, VisitId, WorkerId
from evm.domain.plan import (
    Absence,
    AbsenceKind,
    Cancellation,
    CancelledBy,
    Outcome,
    PlannedVisit,
    Risk,
    SupportPlan,
    Task,
    TaskPlan,
    VisitPattern,
)
from evm.domain.popback import Alternative, AlternativeKind, PopbackRequest, PopbackState

Row = RowMapping
Body = Mapping[str, Any]
Slots = tuple[WorkerId | None, ...]


def support_plan_row(plan: SupportPlan) -> dict[str, Any]:
    """A support plan as its row."""
    return {
        "customer_id": plan.customer_id,
        "effective_from": plan.effective_from,
        "outcomes": sorted(plan.outcomes),
        "budget_week_pence": plan.budget_week_pence,
        "commissioned_minutes_week": plan.commissioned_minutes_week,
    }


def support_plan_of(row: Row) -> SupportPlan:
    """The support plan of a row."""
    return SupportPlan(
        customer_id=CustomerId(row["customer_id"]),
        outcomes=frozenset(Outcome(outcome) for outcome in row["outcomes"]),
        budget_week_pence=row["budget_week_pence"],
        commissioned_minutes_week=row["commissioned_minutes_week"],
        effective_from=row["effective_from"],
    )


def task_plan_row(plan: TaskPlan) -> dict[str, Any]:
    """A task plan version as its row; the patterns are JSON, times as HH:MM[:SS]."""
    return {
        "customer_id": plan.customer_id,
        "version": plan.version,
        "effective_from": plan.effective_from,
        "patterns": [_pattern_body(pattern) for pattern in plan.patterns],
    }


def task_plan_of(row: Row) -> TaskPlan:
    """The task plan version of a row."""
    return TaskPlan(
        customer_id=CustomerId(row["customer_id"]),
        version=row["version"],
        effective_from=row["effective_from"],
        patterns=tuple(_pattern_of(body) for body in row["patterns"]),
    )


def _pattern_body(pattern: VisitPattern) -> dict[str, Any]:
    return {
        "slot_name": pattern.slot_name,
        "weekdays": sorted(pattern.weekdays),
        "start": pattern.start.isoformat(),
        "minutes": pattern.minutes,
        "workers_needed": pattern.workers_needed,
        "risk": pattern.risk,
        "tasks": [
            {"code": task.code, "words": task.words, "outcome": task.outcome, "time_critical": task.time_critical}
            for task in pattern.tasks
        ],
        "skills_required": sorted(pattern.skills_required),
        "flexible_minutes": pattern.flexible_minutes,
        "on_bank_holidays": pattern.on_bank_holidays,
        "offset_minutes": pattern.offset_minutes,
    }


def _pattern_of(body: Body) -> VisitPattern:
    return VisitPattern(
        slot_name=body["slot_name"],
        weekdays=frozenset(body["weekdays"]),
        start=time.fromisoformat(body["start"]),
        minutes=body["minutes"],
        workers_needed=body["workers_needed"],
        risk=Risk(body["risk"]),
        tasks=tuple(
            Task(
                code=task["code"],
                words=task["words"],
                outcome=Outcome(task["outcome"]),
                time_critical=task["time_critical"],
            )
            for task in body["tasks"]
        ),
        skills_required=frozenset(body["skills_required"]),
        flexible_minutes=body["flexible_minutes"],
        on_bank_holidays=body["on_bank_holidays"],
        offset_minutes=body["offset_minutes"],
    )


def planned_visit_row(visit: PlannedVisit, *, zone: ZoneInfo) -> dict[str, Any]:
    """A planned visit as its row; `care_day` is the local date of its start."""
    cancelled = visit.cancelled
    return {
        "visit_id": visit.visit_id,
        "customer_id": visit.customer_id,
        "provider_id": visit.provider_id,
        "locality_id": visit.locality_id,
        "care_day": visit.start.astimezone(zone).date(),
        "start_at": visit.start,
        "minutes": visit.minutes,
        "workers_needed": visit.workers_needed,
        "risk": visit.risk.value,
        "tasks": list(visit.tasks),
        "skills_required": sorted(visit.skills_required),
        "flexible_minutes": visit.flexible_minutes,
        "task_plan_version": visit.task_plan_version,
        "revision": visit.revision,
        "popback": visit.popback,
        "cancelled_at": None if cancelled is None else cancelled.at,
        "cancelled_by": None if cancelled is None else cancelled.by.value,
        "cancelled_reason": None if cancelled is None else cancelled.reason,
    }


def planned_visit_of(row: Row, *, rostered: Slots) -> PlannedVisit:
    """The planned visit of a row and its slots' workers."""
    return PlannedVisit(
        visit_id=VisitId(row["visit_id"]),
        customer_id=CustomerId(row["customer_id"]),
        provider_id=ProviderId(row["provider_id"]),
        locality_id=LocalityId(row["locality_id"]),
        start=row["start_at"],
        minutes=row["minutes"],
        workers_needed=row["workers_needed"],
        rostered=rostered,
        risk=Risk(row["risk"]),
        tasks=tuple(row["tasks"]),
        skills_required=frozenset(row["skills_required"]),
        flexible_minutes=row["flexible_minutes"],
        task_plan_version=row["task_plan_version"],
        revision=row["revision"],
        popback=row["popback"],
        cancelled=_cancellation_of(row),
    )


def _cancellation_of(row: Row) -> Cancellation | None:
    if row["cancelled_at"] is None:
        return None
    return Cancellation(
        at=row["cancelled_at"], by=CancelledBy(row["cancelled_by"]), reason=row["cancelled_reason"] or ""
    )


def padded(workers: Sequence[WorkerId | None], *, workers_needed: int) -> Slots:
    """One entry a slot: short rosterings are filled up with None, slots that are no longer needed fall away."""
    kept = tuple(workers[:workers_needed])
    return kept + (None,) * (workers_needed - len(kept))


def absence_row(absence: Absence) -> dict[str, Any]:
    """An absence as its row."""
    return {
        "customer_id": absence.customer_id,
        "kind": absence.kind.value,
        "since": absence.since,
        "until": absence.until,
    }


def absence_of(row: Row) -> Absence:
    """The absence of a row."""
    return Absence(
        customer_id=CustomerId(row["customer_id"]),
        kind=AbsenceKind(row["kind"]),
        since=row["since"],
        until=row["until"],
    )


def popback_row(request: PopbackRequest) -> dict[str, Any]:
    """A pop-back request as its row."""
    return {
        "request_id": request.request_id,
        "customer_id": request.customer_id,
        "asked_at": request.asked_at,
        "asked_by": request.asked_by,
        "wanted_at": request.wanted_at,
        "minutes": request.minutes,
        "workers_needed": request.workers_needed,
        "state": request.state.value,
        "visit_id": request.visit_id,
        "answer": request.answer,
        "alternatives": [_alternative_body(alternative) for alternative in request.alternatives],
    }


def popback_of(row: Row) -> PopbackRequest:
    """The pop-back request of a row."""
    return PopbackRequest(
        request_id=row["request_id"],
        customer_id=CustomerId(row["customer_id"]),
        asked_at=row["asked_at"],
        asked_by=row["asked_by"],
        wanted_at=row["wanted_at"],
        minutes=row["minutes"],
        workers_needed=row["workers_needed"],
        state=PopbackState(row["state"]),
        visit_id=None if row["visit_id"] is None else VisitId(row["visit_id"]),
        answer=row["answer"],
        alternatives=tuple(_alternative_of(body) for body in row["alternatives"]),
    )


def _alternative_body(alternative: Alternative) -> dict[str, Any]:
    return {
        "kind": alternative.kind,
        "words": alternative.words,
        "at": None if alternative.at is None else alternative.at.isoformat(),
        "minutes": alternative.minutes,
        "visit_id": alternative.visit_id,
    }


def _alternative_of(body: Body) -> Alternative:
    return Alternative(
        kind=AlternativeKind(body["kind"]),
        words=body["words"],
        at=None if body["at"] is None else datetime.fromisoformat(body["at"]),
        minutes=body["minutes"],
        visit_id=None if body["visit_id"] is None else VisitId(body["visit_id"]),
    )
