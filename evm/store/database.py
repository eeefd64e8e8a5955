"""Opens the database, brings its schema up to date and makes sessions. Not queries (one module a noun beside this one) and no settings.

SQLite runs with a write-ahead log, `synchronous=FULL`, foreign keys and `BEGIN IMMEDIATE` (a transaction that reads first and writes later
would fail at once under another writer). Sessions from `reading_factory` begin deferred: they never wait for a writer, and refuse to write.
PostgreSQL needs nothing but its URL."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final

import orjson
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry

from evm.store import roles
from evm.store.locks import hold_on
from evm.store.partitions import is_compared
from evm.store.tables import metadata

BUSY_TIMEOUT_MS = 30_000
READS_ONLY = "popback_reads_only"
MIGRATING = "migrate"
INSUFFICIENT_PRIVILEGE = "42501"
"""PostgreSQL's code for "permission denied" and "must be owner"."""
NOTICES_A_LOST_SERVER: Final[dict[str, Any]] = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""libpq's own words: a server that fell silent is an error within 30 seconds, and what was asked of it is tried again."""


def open_engine(*, url: str, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> Engine:
    """An engine for a SQLAlchemy URL (`sqlite:///file`, `postgresql+psycopg://…`). Opens no connection yet."""
    is_sqlite = make_url(url).get_backend_name() == "sqlite"
    arguments = (
        {"check_same_thread": False, "timeout": busy_timeout_ms / 1000} if is_sqlite else dict(NOTICES_A_LOST_SERVER)
    )
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


class SchemaRefused(RuntimeError):  # noqa: N818 -- named for what is wrong
    """The schema is not this version's and may not be brought there by whom we are connected as."""


def migrate(engine: Engine, *, revision: str = "head") -> None:
    """Bring the schema to `revision` in one transaction: a crash half-way leaves it as it was. A second migrator waits for the first."""
    with engine.begin() as connection:
        hold_on(connection, name=MIGRATING)
        allowed = roles.granted(connection)
        command.upgrade(alembic_config(connection), revision)
        roles.grant(connection, roles=allowed)


def downgrade(engine: Engine, *, revision: str) -> None:
    """Take the schema back to `revision` ("base": nothing left) in one transaction."""
    with engine.begin() as connection:
        hold_on(connection, name=MIGRATING)
        command.downgrade(alembic_config(connection), revision)


def bring_up(engine: Engine) -> None:
    """Bring the schema to this version if it is not there yet, as every process does at its start. Raises SchemaRefused when it is older
    and we may not change it: on PostgreSQL the servers' role owns nothing (evm.store.roles)."""
    try:
        if schema_revision(engine) != newest_revision():
            migrate(engine)
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != INSUFFICIENT_PRIVILEGE:
            raise
        raise SchemaRefused("the schema is not of this version: run popback database migrate as the owner") from error


def schema_revision(engine: Engine) -> str | None:
    """The revision the database's schema is at; None when it is empty."""
    with engine.connect() as connection:
        found: str | None = MigrationContext.configure(connection).get_current_revision()
        return found


def newest_revision() -> str:
    """The revision of this version's schema."""
    newest = ScriptDirectory(str(_migrations())).get_current_head()
    assert newest is not None
    return newest


def differences(engine: Engine) -> tuple[str, ...]:
    """What the schema has otherwise than this version's tables, in Alembic's words; nothing when it is current. Changes nothing."""
    with engine.connect() as connection:
        options = {"compare_type": True, "include_name": is_compared}
        found = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    return tuple(str(each) for each in found)


def _migrations() -> Traversable:
    return files("evm.store") / "migrations"


def alembic_config(connection: Connection) -> Config:
    """Alembic's configuration over an open connection; the migrations are packaged beside this module."""
    config = Config()
    config.set_main_option("script_location", str(_migrations()).replace("%", "%%"))
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
