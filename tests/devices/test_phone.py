"""The reference phone by itself: its outbox survives anything, and what it records follows from clock, ids and random source alone."""

import contextlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.messages import v1
from devices.messages.strict_json import Refused
from devices.messages.v1 import RefusedItem, StoredItem
from devices.phone import Phone
from devices.phone.fallback import Fallback
from devices.phone.outbox import Entry, HeldChallenge, Outbox, OutboxInUseError
from devices.phone.texts import uuid7
from evm.domain.evidence import EventKind, Method
from evm.domain.place import Position
from tests.factories import NINE

HERE = Position(latitude=53.45, longitude=-2.22, accuracy_m=7)


def phone(directory: Path, *, seed: int = 1, **changes: Any) -> Phone:
    values: dict[str, Any] = {
        "directory": directory,
        "provider": "kindly",
        "device": "p1",
        "worker": "w1",
        "host": "127.0.0.1",
        "port": 1,
        "password": "x",
        "clock": lambda: NINE,
        "monotonic_ms": lambda: 1000,
        "rng": random.Random(seed),
    }
    return Phone(**(values | changes))


def entry(number: int, at: datetime = NINE) -> Entry:
    payload = json.dumps({"number": number})
    return Entry(
        event_id=uuid7(at=at, rng=random.Random(number)),
        sequence=number,
        sha256=v1.sha256_hex(payload.encode()),
        captured_at=at.isoformat(),
        payload=payload,
    )


def stored(item: Entry, index: int = 1) -> StoredItem:
    return StoredItem(event_id=item.event_id, sha256=item.sha256, index=index)


def test_events_number_themselves_and_chain_to_the_one_before(tmp_path: Path) -> None:
    """Broken if a missing or rewritten event would not show."""
    one = phone(tmp_path)
    for _ in range(3):
        one.record(EventKind.CHECK_IN, method=Method.NFC, tag="tag-c1")
    one.close()
    lines = [json.loads(line)["e"] for line in (tmp_path / "kindly.p1.outbox").read_text().splitlines()]
    events = [v1.decode_event(line["payload"].encode()) for line in lines]
    assert [event.sequence for event in events] == [1, 2, 3]
    assert [event.previous for event in events] == [None, lines[0]["sha256"], lines[1]["sha256"]]


def test_the_same_clock_and_random_source_record_the_same_bytes(tmp_path: Path) -> None:
    """Broken if a simulation with one seed is not one simulation."""
    texts = []
    for name in ("a", "b"):
        one = phone(tmp_path / name, seed=7)
        one.record(EventKind.CHECK_IN, method=Method.GPS, customer="c1", position=HERE)
        one.record(EventKind.CHECK_OUT, method=Method.GPS, customer="c1", position=HERE)
        one.close()
        texts.append((tmp_path / name / "kindly.p1.outbox").read_bytes())
    assert texts[0] == texts[1]


def test_a_position_is_kept_at_check_in_and_check_out_only(tmp_path: Path) -> None:
    """Broken if a worker is tracked by every note they write."""
    one = phone(tmp_path)
    one.record(EventKind.NOTE, words="hello", position=HERE)
    one.record(EventKind.CHECK_IN, customer="c1", method=Method.GPS, position=HERE)
    one.close()
    note, check_in = ((json.loads(line)["e"]) for line in (tmp_path / "kindly.p1.outbox").read_text().splitlines())
    assert note["position"] is None
    assert "53.45" not in check_in["payload"]
    digest = json.loads(check_in["payload"])["position_digest"]
    assert v1.decode_position(check_in["position"], digest=digest).lat == 53.45


def test_what_no_server_would_take_is_not_recorded(tmp_path: Path) -> None:
    """Broken if a bad event enters the chain and leaves a gap that never closes."""
    one = phone(tmp_path)
    with pytest.raises(Refused):
        one.record(EventKind.CHECK_IN, customer="c1", tag="tag-c1")
    one.record(EventKind.CHECK_IN, customer="c1")
    assert one.outbox_size == 1
    one.close()
    assert json.loads((tmp_path / "kindly.p1.outbox").read_text())["e"]["sequence"] == 1


@pytest.mark.parametrize("latitude", [91.0, float("nan"), float("inf")])
def test_a_position_that_is_none_does_not_cost_the_check_in(tmp_path: Path, latitude: float) -> None:
    """Broken if a phone's broken GPS keeps its worker from checking in."""
    one = phone(tmp_path)
    nowhere = Position(latitude=latitude, longitude=-2.22, accuracy_m=7)
    one.record(EventKind.CHECK_IN, method=Method.GPS, customer="c1", position=nowhere)
    one.close()
    kept = json.loads((tmp_path / "kindly.p1.outbox").read_text())["e"]
    assert kept["position"] is None
    assert "position_digest" not in kept["payload"]


def test_words_that_no_server_would_take_are_refused_with_a_reason(tmp_path: Path) -> None:
    """Broken if odd words crash the app instead of being refused."""
    one = phone(tmp_path)
    for words in ("half \ud800 pair", "nul \x00", ""):
        with pytest.raises(Refused):
            one.record(EventKind.NOTE, words=words)
    assert one.outbox_size == 0
    one.close()


def test_ids_are_uuids_of_version_7_in_order_of_time() -> None:
    """Broken if ids do not sort by capture, or are no UUIDs."""
    rng = random.Random(3)
    ids = [uuid7(at=NINE + timedelta(milliseconds=n), rng=rng) for n in range(50)]
    assert ids == sorted(ids)
    assert {text[14] for text in ids} == {"7"}
    assert {text[19] for text in ids} <= set("89ab")


def test_a_random_source_started_anew_does_not_repeat_an_id(tmp_path: Path) -> None:
    """Broken if a phone that starts twice within a millisecond overwrites its own event."""
    ids = []
    for _ in range(2):
        one = phone(tmp_path, seed=5, boot_id="boot")
        ids.append(one.record(EventKind.HEARTBEAT))
        one.close()
    assert len(set(ids)) == 2


def test_a_torn_last_line_is_cut_off_and_the_rest_kept(tmp_path: Path) -> None:
    """Broken if a kill in mid-write makes the outbox unreadable."""
    path = tmp_path / "outbox"
    box = Outbox(path=path)
    for number in (1, 2):
        box.append(entry(number))
    box.close()
    whole = path.read_bytes()
    second = whole.index(b"\n") + 1
    for cut in range(second, len(whole)):
        path.write_bytes(whole[:cut])
        box = Outbox(path=path)
        assert list(box.pending) == [entry(1).event_id]
        box.append(entry(2))
        box.close()
        assert path.read_bytes() == whole


def test_receipts_outlive_the_app(tmp_path: Path) -> None:
    """Broken if a phone forgets what was receipted and sends its whole life again."""
    box = Outbox(path=tmp_path / "outbox")
    for number in (1, 2, 3):
        box.append(entry(number))
    box.mark_stored([stored(entry(1))])
    box.mark_refused(RefusedItem(event_id=entry(2).event_id, sha256=entry(2).sha256, reason="TIME"))
    box.hold_challenge(HeldChallenge(challenge="c", monotonic_ms=5, boot_id="b"))
    box.close()
    again = Outbox(path=tmp_path / "outbox")
    assert list(again.pending) == [entry(3).event_id]
    assert list(again.stored) == [entry(1).event_id]
    assert again.refused[entry(2).event_id].reason == "TIME"
    assert again.challenge == HeldChallenge(challenge="c", monotonic_ms=5, boot_id="b")
    again.close()


def test_a_receipt_for_other_bytes_settles_nothing(tmp_path: Path) -> None:
    """Broken if a server's word about another text lets this one be forgotten."""
    box = Outbox(path=tmp_path / "outbox")
    box.append(entry(1))
    foreign = StoredItem(event_id=entry(1).event_id, sha256="0" * 64, index=1)
    assert box.mark_stored([foreign]) == 0
    assert not box.mark_refused(RefusedItem(event_id=entry(1).event_id, sha256="0" * 64, reason="TIME"))
    assert len(box.pending) == 1
    box.close()


def test_a_refusal_of_an_unreadable_message_is_found_by_its_digest(tmp_path: Path) -> None:
    """Broken if a refusal without an id leaves the phone sending for ever."""
    box = Outbox(path=tmp_path / "outbox")
    box.append(entry(1))
    assert box.mark_refused(RefusedItem(sha256=v1.sha256_hex(entry(1).message), reason="SIZE"))
    assert box.pending == {}
    box.close()


def test_receipted_events_stay_35_days_and_then_go(tmp_path: Path) -> None:
    """Broken if a restored server cannot get back what it lost, or a phone's outbox grows for ever."""
    box = Outbox(path=tmp_path / "outbox")
    for number in range(1, 5):
        box.append(entry(number, at=NINE + timedelta(days=number)))
    items = [entry(number, at=NINE + timedelta(days=number)) for number in range(1, 5)]
    box.mark_stored([stored(item) for item in items[:3]])
    assert box.compact(now=NINE + timedelta(days=37)) == 1
    assert [item.sequence for item in box.since(1)] == [2, 3, 4]
    assert list(box.pending) == [items[3].event_id]
    assert box.last_sequence == 4
    assert box.last_sha256 == items[3].sha256
    box.close()


def test_the_chain_goes_on_after_everything_was_forgotten(tmp_path: Path) -> None:
    """Broken if a phone unused for months starts at sequence 1 again: a fork."""
    box = Outbox(path=tmp_path / "outbox")
    box.append(entry(1))
    box.append(entry(2))
    box.mark_stored([stored(entry(1)), stored(entry(2))])
    box.compact(now=NINE + timedelta(days=400))
    assert box.last_sequence == 2
    box.close()


def test_two_processes_cannot_write_one_outbox(tmp_path: Path) -> None:
    """Broken if a second app on the same phone forks its chain."""
    box = Outbox(path=tmp_path / "outbox")
    with pytest.raises(OutboxInUseError):
        Outbox(path=tmp_path / "outbox")
    box.close()


@contextlib.contextmanager
def disk_full_at(size_bytes: int) -> Iterator[None]:
    """No file may grow beyond `size_bytes`: what fits of a write is written, the rest is refused, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_refuses_an_event_whole_and_the_outbox_goes_on_when_there_is_room(tmp_path: Path) -> None:
    """Broken if half a line stays in the file (the next start fails on it), or an event whose saving failed is sent later: a fork."""
    path = tmp_path / "outbox"
    box = Outbox(path=path)
    box.append(entry(1))
    whole = path.read_bytes()
    for room in (0, 1, 40, len(whole) - 1):
        with disk_full_at(len(whole) + room), pytest.raises(OSError, match="File too large"):
            box.append(entry(2))
        assert path.read_bytes() == whole
    assert (list(box.pending), box.last_sequence) == ([entry(1).event_id], 1)
    box.append(entry(2))
    box.mark_stored([stored(entry(1))])
    box.close()
    again = Outbox(path=path)
    assert list(again.pending) == [entry(2).event_id]
    assert [item.sequence for item in again.since(1)] == [1, 2]
    again.close()


def test_an_event_whose_sync_failed_was_not_recorded(tmp_path: Path) -> None:
    """Broken if a worker who was told "not saved" and tried again has checked in twice under one number."""
    failures = iter([OSError("Input/output error")])

    def sync(_: int) -> None:
        for failure in failures:
            raise failure

    one = phone(tmp_path, sync=sync)
    with pytest.raises(OSError, match="Input/output"):
        one.record(EventKind.CHECK_IN, customer="c1")
    second = one.record(EventKind.CHECK_IN, customer="c1")
    assert one.pending_ids == (second,)
    one.close()
    (line,) = (tmp_path / "kindly.p1.outbox").read_text().splitlines()
    assert (json.loads(line)["e"]["event_id"], json.loads(line)["e"]["sequence"]) == (second, 1)


def test_a_phone_without_room_to_tidy_its_outbox_starts_all_the_same(tmp_path: Path) -> None:
    """Broken if a full disk keeps a worker from opening the app, and so from sending what would make room."""
    one = phone(tmp_path)
    one.record(EventKind.CHECK_IN, customer="c1")
    one.record(EventKind.CHECK_OUT, customer="c1")
    first, _ = one._outbox.pending.values()
    one._accept(v1.Receipt(stored=(stored(first),)))
    one.close()
    with disk_full_at(10):
        again = phone(tmp_path, clock=lambda: NINE + timedelta(days=400))
    assert (again.outbox_size, again.stored_count) == (1, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["kindly.p1.outbox"]
    again.close()


def test_a_server_that_answers_nothing_of_ours_is_not_asked_again_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken if a phone on the second way posts the same events in a ring, as fast as the site answers."""
    posts: list[int] = []

    def post(_: Fallback, messages: Sequence[bytes]) -> v1.Receipt:
        posts.append(len(messages))
        assert len(posts) < 5
        return v1.Receipt()

    monkeypatch.setattr(Fallback, "post", post)
    one = phone(tmp_path, fallback_url="http://site.invalid")
    one.record(EventKind.HEARTBEAT)
    one._post()
    assert posts == [1]
    one.close()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(["append", "store", "refuse", "reopen", "compact"]), max_size=30))
def test_any_order_of_events_receipts_and_restarts_keeps_every_event_once(
    tmp_path_factory: pytest.TempPathFactory, acts: list[str]
) -> None:
    """Broken if some order of recording, receipts, restarts and compaction loses or doubles an event."""
    path = tmp_path_factory.mktemp("law") / "outbox"
    box = Outbox(path=path, sync=lambda _: None)
    recorded: list[Entry] = []
    settled: set[str] = set()
    for act in acts:
        waiting = [item for item in recorded if item.event_id not in settled]
        if act == "append":
            recorded.append(entry(len(recorded) + 1))
            box.append(recorded[-1])
        elif act == "store" and waiting:
            box.mark_stored([stored(waiting[0])])
            settled.add(waiting[0].event_id)
        elif act == "refuse" and waiting:
            box.mark_refused(RefusedItem(event_id=waiting[-1].event_id, sha256=waiting[-1].sha256, reason="TIME"))
            settled.add(waiting[-1].event_id)
        elif act == "compact":
            box.compact(now=NINE + timedelta(days=1))
        elif act == "reopen":
            box.close()
            box = Outbox(path=path, sync=lambda _: None)
    assert list(box.pending) == [item.event_id for item in recorded if item.event_id not in settled]
    assert box.last_sequence == len(recorded)
    box.close()


_RECORDER = """
    import random, sys
    from datetime import UTC, datetime
    from pathlib import Path
    from devices.phone import Phone
    from evm.domain.evidence import EventKind
    at = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
    phone = Phone(directory=Path(sys.argv[1]), provider="kindly", device="p1", worker="w1", host="127.0.0.1", port=1, password="x",
                  clock=lambda: at, monotonic_ms=lambda: 1, rng=random.Random())
    while True:
        print(phone.record(EventKind.NOTE, words="n" * random.randrange(1, 900)), flush=True)
"""


def test_a_kill_at_any_instant_loses_no_event_that_was_recorded(tmp_path: Path) -> None:
    """Broken if 'saved on phone' is said before it is true."""
    recorded: list[str] = []
    for attempt in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(_RECORDER), str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        assert process.stdout is not None
        recorded += [process.stdout.readline().strip() for _ in range(5 + 17 * attempt)]
        process.send_signal(signal.SIGKILL)
        recorded.extend(line.strip() for line in process.stdout if line.endswith("\n"))
        process.stdout.close()
        process.wait()
    box = Outbox(path=tmp_path / "kindly.p1.outbox")
    assert set(recorded) <= set(box.pending)
    assert [item.sequence for item in box.since(1)] == list(range(1, box.last_sequence + 1))
    assert box.last_sequence - len(recorded) <= 4
    box.close()


def test_the_monotonic_clock_of_a_receipt_goes_into_the_next_event(tmp_path: Path) -> None:
    """Broken if a challenge is dated by the wall clock, which its owner may set."""
    ticks = iter(range(100, 1000, 100))
    one = phone(tmp_path, monotonic_ms=lambda: next(ticks), boot_id="boot-a")
    one._accept(v1.Receipt(challenge="fresh"))
    one.reboot(boot_id="boot-b")
    one.record(EventKind.HEARTBEAT)
    one.close()
    line = (tmp_path / "kindly.p1.outbox").read_text().splitlines()[1]
    said = json.loads(json.loads(line)["e"]["payload"])
    assert (said["challenge"], said["challenge_monotonic_ms"], said["challenge_boot_id"]) == ("fresh", 100, "boot-a")
    assert (said["monotonic_ms"], said["boot_id"]) == (200, "boot-b")


def test_the_same_question_of_the_server_is_not_answered_again_at_once(tmp_path: Path) -> None:
    """Broken if a gap that cannot close makes phone and server talk for ever."""
    one = phone(tmp_path)
    one.record(EventKind.HEARTBEAT)
    item = next(iter(one._outbox.pending.values()))
    one._accept(v1.Receipt(stored=(stored(item),)))
    assert len(one._asked_again(1)) == 1
    assert one._asked_again(1) == []
    one.close()


def test_nothing_here_reads_the_wall_clock(tmp_path: Path) -> None:
    """Broken if a phone's own clock is not the one it was given."""
    one = phone(tmp_path, clock=lambda: datetime(2030, 1, 1, tzinfo=UTC))
    one.record(EventKind.HEARTBEAT)
    one.close()
    assert "2030-01-01T00:00:00+00:00" in (tmp_path / "kindly.p1.outbox").read_text()
