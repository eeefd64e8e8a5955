"""Mosquitto's dynamic-security plugin kept in step with the device table: the real plugin, as shipped. Which listener: test_listeners."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from devices import identity, topics
from devices.mosquitto import dynsec
from devices.mosquitto.configuration import DYNSEC_FILE
from devices.mosquitto.control import Control, ControlError
from evm.domain.evidence import EventKind
from evm.store import people
from tests.devices.brokers import PASSWORD, Site, enrol_all, eventually, need_plugin, now, revoke
from tests.devices.conftest import Town
from tests.devices.wire import envelope, event
from tests.factories import NINE, PROVIDER, device

pytestmark = pytest.mark.mosquitto


@pytest.fixture
def site(town: Town, tmp_path: Path) -> Iterator[Site]:
    need_plugin()
    enrol_all(town)
    with Site(kind="mosquitto", town=town, directory=tmp_path, by="dynsec") as site:
        site.start_broker()
        site.start_ingest()
        yield site


def beat(site: Site, name: str = "p1", worker: str = "w1") -> bool:
    """Whether a phone's event is received."""
    phone = site.phone(name, worker)
    phone.record(EventKind.HEARTBEAT)
    phone.connect()
    try:
        return phone.wait_receipts(timeout_seconds=10)
    finally:
        phone.close()
        site.phones.remove(phone)


def enrol(site: Site, name: str, password: str = PASSWORD) -> str:
    """Enrol a device in the table; answers its hash."""
    with site.town.sessions.begin() as session:
        identity.enrol(
            session,
            provider=PROVIDER,
            device=name,
            device_type="popback_v1",
            worker="w1",
            now=now(),
            password=password,
        )
        row = people.device(session, provider=PROVIDER, device=name)
        assert row is not None
        return row.password_hash


def control(site: Site) -> Control:
    return Control(host="127.0.0.1", port=site.port, credential=site.controller)


def test_a_first_start_knows_every_device_by_the_hash_of_the_table(site: Site) -> None:
    """Broken if phones need new passwords to move to dynamic security."""
    assert beat(site)
    assert len(site.stored()) == 1
    assert not site.plain(f"{PROVIDER}.p1", "wrong").connect(timeout_seconds=1.0)
    assert not site.plain(f"{PROVIDER}.old").connect(timeout_seconds=1.0)
    assert not site.plain("", "").connect(timeout_seconds=1.0)


def test_nothing_is_commanded_and_nothing_written_when_nothing_changed(site: Site) -> None:
    """Broken if every round rewrites the plugin's file or disconnects phones."""
    path = site.directory / "mosquitto" / DYNSEC_FILE
    before = path.stat().st_mtime_ns
    written = site.sync()
    assert (written.changed, written.restart) == ((), None)
    assert path.stat().st_mtime_ns == before


def test_a_device_speaks_on_its_own_topics_and_hears_its_own_alone(site: Site) -> None:
    """Broken if the roles give more or less than the access file does (bad input 33 and 34)."""
    own = f"popback/v1/{PROVIDER}/p1"
    spy = site.plain(
        f"{PROVIDER}.p1", PASSWORD, f"{own}/receipt", f"popback/v1/{PROVIDER}/p2/receipt", "#", "$CONTROL/#"
    )
    assert spy.connect()
    for topic in (f"popback/v1/{PROVIDER}/o1/event", f"{own}/receipt", "popback/v1/other/p1/event"):
        spy.send(topic=topic, message=envelope(event(device="o1")))
    spy.send(topic=dynsec.CONTROL_TOPIC, message=b'{"commands":[{"command":"listClients"}]}')
    assert beat(site, "p2", "w2")
    spy.send(topic=f"{own}/event", message=envelope(event(captured_at=now().isoformat())))
    assert eventually(lambda: len(site.stored()) == 2)
    assert eventually(lambda: bool(spy.delivered))
    assert {topic for topic, _ in spy.delivered} == {f"{own}/receipt"}
    assert {row.evidence.device for row in site.stored()} == {"p1", "p2"}
    assert site.town.quarantined() == ()


def test_fault_32_a_revoked_device_is_disabled_and_put_off_the_line_at_once(site: Site) -> None:
    """Broken if a stolen phone stays connected, or may come back, or anybody else notices."""
    stolen, other = site.plain(f"{PROVIDER}.p1"), site.plain(f"{PROVIDER}.p2")
    assert stolen.connect()
    assert other.connect()
    revoke(site.town, "p1")
    assert site.sync().changed == ("1 access rules and clients",)
    assert eventually(lambda: not stolen.connected, seconds=5)
    assert not site.plain(f"{PROVIDER}.p1").connect(timeout_seconds=1.0)
    assert other.connected
    with control(site) as opened:
        assert opened.known().clients[f"{PROVIDER}.p1"].disabled
    assert site.sync().changed == ()


def test_a_device_whose_revocation_was_a_slip_is_let_in_again(site: Site) -> None:
    """Broken if a disabled client stays disabled for ever."""
    revoke(site.town, "p1")
    site.sync()
    with site.town.sessions.begin() as session:
        session.execute(text("UPDATE devices SET revoked_at = NULL WHERE device_id = 'p1' AND provider_id = 'kindly'"))
    site.sync()
    assert beat(site)


def test_a_device_told_of_at_enrolment_speaks_at_once_and_after_a_restart(site: Site) -> None:
    """Broken if enrolling a phone needs a restart of the broker, or the next sync sees a stranger in it."""
    hashed = enrol(site, "new")
    with control(site) as opened:
        opened.command(dynsec.enrolment(name=f"{PROVIDER}.new", password=PASSWORD, password_hash=hashed))
        opened.command(dynsec.enrolment(name=f"{PROVIDER}.new", password=PASSWORD, password_hash=hashed))
    assert beat(site, "new")
    written = site.sync()
    assert (written.changed, written.restart) == ((), None)
    site.stop_broker()
    site.start_broker()
    assert beat(site, "new")


def test_a_device_of_which_only_the_hash_is_left_waits_for_the_next_start_and_no_longer(site: Site) -> None:
    """Broken if the plugin, which takes only plain passwords by command, forgets such a device, or the operator is not told."""
    enrol(site, "late")
    for _ in range(2):
        written = site.sync()
        assert written.restart == f"{PROVIDER}.late can be let in from its next start only"
    revoke(site.town, "p2")
    site.sync()  # commands make the plugin write its own file over ours
    site.stop_broker()
    site.start_broker()
    assert beat(site, "late")
    assert not site.plain(f"{PROVIDER}.p2").connect(timeout_seconds=1.0)
    assert site.sync().restart is None


def test_a_device_with_a_new_password_is_seen_to_have_one(site: Site) -> None:
    """Broken if a changed password in the table never reaches the plugin."""
    with site.town.sessions.begin() as session:
        known = {"known": identity.hash_password("another")}
        session.execute(
            text("UPDATE devices SET password_hash = :known WHERE device_id = 'p1' AND provider_id = 'kindly'"), known
        )
    assert site.sync().restart == f"{PROVIDER}.p1 can be let in from its next start only"
    site.stop_broker()
    site.start_broker()
    assert site.plain(f"{PROVIDER}.p1", "another").connect()


def test_what_others_made_in_the_plugin_is_left_alone_and_what_was_ours_is_mended(site: Site) -> None:
    """Broken if a sync deletes an operator's own client, or leaves a device with rights somebody gave it by hand."""
    with control(site) as opened:
        opened.command(
            [
                {"command": "createRole", "rolename": "theirs", "acls": []},
                {"command": "createClient", "username": "monitor", "password": "x", "roles": [{"rolename": "theirs"}]},
                {
                    "command": "addRoleACL",
                    "rolename": f"popback:device:{PROVIDER}.p1",
                    "acltype": "subscribePattern",
                    "topic": "#",
                    "allow": True,
                },
                {"command": "addClientRole", "username": f"{PROVIDER}.p2", "rolename": "theirs"},
                {"command": "setDefaultACLAccess", "acls": [{"acltype": "subscribe", "allow": True}]},
            ]
        )
    site.sync()
    with control(site) as opened:
        known = opened.known()
    assert known.clients["monitor"].roles == ("theirs",)
    assert known.roles[f"popback:device:{PROVIDER}.p1"] == dynsec.device_rules(f"{PROVIDER}.p1")
    assert known.clients[f"{PROVIDER}.p2"].roles == (f"popback:device:{PROVIDER}.p2",)
    assert known.defaults == dynsec.DEFAULTS
    assert site.sync().changed == ()


def test_a_new_server_process_gets_its_credential_while_the_broker_runs(site: Site) -> None:
    """Broken if a third ingest process needs a restart of the broker."""
    second = identity.server_credential(directory=site.directory, name="ingest-2")
    site.servers = (second,)
    assert site.sync().restart is None
    assert site.plain("ingest-2", second.password).connect()


def test_a_half_written_file_is_no_obstacle(town: Town, tmp_path: Path) -> None:
    """Broken if what a crash left of the plugin's file keeps the broker from ever starting."""
    need_plugin()
    enrol_all(town)
    with Site(kind="mosquitto", town=town, directory=tmp_path, by="dynsec", port=1) as site:
        (tmp_path / "mosquitto").mkdir()
        (tmp_path / "mosquitto" / DYNSEC_FILE).write_text('{"clients": [{"user')
        assert DYNSEC_FILE in site.sync().changed
        written = json.loads((tmp_path / "mosquitto" / DYNSEC_FILE).read_text())
        assert [one["username"] for one in written["clients"]] == [
            "ingest-1",
            "server-dynsec",
            "kindly.o1",
            "kindly.p1",
            "kindly.p2",
            "other.p1",
        ]
        assert site.sync().changed == ()


def test_a_broker_kept_by_files_says_that_it_cannot_be_commanded(town: Town, tmp_path: Path) -> None:
    """Broken if a change of way while it runs is silence, or a traceback."""
    need_plugin()
    enrol_all(town)
    with Site(kind="mosquitto", town=town, directory=tmp_path) as site:
        site.start_broker()
        with pytest.raises(ControlError, match="does not let us command it"), control(site):
            raise AssertionError("a broker without the plugin was commanded")
        site.by = "dynsec"
        for _ in range(2):
            assert site.sync().restart == "its configuration changed, and listeners are opened at its start only"
        site.stop_broker()
        site.start_broker()
        assert site.plain(f"{PROVIDER}.p1").connect()
        written = site.sync()
        assert (written.changed, written.restart) == ((), None)


# -- without a broker ------------------------------------------------------------------------------------------------------------


def rows(*names: str) -> list[people.DeviceRow]:
    return [device(name, worker=None) for name in names]


def test_the_roles_say_what_the_topics_rules_say() -> None:
    """Broken if dynamic security and the embedded broker draw the line in different places."""
    name = f"{PROVIDER}.p1"
    rules = dynsec.device_rules(name)
    leaves = ("", "/event", "/receipt", "/run", "/status")
    for topic in (f"popback/v1/{PROVIDER}/{one}{leaf}" for one in ("p1", "p2") for leaf in leaves):
        assert (("publishClientSend", topic) in rules) == topics.may_publish(user=name, topic=topic)
        assert (("publishClientReceive", topic) in rules) == topics.may_receive(user=name, topic=topic)
        assert (("subscribeLiteral", topic) in rules) == topics.may_subscribe(user=name, topic_filter=topic)


def test_commands_for_a_whole_agency_fit_into_the_brokers_packets_in_their_order() -> None:
    """Broken if a first sync of many devices is cut off by the packet limit."""
    commands = [{"command": "createRole", "rolename": f"popback:device:kindly.p{number}"} for number in range(3000)]
    lots = list(dynsec.in_messages(commands))
    assert [command for lot in lots for command in lot] == commands
    assert len(lots) > 1
    assert max(len(json.dumps({"commands": lot})) for lot in lots) < 48_000


def test_from_the_file_to_itself_there_is_nothing_to_do() -> None:
    """Broken if what the file says and what is compared with it differ: every sync would then ask for a restart."""
    wanted = dynsec.wanted(
        devices=[*rows("p1", "p2"), device("gone", worker=None, revoked_at=NINE)],
        servers=[identity.Credential(username="ingest-1", password="x" * 32)],
        share_group="ingest-secret",
    )
    known = dynsec.known_of(json.loads(dynsec.file_text(wanted)))
    found = dynsec.differences(wanted=wanted, known=known)
    assert (found.commands, found.waiting) == ((), ())
    assert f"{PROVIDER}.gone" not in known.clients
    assert ("subscribeLiteral", "$share/ingest-secret/popback/v1/+/+/event") in known.roles["popback:server"]
