"""A server restored from an older copy gets back from its phones what it lost: the same set of events, the same times proved, nothing twice.
Not the backup itself (tests/api/test_backup.py)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from api.parts import new_challenge
from devices import downlink, identity
from devices.challenges import ChallengeKey
from devices.ingest import Ingest
from evm.domain.evidence import EventKind, Grade, Method
from evm.domain.policy import Policy
from evm.services.epochs import open_epoch
from evm.store import outbox
from evm.store.database import open_engine, session_factory
from evm.store.epochs import current, log_digest
from tests.databases import MakeDatabase
from tests.devices.brokers import KINDS, Site, enrol_all, eventually, need_mosquitto, now
from tests.devices.conftest import Town, numbered_challenges, seed_town
from tests.devices.wire import at, envelope, event, received
from tests.factories import NINE, PROVIDER

KEY = ChallengeKey.of(password="correct horse")
Events = set[tuple[str, str]]


@dataclass
class World:
    """A site whose database can be copied and taken back to the copy."""

    site: Site
    make: MakeDatabase
    url: str
    engines: list[Engine]

    def start(self) -> None:
        town = self.site.town
        self.site.ingest = Ingest(
            sessions=town.sessions, clock=now, policy=Policy(), new_challenge=new_challenge, challenge_key=KEY
        )
        if self.site.broker is None:
            self.site.start_broker()
        self.site.start_ingest()

    def copy(self) -> str:
        """What a backup would hold now; the server is down meanwhile, for a PostgreSQL template may not be in use."""
        self.stop()
        copied = self.make(like=self.url)
        self.start()
        return copied

    def stop(self) -> None:
        self.site.stop_ingest()
        if self.site.kind == "embedded":
            self.site.stop_broker()
        for engine in self.engines:
            engine.dispose()

    def restore(self, copied: str, token: str = "aa") -> None:
        """The database is gone; the copy takes its place, and a new epoch opens."""
        self.stop()
        self.engines.append(open_engine(url=copied))
        self.site.town.sessions = session_factory(self.engines[-1])
        with self.site.town.sessions.begin() as session:
            open_epoch(session, now=now(), token=token)
        self.start()

    def ask(self) -> int:
        """The standing job that sends questions down, once."""
        client = self.site.client
        assert client is not None
        with self.site.town.sessions.begin() as session:
            return downlink.drain(session, now=now(), publish=client.publish)

    def events(self) -> Events:
        rows = self.site.stored()
        found = {(row.evidence.event_id, row.evidence.sha256) for row in rows}
        assert len(found) == len(rows)
        return found


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, make_database: MakeDatabase, tmp_path: Path) -> Iterator[World]:
    if request.param == "mosquitto":
        need_mosquitto()
    url = make_database()
    engine = open_engine(url=url)
    sessions = session_factory(engine)
    with sessions.begin() as session:
        seed_town(session)
    ingest = Ingest(sessions=sessions, clock=now, policy=Policy(), new_challenge=new_challenge, challenge_key=KEY)
    town = Town(sessions=sessions, clock=None, ingest=ingest)  # type: ignore[arg-type]  # phones and ingest use the real one
    enrol_all(town)
    engines = [engine]
    with Site(kind=request.param, town=town, directory=tmp_path) as site:
        made = World(site=site, make=make_database, url=url, engines=engines)
        made.start()
        yield made
    for one in engines:
        one.dispose()


def test_phones_send_again_what_a_restore_lost_and_the_set_of_events_is_identical(world: World) -> None:
    """Broken if a restore from last night's backup costs a day's evidence, or doubles some of it, or the time that a phone had proved."""
    one, two = world.site.phone(), world.site.phone("p2", "w2")
    one.connect()
    two.connect()
    for number in range(5):
        one.record(EventKind.NOTE, words=f"before {number}")
    assert one.wait_receipts(timeout_seconds=15)
    copied = world.copy()
    for number in range(70):  # more than are in flight at once
        one.record(EventKind.NOTE, words=f"after {number}")
    two.record(
        EventKind.CHECK_IN, method=Method.NFC, tag="tag-c2"
    )  # its first event ever: the copy knows nothing of it
    assert one.wait_receipts(timeout_seconds=15)
    assert two.wait_receipts(timeout_seconds=15)
    whole = world.events()
    assert len(whole) == 76
    world.restore(copied)
    lost = len(whole - world.events())
    assert lost > 0 or world.ask() > 0
    world.ask()
    assert eventually(lambda: world.events() == whole)
    assert one.wait_receipts(timeout_seconds=15)
    assert two.wait_receipts(timeout_seconds=15)
    assert one.stored_count == 75


def test_a_phone_that_was_away_is_asked_when_it_comes_and_has_nothing_new_to_say(world: World) -> None:
    """Broken if a phone that is switched on after the restore, and stays silent, keeps what only it still has."""
    phone = world.site.phone()
    phone.connect()
    copied = world.copy()
    for number in range(3):
        phone.record(EventKind.NOTE, words=f"after {number}")
    assert phone.wait_receipts(timeout_seconds=15)
    whole = world.events()
    phone.close()
    world.site.phones.clear()
    world.restore(copied)
    assert world.events() == set()
    again = world.site.phone()
    again.connect()
    assert eventually(lambda: world.events() == whole)
    assert again.wait_receipts(timeout_seconds=15)


def test_a_second_restore_of_the_same_backup_is_another_epoch(world: World) -> None:
    """Broken if two restores of one backup look the same to a phone: it would think that it has sent everything already."""
    phone = world.site.phone()
    phone.connect()
    copied = world.copy()
    phone.record(EventKind.NOTE, words="after")
    assert phone.wait_receipts(timeout_seconds=15)
    whole = world.events()
    again = world.make(like=copied)
    for token, copy in (("aa", copied), ("bb", again)):
        world.restore(copy, token)
        world.ask()
        assert eventually(lambda: world.events() == whole)


def test_a_phone_enrolled_after_the_backup_sends_everything_once_it_is_enrolled_again(world: World) -> None:
    """Broken if what an unknown phone was refused after a restore stays refused when it is known again."""
    copied = world.copy()
    enrol(world, "p3")
    phone = world.site.phone("p3", "w1")
    phone.connect()
    phone.record(EventKind.NOTE, words="one")
    assert phone.wait_receipts(timeout_seconds=15)
    whole = world.events()
    world.restore(copied)
    phone.record(EventKind.NOTE, words="two")
    if (
        world.site.kind == "mosquitto"
    ):  # its file of passwords is as it was: the phone gets in, and ingest refuses what it says
        assert eventually(lambda: len(phone.refused) == 1)
    enrol(world, "p3")
    assert phone.wait_connected(timeout_seconds=15)
    phone.record(EventKind.NOTE, words="three")
    assert eventually(lambda: len(world.events()) == 3 and whole <= world.events())
    assert phone.wait_receipts(timeout_seconds=15)
    assert phone.refused == ()


def enrol(world: World, device: str) -> None:
    with world.site.town.sessions.begin() as session:
        identity.enrol(
            session,
            provider=PROVIDER,
            device=device,
            device_type="popback_v1",
            worker="w1",
            now=now(),
            password="correct horse battery staple",
        )
    if world.site.kind == "mosquitto":
        world.site.sync()


def test_a_challenge_that_the_restored_table_forgot_still_proves_the_time(town: Town) -> None:
    """Broken if what was grade A before a restore is grade D after it, and is not paid by itself."""
    challenge = KEY.make(provider=PROVIDER, device="p1", issued_at=NINE - timedelta(hours=3), nonce="n-1")
    with town.sessions.begin() as session:
        open_epoch(session, now=NINE, token="aa")
    town.ingest = Ingest(
        sessions=town.sessions,
        clock=town.clock,
        policy=Policy(),
        new_challenge=numbered_challenges(),
        challenge_key=KEY,
    )
    said = {
        "challenge_monotonic_ms": 1_000,
        "challenge_boot_id": "boot-1",
        "monotonic_ms": 3_601_000,
        "captured_at": at(NINE - timedelta(hours=2)),
    }
    forged = challenge[:-1] + ("A" if challenge[-1] != "A" else "B")
    town.take(received(envelope(event(challenge=challenge, **said))))
    town.take(received(envelope(event(challenge=forged, **said))))
    assert [row.grade_time for row in town.evidence()] == [Grade.A, Grade.D]


def test_a_challenge_of_another_device_or_another_key_proves_nothing() -> None:
    """Broken if a challenge heard by one phone, or made up by somebody, vouches for another phone's clock."""
    issued = datetime(2026, 11, 2, 6, tzinfo=UTC)
    challenge = KEY.make(provider=PROVIDER, device="p1", issued_at=issued, nonce=new_challenge())
    assert len(challenge) <= 64
    assert KEY.issued_at(provider=PROVIDER, device="p1", challenge=challenge) == issued
    assert KEY.issued_at(provider=PROVIDER, device="p2", challenge=challenge) is None
    assert ChallengeKey.of(password="other").issued_at(provider=PROVIDER, device="p1", challenge=challenge) is None
    assert KEY.issued_at(provider=PROVIDER, device="p1", challenge="c-1") is None


def test_every_receipt_of_a_restored_log_names_its_epoch_and_asks_until_the_phone_says_it_knows_it(town: Town) -> None:
    """Broken if a phone that only posts by HTTP is never asked, or one that has answered is asked for ever."""
    assert town.take(received(envelope(event(sequence=1)))).epoch is None
    with town.sessions.begin() as session:
        name = open_epoch(session, now=NINE, token="aa").name
    posted = town.take(received(envelope(event(sequence=2)), channel="http"))
    assert (posted.epoch, posted.resend_from) == (name, 3)
    birth = b'{"v":1,"state":"online","epoch":"' + name.encode() + b'","stored_sequence":2}'
    status = received(birth, topic=f"popback/v1/{PROVIDER}/p1/status")
    assert town.ingest.take([status]) == ()
    assert town.take(received(envelope(event(sequence=3)))).resend_from is None


def test_a_phone_that_holds_receipts_the_log_does_not_is_asked_even_when_nobody_said_restore(town: Town) -> None:
    """Broken if a log that lost its end without anybody's knowing (its write-ahead file removed) never gets it back."""
    birth = received(b'{"v":1,"state":"online","stored_sequence":7}', topic=f"popback/v1/{PROVIDER}/p1/status")
    (reply,) = town.ingest.take([birth])
    assert (reply.receipt.resend_from, reply.receipt.epoch) == (1, None)


def test_the_next_epoch_says_what_the_log_was_and_asks_every_phone_once(town: Town) -> None:
    """Broken if a restore leaves no trace that an auditor can check, or asks a revoked phone."""
    town.take(received(envelope(event(sequence=1))))
    for token in ("aa", "bb"):
        with town.sessions.begin() as session:
            open_epoch(session, now=NINE, token=token)
    newest = town.stored()[-1].index
    with town.sessions() as session:
        epoch = current(session)
        assert epoch is not None
        assert (epoch.number, epoch.name, epoch.last_index) == (3, "3-bb", newest)
        assert epoch.digest == log_digest(session)[1]
        asked = [row.address for row in outbox.take(session, channel=outbox.DOWN, limit=100)]
    assert asked == [f"{PROVIDER}/p1", f"{PROVIDER}/p2", "other/p1"] * 2
