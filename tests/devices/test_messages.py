"""Protocol v1's wire models: what is committed is what is read, and nothing an attacker sends gets past as anything but a refusal."""

import contextlib
import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.messages import generate, strict_json, v1
from devices.messages.strict_json import Refused
from devices.topics import may_publish, may_receive, may_subscribe, parse
from tests.devices.wire import envelope, event, position


def test_the_committed_schemas_are_current() -> None:
    """Broken if a model changed and other clients' schema did not: run `python -m devices.messages.generate`."""
    committed = {path.name: path.read_text(encoding="utf-8") for path in generate.FOLDER.glob("*.json")}
    assert committed == generate.schemas()


def test_what_the_schema_takes_the_server_takes_and_the_other_way() -> None:
    """Broken if a client that follows the committed schema is refused."""
    schema = json.loads((generate.FOLDER / "v1.event.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    sound = event(tasks=[{"code": "meal", "done": False, "reason": "asleep"}], visit="v-1", words="hello")
    v1.decode_event(json.dumps(sound).encode())
    validator.validate(sound)
    for change in (
        {"mood": 1},
        {"sequence": 0},
        {"captured_at": "2026-11-02T09:00:00"},
        {"worker": "W 1"},
        {"kind": "lunch"},
    ):
        assert not validator.is_valid(sound | change)
        with pytest.raises(Refused):
            v1.decode_event(json.dumps(sound | change).encode())


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_read_or_refused_and_nothing_else(message: bytes) -> None:
    """Broken if any bytes raise something other than a refusal."""
    with contextlib.suppress(Refused):
        v1.decode_envelope(message)


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(key=st.sampled_from(sorted(v1.Event.model_fields)), value=_ANYTHING)
def test_any_value_in_any_field_is_read_or_refused(key: str, value: object) -> None:
    """Broken if some odd value in a field raises past the decoder or changes type on the way."""
    said = event() | {key: value}
    try:
        found = v1.decode_event(json.dumps(said).encode())
    except Refused:
        return
    assert type(found.sequence) is int


@given(_ANYTHING)
def test_strict_json_agrees_with_json_wherever_it_reads(value: object) -> None:
    """Broken if strictness changes a value."""
    text = json.dumps(value)
    try:
        found = strict_json.decode(text.encode())
    except Refused:
        return
    assert found == json.loads(text)


def test_two_places_in_one_event_are_refused() -> None:
    """Broken if an event can be about two homes at once."""
    with pytest.raises(Refused, match="more than one"):
        v1.decode_event(json.dumps(event(customer="c1")).encode())


def test_a_challenge_without_its_clock_is_refused() -> None:
    """Broken if half a challenge reaches grading."""
    with pytest.raises(Refused, match="challenge"):
        v1.decode_event(json.dumps(event(challenge="x")).encode())


def test_the_payload_is_hashed_as_sent() -> None:
    """Broken if the server re-writes a payload before hashing: spaces and key order are part of what was signed."""
    text = json.dumps(event(), indent=3)
    found = v1.decode_envelope(envelope(text))
    assert v1.sha256_hex(found.payload.encode()) == v1.sha256_hex(text.encode())


def test_the_position_text_is_salted() -> None:
    """Broken if a short salt lets coordinates be guessed from the digest after they were erased."""
    text = position(salt="short")
    with pytest.raises(Refused):
        v1.decode_position(text, digest=v1.sha256_hex(text.encode()))


@pytest.mark.parametrize(
    "topic",
    [
        "popback/v1/p/d/event/x",
        "popback/v1/P/d/event",
        "popback/v2/p/d/event",
        "popback/v1/p/d/other",
        "popback/v1//d/event",
        "",
        "popback/v1/p/d/",
    ],
)
def test_foreign_topics_are_nobodys(topic: str) -> None:
    """Broken if a look-alike topic is taken for a device's."""
    assert parse(topic) is None


def test_a_device_may_use_its_own_topics_only() -> None:
    """Broken if one credential opens another device's topics."""
    own, other = "popback/v1/kindly/p1", "popback/v1/other/p1"
    assert may_publish(user="kindly.p1", topic=f"{own}/event")
    assert may_publish(user="kindly.p1", topic=own)
    assert not may_publish(user="kindly.p1", topic=f"{own}/receipt")
    assert not may_publish(user="kindly.p1", topic=f"{other}/event")
    assert may_receive(user="kindly.p1", topic=f"{own}/receipt")
    assert not may_receive(user="kindly.p1", topic=f"{own}/event")
    for topic_filter in (
        "#",
        "$SYS/#",
        "popback/v1/#",
        "popback/v1/kindly/+/receipt",
        f"{other}/receipt",
        "+/v1/kindly/p1/receipt",
    ):
        assert not may_subscribe(user="kindly.p1", topic_filter=topic_filter)


def test_a_server_may_not_play_a_device() -> None:
    """Broken if a leaked server credential can forge check-ins."""
    assert not may_publish(user="ingest-1", topic="popback/v1/kindly/p1/event")
    assert may_publish(user="ingest-1", topic="popback/v1/kindly/p1/receipt")
    assert may_subscribe(user="ingest-1", topic_filter="$share/ingest/popback/v1/+/+/event")
    assert not may_subscribe(user="ingest-1", topic_filter="#")
    assert not may_receive(user="ingest-.p1", topic="popback/v1/kindly/p1/event")
