"""Puts the files of a Mosquitto into its directory, whole and for its user alone, and tells it to read them. Not what stands in them.

One process at a time works on a directory (`locked`). A file that is as it should be is left alone; whatever else stands in its place
(half written, another user's, no text) is replaced."""

import fcntl
import hashlib
import os
import pwd
import signal
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devices.identity import write_privately
from devices.mosquitto.certificates import CertificateRefused, read
from devices.mosquitto.configuration import CERTIFICATE_FILE, CONF_FILE, KEY_FILE, PID_FILE, TlsFiles, own_name

LOCK_FILE: Final = ".sync.lock"
TOLD_FILE: Final = ".told"
"""The digest of the files that a running Mosquitto was last told to read: after a crash between writing and telling it is told."""

PENDING_FILE: Final = ".restart"
"""Which run of Mosquitto has to be started anew, and why: said until it was."""


class SyncRefused(ValueError):  # noqa: N818 -- named for what is wrong
    """The files cannot be written, with the sentence that says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """`paths` of all files; `changed`: which were written anew; `restart`: why Mosquitto must be started anew before all of it counts
    (None: it need not); `problem`: what is wrong with the new certificate while the old one serves on."""

    paths: tuple[Path, ...]
    changed: tuple[str, ...]
    restart: str | None = None
    problem: str | None = None


@contextmanager
def locked(directory: Path, *, run_as: str | None) -> Iterator[tuple[int, int] | None]:
    """The directory, made if need be, for this process alone; gives the owner its files get. Raises `SyncRefused`, OSError."""
    owner = _owner(run_as)
    directory.mkdir(mode=0o750, parents=True, exist_ok=True)
    if owner is not None and (directory.stat().st_uid, directory.stat().st_gid) != owner:
        os.chown(directory, *owner)
    lock = os.open(directory / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield owner
    finally:
        os.close(lock)


def put(directory: Path, *, texts: Mapping[str, str], owner: tuple[int, int] | None) -> tuple[str, ...]:
    """Bring each file to its text; answers the names of those that were written."""
    changed = tuple(name for name, text in texts.items() if not _stands(directory / name, text, owner))
    for name in changed:
        write_privately(directory / name, texts[name], owner=owner)
    return changed


def old_text(path: Path) -> str:
    """What the file says; "" when there is none or it is no text: it is written anew then."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def certificate_texts(directory: Path, *, tls: TlsFiles | None) -> tuple[dict[str, str], str | None]:
    """The copies of certificate and key for Mosquitto, and what is wrong with new ones while old copies serve. Raises `SyncRefused`
    when there are none yet: without them the TLS listeners would not open."""
    if tls is None:
        return {}, None
    try:
        read(certificate=tls.certificate, key=tls.key)
    except CertificateRefused as error:
        if (directory / CERTIFICATE_FILE).exists() and (directory / KEY_FILE).exists():
            return {}, str(error)
        raise SyncRefused(str(error)) from None
    return {CERTIFICATE_FILE: old_text(tls.certificate), KEY_FILE: old_text(tls.key)}, None


def restart_reason(directory: Path, *, changed: tuple[str, ...], tls: TlsFiles | None) -> str | None:
    """Why the Mosquitto that runs does not see all of it by SIGHUP, from the change until it was started anew: listeners are opened at its
    start only, and websockets keep the certificate they began with."""
    run = _this_run(directory)
    if run is None:
        return None
    if CONF_FILE in changed:
        reason = "its configuration changed, and listeners are opened at its start only"
    elif CERTIFICATE_FILE in changed and tls is not None and tls.websockets_port is not None:
        reason = "its websockets listener shows the old certificate until then"
    else:
        kept_run, _, kept = old_text(directory / PENDING_FILE).partition(" ")
        return kept if kept and kept_run == run else None
    write_privately(directory / PENDING_FILE, f"{run} {reason}")
    return reason


def tell(directory: Path, *, texts: Mapping[str, str]) -> None:
    """SIGHUP the Mosquitto that runs on these files, unless it was told of just these already: each reading checks everybody's password."""
    digest = hashlib.sha256("\0".join(f"{name}\0{text}" for name, text in sorted(texts.items())).encode()).hexdigest()
    pid = running_pid(directory)
    if pid is None or old_text(directory / TOLD_FILE) == f"{pid} {digest}":
        return
    try:
        os.kill(pid, signal.SIGHUP)
    except ProcessLookupError:
        return
    except PermissionError:
        raise SyncRefused(
            f"Mosquitto (process {pid}) belongs to another user and cannot be told to read its files: run this as root or as its user"
        ) from None
    write_privately(directory / TOLD_FILE, f"{pid} {digest}")


def running_pid(directory: Path) -> int | None:
    """The Mosquitto whose number stands in the pid file, if it runs: after a crash the file stays, and the number may be another's."""
    try:
        pid = int((directory / PID_FILE).read_text(encoding="ascii"))
    except (OSError, ValueError):  # none was started, or it is just writing its number: it reads the files anyway
        return None
    return pid if _is_mosquitto(pid) else None


def _this_run(directory: Path) -> str | None:
    """What tells this run of Mosquitto from its next one, which in a container has the same number; None when none runs."""
    pid = running_pid(directory)
    try:
        return None if pid is None else f"{pid}@{(directory / PID_FILE).stat().st_mtime_ns}"
    except FileNotFoundError:  # it ended just now
        return None


def _stands(path: Path, text: str, owner: tuple[int, int] | None) -> bool:
    try:
        state = path.stat()
        same = path.read_text(encoding="utf-8") == text
    except (OSError, UnicodeDecodeError):
        return False
    private = stat.S_IMODE(state.st_mode) == stat.S_IRUSR | stat.S_IWUSR
    return same and private and (state.st_uid, state.st_gid) == (owner or (os.geteuid(), state.st_gid))


def _owner(run_as: str | None) -> tuple[int, int] | None:
    """User and group of `run_as`; None when that is ourselves. Raises `SyncRefused`."""
    if run_as is None or run_as == own_name():
        return None
    try:
        known = pwd.getpwnam(run_as)
    except KeyError:
        raise SyncRefused(f"there is no user {run_as!r} on this machine: name the one Mosquitto runs as") from None
    if os.geteuid() != 0:
        raise SyncRefused(f"only root can write files for {run_as}: run this as root, or as {run_as} without naming it")
    return known.pw_uid, known.pw_gid


def _is_mosquitto(pid: int) -> bool:
    """Whether the process of this number is a Mosquitto, by the name the system keeps of it; where it keeps none, as the file says."""
    if not Path("/proc/self/comm").exists():
        return True
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").startswith("mosquitto")
    except (FileNotFoundError, ProcessLookupError):
        return False
