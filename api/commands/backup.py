"""`popback backup …`: copies of everything, and their way back. Not the database's schema (api.commands.database)."""

import typer

backup_app = typer.Typer(no_args_is_help=True, help="Back up and restore.")
