"""What a kind of file is to the framework: its columns, its check of a chunk of rows, what only the whole file shows. Not a kind."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol, runtime_checkable

from sqlalchemy.orm import Session

from evm.domain.ids import CouncilId, ProviderId
from evm.domain.policy import Policy
from evm.services.imports.csv_file import Row, RowError
from evm.services.imports.fields import CellRefused, Reader
from evm.services.imports.layout import Layout, LayoutRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldDef:
    """A column of a kind of file: our name for it, whether every row must fill it, what it holds, an example, how its cell is read.

    `reader` None: the kind reads the cell by itself. An empty cell is None (what is not required), never read. Two rows of a file with
    the same cells in all `key` fields are one too many; rows with the same cell in the `together` field come in one chunk, when they
    stand together in the file."""

    name: str
    required: bool
    words: str
    example: str
    reader: Reader[Any] | None = None
    key: bool = False
    together: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """For whom and when a file is taken in. `provider`, `council`: the file is of this one only; None: a person of neither imports.

    `exported_at` (aware UTC): when the file was made where it comes from."""

    now: datetime
    policy: Policy
    layout: Layout
    who: str
    provider: ProviderId | None
    council: CouncilId | None
    exported_at: datetime | None
    file_sha256: str


Outcome = Literal["new", "changed", "same", "rejected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of a row: whose it is (`subject`, an id or name), and in words what changed (`name: Ann → Anne`)."""

    row: int
    outcome: Outcome
    subject: str
    words: str = ""
    errors: tuple[RowError, ...] = ()


class ImportKind(Protocol):
    """A kind of file. One instance serves one import of one file at a time: `take` and `finish` keep nothing between files."""

    @property
    def name(self) -> str:
        """As on the command line: `customers`."""

    @property
    def words(self) -> str:
        """One sentence: what a row is and what taking it in does."""

    @property
    def fields(self) -> tuple[FieldDef, ...]:
        """The columns, in the order of the template."""

    def take(self, session: Session, *, rows: Sequence[Row], context: Context) -> Sequence[Taken]:
        """Check and write at most 1,000 rows, in file order; one answer a row (a rejected row's errors stand in it). Never commits:
        the caller rolls a dry run back."""

    def finish(self, session: Session, *, context: Context) -> tuple[RowError, ...]:
        """After the last chunk: what only the whole file shows."""


@runtime_checkable
class Covering(Protocol):
    """A kind whose files also say that nothing else happened until they were exported: the same rows, exported later or for another
    provider, say something new."""

    @property
    def covers_until_exported(self) -> bool:
        """Always True."""


def read_row(row: Row, *, fields: Sequence[FieldDef], layout: Layout) -> tuple[dict[str, Any], tuple[RowError, ...]]:
    """The row's values by field, and what cannot be read. A field whose column the file leaves out is not in the values; an empty cell
    is None, and an error where it is required."""
    values: dict[str, Any] = {}
    errors: list[RowError] = []
    for field in fields:
        text = row.values.get(field.name)
        if text is None:
            if field.required:
                errors.append(
                    RowError(row=row.number, field=field.name, words="is not in the file and every row needs it")
                )
            continue
        if not text:
            values[field.name] = None
            if field.required:
                errors.append(
                    RowError(row=row.number, field=field.name, words=f"is empty: write one, such as {field.example}")
                )
            continue
        try:
            values[field.name] = text if field.reader is None else field.reader(text, layout)
        except CellRefused as refused:
            errors.append(RowError(row=row.number, field=field.name, words=refused.words))
    return values, tuple(errors)


def check_layout(layout: Layout, *, kind: ImportKind) -> None:
    """Refuse (LayoutRefused) a layout that is of another kind, names fields the kind has not, or lacks one that every row needs."""
    if layout.kind != kind.name:
        raise LayoutRefused(
            field="kind", words=f"layout {layout.name!r} is for files of kind {layout.kind}, not {kind.name}"
        )
    fields = {field.name: field for field in kind.fields}
    for name in (*layout.columns, *layout.constants):
        if name not in fields:
            raise LayoutRefused(
                field=f"columns.{name}", words=f"{kind.name} have no such field; they have {', '.join(fields)}"
            )
    for field in kind.fields:
        if field.required and (field.name not in {*layout.columns, *layout.constants} or field.name in layout.optional):
            words = f"every row of {kind.name} needs it: give its column or a constant, and leave it out of optional"
            raise LayoutRefused(field=f"columns.{field.name}", words=words)


def rejected(row: int, *errors: RowError, subject: str = "") -> Taken:
    """A row that is refused, with its errors."""
    return Taken(row=row, outcome="rejected", subject=subject, errors=errors)


def standard_layout(kind: ImportKind) -> Layout:
    """Our own layout of a kind: columns named as the fields; those no row must fill may be left out."""
    return Layout(
        name="standard",
        kind=kind.name,
        columns={field.name: field.name for field in kind.fields},
        optional=frozenset(field.name for field in kind.fields if not field.required),
    )
