"""`popback database …`: the schema and, on PostgreSQL, the roles. Not backups (api.commands.backup)."""

import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from api.commands.options import DEFAULT_DATA, AsJson, Database, DataDir, emit, refuse

database_app = typer.Typer(no_args_is_help=True, help="The database's schema and its roles.")
Revision = Annotated[str, typer.Option("--to", help="The revision to go back to, such as 0003.")]
Yes = Annotated[bool, typer.Option("--yes", help="Yes: what newer revisions keep is removed.")]
Apply = Annotated[bool, typer.Option("--apply", help="Run the statements instead of printing them.")]
AppRole = Annotated[str, typer.Option("--app", help="The role that servers connect as.")]
ReaderRole = Annotated[str, typer.Option("--reader", help="The role that reports connect as.")]


@database_app.command("migrate")
def database_migrate(*, data: DataDir = DEFAULT_DATA, database: Database = None, as_json: AsJson = False) -> None:
    """Bring the database's schema to this version."""
    from api.schema import migrate

    emit(_answer(lambda: migrate(data=data, database=database)), as_json=as_json)


@database_app.command("check")
def database_check(*, data: DataDir = DEFAULT_DATA, database: Database = None, as_json: AsJson = False) -> None:
    """Say whether the schema is this version's, and change nothing."""
    from api.schema import check

    emit(_answer(lambda: check(data=data, database=database)), as_json=as_json)


@database_app.command("downgrade")
def database_downgrade(
    *, to: Revision, yes: Yes = False, data: DataDir = DEFAULT_DATA, database: Database = None, as_json: AsJson = False
) -> None:
    """Take the schema back to an older revision, for an older version of popback."""
    from api.schema import downgrade

    emit(_answer(lambda: downgrade(data=data, database=database, to=to, yes=yes)), as_json=as_json)


@database_app.command("roles")
def database_roles(
    *,
    app: AppRole = "popback_app",
    reader: ReaderRole = "popback_reader",
    apply: Apply = False,
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """PostgreSQL: print what gives the servers' role and a reader their rights, or run it (as the owner)."""
    from api.schema import apply_roles, role_statements

    if apply:
        emit(_answer(lambda: apply_roles(data=data, database=database, app=app, reader=reader)), as_json=as_json)
        return
    answer = _answer(lambda: role_statements(data=data, database=database, app=app, reader=reader))
    if as_json:
        emit(answer, as_json=True)
    else:
        sys.stdout.write("".join(f"{statement}\n" for statement in answer["statements"]))


def _answer(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    from api.schema import SchemaCommandRefused

    try:
        return work()
    except SchemaCommandRefused as error:
        refuse(str(error))
