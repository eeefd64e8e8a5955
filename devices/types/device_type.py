"""What a device type is: a pure reading of one device's messages. Not the list of them (devices.types.TYPES)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from evm.domain.evidence import Claim
from evm.domain.ids import DeviceId, ProviderId, WorkerId


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """The enrolled device a message came from, as its credential and topic say. `worker` None: shared by several."""

    provider: ProviderId
    device: DeviceId
    worker: WorkerId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """One event of a message: what it claims, unresolved, and the exact bytes that are stored as evidence of it."""

    claim: Claim
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceType:
    """`decode(message, sender, received_at)` gives the events of one message, none when it says nothing about a visit.

    It is pure: no clock, no store. It raises `devices.messages.strict_json.Refused` when the message cannot be read. A type whose
    messages bear no event id derives one from their fields, so that the same message always is the same event."""

    name: str
    decode: Callable[[bytes, Sender, datetime], tuple[Decoded, ...]]
