"""`popback device …` and `popback account …`: who and what may speak to us. Not the rules of either (devices.identity, api.auth)."""

from typing import Annotated, Literal

import typer

from api.commands.options import DEFAULT_DATA, AsJson, Database, DataDir, emit, refuse

device_app = typer.Typer(no_args_is_help=True, help="Phones and other devices.")
account_app = typer.Typer(no_args_is_help=True, help="Who may sign in to the site.")


@device_app.command("enrol")
def device_enrol(
    provider: Annotated[str, typer.Argument()],
    device: Annotated[str, typer.Argument()],
    *,
    device_type: Annotated[str, typer.Option("--type", help="popback_v1, owntracks, telephony")] = "popback_v1",
    worker: Annotated[str | None, typer.Option(help="The care worker who carries it.")] = None,
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Give a device its credential. The password is shown once and kept only as a hash."""
    from api.office import OfficeRefused, enrol_device

    try:
        answer = enrol_device(
            data=data, database=database, provider=provider, device=device, device_type=device_type, worker=worker
        )
    except OfficeRefused as error:
        refuse(str(error))
    emit(answer, as_json=as_json)


@account_app.command("add")
def account_add(
    email: Annotated[str, typer.Argument()],
    *,
    name: Annotated[str, typer.Option()],
    role: Annotated[
        Literal["worker", "branch", "commissioner", "safeguarding", "admin"],
        typer.Option(help="What they may see and do."),
    ],
    council: Annotated[str | None, typer.Option()] = None,
    provider: Annotated[str | None, typer.Option()] = None,
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
) -> None:
    """Add somebody who may sign in; the password is asked for, never given on the command line."""
    from api.office import OfficeRefused, add_account

    password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    try:
        answer = add_account(
            data=data,
            database=database,
            email=email,
            name=name,
            role=role,
            council=council,
            provider=provider,
            password=password,
        )
    except OfficeRefused as error:
        refuse(str(error))
    emit(answer, as_json=False)
