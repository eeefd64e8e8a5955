"""Whom to ring about a customer. Not the customers themselves (customers)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from evm.domain.ids import CustomerId
from evm.services.imports import fields
from evm.services.imports.compare import shown
from evm.services.imports.csv_file import Row, RowError
from evm.services.imports.kind import Context, FieldDef, Taken, read_row, rejected
from evm.services.imports.scope import Scope
from evm.store import people, people_changes

NAME_CHARACTERS_MAX: Final = 120


@dataclass(frozen=True, slots=True)
class NextOfKin:
    name: str = "next_of_kin"
    words: str = "Whom to ring about a customer: one each. The customers are there already."
    fields: tuple[FieldDef, ...] = (
        FieldDef(
            name="customer",
            required=True,
            words="The customer's id",
            example="c-0001",
            reader=fields.identifier,
            key=True,
        ),
        FieldDef(
            name="name", required=True, words="Name", example="Bob Example", reader=fields.text(max=NAME_CHARACTERS_MAX)
        ),
        FieldDef(name="phone", required=True, words="Telephone", example="0113 496 0002", reader=fields.phone),
    )

    def take(self, session: Session, *, rows: Sequence[Row], context: Context) -> Sequence[Taken]:
        """Check and write whom to ring."""
        scope = Scope(session, context)
        ids = [CustomerId(row.values["customer"]) for row in rows]
        known = {one.customer_id: one for one in people.customers(session, customer_ids=ids)}
        taken: list[Taken] = []
        kin: dict[CustomerId, tuple[str | None, str | None]] = {}
        for row in rows:
            values, errors = read_row(row, fields=self.fields, layout=context.layout)
            customer = known.get(CustomerId(values.get("customer", "")))
            errors += scope.missing(row.number, row.values["customer"], customer)
            if errors or customer is None:
                taken.append(rejected(row.number, *errors, subject=row.values["customer"]))
                continue
            before = (customer.next_of_kin_name, customer.next_of_kin_phone)
            after = (values["name"], values["phone"])
            if before == after:
                taken.append(Taken(row=row.number, outcome="same", subject=customer.customer_id))
                continue
            kin[customer.customer_id] = after
            words = f"{shown(before[0])}, {shown(before[1])} → {shown(after[0])}, {shown(after[1])}"
            outcome = "new" if before == (None, None) else "changed"
            taken.append(Taken(row=row.number, outcome=outcome, subject=customer.customer_id, words=words))  # type: ignore[arg-type]
        people_changes.change_next_of_kin(session, kin=kin)
        return taken

    def finish(self, session: Session, *, context: Context) -> tuple[RowError, ...]:
        """Nothing further: each row stands by itself."""
        del session, context
        return ()


NEXT_OF_KIN: Final = NextOfKin()
