"""Loads national postcode files: read and checked first, outside any transaction, then stored in one, all or nothing. Not their formats
(evm.gateways.postcode_files) and not what a postcode's place is used for (evm.services.localities).

Millions of rows pass through a temporary file of 19 bytes a row, so that memory stays flat and other writers wait only while rows are
stored, never while they are read."""

import struct
import tempfile
from array import array
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from sqlalchemy.orm import Session

from evm.gateways.postcode_files import Format, OpenFile, Point, PostcodesRefused, files_of, sha256_of
from evm.store import postcodes as store
from evm.store.postcodes import PostcodeFile, PostcodeRow

RECORD: Final = struct.Struct("<7siii")
NONE: Final = -(2**31)
ROWS_BETWEEN_REPORTS: Final = 10_000

Report = Callable[[str, int, int], None]
"""What is being done ("reading", "storing"), how much of it is done, and of how much."""
Stop = Callable[[], bool]


class PostcodesStopped(RuntimeError):  # noqa: N818 -- named for what happened
    """Somebody stopped the load: nothing was stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spooled:
    """Checked rows on their way: `sha256` is of the files and of what was asked of them."""

    file_name: str
    files: int
    form: Format
    only: frozenset[str]
    sha256: str
    rows_read: int
    rows: int
    without_position: int
    terminated: int
    spool: BinaryIO


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a load did. `already`: the same files were loaded last, so nothing was to be done."""

    rows: int
    removed: int
    known: int
    already: bool


@contextmanager
def spooled(
    *,
    path: Path,
    form: Format,
    only: Collection[str] = (),
    replace: bool = False,
    report: Report | None = None,
    stop: Stop | None = None,
) -> Iterator[Spooled]:
    """Read and check a file, or every CSV file of a folder, of the postcode areas `only` (all, if empty); the rows are gone at the end.

    Raises PostcodesRefused naming file, row and column; PostcodesStopped."""
    areas = frozenset(area.strip().upper() for area in only)
    for area in areas:
        if not (1 <= len(area) <= 2 and area.isascii() and area.isalpha()):
            raise PostcodesRefused(file="--only", words=f"{area!r} is not a postcode area: letters such as M or SK")
    paths = files_of(path)
    digest = sha256_of(paths, asked=f"{form} {sorted(areas)} {replace}")
    with tempfile.TemporaryFile() as spool:
        reading = _Reading(
            spool=spool, bytes_total=sum(each.stat().st_size for each in paths), report=report, stop=stop
        )
        for each in paths:
            reading.read(each, form=form, only=areas)
        reading.refuse_twins()
        if not reading.rows:
            raise PostcodesRefused(
                file=path.name, words="there is no postcode in it" + (" of these areas" if areas else "")
            )
        yield Spooled(
            file_name=path.name,
            files=len(paths),
            form=form,
            only=areas,
            sha256=digest,
            rows_read=reading.rows_read,
            rows=reading.rows,
            without_position=reading.without_position,
            terminated=reading.terminated,
            spool=spool,
        )


class _Reading:
    """Rows on their way from the files to the spool."""

    def __init__(self, *, spool: BinaryIO, bytes_total: int, report: Report | None, stop: Stop | None) -> None:
        self._spool = spool
        self._bytes_total = bytes_total
        self._report = report
        self._stop = stop
        self._keys = array("Q")
        self._bytes_before = 0
        self.rows_read = self.rows = self.without_position = self.terminated = 0

    def read(self, path: Path, *, form: Format, only: frozenset[str]) -> None:
        with path.open("rb") as raw:
            file = OpenFile(path=path, raw=raw, form=form, only=only, beat=self._say)
            for point in file.points():
                self._take(point)
            self.rows_read += file.rows_read
        self._bytes_before += path.stat().st_size
        self._say(0)

    def _take(self, point: Point) -> None:
        self.rows += 1
        self.without_position += point.latitude_e6 is None
        self.terminated += point.terminated_month is not None
        self._keys.append(_key(point.postcode))
        self._spool.write(
            RECORD.pack(
                point.postcode.encode(),
                NONE if point.latitude_e6 is None else point.latitude_e6,
                NONE if point.longitude_e6 is None else point.longitude_e6,
                NONE if point.terminated_month is None else point.terminated_month,
            )
        )

    def _say(self, bytes_done: int) -> None:
        if self._stop is not None and self._stop():
            raise PostcodesStopped
        if self._report is not None:
            self._report("reading", self._bytes_before + bytes_done, self._bytes_total)

    def refuse_twins(self) -> None:
        """Refuse a postcode that stands there twice: which of the two would be right?"""
        keys = np.sort(np.frombuffer(self._keys, dtype=np.uint64))
        twins = keys[1:][keys[1:] == keys[:-1]]
        if len(twins):
            words = f"{_postcode(int(twins[0]))} stands there twice: which of the two is right?"
            raise PostcodesRefused(file="the files", words=words, field="postcode")


def _key(postcode: str) -> int:
    """A postcode as a number: eight bytes instead of a string."""
    return int.from_bytes(postcode.encode(), "big")


def _postcode(key: int) -> str:
    return key.to_bytes(8, "big").lstrip(b"\0").decode()


def store_postcodes(
    session: Session,
    *,
    rows: Spooled,
    replace: bool = False,
    now: datetime,
    report: Report | None = None,
    stop: Stop | None = None,
) -> Loaded:
    """Store what was read, in the caller's one transaction: new ones are added, known ones overwritten, and with `replace` those of the
    same areas that the files do not name are forgotten. Nothing is done when the same files were loaded last. Raises PostcodesStopped."""
    newest = store.newest_file(session)
    if newest is not None and newest.sha256 == rows.sha256:
        return Loaded(rows=0, removed=0, known=store.count(session), already=True)
    removed = store.remove_areas(session, areas=rows.only or None) if replace else 0
    fresh = not store.any_known(session)
    done = 0
    for some in _chunks(rows.spool):
        if stop is not None and stop():
            raise PostcodesStopped
        if not fresh and not replace:
            store.remove(session, packed=[row.postcode for row in some])
        store.add(session, rows=some)
        done += len(some)
        if report is not None:
            report("storing", done, rows.rows)
    file = PostcodeFile(
        sha256=rows.sha256, file_name=rows.file_name, format=rows.form, rows_taken=rows.rows, loaded_at=now
    )
    store.note_file(session, file=file)
    return Loaded(rows=rows.rows, removed=removed, known=store.count(session), already=False)


def _chunks(spool: BinaryIO) -> Iterator[list[PostcodeRow]]:
    spool.seek(0)
    while block := spool.read(RECORD.size * ROWS_BETWEEN_REPORTS):
        yield [
            PostcodeRow(
                postcode=name.rstrip(b"\0").decode(),
                latitude_e6=None if latitude == NONE else latitude,
                longitude_e6=None if longitude == NONE else longitude,
                terminated_month=None if month == NONE else month,
            )
            for name, latitude, longitude, month in RECORD.iter_unpack(block)
        ]
