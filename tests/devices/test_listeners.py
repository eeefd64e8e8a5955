"""Mosquitto's three listeners as shipped: loopback, TLS, websockets. Each lets the same clients say the same; the encrypted ones are
believed only with a good certificate, and what cannot be sent waits on the phone. What goes over any listener: test_transports."""

import os
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from devices.mosquitto import SyncRefused, certificates, placing
from devices.mosquitto.process import LOG_FILE
from devices.tls import Tls
from evm.domain.evidence import EventKind
from tests.devices.brokers import (
    LISTENERS,
    PASSWORD,
    Listener,
    Site,
    enrol_all,
    eventually,
    need_mosquitto,
    now,
    revoke,
)
from tests.devices.certificates import Authority
from tests.devices.conftest import Town
from tests.devices.wire import envelope, event
from tests.factories import PROVIDER

pytestmark = pytest.mark.mosquitto
ENCRYPTED: tuple[Listener, ...] = ("tls", "websockets")


@pytest.fixture
def secure(town: Town, tmp_path: Path) -> Iterator[Site]:
    """A Mosquitto with all three listeners, and ingest."""
    need_mosquitto()
    enrol_all(town)
    with Site(kind="mosquitto", town=town, directory=tmp_path, authority=Authority(tmp_path / "ca")) as site:
        site.start_broker()
        site.start_ingest()
        yield site


@pytest.fixture(params=LISTENERS)
def site(request: pytest.FixtureRequest, secure: Site) -> Site:
    secure.listener = request.param
    return secure


def settle(site: Site) -> None:
    """Let everything sent so far arrive."""
    marker = site.phone("p2", "w2")
    marker.record(EventKind.HEARTBEAT)
    marker.connect()
    assert marker.wait_receipts(timeout_seconds=15), marker.problem


def test_a_days_events_arrive_and_are_receipted_by_each_listener(site: Site) -> None:
    """Broken if TLS or websockets lose what lies in their buffers: receipts of many events come in one record."""
    phone = site.phone()
    ids = [phone.record(EventKind.NOTE, words=f"note {number}" * 20) for number in range(120)]
    phone.connect()
    assert phone.wait_receipts(timeout_seconds=20), phone.problem
    assert [row.evidence.event_id for row in site.stored()] == ids
    assert phone.problem is None


@pytest.mark.parametrize(
    ("username", "password"), [("", ""), (f"{PROVIDER}.p1", "wrong"), (f"{PROVIDER}.old", PASSWORD), ("ingest-9", "")]
)
def test_no_listener_lets_a_stranger_in(site: Site, username: str, password: str) -> None:
    """Broken if one listener forgets to ask who is there."""
    stranger = site.plain(username, password)
    assert not stranger.connect(timeout_seconds=1.5)
    assert eventually(lambda: "refuses" in (stranger.problem or ""))


def test_no_listener_carries_anothers_words_or_ears(site: Site) -> None:
    """Broken if one listener lacks the access rules (bad input 33 and 34)."""
    spy = site.plain(f"{PROVIDER}.p1", PASSWORD, "#", "popback/v1/#", f"popback/v1/{PROVIDER}/p2/receipt")
    assert spy.connect()
    spy.send(
        topic=f"popback/v1/{PROVIDER}/o1/event", message=envelope(event(device="o1", captured_at=now().isoformat()))
    )
    settle(site)
    assert spy.delivered == []
    assert {row.evidence.device for row in site.stored()} == {"p2"}
    assert site.town.quarantined() == ()


def test_no_listener_lets_a_device_take_anothers_client_id(site: Site) -> None:
    """Broken if `use_username_as_clientid` misses a listener: one credential could then put any phone off the line."""
    from devices.phone.link import Link

    phone = site.phone("p2", "w2")
    phone.connect()
    assert phone.wait_connected(timeout_seconds=15)
    connection = phone._link._client
    thief = site.plain(f"{PROVIDER}.p1")
    plain_new = Link._new_client

    def as_another(link: Link):
        client = plain_new(link)
        client._client_id = f"{PROVIDER}.p2".encode()
        return client

    thief._link._new_client = as_another.__get__(thief._link)  # type: ignore[method-assign]
    assert thief.connect()
    phone.record(EventKind.HEARTBEAT)
    assert phone.wait_receipts(timeout_seconds=15)
    assert phone._link._client is connection


@pytest.mark.parametrize("size", [70_000, 3_000_000])
def test_no_listener_takes_an_oversized_packet(site: Site, size: int) -> None:
    """Broken if one client can fill the broker's memory or the quarantine. Mosquitto cuts its sender off, by websockets only drops it."""
    client = site.plain(f"{PROVIDER}.p1")
    assert client.connect()
    client.send(topic=f"popback/v1/{PROVIDER}/p1/event", message=b"x" * size)
    assert site.listener == "websockets" or eventually(lambda: not client.connected)
    settle(site)
    assert {row.evidence.device for row in site.stored()} == {"p2"}
    assert site.town.quarantined() == ()


def test_row_32_by_each_listener_a_retained_check_in_happens_once(site: Site) -> None:
    """Broken if a retained event checks the worker in anew at each restart of ingest."""
    client = site.plain(f"{PROVIDER}.p1")
    assert client.connect()
    topic = f"popback/v1/{PROVIDER}/p1/event"
    client.send(topic=topic, message=envelope(event(captured_at=now().isoformat())), retain=True)
    assert eventually(lambda: len(site.stored()) == 1)
    site.stop_ingest()
    site.start_ingest()
    settle(site)
    assert len([row for row in site.stored() if row.evidence.device == "p1"]) == 1


def test_fault_32_a_revoked_phone_is_cut_off_whichever_way_it_came(site: Site) -> None:
    """Broken if the sync after a revocation leaves a stolen phone's connection standing."""
    client = site.plain(f"{PROVIDER}.p1")
    assert client.connect()
    revoke(site.town, "p1")
    assert site.sync().changed == ("passwords", "acl")
    assert eventually(lambda: not client.connected, seconds=5)
    assert not client.connect(timeout_seconds=1.0)


# -- whom the phone believes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("listener", ENCRYPTED)
def test_a_server_that_another_authority_vouches_for_is_not_believed(
    secure: Site, tmp_path: Path, listener: Listener
) -> None:
    """Broken if anybody on the way who shows some certificate gets the phone's password."""
    secure.listener = listener
    stranger = Authority(tmp_path / "other", name="stranger")
    phone = secure.phone(tls=Tls(ca_pem=stranger.pem))
    phone.record(EventKind.HEARTBEAT)
    phone.connect()
    assert eventually(lambda: phone.problem is not None)
    assert phone.problem is not None
    assert "signed by nobody we trust" in phone.problem
    assert (phone.outbox_size, secure.stored()) == (1, ())


@pytest.mark.database("sqlite")
@pytest.mark.parametrize("listener", ENCRYPTED)
@pytest.mark.parametrize(
    ("days", "names", "words"),
    [
        (-1, "DNS:localhost,IP:127.0.0.1", "has ended: the office must renew it"),
        (90, "DNS:visits.example.org", "is not of 127.0.0.1"),
        (90, "", "is not of 127.0.0.1"),
    ],
)
def test_fault_31_a_bad_certificate_is_named_and_the_outbox_holds_until_it_is_renewed(
    town: Town, tmp_path: Path, days: int, names: str, words: str, listener: Listener
) -> None:
    """Broken if an expired or wrong certificate is believed, or costs an event, or leaves the worker with no word to tell the office."""
    need_mosquitto()
    enrol_all(town)
    authority = Authority(tmp_path / "ca")
    with Site(kind="mosquitto", town=town, directory=tmp_path, authority=authority, listener=listener) as site:
        site.pair = authority.sign("bad", days=days, names=names)
        site.start_broker()
        site.start_ingest()
        phone = site.phone()
        phone.record(EventKind.HEARTBEAT)
        phone.connect()
        assert eventually(lambda: words in (phone.problem or "")), phone.problem
        assert (phone.outbox_size, site.stored()) == (1, ())
        site.pair = authority.sign("good")
        written = site.sync()
        assert written.changed == ("certificate.pem", "key.pem")
        assert written.restart == "its websockets listener shows the old certificate until then"
        if listener == "websockets":
            site.stop_broker()
            site.start_broker()
        assert phone.wait_receipts(timeout_seconds=20), phone.problem
        assert len(site.stored()) == 1


@pytest.mark.database("sqlite")
@pytest.mark.parametrize(
    ("listener", "changes", "words"),
    [
        ("tls", {"tls": None}, "does this port want TLS"),
        ("websockets", {"tls": None, "transport": "tcp"}, "does this port want TLS"),
        ("tls", {"transport": "websockets"}, "the right transport"),
        ("websockets", {"transport": "tcp"}, "websockets"),
        ("plain", {"tls": Tls()}, "is it the right port"),
    ],
)
def test_a_phone_at_the_wrong_door_says_which_it_may_be(
    secure: Site, listener: Listener, changes: dict[str, object], words: str
) -> None:
    """Broken if a slip in a phone's file shows as silence; and nothing is lost by it."""
    secure.listener = listener
    phone = secure.phone(**changes)
    phone.record(EventKind.HEARTBEAT)
    phone.connect()
    assert eventually(lambda: words in (phone.problem or "")), phone.problem
    assert phone.outbox_size == 1
    assert secure.stored() == ()


@pytest.mark.parametrize("port_of", ["tls_port", "websockets_port"])
@pytest.mark.database("sqlite")
def test_nothing_older_than_tls_1_2_is_spoken(secure: Site, port_of: str) -> None:
    """Broken if a listener can be talked down to a TLS that is known to be broken."""
    import socket
    import warnings

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", getattr(secure, port_of)), timeout=5) as plain,
        pytest.raises(ssl.SSLError),
    ):
        context.wrap_socket(plain)


# -- certificates renewed --------------------------------------------------------------------------------------------------------


@pytest.mark.database("sqlite")
def test_a_renewed_certificate_is_shown_at_once_and_disturbs_nobody(secure: Site) -> None:
    """Broken if a renewal needs a restart on the TLS listener, or cuts the phones off; websockets are known to need one."""
    assert secure.authority is not None
    secure.listener = "tls"
    phone = secure.phone()
    phone.connect()
    assert phone.wait_connected(timeout_seconds=15)
    connection = phone._link._client
    secure.pair = secure.authority.sign("renewed")
    found = certificates.read(certificate=secure.pair.certificate, key=secure.pair.key)
    secure.sync()

    def shown(port: int) -> bool:
        return certificates.served(host="127.0.0.1", port=port) == found.sha256

    assert eventually(lambda: shown(secure.tls_port))
    assert not shown(secure.websockets_port)
    phone.record(EventKind.HEARTBEAT)
    assert phone.wait_receipts(timeout_seconds=15)
    assert phone._link._client is connection


@pytest.mark.database("sqlite")
def test_a_renewal_that_is_half_there_leaves_the_old_certificate_serving(secure: Site) -> None:
    """Broken if the moment between writing certificate and key puts the listener out, or holds a revocation up."""
    assert secure.authority is not None
    old, new = secure.pair, secure.authority.sign("renewed")
    assert old is not None
    new.key.write_text(old.key.read_text())
    secure.pair = new
    revoke(secure.town, "p1")
    written = secure.sync()
    assert written.changed == ("passwords", "acl")
    assert written.problem is not None
    assert "is not the key of" in written.problem
    secure.listener = "tls"
    settle(secure)


@pytest.mark.database("sqlite")
def test_mosquitto_is_told_of_a_change_once_and_after_a_crash_in_between(
    secure: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken if each round makes it check every phone's password, or a crash between writing and telling leaves a revoked phone in."""
    told: list[int] = []
    real = os.kill

    def kill(pid: int, number: int) -> None:
        told.append(number)
        real(pid, number)

    monkeypatch.setattr(placing.os, "kill", kill)
    secure.sync()
    told.clear()
    secure.sync()
    assert told == []
    (secure.directory / "mosquitto" / placing.TOLD_FILE).unlink()
    assert secure.sync().changed == ()
    assert told == [signal.SIGHUP]


@pytest.mark.database("sqlite")
def test_mosquitto_reads_its_files_again_as_the_user_it_became(town: Town, tmp_path: Path) -> None:
    """Broken if a Mosquitto started as root cannot read, once it is `mosquitto`, what the next sync writes for it."""
    need_mosquitto()
    if os.geteuid() != 0:
        with pytest.raises(SyncRefused, match="only root can write files for mosquitto"):
            Site(kind="mosquitto", town=town, directory=tmp_path, run_as="mosquitto").sync()
        return
    enrol_all(town)
    tmp_path.chmod(0o755)
    for folder in tmp_path.parents:
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    authority = Authority(tmp_path / "ca")
    with Site(kind="mosquitto", town=town, directory=tmp_path, authority=authority, run_as="mosquitto") as site:
        site.start_broker()
        site.start_ingest()
        with town.sessions.begin() as session:
            session.execute(text("UPDATE devices SET revoked_at = NULL"))
        site.pair = authority.sign("renewed")
        site.sync()
        site.listener = "tls"
        phone = site.phone("old", "w2")
        phone.record(EventKind.HEARTBEAT)
        phone.connect()
        assert phone.wait_receipts(timeout_seconds=15), phone.problem
        shown = [
            path
            for path in (tmp_path / "mosquitto").iterdir()
            if not path.name.startswith(".") and path.name != LOG_FILE
        ]
        assert {path.owner() for path in shown} == {"mosquitto"}
        found = certificates.read(certificate=site.pair.certificate, key=site.pair.key)
        assert eventually(lambda: certificates.served(host="127.0.0.1", port=site.tls_port) == found.sha256)
