"""What an operator does to a database's schema and roles: migrate, check, go back, give rights. Not the command line itself
(api.commands.database) and not the rows."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic.util import CommandError
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from api.parts import PartsRefused, database_url, open_database
from evm.store import database as db
from evm.store import partitions, roles
from evm.store.roles import RoleRefused, Roles


class SchemaCommandRefused(ValueError):  # noqa: N818 -- named for what is wrong
    """A command that cannot be carried out, with the sentence that says what to do."""


def migrate(*, data: Path, database: str | None) -> dict[str, Any]:
    """Bring the schema to this version. Raises SchemaCommandRefused."""
    with _opened(data, database, prepare=db.bring_up) as engine:
        return _said(engine)


def check(*, data: Path, database: str | None) -> dict[str, Any]:
    """The schema's revision, when it is this version's. Raises SchemaCommandRefused naming the first difference."""
    with _opened(data, database) as engine:
        found, newest = db.schema_revision(engine), db.newest_revision()
        if found != newest:
            raise SchemaCommandRefused(
                f"the schema is at {found or 'nothing'} and this version's is {newest}: run popback database migrate"
            )
        others = db.differences(engine)
        if others:
            raise SchemaCommandRefused(
                f"the schema says it is at {found} and differs in {len(others)} places, the first: {others[0]}; restore a backup"
            )
        with Session(engine) as session:
            strays = partitions.stray_rows(session)
        return _said(engine) | {"rows_outside_months": strays}


def downgrade(*, data: Path, database: str | None, to: str, yes: bool) -> dict[str, Any]:
    """Take the schema back to `to`. Raises SchemaCommandRefused."""
    if not yes:
        raise SchemaCommandRefused(
            f"going back to {to} removes what newer revisions keep: make a backup (popback backup create), then say --yes"
        )
    with _opened(data, database) as engine:
        db.downgrade(engine, revision=to)
        return _said(engine)


def role_statements(*, data: Path, database: str | None, app: str, reader: str) -> dict[str, Any]:
    """The SQL that gives the roles their rights, in order. Raises SchemaCommandRefused."""
    wanted = Roles(app=app, reader=reader)
    with _opened(data, database) as engine:
        _refuse_unready(engine)
        with engine.connect() as connection:
            return {"statements": [*roles.make(connection, roles=wanted), *roles.statements(connection, roles=wanted)]}


def apply_roles(*, data: Path, database: str | None, app: str, reader: str) -> dict[str, Any]:
    """Make the roles if they are not there and give them their rights, all or nothing. Raises SchemaCommandRefused."""
    wanted = Roles(app=app, reader=reader)
    with _opened(data, database) as engine:
        _refuse_unready(engine)
        with engine.begin() as connection:
            made = roles.make(connection, roles=wanted)
            for statement in made:
                connection.exec_driver_sql(statement)
            roles.grant(connection, roles=[wanted])
        return {"app": app, "reader": reader, "roles_made": len(made)}


def _refuse_unready(engine: Engine) -> None:
    if engine.dialect.name != "postgresql":
        raise SchemaCommandRefused("roles are PostgreSQL's: a SQLite file is protected by its permissions")
    if db.schema_revision(engine) != db.newest_revision():
        raise SchemaCommandRefused("the schema is not of this version: run popback database migrate first")


def _said(engine: Engine) -> dict[str, Any]:
    at = db.schema_revision(engine)
    return {
        "database": engine.url.render_as_string(hide_password=True),
        "schema": "current" if at == db.newest_revision() else "older",
        "revision": at or "empty",
    }


@contextmanager
def _opened(
    data: Path, database: str | None, *, prepare: Callable[[Engine], object] = db.schema_revision
) -> Iterator[Engine]:
    try:
        url = database_url(data=data, database=database)
        if database is None:
            data.mkdir(parents=True, exist_ok=True)
        engine = open_database(url, prepare=prepare)
    except OSError as error:
        raise SchemaCommandRefused(
            f"--data {data} cannot be used ({error.strerror}): name a directory that this user may write"
        ) from None
    except PartsRefused as error:
        raise SchemaCommandRefused(str(error)) from None
    try:
        yield engine
    except CommandError as error:
        raise SchemaCommandRefused(f"{error}") from None
    except RoleRefused as error:
        raise SchemaCommandRefused(str(error)) from None
    except DBAPIError as error:
        raise SchemaCommandRefused(
            f"the database refuses ({str(error.orig).strip().splitlines()[0]}): connect as the owner, or ask the server's administrator"
        ) from None
    finally:
        engine.dispose()
