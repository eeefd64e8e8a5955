"""Who may say what, as Mosquitto's password and access files (the command `popback broker sync`). Not the plugin's way (dynsec).

Each file is replaced as a whole when it changes, and a running Mosquitto told to read them again (SIGHUP): an enrolled device may speak
and a revoked one is cut off within the interval of the sync. What still comes meanwhile, ingest refuses at once."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from sqlalchemy.orm import Session

from devices.identity import Credential, hash_password, matches
from devices.mosquitto import placing
from devices.mosquitto.configuration import ACL_FILE, CONF_FILE, PASSWORD_FILE, TlsFiles, configuration
from devices.mosquitto.placing import Written
from devices.topics import device_reads, device_topic, device_writes, server_reads, server_writes, username
from evm.store import people
from evm.store.people import DeviceRow

_LINE: Final = 2
"""A line of the password file has a user and a hash."""


def write_files(
    session: Session,
    *,
    directory: Path,
    servers: Iterable[Credential],
    host: str = "127.0.0.1",
    port: int = 1883,
    tls: TlsFiles | None = None,
    run_as: str | None = None,
) -> Written:
    """Write configuration, passwords, access rules and the certificate into `directory`; tell the Mosquitto that runs on them.

    `run_as`: the user Mosquitto becomes when started as root, whom the files then belong to; None: the one who writes them. Raises
    `SyncRefused` with the remedy, and OSError when the directory cannot be written."""
    enrolled = [row for row in people.devices(session) if row.revoked_at is None]
    users = tuple(servers)
    with placing.locked(directory, run_as=run_as) as owner:
        copies, problem = placing.certificate_texts(directory, tls=tls)
        texts = {
            PASSWORD_FILE: _passwords(enrolled, users, placing.old_text(directory / PASSWORD_FILE)),
            ACL_FILE: _rules(enrolled, users),
            CONF_FILE: configuration(directory=directory, host=host, port=port, tls=tls, run_as=run_as),
            **copies,
        }
        changed = placing.put(directory, texts=texts, owner=owner)
        restart = placing.restart_reason(directory, changed=changed, tls=tls)
        placing.tell(directory, texts=texts)
    return Written(
        paths=tuple(directory / name for name in texts),
        changed=changed,
        restart=restart,
        problem=problem,
    )


def _passwords(enrolled: Iterable[DeviceRow], servers: Iterable[Credential], old_text: str) -> str:
    """One `user:hash` a line. A server's hash is kept while its password is the same, so that nothing changes without need."""
    parts = [line.split(":", 1) for line in old_text.splitlines()]
    old = {part[0]: part[1] for part in parts if len(part) == _LINE}
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
        lines += _rule(server.username, reads=server_reads(), writes=server_writes())
    for row in enrolled:
        base = device_topic(provider=row.provider, device=row.device)
        name = username(provider=row.provider, device=row.device)
        lines += _rule(name, reads=device_reads(base), writes=device_writes(base))
    return "\n".join(lines) + "\n"


def _rule(name: str, *, reads: Sequence[str], writes: Sequence[str]) -> list[str]:
    return [f"user {name}", *(f"topic read {topic}" for topic in reads), *(f"topic write {topic}" for topic in writes)]
