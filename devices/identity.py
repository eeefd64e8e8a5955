"""Who may speak to the broker: devices' passwords, as Mosquitto hashes them, and the credentials of our own server processes.
Not what they may say where (devices.topics) and not people's sign-ins (api.auth).

Passwords are 192 random bits, so that the hash needs no slow stretching: it is checked at every reconnect of every phone."""

import base64
import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy.orm import Session

from devices.challenges import ChallengeKey
from devices.topics import SERVER_PREFIXES, device_of_username
from evm.domain.ids import DeviceId, ProviderId, WorkerId, is_id
from evm.store import people
from evm.store.people import DeviceRow

ITERATIONS: Final = 1000
CREDENTIALS_FILE: Final = "server-credentials.json"
CONTROLLER: Final = "server-dynsec"
"""Who tells Mosquitto's dynamic-security plugin what has changed; it may do nothing else at the broker."""

_FORM: Final = re.compile(r"\$7\$(\d{1,7})\$([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+)")


class UnknownServerError(ValueError):
    """A server process asked for a credential under a name that is none of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A user of the broker: its name (which is its client id, too) and password."""

    username: str
    password: str


def new_password() -> str:
    """A random password no person has to type: 32 URL-safe characters."""
    return secrets.token_urlsafe(24)


def hash_password(password: str, *, salt: bytes | None = None) -> str:
    """Mosquitto's PBKDF2-SHA512 form `$7$iterations$salt$hash`."""
    seed = secrets.token_bytes(12) if salt is None else salt
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), seed, ITERATIONS, 64)
    return f"$7${ITERATIONS}${base64.b64encode(seed).decode()}${base64.b64encode(digest).decode()}"


def matches(*, password: str, password_hash: str) -> bool:
    """Whether `password` is the one hashed. False for a hash in any other form."""
    form = _FORM.fullmatch(password_hash)
    if form is None:
        return False
    salt, wanted = base64.b64decode(form[2]), base64.b64decode(form[3])
    return hmac.compare_digest(
        hashlib.pbkdf2_hmac("sha512", password.encode(), salt, int(form[1]), len(wanted)), wanted
    )


_NOBODY: Final = hash_password("nobody", salt=b"no such user")


def enrol(
    session: Session,
    *,
    provider: ProviderId,
    device: DeviceId,
    device_type: str,
    worker: WorkerId | None,
    now: datetime,
    password: str | None = None,
) -> str:
    """Enrol a device and answer its password, which is kept nowhere. Raises IntegrityError when it is enrolled already."""
    if not is_id(provider) or not is_id(device):
        raise ValueError("provider and device must be ids: lower-case letters, digits and hyphens, at most 32")
    chosen = new_password() if password is None else password
    row = DeviceRow(
        provider=provider,
        device=device,
        device_type=device_type,
        worker=worker,
        password_hash=hash_password(chosen),
        enrolled_at=now,
    )
    people.add_devices(session, devices=[row])
    return chosen


def verify(session: Session, *, username: str, password: str) -> DeviceRow | None:
    """The enrolled, unrevoked device of these credentials, or None. An unknown name takes as long as a wrong password."""
    pair = device_of_username(username)
    row = None
    if pair is not None:
        row = people.device(session, provider=ProviderId(pair[0]), device=DeviceId(pair[1]))
    right = matches(password=password, password_hash=_NOBODY if row is None else row.password_hash)
    return row if row is not None and right and row.revoked_at is None else None


def server_credential(*, directory: Path, name: str) -> Credential:
    """The credential of one of our processes (`ingest-1`, `server-downlink`), made at first use and kept in a file only we may read."""
    if not is_id(name) or not name.startswith(SERVER_PREFIXES):
        raise UnknownServerError(f"{name!r} is no server's name: it begins with one of {', '.join(SERVER_PREFIXES)}")
    known = _read(directory)
    return Credential(username=name, password=known[name] if name in known else _added(directory, name))


def _added(directory: Path, name: str) -> str:
    """Make a password for `name`, one process at a time: of two that start at once on a new directory both must know the same."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / f".{CREDENTIALS_FILE}.lock").open("ab") as lock:
        belong_beside(directory / f".{CREDENTIALS_FILE}.lock")
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = _read(directory)
        if name not in known:
            known[name] = new_password()
            write_privately(directory / CREDENTIALS_FILE, json.dumps(known, indent=1, sort_keys=True))
        return known[name]


def server_credentials(*, directory: Path) -> tuple[Credential, ...]:
    """Every server process's credential that was ever asked for, by name."""
    return tuple(Credential(username=name, password=password) for name, password in sorted(_read(directory).items()))


def share_group(*, directory: Path) -> str:
    """The name under which all ingest processes share their subscriptions: as good as a secret, and the same for each of them.

    Mosquitto grants any subscription and asks the access rules only when it delivers: a phone that joined the group by a known name
    would be given every other event, denied it, and the event would reach nobody."""
    secret = server_credential(directory=directory, name="ingest-1").password
    return f"ingest-{hashlib.sha256(f'popback share group {secret}'.encode()).hexdigest()[:24]}"


def challenge_key(*, directory: Path) -> ChallengeKey:
    """The key of every ingest process's challenges: the same after a restore, for it follows from a credential that backups hold."""
    return ChallengeKey.of(password=server_credential(directory=directory, name="ingest-1").password)


def belong_beside(path: Path) -> None:
    """Written by root (a broker's sync, a restore), a file or directory belongs to whoever its directory belongs to: our other processes,
    who are not root, must be able to read it."""
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def write_privately(path: Path, text: str, *, owner: tuple[int, int] | None = None) -> None:
    """Replace `path` as a whole, readable by its owner alone: no reader ever sees half of it. `owner`: user and group, if not us."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            if owner is not None:
                os.fchown(file.fileno(), *owner)
            file.flush()
            os.fsync(file.fileno())
        if owner is None:
            belong_beside(Path(temporary))
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _read(directory: Path) -> dict[str, str]:
    path = directory / CREDENTIALS_FILE
    if not path.exists():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    return {str(name): str(password) for name, password in found.items()}
