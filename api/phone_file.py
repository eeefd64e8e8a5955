"""What a phone is handed: one file with its credential and the way to the broker. Not the phone (devices.phone), not its enrolment.

`popback device enrol --phone-file` writes it, readable by its owner alone; `popback phone --phone` reads it. The authority that vouches
for the server stands in it whole, so that one file is all there is to hand over."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, get_args

from devices import identity
from devices.phone.link import Transport
from devices.tls import Tls
from evm.domain.ids import is_id

PHONE_FILE: Final = "phone.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneFile:
    """A phone's credential, where the broker is and how it is reached (`ca_pem` None: an authority the system trusts), and, on the tour,
    the one visit of its run."""

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

    @property
    def trust(self) -> Tls | None:
        """How the server is verified; None where nothing is encrypted."""
        return Tls(ca_pem=self.ca_pem) if self.tls else None


def write_phone(phone: PhoneFile, path: Path) -> None:
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
