"""What every command shares: its common options, its one way of refusing and of answering. Not a command."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

if TYPE_CHECKING:
    from api.parts import Parts

DataDir = Annotated[
    Path,
    typer.Option("--data", envvar="POPBACK_DATA", help="Where popback keeps its files (database, secrets, outboxes)."),
]
Database = Annotated[
    str | None,
    typer.Option(
        envvar="POPBACK_DATABASE",
        help="SQLAlchemy URL, or file:PATH of a file that holds it (or POPBACK_DATABASE: no process list shows it); "
        "default: a SQLite file in the data directory.",
        show_envvar=False,
    ),
]
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


@contextmanager
def opened(*, data: Path, database: str | None) -> Iterator["Parts"]:
    """The database, closed afterwards; what is wrong with it ends the command with its sentence."""
    from api.parts import PartsRefused, open_parts

    try:
        parts = open_parts(data=data, database=database)
    except PartsRefused as error:
        refuse(str(error))
    try:
        yield parts
    finally:
        parts.engine.dispose()
