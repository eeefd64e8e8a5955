"""OwnTracks phones: region transitions as check-in and check-out, locations as signs of life. Not a tracker: where a worker is
between visits is not kept as a position.

The region's description (`desc`) is the customer's id, its radius does not count: the fix is compared with our own record of the
home. OwnTracks gives its messages no event id, so one is derived from the fields that say what happened; a message sent twice
is one event. The clock is the phone's and no challenge is carried: time is grade A only when received live."""

import math
import uuid
from datetime import UTC, datetime
from typing import Any, Final

from devices.messages import strict_json
from devices.messages.strict_json import Refused
from devices.messages.v1 import MESSAGE_BYTES_MAX, plausible, sha256_hex
from devices.types.device_type import Decoded, DeviceType, Sender
from evm.domain.evidence import Claim, EventKind, Method
from evm.domain.ids import CustomerId, EventId, is_id
from evm.domain.place import Position

NAME: Final = "owntracks"
_NAMESPACE: Final = uuid.UUID("6c1f7f0e-6f5b-5d0e-9d38-0d6b8d1f2a11")
_SILENT: Final = frozenset(
    {"lwt", "waypoint", "waypoints", "card", "status", "steps", "beacon", "dump", "cmd", "configuration"}
)
_TRANSITIONS: Final = {"enter": EventKind.CHECK_IN, "leave": EventKind.CHECK_OUT}


def decode(message: bytes, sender: Sender, received_at: datetime) -> tuple[Decoded, ...]:
    """One event of a transition or location; none for OwnTracks' other messages. Raises `Refused`."""
    del received_at
    try:
        if len(message) > MESSAGE_BYTES_MAX:
            raise Refused("SIZE", f"a message of {len(message)} bytes; at most {MESSAGE_BYTES_MAX}")
        said = strict_json.decode(message)
        if not isinstance(said, dict):
            raise Refused("SYNTAX", "not a JSON object")
        return _events(said, message, sender)
    except Refused as refused:
        refused.sha256 = sha256_hex(message)
        raise


def _events(said: dict[str, Any], message: bytes, sender: Sender) -> tuple[Decoded, ...]:
    kind = said.get("_type")
    if kind == "transition":
        return (Decoded(claim=_transition(said, message, sender), payload=message),)
    if kind == "location":
        return (Decoded(claim=_sign_of_life(said, message, sender), payload=message),)
    if kind in _SILENT:
        return ()
    raise Refused("FIELD", "not a message of OwnTracks: `_type` is missing, encrypted or unknown")


def _transition(said: dict[str, Any], message: bytes, sender: Sender) -> Claim:
    event = said.get("event")
    if not isinstance(event, str) or event not in _TRANSITIONS:
        raise Refused("FIELD", "event: neither enter nor leave")
    region = said.get("desc")
    if not isinstance(region, str) or not is_id(region):
        raise Refused("FIELD", "desc: the region's description must be the customer's id")
    return _claim(
        message,
        sender,
        kind=_TRANSITIONS[event],
        at=_instant(said),
        key=f"{event}|{region}",
        customer=CustomerId(region),
        position=_position(said),
    )


def _sign_of_life(said: dict[str, Any], message: bytes, sender: Sender) -> Claim:
    return _claim(
        message, sender, kind=EventKind.HEARTBEAT, at=_instant(said), key="location", customer=None, position=None
    )


def _claim(
    message: bytes,
    sender: Sender,
    *,
    kind: EventKind,
    at: datetime,
    key: str,
    customer: CustomerId | None,
    position: Position | None,
) -> Claim:
    name = f"{sender.provider}|{sender.device}|{key}|{at.isoformat()}"
    return Claim(
        event_id=EventId(str(uuid.uuid5(_NAMESPACE, name))),
        sha256=sha256_hex(message),
        device_type=NAME,
        provider=sender.provider,
        device=sender.device,
        kind=kind,
        captured_at=at,
        method=Method.GPS,
        worker=sender.worker,
        customer=customer,
        position=position,
    )


def _instant(said: dict[str, Any]) -> datetime:
    """`tst`, seconds since 1970; a number of another size is a clock never set or milliseconds."""
    seconds = said.get("tst")
    if type(seconds) is not int:
        raise Refused("TIME", "tst: not a whole number of seconds")
    try:
        return plausible(datetime.fromtimestamp(seconds, tz=UTC))
    except (ValueError, OverflowError, OSError) as error:
        raise Refused("TIME", f"tst: {error}") from error


def _position(said: dict[str, Any]) -> Position:
    latitude, longitude = _degrees(said, "lat", 90), _degrees(said, "lon", 180)
    accuracy = said.get("acc", 0)
    if isinstance(accuracy, bool) or not isinstance(accuracy, int | float):
        raise Refused("NUMBER", "acc: not a number")
    return Position(latitude=latitude, longitude=longitude, accuracy_m=float(accuracy))


def _degrees(said: dict[str, Any], name: str, limit: int) -> float:
    value = said.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.fabs(value) <= limit:
        raise Refused("NUMBER", f"{name}: not degrees between -{limit} and {limit}")
    return float(value)


OWNTRACKS: Final = DeviceType(name=NAME, decode=decode)
