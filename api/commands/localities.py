"""`popback locality …`: areas, their polygons and outward codes, and who is contracted for them."""

import typer

locality_app = typer.Typer(no_args_is_help=True, help="Localities and who is contracted for them.")
