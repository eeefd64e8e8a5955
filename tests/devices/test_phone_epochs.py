"""What a phone keeps and does when the server's log was restored. Not the server's side, nor any broker (tests/devices/test_restore.py)."""

import json
import random
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from devices.challenges import ChallengeKey
from devices.ingest import Ingest
from devices.messages import v1
from devices.messages.v1 import RefusedItem, StoredItem
from devices.phone import Phone
from devices.phone.fallback import Fallback, envelopes
from devices.phone.outbox import Entry, Outbox
from devices.phone.texts import uuid7
from evm.domain.evidence import EventKind, Grade, Method
from evm.domain.policy import Policy
from evm.domain.visit import Attendance
from evm.services import reconcile
from evm.services.epochs import open_epoch
from evm.store import visits
from evm.store.database import open_engine, session_factory
from tests.databases import MakeDatabase
from tests.devices.conftest import Town, numbered_challenges, seed_town
from tests.devices.wire import received
from tests.factories import NINE


def entry(number: int) -> Entry:
    payload = json.dumps({"number": number})
    return Entry(
        event_id=uuid7(at=NINE, rng=random.Random(number)),
        sequence=number,
        sha256=v1.sha256_hex(payload.encode()),
        captured_at=NINE.isoformat(),
        payload=payload,
    )


def receipt_of(item: Entry, index: int) -> StoredItem:
    return StoredItem(event_id=item.event_id, sha256=item.sha256, index=index)


def outbox(path: Path, count: int = 5) -> Outbox:
    """All receipted but the third, which was refused, and the last, which waits."""
    box = Outbox(path=path)
    for number in range(1, count + 1):
        box.append(entry(number))
    box.mark_stored([receipt_of(entry(n), n) for n in (1, 2, 4)])
    box.mark_refused(RefusedItem(event_id=entry(3).event_id, sha256=entry(3).sha256, reason="AUTH"))
    return box


def numbers(box: Outbox) -> list[int]:
    return [waiting.sequence for waiting in box.pending.values()]


def state(box: Outbox) -> tuple[Any, ...]:
    return numbers(box), dict(box.stored), dict(box.refused), [(o.name, o.resend_from, o.before) for o in box.epochs]


def test_everything_from_the_sequence_that_is_asked_for_waits_again_in_order(tmp_path: Path) -> None:
    """Broken if a restored server does not get what it lost, or gets it after what came later."""
    box = outbox(tmp_path / "box")
    assert numbers(box) == [5]
    box.open_epoch(name="2-aa", resend_from=2)
    assert numbers(box) == [2, 3, 4, 5]
    assert (box.epoch, box.stored_sequence) == ("2-aa", 1)
    box.close()


def test_receipts_of_the_old_epoch_are_kept_and_come_back_with_the_app(tmp_path: Path) -> None:
    """Broken if a phone forgets what a log once said, or, killed in the middle, what it owes the new one."""
    box = outbox(tmp_path / "box")
    box.open_epoch(name="2-aa", resend_from=2)
    box.mark_stored([receipt_of(entry(2), 12)])
    before = state(box)
    box.close()
    again = Outbox(path=tmp_path / "box")
    assert state(again) == before
    assert again.epochs[0].before[entry(2).event_id].index == 2
    assert again.stored[entry(2).event_id].index == 12
    again.close()


def test_tidying_keeps_every_epochs_receipts(tmp_path: Path) -> None:
    """Broken if the first tidying after a restore throws away the proof of what was receipted before it."""
    box = outbox(tmp_path / "box")
    old = entry(6)
    box.append(Entry(**(vars_of(old) | {"captured_at": (NINE - timedelta(days=40)).isoformat()})))
    box.mark_stored([receipt_of(old, 6)])
    box.open_epoch(name="2-aa", resend_from=2)
    box.open_epoch(name="3-bb", resend_from=4)
    box.mark_stored([receipt_of(entry(4), 40), receipt_of(old, 60)])
    before = state(box)
    assert box.compact(now=NINE) == 1
    waiting, stored, refused, epochs = state(box)
    gone = old.event_id
    assert (waiting, refused) == (before[0], before[2])
    assert stored == {key: item for key, item in before[1].items() if key != gone}
    assert epochs == [
        (name, start, {key: item for key, item in kept.items() if key != gone}) for name, start, kept in before[3]
    ]
    box.close()


def vars_of(item: Entry) -> dict[str, Any]:
    return {name: getattr(item, name) for name in Entry.__slots__}


def test_the_word_of_an_epoch_that_has_ended_settles_nothing(tmp_path: Path) -> None:
    """Broken if a receipt that was still under way when the log was lost lets the phone forget the event that the log lost."""
    box = outbox(tmp_path / "box")
    assert not box.has_ended(None)
    box.open_epoch(name="2-aa", resend_from=1)
    box.open_epoch(name="3-bb", resend_from=1)
    assert [box.has_ended(name) for name in (None, "2-aa", "3-bb", "4-cc")] == [True, True, False, False]
    box.close()


def test_a_disk_that_is_full_leaves_the_epoch_unknown_so_that_it_is_asked_again(tmp_path: Path) -> None:
    """Broken if a phone says that it knows the new epoch and has forgotten what it owes it."""
    box = outbox(tmp_path / "box")
    before = state(box)

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    box._sync = full
    with pytest.raises(OSError, match="No space"):
        box.open_epoch(name="2-aa", resend_from=1)
    assert state(box) == before
    box.close()


@pytest.mark.database("sqlite")
def test_a_phone_that_only_has_http_sends_again_what_a_restore_lost(
    town: Town, make_database: MakeDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken if a phone behind a network that lets no MQTT through is never asked, and its day stays lost."""
    where = town

    def post(_self: Fallback, messages: Sequence[bytes]) -> v1.Receipt:
        body = b"[" + b",".join(messages) + b"]"
        batch = [received(message, channel="http", topic="") for message in envelopes(body)]
        return where.take(*batch)

    monkeypatch.setattr(Fallback, "post", post)
    phone = Phone(
        directory=tmp_path,
        provider="kindly",
        device="p1",
        worker="w1",
        host="127.0.0.1",
        port=1,
        password="x",
        clock=lambda: NINE,
        monotonic_ms=lambda: 1000,
        rng=random.Random(1),
        fallback_url="https://visits.example.org",
    )
    phone._network.start()
    for number in range(60):
        phone.record(EventKind.NOTE, words=f"note {number}")
    while phone.post_pending():
        pass
    engine = open_engine(url=make_database())
    with session_factory(engine).begin() as session:
        seed_town(session)
        open_epoch(session, now=NINE, token="aa")
    restored = session_factory(engine)
    ingest = Ingest(sessions=restored, clock=town.clock, policy=Policy(), new_challenge=numbered_challenges())
    where = Town(sessions=restored, clock=town.clock, ingest=ingest)
    phone.record(EventKind.NOTE, words="one more")
    while phone.post_pending():
        pass
    assert len({row.evidence.event_id for row in where.stored()}) == len(where.stored()) == 61
    assert phone.stored_count == 61
    phone.close()
    engine.dispose()


def test_visits_minutes_and_grades_are_the_same_after_the_phone_has_sent_again(
    town: Town, make_database: MakeDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken if a restore costs a care worker minutes that were proved, because the server heard of them again only in the evening."""
    where = town

    def post(_self: Fallback, messages: Sequence[bytes]) -> v1.Receipt:
        body = b"[" + b",".join(messages) + b"]"
        return where.take(*(received(message, channel="http", topic="") for message in envelopes(body)))

    monkeypatch.setattr(Fallback, "post", post)
    key = ChallengeKey.of(password="the same after a restore")
    clock = town.clock
    where.ingest = ingest_of(where, key)
    phone = Phone(
        directory=tmp_path,
        provider="kindly",
        device="p1",
        worker="w1",
        host="127.0.0.1",
        port=1,
        password="x",
        clock=clock,
        monotonic_ms=lambda: int((clock.now - NINE).total_seconds() * 1000),
        rng=random.Random(1),
        boot_id="boot-1",
        fallback_url="https://visits.example.org",
    )
    phone._network.start()
    day: list[tuple[int, EventKind, str | None]] = [
        (0, EventKind.HEARTBEAT, None),
        (5, EventKind.CHECK_IN, "tag-c1"),
        (35, EventKind.CHECK_OUT, "tag-c1"),
        (50, EventKind.CHECK_IN, "tag-c2"),
        (80, EventKind.CHECK_OUT, "tag-c2"),
    ]
    for minute, kind, tag in day:
        clock.now = NINE + timedelta(minutes=minute)
        phone.record(kind, method=Method.NFC if tag else Method.MANUAL, tag=tag)
        phone.post_pending()
    whole = attendances(where)
    assert [(a.payable_seconds, a.grade_time) for a in whole] == [(1800, Grade.A), (1800, Grade.A)]
    engine = open_engine(url=make_database())
    with session_factory(engine).begin() as session:
        seed_town(session)
        open_epoch(session, now=clock.now, token="aa")
    restored = session_factory(engine)
    where = Town(sessions=restored, clock=clock, ingest=town.ingest)
    where.ingest = ingest_of(where, key)
    clock.now = NINE + timedelta(hours=9)
    phone.record(EventKind.HEARTBEAT)
    while phone.post_pending():
        pass
    assert attendances(where) == whole
    phone.close()
    engine.dispose()


def ingest_of(town: Town, key: ChallengeKey) -> Ingest:
    return Ingest(
        sessions=town.sessions,
        clock=town.clock,
        policy=Policy(),
        new_challenge=numbered_challenges(),
        challenge_key=key,
    )


def attendances(town: Town) -> list[Attendance]:
    """What the day's evidence comes to, in order of time."""
    with town.sessions.begin() as session:
        while reconcile.run_pending(session, now=town.clock.now, policy=Policy()):
            pass
    with town.sessions() as session:
        found = visits.newest(session, since_day=NINE.date(), until_day=NINE.date() + timedelta(days=1))
    slots = [slot.attendance for visit in found for slot in visit.slots if slot.attendance is not None]
    return sorted(slots, key=lambda one: str(one.start))
