"""What files of councils, providers and branches share: ids with names, and what a row does to a record. Not a kind."""

from typing import Any, Final, TypeVar

from evm.domain.people import Branch, Council, Provider
from evm.services.imports import fields
from evm.services.imports.compare import differences
from evm.services.imports.csv_file import Row, RowError
from evm.services.imports.kind import FieldDef, Taken

Record = TypeVar("Record", Council, Provider, Branch)
NAME_CHARACTERS_MAX: Final = 120


def id_field(name: str, words: str, example: str) -> FieldDef:
    """The column that says which record a row is about."""
    return FieldDef(name=name, required=True, words=words, example=example, reader=fields.identifier, key=True)


NAME_FIELD: Final = FieldDef(
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


def sort(taken: Taken, record: Record, new: list[Record], changed: list[Record]) -> None:
    """Put the record where it belongs by what became of its row."""
    if taken.outcome == "new":
        new.append(record)
    elif taken.outcome == "changed":
        changed.append(record)


def not_of(row: Row, values: dict[str, Any], field: str, own: str | None) -> tuple[RowError, ...]:
    """A row about another than the file is kept to is an error."""
    if own is None or values.get(field) in {own, None}:
        return ()
    return (RowError(row=row.number, field=field, words=f"this file is imported for {own} only"),)
