"""Tells a Mosquitto with dynamic security of a device in the moment of its enrolment, while its password is at hand. Not the sync
(api.broker_sync), which later has only the hash.

Where that Mosquitto is, `popback broker sync --by dynsec` keeps beside the servers' credentials."""

import json
from pathlib import Path
from typing import Final

from devices import identity
from devices.mosquitto import dynsec
from devices.mosquitto.control import Control, ControlError
from devices.mosquitto.placing import old_text

PLACE_FILE: Final = "broker-control.json"


def remember(secrets: Path, *, host: str, port: int) -> None:
    """Keep where the plugin is commanded."""
    text = json.dumps({"host": host, "port": port})
    path = secrets / PLACE_FILE
    if old_text(path) != text:
        identity.write_privately(path, text)


def forget(secrets: Path) -> None:
    """The broker is kept by files now."""
    (secrets / PLACE_FILE).unlink(missing_ok=True)


def announce(*, secrets: Path, name: str, password: str, password_hash: str) -> str | None:
    """Make the device known to the running broker. Answers what the operator should know: None when the broker is not kept by dynamic
    security, else whether the device may connect now or from Mosquitto's next start."""
    path = secrets / PLACE_FILE
    if not path.exists():
        return None
    try:
        place = json.loads(path.read_text(encoding="utf-8"))
        credential = identity.server_credential(directory=secrets, name=identity.CONTROLLER)
        with Control(host=str(place["host"]), port=int(place["port"]), credential=credential) as control:
            control.command(dynsec.enrolment(name=name, password=password, password_hash=password_hash))
    except (ControlError, OSError, ValueError, KeyError, TypeError) as error:
        return f"not told ({error}); run popback broker sync --by dynsec, and restart Mosquitto if it says so"
    return "the device may connect now"
