"""Builders of messages as they stand on the wire. Not fixtures."""

import hashlib
import itertools
import json
from datetime import datetime
from typing import Any

from devices.ingest import Received
from tests.factories import NINE, PROVIDER

_numbers = itertools.count(1)


def event(**changes: Any) -> dict[str, Any]:
    """An event of phone p1 of worker w1: a check-in at c1 by tag at nine. A change to None leaves the key out."""
    number = next(_numbers)
    fields: dict[str, Any] = {
        "v": 1,
        "event_id": f"0190b0a0-0000-7000-8000-{number:012x}",
        "provider": PROVIDER,
        "device": "p1",
        "sequence": number,
        "kind": "check_in",
        "captured_at": NINE.isoformat(),
        "monotonic_ms": 1000,
        "boot_id": "boot-1",
        "worker": "w1",
        "tag": "tag-c1",
        "method": "nfc",
    }
    return {key: value for key, value in (fields | changes).items() if value is not None}


def position(**changes: Any) -> str:
    """A position's text: at the home of c1."""
    fields: dict[str, Any] = {
        "salt": "0123456789abcdef",
        "lat": 53.4500123,
        "lon": -2.2200456,
        "accuracy_m": 8.5,
        "mock": False,
    }
    return json.dumps(fields | changes)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def envelope(payload: dict[str, Any] | str, **beside: Any) -> bytes:
    """The message: the event's text as a string, and what travels beside it."""
    text = payload if isinstance(payload, str) else json.dumps(payload)
    return json.dumps({"payload": text, **beside}).encode()


def located(fix: str, **changes: Any) -> bytes:
    """A check-in by GPS with this position beside it."""
    said = event(method="gps", tag=None, customer="c1", position_digest=digest(fix), **changes)
    return envelope(said, position=fix)


def received(message: bytes, **changes: Any) -> Received:
    """The message as ingest's MQTT client hands it on, from phone p1's own topic."""
    fields: dict[str, Any] = {
        "provider": PROVIDER,
        "device": "p1",
        "topic": f"popback/v1/{PROVIDER}/p1/event",
        "message": message,
    }
    return Received(**(fields | changes))


def at(moment: datetime) -> str:
    return moment.isoformat()
