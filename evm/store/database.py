"""Opens the database, brings its schema up to date and makes sessions. Not queries (one module a noun beside this one) and no settings.

SQLite runs with a write-ahead log, `synchronous=FULL`, foreign keys and `BEGIN IMMEDIATE` (a transaction that reads first and writes later
would fail at once under another writer). Sessions from `reading_factory` begin deferred: they never wait for a writer, and refuse to write.
PostgreSQL needs nothing but its URL."""

from importlib.resources import files
from typing import Any

import orjson
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry

BUSY_TIMEOUT_MS = 30_000
READS_ONLY = "popback_reads_only"


def open_engine(*, url: str, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> Engine:
    """An engine for a SQLAlchemy URL (`sqlite:///file`, `postgresql+psycopg://…`). Opens no connection yet."""
    is_sqlite = make_url(url).get_backend_name() == "sqlite"
    arguments: dict[str, Any] = {"check_same_thread": False, "timeout": busy_timeout_ms / 1000} if is_sqlite else {}
    engine = create_engine(
        url,
        connect_args=arguments,
        json_serializer=_json_text,
        json_deserializer=orjson.loads,
        pool_pre_ping=not is_sqlite,
        hide_parameters=True,
    )
    if is_sqlite:
        event.listen(engine, "connect", _set_pragmas)
        event.listen(engine, "begin", _begin)
    return engine


def migrate(engine: Engine, *, revision: str = "head") -> None:
    """Bring the schema to `revision` in one transaction: a crash half-way leaves it as it was."""
    with engine.begin() as connection:
        command.upgrade(alembic_config(connection), revision)


def downgrade(engine: Engine, *, revision: str) -> None:
    """Take the schema back to `revision` ("base": nothing left) in one transaction."""
    with engine.begin() as connection:
        command.downgrade(alembic_config(connection), revision)


def alembic_config(connection: Connection) -> Config:
    """Alembic's configuration over an open connection; the migrations are packaged beside this module."""
    config = Config()
    config.set_main_option("script_location", str(files("evm.store") / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def session_factory(engine: Engine) -> sessionmaker[Session]:
    """Sessions that may write. Objects are plain domain values, so nothing expires on commit."""
    return sessionmaker(engine, expire_on_commit=False)


def reading_factory(engine: Engine) -> sessionmaker[Session]:
    """Sessions for pages and reports: on SQLite they neither wait for a writer nor hold one up, and a write in them fails."""
    if engine.dialect.name == "postgresql":
        return sessionmaker(engine.execution_options(postgresql_readonly=True), expire_on_commit=False)
    return sessionmaker(engine.execution_options(**{READS_ONLY: True}), expire_on_commit=False)


def _json_text(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _set_pragmas(connection: Any, _record: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself; `_begin` does
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-65536"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    if connection.get_execution_options().get(READS_ONLY):
        connection.exec_driver_sql("PRAGMA query_only=ON")
        connection.exec_driver_sql("BEGIN")
    else:
        connection.exec_driver_sql("PRAGMA query_only=OFF")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
