"""The texts a phone writes: event ids, payloads with their digests, positions. Pure. Not their keeping (outbox) and not their sending
(link)."""

import json
import random
import uuid
from datetime import datetime
from typing import Any

from devices.messages import v1
from devices.messages.strict_json import Refused
from devices.phone.outbox import Entry
from evm.domain.evidence import TaskOutcome
from evm.domain.place import Position


def uuid7(*, at: datetime, rng: random.Random) -> str:
    """A UUID of version 7 (RFC 9562): milliseconds of `at`, then random bits of `rng`."""
    milliseconds = int(at.timestamp() * 1000) & ((1 << 48) - 1)
    value = (milliseconds << 80) | (7 << 76) | (rng.getrandbits(12) << 64) | (2 << 62) | rng.getrandbits(62)
    return str(uuid.UUID(int=value))


def entry_of(fields: dict[str, Any], position: str | None) -> Entry:
    """The event of these fields as it is kept and sent. Raises `Refused` when no server would take it."""
    payload = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    try:
        raw = payload.encode()
    except UnicodeEncodeError as error:
        raise Refused("ENCODING", "the words hold half a surrogate pair") from error
    v1.decode_event(raw)  # what no server would take must not enter the chain
    return Entry(
        event_id=fields["event_id"],
        sequence=fields["sequence"],
        sha256=v1.sha256_hex(raw),
        captured_at=fields["captured_at"],
        payload=payload,
        position=position,
    )


def position_text(position: Position, rng: random.Random) -> str | None:
    """A salted position's text; None for one that is no place on the globe: the event is then recorded without, never lost for it."""
    fields = {
        "salt": f"{rng.getrandbits(128):032x}",
        "lat": position.latitude,
        "lon": position.longitude,
        "accuracy_m": position.accuracy_m,
        "mock": position.mock,
    }
    text = json.dumps(fields, separators=(",", ":"))
    try:
        v1.decode_position(text, digest=v1.sha256_hex(text.encode()))
    except Refused:
        return None
    return text


def task_fields(task: TaskOutcome) -> dict[str, Any]:
    """One task's outcome as it stands in an event."""
    said: dict[str, Any] = {"code": task.code, "done": task.done}
    return said if task.reason is None else said | {"reason": task.reason}
