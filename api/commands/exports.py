"""`popback export …`: payroll, actuals, calendars as files. Not their contents (evm.services.exports)."""

import typer

export_app = typer.Typer(no_args_is_help=True, help="Write files: payroll, commissioned care and actuals, calendars.")
