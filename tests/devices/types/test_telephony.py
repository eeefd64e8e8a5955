"""Landline calls: literal Twilio forms, and rows 96 to 104 of the bad-input table as far as they are the device's."""

from datetime import timedelta
from urllib.parse import urlencode

import pytest
from twilio.request_validator import RequestValidator

from devices.ingest import Received
from devices.messages.strict_json import Refused
from devices.types import Sender
from devices.types.telephony import TELEPHONY, e164, signature_is_valid
from evm.domain.evidence import EventKind, Grade, Method
from tests.devices.conftest import Town
from tests.factories import NINE, PROVIDER

SENDER = Sender(provider=PROVIDER, device="landline", worker=None)
URL = "https://visits.example.org/v1/telephony/voice"
CALL = {
    "AccountSid": "AC00000000000000000000000000000001",
    "ApiVersion": "2010-04-01",
    "CallSid": "CA00000000000000000000000000000001",
    "CallStatus": "ringing",
    "Called": "+441614960101",
    "Caller": "+441614960001",
    "Direction": "inbound",
    "From": "+441614960001",
    "FromCountry": "GB",
    "To": "+441614960101",
    "ToCountry": "GB",
}


def call(number: int = 1, **changes: str) -> Received:
    """The webhook as the site hands it to ingest: whose it is the dialled number says."""
    form = CALL | {"CallSid": f"CA{number:032x}"} | changes
    return Received(
        provider="", device="landline", topic="telephony", message=urlencode(form).encode(), channel="telephony"
    )


def test_a_call_is_a_claim_at_the_servers_time() -> None:
    """Broken if the caller's word for the time counts, or line and number change places."""
    (decoded,) = TELEPHONY.decode(call().message, SENDER, NINE)
    claim = decoded.claim
    assert (claim.line, claim.worker_number, claim.method) == ("+441614960001", "+441614960101", Method.LANDLINE)
    assert claim.captured_at == NINE
    assert claim.server_timed


def test_a_call_from_the_registered_line_is_a_check_in_of_grades_a_and_b(town: Town) -> None:
    """Broken if a landline check-in needs a person."""
    town.take(call())
    (said,) = town.evidence()
    assert (said.kind, said.worker, said.customer) == (EventKind.CHECK_IN, "w1", "c1")
    assert (said.grade_time, said.grade_place) == (Grade.A, Grade.B)


def test_the_second_call_is_the_check_out(town: Town) -> None:
    """Broken if a worker who rings twice is for ever arriving."""
    town.take(call(1))
    town.clock.now += timedelta(minutes=30)
    town.take(call(2))
    town.clock.now += timedelta(hours=4)
    town.take(call(3))
    assert [said.kind for said in town.evidence()] == [EventKind.CHECK_IN, EventKind.CHECK_OUT, EventKind.CHECK_IN]


def test_both_calls_of_a_visit_in_one_batch_are_told_apart(town: Town) -> None:
    """Broken if direction is judged by the log alone while the first call is not committed yet."""
    town.take(call(1), call(2))
    assert [said.kind for said in town.evidence()] == [EventKind.CHECK_IN, EventKind.CHECK_OUT]


def test_yesterdays_open_check_in_does_not_turn_todays_call_round(town: Town) -> None:
    """Broken if one forgotten check-out swaps every later visit's ends."""
    town.take(call(1))
    town.clock.now += timedelta(days=1)
    town.take(call(2))
    assert [said.kind for said in town.evidence()] == [EventKind.CHECK_IN, EventKind.CHECK_IN]


@pytest.mark.parametrize("signature", ["", "bm90IHRoZSByaWdodCBvbmU="])
def test_row_96_a_bad_or_absent_signature_is_invalid(signature: str) -> None:
    """Broken if anybody can phone in visits by HTTP."""
    assert not signature_is_valid(auth_token="token", public_url=URL, form=CALL, signature=signature)


def test_row_97_a_replayed_call_is_one_event(town: Town) -> None:
    """Broken if a webhook sent again is a second call, or turns the first round."""
    first = town.take(call()).stored
    town.clock.now += timedelta(minutes=5)
    assert town.take(call()).stored == first
    assert len(town.stored()) == 1


def test_row_98_the_signature_is_checked_against_the_configured_address() -> None:
    """Broken if the host a proxy shows decides what was signed."""
    signature = RequestValidator("token").compute_signature(URL, CALL)
    assert signature_is_valid(auth_token="token", public_url=URL, form=CALL, signature=signature)
    inside = "http://127.0.0.1:8080/v1/telephony/voice"
    assert not signature_is_valid(auth_token="token", public_url=inside, form=CALL, signature=signature)


@pytest.mark.parametrize(
    "text", ["+441614960001", "00441614960001", "0161 496 0001", "(0161) 496-0001", "+44 161 4960001"]
)
def test_row_99_every_spelling_of_a_line_is_one_line(text: str) -> None:
    """Broken if a prefix makes a known home unknown."""
    assert e164(text) == "+441614960001"


@pytest.mark.parametrize("text", ["", "anonymous", "Restricted", "+266696687", "client:alice", "12", "unknown"])
def test_row_99_a_withheld_line_is_none(text: str) -> None:
    """Broken if 'anonymous' matches somebody."""
    assert e164(text) is None


@pytest.mark.parametrize("line", ["anonymous", "+441614960099", "+33140000000"])
def test_row_99_an_unknown_line_is_kept_at_place_c(town: Town, line: str) -> None:
    """Broken if a call from a line nobody registered is lost, or proves a place."""
    town.take(call(From=line))
    (said,) = town.evidence()
    assert (said.customer, said.worker, said.grade_place) == (None, "w1", Grade.C)


def test_row_100_a_code_tells_a_couple_on_one_line_apart(town: Town) -> None:
    """Broken if both partners' visits land on the first of them."""
    town.take(call(1, From="+441614960003", Digits="*4"))
    assert town.evidence()[0].customer == "c4"


def test_row_101_a_wrong_pin_is_kept_without_a_worker(town: Town) -> None:
    """Broken if a mistyped PIN loses the visit, or is somebody's."""
    number = "+441614960199"
    town.ingest._telephony_provider = PROVIDER
    town.take(call(1, To=number, Digits="9999"))
    town.take(call(2, To=number, Digits="4711#"))
    assert [said.worker for said in town.evidence()] == [None, "w2"]


@pytest.mark.parametrize("digits", ["*#ABCD", "9" * 64, "4711;DROP", "*" * 40])
def test_row_101_digits_that_are_none_are_still_a_call(town: Town, digits: str) -> None:
    """Broken if nonsense on the keypad loses the call or reaches a query."""
    town.take(call(Digits=digits))
    assert len(town.stored()) == 1


def test_row_101_a_shared_number_without_a_pin_is_no_event_yet(town: Town) -> None:
    """Broken if the call that is about to be asked for a PIN counts as nobody's visit."""
    town.ingest._telephony_provider = PROVIDER
    assert town.ingest.take([call(To="+441614960199")]) == ()
    assert town.stored() == ()


@pytest.mark.parametrize("order", [("completed", "ringing"), ("ringing", "completed")])
def test_row_102_webhooks_in_any_order_are_one_event(town: Town, order: tuple[str, str]) -> None:
    """Broken if 'completed' arriving before 'ringing' makes two events or a conflict."""
    for status in order:
        town.take(call(CallStatus=status, CallDuration="0"))
        town.clock.now += timedelta(seconds=1)
    assert [row.verdict for row in town.stored()] == ["stored"]


def test_row_103_a_retry_after_our_answer_was_lost_is_answered_alike(town: Town) -> None:
    """Broken if the gateway's retry is refused: it would ring the worker's visit off."""
    assert town.take(call()).stored == town.take(call()).stored


def test_row_104_a_script_in_the_callers_name_is_not_kept_as_words(town: Town) -> None:
    """Broken if a caller's name reaches a page: only line, number and digits are evidence."""
    town.take(call(CallerName="<script>alert(1)</script>"))
    assert b"script" not in town.stored()[0].payload


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"", "FIELD"),
        (b"From=%2B441614960001", "FIELD"),
        (b"CallSid=CA1", "FIELD"),
        (b"\xff\xfe", "ENCODING"),
        (b"CallSid=%FF", "ENCODING"),
        (b"a=1&a=2", "DUPLICATE"),
        (b"CallSid", "SYNTAX"),
        (b"a=" + b"9" * 20_000, "SIZE"),
    ],
)
def test_a_form_that_cannot_be_read_is_refused(message: bytes, reason: str) -> None:
    """Broken if a malformed webhook raises anything but a refusal."""
    with pytest.raises(Refused) as refusal:
        TELEPHONY.decode(message, SENDER, NINE)
    assert refusal.value.reason == reason


def test_a_call_to_nobodys_number_is_quarantined(town: Town) -> None:
    """Broken if a call that no provider owns is stored under an empty name or lost."""
    town.ingest.take([call(To="+441614960199")])
    assert town.stored() == ()
    assert [row.reason for row in town.quarantined()] == ["FIELD"]
