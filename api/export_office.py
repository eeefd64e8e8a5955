"""What an operator takes out of popback from the command line: tables and calendars as files, secret addresses of calendars. Not what
they hold (evm.services.exports)."""

import os
import secrets
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import IO, Any

from sqlalchemy.orm import Session

from api.office import OfficeRefused, opened
from api.parts import Parts
from evm.domain.ids import CustomerId, WorkerId
from evm.domain.transfer import Passed
from evm.services.exports import calendar, tables
from evm.services.exports.csv_text import csv_text
from evm.services.exports.tables import Asked, ExportRefused
from evm.store import calendars, exports, people
from evm.store.database import reading_factory
from evm.store.screens import Scope

BY = "popback export"


def export_tables(
    *, data: Path, database: str | None, wanted: list[tuple[Asked, Path | None]], bom: bool
) -> dict[str, Any]:
    """Write each table to its file (None: standard output): whole, or not at all. Who took it is noted. Raises OfficeRefused."""
    rows: dict[str, int] = {}
    with opened(data=data, database=database) as parts:
        for asked, out in wanted:
            _check(parts, asked)
            with _file(out) as file:
                rows[asked.name] = _write_table(parts, asked, file, bom=bom)
            with parts.sessions.begin() as session:
                exports.note(
                    session,
                    name=asked.name,
                    who=BY,
                    asked=_said(asked),
                    rows=rows[asked.name],
                    now=parts.clock(),
                )
    return {"rows": rows, "files": [str(out) for _, out in wanted if out is not None]}


def export_calendar(
    *, data: Path, database: str | None, kind: Passed, subject_id: str, since: date, until: date, out: Path | None
) -> dict[str, Any]:
    """Write a calendar to its file (None: standard output). Raises OfficeRefused."""
    if not since < until or (until - since).days > calendar.DAYS_MAX:
        raise OfficeRefused(f"--until must be after --since, at most {calendar.DAYS_MAX} days")
    with opened(data=data, database=database) as parts, reading_factory(parts.engine)() as session:
        try:
            content = _calendar(session, parts, kind, subject_id, since, until)
        except calendar.CalendarUnknown:
            raise OfficeRefused(_unknown(kind, subject_id)) from None
    with _file(out) as file:
        file.write(content.decode())
    return {"events": content.count(b"BEGIN:VEVENT"), "file": None if out is None else str(out)}


def _calendar(session: Session, parts: Parts, kind: Passed, subject_id: str, since: date, until: date) -> bytes:
    stamp, policy = parts.clock(), parts.policy
    if kind is Passed.WORKER:
        return calendar.run_calendar(
            session, worker_id=WorkerId(subject_id), since=since, until=until, stamp=stamp, policy=policy
        )
    return calendar.visit_calendar(
        session, customer_id=CustomerId(subject_id), since=since, until=until, stamp=stamp, policy=policy
    )


def make_calendar_address(
    *, data: Path, database: str | None, kind: Passed, subject_id: str, public_url: str
) -> dict[str, Any]:
    """Make a secret address of somebody's calendar; it is shown once and kept nowhere. Raises OfficeRefused."""
    token = secrets.token_urlsafe(24)
    with opened(data=data, database=database) as parts, parts.sessions.begin() as session:
        try:
            calendar.make_address(session, kind=kind, subject_id=subject_id, token=token, now=parts.clock(), by=BY)
        except calendar.CalendarUnknown:
            raise OfficeRefused(_unknown(kind, subject_id)) from None
    return {kind.value: subject_id, "address": f"{public_url}/calendar/{token}.ics"}


def revoke_calendar_addresses(*, data: Path, database: str | None, kind: Passed, subject_id: str) -> dict[str, Any]:
    """End every secret address of somebody's calendar. Raises OfficeRefused."""
    with opened(data=data, database=database) as parts, parts.sessions.begin() as session:
        ended = calendars.revoke(session, kind=kind.value, subject_id=subject_id, now=parts.clock())
    return {kind.value: subject_id, "addresses_revoked": ended}


def _check(parts: Parts, asked: Asked) -> None:
    try:
        tables.check(asked)
    except ExportRefused as refused:
        raise OfficeRefused(f"--{refused.field} {refused.words}") from None
    scope = asked.scope
    with reading_factory(parts.engine)() as session:
        known: dict[str, tuple[str | None, set[str]]] = {
            "--provider": (scope.provider_id, {str(one.provider_id) for one in people.providers(session)}),
            "--council": (scope.council_id, {str(one.council_id) for one in people.councils(session)}),
            "--locality": (scope.locality_id, {str(one.locality_id) for one in people.localities(session)}),
        }
    for option, (named, there) in known.items():
        if named is not None and named not in there:
            raise OfficeRefused(f"{option} {named!r} is not known here; there are {', '.join(sorted(there)) or 'none'}")


def _write_table(parts: Parts, asked: Asked, file: IO[str], *, bom: bool) -> int:
    with reading_factory(parts.engine)() as session:
        exports.one_moment(session)
        return _written(session, parts, asked, file, bom=bom)


def _written(session: Session, parts: Parts, asked: Asked, file: IO[str], *, bom: bool) -> int:
    made = tables.table(session, asked=asked, policy=parts.policy)
    count = [0]
    rows = _told(made.rows, asked.name, count)
    for piece in csv_text(columns=made.columns, rows=rows, zone=parts.policy.zone, bom=bom):
        file.write(piece)
    return count[0]


def _told(rows: Iterable[Any], name: str, count: list[int]) -> Iterator[Any]:
    """The rows, counted; how many there are so far is said on standard error every ten thousand."""
    for row in rows:
        count[0] += 1
        if count[0] % 10_000 == 0:
            sys.stderr.write(f"\r{name}: {count[0]:,} rows ")
            sys.stderr.flush()
        yield row
    if count[0] >= 10_000:
        sys.stderr.write("\n")


@contextmanager
def _file(out: Path | None) -> Iterator[IO[str]]:
    """The file to write: it takes its name when it is whole, and leaves nothing when it is stopped."""
    if out is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    try:
        handle, temporary = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.")
    except OSError as error:
        raise OfficeRefused(f"--out {out} cannot be written ({error.strerror})") from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(out)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _said(asked: Asked) -> dict[str, Any]:
    scope: Scope = asked.scope
    named = {"provider": scope.provider_id, "council": scope.council_id, "locality": scope.locality_id}
    return {
        "since": asked.since.isoformat(),
        "until": asked.until.isoformat(),
        **{key: value for key, value in named.items() if value is not None},
    }


def _unknown(kind: Passed, subject_id: str) -> str:
    return (
        f"--{kind.value} {subject_id!r} is no {'care worker' if kind is Passed.WORKER else 'customer'} in this database"
    )
