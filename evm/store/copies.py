"""Whole copies of a database, out and in, consistent while it is used: SQLite by its online backup, PostgreSQL by pg_dump and psql. Not the
archive that holds a copy (api.backup) and not what a restore means for phones (evm.services.epochs)."""

import contextlib
import os
import re
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import Any, Final

from sqlalchemy import Engine, func, inspect, select, text
from sqlalchemy.orm import Session

from evm.store import epochs
from evm.store.tables import metadata

PAGES_A_STEP: Final = 2_000
LOCK_SECONDS_MAX: Final = 10
EMPTY_FIRST: Final = f"SET lock_timeout = '{LOCK_SECONDS_MAX}s';\nDROP SCHEMA public CASCADE;\nCREATE SCHEMA public;\n"

Progress = Callable[[str], None]


class CopyRefused(ValueError):  # noqa: N818 -- named for what is wrong
    """A database cannot be copied or taken back, with the sentence that says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a copy holds: the schema's revision, the log's newest index and digest, its epoch's number (1: the first), rows a table."""

    schema_revision: str
    last_index: int
    digest: str
    epoch_number: int
    rows: dict[str, int]


def contents(session: Session) -> Contents:
    """What the database holds, as this session's transaction sees it. Reads every table once."""
    there = set(inspect(session.connection()).get_table_names())
    wanted = [table for table in metadata.sorted_tables if table.name in there]
    rows = {table.name: session.execute(select(func.count()).select_from(table)).scalar_one() for table in wanted}
    last_index, digest = epochs.log_digest(session)
    epoch = epochs.current(session)
    return Contents(
        schema_revision=session.execute(text("SELECT version_num FROM alembic_version")).scalar_one(),
        last_index=last_index,
        digest=digest,
        epoch_number=1 if epoch is None else epoch.number,
        rows=rows,
    )


def is_empty(engine: Engine) -> bool:
    """Whether the database holds no table yet."""
    with engine.connect() as connection:
        return not inspect(connection).get_table_names()


# -- SQLite ----------------------------------------------------------------------------------------------------------------------------


def copy_sqlite(*, source: Path, to: Path, progress: Progress) -> None:
    """Copy one state of a SQLite database that others may be writing to. Raises CopyRefused, and OSError when the disk is full."""
    with contextlib.closing(_connected(source)) as old, contextlib.closing(sqlite3.connect(to)) as new:
        try:
            old.execute("BEGIN")  # one state from first page to last, and nobody waits for it (write-ahead log)
            old.execute("SELECT count(*) FROM sqlite_master").fetchone()
            old.backup(new, pages=PAGES_A_STEP, progress=lambda _s, left, of: progress(_share(of - left, of)))
            old.execute("ROLLBACK")
            new.execute("PRAGMA journal_mode=DELETE")
        except sqlite3.DatabaseError as error:
            raise _refused(source, error) from None


def check_sqlite(path: Path) -> None:
    """Look at every page. Raises CopyRefused naming the first thing that is wrong."""
    with contextlib.closing(_connected(path)) as connection:
        try:
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        except sqlite3.DatabaseError as error:
            raise _refused(path, error) from None
    if found != "ok":
        raise CopyRefused(
            f"the database {path.name} is damaged ({found}): restore a backup, popback backup restore FILE"
        )


def settle_sqlite(path: Path) -> None:
    """Take what stands in the write-ahead log into the file, which nobody else may have open. Raises CopyRefused when somebody has.

    A damaged file is let be: it is about to be replaced."""
    with contextlib.closing(_connected(path)) as connection:
        try:
            connection.execute("PRAGMA journal_mode=DELETE").fetchone()
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise CopyRefused(f"{path} is in use: stop every popback process first") from None
        except sqlite3.DatabaseError:
            return


def _connected(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, timeout=LOCK_SECONDS_MAX)


def _refused(path: Path, error: sqlite3.DatabaseError) -> Exception:
    if "full" in str(error):
        return OSError(28, f"no space left for a copy of {path.name}")
    return CopyRefused(f"the database {path} cannot be read ({error}): restore a backup, popback backup restore FILE")


def _share(done: int, total: int) -> str:
    return f"database: {100 * done // max(total, 1)} %"


# -- PostgreSQL ------------------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def one_state(engine: Engine) -> Iterator[tuple[Session, str]]:
    """A session that sees one state of a PostgreSQL database, and the name under which pg_dump sees the same."""
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        name = connection.execute(text("SELECT pg_export_snapshot()")).scalar_one()
        with Session(bind=connection) as session:
            yield session, name


def dump_postgresql(engine: Engine, *, snapshot: str, to: Path, programs: Path | None) -> None:
    """Write the state `snapshot` in pg_dump's own format. Raises CopyRefused."""
    program = _program("pg_dump", engine=engine, programs=programs)
    _run(
        [
            program,
            "--format=custom",
            "--compress=0",
            "--no-owner",
            "--no-privileges",
            f"--snapshot={snapshot}",
            f"--file={to}",
        ],
        engine=engine,
    )


def load_postgresql(engine: Engine, *, dump: Path, work: Path, programs: Path | None) -> None:
    """Replace everything in the database by a dump, in one transaction: before, or after. Raises CopyRefused."""
    restore = _program("pg_restore", engine=engine, programs=programs)
    psql = _program("psql", engine=engine, programs=programs)
    first, script = work / "empty.sql", work / "database.sql"
    first.write_text(EMPTY_FIRST, encoding="utf-8")
    _run([restore, "--no-owner", "--no-privileges", f"--file={script}", str(dump)], engine=engine)
    one = ["--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "--output=/dev/null"]
    _run([psql, *one, f"--file={first}", f"--file={script}"], engine=engine)


def _program(name: str, *, engine: Engine, programs: Path | None) -> str:
    """PostgreSQL's own program of this name, not older than the server."""
    found = which(name) if programs is None else which(name, path=str(programs))
    with engine.connect() as connection:
        server = int(connection.execute(text("SHOW server_version_num")).scalar_one()) // 10_000
    if found is None:
        where = "on this machine's PATH" if programs is None else f"in {programs}"
        raise CopyRefused(
            f"there is no {name} {where}: install PostgreSQL {server}'s client programs, or name their directory by --pg-bin"
        )
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603 -- our own arguments
    version = re.search(r"\) (\d+)", said)
    if version is None or int(version[1]) < server:
        raise CopyRefused(
            f"{found} is version {version[1] if version else 'unknown'} and the server is {server}: name the directory of "
            f"PostgreSQL {server}'s programs (or newer ones) by --pg-bin"
        )
    return found


def _run(arguments: list[str], *, engine: Engine) -> None:
    done = subprocess.run(  # noqa: S603 -- our own arguments; the password goes by the environment, where no process list shows it
        arguments,
        env=os.environ | _environment(engine),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        name = Path(arguments[0]).name
        wrong = [line for line in said if "error" in line.lower() or "FATAL" in line]
        first = next(iter(wrong + said), f"{name} ended with {done.returncode}")
        if "No space left" in done.stderr:
            raise OSError(28, "No space left on device")
        raise CopyRefused(f"{first}{_remedy(done.stderr)}")


def _remedy(said: str) -> str:
    if "lock timeout" in said:
        return ": stop every popback process first"
    if "permission denied" in said or "must be owner" in said:
        return ": do it as the database's owner, whom --database or POPBACK_DATABASE names"
    return ""


def _environment(engine: Engine) -> dict[str, str]:
    """The variables that libpq's programs read, for the engine's URL."""
    url = engine.url
    query: dict[str, Any] = dict(url.query)
    said = {
        "PGHOST": url.host or query.get("host"),
        "PGPORT": url.port or query.get("port"),
        "PGUSER": url.username,
        "PGPASSWORD": url.password,
        "PGDATABASE": url.database,
        "PGSSLMODE": query.get("sslmode"),
        "PGSSLROOTCERT": query.get("sslrootcert"),
    }
    return {name: str(value) for name, value in said.items() if value}
