"""Evidence: what a device, a person or another vendor's feed said happened, and how far it can be trusted.
Not the wire format (devices.messages) and not what is concluded from it (reconcile).

A device type turns a message into a `Claim`, in which people and places are still lines, PINs and tags; `evm.services.receive` resolves
and grades it into `Evidence`, the append-only fact from which everything else follows."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from evm.domain.ids import CustomerId, DeviceId, EventId, ProviderId, VisitId, WorkerId
from evm.domain.place import Position


class EventKind(StrEnum):
    CHECK_IN = "check_in"
    CHECK_OUT = "check_out"
    TASK_OUTCOME = "task_outcome"
    NOTE = "note"
    NO_REPLY = "no_reply"
    CUSTOMER_REFUSED = "customer_refused"
    ASSISTANCE = "assistance"
    POPBACK_REQUEST = "popback_request"
    ON_MY_WAY = "on_my_way"
    HEARTBEAT = "heartbeat"
    AMENDMENT = "amendment"


class Method(StrEnum):
    """How the place was proved."""

    NFC = "nfc"
    QR = "qr"
    GPS = "gps"
    LANDLINE = "landline"
    FIXED_TOKEN = "fixed_token"  # noqa: S105 -- a kind of proof of place, not a password
    MANUAL = "manual"


class Grade(StrEnum):
    """How far a time or a place can be trusted, A best (protocol.md)."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"


GRADES_THAT_PAY: Final = frozenset({Grade.A, Grade.B})


class Source(StrEnum):
    """Who recorded it: our own devices, an imported feed of another vendor, or a person in the office."""

    DEVICE = "device"
    IMPORT = "import"
    OFFICE = "office"


FEED_DEVICE: Final = "feed:"
"""Events of another vendor's feed name `feed:<vendor>` as their device, which no device of ours can be called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOutcome:
    code: str
    done: bool
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """A correction, itself evidence: which event it corrects and what the times should read. Pays only after `approved_by`."""

    visit: VisitId
    worker: WorkerId
    check_in_at: datetime | None
    check_out_at: datetime | None
    reason_code: str
    memo: str
    attested_by: str
    approved_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What one message says, decoded and not yet resolved. Instants are aware UTC; `monotonic_ms` counts within `boot_id`.

    `sha256` (hex) is over the exact payload bytes. A derived `event_id` (OwnTracks, telephony) is stable for equal fields."""

    event_id: EventId
    sha256: str
    device_type: str
    provider: ProviderId
    device: DeviceId
    kind: EventKind
    captured_at: datetime
    method: Method
    sequence: int | None = None
    previous: str | None = None
    monotonic_ms: int | None = None
    boot_id: str | None = None
    challenge: str | None = None
    challenge_monotonic_ms: int | None = None
    challenge_boot_id: str | None = None
    worker: WorkerId | None = None
    worker_pin: str | None = None
    worker_number: str | None = None
    customer: CustomerId | None = None
    customer_code: str | None = None
    tag: str | None = None
    line: str | None = None
    visit: VisitId | None = None
    position: Position | None = None
    tasks: tuple[TaskOutcome, ...] = ()
    words: str | None = None
    popback_at: datetime | None = None
    popback_minutes: int | None = None
    app_version: str | None = None
    server_timed: bool = False
    qos0: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One resolved and graded event. `at` is the trusted instant (captured, or the server's for telephony), aware UTC, whole
    seconds; `visit` is set only when the event named a planned visit. `worker`/`customer` None: could not be resolved."""

    event_id: EventId
    sha256: str
    source: Source
    provider: ProviderId
    device: DeviceId
    kind: EventKind
    at: datetime
    received_at: datetime
    method: Method
    grade_time: Grade
    grade_place: Grade
    worker: WorkerId | None
    customer: CustomerId | None
    visit: VisitId | None = None
    position: Position | None = None
    tasks: tuple[TaskOutcome, ...] = ()
    words: str | None = None
    amendment: Amendment | None = None
    flags: tuple[str, ...] = ()
    waits: bool = False
    """`flags` are finding codes seen at receipt (conflict, fork, replayed fix, clock); `waits`: a person must decide before it pays."""


def vendor_of(event: Evidence) -> str | None:
    """The vendor whose feed an event came in; None for what our own devices and people recorded."""
    if event.source is not Source.IMPORT or not event.device.startswith(FEED_DEVICE):
        return None
    return event.device.removeprefix(FEED_DEVICE)
