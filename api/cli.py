"""The command `popback`: reads the command line and the settings, puts the parts together, prints. Not a rule, not a server loop.

`--json` prints exactly one JSON object on standard output (its schema: api/schema/); progress goes to standard error."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import structlog
import typer

from api.commands.backup import backup_app
from api.commands.bench import bench_app
from api.commands.broker import broker_app
from api.commands.chaos import chaos_app
from api.commands.database import database_app
from api.commands.exports import export_app
from api.commands.imports import import_app
from api.commands.interrupts import stoppable
from api.commands.localities import locality_app
from api.commands.options import AsJson, BrokerKind, emit, refuse
from api.commands.people import account_app, council_app, device_app
from api.commands.providers import provider_app
from api.commands.roster import roster_app
from api.commands.serve import serve

if TYPE_CHECKING:
    from rostering.formats.solve_file import Incumbent

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__.split(":", maxsplit=1)[0]
)
GROUPS = {
    "account": account_app,
    "backup": backup_app,
    "bench": bench_app,
    "broker": broker_app,
    "chaos": chaos_app,
    "council": council_app,
    "database": database_app,
    "device": device_app,
    "export": export_app,
    "import": import_app,
    "locality": locality_app,
    "provider": provider_app,
    "roster": roster_app,
}
app.command()(serve)
for name, group in GROUPS.items():
    app.add_typer(group, name=name)


@app.command()
def demo(
    *,
    seed: Annotated[int, typer.Option(min=0, help="Which simulated locality.")] = 1,
    headless: Annotated[bool, typer.Option(help="Play the day, print the figures, end; no site is kept up.")] = False,
    as_json: AsJson = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The site's port; 0 takes a free one.")] = 8080,
    database: Annotated[
        str | None, typer.Option(help="SQLAlchemy URL of an empty database; default: a fresh SQLite file.")
    ] = None,
    broker: Annotated[
        BrokerKind, typer.Option(help="The embedded broker, or a Mosquitto started for it.")
    ] = "embedded",
) -> None:
    """The main job: a simulated day of home care through the real broker, store, alerts, invoice and roster."""
    from api.demo import play

    raise typer.Exit(play(seed=seed, headless=headless, as_json=as_json, port=port, database=database, broker=broker))


@app.command()
def solve(
    file: Annotated[Path, typer.Argument(help="A roster instance of any known format, plain or gzip.")],
    *,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long the search may take.")] = 60.0,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    out: Annotated[
        Path | None,
        typer.Option(help="Where the solution goes, in the file's own format; default: NAME.solution with its suffix."),
    ] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, max=64, help="How many search at once; default: 2 for five seconds and more.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Solve a roster instance (published sets, VROOM JSON, CSV or JSON of visits and workers) and write its solution format."""
    from rostering.formats.error import FormatError

    try:
        with stoppable(words="stopping: the best so far is kept (Ctrl-C again to throw it away)") as stop:
            from rostering.formats.solve_file import solve_file

            result = solve_file(
                path=file,
                seconds=seconds,
                seed=seed,
                out=out,
                progress=_show_progress,
                asked=stop.is_set,
                processes=processes,
            )
    except (FormatError, OSError) as error:
        refuse(str(error))
    sys.stderr.write("\n")
    emit(result, as_json=as_json)


def _show_progress(best: "Incumbent") -> None:
    """One line, written over: seconds, the best so far, the bound below it, what is unfilled."""
    gap = f"{best.objective:.6g}, no better than {best.bound:.6g} is possible"
    sys.stderr.write(f"\r{best.seconds:6.1f} s, best {gap}, {best.unfilled} unfilled ")
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


def main() -> None:
    """Entry point of the command. Logs go to standard error: standard output is for answers."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    app()


if __name__ == "__main__":
    main()
