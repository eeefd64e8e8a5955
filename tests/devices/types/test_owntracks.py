"""OwnTracks: literal messages of its iOS and Android apps, and what becomes of them."""

import json
from datetime import UTC, datetime

import pytest

from devices.messages.strict_json import Refused
from devices.types import Sender
from devices.types.owntracks import OWNTRACKS
from evm.domain.evidence import EventKind, Grade, Method
from evm.domain.place import Position
from tests.devices.conftest import Town
from tests.devices.wire import received
from tests.factories import NINE, PROVIDER

SENDER = Sender(provider=PROVIDER, device="o1", worker="w2")

ENTER = (
    b'{"_type":"transition","acc":12.5,"desc":"c1","event":"enter","lat":53.4501,"lon":-2.2199,"rid":"6da9cf",'
    b'"t":"c","tid":"w2","tst":1793610002,"wtst":1793000000}'
)
LEAVE = (
    b'{"_type":"transition","_id":"8d2f1c","acc":9,"desc":"c1","event":"leave","lat":53.45,"lon":-2.22,'
    b'"t":"c","tid":"w2","tst":1793611802,"wtst":1793000000}'
)
LOCATION = (
    b'{"_type":"location","BSSID":"aa:bb:cc:dd:ee:ff","acc":11,"alt":52,"batt":78,"bs":1,"conn":"w","created_at":1793610010,'
    b'"inregions":["c1"],"inrids":["6da9cf"],"lat":53.4501,"lon":-2.2199,"m":1,"t":"u","tid":"w2","tst":1793610009,"vac":3,"vel":0}'
)


def test_entering_a_region_is_a_check_in() -> None:
    """Broken if a transition's region, time or fix is lost."""
    (decoded,) = OWNTRACKS.decode(ENTER, SENDER, NINE)
    claim = decoded.claim
    assert (claim.kind, claim.customer, claim.worker, claim.method) == (EventKind.CHECK_IN, "c1", "w2", Method.GPS)
    assert claim.captured_at == datetime.fromtimestamp(1793610002, tz=UTC)
    assert claim.position == Position(latitude=53.4501, longitude=-2.2199, accuracy_m=12.5)
    assert decoded.payload == ENTER


def test_leaving_a_region_is_a_check_out() -> None:
    """Broken if only half of each visit is recorded."""
    (decoded,) = OWNTRACKS.decode(LEAVE, SENDER, NINE)
    assert decoded.claim.kind is EventKind.CHECK_OUT


def test_a_location_is_a_sign_of_life_without_position() -> None:
    """Broken if workers are tracked between visits."""
    (decoded,) = OWNTRACKS.decode(LOCATION, SENDER, NINE)
    assert (decoded.claim.kind, decoded.claim.position, decoded.claim.customer) == (EventKind.HEARTBEAT, None, None)


@pytest.mark.parametrize(
    "message",
    [
        b'{"_type":"lwt","tst":1793610000}',
        b'{"_type":"waypoint","desc":"c1","lat":53.45,"lon":-2.22,"rad":100,"tst":1793000000}',
        b'{"_type":"card","name":"Worker","tid":"w2"}',
    ],
)
def test_what_says_nothing_about_a_visit_is_no_event(message: bytes) -> None:
    """Broken if OwnTracks' own housekeeping fills the log or the quarantine."""
    assert OWNTRACKS.decode(message, SENDER, NINE) == ()


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"", "EMPTY"),
        (b'{"_type":"encrypted","data":"abc"}', "FIELD"),
        (b'{"lat":53.45}', "FIELD"),
        (b"[]", "SYNTAX"),
        (ENTER.replace(b'"enter"', b'"hover"'), "FIELD"),
        (ENTER.replace(b'"c1"', b'"Mrs Example, 1 High Street"'), "FIELD"),
        (ENTER.replace(b"1793610002", b"0"), "TIME"),
        (ENTER.replace(b"1793610002", b"1793610002000"), "TIME"),
        (ENTER.replace(b"1793610002", b"999999999999999999"), "TIME"),
        (ENTER.replace(b"1793610002", b"true"), "TIME"),
        (ENTER.replace(b"53.4501", b"91"), "NUMBER"),
        (ENTER.replace(b"53.4501", b"NaN"), "NUMBER"),
        (ENTER.replace(b"53.4501", b'"53.4501"'), "NUMBER"),
        (ENTER.replace(b"12.5", b"null"), "NUMBER"),
    ],
)
def test_what_cannot_be_read_is_refused(message: bytes, reason: str) -> None:
    """Broken if a foreign device's message is believed half-read."""
    with pytest.raises(Refused) as refusal:
        OWNTRACKS.decode(message, SENDER, NINE)
    assert refusal.value.reason == reason


def test_the_same_transition_sent_twice_is_one_event(town: Town) -> None:
    """Broken if a message without an id counts once for each delivery."""
    town.clock.now = datetime.fromtimestamp(1793610005, tz=UTC)
    message = received(ENTER, device="o1", topic=f"popback/v1/{PROVIDER}/o1/event")
    town.take(message, message)
    town.take(message)
    assert len(town.stored()) == 1


def test_a_transition_at_the_home_received_live_is_good_evidence(town: Town) -> None:
    """Broken if honest OwnTracks workers drown in review."""
    town.clock.now = datetime.fromtimestamp(1793610005, tz=UTC)
    town.take(received(ENTER, device="o1", topic=f"popback/v1/{PROVIDER}/o1/event"))
    (said,) = town.evidence()
    assert (said.grade_time, said.grade_place, said.worker, said.customer) == (Grade.A, Grade.B, "w2", "c1")


def test_a_region_of_another_place_is_no_proof_of_the_home(town: Town) -> None:
    """Broken if a worker's own region file decides where the customer lives."""
    town.clock.now = datetime.fromtimestamp(1793610005, tz=UTC)
    elsewhere = json.loads(ENTER) | {"lat": 53.5}
    town.take(received(json.dumps(elsewhere).encode(), device="o1", topic=f"popback/v1/{PROVIDER}/o1/event"))
    assert town.evidence()[0].grade_place is Grade.C


def test_owntracks_on_the_bare_topic_is_taken(town: Town) -> None:
    """Broken if locations, which OwnTracks publishes on its base topic, are refused."""
    town.clock.now = datetime.fromtimestamp(1793610015, tz=UTC)
    receipt = town.take(received(LOCATION, device="o1", topic=f"popback/v1/{PROVIDER}/o1"))
    assert len(receipt.stored) == 1
    assert receipt.challenge is None
