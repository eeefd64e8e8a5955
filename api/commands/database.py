"""`popback database …`: the schema and its roles. Not backups (api.commands.backup)."""

import typer

from api.commands.options import DEFAULT_DATA, Database, DataDir, emit, refuse

database_app = typer.Typer(no_args_is_help=True, help="The database's schema.")


@database_app.command("migrate")
def database_migrate(*, data: DataDir = DEFAULT_DATA, database: Database = None) -> None:
    """Bring the database's schema to this version."""
    from api.office import OfficeRefused, migrate_database

    try:
        answer = migrate_database(data=data, database=database)
    except OfficeRefused as error:
        refuse(str(error))
    emit(answer, as_json=False)
