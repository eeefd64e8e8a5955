"""Fixtures every part shares: migrated databases of its own for each test, on SQLite and on PostgreSQL. Not builders (tests/factories.py)
and not how databases are made (tests/databases.py).

A test that asks for a database runs once on each kind; `@pytest.mark.database("sqlite")` keeps it to one, and says that it is about that one's
own ways. `-k "not postgresql"` leaves PostgreSQL out."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from evm.store.database import open_engine, session_factory
from tests.databases import KINDS, SQLITE, MakeDatabase, PostgresqlServer, SqliteFiles, postgresql_server


def pytest_configure() -> None:
    """A shell that starts a run in the background has it ignore Ctrl-C, and so would every program that a test starts and interrupts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test with a database in its fixtures runs on both kinds, or on those that its mark names."""
    if "database_kind" in metafunc.fixturenames:
        marked = metafunc.definition.get_closest_marker("database")
        metafunc.parametrize("database_kind", KINDS if marked is None else marked.args)


@pytest.fixture(scope="session")
def sqlite_files(tmp_path_factory: pytest.TempPathFactory) -> SqliteFiles:
    return SqliteFiles(directory=tmp_path_factory.mktemp("schema"))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    with postgresql_server() as server:
        yield server


@pytest.fixture
def make_database(database_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[MakeDatabase]:
    """Makes databases of the test's kind; they are gone after it."""
    if database_kind == SQLITE:
        files: SqliteFiles = request.getfixturevalue("sqlite_files")
        yield lambda *, migrated=True, like=None: files.make(directory=tmp_path, migrated=migrated, like=like)
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    made: list[str] = []

    def make(*, migrated: bool = True, like: str | None = None) -> str:
        made.append(server.make(migrated=migrated, like=like))
        return made[-1]

    yield make
    for url in made:
        server.drop(url)


@pytest.fixture
def database_url(make_database: MakeDatabase) -> str:
    """The URL of a fresh database at the newest schema; other processes may open it too."""
    return make_database()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine over a fresh database, disposed of afterwards."""
    engine = open_engine(url=database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def sessions(engine: Engine) -> sessionmaker[Session]:
    return session_factory(engine)


@pytest.fixture
def session(sessions: sessionmaker[Session]) -> Iterator[Session]:
    """One session, rolled back at the end unless the test commits."""
    with sessions() as session:
        yield session
