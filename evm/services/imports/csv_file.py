"""Reads a CSV file strictly and as a stream, by a declared layout: whole records, or exact words for what is wrong and where.
Not the meaning of cells (fields) and not of rows (kinds).

Nothing is guessed. A file whose encoding, delimiter, header or quotes are not as declared is refused whole (FileRefused, bad-input
60 to 62, 65, 66), a record that cannot be read is a RowError and the rest is still checked (63, 64). Memory stays flat."""

import codecs
import csv
import difflib
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from evm.services.imports.layout import DELIMITERS, Layout

BYTES_A_READ: Final = 1 << 20
RECORD_LINES_MAX: Final = 30
"""A cell may hold line breaks (an address); a record of more lines than this is a quote that nobody closed."""
RECORD_CHARACTERS_MAX: Final = 1_000_000
CELL_CHARACTERS_MAX: Final = 10_000
COLUMNS_MAX: Final = 500
MAGIC: Final = {
    b"PK\x03\x04": "a workbook (xlsx, ods) or zip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook (xls)",
    b"\x1f\x8b": "a gzip archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"Rar!": "a RAR archive",
    b"%PDF": "a PDF",
    b"{\\rtf": "a word processor's document",
    b"SQLite format 3": "a SQLite database",
}
DELIMITER_WORDS: Final = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}


class FileRefused(ValueError):  # noqa: N818 -- named for what is wrong
    """The whole file cannot be taken in. `field`: `file`, `encoding`, `header` or a column's name; `words` what is wrong and what to do."""

    def __init__(self, *, field: str, words: str, too_big: bool = False, not_csv: bool = False) -> None:
        super().__init__(f"{field}: {words}")
        self.field = field
        self.words = words
        self.too_big = too_big
        self.not_csv = not_csv

    @property
    def status(self) -> int:
        """The HTTP status of the refusal."""
        return 413 if self.too_big else 415 if self.not_csv else 422


@dataclass(frozen=True, slots=True, kw_only=True)
class RowError:
    """What is wrong with a row: the number of the line in the file on which its record begins (the header is 1), our name of the field
    (empty: the whole row), a sentence. A warning stops nothing."""

    row: int
    field: str
    words: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A record. `values` by our names of the fields, blanks around them taken off; `extra`: unknown columns by their headers."""

    number: int
    values: dict[str, str]
    extra: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvFile:
    """A file whose form has been checked: `rows()` streams it, as often as wanted."""

    path: Path
    layout: Layout
    name: str
    sha256: str
    size_bytes: int
    rows_total: int
    header: tuple[str, ...]
    read_at_ns: int

    def rows(self) -> Iterator[Row | RowError]:
        """Every record after the header, in order; blank lines are passed over. Raises FileRefused when the file was changed since
        it was opened."""
        found = self.path.stat()
        if (found.st_size, found.st_mtime_ns) != (self.size_bytes, self.read_at_ns):
            raise FileRefused(field="file", words="it was changed while it was being read: start again")
        records = _records(self.path, self.layout)
        next(records)
        shape = _Shape(self.header, self.layout)
        for record in records:
            if isinstance(record, RowError):
                yield record
            elif any(record.cells):
                yield shape.row(record)


@dataclass(frozen=True, slots=True)
class _Record:
    number: int
    cells: list[str]


def open_csv(*, path: Path, layout: Layout, bytes_max: int = 10 * 2**20, rows_max: int = 50_000) -> CsvFile:
    """Check a file's size, encoding, header and quotes, and count its rows. Raises FileRefused; `too_big` above `bytes_max` or
    `rows_max`. A file that is compressed in any way is refused unopened."""
    found = _stat(path)
    if found.st_size > bytes_max:
        words = (
            f"it is {found.st_size:,} bytes and at most {bytes_max:,} are taken: split it, each part with the header"
        )
        raise FileRefused(field="file", words=words, too_big=True)
    sha256 = _check_bytes(path, layout)
    records = _records(path, layout)
    first = next(records, None)
    if first is None:
        raise FileRefused(field="file", words="it is empty: the first line names the columns")
    if isinstance(first, RowError):
        raise FileRefused(field="header", words=first.words)
    header = _header(first, layout)
    rows_total = 0
    for record in records:
        rows_total += isinstance(record, RowError) or any(record.cells)
        if rows_total > rows_max:
            words = f"it has more than {rows_max:,} rows: split it, each part with the header"
            raise FileRefused(field="file", words=words, too_big=True)
    return CsvFile(
        path=path,
        layout=layout,
        name=path.name,
        sha256=sha256,
        size_bytes=found.st_size,
        rows_total=rows_total,
        header=header,
        read_at_ns=found.st_mtime_ns,
    )


class _Shape:
    """Which cell of a record is which field."""

    def __init__(self, header: Sequence[str], layout: Layout) -> None:
        self._width = len(header)
        self._layout = layout
        self._header = header
        place = {name: number for number, name in enumerate(header)}
        self._places = [(field, place[name]) for field, name in layout.columns.items() if name in place]
        known = set(layout.columns.values())
        self._extra = [(name, number) for name, number in place.items() if name not in known]

    def row(self, record: _Record) -> Row | RowError:
        """The record as a row."""
        cells = [cell.strip() for cell in record.cells]
        if len(cells) != self._width:
            words = f"has {len(cells)} cells and the header {self._width}: a text with the delimiter in it needs quotes"
            return RowError(row=record.number, field="", words=words)
        for name, cell in zip(self._header, cells, strict=True):
            wrong = _wrong_cell(cell)
            if wrong:
                return RowError(row=record.number, field=self._field(name), words=wrong)
        values = {field: cells[number] for field, number in self._places}
        values.update(self._layout.constants)
        for field, table in self._layout.values.items():
            if field in values and values[field] in table:
                values[field] = table[values[field]]
            elif values.get(field):
                theirs = ", ".join(repr(text) for text in sorted(table))
                words = f"{values[field][:40]!r} is not among the values this layout knows: {theirs}"
                return RowError(row=record.number, field=field, words=words)
        return Row(record.number, values, {name: cells[number] for name, number in self._extra})

    def _field(self, name: str) -> str:
        return next((field for field, header in self._layout.columns.items() if header == name), name)


def _wrong_cell(cell: str) -> str:
    if len(cell) > CELL_CHARACTERS_MAX:
        return f"is {len(cell):,} characters long: at most {CELL_CHARACTERS_MAX:,}"
    if "\x00" in cell:
        return "holds a NUL character, which is no text: take it out"
    if "\r" in cell:
        return "holds a carriage return without a line feed: end lines with LF or CRLF"
    return ""


def _stat(path: Path) -> os.stat_result:
    try:
        found = path.stat()
    except OSError as error:
        raise FileRefused(field="file", words=f"{path.name} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(found.st_mode):
        raise FileRefused(field="file", words=f"{path.name} is not a file: save what it gives as a file first")
    return found


def _check_bytes(path: Path, layout: Layout) -> str:
    """The file's SHA-256, when all of it is in the declared encoding."""
    digest = hashlib.sha256()
    declared = codecs.getincrementaldecoder(layout.encoding)(errors="strict")
    other: codecs.IncrementalDecoder | None = None
    if layout.encoding != "utf-8":
        other = codecs.getincrementaldecoder("utf-8")(errors="strict")
    lines, ascii_only = 1, True
    try:
        with path.open("rb") as source:
            block = source.read(BYTES_A_READ)
            _refuse_other_formats(block)
            while block:
                digest.update(block)
                ascii_only = ascii_only and block.isascii()
                _decode(declared, block, lines_before=lines, encoding=layout.encoding)
                other = _still_reads(other, block)
                lines += block.count(b"\n")
                block = source.read(BYTES_A_READ)
    except OSError as error:
        raise FileRefused(field="file", words=f"{path.name} cannot be read: {error.strerror}") from error
    _decode(declared, b"", lines_before=lines, encoding=layout.encoding, final=True)
    if other is not None and not ascii_only and _still_reads(other, b"", final=True):
        words = f"layout {layout.name!r} says {layout.encoding}, and this file is UTF-8: letters such as £ would be spoilt. Say utf-8"
        raise FileRefused(field="encoding", words=words)
    return digest.hexdigest()


def _refuse_other_formats(block: bytes) -> None:
    for magic, words in MAGIC.items():
        if block.startswith(magic):
            raise FileRefused(field="file", words=f"this is {words}: save the sheet as CSV (UTF-8)", not_csv=True)
    if block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or _nul_share(block) > 0.2:
        words = "this is UTF-16 (a spreadsheet's 'Unicode text'): save it as 'CSV UTF-8 (comma delimited)'"
        raise FileRefused(field="encoding", words=words)
    if b"\r" in block and b"\n" not in block:
        words = "its lines end with carriage returns only (an old Macintosh's CSV): save it with line ends LF or CRLF"
        raise FileRefused(field="file", words=words)


def _nul_share(block: bytes) -> float:
    start = block[:4096]
    return start.count(0) / len(start) if start else 0.0


def _decode(
    decoder: codecs.IncrementalDecoder, block: bytes, *, lines_before: int, encoding: str, final: bool = False
) -> None:
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError as error:
        line = lines_before + error.object[: error.start].count(b"\n")
        wrong = error.object[error.start]
        looks = ""
        if encoding == "utf-8":
            meant = bytes([wrong]).decode("cp1252", errors="replace")
            looks = (
                f" It looks like Windows-1252, where that byte is {meant}: save it as 'CSV UTF-8 (comma delimited)', or use a layout"
                ' with encoding = "cp1252".'
            )
        words = f"line {line} has the byte {wrong:02X}, which is not {encoding}.{looks}"
        raise FileRefused(field="encoding", words=words) from None


def _still_reads(
    decoder: codecs.IncrementalDecoder | None, block: bytes, *, final: bool = False
) -> codecs.IncrementalDecoder | None:
    """The decoder, while what it is given can be its encoding; None from then on."""
    if decoder is not None:
        try:
            decoder.decode(block, final)
        except UnicodeDecodeError:
            return None
    return decoder


def _records(path: Path, layout: Layout) -> Iterator[_Record | RowError]:
    """The file's records in order, the header first. Raises FileRefused where a quote is not closed or stands where it must not."""
    width = 0
    for number, text in _record_texts(path, layout):
        if "\x00" in text:
            yield RowError(row=number, field="", words="holds a NUL character, which is no text: take it out")
            continue
        try:
            cells = next(csv.reader([text], delimiter=layout.delimiter, strict=True), [])
        except csv.Error as error:
            yield _record_error(number, text, error)
            continue
        width = width or len(cells)
        _refuse_swallowed(number, text, cells=len(cells), width=width, delimiter=layout.delimiter)
        yield _Record(number, cells)


def _record_error(number: int, text: str, error: csv.Error) -> RowError:
    if "field limit" in str(error):
        words = f"has a text of more than {csv.field_size_limit():,} characters: at most {CELL_CHARACTERS_MAX:,}"
        return RowError(row=number, field="", words=words)
    if "new-line character" in str(error) and text.count("\n") == 0:
        words = "holds a carriage return without a line feed: end lines with LF or CRLF"
        return RowError(row=number, field="", words=words)
    raise _unclosed(number, text) from error


def _record_texts(path: Path, layout: Layout) -> Iterator[tuple[int, str]]:
    """Each record's text with the number of its first line: lines are joined while a quote is open."""
    encoding = "utf-8-sig" if layout.encoding == "utf-8" else layout.encoding
    lines: list[str] = []
    characters, open_quote = 0, False
    with path.open(encoding=encoding, errors="strict", newline="\n") as source:
        for number, line in enumerate(source, start=1):
            lines.append(line)
            characters += len(line)
            open_quote ^= line.count('"') % 2 == 1
            first = number - len(lines) + 1
            if not open_quote:
                yield first, "".join(lines).rstrip("\r\n")
                lines, characters = [], 0
            elif len(lines) > RECORD_LINES_MAX or characters > RECORD_CHARACTERS_MAX:
                raise _unclosed(first, "".join(lines))
    if lines:
        raise _unclosed(first, "".join(lines))


def _refuse_swallowed(number: int, text: str, *, cells: int, width: int, delimiter: str) -> None:
    """A record over several lines that has not the header's number of cells, or a line of whose quoted text reads like a record of its
    own, was swallowed by a quote that nobody closed."""
    if "\n" not in text:
        return
    within = text.split("\n")[1:-1]
    if cells != width or (width >= 4 and any(line.count(delimiter) >= width - 1 for line in within)):
        raise _unclosed(number, text)


def _unclosed(first: int, text: str) -> FileRefused:
    """Names the line on which the quote that went wrong opens."""
    opened, within, line = first, False, first
    for place, letter in enumerate(text):
        if letter == "\n":
            line += 1
        elif letter == '"':
            if not within:
                opened = line
            elif text[place + 1 : place + 2] not in {'"', ""} and line > opened:
                break
            within = not within
    words = (
        f"the quote that opens on line {opened} is not closed where its text ends: close it; a quotation mark inside a text is"
        ' written twice ("") and the text quoted'
    )
    return FileRefused(field=f"line {opened}", words=words)


def _header(record: _Record, layout: Layout) -> tuple[str, ...]:
    """The columns' names in file order, once each is known, named once and none is missing."""
    names = tuple(" ".join(cell.split()) for cell in record.cells)
    wanted = {" ".join(header.split()): field for field, header in layout.columns.items()}
    _refuse_other_delimiter(record.cells, wanted, layout)
    if len(names) > COLUMNS_MAX:
        raise FileRefused(field="header", words=f"it has {len(names)} columns: at most {COLUMNS_MAX}")
    for place, name in enumerate(names, start=1):
        if not name:
            raise FileRefused(field="header", words=f"column {place} has no name: name it or take it out")
        if names.count(name) > 1:
            raise FileRefused(field=name, words=f"the column {name!r} stands there twice: which one is meant?")
    missing = [header for header, field in wanted.items() if header not in names and field not in layout.optional]
    unknown = [name for name in names if name not in wanted]
    if missing:
        raise FileRefused(field=missing[0], words=_missing_words(missing, unknown, layout))
    if unknown and not layout.keep_unknown:
        words = (
            f"{', '.join(map(repr, unknown[:5]))}: no column of layout {layout.name!r}, which has {', '.join(wanted)}"
        )
        raise FileRefused(field=unknown[0], words=words)
    return tuple(layout.columns[wanted[name]] if name in wanted else name for name in names)


def _missing_words(missing: Sequence[str], unknown: Sequence[str], layout: Layout) -> str:
    near = difflib.get_close_matches(missing[0].casefold(), [name.casefold() for name in unknown], n=1)
    hint = next(
        (f" There is {name!r}: did you mean it?" for name in unknown if near and name.casefold() == near[0]), ""
    )
    named = ", ".join(map(repr, missing[:5]))
    return f"the header has no column {named}, which layout {layout.name!r} needs.{hint}"


def _refuse_other_delimiter(cells: Sequence[str], wanted: dict[str, str], layout: Layout) -> None:
    """A header that reads as our columns under another delimiter is separated by that one."""
    line = layout.delimiter.join(cells)
    for other in DELIMITERS:
        names = {" ".join(part.strip(' "').split()) for part in line.split(other)}
        if other == layout.delimiter or len(wanted) < 2 or len(names & set(wanted)) < 2:
            continue
        words = (
            f"it is separated by {DELIMITER_WORDS[other]}, and layout {layout.name!r} by {DELIMITER_WORDS[layout.delimiter]}: save it"
            " again, or say the delimiter in a layout"
        )
        raise FileRefused(field="header", words=words)
