"""Credentials of devices and servers, and the files a Mosquitto reads. Who may use which topic: test_messages and test_transports."""

import os
import re
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy.orm import Session, sessionmaker

from devices import identity, mosquitto
from devices.identity import UnknownServerError, hash_password, matches, server_credential, verify
from devices.mosquitto.process import program
from tests.devices.brokers import PASSWORD, enrol_all, need_mosquitto
from tests.devices.conftest import Town
from tests.factories import NINE, PROVIDER


def test_a_password_matches_its_own_hash_only() -> None:
    """Broken if any other password opens the door."""
    hashed = hash_password("one")
    assert matches(password="one", password_hash=hashed)
    assert not matches(password="two", password_hash=hashed)
    assert hash_password("one") != hashed


@pytest.mark.parametrize(
    "form", ["", "plain", "$6$101$c2FsdA==$aGFzaA==", "$7$x$c2FsdA==$aGFzaA==", "$7$101$none$none"]
)
def test_a_hash_in_another_form_matches_nothing(form: str) -> None:
    """Broken if a damaged hash lets everybody in or stops the broker."""
    assert not matches(password="one", password_hash=form)


@pytest.mark.mosquitto
def test_mosquittos_own_hashes_are_ours(tmp_path: Path) -> None:
    """Broken if one hash does not serve both brokers."""
    need_mosquitto()
    path = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(path), "someone", "one"], check=True, capture_output=True)
    assert matches(password="one", password_hash=path.read_text().strip().split(":", 1)[1])


def test_enrolling_gives_the_password_once(sessions: sessionmaker[Session], town: Town) -> None:
    """Broken if the password can be read again later, or does not work."""
    with sessions.begin() as session:
        password = identity.enrol(
            session, provider=PROVIDER, device="p9", device_type="popback_v1", worker="w1", now=NINE
        )
    with sessions() as session:
        row = verify(session, username=f"{PROVIDER}.p9", password=password)
        assert row is not None
        assert password not in row.password_hash
        assert verify(session, username=f"{PROVIDER}.p9", password=password + "x") is None


@pytest.mark.parametrize(
    "name", [f"{PROVIDER}.old", f"{PROVIDER}.nobody", PROVIDER, "", "a.b.c", f"{PROVIDER}.p1\n", "ingest-1"]
)
def test_no_other_name_is_a_device(town: Town, name: str) -> None:
    """Broken if a revoked, unknown or malformed name is let in."""
    enrol_all(town)
    with town.sessions() as session:
        assert verify(session, username=name, password=PASSWORD) is None


@pytest.mark.parametrize(
    ("provider", "device"), [("Kindly", "p1"), ("kindly", "p 1"), ("kindly", "a" * 33), ("kindly", "p.1")]
)
def test_ids_that_cannot_stand_in_a_topic_are_not_enrolled(session: Session, provider: str, device: str) -> None:
    """Broken if a device's id can reach into another's topic."""
    with pytest.raises(ValueError, match="ids"):
        identity.enrol(session, provider=provider, device=device, device_type="popback_v1", worker=None, now=NINE)


def test_a_servers_credential_is_made_once_and_readable_by_us_alone(tmp_path: Path) -> None:
    """Broken if each start locks the last process out, or anybody can read the file."""
    first = server_credential(directory=tmp_path, name="ingest-1")
    assert server_credential(directory=tmp_path, name="ingest-1") == first
    assert server_credential(directory=tmp_path, name="ingest-2") != first
    assert stat.S_IMODE((tmp_path / identity.CREDENTIALS_FILE).stat().st_mode) == 0o600
    assert [server.username for server in identity.server_credentials(directory=tmp_path)] == ["ingest-1", "ingest-2"]


def test_processes_that_start_at_once_know_each_others_credentials(tmp_path: Path) -> None:
    """Broken if ingest and broker, started together on a new directory, each make a password and never meet."""
    names = [f"ingest-{number}" for number in range(8)] * 2
    with ThreadPoolExecutor(max_workers=len(names)) as pool:
        given = list(pool.map(lambda name: server_credential(directory=tmp_path, name=name), names))
    assert sorted(set(given), key=lambda made: made.username) == list(identity.server_credentials(directory=tmp_path))


def test_the_share_group_is_one_for_all_servers_and_none_that_a_device_could_guess(tmp_path: Path) -> None:
    """Broken if two ingest processes store everything twice, or a phone can join them."""
    group = identity.share_group(directory=tmp_path / "a")
    assert identity.share_group(directory=tmp_path / "a") == group
    assert identity.share_group(directory=tmp_path / "b") != group
    assert re.fullmatch(r"ingest-[0-9a-f]{24}", group)
    password = server_credential(directory=tmp_path / "a", name="ingest-1").password
    assert password not in group


def test_a_sync_after_a_crash_of_mosquitto_signals_no_stranger(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken if SIGHUP, which ends most programs, goes to whoever now has the dead Mosquitto's number."""
    signalled: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, _: signalled.append(pid))
    (tmp_path / mosquitto.PID_FILE).write_text(f"{os.getpid()}\n")
    with town.sessions() as session:
        mosquitto.write_files(session, directory=tmp_path, servers=[])
        assert signalled == []
        (tmp_path / mosquitto.PID_FILE).write_text("")
        mosquitto.write_files(session, directory=tmp_path, servers=[])
    assert signalled == []


@pytest.mark.parametrize("name", ["admin", "ingest-1.p1", "INGEST-1", "", "kindly.p1"])
def test_only_servers_names_get_server_credentials(tmp_path: Path, name: str) -> None:
    """Broken if a device's name can be given a server's rights."""
    with pytest.raises(UnknownServerError):
        server_credential(directory=tmp_path, name=name)


def test_mosquittos_files_name_enrolled_devices_only_and_are_private(town: Town, tmp_path: Path) -> None:
    """Broken if a revoked device keeps its rules, or anybody can read the hashes."""
    servers = [server_credential(directory=tmp_path, name="ingest-1")]
    with town.sessions() as session:
        paths = mosquitto.write_files(session, directory=tmp_path / "mosquitto", servers=servers).paths
    text = {path.name: path.read_text() for path in paths}
    users = [line.split(":")[0] for line in text["passwords"].splitlines()]
    assert users == ["ingest-1", "kindly.o1", "kindly.p1", "kindly.p2", "other.p1"]
    assert "old" not in text["acl"]
    assert "#" not in text["acl"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}


def test_writing_mosquittos_files_again_changes_nothing(town: Town, tmp_path: Path) -> None:
    """Broken if every sync rewrites the files and makes the broker read them for nothing."""
    servers = [server_credential(directory=tmp_path, name="ingest-1")]
    contents = []
    for _ in range(2):
        with town.sessions() as session:
            paths = mosquitto.write_files(session, directory=tmp_path / "mosquitto", servers=servers).paths
        contents.append([(path.read_bytes(), path.stat().st_mtime_ns) for path in paths])
    assert contents[0] == contents[1]


def test_the_shipped_configuration_is_as_strict_as_the_protocol_says(tmp_path: Path) -> None:
    """Broken if a setting that protocol.md relies on is dropped from the template."""
    text = mosquitto.configuration(directory=tmp_path, host="127.0.0.1", port=1883)
    for line in (
        "allow_anonymous false",
        "use_username_as_clientid true",
        "max_packet_size 65536",
        "message_size_limit 65536",
        "set_tcp_nodelay true",
        "max_queued_messages 100000",
        "autosave_interval 1",
        "listener 1883 127.0.0.1",
    ):
        assert line in text.splitlines()
    assert "$" not in text


def test_a_certificate_opens_listeners_to_the_world(tmp_path: Path) -> None:
    """Broken if TLS and websockets cannot be switched on."""
    tls = mosquitto.TlsFiles(
        port=8883, websockets_port=8884, certificate=tmp_path / "cert.pem", key=tmp_path / "key.pem"
    )
    text = mosquitto.configuration(directory=tmp_path, host="127.0.0.1", port=1883, tls=tls)
    assert "listener 8883" in text
    assert "protocol websockets" in text
    assert text.count("certfile") == 2


def test_every_listener_takes_the_user_name_for_the_client_id_and_nothing_opens_another(tmp_path: Path) -> None:
    """Broken if a setting of listeners stands before the first: Mosquitto then opens 0.0.0.0:1883 besides, and guards none of ours."""
    tls = mosquitto.TlsFiles(port=8883, websockets_port=8884, certificate=tmp_path / "c", key=tmp_path / "k")
    text = mosquitto.configuration(directory=tmp_path, host="127.0.0.1", port=1883, tls=tls)
    before, *listeners = re.split(r"^listener ", text, flags=re.MULTILINE)
    assert "\nuse_username_as_clientid" not in before
    assert [part.split()[0] for part in listeners] == ["1883", "8883", "8884"]
    assert all("\nuse_username_as_clientid true\n" in part for part in listeners)


def test_the_program_is_found_or_none() -> None:
    """Broken if a machine without Mosquitto gets an error instead of a skip."""
    found = program()
    assert found is None or Path(found).exists()
