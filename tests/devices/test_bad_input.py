"""Rows 1 to 37 of the bad-input table at ingest: what comes in broken is kept whole in quarantine and refused with a reason; what is merely
suspicious is kept, graded and flagged. Signatures and the chain (16, 19, 20) are another issue's."""

import json
from datetime import timedelta

import pytest

from devices.ingest import Received
from evm.domain.evidence import EventKind, Grade
from evm.domain.finding import FindingCode
from tests.devices.conftest import Town
from tests.devices.wire import digest, envelope, event, located, position, received
from tests.factories import NINE, PROVIDER


def refused(town: Town, message: bytes, reason: str, **changes: object) -> None:
    """The message is refused with `reason`, kept to the byte, and nothing is stored."""
    receipt = town.take(received(message, **changes))
    assert [item.reason for item in receipt.refused] == [reason]
    assert receipt.stored == ()
    assert town.stored() == ()
    assert [row.message for row in town.quarantined()] == [message]
    assert town.quarantined()[0].reason == reason


def payload_refused(town: Town, payload: str, reason: str) -> None:
    """The same of an event inside a sound envelope: the refusal names the payload's own digest."""
    refused(town, envelope(payload), reason)
    assert town.replies[-1].receipt.refused[0].sha256 == digest(payload)


def test_row_01_an_empty_payload_is_quarantined(town: Town) -> None:
    """Broken if an empty message crashes decoding or vanishes."""
    refused(town, b"", "EMPTY")


def test_row_01_an_empty_event_in_an_envelope_is_quarantined(town: Town) -> None:
    """Broken if only the outer message is looked at."""
    payload_refused(town, "", "EMPTY")


@pytest.mark.parametrize(
    "message", [b"\x07\x9f\xff\x01binary", b'{"payload": "{\\"v\\": 1', b"not json", b"[1, 2]", b'"text"', b"7"]
)
def test_row_02_binary_and_truncated_json_are_quarantined(town: Town, message: bytes) -> None:
    """Broken if a message that is no JSON object stops the batch or is dropped."""
    receipt = town.take(received(message))
    assert receipt.refused[0].reason in {"SYNTAX", "ENCODING"}
    assert town.quarantined()[0].message == message


def test_row_03_trailing_data_is_quarantined(town: Town) -> None:
    """Broken if the first of two JSON texts is taken for the message."""
    refused(town, envelope(event()) + b"{}", "SYNTAX")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_row_04_a_byte_order_mark_or_utf_16_is_quarantined(town: Town, encoding: str) -> None:
    """Broken if json.loads' guessing of encodings decides what was said: two texts would hash alike."""
    refused(town, envelope(event()).decode().encode(encoding), "ENCODING")


def test_row_05_invalid_utf_8_is_quarantined(town: Town) -> None:
    """Broken if bytes are replaced and the text no longer is what was sent."""
    refused(town, envelope(event(words="caf\u00e9")).replace(b"\\\\u00e9", b"\xe9"), "ENCODING")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e400"])
def test_row_06_numbers_that_are_none_are_quarantined(town: Town, number: str) -> None:
    """Broken if NaN passes for a position: it compares false with every radius."""
    fix = position().replace("8.5", number)
    refused(
        town,
        envelope(event(method="gps", tag=None, customer="c1", position_digest=digest(fix)), position=fix),
        "NUMBER",
    )


def test_row_06_nan_in_an_event_is_quarantined(town: Town) -> None:
    """Broken if the event's own numbers are read laxly."""
    payload_refused(town, json.dumps(event(monotonic_ms=float("nan"))), "NUMBER")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[" * 30 + "]" * 30])
def test_row_07_deep_nesting_is_quarantined(town: Town, text: str) -> None:
    """Broken if the parser recurses before depth is counted: RecursionError takes the process down."""
    receipt = town.take(received(text.encode()))
    assert receipt.refused[0].reason in {"DEPTH", "SIZE"}


def test_row_07_brackets_in_a_string_are_no_depth(town: Town) -> None:
    """Broken if a note of brackets is refused as nested."""
    receipt = town.take(received(envelope(event(kind="note", words='[[[[{{{{"[[[['))))
    assert len(receipt.stored) == 1


def test_row_08_a_5000_digit_integer_is_quarantined(town: Town) -> None:
    """Broken if int() of a monster raises ValueError past the decoder."""
    payload_refused(
        town, json.dumps(event()).replace('"monotonic_ms": 1000', '"monotonic_ms": ' + "9" * 5000), "NUMBER"
    )


@pytest.mark.parametrize(
    "sequence", ["9223372036854775808", "4611686018427387905", "0", "-1", "true", '"1"', "1.0", "null"]
)
def test_row_09_a_sequence_that_is_no_integer_in_range_is_quarantined(town: Town, sequence: str) -> None:
    """Broken if a lax number reaches the database: OverflowError, or two spellings of one event."""
    payload_refused(
        town, json.dumps(event(sequence=777)).replace('"sequence": 777', f'"sequence": {sequence}'), "NUMBER"
    )


@pytest.mark.parametrize("sequence", [1, 2**62])
def test_row_09_the_ends_of_the_range_are_stored(town: Town, sequence: int) -> None:
    """Broken if the limit is off by one."""
    assert len(town.take(received(envelope(event(sequence=sequence)))).stored) == 1


def test_row_10_duplicate_keys_are_quarantined(town: Town) -> None:
    """Broken if the last of two values silently wins: a signature would cover a text with two meanings."""
    payload_refused(town, json.dumps(event())[:-1] + ', "worker": "w2"}', "DUPLICATE")


@pytest.mark.parametrize("text", ["\\ud800", "a\\udfffb"])
def test_row_11_half_a_surrogate_pair_is_quarantined(town: Town, text: str) -> None:
    """Broken if a string that no encoder can write reaches the store."""
    payload_refused(town, json.dumps(event(words="MARK")).replace("MARK", text), "ENCODING")


@pytest.mark.parametrize("name", ["words", "boot_id", "worker"])
def test_row_12_nul_in_a_string_is_quarantined(town: Town, name: str) -> None:
    """Broken if NUL reaches a text column: SQLite cuts it short and PostgreSQL fails the whole batch."""
    payload_refused(town, json.dumps(event(**{name: "a\x00b"})), "ENCODING")


def test_row_13_an_unknown_key_is_quarantined_as_version(town: Town) -> None:
    """Broken if what a newer phone says is half understood."""
    payload_refused(town, json.dumps(event(mood="good")), "VERSION")


@pytest.mark.parametrize("version", [0, 2, 99, True, "1", 1.0])
def test_row_13_another_version_is_quarantined_and_kept_for_replay(town: Town, version: object) -> None:
    """Broken if version 99 is read as version 1."""
    payload_refused(town, json.dumps(event(v=version)), "VERSION")


def test_row_14_the_same_event_again_gets_the_original_receipt(town: Town) -> None:
    """Broken if a re-sending phone makes a second event or waits for ever."""
    message = envelope(event())
    first = town.take(received(message)).stored
    town.clock.now += timedelta(days=400)
    assert town.take(received(message), received(message)).stored == first + first
    assert len(town.stored()) == 1


def test_row_15_the_same_id_with_another_body_is_a_conflict(town: Town) -> None:
    """Broken if either body is lost, or the second pays as if nothing were wrong."""
    said = event()
    town.take(received(envelope(said)))
    receipt = town.take(received(envelope(said | {"captured_at": (NINE - timedelta(minutes=30)).isoformat()})))
    assert len(receipt.stored) == 1
    rows = town.stored()
    assert [row.verdict for row in rows] == ["stored", "conflict"]
    assert FindingCode.CONFLICTING_EVENTS in rows[1].evidence.flags
    assert rows[1].evidence.waits


@pytest.mark.parametrize("change", [{"device": "p2"}, {"provider": "other"}])
def test_row_17_a_body_of_another_device_is_a_security_event(town: Town, change: dict[str, str]) -> None:
    """Broken if one credential can speak for another."""
    refused(town, envelope(event(**change)), "TOPIC")
    assert town.quarantined()[0].security


def test_row_17_a_device_nobody_enrolled_is_a_security_event(town: Town) -> None:
    """Broken if a topic is enough to be believed."""
    refused(town, envelope(event(device="p9")), "AUTH", device="p9", topic=f"popback/v1/{PROVIDER}/p9/event")
    assert town.quarantined()[0].security


def test_row_17_a_revoked_device_is_a_security_event(town: Town) -> None:
    """Broken if a revoked phone goes on counting until its connection ends."""
    refused(town, envelope(event(device="old")), "AUTH", device="old", topic=f"popback/v1/{PROVIDER}/old/event")
    assert town.quarantined()[0].security


def test_row_18_a_gap_is_accepted_and_asked_for(town: Town) -> None:
    """Broken if events behind a gap are refused, or the gap is forgotten."""
    town.take(received(envelope(event(sequence=1))))
    receipt = town.take(received(envelope(event(sequence=5))))
    assert len(receipt.stored) == 1
    assert receipt.resend_from == 2
    filled = town.take(*(received(envelope(event(sequence=n))) for n in (4, 2, 3)))
    assert filled.resend_from is None


def test_row_21_a_time_more_than_five_minutes_ahead_is_kept_at_grade_d(town: Town) -> None:
    """Broken if a clock set forward gains time, or its events are thrown away."""
    town.take(received(envelope(event(captured_at=(town.clock.now + timedelta(minutes=6)).isoformat()))))
    (said,) = town.evidence()
    assert said.grade_time is Grade.D


@pytest.mark.parametrize(
    "moment", ["1970-01-01T00:00:00Z", "1970-01-21T12:00:00Z", "2019-12-31T23:59:59Z", "2100-01-01T00:00:00Z"]
)
def test_row_22_a_clock_never_set_is_quarantined(town: Town, moment: str) -> None:
    """Broken if seconds taken for milliseconds make a visit in 1970."""
    payload_refused(town, json.dumps(event(captured_at=moment)), "TIME")


@pytest.mark.parametrize("moment", ["2026-11-02T09:00:00", "2026-11-02 09:00:00Z", "2026-11-02T09:00Z", "2026-11-02"])
def test_row_23_a_local_time_without_offset_is_quarantined(town: Town, moment: str) -> None:
    """Broken if somebody's local time is guessed to be ours."""
    payload_refused(town, json.dumps(event(captured_at=moment)), "TIME")


@pytest.mark.parametrize(
    "moment",
    [
        "2026-11-02T09:00:00+25:00",
        "2026-11-02T09:00:60Z",
        "2026-11-02T24:00:00Z",
        "9999-12-31T23:59:59+00:00",
        "2026-W10-3",
        "2026-W10-3T09:00:00Z",
        "2026-02-30T09:00:00Z",
        "20261102T090000Z",
        "2026-11-02T09:00:00+00:00\n",
        "",
    ],
)
def test_row_24_times_that_only_a_lax_parser_takes_are_quarantined(town: Town, moment: str) -> None:
    """Broken if datetime.fromisoformat decides what an instant is."""
    payload_refused(town, json.dumps(event(captured_at=moment)), "TIME")


def test_row_24_any_offset_is_the_same_instant(town: Town) -> None:
    """Broken if the night the clocks go back gives an hour twice."""
    town.take(
        received(envelope(event(captured_at="2026-10-25T01:30:00+01:00"))),
        received(envelope(event(captured_at="2026-10-25T01:30:00Z"))),
    )
    first, second = town.evidence()
    assert second.at - first.at == timedelta(hours=1)


def test_row_25_an_event_nine_days_old_is_kept(town: Town) -> None:
    """Broken if an outbox that comes home late is refused."""
    receipt = town.take(received(envelope(event(captured_at=(NINE - timedelta(days=9)).isoformat()))))
    assert len(receipt.stored) == 1
    assert town.evidence()[0].at == NINE - timedelta(days=9)


def test_row_26_out_before_in_and_double_events_are_all_kept(town: Town) -> None:
    """Broken if ingest judges what only reconciliation can: here everything is kept."""
    kinds = ("check_out", "check_in", "check_in", "check_out", "check_out")
    receipt = town.take(*(received(envelope(event(kind=kind))) for kind in kinds))
    assert len(receipt.stored) == 5


def test_row_27_checking_in_elsewhere_without_checking_out_is_kept(town: Town) -> None:
    """Broken if a forgotten check-out blocks the next visit."""
    later = (NINE + timedelta(seconds=3)).isoformat()
    receipt = town.take(received(envelope(event())), received(envelope(event(tag="tag-c2", captured_at=later))))
    assert len(receipt.stored) == 2
    assert [said.customer for said in town.evidence()] == ["c1", "c2"]


def test_row_28_an_unknown_visit_and_an_unassigned_worker_are_recorded(town: Town) -> None:
    """Broken if a worker at the door is turned away because the plan is wrong."""
    receipt = town.take(received(envelope(event(visit="v-unknown"))))
    assert len(receipt.stored) == 1
    assert (town.evidence()[0].customer, town.evidence()[0].visit) == ("c1", None)


@pytest.mark.parametrize(
    ("change", "grade"),
    [
        ({"lat": 0.0, "lon": 0.0}, Grade.C),
        ({"mock": True}, Grade.D),
    ],
)
def test_row_29_a_doubtful_position_is_kept_and_graded_down(
    town: Town, change: dict[str, object], grade: Grade
) -> None:
    """Broken if a mocked or foreign fix proves presence."""
    town.take(received(located(position(**change))))
    assert town.evidence()[0].grade_place is grade


@pytest.mark.parametrize("accuracy", [-1.0, 1e6])
def test_row_29_an_accuracy_that_cannot_be_is_kept(town: Town, accuracy: float) -> None:
    """Broken if a phone's nonsense about its own accuracy loses a visit."""
    receipt = town.take(received(located(position(accuracy_m=accuracy))))
    assert len(receipt.stored) == 1


@pytest.mark.parametrize("change", [{"lat": 91.0}, {"lat": -90.001}, {"lon": 180.5}])
def test_row_29_degrees_beyond_the_globe_are_quarantined(town: Town, change: dict[str, float]) -> None:
    """Broken if latitude 91 reaches a distance formula."""
    refused(town, located(position(**change)), "NUMBER")


def test_row_30_the_same_fix_again_is_flagged_as_a_replay(town: Town) -> None:
    """Broken if a recorded position proves presence day after day."""
    fix = position()
    town.take(received(located(fix)))
    town.clock.now += timedelta(days=1)
    town.take(received(located(fix, captured_at=(NINE + timedelta(days=1)).isoformat())))
    first, second = town.evidence()
    assert FindingCode.REPLAYED_FIX not in first.flags
    assert FindingCode.REPLAYED_FIX in second.flags


def test_row_31_an_event_of_8_kib_and_one_byte_is_refused_with_a_reason(town: Town) -> None:
    """Broken if the limit cuts the phone off without a word."""
    text = json.dumps(event(kind="note"))
    payload_refused(town, text + " " * (8 * 1024 + 1 - len(text)), "SIZE")


def test_row_31_an_event_of_8_kib_is_stored(town: Town) -> None:
    """Broken if the limit is off by one."""
    text = json.dumps(event(kind="note"))
    assert len(town.take(received(envelope(text + " " * (8 * 1024 - len(text))))).stored) == 1


def test_row_32_a_retained_copy_is_not_an_event(town: Town) -> None:
    """Broken if an old check-in happens again at each reconnection; and no refusal may go out: the original may be on its way."""
    copy = received(envelope(event()), retained=True)
    assert town.ingest.take([copy]) == town.ingest.take([copy]) == ()
    assert town.stored() == ()
    assert [row.reason for row in town.quarantined()] == ["RETAINED"]


def test_row_35_qos_0_is_stored_and_the_client_flagged(town: Town) -> None:
    """Broken if a client that may lose events unnoticed is not known as one."""
    assert len(town.take(received(envelope(event()), qos=0)).stored) == 1
    assert town.stored()[0].body["qos0"] is True


@pytest.mark.parametrize(
    "message", [b"\x1f\x8b\x08" + b"\xff" * 500, bytes([0xA2, 0x61, 0x76, 0x01, 0x61, 0x70, 0x60])]
)
def test_row_37_gzip_and_cbor_are_quarantined_unopened(town: Town, message: bytes) -> None:
    """Broken if anything is unpacked before it is known to be ours."""
    receipt = town.take(received(message))
    assert receipt.refused[0].reason in {"ENCODING", "SYNTAX"}


def test_a_position_that_is_not_the_one_named_is_quarantined(town: Town) -> None:
    """Broken if a position can be exchanged under an event."""
    refused(town, envelope(event(position_digest=digest(position())), position=position(lat=53.4)), "POSITION")


def test_a_batch_goes_on_behind_poison(town: Town) -> None:
    """Broken if one bad message holds up the good ones behind it (fault 28)."""
    poison = [b"", b"\xff", b"{}{}", envelope(event(mood="x")), ("[" * 99).encode()]
    good = [envelope(event()) for _ in range(3)]
    receipt = town.take(*(received(message) for message in [*poison, *good]))
    assert (len(receipt.refused), len(receipt.stored)) == (5, 3)


def test_a_message_the_server_itself_stumbles_over_blocks_no_other(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken if a bug of ours in one message keeps every other phone's events out."""
    real = town.ingest._read_all

    def stumble(session, batch, now, read):  # type: ignore[no-untyped-def]
        if any(b"stumble" in r.message for r in batch):
            raise ZeroDivisionError
        real(session, batch, now, read)

    monkeypatch.setattr(town.ingest, "_read_all", stumble)
    receipt = town.take(
        received(envelope(event())), received(envelope(event(words="stumble"))), received(envelope(event()))
    )
    assert (len(receipt.stored), len(receipt.refused)) == (2, 1)
    assert len(town.stored()) == 2
    assert [row.reason for row in town.quarantined()] == ["INTERNAL"]


def test_shuffled_and_fivefold_arrival_is_one_row_each(town: Town) -> None:
    """Broken if order or repetition changes what is stored (fault 29)."""
    messages = [envelope(event(sequence=n)) for n in range(1, 21)]
    flood = [messages[(i * 7) % 20] for i in range(100)]
    for start in range(0, 100, 9):
        town.ingest.take([received(message) for message in flood[start : start + 9]])
    assert sorted(row.sequence or 0 for row in town.stored()) == list(range(1, 21))


def test_the_batch_goes_to_several_devices_with_one_receipt_each(town: Town) -> None:
    """Broken if one device is told of another's events."""
    batch: list[Received] = [
        received(envelope(event())),
        received(envelope(event(device="p2", worker="w2")), device="p2", topic=f"popback/v1/{PROVIDER}/p2/event"),
        received(envelope(event())),
    ]
    replies = {reply.device: reply.receipt for reply in town.ingest.take(batch)}
    assert {device: len(receipt.stored) for device, receipt in replies.items()} == {"p1": 2, "p2": 1}


def test_a_fresh_challenge_comes_with_the_first_receipt_and_again_when_it_has_aged(town: Town) -> None:
    """Broken if a phone has no recent challenge to prove its clock by when it goes offline."""
    said = [town.take(received(envelope(event()))).challenge]
    said.append(town.take(received(envelope(event()))).challenge)
    town.clock.now += timedelta(seconds=31)
    said.append(town.take(received(envelope(event()))).challenge)
    assert said == ["challenge-1", None, "challenge-2"]


def test_a_challenge_makes_an_offline_event_grade_a(town: Town) -> None:
    """Broken if honest events from a house without signal cannot be trusted."""
    challenge = town.take(received(envelope(event()))).challenge
    town.clock.now += timedelta(hours=3)
    offline = event(
        captured_at=(NINE + timedelta(seconds=5, hours=1)).isoformat(),
        monotonic_ms=1000 + 3_600_000,
        challenge=challenge,
        challenge_monotonic_ms=1000,
        challenge_boot_id="boot-1",
    )
    town.take(received(envelope(offline)))
    assert town.evidence()[1].grade_time is Grade.A
    assert town.evidence()[1].kind is EventKind.CHECK_IN
