"""`popback chaos …`: kill parts in mid-work and count. Not the killing itself (simulations.chaos)."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from api.commands.options import AsJson, BrokerKind, emit, refuse

ChaosDatabase = Annotated[str, typer.Option(help="sqlite (a fresh file) or the SQLAlchemy URL of an empty database.")]
chaos_app = typer.Typer(no_args_is_help=True, help="Kill parts of popback in mid-work and count what was lost.")


@chaos_app.command("ingest")
def chaos_ingest(
    *,
    kills: Annotated[int, typer.Option(min=1)] = 20,
    events: Annotated[int, typer.Option(min=1)] = 2_000,
    broker: Annotated[BrokerKind, typer.Option()] = "embedded",
    database: ChaosDatabase = "sqlite",
    as_json: AsJson = False,
) -> None:
    """SIGKILL ingest and the broker while phones send; nothing may be lost or doubled."""
    from simulations.chaos import ingest

    _run(lambda: ingest.run(kills=kills, events=events, broker=broker, database=database), database, as_json=as_json)


@chaos_app.command("alerts")
def chaos_alerts(
    *,
    kills: Annotated[int, typer.Option(min=1)] = 20,
    database: ChaosDatabase = "sqlite",
    as_json: AsJson = False,
) -> None:
    """SIGKILL the watch and the notifier while deadlines fall due; every alert must come exactly once."""
    from simulations.chaos import alerts

    _run(lambda: alerts.run(kills=kills, database=database), database, as_json=as_json)


@chaos_app.command("processes")
def chaos_processes(
    *,
    kills: Annotated[int, typer.Option(min=1)] = 20,
    events: Annotated[int, typer.Option(min=1)] = 2_000,
    broker: Annotated[BrokerKind, typer.Option()] = "mosquitto",
    database: ChaosDatabase = "sqlite",
    as_json: AsJson = False,
) -> None:
    """Two of every part at once; SIGKILL any of them, the broker or a database connection: nothing lost, doubled, missed or left stale."""
    from simulations.chaos import processes

    _run(lambda: processes.run(kills=kills, events=events, broker=broker, database=database), database, as_json=as_json)


def _run(run: Callable[[], dict[str, Any]], database: str, *, as_json: bool) -> None:
    """Print what the run found; what keeps it from running, or from going on, ends in a sentence."""
    _check(database)
    try:
        emit(run(), as_json=as_json)
    except RuntimeError as error:  # mosquitto is not installed; or nothing moves any more
        refuse(str(error))


def _check(database: str) -> None:
    """Refuse a database that cannot be used, or that holds anything: its contents would be mixed with the run's."""
    if database == "sqlite":
        return
    from api.parts import PartsRefused, open_database
    from evm.store import people
    from evm.store.database import session_factory

    try:
        engine = open_database(database)
    except PartsRefused as refused:
        refuse(f"--database: {refused}")
    with session_factory(engine)() as session:
        is_empty = not people.councils(session)
    engine.dispose()
    if not is_empty:
        refuse("--database is not empty: name a database of its own for this run, new for each (CREATE DATABASE chaos)")
