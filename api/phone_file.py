"""What a phone is handed: one file with its credential and the way to the broker. Not the phone (devices.phone), not its enrolment.

`popback device enrol --phone-file` writes it, readable by its owner alone; `popback phone --phone` reads it. The authority that vouches for the
server stands in it whole, so that one file is all there is to hand over."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, get_args

from devices import identity
from devices.phone.link import Transport
from devices.tls import Tls
from evm.domain.ids import is_id

PHONE_FILE: Final = "phone.json"
TLS_PORT: Final = 8883


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneFile:
    """A phone's credential, where the broker is and how it is reached (`ca_pem` None: an authority the system trusts), and, on the tour, the
    one visit of its run."""

    provider: str
    device: str
    worker: str
    password: str
    host: str
    port: int
    tls: bool = False
    ca_pem: str | None = None
    transport: Transport = "tcp"
    clock_shift_seconds: float = 0.0
    visit: str | None = None
    customer: str | None = None
    tag: str | None = None

    def road(self) -> Tls | None:
        """How the server is verified; None where nothing is encrypted."""
        return Tls(ca_pem=self.ca_pem) if self.tls else None


def draft_phone(
    *,
    path: Path,
    provider: str,
    device: str,
    worker: str | None,
    host: str,
    port: int = TLS_PORT,
    ca: Path | None = None,
    tls: bool = True,
    transport: Transport = "tcp",
) -> PhoneFile:
    """The file as it will be, but for the password: see before enrolling that it can be written, since a password is told once.

    `ca`: PEM file of the authority that signed the server's certificate, if the system does not know it. Raises ValueError naming the
    argument at fault."""
    if worker is None:
        raise ValueError("--worker: a phone's file needs the care worker who carries it")
    if not host or any(letter in host for letter in " /:@") or host in {"0.0.0.0", "::"}:  # noqa: S104 -- refused
        raise ValueError(
            f"--host {host!r} is no host that a phone can reach: give its name, for example care.example.org"
        )
    if not 0 < port < 65536:
        raise ValueError(f"--port {port} is no port: one between 1 and 65535")
    if ca is not None and not tls:
        raise ValueError("--ca is for TLS: leave it out, or use TLS")
    _can_be_written(path)
    drafted = PhoneFile(
        provider=provider,
        device=device,
        worker=worker,
        password="",
        host=host,
        port=port,
        tls=tls,
        ca_pem=None if ca is None else _read_ca(ca),
        transport=transport,
    )
    tls_of = drafted.road()
    if tls_of is not None:
        _ = tls_of.context()
    return drafted


def write_phone(*, path: Path, phone: PhoneFile) -> None:
    """Write the file, readable by its owner alone. Raises OSError."""
    identity.write_privately(path, json.dumps(asdict(phone), indent=1) + "\n")


def read_phone(place: Path) -> PhoneFile:
    """The phone's file, by its own name or its directory's. Raises ValueError with the remedy when there is none or it is not one."""
    path = place / PHONE_FILE if place.is_dir() or not place.exists() else place
    if not path.exists():
        raise ValueError(
            f"{path} does not exist: start ./run demo first, it makes one, or name a phone's directory or file with --phone"
        )
    try:
        phone = PhoneFile(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"{path} is no phone's file ({error}): {_REMEDY}") from None
    wrong = [name for name, right in _right(phone).items() if not right]
    if wrong:
        raise ValueError(f"{path} is no phone's file ({', '.join(wrong)} cannot be used): {_REMEDY}")
    return phone


_REMEDY: Final = "write it anew with popback device enrol --phone-file, or start ./run demo again"


def _right(phone: PhoneFile) -> dict[str, bool]:
    return {
        "provider": is_id(phone.provider),
        "device": is_id(phone.device),
        "worker": isinstance(phone.worker, str),
        "password": isinstance(phone.password, str),
        "host": isinstance(phone.host, str) and phone.host != "",
        "port": isinstance(phone.port, int) and 0 < phone.port < 65536,
        "ca_pem": phone.ca_pem is None or isinstance(phone.ca_pem, str),
        "transport": phone.transport in get_args(Transport),
        "clock_shift_seconds": isinstance(phone.clock_shift_seconds, int | float),
    }


def _can_be_written(path: Path) -> None:
    if path.exists():
        raise ValueError(
            f"--phone-file {path} is there already and may hold another phone's password: name another file"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"--phone-file {path} cannot be written ({error.strerror}): name another place") from None
    if not os.access(path.parent, os.W_OK):
        raise ValueError(f"--phone-file {path} cannot be written (no permission): name another place")


def _read_ca(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        raise ValueError(f"--ca {path} cannot be read as PEM text: give the authority's certificate") from None
