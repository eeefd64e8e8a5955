"""Keeps the dynamic-security plugin in step with the device table: by commands while Mosquitto runs, by its file for the next start. Not
the commands (dynsec) and not the connection (control)."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sqlalchemy.orm import Session

from devices.identity import CONTROLLER, Credential
from devices.mosquitto import dynsec, placing
from devices.mosquitto.configuration import CONF_FILE, DYNSEC_FILE, TlsFiles, configuration, find_plugin
from devices.mosquitto.control import Control, ControlError
from devices.mosquitto.dynsec import Differences, Known, Wanted
from devices.mosquitto.placing import SyncRefused, Written
from evm.store import people

_NAMED: Final = 3


def sync_dynsec(
    session: Session,
    *,
    directory: Path,
    servers: Sequence[Credential],
    share_group: str,
    host: str = "127.0.0.1",
    port: int = 1883,
    tls: TlsFiles | None = None,
    run_as: str | None = None,
    plugin: Path | None = None,
) -> Written:
    """Write configuration, certificate and, for a first start, the plugin's file into `directory`; command a Mosquitto that runs on them.

    A device whose password only its hash is left of goes into the file, and waits for Mosquitto's next start (`Written.restart`).
    Raises `SyncRefused` with the remedy, `PluginMissingError`, and OSError when the directory cannot be written."""
    wanted = dynsec.wanted(devices=people.devices(session), servers=servers, share_group=share_group)
    with placing.locked(directory, run_as=run_as) as owner:
        copies, problem = placing.certificate_texts(directory, tls=tls)
        plugin_path = plugin or find_plugin()
        conf = configuration(
            directory=directory, host=host, port=port, tls=tls, run_as=run_as, by="dynsec", plugin=plugin_path
        )
        texts = {CONF_FILE: conf, **copies}
        changed = placing.put(directory, texts=texts, owner=owner)
        running = placing.running_pid(directory) is not None
        restart = placing.restart_reason(directory, changed=changed, tls=tls)
        if running and CONF_FILE not in changed:
            told, waiting = _commanded(wanted, servers, host=host, port=port, starts_soon=restart is not None)
            changed += told
            restart = restart or _waiting_words(waiting)
            placing.tell(directory, texts=texts)
        if not running or restart is not None:
            changed += _filed(directory, wanted, owner)
    return Written(
        paths=tuple(directory / name for name in (*texts, DYNSEC_FILE)),
        changed=changed,
        restart=restart,
        problem=problem,
    )


def _commanded(
    wanted: Wanted, servers: Sequence[Credential], *, host: str, port: int, starts_soon: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Command the running plugin; answers what was changed and who waits for the file. One that `starts_soon` need not answer: it may run
    without the plugin until then, or elsewhere."""
    try:
        controller = next(server for server in servers if server.username == CONTROLLER)
        with Control(host=host, port=port, credential=controller) as control:
            found: Differences = dynsec.differences(wanted=wanted, known=control.known())
            control.command(found.commands)
    except ControlError as error:
        if starts_soon:
            return (), ()
        raise SyncRefused(str(error)) from None
    return (f"{len(found.commands)} access rules and clients",) if found.commands else (), found.waiting


def _filed(directory: Path, wanted: Wanted, owner: tuple[int, int] | None) -> tuple[str, ...]:
    """Write the plugin's file if it says anything else than what is wanted: the plugin reads it at its start, and else overwrites it."""
    found = dynsec.differences(wanted=wanted, known=_file_known(directory / DYNSEC_FILE))
    if not found.commands and not found.waiting:
        return ()
    return placing.put(directory, texts={DYNSEC_FILE: dynsec.file_text(wanted)}, owner=owner)


def _file_known(path: Path) -> Known:
    try:
        return dynsec.known_of(json.loads(placing.old_text(path)))
    except (ValueError, KeyError, TypeError, AttributeError):  # none, half written or no such file: it is written anew
        return dynsec.NOTHING


def _waiting_words(waiting: tuple[str, ...]) -> str | None:
    if not waiting:
        return None
    more = f" and {len(waiting) - _NAMED} more" if len(waiting) > _NAMED else ""
    return f"{', '.join(waiting[:_NAMED])}{more} can be let in from its next start only"
