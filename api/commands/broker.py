"""`popback broker …`: the MQTT broker's configuration, credentials and access rules. Not the broker."""

from pathlib import Path
from typing import Annotated

import typer

from api.commands.options import DEFAULT_DATA, Database, DataDir, emit, refuse

broker_app = typer.Typer(no_args_is_help=True, help="The MQTT broker's credentials and access rules.")


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
