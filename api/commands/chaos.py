"""`popback chaos …`: kill parts in mid-work and count. Not the killing itself (simulations.chaos)."""

from typing import Annotated

import typer

from api.commands.options import AsJson, BrokerKind, emit

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

    emit(ingest.run(kills=kills, events=events, broker=broker, database=database), as_json=as_json)


@chaos_app.command("alerts")
def chaos_alerts(
    *,
    kills: Annotated[int, typer.Option(min=1)] = 20,
    database: ChaosDatabase = "sqlite",
    as_json: AsJson = False,
) -> None:
    """SIGKILL the watch and the notifier while deadlines fall due; every alert must come exactly once."""
    from simulations.chaos import alerts

    emit(alerts.run(kills=kills, database=database), as_json=as_json)


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

    emit(processes.run(kills=kills, events=events, broker=broker, database=database), as_json=as_json)
