"""`popback broker …`: the MQTT broker's configuration, credentials and access rules. Not the broker."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from api.commands.options import DEFAULT_DATA, AsJson, Database, DataDir, emit, refuse

broker_app = typer.Typer(no_args_is_help=True, help="The MQTT broker's credentials and access rules.")
Out = Annotated[Path, typer.Option(help="Directory of mosquitto.conf, its password file, ACL file and certificate.")]
DEFAULT_OUT = Path("mosquitto")


@broker_app.command("sync")
def broker_sync(
    *,
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
    out: Out = DEFAULT_OUT,
    plain_host: Annotated[
        str, typer.Option(help="Where the unencrypted listener listens, for our own processes.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The unencrypted listener's port.")] = 1883,
    tls_cert: Annotated[
        Path | None, typer.Option(help="PEM file of the server's certificate with its chain: opens the TLS listener.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM file of the certificate's key.")] = None,
    host: Annotated[str, typer.Option(help="Where the TLS listeners listen.")] = "0.0.0.0",  # noqa: S104 -- for everybody
    tls_port: Annotated[int, typer.Option(min=1, max=65535)] = 8883,
    websockets_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Opens MQTT over websockets and TLS, too.")
    ] = None,
    run_as: Annotated[
        str | None, typer.Option(help="The user Mosquitto runs as (Debian: mosquitto); default: who runs this command.")
    ] = None,
    by: Annotated[
        Literal["files", "dynsec"],
        typer.Option(help="Password and ACL files, or Mosquitto's dynamic-security plugin, commanded while it runs."),
    ] = "files",
    restart: Annotated[
        str | None,
        typer.Option(help="Command that starts Mosquitto anew when it must be: 'systemctl restart mosquitto'."),
    ] = None,
    servers: Annotated[int, typer.Option(min=1, max=64, help="How many ingest processes get a credential.")] = 2,
    watch: Annotated[bool, typer.Option(help="Keep on: sync again and again until stopped.")] = False,
    every: Annotated[
        float,
        typer.Option(min=1, max=30, help="Seconds between two rounds of --watch: a revocation counts after the next."),
    ] = 20.0,
) -> None:
    """Write Mosquitto's configuration, certificate, password and ACL files (or the plugin's) from the device table."""
    from api.broker_sync import SyncOptions, sync_broker, watch_broker
    from api.office import OfficeRefused
    from api.pulse import ToldToEnd

    options = SyncOptions(
        out=out,
        plain_host=plain_host,
        port=port,
        host=host,
        tls_cert=tls_cert,
        tls_key=tls_key,
        tls_port=tls_port,
        websockets_port=websockets_port,
        run_as=run_as,
        servers=servers,
        by=by,
        restart_command=restart,
    )
    try:
        if watch:
            watch_broker(
                data=data, database=database, options=options, every_seconds=every, stop=ToldToEnd().listen(), say=_say
            )
        else:
            emit(sync_broker(data=data, database=database, options=options), as_json=False)
    except OfficeRefused as error:
        refuse(str(error))


@broker_app.command("check")
def broker_check(
    *,
    out: Out = DEFAULT_OUT,
    tls_cert: Annotated[Path | None, typer.Option(help="Check this certificate instead of Mosquitto's own.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key.")] = None,
    tls_port: Annotated[
        list[int] | None,
        typer.Option(min=1, max=65535, help="Also see that the listener at this port shows it; may be repeated."),
    ] = None,
    host: Annotated[str, typer.Option(help="Where those listeners are.")] = "127.0.0.1",
    as_json: AsJson = False,
) -> None:
    """Whether the broker's certificate is good, and until when. Ends with 0 (good), 1 (ends within 30 days) or 2 (wrong)."""
    from api.broker_sync import check_broker
    from api.office import OfficeRefused
    from api.parts import wall_clock

    try:
        answer = check_broker(
            out=out, tls_cert=tls_cert, tls_key=tls_key, now=wall_clock(), host=host, ports=tls_port or []
        )
    except OfficeRefused as error:
        refuse(str(error))
    emit(answer, as_json=as_json)
    raise typer.Exit({"good": 0, "warning": 1, "wrong": 2}[answer["state"]])


def _say(words: str) -> None:
    sys.stderr.write(f"popback: {words}\n")
    sys.stderr.flush()
