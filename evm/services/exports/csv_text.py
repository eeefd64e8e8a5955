"""Rows as CSV that a spreadsheet opens without harm: RFC 4180, UTF-8, nothing that it would calculate. Not what the rows say.

A cell of text that begins like a formula is prefixed with an apostrophe (bad-input 67); whole numbers stay numbers, negative ones too."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

BOM: Final = "\N{ZERO WIDTH NO-BREAK SPACE}"
FORMULA_STARTS: Final = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # noqa: RUF001 -- full width: some spreadsheets calculate those, too
CONTROL_STARTS: Final = ("\t", "\r", "\n")
ROWS_A_PIECE: Final = 500
Cell = str | int | date | datetime | None


def csv_text(*, columns: Sequence[str], rows: Iterable[Sequence[Cell]], zone: str, bom: bool = False) -> Iterator[str]:
    """The file in pieces of some hundred rows: a header, then a line a row, ended by CR LF. Instants are written as local time with
    their offset, days as YYYY-MM-DD, nothing as an empty cell."""
    where = ZoneInfo(zone)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    if bom:
        out.write(BOM)
    writer.writerow(columns)
    for number, row in enumerate(rows, 1):
        writer.writerow([_written(cell, where) for cell in row])
        if number % ROWS_A_PIECE == 0:
            yield out.getvalue()
            out.seek(0)
            out.truncate()
    yield out.getvalue()


def neutral(text: str) -> str:
    """The text so that no spreadsheet calculates it: what begins like a formula, spaces aside, gets an apostrophe before it."""
    risky = text.startswith(CONTROL_STARTS) or text.lstrip().startswith(FORMULA_STARTS)
    return f"'{text}" if risky else text


def _written(cell: Cell, where: ZoneInfo) -> str | int:
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.astimezone(where).isoformat(timespec="seconds")
    if isinstance(cell, date):
        return cell.isoformat()
    return neutral(cell) if isinstance(cell, str) else cell
