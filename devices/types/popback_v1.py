"""Our own phones (devices.phone and the web app): protocol v1's envelope and event. Not the wire models (devices.messages.v1)."""

from datetime import datetime
from typing import Final

from devices.messages import v1
from devices.messages.strict_json import Refused
from devices.types.device_type import Decoded, DeviceType, Sender
from evm.domain.evidence import Claim, TaskOutcome
from evm.domain.ids import CustomerId, DeviceId, EventId, ProviderId, VisitId, WorkerId
from evm.domain.place import Position

NAME: Final = "popback_v1"


def decode(message: bytes, sender: Sender, received_at: datetime) -> tuple[Decoded, ...]:
    """The one event of an envelope. Raises `Refused`, with TOPIC and `security` when the body names another provider or device."""
    del received_at
    envelope = v1.decode_envelope(message)
    payload = envelope.payload.encode()
    event = v1.decode_event(payload)
    sha256 = v1.sha256_hex(payload)
    try:
        _refuse_foreign(event, sender)
        position = _position(envelope, event)
    except Refused as refused:
        refused.event_id, refused.sha256 = event.event_id, sha256
        refused.sequence = None if refused.security else event.sequence
        raise
    return (Decoded(claim=_claim(event, sha256=sha256, position=position), payload=payload),)


def _refuse_foreign(event: v1.Event, sender: Sender) -> None:
    if (event.provider, event.device) != (sender.provider, sender.device):
        raise Refused("TOPIC", "the event names another provider or device than its topic", security=True)


def _position(envelope: v1.Envelope, event: v1.Event) -> Position | None:
    if envelope.position is None:
        return None
    fix = v1.decode_position(envelope.position, digest=event.position_digest)
    return Position(latitude=fix.lat, longitude=fix.lon, accuracy_m=fix.accuracy_m, mock=fix.mock)


def _claim(event: v1.Event, *, sha256: str, position: Position | None) -> Claim:
    return Claim(
        event_id=EventId(event.event_id),
        sha256=sha256,
        device_type=NAME,
        provider=ProviderId(event.provider),
        device=DeviceId(event.device),
        kind=event.kind,
        captured_at=event.captured_at,
        method=event.method,
        sequence=event.sequence,
        previous=event.previous,
        monotonic_ms=event.monotonic_ms,
        boot_id=event.boot_id,
        challenge=event.challenge,
        challenge_monotonic_ms=event.challenge_monotonic_ms,
        challenge_boot_id=event.challenge_boot_id,
        worker=WorkerId(event.worker),
        customer=None if event.customer is None else CustomerId(event.customer),
        tag=event.tag,
        line=event.line,
        visit=None if event.visit is None else VisitId(event.visit),
        position=position,
        tasks=tuple(TaskOutcome(code=task.code, done=task.done, reason=task.reason) for task in event.tasks),
        words=event.words,
        popback_at=event.popback_at,
        popback_minutes=event.popback_minutes,
        app_version=event.app_version,
    )


POPBACK_V1: Final = DeviceType(name=NAME, decode=decode)
