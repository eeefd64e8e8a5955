"""`popback phone`: the reference phone on the command line, one event at a time. Not the phone itself (devices.phone)."""

import random
import secrets
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from api.parts import wall_clock
from api.phone_file import PhoneFile, read_phone
from devices.messages.strict_json import Refused
from devices.phone.outbox import OutboxInUseError
from devices.phone.phone import Phone
from evm.domain.evidence import EventKind, Method

CONNECT_SECONDS_MAX: Final = 10.0
RECEIPT_SECONDS_MAX: Final = 20.0
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def send(*, directory: Path, kind: EventKind, visit: str | None, tag: str | None, words: str | None) -> dict[str, Any]:
    """Record one event in the phone's outbox and wait for the receipt; "saved on phone" when none comes in time or no server answers.

    `directory` may also be the phone's file itself: its outbox then is beside it. Raises ValueError with the remedy when it is no
    phone's, another process uses it, or the event lacks what every server asks for."""
    carried = read_phone(directory)
    at_the_door = kind in (EventKind.CHECK_IN, EventKind.CHECK_OUT)
    if at_the_door and not (tag or carried.tag):
        raise ValueError("--tag: name the tag at the door, as it stands on it")
    try:
        phone = _phone(carried, directory if directory.is_dir() else directory.parent)
    except (OutboxInUseError, ValueError) as error:
        raise ValueError(str(error)) from None
    try:
        phone.connect()
        connected = phone.wait_connected(timeout_seconds=CONNECT_SECONDS_MAX)
        event_id = phone.record(
            kind,
            method=Method.NFC if at_the_door else Method.MANUAL,
            tag=(tag or carried.tag) if at_the_door else None,
            customer=None if at_the_door else carried.customer,
            visit=visit or carried.visit,
            words=words,
        )
        problem = phone.problem
        received = connected and phone.wait_receipts(timeout_seconds=RECEIPT_SECONDS_MAX)
        refused = {item.event_id: item.reason for item in phone.refused}
    except Refused as error:
        raise ValueError(f"no server would take this event ({error}): nothing was recorded") from None
    finally:
        phone.close()
    later = "saved on phone; it is sent when the server can be reached"
    state = "received" if received else f"{later} ({problem})" if problem else later
    return {
        "event": event_id,
        "kind": kind.value,
        "captured_at": _clock(carried)().isoformat(timespec="seconds"),
        "visit": visit or carried.visit,
        "state": f"refused: {refused[event_id]}" if event_id in refused else state,
    }


def _phone(carried: PhoneFile, directory: Path) -> Phone:
    return Phone(
        directory=directory,
        provider=carried.provider,
        device=carried.device,
        worker=carried.worker,
        host=carried.host,
        port=carried.port,
        password=carried.password,
        tls=carried.trust,
        transport=carried.transport,
        clock=_clock(carried),
        monotonic_ms=lambda: time.monotonic_ns() // 1_000_000,
        rng=random.Random(secrets.randbits(128)),  # noqa: S311 -- seeds ids and jitter, nothing secret
        boot_id=_boot_id(),
    )


def _clock(carried: PhoneFile) -> Any:
    shift = timedelta(seconds=carried.clock_shift_seconds)

    def now() -> datetime:
        return wall_clock() + shift

    return now


def _boot_id() -> str | None:
    """The machine's boot, since its monotonic clock counts from it; None (one boot per command) where it cannot be told."""
    return _BOOT_ID.read_text(encoding="ascii").strip().replace("-", "") if _BOOT_ID.exists() else None
