"""Cells of a table of visits or workers, from CSV or JSON: each function gives the value or raises FormatError naming the cell.

It knows no columns (rostering.formats.plain).
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from rostering.formats.error import FormatError

FILE_BYTES_MAX = 10_000_000
ROWS_MAX = 50_000
CELL_MAX = 2_000
NOTE = "note"
MINUTES_OF_DAYS_MAX = 48 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row: where it stands, as an error says it, and its cells by column; a cell that is empty is not there."""

    where: str
    cells: Mapping[str, Any]

    def at(self, column: str) -> str:
        """How an error names a cell."""
        return f"{self.where}, {column}"

    def has(self, column: str) -> bool:
        """Whether the cell says anything."""
        return column in self.cells

    def notes(self) -> dict[str, str]:
        """Columns that begin with `note`: carried through, never read."""
        return {column: str(value) for column, value in self.cells.items() if column.startswith(NOTE)}


def csv_rows(*, path: Path, known: Iterable[str], required: Iterable[str]) -> list[Row]:
    """The rows of a CSV file with a line of column names. Raises FormatError, OSError."""
    lines = csv.reader(io.StringIO(_text(path)), strict=True)
    found: list[Row] = []
    names: list[str] | None = None
    try:
        for cells in lines:
            if not any(cell.strip() for cell in cells):
                continue
            where = f"{path.name}, line {lines.line_num}"
            if names is None:
                names = [re.sub(r"[\s-]+", "_", cell.strip().lower()) for cell in cells]
                _check_names(names, f"{path.name}, line {lines.line_num}", tuple(known), tuple(required))
                continue
            if len(cells) > len(names):
                raise FormatError(where=where, wrong=f"{len(cells)} cells, and {len(names)} columns")
            pairs = zip(names, cells, strict=False)
            found.append(Row(where=where, cells={name: cell.strip() for name, cell in pairs if cell.strip()}))
    except csv.Error as error:
        raise FormatError(where=f"{path.name}, line {lines.line_num}", wrong=f"broken CSV: {error}") from error
    if names is None:
        raise FormatError(where=path.name, wrong="empty; the first line names the columns")
    return _few(found, path.name)


def _text(path: Path) -> str:
    raw = path.read_bytes()
    if len(raw) > FILE_BYTES_MAX:
        raise FormatError(where=path.name, wrong=f"over {FILE_BYTES_MAX // 1_000_000} MB; give one locality's days")
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in raw:
        raise FormatError(where=path.name, wrong="UTF-16, or no text; save it as `CSV UTF-8`")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(where=path.name, wrong=f"byte {error.start} is not UTF-8; save it as `CSV UTF-8`") from error


def json_rows(*, rows: list[Any], name: str, known: Iterable[str], required: Iterable[str]) -> list[Row]:
    """The rows of a JSON list of objects. Raises FormatError."""
    found = []
    for i, cells in enumerate(rows):
        where = f"{name}[{i}]"
        if not isinstance(cells, dict):
            raise FormatError(where=where, wrong="not an object")
        _check_names(list(cells), where, tuple(known), tuple(required))
        found.append(Row(where=where, cells={key: value for key, value in cells.items() if value not in (None, "")}))
    return _few(found, name)


def _few(rows: list[Row], name: str) -> list[Row]:
    if len(rows) > ROWS_MAX:
        raise FormatError(where=name, wrong=f"{len(rows)} rows; up to {ROWS_MAX} are read")
    return rows


def _check_names(names: list[str], where: str, known: tuple[str, ...], required: tuple[str, ...]) -> None:
    for name in names:
        if not name:
            raise FormatError(where=where, wrong="a column without a name")
        if names.count(name) > 1:
            raise FormatError(where=f"{where}, {name}", wrong="a column that stands twice")
        if name not in known and not name.startswith(NOTE):
            near = get_close_matches(name, known, n=1)
            hint = (
                f"is {near[0]!r} meant?" if near else f"known are {', '.join(known)}, and any that begins with `note`"
            )
            raise FormatError(where=f"{where}, {name}", wrong=f"not a column that is known; {hint}")
    for name in required:
        if name not in names:
            raise FormatError(where=f"{where}, {name}", wrong="missing")


def text(*, row: Row, column: str) -> str:
    """A text that says something; numbers of JSON are taken as they are written."""
    value = row.cells.get(column)
    if isinstance(value, bool) or not isinstance(value, (str, int)) or not str(value).strip():
        raise FormatError(where=row.at(column), wrong="empty" if value is None else f"{value!r} is not a text")
    if len(str(value)) > CELL_MAX:
        raise FormatError(where=row.at(column), wrong=f"longer than {CELL_MAX} characters")
    return str(value).strip()


def texts(*, row: Row, column: str) -> tuple[str, ...]:
    """Texts apart by semicolons, or a JSON list of them; none for an empty cell."""
    value = row.cells.get(column, "")
    parts = value if isinstance(value, list) else str(value).split(";")
    if not all(isinstance(part, (str, int)) for part in parts):
        raise FormatError(where=row.at(column), wrong=f"{value!r} is not a list of texts")
    return tuple(str(part).strip() for part in parts if str(part).strip())


def number(*, row: Row, column: str, least: float, most: float) -> float:
    """A finite number within bounds, both included."""
    value = row.cells.get(column)
    try:
        found = math.nan if value is None or isinstance(value, (bool, list, dict)) else float(value)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise FormatError(where=row.at(column), wrong="empty" if value is None else f"{value!r} is not a number")
    if not least <= found <= most:
        raise FormatError(where=row.at(column), wrong=f"{value} is not from {least:g} to {most:g}")
    return found


def whole(*, row: Row, column: str, least: int, most: int) -> int:
    """A whole number within bounds, both included."""
    found = number(row=row, column=column, least=least, most=most)
    if found != int(found):
        raise FormatError(where=row.at(column), wrong=f"{row.cells[column]} is not whole")
    return int(found)


def clock(*, row: Row, column: str) -> int:
    """Minutes after midnight from HH:MM, up to 48:00 (31:00 is 07:00 of the next day)."""
    value = row.cells.get(column)
    match = re.fullmatch(r"([0-9]{1,2}):([0-5][0-9])", value.strip()) if isinstance(value, str) else None
    minutes = int(match[1]) * 60 + int(match[2]) if match else MINUTES_OF_DAYS_MAX + 1
    if minutes > MINUTES_OF_DAYS_MAX:
        said = "empty" if value is None else f"{value!r} is not a time"
        raise FormatError(
            where=row.at(column), wrong=f"{said}; write HH:MM, as 07:30 (31:00 for 07:00 of the next day)"
        )
    return minutes


def day(*, row: Row, column: str) -> date:
    """A date from DD/MM/YYYY."""
    value = row.cells.get(column)
    try:
        if not isinstance(value, str) or not re.fullmatch(r"[0-9]{2}/[0-9]{2}/[0-9]{4}", value.strip()):
            raise ValueError("shape")
        return datetime.strptime(value.strip(), "%d/%m/%Y").date()  # noqa: DTZ007 -- a day has no zone
    except ValueError as error:
        raise FormatError(where=row.at(column), wrong=f"{value!r} is not a date; write DD/MM/YYYY") from error


def safe(value: object) -> str:
    """A cell for a spreadsheet that no program there takes for a formula."""
    written = str(value)
    return f"'{written}" if written[:1] in ("=", "+", "-", "@", "\t", "\r") else written
