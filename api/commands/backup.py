"""`popback backup …`: copies of everything, and their way back. Not the database's schema (api.commands.database)."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.commands.options import DEFAULT_DATA, AsJson, Database, DataDir, emit, refuse

if TYPE_CHECKING:
    from api.backup import Place

backup_app = typer.Typer(no_args_is_help=True, help="Back up and restore.")

Programs = Annotated[
    Path | None,
    typer.Option("--pg-bin", help="Directory of PostgreSQL's pg_dump, pg_restore and psql; default: the PATH."),
]
Archive = Annotated[Path, typer.Argument(help="A file that popback backup make wrote.")]


@backup_app.command("make")
def backup_make(
    *,
    out: Annotated[
        Path | None, typer.Option(help="The file to write; default: popback-TIME.tar.gz here. It holds secrets.")
    ] = None,
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
    programs: Programs = None,
    as_json: AsJson = False,
) -> None:
    """Write database, credentials and settings into one file, readable by its owner alone; servers may go on meanwhile."""
    from api.backup import make, stamped
    from api.parts import wall_clock

    now = wall_clock()
    wanted = Path(stamped(now)) if out is None else out
    _answer(lambda: make(place=_place(data, database, programs), out=wanted, now=now, progress=_say), as_json=as_json)


@backup_app.command("check")
def backup_check(archive: Archive, *, as_json: AsJson = False) -> None:
    """Read a backup from end to end and compare every part with its manifest."""
    from api.backup import check

    _answer(lambda: check(archive=archive, progress=_say), as_json=as_json)


@backup_app.command("restore")
def backup_restore(
    archive: Archive,
    *,
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
    replace: Annotated[bool, typer.Option("--replace", help="Give up what is there.")] = False,
    programs: Programs = None,
    as_json: AsJson = False,
) -> None:
    """Put a backup back; the evidence log opens a new epoch, and phones send again what it lost."""
    from api.backup import restore
    from api.parts import wall_clock

    place = _place(data, database, programs)
    _answer(
        lambda: restore(archive=archive, place=place, replace=replace, now=wall_clock(), progress=_say), as_json=as_json
    )


@backup_app.command("epoch")
def backup_epoch(*, data: DataDir = DEFAULT_DATA, database: Database = None, as_json: AsJson = False) -> None:
    """After a restore by other means (PostgreSQL's own): open a new epoch, so that phones send again what was lost."""
    from api.backup import reopen
    from api.parts import wall_clock

    _answer(lambda: reopen(place=_place(data, database, None), now=wall_clock()), as_json=as_json)


def _place(data: Path, database: str | None, programs: Path | None) -> "Place":
    from api.backup import Place

    return Place(data=data, database=database, programs=programs)


def _answer(work: Callable[[], dict[str, Any]], *, as_json: bool) -> None:
    from api.backup import BackupRefused

    try:
        answer = work()
    except BackupRefused as error:
        refuse(str(error))
    except KeyboardInterrupt:
        refuse("stopped; nothing is left half-done")
    emit(answer, as_json=as_json)


def _say(words: str) -> None:
    """Progress: written over on a terminal, one line a step elsewhere."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{words}")
    elif not words.endswith("%"):
        sys.stderr.write(f"popback: {words}\n")
    sys.stderr.flush()
