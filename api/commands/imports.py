"""`popback import …`: files that agencies and councils already have, with a dry run. Not the kinds of file (evm.services.imports)."""

import typer

import_app = typer.Typer(no_args_is_help=True, help="Take in files: customers, workers, plans, claims, feeds.")
