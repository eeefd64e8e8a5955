"""Planned visits that follow from a customer's weekly task plans. Pure and idempotent: the same plans give the same visits with the
same ids. Not their roster and not their storage."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256

from evm.domain.ids import CustomerId, LocalityId, ProviderId, VisitId
from evm.domain.period import AmbiguousLocalTime, NonexistentLocalTime, to_utc
from evm.domain.plan import Absence, PlannedVisit, TaskPlan, VisitPattern

DAYS_AHEAD_MAX = 400
"""No plan is unrolled further (bad-input 78)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockChange:
    """A visit whose planned local time does not exist or comes twice that day, and what was chosen: said aloud, never silent."""

    visit_id: VisitId
    customer_id: CustomerId
    day: date
    start: datetime
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrences:
    """`visits` sorted by start and id; `suspended` are those left out because the customer is away."""

    visits: tuple[PlannedVisit, ...]
    clock_changes: tuple[ClockChange, ...] = ()
    suspended: tuple[PlannedVisit, ...] = ()


def visit_id_of(*, customer_id: CustomerId, slot_name: str, day: date) -> VisitId:
    """The id of one occurrence: the same whatever version of the plan it follows from."""
    digest = sha256(f"{customer_id}|{slot_name}|{day.isoformat()}".encode()).hexdigest()
    return VisitId("v" + digest[:24])


def plan_in_force(task_plans: Sequence[TaskPlan], *, day: date) -> TaskPlan | None:
    """The version in force on `day`: the one with the latest `effective_from` not after it (then the highest version)."""
    begun = [plan for plan in task_plans if plan.effective_from <= day]
    return max(begun, key=lambda plan: (plan.effective_from, plan.version), default=None)


def occurrences(
    *,
    customer_id: CustomerId,
    provider_id: ProviderId,
    locality_id: LocalityId,
    task_plans: Sequence[TaskPlan],
    since_day: date,
    until_day: date,
    zone: str,
    bank_holidays: Collection[date] = frozenset(),
    absences: Sequence[Absence] = (),
) -> Occurrences:
    """Every planned visit of the customer on the local days `[since_day, until_day)`, nobody rostered yet.

    Raises ValueError when the range is longer than `DAYS_AHEAD_MAX`."""
    if (until_day - since_day).days > DAYS_AHEAD_MAX:
        raise ValueError(f"Plans are unrolled at most {DAYS_AHEAD_MAX} days at a time.")
    own = [plan for plan in task_plans if plan.customer_id == customer_id]
    visits: list[PlannedVisit] = []
    changes: list[ClockChange] = []
    for ordinal in range(since_day.toordinal(), until_day.toordinal()):
        day = date.fromordinal(ordinal)
        plan = plan_in_force(own, day=day)
        for pattern in _patterns_of(plan, day, bank_holidays):
            visit, change = _occurrence(plan, pattern, day, zone, provider_id, locality_id)
            visits.append(visit)
            changes += [change] if change else []
    visits.sort(key=lambda visit: (visit.start, visit.visit_id))
    away = {visit.visit_id for visit in visits if is_away(visit, absences=absences)}
    return Occurrences(
        visits=tuple(visit for visit in visits if visit.visit_id not in away),
        clock_changes=tuple(change for change in changes if change.visit_id not in away),
        suspended=tuple(visit for visit in visits if visit.visit_id in away),
    )


def is_away(visit: PlannedVisit, *, absences: Sequence[Absence]) -> bool:
    """Whether the customer is away when the visit should start."""
    return any(
        spell.customer_id == visit.customer_id
        and spell.since <= visit.start
        and (spell.until is None or visit.start < spell.until)
        for spell in absences
    )


def _patterns_of(plan: TaskPlan | None, day: date, bank_holidays: Collection[date]) -> list[VisitPattern]:
    if plan is None:
        return []
    return [
        pattern
        for pattern in plan.patterns
        if day.weekday() in pattern.weekdays and (pattern.on_bank_holidays or day not in bank_holidays)
    ]


def _occurrence(
    plan: TaskPlan | None, pattern: VisitPattern, day: date, zone: str, provider_id: ProviderId, locality_id: LocalityId
) -> tuple[PlannedVisit, ClockChange | None]:
    assert plan is not None
    start, words = _start_of(pattern, day, zone)
    visit = PlannedVisit(
        visit_id=visit_id_of(customer_id=plan.customer_id, slot_name=pattern.slot_name, day=day),
        customer_id=plan.customer_id,
        provider_id=provider_id,
        locality_id=locality_id,
        start=start,
        minutes=pattern.minutes,
        workers_needed=pattern.workers_needed,
        rostered=(None,) * pattern.workers_needed,
        risk=pattern.risk,
        tasks=tuple(task.code for task in pattern.tasks),
        skills_required=pattern.skills_required,
        flexible_minutes=pattern.flexible_minutes,
        task_plan_version=plan.version,
    )
    if not words:
        return visit, None
    change = ClockChange(visit_id=visit.visit_id, customer_id=plan.customer_id, day=day, start=start, words=words)
    return visit, change


def _start_of(pattern: VisitPattern, day: date, zone: str) -> tuple[datetime, str]:
    """The start and, when the clocks change under it, the sentence that says what was chosen."""
    local = f"{pattern.start:%H:%M} on {day:%d %B %Y}"
    try:
        return to_utc(day=day, at=pattern.start, zone=zone), ""
    except NonexistentLocalTime as gap:
        return gap.choices[
            0
        ], f"{local} does not exist, the clocks go forward: the visit starts an hour later by the clock."
    except AmbiguousLocalTime as twice:
        chosen = pattern.offset_minutes if pattern.offset_minutes in twice.offsets_minutes else twice.offsets_minutes[0]
        which = "first" if chosen == twice.offsets_minutes[0] else "second"
        words = (
            ""
            if pattern.offset_minutes == chosen
            else f"{local} comes twice, the clocks go back: the {which} is taken."
        )
        return to_utc(day=day, at=pattern.start, zone=zone, offset_minutes=chosen), words
