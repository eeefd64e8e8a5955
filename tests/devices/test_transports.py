"""Phones, broker and ingest together, over the embedded broker and over a Mosquitto with the shipped configuration: what arrives, what
may not, and what an interruption loses (nothing). What is delivered is looked at, not what SUBACK or PUBACK said."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy.exc import OperationalError

from devices import broker as broker_module
from devices.ingest import Received, Reply
from devices.messages.strict_json import Refused
from devices.mosquitto.process import MosquittoProcess
from evm.domain.evidence import EventKind, Grade, Method
from evm.domain.ids import DeviceId, ProviderId
from evm.domain.place import Position
from evm.store import ingest_state, people
from tests.databases import without_guards
from tests.devices.brokers import KINDS, PASSWORD, Site, enrol_all, eventually, need_mosquitto, now, revoke
from tests.devices.conftest import Town
from tests.devices.wire import envelope, event
from tests.factories import PROVIDER


@pytest.fixture(params=KINDS)
def site(request: pytest.FixtureRequest, town: Town, tmp_path: Path) -> Iterator[Site]:
    if request.param == "mosquitto":
        need_mosquitto()
    enrol_all(town)
    with Site(kind=request.param, town=town, directory=tmp_path) as site:
        site.start_broker()
        site.start_ingest()
        yield site


def live(**changes: object) -> bytes:
    return envelope(event(captured_at=now().isoformat(), **changes))


def settle(site: Site) -> None:
    """Let everything sent so far arrive: a marker event of another phone, sent after it, has its receipt."""
    marker = site.phone("p2", "w2")
    marker.record(EventKind.HEARTBEAT)
    marker.connect()
    assert marker.wait_receipts(timeout_seconds=15)


def test_a_check_in_gets_its_receipt_and_is_evidence(site: Site) -> None:
    """Broken if the main road from a phone to the log is."""
    phone = site.phone()
    phone.connect()
    phone.record(
        EventKind.CHECK_IN,
        method=Method.GPS,
        customer="c1",
        position=Position(latitude=53.45, longitude=-2.22, accuracy_m=6),
    )
    assert phone.wait_receipts(timeout_seconds=15)
    (row,) = site.stored()
    assert (row.evidence.worker, row.evidence.customer, row.evidence.grade_time, row.evidence.grade_place) == (
        "w1",
        "c1",
        Grade.A,
        Grade.B,
    )
    assert phone.stored_count == 1


def test_what_was_recorded_offline_is_sent_on_connecting(site: Site) -> None:
    """Broken if a day without signal is lost, or only its first fifty events arrive."""
    phone = site.phone()
    ids = [phone.record(EventKind.NOTE, words=f"note {number}") for number in range(130)]
    assert phone.outbox_size == 130
    phone.connect()
    assert phone.wait_receipts(timeout_seconds=20)
    assert [row.evidence.event_id for row in site.stored()] == ids


def test_a_phone_switched_off_with_a_full_outbox_sends_it_next_time(site: Site) -> None:
    """Broken if the outbox lives in memory."""
    phone = site.phone()
    first = phone.record(EventKind.NOTE, words="before")
    phone.close()
    site.phones.clear()
    again = site.phone()
    second = again.record(EventKind.NOTE, words="after")
    again.connect()
    assert again.wait_receipts(timeout_seconds=15)
    rows = site.stored()
    assert [row.evidence.event_id for row in rows] == [first, second]
    assert [row.sequence for row in rows] == [1, 2]
    assert rows[1].previous == rows[0].evidence.sha256


def test_events_recorded_while_ingest_is_down_are_stored_when_it_is_back(site: Site) -> None:
    """Broken if a restart of ingest loses what was under way."""
    phone = site.phone()
    phone.connect()
    assert phone.wait_connected(timeout_seconds=15)
    site.stop_ingest()
    ids = {phone.record(EventKind.NOTE, words=str(number)) for number in range(60)}
    site.start_ingest()
    assert phone.wait_receipts(timeout_seconds=30)
    assert {row.evidence.event_id for row in site.stored()} == ids


def test_a_restart_of_the_broker_loses_nothing(site: Site) -> None:
    """Broken if phones or ingest do not come back by themselves."""
    phone = site.phone()
    phone.connect()
    assert phone.wait_connected(timeout_seconds=15)
    site.stop_broker()
    ids = {phone.record(EventKind.NOTE, words=str(number)) for number in range(20)}
    site.start_broker()
    assert phone.wait_receipts(timeout_seconds=30)
    assert {row.evidence.event_id for row in site.stored()} == ids


def test_the_challenge_of_a_receipt_reaches_the_next_event(site: Site) -> None:
    """Broken if phones never can prove their clocks."""
    phone = site.phone()
    phone.connect()
    for _ in range(2):
        phone.record(EventKind.HEARTBEAT)
        assert phone.wait_receipts(timeout_seconds=15)
    said = [json.loads(row.payload) for row in site.stored()]
    assert "challenge" not in said[0]
    assert said[1]["challenge"].startswith("c-")
    assert said[1]["challenge_boot_id"] == said[1]["boot_id"]


def test_row_31_an_event_over_the_limit_is_refused_and_the_phone_shows_it(site: Site) -> None:
    """Broken if an oversized event is cut off without a word and sent for ever."""
    phone = site.phone()
    with pytest.raises(Refused, match="SIZE"):
        phone.record(EventKind.NOTE, words="\U0001f642" * 2000)
    assert phone.outbox_size == 0
    client = site.plain(f"{PROVIDER}.p1")
    assert client.connect()
    text = json.dumps(event(kind="note"))
    client.send(topic=f"popback/v1/{PROVIDER}/p1/event", message=envelope(text + " " * (8193 - len(text))))
    assert eventually(lambda: [row.reason for row in site.town.quarantined()] == ["SIZE"])
    assert site.stored() == ()


def test_row_33_another_devices_topic_is_closed(site: Site) -> None:
    """Broken if one phone can speak on another's topic: MQTT 3.1.1 says 'success' to it."""
    client = site.plain(f"{PROVIDER}.p1")
    assert client.connect()
    client.send(topic=f"popback/v1/{PROVIDER}/o1/event", message=live(device="o1"))
    client.send(topic="popback/v1/other/p1/event", message=live(provider="other"))
    settle(site)
    assert {row.evidence.device for row in site.stored()} == {"p2"}
    assert site.town.quarantined() == ()


def test_another_providers_credential_is_refused_and_nothing_stored(site: Site) -> None:
    """Broken if a provider can check in for a competitor's worker."""
    client = site.plain("other.p1")
    assert client.connect()
    client.send(topic=f"popback/v1/{PROVIDER}/p1/event", message=live())
    client.send(topic="popback/v1/other/p1/event", message=live())
    assert eventually(lambda: len(site.town.quarantined()) == 1)
    settle(site)
    assert {row.evidence.device for row in site.stored()} == {"p2"}
    (kept,) = site.town.quarantined()
    assert (kept.reason, kept.security, kept.provider) == ("TOPIC", True, "other")


def test_row_34_subscribing_to_everything_delivers_nothing_foreign(site: Site) -> None:
    """Broken if a granted '#' shows every visit of the town."""
    spy = site.plain(f"{PROVIDER}.p1", PASSWORD, "#", "$SYS/#", "popback/v1/#", f"popback/v1/{PROVIDER}/p2/receipt")
    assert spy.connect()
    settle(site)
    assert spy.delivered == []


@pytest.mark.parametrize(
    ("username", "password"),
    [
        (f"{PROVIDER}.p1", "wrong"),
        (f"{PROVIDER}.nobody", PASSWORD),
        (f"{PROVIDER}.old", PASSWORD),
        ("ingest-1", PASSWORD),
        ("ingest-9", ""),
    ],
)
def test_only_enrolled_devices_with_their_password_connect(site: Site, username: str, password: str) -> None:
    """Broken if a wrong, unknown or revoked credential is let in."""
    assert not site.plain(username, password).connect(timeout_seconds=1.0)


def test_a_long_write_does_not_keep_phones_from_connecting(site: Site) -> None:
    """Broken if the broker waits for the database's one writer to ask who somebody is: a whole fleet would time out."""
    with site.town.sessions.begin() as session:
        people.devices(session)  # on SQLite any transaction of the writing kind holds the lock from its beginning
        phone = site.phone()
        phone.connect()
        assert phone.wait_connected(timeout_seconds=5)


@pytest.mark.parametrize("password", ["wrong", ""])
def test_a_wrong_password_does_not_put_the_right_phone_off_the_line(site: Site, password: str) -> None:
    """Broken if anybody who knows a device's name can keep it from sending."""
    phone = site.phone()
    phone.connect()
    assert phone.wait_connected(timeout_seconds=15)
    connection = phone._link._client
    assert not site.plain(f"{PROVIDER}.p1", password).connect(timeout_seconds=1.5)
    phone.record(EventKind.HEARTBEAT)
    assert phone.wait_receipts(timeout_seconds=15)
    assert phone._link._client is connection


def test_a_device_revoked_while_connected_is_soon_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken if a stolen phone that stays connected goes on for ever (fault 32)."""
    monkeypatch.setattr(broker_module, "REVOKED_SECONDS_MAX", 0.0)
    client = site.plain(f"{PROVIDER}.p1")
    assert client.connect()
    revoke(site.town, "p1")
    if site.kind == "mosquitto":
        site.sync()
    client.send(topic=f"popback/v1/{PROVIDER}/p1/event", message=live())
    settle(site)
    assert {row.evidence.device for row in site.stored()} == {"p2"}
    assert not site.plain(f"{PROVIDER}.p1").connect(timeout_seconds=1.0)


def test_a_device_enrolled_while_the_broker_runs_may_speak(site: Site) -> None:
    """Broken if enrolling a phone needs a restart of the broker."""
    with site.town.sessions.begin() as session:
        from devices import identity

        identity.enrol(
            session,
            provider=PROVIDER,
            device="new",
            device_type="popback_v1",
            worker="w1",
            now=now(),
            password=PASSWORD,
        )
    if site.kind == "mosquitto":
        site.sync()
    phone = site.phone("new")
    phone.record(EventKind.HEARTBEAT)
    phone.connect()
    assert phone.wait_receipts(timeout_seconds=15)


def test_row_32_a_retained_check_in_does_not_happen_again_when_ingest_comes_back(site: Site) -> None:
    """Broken if each restart of ingest checks the worker in anew."""
    client = site.plain(f"{PROVIDER}.p1")
    assert client.connect()
    client.send(topic=f"popback/v1/{PROVIDER}/p1/event", message=live(), retain=True)
    assert eventually(lambda: len(site.stored()) == 1)
    site.stop_ingest()
    site.start_ingest()
    settle(site)
    assert len([row for row in site.stored() if row.evidence.device == "p1"]) == 1


def test_fault_28_poison_first_in_the_queue_does_not_stop_the_flow(site: Site) -> None:
    """Broken if the first bad message kills the callback's thread: the client would look connected and be dead."""
    client = site.plain(f"{PROVIDER}.p1")
    assert client.connect()
    topic = f"popback/v1/{PROVIDER}/p1/event"
    poison = [b"\xff", b"{}{}", b"[" * 4000, envelope(event(mood=1)), b"\x1f\x8b", envelope("")]
    for message in poison:
        client.send(topic=topic, message=message)
    client.send(topic=topic, message=live())
    assert eventually(lambda: len(site.stored()) == 1)
    assert len(site.town.quarantined()) == len(poison)


def test_fault_10_a_database_that_fails_is_tried_again_and_nothing_acknowledged_before(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken if a locked database loses a batch, or its phones are told it is stored."""
    assert site.ingest is not None
    assert site.client is not None
    real, failures = site.ingest.take, iter(range(3))

    def locked(batch: Sequence[Received]) -> tuple[Reply, ...]:
        if next(failures, None) is not None:
            raise OperationalError("INSERT", {}, Exception("database is locked"))
        return real(batch)

    monkeypatch.setattr(site.ingest, "take", locked)
    phone = site.phone()
    phone.connect()
    phone.record(EventKind.HEARTBEAT)
    assert phone.wait_receipts(timeout_seconds=15)
    assert next(failures, None) is None
    assert len(site.stored()) == 1
    client = site.client
    assert eventually(lambda: client.progress >= 1)
    assert site.client.silent_seconds < 5


def test_fault_30_what_a_full_queue_drops_the_outboxes_send_again(site: Site) -> None:
    """Broken if the broker's limit decides what is evidence: with a queue of ten, hundreds of events still all arrive."""
    if site.kind == "mosquitto":
        site.stop_ingest()
        site.stop_broker()
        site.sync()
        conf = site.directory / "mosquitto" / "mosquitto.conf"
        conf.write_text(conf.read_text().replace("max_queued_messages 100000", "max_queued_messages 10"))
        site.broker = MosquittoProcess(directory=site.directory / "mosquitto", port=site.port)
        site.broker.start()
        site.start_ingest()
    site.stop_ingest()
    phones = [site.phone("p1", "w1"), site.phone("p2", "w2")]
    ids = {phone.record(EventKind.NOTE, words=str(number)) for phone in phones for number in range(150)}
    for phone in phones:
        phone.connect()
        assert phone.wait_connected(timeout_seconds=15)
    assert eventually(lambda: all(phone.sent_count >= 50 for phone in phones))
    site.start_ingest()
    assert all(phone.wait_receipts(timeout_seconds=40) for phone in phones)
    rows = [row.evidence.event_id for row in site.stored()]
    assert sorted(rows) == sorted(ids)


def test_a_phone_that_joins_ingests_shared_subscription_takes_nothing_from_it(site: Site) -> None:
    """Broken if one phone can swallow others' events: Mosquitto picks it as the group's next reader, denies it, and nobody is asked."""
    group = "$share/ingest/popback/v1/+/+"
    thief = site.plain(f"{PROVIDER}.p1", PASSWORD, f"{group}/event", group, "popback/v1/+/+/event")
    assert thief.connect()
    client = site.plain(f"{PROVIDER}.o1")
    assert client.connect()
    for number in range(8):
        client.send(topic=f"popback/v1/{PROVIDER}/o1/event", message=transition(seconds_ago=number))
    assert eventually(lambda: len(site.stored()) == 8, seconds=5)
    assert thief.delivered == []


@pytest.mark.parametrize("size", [65_537, 3_000_000])
def test_an_oversized_packet_cuts_its_sender_off_and_nobody_else(site: Site, size: int) -> None:
    """Broken if one client can fill the broker's memory, or what follows inside its packet is taken for packets."""
    client = site.plain(f"{PROVIDER}.p1")
    assert client.connect()
    inner = b"\x30\x20" + b"x" * 32
    client.send(topic=f"popback/v1/{PROVIDER}/p1/event", message=inner * (size // len(inner) + 1))
    assert eventually(lambda: not client.connected)
    settle(site)
    assert {row.evidence.device for row in site.stored()} == {"p2"}
    assert site.town.quarantined() == ()


def test_an_oversized_first_packet_is_not_read(site: Site) -> None:
    """Broken if somebody without any credential can fill the broker's memory."""
    with socket.create_connection(("127.0.0.1", site.port), timeout=10) as stranger:
        stranger.sendall(b"\x10\xff\xff\xff\x7f" + b"\x00\x04MQTT\x04\x02\x00\x3c")
        assert closed_by_peer(stranger)
    settle(site)


@pytest.mark.parametrize("said", [b"", b"\x10\x20\x00\x04MQTT"])
def test_a_connection_that_does_not_say_who_it_is_is_cut_off(
    town: Town, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    """Broken if a stranger can hold the embedded broker's connections open for nothing."""
    monkeypatch.setattr(broker_module, "CONNECT_SECONDS_MAX", 0.3)
    broker = broker_module.EmbeddedBroker(sessions=town.sessions, servers=[])
    broker.start()
    try:
        with socket.create_connection(("127.0.0.1", broker.port), timeout=10) as stranger:
            stranger.sendall(said)
            assert closed_by_peer(stranger)
    finally:
        broker.stop()


def test_a_session_that_never_ends_keeps_no_port_from_the_next_broker(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken if a restart finds its own port taken, because amqtt waits for a session that does not end."""

    async def never(self: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(broker_module, "SHUTDOWN_SECONDS_MAX", 0.2)
    first = broker_module.EmbeddedBroker(sessions=town.sessions, servers=[])
    first.start()
    with monkeypatch.context() as stuck:
        stuck.setattr(broker_module.Broker, "shutdown", never)
        first.stop()
    second = broker_module.EmbeddedBroker(sessions=town.sessions, servers=[], port=first.port)
    second.start()
    second.stop()


def test_a_device_that_calls_itself_by_anothers_client_id_does_not_take_its_place(site: Site) -> None:
    """Broken if one credential can put any phone, or ingest itself, off the line and read its receipts."""
    phone = site.phone("p2", "w2")
    phone.connect()
    assert phone.wait_connected(timeout_seconds=15)
    connections = phone._link._client, site.client and site.client._connection
    for stolen in (f"{PROVIDER}.p2", "ingest-1"):
        raw = paho.Client(CallbackAPIVersion.VERSION2, client_id=stolen, reconnect_on_failure=False)
        raw.username_pw_set(f"{PROVIDER}.p1", PASSWORD)
        raw.connect("127.0.0.1", site.port)
        for _ in range(10):
            raw.loop(timeout=0.05)
        raw.disconnect()
        raw.loop(timeout=0.05)
    phone.record(EventKind.HEARTBEAT)
    assert phone.wait_receipts(timeout_seconds=15)
    assert (phone._link._client, site.client and site.client._connection) == connections


@pytest.mark.mosquitto
def test_two_mosquittos_run_side_by_side_each_on_its_own_port_alone(town: Town, tmp_path: Path) -> None:
    """Broken if the shipped configuration opens a listener that nobody asked for."""
    need_mosquitto()
    with (
        Site(kind="mosquitto", town=town, directory=tmp_path / "a") as one,
        Site(kind="mosquitto", town=town, directory=tmp_path / "b") as two,
    ):
        one.start_broker()
        two.start_broker()
        assert one.plain("ingest-1", one.credential.password).connect()
        assert two.plain("ingest-1", two.credential.password).connect()


def closed_by_peer(sock: socket.socket) -> bool:
    try:
        return sock.recv(64) == b""
    except ConnectionResetError:
        return True


def test_a_devices_birth_and_last_will_are_kept_as_its_state(site: Site) -> None:
    """Broken if a phone known to be dead cannot be told from one that has nothing to say."""

    def state() -> str | None:
        with site.town.sessions() as session:
            found = ingest_state.progress(session, devices={(ProviderId(PROVIDER), DeviceId("p1"))})
        return next((progress.status for progress in found.values()), None)

    phone = site.phone()
    phone.connect()
    assert eventually(lambda: state() == "online")
    phone._network.call_and_wait(lambda: phone._link._client.socket().shutdown(socket.SHUT_RDWR))  # type: ignore[union-attr]
    assert eventually(lambda: state() == "offline")
    assert site.stored() == ()
    assert site.town.quarantined() == ()


@pytest.mark.mosquitto
def test_a_port_that_somebody_else_holds_is_waited_for_and_theirs_is_not_taken_for_ours(
    town: Town, tmp_path: Path
) -> None:
    """Broken if a Mosquitto that ended because its port was taken counts as started."""
    need_mosquitto()
    with Site(kind="mosquitto", town=town, directory=tmp_path) as site, socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        site.port = other.getsockname()[1]
        release = threading.Timer(0.5, other.close)
        release.start()
        site.start_broker()
        release.join()
        assert site.plain("ingest-1", site.credential.password).connect()


def transition(*, seconds_ago: int = 0) -> bytes:
    said = {"_type": "transition", "event": "enter", "desc": "c1", "lat": 53.45, "lon": -2.22, "acc": 9}
    return json.dumps(said | {"tst": int(now().timestamp()) - seconds_ago}).encode()


def test_owntracks_over_mqtt_is_a_check_in(site: Site) -> None:
    """Broken if a worker's OwnTracks app needs more than a URL, a name and a password."""
    client = site.plain(f"{PROVIDER}.o1")
    assert client.connect()
    client.send(topic=f"popback/v1/{PROVIDER}/o1/event", message=transition())
    assert eventually(lambda: len(site.stored()) == 1)
    assert (site.stored()[0].evidence.kind, site.stored()[0].evidence.customer) == (EventKind.CHECK_IN, "c1")


def test_a_lost_server_asks_for_what_it_lost_and_gets_it(site: Site) -> None:
    """Broken if events that were receipted before a restore are gone for good: the phones hold them."""
    phone = site.phone()
    phone.connect()
    for number in range(5):
        phone.record(EventKind.NOTE, words=str(number))
    assert phone.wait_receipts(timeout_seconds=15)
    with site.town.sessions.begin() as session:  # a restore from before these events
        without_guards(session.connection(), table="evidence")
        without_guards(session.connection(), table="evidence_keys")
        session.connection().exec_driver_sql("DELETE FROM evidence_keys")
        session.connection().exec_driver_sql("DELETE FROM evidence")
        session.connection().exec_driver_sql("DELETE FROM device_progress")
    phone.record(EventKind.NOTE, words="after")
    assert eventually(lambda: len(site.stored()) == 6)
    assert sorted(row.sequence or 0 for row in site.stored()) == [1, 2, 3, 4, 5, 6]


def test_what_a_device_publishes_retained_is_given_to_no_other_device_that_connects(site: Site) -> None:
    """Broken if any phone is given others' check-ins, with customer and place, by no more than connecting."""
    client = site.plain(f"{PROVIDER}.p1")
    assert client.connect()
    client.send(topic=f"popback/v1/{PROVIDER}/p1/event", message=live(), retain=True)
    assert eventually(lambda: len(site.stored()) == 1)
    spy = site.plain("other.p1", PASSWORD, "popback/v1/other/p1/receipt")
    assert spy.connect()
    settle(site)
    assert spy.delivered == []


def test_a_runs_notice_waits_at_the_broker_for_its_phone_and_reaches_no_other(site: Site) -> None:
    """Broken if a phone that comes on after the roster was published does not learn of it, or another does."""
    assert site.client is not None
    notice = b'{"v":1,"version":3}'
    assert site.client.publish(topic=f"popback/v1/{PROVIDER}/p1/run", message=notice, retain=True)
    own, other = site.phone("p1", "w1"), site.phone("p2", "w2")
    for phone in (own, other):
        phone.record(EventKind.HEARTBEAT)
        phone.connect()
        assert phone.wait_receipts(timeout_seconds=15)
    assert eventually(lambda: own.downlink == [(f"popback/v1/{PROVIDER}/p1/run", notice)])
    assert other.downlink == []
