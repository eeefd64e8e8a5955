"""`popback serve`: the server, whole or one part of it. Not the parts (api.serve)."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from api.commands.options import DEFAULT_DATA, Database, DataDir


def serve(
    part: Annotated[
        Literal["all", "api", "ingest", "watch", "notify", "work", "broker"],
        typer.Argument(help="Which part; all in one process by default."),
    ] = "all",
    *,
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
    broker: Annotated[
        str, typer.Option(help="embedded, or host:port of an MQTT broker; over TLS mqtts://host:port.")
    ] = "embedded",
    host: Annotated[str, typer.Option(help="The address the site listens on.")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="The site's port; 8080 by default, 0 takes a free one.")
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option(help="PEM file with the site's certificate and chain: the site then speaks https.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM file with the key of --tls-cert.")] = None,
    broker_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="The embedded broker's port; 1883 by default, 0 takes a free one."),
    ] = None,
    health_port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Answer /health/live, /health/ready and /metrics here; 0 takes a free one."
        ),
    ] = None,
    health_host: Annotated[str, typer.Option(help="The address of --health-port.")] = "127.0.0.1",
    name: Annotated[str, typer.Option(help="This process's own broker credential, for example ingest-1.")] = "ingest-1",
) -> None:
    """Run the server: everything in one process, or one part of it. On PostgreSQL any number of each part may run at once."""
    from api.serve import Places, run_part
    from api.site_thread import TlsPair

    if (tls_cert is None) != (tls_key is None):
        raise typer.BadParameter("--tls-cert and --tls-key go together: give both or neither")
    places = Places(
        site_host=host,
        site_port=port,
        site_tls=None if tls_cert is None or tls_key is None else TlsPair(certificate=tls_cert, key=tls_key),
        broker_port=broker_port,
        health_host=health_host,
        health_port=health_port,
    )
    raise typer.Exit(run_part(part=part, data=data, database=database, broker=broker, places=places, name=name))
