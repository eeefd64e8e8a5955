"""Where each postcode is, and which national files said so. Not the files themselves (evm.services.postcodes)."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final, TypeVar

from sqlalchemy import ColumnElement, delete, func, insert, or_, select
from sqlalchemy.orm import Session

from evm.store.tables.areas import postcode_files, postcodes
from evm.store.writes import bulk_insert

Item = TypeVar("Item")
IDS_A_STATEMENT: Final = 1_000
ROWS_A_STATEMENT: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PostcodeRow:
    """A postcode without its blank; millionths of a degree (WGS 84), None where no position is known; the month it was terminated."""

    postcode: str
    latitude_e6: int | None
    longitude_e6: int | None
    terminated_month: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PostcodeFile:
    """A load that was done: `sha256` is of the file and of what was asked of it."""

    sha256: str
    file_name: str
    format: str
    rows_taken: int
    loaded_at: datetime


def among(session: Session, *, packed: Collection[str]) -> dict[str, PostcodeRow]:
    """Those of these postcodes (without blanks) that are known."""
    found: dict[str, PostcodeRow] = {}
    for some in _in_chunks(sorted(set(packed)), IDS_A_STATEMENT):
        for row in session.execute(select(postcodes).where(postcodes.c.postcode.in_(some))):
            found[row.postcode] = PostcodeRow(
                postcode=row.postcode,
                latitude_e6=row.latitude_e6,
                longitude_e6=row.longitude_e6,
                terminated_month=row.terminated_month,
            )
    return found


def any_known(session: Session) -> bool:
    """Whether any postcode has been loaded."""
    return session.execute(select(postcodes.c.postcode).limit(1)).first() is not None


def count(session: Session) -> int:
    """How many postcodes are known."""
    return session.execute(select(func.count()).select_from(postcodes)).scalar_one()


def outward_known(session: Session, *, outward_codes: Collection[str]) -> frozenset[str]:
    """Those of these outward codes in which a postcode is known."""
    wanted = postcodes.c.outward.in_(sorted(set(outward_codes)))
    return frozenset(session.execute(select(postcodes.c.outward).where(wanted).distinct()).scalars())


def remove_areas(session: Session, *, areas: Collection[str] | None) -> int:
    """Forget every postcode of these postcode areas ("M", "SK"); None: all of them. How many there were."""
    statement = delete(postcodes) if areas is None else delete(postcodes).where(or_(*map(_of_area, sorted(areas))))
    return int(session.execute(statement).rowcount)  # type: ignore[attr-defined]  # a DELETE answers a CursorResult


def _of_area(area: str) -> ColumnElement[bool]:
    """An area's letters and then a digit: "M1…" is not "MK1…"."""
    return (postcodes.c.postcode >= f"{area}0") & (postcodes.c.postcode < f"{area}:")


def remove(session: Session, *, packed: Collection[str]) -> None:
    """Forget these postcodes, to be added anew."""
    for some in _in_chunks(packed, IDS_A_STATEMENT):
        session.execute(delete(postcodes).where(postcodes.c.postcode.in_(some)))


def add(session: Session, *, rows: Iterable[PostcodeRow]) -> None:
    """Add postcodes that are not there."""
    for some in _in_chunks(rows, ROWS_A_STATEMENT):
        values: list[dict[str, object]] = [
            {
                "postcode": row.postcode,
                "outward": row.postcode[:-3],
                "latitude_e6": row.latitude_e6,
                "longitude_e6": row.longitude_e6,
                "terminated_month": row.terminated_month,
            }
            for row in some
        ]
        bulk_insert(session, table=postcodes, rows=values)


def newest_file(session: Session) -> PostcodeFile | None:
    """The load that was done last."""
    found = session.execute(select(postcode_files).order_by(postcode_files.c.loaded_at.desc()).limit(1))
    row = found.mappings().first()
    return None if row is None else PostcodeFile(**dict(row))


def note_file(session: Session, *, file: PostcodeFile) -> None:
    """Remember a load; one of the same file before is replaced."""
    session.execute(delete(postcode_files).where(postcode_files.c.sha256 == file.sha256))
    values = {name: getattr(file, name) for name in ("sha256", "file_name", "format", "rows_taken", "loaded_at")}
    session.execute(insert(postcode_files).values(values))


def _in_chunks(items: Iterable[Item], size: int) -> Iterator[Sequence[Item]]:
    iterator = iter(items)
    while some := list(islice(iterator, size)):
        yield some
