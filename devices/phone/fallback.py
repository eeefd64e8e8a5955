"""The phone's second way: the same envelopes by HTTPS, `POST /v1/events` with the device's own credential. Not the server's side (api)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import httpx

from devices.messages import strict_json, v1

PATH: Final = "/v1/events"
TIMEOUT_SECONDS: Final = 15.0
ENVELOPES_MAX: Final = 50
BODY_BYTES_MAX: Final = 256 * 1024
"""What the site takes in one request: more would be refused whole (413, 422), and the phone would try the same again for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """Where the site is and as whom to speak to it. `base_url` without a path, e.g. https://visits.example.org."""

    base_url: str
    username: str
    password: str

    def post(self, messages: Sequence[bytes]) -> v1.Receipt:
        """Send envelopes as one JSON array, the first of them that one request holds; answers the receipt.

        Raises httpx.HTTPError or `Refused` when there is none."""
        body = b"[" + b",".join(_that_fit(messages)) + b"]"
        answer = httpx.post(
            self.base_url.rstrip("/") + PATH,
            content=body,
            headers={"content-type": "application/json"},
            auth=(self.username, self.password),
            timeout=TIMEOUT_SECONDS,
        )
        answer.raise_for_status()
        return v1.read(v1.Receipt, strict_json.decode(answer.content))


def _that_fit(messages: Sequence[bytes]) -> list[bytes]:
    """The first messages that one request may hold with brackets and commas; at least one, which fits alone (v1.MESSAGE_BYTES_MAX)."""
    found: list[bytes] = []
    body_bytes = 1
    for message in messages[:ENVELOPES_MAX]:
        body_bytes += len(message) + 1
        if found and body_bytes > BODY_BYTES_MAX:
            break
        found.append(message)
    return found


def envelopes(body: bytes) -> tuple[bytes, ...]:
    """The envelopes of a posted body, one JSON array or a single envelope, each again as a message. Raises `Refused`.

    The payload inside is a string, so writing the envelope anew changes no byte that is hashed."""
    said = strict_json.decode(body)
    items = said if isinstance(said, list) else [said]
    return tuple(json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode() for item in items)
