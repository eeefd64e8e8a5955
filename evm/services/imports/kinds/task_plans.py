"""Task plans: one row a weekly visit, all rows of a customer together the next version of their plan. Not the planned visits that follow
(evm.services.plan_following) and not the package they are held to (packages)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import Any, Final

from sqlalchemy.orm import Session

from evm.domain.billing.agreement import Agreement, agreement_on
from evm.domain.ids import CustomerId, ProviderId
from evm.domain.occurrences import DAYS_AHEAD_MAX, occurrences
from evm.domain.people import Customer
from evm.domain.period import care_day
from evm.domain.plan import Outcome, Risk, SupportPlan, Task, TaskPlan, VisitPattern
from evm.domain.plan_check import PlanInvalid, check_patterns, check_plan
from evm.services.imports import availability, fields
from evm.services.imports.compare import differences
from evm.services.imports.csv_file import Row, RowError
from evm.services.imports.fields import CellRefused
from evm.services.imports.kind import Context, FieldDef, Taken, read_row, rejected
from evm.services.imports.layout import Layout
from evm.services.imports.scope import Scope
from evm.store import imports, money, people, plans

_TASK: Final = re.compile(r"(?P<code>[^:\[\]]+):(?P<words>[^\[\]]+)\[(?P<outcome>[^\[\]]+)\]\s*(?P<critical>!?)")


def tasks(text: str, layout: Layout) -> tuple[Task, ...]:
    """Tasks separated by semicolons, each `code: words [outcome]`, with a `!` behind when it cannot wait."""
    found: list[Task] = []
    for part in (part.strip() for part in text.split(";") if part.strip()):
        named = _TASK.fullmatch(part)
        if named is None:
            raise CellRefused(
                f"{part[:60]!r} is no task: write code: words [outcome], such as meal: A hot meal [improved health]"
            )
        code = fields.skill(named["code"].strip(), layout)
        if code in {one.code for one in found}:
            raise CellRefused(f"task {code!r} stands there twice: once is enough")
        found.append(
            Task(
                code=code,
                words=fields.text(max=200)(named["words"].strip(), layout),
                outcome=fields.one_of(Outcome)(named["outcome"].strip(), layout),
                time_critical=bool(named["critical"]),
            )
        )
    return tuple(found)


FIELDS: Final = (
    FieldDef(
        name="customer",
        required=True,
        words="The customer's id; rows of one customer stand together",
        example="c-0001",
        reader=fields.identifier,
        together=True,
    ),
    FieldDef(
        name="effective_from",
        required=True,
        words="First day of this version, the same in all rows of a customer",
        example="2026-11-30",
        reader=fields.day,
    ),
    FieldDef(name="visit", required=True, words="The visit's name", example="breakfast", reader=fields.skill),
    FieldDef(
        name="weekdays",
        required=True,
        words="Mon-Fri, or Mon,Wed,Sat, or daily",
        example="daily",
        reader=availability.weekdays,
    ),
    FieldDef(name="start", required=True, words="Local time of day", example="08:00", reader=fields.local_time),
    FieldDef(
        name="minutes",
        required=True,
        words="How long, in whole minutes",
        example="30",
        reader=fields.whole(least=1, most=1_440),
    ),
    FieldDef(
        name="workers_needed",
        required=False,
        words="1 or 2 (a double-up); 1 if left out",
        example="1",
        reader=fields.whole(least=1, most=2),
    ),
    FieldDef(
        name="risk",
        required=False,
        words="time_critical, standard, low; standard if left out",
        example="standard",
        reader=fields.one_of(Risk),
    ),
    FieldDef(
        name="tasks",
        required=False,
        words="code: words [outcome], separated by semicolons; ! behind one that cannot wait",
        example="meal: A hot breakfast [improved health]; medicine: Morning tablets [improved health] !",
        reader=tasks,
    ),
    FieldDef(
        name="skills_required",
        required=False,
        words="Skills, separated by semicolons",
        example="medication",
        reader=fields.many(fields.skill),
    ),
    FieldDef(
        name="flexible_minutes",
        required=False,
        words="How much earlier or later it may begin; 30 if left out",
        example="30",
        reader=fields.whole(least=0, most=720),
    ),
    FieldDef(
        name="on_bank_holidays",
        required=False,
        words="yes or no; yes if left out",
        example="yes",
        reader=fields.yes_no,
    ),
    FieldDef(
        name="offset_minutes",
        required=False,
        words="For a time that comes twice when the clocks go back: 60 for the first, 0 for the second",
        example="",
        reader=fields.whole(least=-720, most=840),
    ),
)
OPTIONAL: Final = (
    "workers_needed",
    "risk",
    "tasks",
    "flexible_minutes",
    "on_bank_holidays",
    "offset_minutes",
)


@dataclass(frozen=True, slots=True)
class TaskPlans:
    name: str = "task_plans"
    words: str = "Weekly visits: all rows of a customer are the next version of their task plan. Planned visits follow."
    fields: tuple[FieldDef, ...] = FIELDS

    def take(self, session: Session, *, rows: Sequence[Row], context: Context) -> Sequence[Taken]:
        """Check and write the next versions, and ask for the planned visits to follow."""
        chunk = _Chunk(session, rows=rows, context=context)
        taken = [each for group in _groups(rows) for each in chunk.take(group)]
        plans.add_task_plans(session, plans=chunk.new)
        today = care_day(context.now, zone=context.policy.zone)
        since = {plan.customer_id: max(plan.effective_from, today) for plan in chunk.new}
        imports.queue_plans(session, since=since, now=context.now)
        imports.keep_unrolled(session, customer_ids=since, until_day=today)
        return taken

    def finish(self, session: Session, *, context: Context) -> tuple[RowError, ...]:
        """Nothing further: each customer's rows stand by themselves."""
        del session, context
        return ()


def _groups(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows that follow each other and name one customer."""
    found: list[list[Row]] = []
    for row in rows:
        if found and found[-1][0].values["customer"] == row.values["customer"]:
            found[-1].append(row)
        else:
            found.append([row])
    return found


class _Chunk:
    """What the database knows about the customers of a chunk, and what their rows make of it."""

    def __init__(self, session: Session, *, rows: Sequence[Row], context: Context) -> None:
        self._context = context
        self._scope = Scope(session, context)
        ids = sorted({CustomerId(row.values["customer"]) for row in rows})
        self._customers = {one.customer_id: one for one in people.customers(session, customer_ids=ids)}
        self._packages = plans.support_plans_of(session, customer_ids=ids)
        self._standing: dict[CustomerId, list[TaskPlan]] = {}
        for plan in plans.task_plans(session, customer_ids=ids):
            self._standing.setdefault(plan.customer_id, []).append(plan)
        providers = {one.provider_id for one in self._customers.values()}
        self._agreements = {each: money.agreements(session, provider_id=each) for each in sorted(providers)}
        self._taken: set[str] = set()
        self.new: list[TaskPlan] = []

    def take(self, rows: Sequence[Row]) -> list[Taken]:
        """One customer's rows."""
        named = rows[0].values["customer"]
        read = [read_row(row, fields=FIELDS, layout=self._context.layout) for row in rows]
        errors = {row.number: list(wrong) for row, (_, wrong) in zip(rows, read, strict=True)}
        first = rows[0].number
        customer = self._customers.get(CustomerId(named))
        errors[first] += self._scope.missing(first, named, customer)
        if named in self._taken:
            words = "its rows stand apart in the file: sort it by customer"
            errors[first].append(RowError(row=first, field="customer", words=words))
        self._taken.add(named)
        values = [each for each, _ in read]
        if customer is None or any(errors.values()):
            return _rejected(rows, errors)
        for row, wrong in _between(rows, values):
            errors[row].append(wrong)
        if any(errors.values()):
            return _rejected(rows, errors)
        return self._next(rows, customer, values)

    def _next(self, rows: Sequence[Row], customer: Customer, values: Sequence[Mapping[str, Any]]) -> list[Taken]:
        standing = self._standing.get(customer.customer_id, [])
        plan = TaskPlan(
            customer_id=customer.customer_id,
            version=len(standing) + 1,
            effective_from=values[0]["effective_from"],
            patterns=tuple(_pattern(each) for each in values),
        )
        subject = f"{plan.customer_id} version {plan.version}"
        if standing and set(standing[-1].patterns) == set(plan.patterns):
            return [Taken(row=row.number, outcome="same", subject=plan.customer_id) for row in rows]
        wrong = self._wrong(rows, plan, standing)
        if any(not error.warning for error in wrong):
            return _rejected(rows, {row.number: [one for one in wrong if one.row == row.number] for row in rows})
        self.new.append(plan)
        before = {one.slot_name: one for one in standing[-1].patterns} if standing else {}
        warnings = (*wrong, *self._over_budget(rows[0].number, customer, plan))
        return [
            _taken(row.number, pattern, before.get(pattern.slot_name), subject=subject, warnings=warnings)
            for row, pattern in zip(rows, plan.patterns, strict=True)
        ]

    def _wrong(self, rows: Sequence[Row], plan: TaskPlan, standing: Sequence[TaskPlan]) -> list[RowError]:
        first = rows[0].number
        found: list[RowError] = []
        today = care_day(self._context.now, zone=self._context.policy.zone)
        if plan.effective_from > today + timedelta(days=DAYS_AHEAD_MAX):
            words = f"{plan.effective_from} is more than {DAYS_AHEAD_MAX} days ahead"
            found.append(RowError(row=first, field="effective_from", words=words))
        if standing and plan.effective_from < standing[-1].effective_from:
            words = f"version {standing[-1].version} is in force from {standing[-1].effective_from}: a later one begins no earlier"
            found.append(RowError(row=first, field="effective_from", words=words))
        if self._package(plan) is None:
            words = f"no package is signed off for {plan.effective_from}: import packages first"
            found.append(RowError(row=first, field="effective_from", words=words))
        try:
            check_patterns(task_plan=plan)
        except PlanInvalid as invalid:
            found.append(RowError(row=first, field=invalid.field, words=invalid.words))
        if not found:
            found += self._clock_changes(rows, plan)
        return found

    def _package(self, plan: TaskPlan) -> SupportPlan | None:
        begun = [one for one in self._packages.get(plan.customer_id, ()) if one.effective_from <= plan.effective_from]
        return begun[-1] if begun else None

    def _over_budget(self, row: int, customer: Customer, plan: TaskPlan) -> tuple[RowError, ...]:
        package = self._package(plan)
        rate = _rate(self._agreements.get(customer.provider_id, ()), plan.effective_from)
        if package is None or rate is None:
            return ()
        check = check_plan(task_plan=plan, support_plan=package, rate_pence_per_minute=rate)
        if check.affordable:
            return ()
        words = (
            f"costs {check.over_pence} pence a week more than the package: the customer tops up, or the plan changes"
        )
        return (RowError(row=row, field="minutes", words=words, warning=True),)

    def _clock_changes(self, rows: Sequence[Row], plan: TaskPlan) -> list[RowError]:
        """Days of the year ahead on which a visit's time does not exist (said, and what is done) or comes twice (an offset is needed)."""
        found: list[RowError] = []
        for row, pattern in zip(rows, plan.patterns, strict=True):
            if not 0 <= pattern.start.hour <= 3:
                continue  # the clocks of no zone here change at another hour
            changes = occurrences(
                customer_id=plan.customer_id,
                provider_id=ProviderId(""),
                locality_id=self._customers[plan.customer_id].locality_id,
                task_plans=[
                    TaskPlan(customer_id=plan.customer_id, version=1, effective_from=date.min, patterns=(pattern,))
                ],
                since_day=plan.effective_from,
                until_day=plan.effective_from + timedelta(days=366),
                zone=self._context.policy.zone,
            ).clock_changes
            for change in changes:
                twice = "comes twice" in change.words
                words = change.words
                if twice:
                    words = f"{pattern.start:%H:%M} on {change.day} comes twice: fill offset_minutes, 60 for the first or 0 for the second"
                found.append(
                    RowError(
                        row=row.number, field="offset_minutes" if twice else "start", words=words, warning=not twice
                    )
                )
        return found


def _between(rows: Sequence[Row], values: Sequence[Mapping[str, Any]]) -> list[tuple[int, RowError]]:
    """What rows of one customer contradict each other in: the first day, two visits of one name, twin visits."""
    found: list[tuple[int, RowError]] = []
    for place, (row, each) in enumerate(zip(rows, values, strict=True)):
        if each["effective_from"] != values[0]["effective_from"]:
            words = f"differs from line {rows[0].number}: a version has one first day"
            found.append((row.number, RowError(row=row.number, field="effective_from", words=words)))
        for earlier, other in zip(rows[:place], values[:place], strict=True):
            twin = other["start"] == each["start"] and bool(other["weekdays"] & each["weekdays"])
            if other["visit"] == each["visit"] or twin:
                words = (
                    f"is the visit of line {earlier.number} again: for two care workers at once write workers_needed 2 on one row;"
                    " another visit has its own name and time"
                )
                found.append((row.number, RowError(row=row.number, field="visit", words=words)))
                break
    return found


def _pattern(values: Mapping[str, Any]) -> VisitPattern:
    said = {name: values[name] for name in OPTIONAL if values.get(name) is not None}
    return VisitPattern(
        slot_name=values["visit"],
        weekdays=values["weekdays"],
        start=values["start"],
        minutes=values["minutes"],
        skills_required=frozenset(values.get("skills_required") or ()),
        **said,
    )


def _taken(
    row: int, pattern: VisitPattern, before: VisitPattern | None, *, subject: str, warnings: Sequence[RowError]
) -> Taken:
    own = tuple(one for one in warnings if one.row == row)
    if before == pattern:
        return Taken(row=row, outcome="same", subject=subject, errors=own)
    if before is None:
        words = f"{pattern.slot_name} at {pattern.start:%H:%M}, {pattern.minutes} minutes"
        return Taken(row=row, outcome="new", subject=subject, words=words, errors=own)
    return Taken(
        row=row,
        outcome="changed",
        subject=subject,
        words=f"{pattern.slot_name}: {differences(before, pattern)}",
        errors=own,
    )


def _rate(agreements: Sequence[Agreement], day: date) -> Fraction | None:
    """The rate a plan is held against, where the provider has one agreement in force; None where none or several councils' are."""
    councils = {one.council for one in agreements}
    found = agreement_on(agreements, day=day) if len(councils) == 1 else None
    return None if found is None else found.rate_pence_per_minute


def _rejected(rows: Sequence[Row], errors: Mapping[int, Sequence[RowError]]) -> list[Taken]:
    """A plan is refused whole: a row without errors of its own is refused with its neighbours, and not counted as wrong twice."""
    return [rejected(row.number, *errors.get(row.number, ()), subject=row.values["customer"]) for row in rows]


TASK_PLANS: Final = TaskPlans()
