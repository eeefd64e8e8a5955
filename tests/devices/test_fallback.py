"""What a phone puts into one request when MQTT is shut. Not the site that takes it (tests/api) and not the phone (test_phone)."""

import httpx
import pytest

from api.routes import events
from api.settings import Settings
from devices.messages import v1
from devices.phone import fallback


def sent(monkeypatch: pytest.MonkeyPatch, messages: list[bytes]) -> bytes:
    """The body that a phone with these messages posts."""
    bodies: list[bytes] = []

    def post(url: str, *, content: bytes, **_: object) -> httpx.Response:
        bodies.append(content)
        return httpx.Response(200, json={"v": 1}, request=httpx.Request("POST", url))

    monkeypatch.setattr(fallback.httpx, "post", post)
    fallback.Fallback(base_url="https://visits.example.org", username="a.b", password="c").post(messages)
    return bodies[0]


def test_the_phone_keeps_to_the_limits_of_the_site() -> None:
    """Broken: the two sides' limits drift apart, and every batch of a long outage is refused whole."""
    assert fallback.ENVELOPES_MAX <= events.ENVELOPES_MAX
    assert Settings().body_bytes_max >= fallback.BODY_BYTES_MAX > v1.MESSAGE_BYTES_MAX + 2


def test_a_long_outage_is_posted_in_parts_that_the_site_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken: fifty large events make a body over 256 KiB, answered 413 for ever, and nothing of them is ever stored."""
    large = b'"' + b"x" * 20_000 + b'"'
    body = sent(monkeypatch, [large] * 50)
    assert len(body) <= Settings().body_bytes_max
    assert body.count(large) == Settings().body_bytes_max // (len(large) + 1)
    small = b'"y"'
    assert sent(monkeypatch, [small] * 60).count(small) == events.ENVELOPES_MAX


def test_an_event_of_the_largest_size_is_posted_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken: one large event at the head would never leave the phone."""
    largest = b'"' + b"x" * (v1.MESSAGE_BYTES_MAX - 2) + b'"'
    assert sent(monkeypatch, [largest]) == b"[" + largest + b"]"
