"""Commissioned packages: the minutes a week, the budget and the outcomes that the council signed off, as support plans. Not what each
visit does (task_plans)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy.orm import Session

from evm.domain.ids import CustomerId
from evm.domain.plan import Outcome, SupportPlan
from evm.services.imports import fields
from evm.services.imports.compare import differences
from evm.services.imports.csv_file import Row, RowError
from evm.services.imports.kind import Context, FieldDef, Taken, read_row, rejected
from evm.services.imports.scope import Scope
from evm.store import people, plans

MINUTES_WEEK_MAX: Final = 7 * 1_440 * 2
FIELDS: Final = (
    FieldDef(
        name="customer", required=True, words="The customer's id", example="c-0001", reader=fields.identifier, key=True
    ),
    FieldDef(
        name="effective_from", required=True, words="First day", example="2026-11-30", reader=fields.day, key=True
    ),
    FieldDef(
        name="commissioned_minutes_week",
        required=True,
        words="Minutes a week, both workers of a double-up counted",
        example="420",
        reader=fields.whole(least=1, most=MINUTES_WEEK_MAX),
    ),
    FieldDef(name="budget_week", required=True, words="Pounds a week", example="191.10", reader=fields.pence),
    FieldDef(
        name="outcomes",
        required=True,
        words="Outcomes signed off, separated by semicolons: " + ", ".join(outcome.value for outcome in Outcome),
        example="improved health; personal dignity",
        reader=fields.many(fields.one_of(Outcome)),
    ),
)


@dataclass(frozen=True, slots=True)
class Packages:
    name: str = "packages"
    words: str = "Commissioned packages, one a customer and first day. What is on record of a day never changes: give a change its own."
    fields: tuple[FieldDef, ...] = FIELDS

    def take(self, session: Session, *, rows: Sequence[Row], context: Context) -> Sequence[Taken]:
        """Check and write new support plans."""
        ids = [CustomerId(row.values["customer"]) for row in rows]
        customers = {one.customer_id: one for one in people.customers(session, customer_ids=ids)}
        standing = plans.support_plans_of(session, customer_ids=ids)
        scope = Scope(session, context)
        taken: list[Taken] = []
        new: list[SupportPlan] = []
        for row in rows:
            values, errors = read_row(row, fields=FIELDS, layout=context.layout)
            customer = customers.get(CustomerId(values.get("customer", "")))
            errors += scope.missing(row.number, row.values["customer"], customer)
            if errors or customer is None:
                taken.append(rejected(row.number, *errors, subject=row.values["customer"]))
                continue
            package = SupportPlan(
                customer_id=customer.customer_id,
                outcomes=frozenset(values["outcomes"]),
                budget_week_pence=values["budget_week"],
                commissioned_minutes_week=values["commissioned_minutes_week"],
                effective_from=values["effective_from"],
            )
            taken.append(_judged(row.number, package, standing.get(customer.customer_id, ())))
            new += [package] if taken[-1].outcome in {"new", "changed"} else []
        plans.add_support_plans(session, plans=new)
        return taken

    def finish(self, session: Session, *, context: Context) -> tuple[RowError, ...]:
        """Nothing further: each row stands by itself."""
        del session, context
        return ()


def _judged(row: int, package: SupportPlan, standing: Sequence[SupportPlan]) -> Taken:
    subject = f"{package.customer_id} from {package.effective_from}"
    same_day = [one for one in standing if one.effective_from == package.effective_from]
    if same_day:
        words = differences(same_day[0], package)
        if not words:
            return Taken(row=row, outcome="same", subject=subject)
        said = (
            f"a package from that day is on record and is not changed ({words}): give the change a first day of its own"
        )
        return rejected(row, RowError(row=row, field="effective_from", words=said), subject=subject)
    before = [one for one in standing if one.effective_from < package.effective_from]
    if not before:
        return Taken(
            row=row, outcome="new", subject=subject, words=f"{package.commissioned_minutes_week} minutes a week"
        )
    words = differences(replace(before[-1], effective_from=package.effective_from), package)
    if not words:
        return Taken(row=row, outcome="same", subject=subject)
    return Taken(row=row, outcome="changed", subject=subject, words=words)


PACKAGES: Final = Packages()
