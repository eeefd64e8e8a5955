"""Councils, providers and branches: ids with names. Not who of them may do what."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sqlalchemy.orm import Session

from evm.domain.ids import BranchId, CouncilId, ProviderId
from evm.domain.people import Branch, Council, Provider
from evm.services.imports import fields
from evm.services.imports.compare import differences
from evm.services.imports.csv_file import Row, RowError
from evm.services.imports.kind import Context, FieldDef, Taken, read_row, rejected
from evm.services.imports.scope import Scope
from evm.store import people, people_changes

Record = TypeVar("Record", Council, Provider, Branch)
NAME_CHARACTERS_MAX: Final = 120


def _id_field(name: str, words: str, example: str) -> FieldDef:
    return FieldDef(name=name, required=True, words=words, example=example, reader=fields.identifier, key=True)


NAME: Final = FieldDef(
    name="name",
    required=True,
    words="What people call it",
    example="Example Care",
    reader=fields.text(max=NAME_CHARACTERS_MAX),
)


def outcome_of(row: int, before: Record | None, after: Record, *, subject: str) -> Taken:
    """What a row does to a record that stands, or to none."""
    if before is None:
        return Taken(row=row, outcome="new", subject=subject, words=after.name)
    words = differences(before, after)
    return Taken(row=row, outcome="changed" if words else "same", subject=subject, words=words)


@dataclass(frozen=True, slots=True)
class Councils:
    """The commissioners."""

    name: str = "councils"
    words: str = "Councils that commission care; a council that is there already takes the file's name."
    fields: tuple[FieldDef, ...] = (_id_field("council", "The council's id", "leeds"), NAME)

    def take(self, session: Session, *, rows: Sequence[Row], context: Context) -> Sequence[Taken]:
        known = {one.council_id: one for one in people.councils(session)}
        taken: list[Taken] = []
        new: list[Council] = []
        changed: list[Council] = []
        for row in rows:
            values, errors = read_row(row, fields=self.fields, layout=context.layout)
            errors += _not_of(row, values, "council", context.council)
            if errors:
                taken.append(rejected(row.number, *errors))
                continue
            council = Council(council_id=CouncilId(values["council"]), name=values["name"])
            taken.append(outcome_of(row.number, known.get(council.council_id), council, subject=council.council_id))
            _sort(taken[-1], council, new, changed)
        people.add_councils(session, councils=new)
        people_changes.change_councils(session, councils=changed)
        return taken

    def finish(self, session: Session, *, context: Context) -> tuple[RowError, ...]:
        del session, context
        return ()


@dataclass(frozen=True, slots=True)
class Providers:
    """The agencies."""

    name: str = "providers"
    words: str = "Registered agencies; a provider that is there already takes the file's name."
    fields: tuple[FieldDef, ...] = (_id_field("provider", "The provider's id", "example-care"), NAME)

    def take(self, session: Session, *, rows: Sequence[Row], context: Context) -> Sequence[Taken]:
        known = {one.provider_id: one for one in people.providers(session)}
        taken: list[Taken] = []
        new: list[Provider] = []
        changed: list[Provider] = []
        for row in rows:
            values, errors = read_row(row, fields=self.fields, layout=context.layout)
            errors += _not_of(row, values, "provider", context.provider)
            if errors:
                taken.append(rejected(row.number, *errors))
                continue
            provider = Provider(provider_id=ProviderId(values["provider"]), name=values["name"])
            taken.append(
                outcome_of(row.number, known.get(provider.provider_id), provider, subject=provider.provider_id)
            )
            _sort(taken[-1], provider, new, changed)
        people.add_providers(session, providers=new)
        people_changes.change_providers(session, providers=changed)
        return taken

    def finish(self, session: Session, *, context: Context) -> tuple[RowError, ...]:
        del session, context
        return ()


@dataclass(frozen=True, slots=True)
class Branches:
    """The agencies' offices."""

    name: str = "branches"
    words: str = (
        "Offices of providers, with the number that alerts ring; one that is there already takes what the file says."
    )
    fields: tuple[FieldDef, ...] = (
        _id_field("branch", "The branch's id", "example-care-north"),
        FieldDef(
            name="provider",
            required=False,
            words="Whose office; not needed with --provider",
            example="example-care",
            reader=fields.identifier,
        ),
        NAME,
        FieldDef(name="phone", required=True, words="Telephone", example="0113 496 0000", reader=fields.phone),
    )

    def take(self, session: Session, *, rows: Sequence[Row], context: Context) -> Sequence[Taken]:
        known = {one.branch_id: one for one in people.branches(session)}
        scope = Scope(session, context)
        taken: list[Taken] = []
        new: list[Branch] = []
        changed: list[Branch] = []
        for row in rows:
            values, errors = read_row(row, fields=self.fields, layout=context.layout)
            before = known.get(BranchId(values.get("branch", "")))
            provider, wrong = scope.provider(row.number, values, stands=before.provider_id if before else None)
            if errors or wrong:
                taken.append(rejected(row.number, *errors, *wrong))
                continue
            branch = Branch(
                branch_id=BranchId(values["branch"]), provider_id=provider, name=values["name"], phone=values["phone"]
            )
            taken.append(outcome_of(row.number, before, branch, subject=branch.branch_id))
            _sort(taken[-1], branch, new, changed)
        people.add_branches(session, branches=new)
        people_changes.change_branches(session, branches=changed)
        return taken

    def finish(self, session: Session, *, context: Context) -> tuple[RowError, ...]:
        del session, context
        return ()


def _sort(taken: Taken, record: Record, new: list[Record], changed: list[Record]) -> None:
    if taken.outcome == "new":
        new.append(record)
    elif taken.outcome == "changed":
        changed.append(record)


def _not_of(row: Row, values: dict[str, Any], field: str, own: str | None) -> tuple[RowError, ...]:
    if own is None or values.get(field) in {own, None}:
        return ()
    return (RowError(row=row.number, field=field, words=f"this file is imported for {own} only"),)


COUNCILS: Final = Councils()
PROVIDERS: Final = Providers()
BRANCHES: Final = Branches()
