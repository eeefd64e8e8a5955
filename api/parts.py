"""The parts every server process opens: data directory, database, clock, secrets. Not which of them runs where (api.serve)."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from alembic.util import CommandError
from sqlalchemy import Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from devices import identity
from evm.domain.policy import Policy
from evm.store import database as db

Clock = Callable[[], datetime]
URL_IN_FILE = "file:"


class PartsRefused(ValueError):  # noqa: N818 -- named for what is wrong
    """The data directory or the database cannot be used, with the sentence that says what to do."""


def wall_clock() -> datetime:
    """The machine's clock, aware UTC: read here, handed to everything else."""
    return datetime.now(UTC)  # noqa: TID251 -- the entry points' one reading of the clock


def new_challenge() -> str:
    """A fresh challenge for a device: 128 random bits, URL-safe."""
    return secrets.token_urlsafe(16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a process works on. `secrets` is the directory of the servers' own broker credentials, readable by us alone."""

    url: str
    engine: Engine
    sessions: sessionmaker[Session]
    secrets: Path
    clock: Clock
    policy: Policy
    challenges: Callable[[], str]


def open_parts(
    *,
    data: Path,
    database: str | None = None,
    clock: Clock = wall_clock,
    policy: Policy | None = None,
    challenges: Callable[[], str] = new_challenge,
) -> Parts:
    """Make the data directory, open the database and bring its schema to this version. Raises PartsRefused."""
    secrets_dir = data / "secrets"
    try:
        data.mkdir(parents=True, exist_ok=True)
        if not secrets_dir.exists():
            secrets_dir.mkdir(mode=0o700, exist_ok=True)
            identity.belong_beside(secrets_dir)
    except OSError as error:
        raise PartsRefused(
            f"--data {data} cannot be used ({error.strerror}): name a directory that this user may write"
        ) from None
    try:
        identity.server_credentials(directory=secrets_dir)
    except (ValueError, AttributeError):
        raise PartsRefused(
            f"{secrets_dir / identity.CREDENTIALS_FILE} is damaged: remove it, and new credentials are made; "
            "with Mosquitto, run popback broker sync again"
        ) from None
    url = database_url(data=data, database=database)
    engine = open_database(url)
    return Parts(
        url=url,
        engine=engine,
        sessions=db.session_factory(engine),
        secrets=secrets_dir,
        clock=clock,
        policy=policy or Policy(),
        challenges=challenges,
    )


def database_url(*, data: Path, database: str | None) -> str:
    """The database that these two options name: a URL, or `file:PATH` of a file that holds one (a credential of systemd or a container).
    Raises PartsRefused."""
    if database is not None and database.startswith(URL_IN_FILE):
        path = Path(database.removeprefix(URL_IN_FILE))
        try:
            return path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise PartsRefused(
                f"--database {database}: the file cannot be read ({error}): put the database's URL there, for this user alone"
            ) from None
    return database or f"sqlite:///{(data / 'popback.sqlite3').resolve()}"


def open_database(url: str, *, prepare: Callable[[Engine], object] = db.bring_up) -> Engine:
    """The database, prepared: by itself, brought to this version's schema. Its password is never in what is raised. Raises PartsRefused."""
    try:
        shown = make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        raise PartsRefused(
            "--database is no SQLAlchemy URL, such as sqlite:///file or postgresql+psycopg://user@host/popback"
        ) from None
    try:
        engine = db.open_engine(url=url)
        with _disposed_on_error(engine):
            prepare(engine)
    except db.SchemaRefused as error:
        raise PartsRefused(f"the database {shown}: {error}") from None
    except (ArgumentError, ModuleNotFoundError) as error:
        raise PartsRefused(f"no driver is installed for the database {shown} ({error})") from None
    except DBAPIError as error:
        raise PartsRefused(
            f"the database {shown} cannot be opened ({' '.join(str(error.orig).split())}): see that it is there, whole, "
            "used by no other program, and that this user may write to it"
        ) from error
    except CommandError as error:
        raise PartsRefused(
            f"the database {shown} is not of this version of popback ({error}): run the version that wrote it, or a newer one"
        ) from error
    return engine


@contextmanager
def _disposed_on_error(engine: Engine) -> Iterator[None]:
    try:
        yield
    except BaseException:
        engine.dispose()
        raise
