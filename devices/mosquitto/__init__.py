"""What a Mosquitto needs to know of us: its configuration, passwords and access rules, written from the device table. Not its running.

`write_files` (the command `popback broker sync`) replaces each file as a whole, readable by its owner alone, and tells a running
Mosquitto to read passwords and rules again (SIGHUP): an enrolled device may speak and a revoked one may not within the interval of
the sync. What still comes on a connection that stands when its credential is revoked, ingest refuses at once."""

import getpass
import os
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Final

from sqlalchemy.orm import Session

from devices.identity import Credential, hash_password, matches, write_privately
from devices.topics import BASE_FILTER, EVENT_FILTER, ROOT, STATUS_FILTER, device_topic, username
from evm.store import people
from evm.store.people import DeviceRow

PASSWORD_FILE: Final = "passwords"  # noqa: S105 -- a file's name
ACL_FILE: Final = "acl"
CONF_FILE: Final = "mosquitto.conf"
PID_FILE: Final = "mosquitto.pid"


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """PEM files for the listener that is open to the world."""

    port: int
    websockets_port: int
    certificate: Path
    key: Path


def write_files(
    session: Session,
    *,
    directory: Path,
    servers: Iterable[Credential],
    host: str = "127.0.0.1",
    port: int = 1883,
    tls: TlsFiles | None = None,
    run_as: str | None = None,
) -> tuple[Path, ...]:
    """Write configuration, passwords and access rules into `directory` and tell the Mosquitto that runs on them. Answers the paths.

    `run_as`: the user Mosquitto becomes when started as root; None: the one who writes these files, and who alone may read them."""
    enrolled = [row for row in people.devices(session) if row.revoked_at is None]
    users = tuple(servers)
    texts = {
        PASSWORD_FILE: _passwords(enrolled, users, directory / PASSWORD_FILE),
        ACL_FILE: _rules(enrolled, users),
        CONF_FILE: configuration(directory=directory, host=host, port=port, tls=tls, run_as=run_as),
    }
    for name, text in texts.items():
        path = directory / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_privately(path, text)
    _tell(directory / PID_FILE)
    return tuple(directory / name for name in texts)


def configuration(
    *, directory: Path, host: str, port: int, tls: TlsFiles | None = None, run_as: str | None = None
) -> str:
    """The shipped configuration, filled in. Tested as shipped."""
    template = Template((files("devices.mosquitto") / "mosquitto.conf").read_text(encoding="utf-8"))
    return template.substitute(
        directory=directory.resolve(), host=host, port=port, tls=_tls_listeners(tls), run_as=run_as or getpass.getuser()
    )


def _tls_listeners(tls: TlsFiles | None) -> str:
    if tls is None:
        return "# No listener open to the world: give `popback broker sync` a certificate and key."
    pem = f"use_username_as_clientid true\ncertfile {tls.certificate}\nkeyfile {tls.key}\ntls_version tlsv1.2\n"
    return f"listener {tls.port}\n{pem}\nlistener {tls.websockets_port}\nprotocol websockets\n{pem}"


def _passwords(enrolled: Iterable[DeviceRow], servers: Iterable[Credential], path: Path) -> str:
    """One `user:hash` a line. A server's hash is kept while its password is the same, so that nothing changes without need."""
    old = dict(line.split(":", 1) for line in path.read_text(encoding="utf-8").splitlines()) if path.exists() else {}
    lines = []
    for server in servers:
        kept = old.get(server.username, "")
        right = matches(password=server.password, password_hash=kept)
        lines.append(f"{server.username}:{kept if right else hash_password(server.password)}")
    lines += [f"{username(provider=row.provider, device=row.device)}:{row.password_hash}" for row in enrolled]
    return "\n".join(lines) + "\n"


def _rules(enrolled: Iterable[DeviceRow], servers: Iterable[Credential]) -> str:
    """Each user's own topics and nothing else; without a rule Mosquitto denies."""
    lines: list[str] = []
    for server in servers:
        lines += [
            f"user {server.username}",
            f"topic read {EVENT_FILTER}",
            f"topic read {BASE_FILTER}",
            f"topic read {STATUS_FILTER}",
            f"topic write {ROOT}/+/+/receipt",
            f"topic write {ROOT}/+/+/run",
        ]
    for row in enrolled:
        base = device_topic(provider=row.provider, device=row.device)
        lines += [
            f"user {username(provider=row.provider, device=row.device)}",
            f"topic write {base}",
            f"topic write {base}/event",
            f"topic write {base}/status",
            f"topic read {base}/receipt",
            f"topic read {base}/run",
        ]
    return "\n".join(lines) + "\n"


def _tell(pid_file: Path) -> None:
    """SIGHUP the Mosquitto whose pid stands in its pid file, if it runs: after a crash the file stays, and the number may be another's."""
    try:
        pid = int(pid_file.read_text(encoding="ascii"))
    except (
        FileNotFoundError,
        ValueError,
    ):  # none was started, or it is just writing its number: it reads the files anyway
        return
    if not _is_mosquitto(pid):
        return
    try:
        os.kill(pid, signal.SIGHUP)
    except ProcessLookupError:
        return


def _is_mosquitto(pid: int) -> bool:
    """Whether the process of this number is a Mosquitto, by the name the system keeps of it; where it keeps none, as the file says."""
    if not Path("/proc/self/comm").exists():
        return True
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").startswith("mosquitto")
    except (FileNotFoundError, ProcessLookupError):
        return False
