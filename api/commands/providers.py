"""`popback provider …`: a provider's shadow mode, and customers and workers who pass from one provider to another."""

from typing import Annotated

import typer

from api.commands.options import DEFAULT_DATA, AsJson, Database, DataDir, emit, refuse

provider_app = typer.Typer(
    no_args_is_help=True, help="Providers, their shadow mode, and who passes from one to another."
)


@provider_app.command("add")
def provider_add(
    provider: Annotated[str, typer.Argument(help="Its id: lower-case letters, digits and hyphens.")],
    *,
    name: Annotated[str, typer.Option(help="What people call it.")],
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Add a provider."""
    from api.office import OfficeRefused
    from api.register import add_provider

    try:
        answer = add_provider(data=data, database=database, provider=provider, name=name)
    except OfficeRefused as error:
        refuse(str(error))
    emit(answer, as_json=as_json)
