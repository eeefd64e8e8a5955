"""`popback provider …`: a provider's shadow mode, and customers and workers who pass from one provider to another."""

import typer

from api.commands.people import provider_add
from api.commands.provider_terms import monitoring, shadow
from api.commands.transfers import transfer, transfer_list

provider_app = typer.Typer(
    no_args_is_help=True, help="Providers, their shadow mode, and who passes from one to another."
)
provider_app.command("add")(provider_add)
provider_app.command("transfer")(transfer)
provider_app.command("transfers")(transfer_list)
provider_app.command("shadow")(shadow)
provider_app.command("monitoring")(monitoring)
