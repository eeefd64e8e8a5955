"""Reads the national postcode files: ONSPD (one file with a header) and Code-Point Open (a file an area, none). Not where rows are kept.

Rows are read one at a time; a malformed one is named by file and row. Nothing here opens archives: unpack them first."""

import csv
import hashlib
import io
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

from evm.domain.area import LATITUDES, LONGITUDES, packed

Format = Literal["onspd", "codepoint"]
LINES_A_BEAT: Final = 10_000
CONVERTED_AT_ONCE: Final = 10_000
MICRO: Final = 1_000_000
NO_GRID_REFERENCE: Final = ("99.999999", "100", "99.9999")
CODEPOINT_COLUMNS: Final = 10
CODEPOINT_QUALITIES: Final = frozenset({"10", "20", "30", "40", "50", "60"})
CODEPOINT_NO_POSITION: Final = "90"
GRID_EASTINGS_MAX: Final = 700_000
GRID_NORTHINGS_MAX: Final = 1_300_000
POSTCODE_HEADERS: Final = ("pcds", "pcd", "pcd7", "pcd8", "pcd2")


class PostcodesRefused(ValueError):  # noqa: N818 -- named for what is wrong
    """A file that cannot be read: where (file, row, column) and the sentence that says what is wrong and what to do."""

    def __init__(self, *, file: str, words: str, row: int | None = None, field: str | None = None) -> None:
        where = file + (f", row {row}" if row is not None else "") + (f", {field}" if field else "")
        super().__init__(f"{where}: {words}")
        self.file = file
        self.row = row
        self.field = field
        self.words = words


@dataclass(frozen=True, slots=True)
class Point:
    """One row: the postcode without its blank, millionths of a degree (None: no position), the month it was terminated, its number."""

    postcode: str
    latitude_e6: int | None
    longitude_e6: int | None
    terminated_month: int | None
    row: int


@dataclass(slots=True)
class OpenFile:
    """One file being read; every so many lines `beat` is told how many bytes of it are behind us."""

    path: Path
    raw: BinaryIO
    form: Format
    only: frozenset[str]
    beat: Callable[[int], None]
    rows_read: int = 0

    def points(self) -> Iterator[Point]:
        """The rows of the areas asked for, in the file's order. Raises PostcodesRefused."""
        text = io.TextIOWrapper(self.raw, encoding="utf-8-sig", newline="")
        try:
            rows = self._numbered(csv.reader(text, strict=True))
            yield from self._onspd(rows) if self.form == "onspd" else self._codepoint(rows)
        finally:
            text.detach()  # the file is whoever's opened it

    def _numbered(self, reader: Any) -> Iterator[tuple[int, list[str]]]:
        try:
            while True:
                number = reader.line_num + 1
                row = next(reader, None)
                if row is None:
                    return
                if number % LINES_A_BEAT == 0:
                    self.beat(self.raw.tell())
                yield number, row
        except csv.Error as error:
            raise self._refused(f"this is not CSV ({error}): unpack or export the file again", row=number) from error
        except UnicodeDecodeError as error:
            raise self._refused("this is not UTF-8, as the national files are", row=number) from error

    def _onspd(self, rows: Iterator[tuple[int, list[str]]]) -> Iterator[Point]:
        number, header = next(rows, (1, []))
        names = [name.strip().lower() for name in header]
        postcode_at = self._column(names, POSTCODE_HEADERS)
        latitude_at, longitude_at = self._column(names, ("lat",)), self._column(names, ("long",))
        terminated_at = self._column(names, ("doterm",))
        width = len(names)
        for number, row in rows:
            if len(row) != width:
                raise self._refused(f"it has {len(row)} columns, the header {width}", row=number)
            self.rows_read += 1
            postcode = self._postcode(row[postcode_at], number, names[postcode_at])
            if self._wanted(postcode):
                latitude, longitude = self._degrees(row[latitude_at].strip(), row[longitude_at].strip(), number)
                month = self._month(row[terminated_at].strip(), number)
                yield Point(postcode, latitude, longitude, month, number)

    def _column(self, names: Sequence[str], wanted: Sequence[str]) -> int:
        for name in wanted:
            if names.count(name) > 1:
                raise self._refused(f"the header has {name} twice", row=1, field=name)
            if name in names:
                return names.index(name)
        words = f"the header has no column {' or '.join(wanted)}: is this an ONSPD file? For Code-Point Open say --format codepoint"
        raise self._refused(words, row=1, field=wanted[0])

    def _degrees(self, latitude: str, longitude: str, number: int) -> tuple[int | None, int | None]:
        if latitude in NO_GRID_REFERENCE:
            return None, None
        found = []
        for name, text, (least, most) in (("lat", latitude, LATITUDES), ("long", longitude, LONGITUDES)):
            try:
                value = float(text)
            except ValueError:
                raise self._refused(f"{text[:20]!r} is not a number of degrees", row=number, field=name) from None
            if not least <= value <= most:
                words = f"{text[:20]} is outside the United Kingdom ({least} to {most})"
                raise self._refused(words, row=number, field=name)
            found.append(round(value * MICRO))
        return found[0], found[1]

    def _month(self, text: str, number: int) -> int | None:
        if not text:
            return None
        if re.fullmatch(r"(19|20)[0-9]{2}(0[1-9]|1[0-2])", text) is None:
            words = f"{text[:20]!r} is not a month of termination, such as 202403"
            raise self._refused(words, row=number, field="doterm")
        return int(text)

    def _codepoint(self, rows: Iterator[tuple[int, list[str]]]) -> Iterator[Point]:
        wanted = self._codepoint_rows(rows)
        while some := list(islice(wanted, CONVERTED_AT_ONCE)):
            yield from to_degrees(some)

    def _codepoint_rows(
        self, rows: Iterator[tuple[int, list[str]]]
    ) -> Iterator[tuple[str, tuple[int, int] | None, int]]:
        for number, row in rows:
            if len(row) != CODEPOINT_COLUMNS:
                words = f"it has {len(row)} columns, a Code-Point Open file {CODEPOINT_COLUMNS} and no header"
                raise self._refused(f"{words}; for ONSPD say --format onspd", row=number)
            self.rows_read += 1
            postcode = self._postcode(row[0], number, "postcode")
            if self._wanted(postcode):
                yield postcode, self._grid(row, number), number

    def _grid(self, row: list[str], number: int) -> tuple[int, int] | None:
        if row[1] == CODEPOINT_NO_POSITION:
            return None
        if row[1] not in CODEPOINT_QUALITIES:
            raise self._refused(f"{row[1][:20]!r} is no positional quality (10 to 60, 90)", row=number, field="quality")
        found = []
        for name, text, most in (("eastings", row[2], GRID_EASTINGS_MAX), ("northings", row[3], GRID_NORTHINGS_MAX)):
            if re.fullmatch(r"[0-9]{1,7}", text) is None or int(text) > most:
                words = f"{text[:20]!r} is not metres on the British National Grid (0 to {most})"
                raise self._refused(words, row=number, field=name)
            found.append(int(text))
        return found[0], found[1]

    def _postcode(self, text: str, number: int, field: str) -> str:
        postcode = packed(text)
        if postcode is None:
            head = " (Code-Point Open files have no header)" if number == 1 and self.form == "codepoint" else ""
            raise self._refused(f"{text[:20]!r} has not the form of a postcode{head}", row=number, field=field)
        return postcode

    def _wanted(self, postcode: str) -> bool:
        return not self.only or area_of(postcode) in self.only

    def _refused(self, words: str, *, row: int | None = None, field: str | None = None) -> PostcodesRefused:
        return PostcodesRefused(file=self.path.name, words=words, row=row, field=field)


def area_of(postcode: str) -> str:
    """The postcode area: "M" of "M145AA", "SK" of "SK12AA"."""
    return postcode[:1] if postcode[1].isdigit() else postcode[:2]


def to_degrees(rows: Iterable[tuple[str, tuple[int, int] | None, int]]) -> Iterator[Point]:
    """Points of the British National Grid (EPSG:27700) in degrees (EPSG:4326). Without the national correction grid: within about 5 m."""
    from pyproj import Transformer

    some = list(rows)
    placed = [grid for _, grid, _ in some if grid is not None]
    transformer: Any = Transformer.from_crs("EPSG:27700", "EPSG:4326", always_xy=True)
    eastings, northings = zip(*placed, strict=True) if placed else ((), ())
    longitudes, latitudes = transformer.transform(list(eastings), list(northings)) if placed else ((), ())
    degrees = iter(zip(latitudes, longitudes, strict=True))
    for postcode, grid, number in some:
        if grid is None:
            yield Point(postcode, None, None, None, number)
        else:
            latitude, longitude = next(degrees)
            yield Point(postcode, round(latitude * MICRO), round(longitude * MICRO), None, number)


def files_of(path: Path) -> tuple[Path, ...]:
    """The CSV files meant: the file itself, or those of a folder by name. Raises PostcodesRefused."""
    if path.suffix.lower() == ".zip":
        raise PostcodesRefused(
            file=path.name, words="archives are not opened: unpack it and name the CSV file or its folder"
        )
    if path.is_file():
        return (path,)
    if not path.is_dir():
        raise PostcodesRefused(file=str(path), words="there is no such file or folder")
    found = tuple(sorted(each for each in path.iterdir() if each.suffix.lower() == ".csv" and each.is_file()))
    if not found:
        raise PostcodesRefused(file=str(path), words="there is no CSV file in this folder")
    return found


def sha256_of(paths: Collection[Path], *, asked: str) -> str:
    """A hash of the files' contents in order and of what was asked of them."""
    digest = hashlib.sha256(asked.encode())
    for path in paths:
        try:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise PostcodesRefused(file=path.name, words=f"cannot be read ({error.strerror})") from None
    return digest.hexdigest()
