"""`popback serve`: the server, whole or one part of it. Not the parts (api.serve)."""

from typing import Annotated, Literal

import typer

from api.commands.options import DEFAULT_DATA, Database, DataDir


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
