"""Fixtures every part shares: a migrated database of its own for each test. Not builders (tests/factories.py)."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session, sessionmaker

from evm.store.database import migrate, open_engine, session_factory


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite database at the newest schema, made once and copied for each test."""
    path = tmp_path_factory.mktemp("schema") / "empty.sqlite"
    engine = open_engine(url=f"sqlite:///{path}")
    migrate(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.exec_driver_sql("BEGIN")
    engine.dispose()
    return path


POSTGRESQL = "POPBACK_TEST_POSTGRESQL"
"""Names the URL of an empty PostgreSQL database of this test run's own; then the same tests run there. Its contents are destroyed."""


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a fresh database at the newest schema."""
    if POSTGRESQL in os.environ:
        return _fresh_postgresql(os.environ[POSTGRESQL])
    migrated_file: Path = request.getfixturevalue("migrated_file")
    path = tmp_path / "popback.sqlite"
    shutil.copyfile(migrated_file, path)
    return f"sqlite:///{path}"


def _fresh_postgresql(url: str) -> str:
    engine = open_engine(url=url)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    migrate(engine)
    engine.dispose()
    return url


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
