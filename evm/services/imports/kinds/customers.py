"""People receiving care: where they live, how they are reached, what they require of whom. Not their next of kin (next_of_kin) and not
their plans."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy.orm import Session

from evm.domain.ids import CustomerId, LocalityId, ProviderId, WorkerId
from evm.domain.people import Customer, Gender
from evm.domain.period import care_day
from evm.services.imports import fields
from evm.services.imports.compare import settled
from evm.services.imports.csv_file import Row, RowError
from evm.services.imports.kind import Context, FieldDef, Taken, read_row, rejected
from evm.services.imports.placing import Placing, Standing
from evm.services.imports.scope import Scope
from evm.services.localities import not_commissioned
from evm.store import people, people_changes

NAME_CHARACTERS_MAX: Final = 120
ADDRESS_CHARACTERS_MAX: Final = 300
PLAIN: Final = (
    "name",
    "address",
    "postcode",
    "phone",
    "landline_code",
    "gender_required",
    "language_required",
    "nhs_number",
)
"""Columns whose value is the customer's field of that name."""

FIELDS: Final = (
    FieldDef(
        name="customer", required=True, words="The customer's id", example="c-0001", reader=fields.identifier, key=True
    ),
    FieldDef(
        name="provider",
        required=False,
        words="Who looks after them; not needed with --provider",
        example="example-care",
        reader=fields.identifier,
    ),
    FieldDef(
        name="locality",
        required=False,
        words="Commissioned area; left out, it follows from the position or postcode",
        example="",
        reader=fields.identifier,
    ),
    FieldDef(
        name="name", required=True, words="Name", example="Ann Example", reader=fields.text(max=NAME_CHARACTERS_MAX)
    ),
    FieldDef(
        name="address",
        required=True,
        words="Address without the postcode",
        example="1 Example Road, Leeds",
        reader=fields.text(max=ADDRESS_CHARACTERS_MAX, lines=True),
    ),
    FieldDef(name="postcode", required=True, words="Postcode", example="LS1 4AP", reader=fields.postcode),
    FieldDef(
        name="latitude",
        required=False,
        words="Degrees (WGS 84); left out, the postcode's centre",
        example="53.7997",
        reader=fields.number(least=49, most=61),
    ),
    FieldDef(
        name="longitude",
        required=False,
        words="Degrees (WGS 84)",
        example="-1.5492",
        reader=fields.number(least=-9, most=2.1),
    ),
    FieldDef(
        name="radius_m",
        required=False,
        words="Within how many metres a position counts as there; 150 if left out",
        example="150",
        reader=fields.number(least=10, most=2_000),
    ),
    FieldDef(name="phone", required=False, words="Telephone", example="0113 496 0001", reader=fields.phone),
    FieldDef(
        name="landlines",
        required=False,
        words="Lines from which care workers check in, separated by semicolons",
        example="0113 496 0001",
        reader=fields.many(fields.phone),
    ),
    FieldDef(
        name="landline_code",
        required=False,
        words="Digits that tell two customers on one line apart",
        example="",
        reader=fields.digits(most=8),
    ),
    FieldDef(
        name="tags",
        required=False,
        words="Ids of the tags in that home, separated by semicolons",
        example="04a1b2c3d4e5f6",
        reader=fields.many(fields.text(max=64)),
    ),
    FieldDef(
        name="gender_required",
        required=False,
        words="Care workers of this gender only: female, male",
        example="",
        reader=fields.one_of(Gender),
    ),
    FieldDef(
        name="language_required", required=False, words="Language, as en, pa, bsl", example="", reader=fields.language
    ),
    FieldDef(
        name="workers_excluded",
        required=False,
        words="Ids of care workers who must not come",
        example="",
        reader=fields.many(fields.identifier),
    ),
    FieldDef(
        name="workers_preferred",
        required=False,
        words="Ids of care workers they would like, the first first",
        example="w-0001",
        reader=fields.many(fields.identifier),
    ),
    FieldDef(name="nhs_number", required=False, words="NHS number", example="943 476 5919", reader=fields.nhs_number),
)


@dataclass(frozen=True, slots=True)
class Customers:
    name: str = "customers"
    words: str = (
        "People receiving care. One who is there already takes what the file says; one the file does not name stays."
    )
    fields: tuple[FieldDef, ...] = FIELDS

    def take(self, session: Session, *, rows: Sequence[Row], context: Context) -> Sequence[Taken]:
        """Check and write: new customers, and changes to those that are there."""
        chunk = _Chunk(session, rows=rows, context=context)
        taken = [chunk.take(row) for row in rows]
        people.add_customers(session, customers=chunk.new)
        people_changes.change_customers(session, customers=chunk.changed)
        return taken

    def finish(self, session: Session, *, context: Context) -> tuple[RowError, ...]:
        """Nothing further: each row stands by itself."""
        del session, context
        return ()


class _Chunk:
    """What the database knows about the rows of a chunk, and what they make of it."""

    def __init__(self, session: Session, *, rows: Sequence[Row], context: Context) -> None:
        self._session = session
        self._context = context
        self._scope = Scope(session, context)
        self._refusals: dict[tuple[ProviderId, LocalityId], str | None] = {}
        self._placing = Placing(session, rows=rows, context=context, scope=self._scope)
        ids = [CustomerId(row.values["customer"]) for row in rows]
        self._known = {one.customer_id: one for one in people.customers(session, customer_ids=ids)}
        tags = {tag.strip() for row in rows for tag in row.values.get("tags", "").split(";") if tag.strip()}
        self._tag_of = dict(people.customers_of_tags(session, tags=tags))
        numbers = {row.values.get("nhs_number", "").replace(" ", "") for row in rows} - {""}
        self._number_of = people_changes.customers_of_nhs_numbers(session, numbers=numbers)
        self.new: list[Customer] = []
        self.changed: list[Customer] = []

    def take(self, row: Row) -> Taken:
        values, errors = read_row(row, fields=FIELDS, layout=self._context.layout)
        before = self._known.get(CustomerId(values.get("customer", "")))
        provider, wrong = self._scope.provider(row.number, values, stands=before.provider_id if before else None)
        if errors or wrong:
            return rejected(row.number, *errors, *wrong, subject=row.values["customer"])
        standing = (
            Standing()
            if before is None
            else Standing(home=before.home, locality=before.locality_id, postcode=before.postcode)
        )
        placed = self._placing.place(row.number, values, standing=standing)
        problems = (*placed.errors, *self._clashes(row.number, values), *_moved(row.number, before, placed.locality))
        if before is None and placed.locality is not None:
            problems += self._uncommissioned(row.number, provider, placed.locality)
        if placed.home is None or placed.locality is None or any(not error.warning for error in problems):
            return rejected(row.number, *problems, subject=values["customer"])
        return self._settled(
            row.number, before, _customer(values, before, placed.home, placed.locality, provider), problems
        )

    def _settled(self, row: int, before: Customer | None, after: Customer, warnings: tuple[RowError, ...]) -> Taken:
        self._claim(after)
        taken = settled(before, after, row=row, subject=after.customer_id, name=after.name, errors=warnings)
        if taken.outcome != "same":
            (self.new if before is None else self.changed).append(after)
        return taken

    def _uncommissioned(self, row: int, provider: ProviderId, locality: LocalityId) -> tuple[RowError, ...]:
        """A provider takes on nobody where its council has contracted others (background S8)."""
        if (provider, locality) not in self._refusals:
            today = care_day(self._context.now, zone=self._context.policy.zone)
            self._refusals[provider, locality] = not_commissioned(
                self._session, provider_id=provider, locality_id=locality, on=today
            )
        words = self._refusals[provider, locality]
        return () if words is None else (RowError(row=row, field="locality", words=words),)

    def _claim(self, customer: Customer) -> None:
        """Two rows of a chunk cannot have one tag or NHS number either."""
        self._tag_of.update(dict.fromkeys(customer.tags, customer.customer_id))
        if customer.nhs_number is not None:
            self._number_of[customer.nhs_number] = customer.customer_id

    def _clashes(self, row: int, values: Mapping[str, Any]) -> tuple[RowError, ...]:
        own = values["customer"]
        found = [
            RowError(
                row=row, field="tags", words=f"tag {tag!r} stands in another customer's home: take it off there first"
            )
            for tag in values.get("tags") or ()
            if self._tag_of.get(tag, own) != own
        ]
        number = values.get("nhs_number")
        if number is not None and self._number_of.get(number, own) != own:
            found.append(RowError(row=row, field="nhs_number", words="is another customer's: is one of them mistyped?"))
        return tuple(found)


def _moved(row: int, before: Customer | None, locality: Any) -> tuple[RowError, ...]:
    """A customer's planned visits go with them to another locality: a file does not move them."""
    if before is None or locality is None or locality == before.locality_id:
        return ()
    words = (
        f"is in {before.locality_id} on record: leave the column empty; `popback locality place-customers` moves customers, with"
        " their visits"
    )
    return (RowError(row=row, field="locality", words=words),)


def _customer(values: Mapping[str, Any], before: Customer | None, home: Any, locality: Any, provider: Any) -> Customer:
    """The customer as the row has it: columns the file leaves out keep what stands, empty cells empty it."""
    plain = {name: values[name] for name in PLAIN if name in values}
    several = {name: tuple(sorted(values[name] or ())) for name in ("landlines", "tags") if name in values}
    workers: dict[str, Any] = {}
    if "workers_excluded" in values:
        workers["workers_excluded"] = frozenset(WorkerId(one) for one in values["workers_excluded"] or ())
    if "workers_preferred" in values:
        workers["workers_preferred"] = tuple(WorkerId(one) for one in values["workers_preferred"] or ())
    found = plain | several | workers | {"home": home, "locality_id": locality, "provider_id": provider}
    if before is not None:
        return replace(before, **found)
    return Customer(customer_id=CustomerId(values["customer"]), **found)


CUSTOMERS: Final = Customers()
