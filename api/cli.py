"""The command `popback`: reads the command line and the settings, puts the parts together, prints. Not a rule, not a server loop.

`--json` prints exactly one JSON object on standard output (its schema: api/schema/); progress goes to standard error."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import structlog
import typer

if TYPE_CHECKING:
    from rostering.stop import Progress

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__.split(":", maxsplit=1)[0]
)
chaos_app = typer.Typer(no_args_is_help=True, help="Kill parts of popback in mid-work and count what was lost.")
broker_app = typer.Typer(no_args_is_help=True, help="The MQTT broker's credentials and access rules.")
device_app = typer.Typer(no_args_is_help=True, help="Phones and other devices.")
account_app = typer.Typer(no_args_is_help=True, help="Who may sign in to the site.")
database_app = typer.Typer(no_args_is_help=True, help="The database's schema.")
app.add_typer(chaos_app, name="chaos")
app.add_typer(broker_app, name="broker")
app.add_typer(device_app, name="device")
app.add_typer(account_app, name="account")
app.add_typer(database_app, name="database")

DataDir = Annotated[Path, typer.Option("--data", help="Where popback keeps its files (database, secrets, outboxes).")]
Database = Annotated[str | None, typer.Option(help="SQLAlchemy URL; default: a SQLite file in the data directory.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
BrokerKind = Literal["embedded", "mosquitto"]

DEFAULT_DATA = Path("popback-data")


def refuse(words: str) -> NoReturn:
    """Ends the command with a sentence for a person: what is wrong and what to do."""
    sys.stderr.write(f"popback: {words}\n")
    raise typer.Exit(2)


def emit(result: dict[str, Any], *, as_json: bool) -> None:
    """One JSON object for machines, or a line a key for people."""
    if as_json:
        sys.stdout.write(json.dumps(result) + "\n")
        return
    for key, value in result.items():
        sys.stdout.write(f"{key:32} {value}\n")


@app.command()
def demo(
    *,
    seed: Annotated[int, typer.Option(min=0, help="Which simulated locality.")] = 1,
    headless: Annotated[bool, typer.Option(help="Play the day, print the figures, end; no site is kept up.")] = False,
    as_json: AsJson = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The site's port; 0 takes a free one.")] = 8080,
) -> None:
    """The main job: a simulated day of home care through the real broker, store, alerts, invoice and roster."""
    from api.demo import play

    raise typer.Exit(play(seed=seed, headless=headless, as_json=as_json, port=port))


@app.command()
def serve(
    part: Annotated[
        Literal["all", "api", "ingest", "watch", "broker"],
        typer.Argument(help="Which part; all in one process by default."),
    ] = "all",
    *,
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
    broker: Annotated[str, typer.Option(help="embedded, or host:port of an MQTT broker.")] = "embedded",
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="The site's port; 8080 by default, 0 takes a free one.")
    ] = None,
    broker_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="The embedded broker's port; 1883 by default, 0 takes a free one."),
    ] = None,
    name: Annotated[str, typer.Option(help="This process's own broker credential, for example ingest-1.")] = "ingest-1",
) -> None:
    """Run the server: everything in one process, or one part of it."""
    from api.serve import Ports, run_part

    ports = Ports(site=port, broker=broker_port)
    raise typer.Exit(run_part(part=part, data=data, database=database, broker=broker, ports=ports, name=name))


@app.command()
def solve(
    file: Annotated[Path, typer.Argument(help="A published roster instance (.json or .json.gz).")],
    *,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long the search may take.")] = 60.0,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    out: Annotated[
        Path | None, typer.Option(help="Where the solution goes, in the published format; default: NAME.solution.json.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Solve a published roster instance and write the published solution format."""
    from rostering.formats.error import FormatError
    from rostering.formats.solve_file import solve_file

    where = out or Path(f"{file.name.removesuffix('.gz').removesuffix('.json')}.solution.json")
    try:
        result = solve_file(path=file, seconds=seconds, seed=seed, out=where, progress=_show_progress)
    except (FormatError, OSError) as error:
        refuse(str(error))
    emit(result, as_json=as_json)


def _show_progress(progress: "Progress") -> None:
    """One line, written over: iterations, the best so far, what is unfilled."""
    best = f"best {progress.objective}, found at {progress.improved_at}"
    sys.stderr.write(f"\r{progress.iterations} iterations, {best}, {progress.unfilled} unfilled ")
    sys.stderr.flush()


@app.command()
def phone(
    kind: Annotated[
        Literal["check-in", "check-out", "on-my-way", "no-reply", "assistance", "note"],
        typer.Argument(help="What happened."),
    ],
    *,
    directory: Annotated[
        Path, typer.Option("--phone", help="The phone: its credential and its outbox (the demo makes this one).")
    ] = Path("popback-data/tour-phone"),
    visit: Annotated[
        str | None, typer.Option(help="The planned visit; default: the one the phone's file names.")
    ] = None,
    tag: Annotated[str | None, typer.Option(help="The tag at the door; default: the customer's own.")] = None,
    words: Annotated[str | None, typer.Option(help="A note in words.")] = None,
    as_json: AsJson = False,
) -> None:
    """Be a care worker's phone: record one event on disk, send it over MQTT, wait for the receipt."""
    from api.handset import send
    from evm.domain.evidence import EventKind

    try:
        answer = send(directory=directory, kind=EventKind(kind.replace("-", "_")), visit=visit, tag=tag, words=words)
    except ValueError as error:
        refuse(str(error))
    emit(answer, as_json=as_json)


@chaos_app.command("ingest")
def chaos_ingest(
    *,
    kills: Annotated[int, typer.Option(min=1)] = 20,
    events: Annotated[int, typer.Option(min=1)] = 2_000,
    broker: Annotated[BrokerKind, typer.Option()] = "embedded",
    database: Annotated[str, typer.Option(help="sqlite (a fresh file) or a SQLAlchemy URL.")] = "sqlite",
    as_json: AsJson = False,
) -> None:
    """SIGKILL ingest and the broker while phones send; nothing may be lost or doubled."""
    from simulations.chaos import ingest

    emit(ingest.run(kills=kills, events=events, broker=broker, database=database), as_json=as_json)


@chaos_app.command("alerts")
def chaos_alerts(*, kills: Annotated[int, typer.Option(min=1)] = 20, as_json: AsJson = False) -> None:
    """SIGKILL the watch while deadlines fall due; every alert must come exactly once."""
    from simulations.chaos import alerts

    emit(alerts.run(kills=kills), as_json=as_json)


@broker_app.command("sync")
def broker_sync(
    *,
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
    out: Annotated[Path, typer.Option(help="Directory of mosquitto.conf, its password file and its ACL file.")] = Path(
        "mosquitto"
    ),
    host: Annotated[str, typer.Option(help="Where Mosquitto listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 1883,
) -> None:
    """Write Mosquitto's password and ACL files from the device table."""
    from api.office import OfficeRefused, sync_broker

    try:
        answer = sync_broker(data=data, database=database, out=out, host=host, port=port)
    except OfficeRefused as error:
        refuse(str(error))
    emit(answer, as_json=False)


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


@database_app.command("migrate")
def database_migrate(*, data: DataDir = DEFAULT_DATA, database: Database = None) -> None:
    """Bring the database's schema to this version."""
    from api.office import OfficeRefused, migrate_database

    try:
        answer = migrate_database(data=data, database=database)
    except OfficeRefused as error:
        refuse(str(error))
    emit(answer, as_json=False)


def main() -> None:
    """Entry point of the command. Logs go to standard error: standard output is for answers."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    app()


if __name__ == "__main__":
    main()
