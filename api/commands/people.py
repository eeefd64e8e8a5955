"""`popback council …`, `popback provider add`, `popback device …`, `popback account …`: who there is, and who and what may speak to us. Not
the rules of any (devices.identity, api.auth), and not customers and care workers, who come by files (api.commands.imports)."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from api.commands.options import DEFAULT_DATA, AsJson, Database, DataDir, emit, refuse

council_app = typer.Typer(no_args_is_help=True, help="Councils, who commission care.")
device_app = typer.Typer(no_args_is_help=True, help="Phones and other devices.")
account_app = typer.Typer(no_args_is_help=True, help="Who may sign in to the site.")

PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input's first line, and ask nothing.")
]


@council_app.command("add")
def council_add(
    council: Annotated[str, typer.Argument(help="Its id: lower-case letters, digits and hyphens.")],
    *,
    name: Annotated[str, typer.Option(help="What people call it.")],
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Add a council."""
    from api.office import OfficeRefused
    from api.register import add_council

    try:
        answer = add_council(data=data, database=database, council=council, name=name)
    except OfficeRefused as error:
        refuse(str(error))
    emit(answer, as_json=as_json)


@council_app.command("list")
def council_list(*, data: DataDir = DEFAULT_DATA, database: Database = None, as_json: AsJson = False) -> None:
    """List the councils."""
    from api.office import OfficeRefused
    from api.register import list_councils

    try:
        rows = list_councils(data=data, database=database)
    except OfficeRefused as error:
        refuse(str(error))
    _emit_rows("councils", rows, as_json=as_json)


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


@device_app.command("enrol")
def device_enrol(
    provider: Annotated[str, typer.Argument()],
    device: Annotated[str, typer.Argument()],
    *,
    device_type: Annotated[str, typer.Option("--type", help="popback_v1, owntracks, telephony")] = "popback_v1",
    worker: Annotated[str | None, typer.Option(help="The care worker who carries it.")] = None,
    password_stdin: Annotated[
        bool,
        typer.Option(
            "--password-stdin",
            help="Read the password that the device has already from standard input (after a restore that does not know it).",
        ),
    ] = False,
    phone_file: Annotated[
        Path | None,
        typer.Option(
            help="Write what `popback phone` needs into this file instead of showing the password: DIRECTORY/phone.json."
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="For --phone-file: where the broker's TLS listener is.")] = "localhost",
    port: Annotated[int, typer.Option(min=1, max=65535, help="For --phone-file: its port.")] = 8883,
    ca: Annotated[
        Path | None,
        typer.Option(
            help="For --phone-file: PEM file of the authority to trust; default: those the phone's system trusts."
        ),
    ] = None,
    websockets: Annotated[bool, typer.Option("--websockets", help="For --phone-file: MQTT over websockets.")] = False,
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Give a device its credential. The password is shown once (or written into the phone's file) and kept only as a hash."""
    from api.office import Broker, OfficeRefused, enrol_device

    try:
        answer = enrol_device(
            data=data,
            database=database,
            provider=provider,
            device=device,
            device_type=device_type,
            worker=worker,
            password=_first_line() if password_stdin else None,
            phone_file=phone_file,
            broker=Broker(host=host, port=port, ca=ca, websockets=websockets),
        )
    except OfficeRefused as error:
        refuse(str(error))
    emit(answer, as_json=as_json)


@device_app.command("list")
def device_list(
    *,
    provider: Annotated[str | None, typer.Option(help="Of this provider only.")] = None,
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """List the devices: of what type, whose, when last heard of, up to which event they are stored."""
    from api.office import OfficeRefused
    from api.register import list_devices

    try:
        rows = list_devices(data=data, database=database, provider=provider)
    except OfficeRefused as error:
        refuse(str(error))
    _emit_rows("devices", rows, as_json=as_json)


@device_app.command("revoke")
def device_revoke(
    provider: Annotated[str, typer.Argument()],
    device: Annotated[str, typer.Argument()],
    *,
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """End a device's credential (lost, stolen, handed back): whatever it sends is refused from now on."""
    from api.office import OfficeRefused
    from api.register import revoke_device

    try:
        answer = revoke_device(data=data, database=database, provider=provider, device=device)
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
    password_stdin: PasswordStdin = False,
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
) -> None:
    """Add somebody who may sign in; the password is asked for, never given on the command line."""
    from api.office import OfficeRefused, add_account

    password = _new_password(password_stdin=password_stdin)
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


@account_app.command("list")
def account_list(*, data: DataDir = DEFAULT_DATA, database: Database = None, as_json: AsJson = False) -> None:
    """List who may sign in."""
    from api.office import OfficeRefused
    from api.register import list_accounts

    try:
        rows = list_accounts(data=data, database=database)
    except OfficeRefused as error:
        refuse(str(error))
    _emit_rows("accounts", rows, as_json=as_json)


@account_app.command("disable")
def account_disable(
    email: Annotated[str, typer.Argument()],
    *,
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """End somebody's sessions and let them sign in no more (they left); `account reset` opens the account again."""
    from api.office import OfficeRefused
    from api.register import disable_account

    try:
        answer = disable_account(data=data, database=database, email=email)
    except OfficeRefused as error:
        refuse(str(error))
    emit(answer, as_json=as_json)


@account_app.command("reset")
def account_reset(
    email: Annotated[str, typer.Argument()],
    *,
    password_stdin: PasswordStdin = False,
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Give somebody a new password and end their sessions; the password is asked for, never given on the command line."""
    from api.office import OfficeRefused
    from api.register import reset_account

    password = _new_password(password_stdin=password_stdin)
    try:
        answer = reset_account(data=data, database=database, email=email, password=password)
    except OfficeRefused as error:
        refuse(str(error))
    emit(answer, as_json=as_json)


def _new_password(*, password_stdin: bool) -> str:
    if password_stdin:
        return _first_line()
    asked: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return asked


def _first_line() -> str:
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        refuse("--password-stdin: standard input is empty; give the password there, as one line")
    return line


def _emit_rows(name: str, rows: list[dict[str, Any]], *, as_json: bool) -> None:
    """One JSON object with the rows under `name`, or a line a row, its fields apart by tabs under a line of their names."""
    if as_json:
        emit({name: rows}, as_json=True)
    elif rows:
        sys.stdout.write("\t".join(rows[0]) + "\n")
        for row in rows:
            sys.stdout.write("\t".join("" if value is None else str(value) for value in row.values()) + "\n")
