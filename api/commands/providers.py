"""`popback provider …`: a provider's shadow mode, and customers and workers who pass from one provider to another."""

import typer

provider_app = typer.Typer(
    no_args_is_help=True, help="Providers, their shadow mode, and who passes from one to another."
)
