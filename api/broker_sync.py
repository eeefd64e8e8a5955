"""`popback broker …`: keeps Mosquitto's idea of who may speak in step with the device table, and looks after its certificate. Not the files
(devices.mosquitto) and not the broker."""

import ipaddress
import shlex
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from api import broker_control
from api.office import OfficeRefused, opened
from api.parts import Parts
from api.pulse import ToldToEnd
from devices import identity, mosquitto
from devices.mosquitto import certificates
from devices.mosquitto.certificates import Certificate, CertificateRefused
from devices.mosquitto.configuration import CERTIFICATE_FILE, KEY_FILE, By, PluginMissingError
from devices.mosquitto.dynsec_sync import sync_dynsec
from devices.mosquitto.placing import SyncRefused, Written
from evm.store import people

INGEST: Final = "ingest-"
RESTART_SECONDS_MAX: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncOptions:
    """What the command line says. `plain_host`, `port`: the unencrypted listener; `host`: the TLS listeners', which exist with `tls_cert`;
    `servers`: how many ingest processes get credentials, beside those that have one; `restart_command`: what starts Mosquitto anew when it
    must be, for example `systemctl restart mosquitto`."""

    out: Path
    plain_host: str = "127.0.0.1"
    port: int = 1883
    host: str = "0.0.0.0"  # noqa: S104 -- the listener meant for everybody
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_port: int = 8883
    websockets_port: int | None = None
    run_as: str | None = None
    servers: int = 2
    by: By = "files"
    restart_command: str | None = None


def sync_broker(*, data: Path, database: str | None, options: SyncOptions) -> dict[str, Any]:
    """Write Mosquitto's files from the device table once; a running Mosquitto reads them anew. Raises OfficeRefused naming the argument."""
    with opened(data=data, database=database) as parts:
        return _answer(parts, _synced(parts, options), options)


def watch_broker(
    *,
    data: Path,
    database: str | None,
    options: SyncOptions,
    every_seconds: float,
    stop: threading.Event | ToldToEnd,
    say: Callable[[str], None],
) -> None:
    """Sync again and again until `stop`; say what changed and what is wrong, each once. A database or directory that cannot be used for a
    while is tried again. Raises OfficeRefused when the very first round cannot be done."""
    with opened(data=data, database=database) as parts:
        said = _Said(say=say)
        said.written(_synced(parts, options))
        said.once("certificate", _warning(parts, options))
        while not stop.wait(every_seconds):
            try:
                said.written(_synced(parts, options))
                said.once("certificate", _warning(parts, options))
            except OfficeRefused as error:
                said.once("trouble", str(error))
            except DBAPIError as error:
                said.once(
                    "trouble", f"the database cannot be used just now ({str(error.orig).splitlines()[0]}): trying on"
                )


class _Said:
    """Says a thing when it changes, not at every round."""

    def __init__(self, *, say: Callable[[str], None]) -> None:
        self._say = say
        self._last: dict[str, str | None] = {}

    def written(self, written: Written) -> None:
        if written.changed:
            self._say(f"Mosquitto has new {', '.join(written.changed)}")
        self.once("restart", None if written.restart is None else f"restart Mosquitto: {written.restart}")
        self.once("trouble", written.problem)

    def once(self, about: str, words: str | None) -> None:
        """Say it unless it was the last said about this."""
        if words is not None and words != self._last.get(about):
            self._say(words)
        self._last[about] = words


def check_broker(
    *, out: Path, tls_cert: Path | None, tls_key: Path | None, now: datetime, host: str, ports: Sequence[int]
) -> dict[str, Any]:
    """What is to be said about the certificate: `state` good, warning or wrong, the day it ends, its names, and whether the listeners at
    `ports` show it. Without files, of the copies that Mosquitto serves in `out`. Raises OfficeRefused when the files cannot be used."""
    if (tls_cert is None) != (tls_key is None):
        raise OfficeRefused("--tls-cert and --tls-key go together: give both, or neither for those in --out")
    certificate, key = tls_cert or out / CERTIFICATE_FILE, tls_key or out / KEY_FILE
    try:
        found = certificates.read(certificate=certificate, key=key)
    except CertificateRefused as error:
        raise OfficeRefused(str(error)) from None
    wrong = [*_not_usable(found, now), *(words for port in ports if (words := _not_shown(found, host, port)))]
    warning = found.warning(now=now)
    return {
        "state": "wrong" if wrong else "warning" if warning else "good",
        "words": "; ".join(wrong) or warning or f"the certificate is good until {found.ends_at:%d %B %Y}",
        "days_left": found.days_left(now=now),
        "ends_at": found.ends_at.isoformat(),
        "names": ", ".join(found.names),
        "certificate": str(certificate),
    }


def _not_usable(found: Certificate, now: datetime) -> list[str]:
    words = [] if found.names else ["the certificate names no host: no phone accepts it"]
    early_or_late = not found.begins_at <= now < found.ends_at
    return [*words, found.warning(now=now) or ""] if early_or_late else words


def _not_shown(found: Certificate, host: str, port: int) -> str | None:
    """Why the listener at `port` does not serve with this certificate; None when it does."""
    try:
        shown = certificates.served(host=host, port=port)
    except OSError as error:
        return f"{host}:{port} shows no certificate ({error.strerror or error}): does Mosquitto run with its TLS listener there?"
    return None if shown == found.sha256 else f"{host}:{port} shows another certificate: restart Mosquitto"


def _synced(parts: Parts, options: SyncOptions) -> Written:
    """One round, and Mosquitto started anew when that is needed and the operator said how."""
    _credentials(parts, options)
    tls = _tls(options)
    try:
        with parts.sessions() as session:
            written = (
                _by_files(session, parts, options, tls)
                if options.by == "files"
                else _by_dynsec(session, parts, options, tls)
            )
    except (SyncRefused, PluginMissingError) as error:
        raise OfficeRefused(str(error)) from None
    except OSError as error:
        raise OfficeRefused(
            f"--out {options.out} cannot be written ({error.strerror}): name a directory that this user may write"
        ) from None
    if written.restart is None or options.restart_command is None:
        return written
    return _restarted(written, options.restart_command)


def _credentials(parts: Parts, options: SyncOptions) -> None:
    """Every ingest process has one. Raises OfficeRefused when they cannot be kept."""
    try:
        for number in range(1, options.servers + 1):
            identity.server_credential(directory=parts.secrets, name=f"{INGEST}{number}")
    except OSError as error:
        raise OfficeRefused(
            f"{parts.secrets} cannot be written ({error.strerror}): make room, or see that this user may write there"
        ) from None


def _by_files(session: Session, parts: Parts, options: SyncOptions, tls: mosquitto.TlsFiles | None) -> Written:
    known = identity.server_credentials(directory=parts.secrets)
    broker_control.forget(parts.secrets)
    return mosquitto.write_files(
        session,
        directory=options.out.resolve(),
        servers=[server for server in known if server.username != identity.CONTROLLER],
        host=options.plain_host,
        port=options.port,
        tls=tls,
        run_as=options.run_as,
    )


def _by_dynsec(session: Session, parts: Parts, options: SyncOptions, tls: mosquitto.TlsFiles | None) -> Written:
    identity.server_credential(directory=parts.secrets, name=identity.CONTROLLER)
    broker_control.remember(parts.secrets, host=options.plain_host, port=options.port)
    return sync_dynsec(
        session,
        directory=options.out.resolve(),
        servers=identity.server_credentials(directory=parts.secrets),
        share_group=identity.share_group(directory=parts.secrets),
        host=options.plain_host,
        port=options.port,
        tls=tls,
        run_as=options.run_as,
    )


def _restarted(written: Written, command: str) -> Written:
    """Run the operator's command, as words and without a shell. Raises OfficeRefused when it cannot be run or fails."""
    try:
        done = subprocess.run(  # noqa: S603 -- the operator's own command
            shlex.split(command), capture_output=True, text=True, timeout=RESTART_SECONDS_MAX, check=False
        )
    except (OSError, ValueError, IndexError, subprocess.TimeoutExpired) as error:
        raise OfficeRefused(f"--restart {command!r} cannot be run ({error})") from None
    if done.returncode:
        raise OfficeRefused(
            f"--restart {command!r} ended with {done.returncode}: {done.stderr.strip()[-300:] or 'no word'}"
        )
    return replace(written, restart=None, changed=(*written.changed, "start"))


def _tls(options: SyncOptions) -> mosquitto.TlsFiles | None:
    if (options.tls_cert is None) != (options.tls_key is None):
        raise OfficeRefused("--tls-cert and --tls-key go together: give both, or neither for no listener to the world")
    if options.tls_cert is None or options.tls_key is None:
        if options.websockets_port is not None:
            raise OfficeRefused(
                "--websockets-port needs --tls-cert and --tls-key: nothing unencrypted is open to the world"
            )
        return None
    ports = [options.port, options.tls_port, options.websockets_port]
    if len(set(ports)) < len(ports):
        raise OfficeRefused("--port, --tls-port and --websockets-port must differ: each listener has its own")
    return mosquitto.TlsFiles(
        host=options.host,
        port=options.tls_port,
        websockets_port=options.websockets_port,
        certificate=options.tls_cert,
        key=options.tls_key,
    )


def _answer(parts: Parts, written: Written, options: SyncOptions) -> dict[str, Any]:
    with parts.sessions() as session:
        enrolled = sum(1 for row in people.devices(session) if row.revoked_at is None)
    notes = {
        "restart": None if written.restart is None else f"restart Mosquitto: {written.restart}",
        "certificate": written.problem or _warning(parts, options),
        "warning": _plain_warning(options.plain_host),
    }
    return {
        "devices": enrolled,
        "changed": ", ".join(written.changed) or "nothing",
        **{name: words for name, words in notes.items() if words is not None},
        **{path.name: str(path) for path in written.paths},
    }


def _warning(parts: Parts, options: SyncOptions) -> str | None:
    """What is to be said of the certificate's end, if it has one."""
    if options.tls_cert is None:
        return None
    out = options.out.resolve()
    try:
        found = certificates.read(certificate=out / CERTIFICATE_FILE, key=out / KEY_FILE)
    except CertificateRefused as error:
        return str(error)
    return found.warning(now=parts.clock())


def _plain_warning(host: str) -> str | None:
    """The unencrypted listener is for this machine, or for a container's own network."""
    try:
        inside = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        inside = False
    return (
        None if inside else f"--plain-host {host}: passwords travel unencrypted there; only for a network of your own"
    )
