"""Landline calls as told by a Twilio Voice webhook: a pure reading of its form. Not the check of its signature against the
configured public URL (`signature_is_valid`, called by the edge before anything is parsed), and not who the caller is.

Caller id (`From`) is the customer's line; the dialled number (`To`) is the worker's own, or the worker types a PIN. An unanswered
call to the worker's own number is enough and costs nothing. Typed digits are `PIN`, or `PIN*CODE` on a line two customers share, each
further `*NN` a task that was done; on the worker's own number the PIN may be left empty (`*CODE`).

A call does not say whether its caller comes or goes. The claim says check-in; `devices.calls` turns it into a check-out when that
worker is at that customer's already. One `CallSid` is one event, however often and in whatever order its webhooks come."""

import json
import re
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl

import phonenumbers

from devices.messages.strict_json import Refused
from devices.messages.v1 import sha256_hex
from devices.types.device_type import Decoded, DeviceType, Sender
from evm.domain.evidence import Claim, EventKind, Method, TaskOutcome
from evm.domain.ids import EventId

NAME: Final = "telephony"
FORM_BYTES_MAX: Final = 16 * 1024
_NAMESPACE: Final = uuid.UUID("0b6f8a52-5a49-5f3c-8f4e-3f1d5f0f7c21")
_CALL_SID: Final = re.compile(r"CA[0-9a-f]{32}")
_DIGITS: Final = re.compile(r"[0-9]{0,12}(?:\*[0-9]{1,8}){0,16}")
_WITHHELD: Final = frozenset(
    {"", "anonymous", "restricted", "unavailable", "unknown", "+266696687", "+86282452253", "+7378742833"}
)


def signature_is_valid(*, auth_token: str, public_url: str, form: Mapping[str, str], signature: str) -> bool:
    """Whether Twilio signed this form for `public_url`: the configured one, never the one a proxy shows (bad-input 96, 98)."""
    from twilio.request_validator import RequestValidator

    validator: Any = RequestValidator(auth_token)  # type: ignore[no-untyped-call]
    return bool(validator.validate(public_url, dict(form), signature))


def e164(number: str) -> str | None:
    """A line in one form, whatever its prefix (0161…, 0044…, +44…); None when withheld or no number (bad-input 99)."""
    text = number.strip()
    if text.lower() in _WITHHELD:
        return None
    if text.startswith("00"):
        text = "+" + text[2:]
    try:
        parsed = phonenumbers.parse(text, "GB")
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(parsed):
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def parse_form(message: bytes) -> dict[str, str]:
    """The webhook's fields. Raises `Refused` SIZE, ENCODING, DUPLICATE or FIELD."""
    if len(message) > FORM_BYTES_MAX:
        raise Refused("SIZE", f"a form of {len(message)} bytes; at most {FORM_BYTES_MAX}")
    try:
        pairs = parse_qsl(
            message.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=200
        )
    except UnicodeDecodeError as error:
        raise Refused("ENCODING", "not an URL-encoded UTF-8 form") from error
    except ValueError as error:
        raise Refused("SYNTAX", f"not a form: {error}") from error
    form = dict(pairs)
    if len(form) != len(pairs):
        raise Refused("DUPLICATE", "a field stands twice in the form")
    return form


def decode(message: bytes, sender: Sender, received_at: datetime) -> tuple[Decoded, ...]:
    """The attendance event of a call, at the server's time. Raises `Refused`."""
    try:
        form = parse_form(message)
        call = form.get("CallSid", "")
        if _CALL_SID.fullmatch(call) is None:
            raise Refused("FIELD", "CallSid: not one of Twilio's")
        return (_event(call, form, sender, received_at),)
    except Refused as refused:
        refused.sha256 = sha256_hex(message)
        raise


def _event(call: str, form: dict[str, str], sender: Sender, received_at: datetime) -> Decoded:
    digits = form.get("Digits", "").rstrip("#")
    typed = digits.split("*") if _DIGITS.fullmatch(digits) else [""]
    line, dialled = e164(form.get("From", "")), e164(form.get("To", ""))
    payload = json.dumps({"CallSid": call, "From": line, "To": dialled, "Digits": digits[:64]}, sort_keys=True).encode()
    claim = Claim(
        event_id=EventId(str(uuid.uuid5(_NAMESPACE, call))),
        sha256=sha256_hex(payload),
        device_type=NAME,
        provider=sender.provider,
        device=sender.device,
        kind=EventKind.CHECK_IN,
        captured_at=received_at,
        method=Method.LANDLINE,
        worker=sender.worker,
        worker_pin=typed[0] or None,
        worker_number=dialled,
        line=line,
        customer_code=typed[1] if len(typed) > 1 else None,
        tasks=tuple(TaskOutcome(code=code, done=True) for code in typed[2:]),
        server_timed=True,
    )
    return Decoded(claim=claim, payload=payload)


TELEPHONY: Final = DeviceType(name=NAME, decode=decode)
