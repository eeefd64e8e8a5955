"""Backup and restore of everything a server keeps: database, credentials, settings. Not the copying of a database (evm.store.copies), not
the file's form (api.archive), and nothing of brokers: a broker is a pipe, its files are written anew by `popback broker sync`.

After a restore the log opens a new epoch, and phones send again what it lost (evm.services.epochs)."""

import contextlib
import fcntl
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from alembic.script import ScriptDirectory
from sqlalchemy import Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.orm import Session

from api.app import VERSION
from api.archive import ArchiveRefused, Manifest, Part, part_of, unpack, write_archive
from api.parts import PartsRefused, database_url
from devices.identity import write_privately
from evm.services.epochs import open_epoch
from evm.store import copies
from evm.store import database as db
from evm.store.copies import Contents, CopyRefused, Progress

SQLITE_PART: Final = "database.sqlite3"
POSTGRESQL_PART: Final = "database.pgdump"
SETTINGS: Final = "popback.toml"
PRIVATE: Final = "secret-"
TOKEN_BYTES: Final = 4
WORK_PREFIX: Final = ".popback-backup-"
LOCK: Final = ".lock"
_SECRET: Final = re.compile(r"secret-[A-Za-z0-9][A-Za-z0-9._-]*")


class BackupRefused(ValueError):  # noqa: N818 -- named for what is wrong
    """A backup cannot be made, checked or restored, with the sentence that says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a server keeps its things: its data directory and its database (None: the SQLite file in there). `programs`: where
    PostgreSQL's pg_dump, pg_restore and psql are, if not on the PATH."""

    data: Path
    database: str | None = None
    programs: Path | None = None

    @property
    def url(self) -> str:
        try:
            return database_url(data=self.data, database=self.database)
        except PartsRefused as error:
            raise BackupRefused(str(error)) from None

    @property
    def sqlite_file(self) -> Path | None:
        """The database's file; None for PostgreSQL. Raises BackupRefused for anything that is no URL."""
        try:
            url = make_url(self.url)
        except ArgumentError:
            raise BackupRefused(
                "--database is no SQLAlchemy URL, such as sqlite:///file or postgresql+psycopg://user@host/popback"
            ) from None
        return Path(str(url.database)) if url.get_backend_name() == "sqlite" else None


def make(*, place: Place, out: Path, now: datetime, progress: Progress) -> dict[str, Any]:
    """Write an archive of everything, while servers may run. Raises BackupRefused; then there is no new file."""
    with _refusing(), _work(out.parent) as work:
        progress("copying the database")
        database, contents = _copied_out(place, work, progress)
        parts = {database: work / database} | _kept_files(place.data)
        progress("writing the archive")
        manifest = Manifest(
            popback_version=VERSION,
            made_at=now.isoformat(timespec="seconds"),
            database="sqlite" if database == SQLITE_PART else "postgresql",
            contents=contents,
            files={name: part_of(path) for name, path in parts.items()},
        )
        write_archive(out=out, manifest=manifest, parts=parts)
    return {"backup": str(out), "size_bytes": out.stat().st_size, **_shown(manifest)}


def check(*, archive: Path, progress: Progress) -> dict[str, Any]:
    """Whether a backup is whole: every part is what the manifest says, and a SQLite database sound and as counted. Raises BackupRefused."""
    with _refusing(), _work(None) as work:
        progress("reading the archive")
        manifest = unpack(archive=archive, into=work)
        _fits_this_version(manifest)
        if manifest.database == "sqlite":
            progress("checking the database")
            _check_sqlite(work / SQLITE_PART, manifest.contents)
    return {"backup": str(archive), "whole": True, **_shown(manifest)}


def restore(*, archive: Path, place: Place, replace: bool, now: datetime, progress: Progress) -> dict[str, Any]:
    """Put everything back and open a new epoch of the log. Raises BackupRefused; the place is then as it was, or the same call goes on.

    Without `replace` only into a place where nothing is."""
    sqlite_file = place.sqlite_file
    with _refusing():
        if not replace:
            _refuse_a_place_in_use(place)
        place.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _work(place.data) as work:
            progress("reading the archive")
            manifest = unpack(archive=archive, into=work)
            _fits_this_version(manifest)
            _same_kind(manifest, sqlite_file)
            progress("restoring the database")
            if sqlite_file is not None:
                epoch = _restore_sqlite(work, sqlite_file, manifest, now=now)
            else:
                epoch = _restore_postgresql(work, place, now=now)
            _put_back_files(work, place.data, manifest.files)
    return {"restored": str(archive), "epoch": epoch, **_shown(manifest)}


def reopen(*, place: Place, now: datetime) -> dict[str, Any]:
    """Open a new epoch after a restore that was made by other means (a server's own, point in time). Raises BackupRefused."""
    with _refusing():
        sqlite_file = place.sqlite_file
        if sqlite_file is not None and not sqlite_file.exists():
            raise BackupRefused(
                f"there is no database {sqlite_file}: name the data directory by --data, or the database by --database"
            )
        return {"epoch": _opened_epoch(place.url, now=now)}


# -- the database ----------------------------------------------------------------------------------------------------------------------


def _copied_out(place: Place, work: Path, progress: Progress) -> tuple[str, Contents]:
    sqlite_file = place.sqlite_file
    if sqlite_file is not None:
        if not sqlite_file.exists():
            raise BackupRefused(
                f"there is no database {sqlite_file}: name the data directory by --data, or the database by --database"
            )
        copies.copy_sqlite(source=sqlite_file, to=work / SQLITE_PART, progress=progress)
        copies.check_sqlite(work / SQLITE_PART)
        return SQLITE_PART, _contents_of(work / SQLITE_PART)
    with _engine(place.url) as engine, copies.one_state(engine) as (session, snapshot):
        found = copies.contents(session)
        copies.dump_postgresql(engine, snapshot=snapshot, to=work / POSTGRESQL_PART, programs=place.programs)
    return POSTGRESQL_PART, found


def _contents_of(path: Path) -> Contents:
    with _engine(f"sqlite:///{path}") as engine, Session(bind=engine) as session:
        return copies.contents(session)


def _check_sqlite(path: Path, said: Contents) -> None:
    copies.check_sqlite(path)
    if (found := _contents_of(path)) != said:
        raise BackupRefused(
            f"the database is not the one that was counted (log up to {found.last_index}, the manifest says {said.last_index}): "
            "use another backup"
        )


def _restore_sqlite(work: Path, target: Path, manifest: Manifest, *, now: datetime) -> str:
    """The database is made ready beside its place and then takes it in one step."""
    ready = work / SQLITE_PART
    _check_sqlite(ready, manifest.contents)
    epoch = _opened_epoch(f"sqlite:///{ready}", now=now)
    copies.settle_sqlite(ready)
    if target.exists():
        copies.settle_sqlite(target)
        for side in ("-wal", "-shm"):
            target.with_name(target.name + side).unlink(missing_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(ready, target) if ready.stat().st_dev != target.parent.stat().st_dev else ready.replace(target)
    return epoch


def _restore_postgresql(work: Path, place: Place, *, now: datetime) -> str:
    with _engine(place.url) as engine:
        copies.load_postgresql(engine, dump=work / POSTGRESQL_PART, work=work, programs=place.programs)
    return _opened_epoch(place.url, now=now)


def _opened_epoch(url: str, *, now: datetime) -> str:
    with _engine(url) as engine:
        db.migrate(engine)
        with db.session_factory(engine).begin() as session:
            return open_epoch(session, now=now, token=secrets.token_hex(TOKEN_BYTES)).name


@contextlib.contextmanager
def _engine(url: str) -> Iterator[Engine]:
    engine = db.open_engine(url=url)
    try:
        yield engine
    finally:
        engine.dispose()


# -- the files beside it -----------------------------------------------------------------------------------------------------------------


def _kept_files(data: Path) -> dict[str, Path]:
    """Settings and secrets, by the name each has in the archive."""
    found = {SETTINGS: data / SETTINGS} if (data / SETTINGS).is_file() else {}
    secret = sorted((data / "secrets").glob("*")) if (data / "secrets").is_dir() else []
    return found | {PRIVATE + path.name: path for path in secret if path.is_file() and not path.name.startswith(".")}


def _put_back_files(work: Path, data: Path, files: dict[str, Part]) -> None:
    for name in files:
        if _SECRET.fullmatch(name):
            (data / "secrets").mkdir(mode=0o700, exist_ok=True)
            write_privately(data / "secrets" / name.removeprefix(PRIVATE), (work / name).read_text(encoding="utf-8"))
        elif name == SETTINGS:
            write_privately(data / SETTINGS, (work / name).read_text(encoding="utf-8"))


# -- refusing ----------------------------------------------------------------------------------------------------------------------------


def _refuse_a_place_in_use(place: Place) -> None:
    taken = [
        str(path)
        for path in (*_kept_files(place.data).values(), place.sqlite_file)
        if path is not None and path.exists()
    ]
    if place.sqlite_file is None:
        with _engine(place.url) as engine:
            taken += [] if copies.is_empty(engine) else ["the database"]
    if taken:
        raise BackupRefused(
            f"{' and '.join(taken)} would be overwritten: restore into an empty place, or say --replace to give up what is there"
        )


def _same_kind(manifest: Manifest, sqlite_file: Path | None) -> None:
    here = "postgresql" if sqlite_file is None else "sqlite"
    if manifest.database != here:
        name = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
        raise BackupRefused(
            f"this is a backup of a {name[manifest.database]} database and --database names {name[here]}: name one of the same kind"
        )


def _fits_this_version(manifest: Manifest) -> None:
    wanted = POSTGRESQL_PART if manifest.database == "postgresql" else SQLITE_PART
    if wanted not in manifest.files or manifest.database not in ("sqlite", "postgresql"):
        raise ArchiveRefused("the backup holds no database: it is damaged; use another one")
    with _engine("sqlite://") as engine, engine.connect() as connection:
        known = {
            script.revision for script in ScriptDirectory.from_config(db.alembic_config(connection)).walk_revisions()
        }
    if manifest.contents.schema_revision not in known:
        raise BackupRefused(
            f"the backup was written by popback {manifest.popback_version}, whose schema {manifest.contents.schema_revision} this version "
            f"({VERSION}) does not know: restore it with that version, or a newer one"
        )


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    """What a person can mend, as one kind of refusal with its sentence."""
    try:
        yield
    except (ArchiveRefused, CopyRefused) as error:
        raise BackupRefused(str(error)) from None
    except DBAPIError as error:
        raise BackupRefused(
            f"the database cannot be used ({str(error.orig).strip()}): see that it is there and that this user may"
        ) from None
    except ModuleNotFoundError as error:
        raise BackupRefused(f"no driver is installed for this database ({error})") from None
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        raise BackupRefused(
            f"the disk refuses{where} ({error.strerror}): nothing is left half-done; make room or name another place, and try again"
        ) from None


@contextlib.contextmanager
def _work(beside: Path | None) -> Iterator[Path]:
    """A directory that is gone afterwards, on the same disk as `beside`."""
    with tempfile.TemporaryDirectory(prefix=WORK_PREFIX, dir=beside) as directory:
        if beside is not None:
            _clear_away(beside, but=Path(directory))
        with (Path(directory) / LOCK).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield Path(directory)


def _clear_away(beside: Path, *, but: Path) -> None:
    """What a kill left: directories of this kind that nobody works in any more. They would hold a copy of everybody's data for ever."""
    for old in beside.glob(f"{WORK_PREFIX}*"):
        if old == but or not (old / LOCK).is_file():
            continue
        with (old / LOCK).open("rb") as lock, contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(old)


def _shown(manifest: Manifest) -> dict[str, Any]:
    contents = manifest.contents
    return {
        "made_at": manifest.made_at,
        "popback_version": manifest.popback_version,
        "database": manifest.database,
        "schema_revision": contents.schema_revision,
        "events": contents.rows.get("evidence", 0),
        "log_last_index": contents.last_index,
        "log_digest": contents.digest,
        "rows": sum(contents.rows.values()),
    }


def stamped(now: datetime) -> str:
    """The usual name of a backup made now."""
    return f"popback-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}.tar.gz"
