"""Protocol v1 on the wire: envelope, event, receipt, status and run notice, strict and frozen. Not what they mean (evm.domain.evidence).

What is hashed, signed and stored are the UTF-8 bytes of the envelope's `payload` string; its `position` string, too, travels as exact
text, so that no canonical form is ever needed: `position_digest` is the SHA-256 of that text. Version 1 only ever gains optional fields."""

import hashlib
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from devices.messages import strict_json
from devices.messages.strict_json import Refused
from evm.domain.evidence import EventKind, Method

PAYLOAD_BYTES_MAX: Final = 8 * 1024
MESSAGE_BYTES_MAX: Final = 32 * 1024
SEQUENCE_MAX: Final = 2**62
PLAUSIBLE_FROM: Final = datetime(2020, 1, 1, tzinfo=UTC)
PLAUSIBLE_UNTIL: Final = datetime(2100, 1, 1, tzinfo=UTC)

_RFC_3339: Final = re.compile(
    r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:0\d|1[0-4]):[0-5]\d)"
)


def instant(text: Any) -> datetime:
    """An RFC 3339 instant with an offset, as aware UTC, within the years 2020 to 2099. Raises `Refused` TIME (bad-input 22 to 24)."""
    if isinstance(text, datetime):
        if text.tzinfo is None:
            raise Refused("TIME", "an instant without offset")
        return text.astimezone(UTC)
    if not isinstance(text, str) or _RFC_3339.fullmatch(text) is None:
        raise Refused("TIME", "not an RFC 3339 instant with an offset")
    try:
        moment = datetime.fromisoformat(_whole_microseconds(text)).astimezone(UTC)
    except ValueError as error:
        raise Refused("TIME", f"no such instant: {error}") from error
    return plausible(moment)


def plausible(moment: datetime) -> datetime:
    """`moment` itself when it lies in 2020 to 2099; otherwise a clock that was never set, or seconds taken for milliseconds."""
    if not PLAUSIBLE_FROM <= moment < PLAUSIBLE_UNTIL:
        raise Refused("TIME", "an instant outside the years 2020 to 2099")
    return moment


def _whole_microseconds(text: str) -> str:
    return re.sub(r"(\.\d{6})\d+", r"\1", text)


Id = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")]
Uuid = Annotated[str, Field(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Token = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:~-]{1,64}$")]
Line = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$")]
Words = Annotated[str, Field(min_length=1, max_length=2000)]
Count = Annotated[int, Field(ge=0, le=SEQUENCE_MAX)]
Instant = Annotated[
    datetime,
    BeforeValidator(instant),
    Field(json_schema_extra={"pattern": _RFC_3339.pattern}),
]
Kind = Annotated[EventKind, BeforeValidator(lambda text: EventKind(text) if isinstance(text, str) else text)]
Proof = Annotated[Method, BeforeValidator(lambda text: Method(text) if isinstance(text, str) else text)]


class Strict(BaseModel):
    """No coercion, no unknown key, no change after it was read."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, ser_json_inf_nan="strings")


class TaskOutcome(Strict):
    """Whether one task of the visit was done, and why not."""

    code: Annotated[str, Field(min_length=1, max_length=32)]
    done: bool
    reason: Annotated[str, Field(min_length=1, max_length=500)] | None = None


class Position(Strict):
    """A fix beside the payload: degrees (WGS 84) and the phone's own estimate of accuracy in metres, whatever it says.

    `salt` makes the digest in the payload say nothing about the place once this text is erased."""

    salt: Annotated[str, Field(min_length=16, max_length=64)]
    lat: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
    lon: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
    accuracy_m: Annotated[float, Field(allow_inf_nan=False)]
    mock: bool = False


class Envelope(Strict):
    """One MQTT message, or one element of the HTTP fallback's array: the event's exact text and what travels beside it."""

    payload: str
    signature: Annotated[str, Field(max_length=128)] | None = None
    position: Annotated[str, Field(max_length=512)] | None = None


class Event(Strict):
    """What a phone says happened. Instants carry an offset; `monotonic_ms` counts within `boot_id`. At most one of `customer`,
    `tag` and `line` says whose home it was."""

    v: Literal[1]
    event_id: Uuid
    provider: Id
    device: Id
    sequence: Annotated[int, Field(ge=1, le=SEQUENCE_MAX)]
    previous: Sha256 | None = None
    kind: Kind
    captured_at: Instant
    monotonic_ms: Count
    boot_id: Token
    challenge: Token | None = None
    challenge_monotonic_ms: Count | None = None
    challenge_boot_id: Token | None = None
    worker: Id
    customer: Id | None = None
    tag: Token | None = None
    line: Line | None = None
    visit: Id | None = None
    method: Proof
    position_digest: Sha256 | None = None
    tasks: Annotated[
        tuple[TaskOutcome, ...], Field(max_length=64), BeforeValidator(lambda v: tuple(v) if isinstance(v, list) else v)
    ] = ()
    words: Words | None = None
    popback_at: Instant | None = None
    popback_minutes: Annotated[int, Field(ge=1, le=1440)] | None = None
    app_version: Annotated[str, Field(max_length=32)] | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if sum(said is not None for said in (self.customer, self.tag, self.line)) > 1:
            raise ValueError("more than one of customer, tag and line")
        if (self.challenge is None) != (self.challenge_monotonic_ms is None) or (self.challenge is None) != (
            self.challenge_boot_id is None
        ):
            raise ValueError("a challenge comes with challenge_monotonic_ms and challenge_boot_id, or not at all")
        return self


class StoredItem(Strict):
    """The server's word that this event is committed at `index` of its log."""

    event_id: str
    sha256: Sha256
    index: Annotated[int, Field(ge=0)]


class RefusedItem(Strict):
    """This will never be stored as it stands. `sha256` is of the payload, or of the whole message when no payload could be read."""

    event_id: str | None = None
    sha256: Sha256
    reason: Annotated[str, Field(min_length=1, max_length=16)]


class Receipt(Strict):
    """One message per device and batch. The phone keeps every event until it stands here under `stored` or `refused`.

    `epoch` names the log's epoch from the second on: one a phone does not know yet means that the log was restored, and that everything
    from `resend_from` on is to be sent again, receipted or not. Words of an epoch that has ended no longer hold."""

    v: Literal[1] = 1
    stored: Annotated[tuple[StoredItem, ...], BeforeValidator(lambda v: tuple(v) if isinstance(v, list) else v)] = ()
    refused: Annotated[tuple[RefusedItem, ...], BeforeValidator(lambda v: tuple(v) if isinstance(v, list) else v)] = ()
    challenge: Token | None = None
    resend_from: Annotated[int, Field(ge=1, le=SEQUENCE_MAX)] | None = None
    epoch: Id | None = None
    signature: Annotated[str, Field(max_length=128)] | None = None


class Status(Strict):
    """Birth and last will: whether the device stands connected. Not a claim about any visit.

    A birth says which epoch of the log the phone knows of (none: the first) and the newest sequence number it holds a receipt for."""

    v: Literal[1] = 1
    state: Literal["online", "offline"]
    app_version: Annotated[str, Field(max_length=32)] | None = None
    epoch: Id | None = None
    stored_sequence: Count | None = None


class RunNotice(Strict):
    """Retained: a newer run exists. The run itself is fetched by the signed-in device and never stands in a retained message."""

    v: Literal[1] = 1
    version: Annotated[int, Field(ge=1)]
    hash: Sha256


M = TypeVar("M", bound=Strict)

MODELS: Final = (Envelope, Event, Position, Receipt, Status, RunNotice)


def sha256_hex(content: bytes) -> str:
    """The SHA-256 of `content` in lower-case hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def decode_envelope(message: bytes) -> Envelope:
    """The envelope of one message. Raises `Refused`; its `sha256` is then the whole message's."""
    try:
        if len(message) > MESSAGE_BYTES_MAX:
            raise Refused("SIZE", f"a message of {len(message)} bytes; at most {MESSAGE_BYTES_MAX}")
        return read(Envelope, strict_json.decode(message))
    except Refused as refused:
        refused.sha256 = sha256_hex(message)
        raise


def decode_event(payload: bytes) -> Event:
    """The event in a payload's exact bytes. Raises `Refused` naming the reason; `event_id` is filled in when it could be read."""
    value: Any = None
    try:
        if len(payload) > PAYLOAD_BYTES_MAX:
            raise Refused("SIZE", f"an event of {len(payload)} bytes; at most {PAYLOAD_BYTES_MAX}")
        value = strict_json.decode(payload)
        if isinstance(value, dict) and (type(value.get("v")) is not int or value["v"] != 1):
            raise Refused("VERSION", "not version 1 of the protocol")
        return read(Event, value)
    except Refused as refused:
        refused.sha256 = sha256_hex(payload)
        refused.event_id, refused.sequence = _readable_id(value), _readable_sequence(value)
        raise


def decode_position(text: str, *, digest: str | None) -> Position:
    """The fix beside a payload. Raises `Refused`: POSITION when it is not the one the payload's digest names, else why it is unreadable."""
    raw = text.encode()
    if digest is None or sha256_hex(raw) != digest:
        raise Refused("POSITION", "the position beside the event is not the one the event names")
    return read(Position, strict_json.decode(raw))


def read(model: type[M], value: Any) -> M:
    """`value` as `model`. Raises `Refused` VERSION for an unknown key, NUMBER for a number that is none, TIME, or FIELD."""
    if not isinstance(value, dict):
        raise Refused("SYNTAX", "not a JSON object")
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the message"
        raise Refused(_reason(first), f"{where}: {first['msg']}") from error


_NUMBER_ERRORS: Final = frozenset(
    {"int_type", "int_from_float", "greater_than_equal", "less_than_equal", "float_type", "finite_number"}
)


def _reason(error: ErrorDetails) -> str:
    if error["type"] == "extra_forbidden":
        return "VERSION"
    return "NUMBER" if error["type"] in _NUMBER_ERRORS else "FIELD"


def _readable_id(value: Any) -> str | None:
    """The event id of a refused event, so that its phone knows which one is meant; None unless it is a well-formed one."""
    found = value.get("event_id") if isinstance(value, dict) else None
    return found if isinstance(found, str) and _UUID.fullmatch(found) else None


def _readable_sequence(value: Any) -> int | None:
    """The sequence number of a refused event, so that it leaves no gap; None unless it is one."""
    found = value.get("sequence") if isinstance(value, dict) else None
    return found if type(found) is int and 1 <= found <= SEQUENCE_MAX else None


_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
