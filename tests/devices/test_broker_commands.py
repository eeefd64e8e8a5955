"""`popback broker sync` and `popback broker check` as an operator uses them: by files, by dynamic security, once and for good. What Mosquitto
then lets through: test_listeners and test_dynsec."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from api import cli
from api.broker_sync import SyncOptions, check_broker, sync_broker, watch_broker
from api.office import OfficeRefused, enrol_device
from api.phone_file import PhoneFile, read_phone, write_phone
from devices.mosquitto.process import MosquittoProcess, free_port
from devices.phone import Network, PlainClient
from tests.devices.brokers import PASSWORD, enrol_all, eventually, need_mosquitto, need_plugin, now, revoke
from tests.devices.certificates import Authority, Pair
from tests.devices.conftest import Town
from tests.factories import PROVIDER

LONG_PASSWORD = "a password of twenty-four characters or more"


class Office:
    """Somebody at the command line of a site on the town's database, with a Mosquitto of its own."""

    def __init__(self, town: Town, directory: Path) -> None:
        self.town, self.data = town, directory / "data"
        self.database = town.sessions.kw["bind"].url.render_as_string(hide_password=False)
        self.options = SyncOptions(out=directory / "mosquitto", port=free_port())
        self.network = Network()
        self.broker = MosquittoProcess(directory=self.options.out, port=self.options.port)

    def sync(self, **changes: Any) -> dict[str, Any]:
        self.options = replace(self.options, **changes)
        return sync_broker(data=self.data, database=self.database, options=self.options)

    def lets_in(self, device: str, password: str = PASSWORD) -> bool:
        client = PlainClient(
            network=self.network,
            host="127.0.0.1",
            port=self.options.port,
            username=f"{PROVIDER}.{device}",
            password=password,
        )
        try:
            return client.connect(timeout_seconds=1.5)
        finally:
            client.close()

    def stop(self) -> None:
        self.broker.stop()
        self.network.stop()


@pytest.fixture
def office(town: Town, tmp_path: Path) -> Iterator[Office]:
    enrol_all(town)
    office = Office(town, tmp_path)
    yield office
    office.stop()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


def encrypted(pair: Pair, **changes: Any) -> dict[str, Any]:
    return {"tls_cert": pair.certificate, "tls_key": pair.key, "tls_port": free_port(), "host": "127.0.0.1"} | changes


# -- sync -----------------------------------------------------------------------------------------------------------------------


def test_a_sync_says_what_it_changed_and_the_next_that_nothing_did(office: Office) -> None:
    """Broken if an operator cannot tell whether a sync did anything, or each one rewrites everything."""
    first = office.sync(servers=4)
    assert first["changed"] == "passwords, acl, mosquitto.conf"
    users = [line.split(":")[0] for line in (office.options.out / "passwords").read_text().splitlines()]
    assert users[:4] == ["ingest-1", "ingest-2", "ingest-3", "ingest-4"]
    assert office.sync()["changed"] == "nothing"
    revoke(office.town, "p1")
    assert office.sync()["changed"] == "passwords, acl"


@pytest.mark.database("sqlite")
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tls_cert": Path("cert.pem")}, "--tls-cert and --tls-key go together"),
        ({"websockets_port": 8884}, "--websockets-port needs --tls-cert"),
        ({"tls_cert": Path("nowhere.pem"), "tls_key": Path("nowhere.key")}, "nowhere.pem cannot be read"),
        ({"run_as": "nobody-of-that-name"}, "there is no user 'nobody-of-that-name'"),
    ],
)
def test_what_cannot_be_is_refused_with_its_argument_and_nothing_is_written(
    office: Office, changes: dict[str, Any], words: str
) -> None:
    """Broken if a slip ends in a traceback, or in a broker that does not start."""
    with pytest.raises(OfficeRefused, match=words.replace("(", "\\(")):
        office.sync(**changes)
    assert not (office.options.out / "mosquitto.conf").exists()


@pytest.mark.database("sqlite")
def test_listeners_on_one_port_are_refused(office: Office, authority: Authority) -> None:
    """Broken if Mosquitto finds out at its start."""
    pair = authority.sign("server")
    with pytest.raises(OfficeRefused, match="must differ"):
        office.sync(**encrypted(pair, tls_port=8883, websockets_port=8883))


@pytest.mark.database("sqlite")
def test_an_unencrypted_listener_for_the_world_is_spoken_of(office: Office) -> None:
    """Broken if passwords travel in the clear and nobody is told."""
    assert "passwords travel unencrypted" in office.sync(plain_host="0.0.0.0")["warning"]
    assert "warning" not in office.sync(plain_host="::1")
    assert "warning" not in office.sync(plain_host="localhost")


@pytest.mark.database("sqlite")
@pytest.mark.parametrize("left", [b"\xff\xfe\x00", b"", b"no colon\nkindly.p1", b"ingest-1:$7$x"])
def test_what_a_crash_left_of_the_password_file_is_no_obstacle(office: Office, left: bytes) -> None:
    """Broken if a damaged file keeps a revocation from being enforced."""
    office.sync()
    whole = (office.options.out / "passwords").read_text()
    (office.options.out / "passwords").write_bytes(left)
    assert "passwords" in office.sync()["changed"]
    mended = (office.options.out / "passwords").read_text()
    assert [line.split(":")[0] for line in mended.splitlines()] == [line.split(":")[0] for line in whole.splitlines()]


@pytest.mark.database("sqlite")
def test_two_syncs_at_once_take_turns(office: Office) -> None:
    """Broken if a sync by hand and the watching one mix their files: a server's password would not be the one its file says."""
    answers: list[dict[str, Any]] = []
    threads = [threading.Thread(target=lambda: answers.append(office.sync())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(answer["changed"] for answer in answers) == ["nothing"] * 3 + ["passwords, acl, mosquitto.conf"]


@pytest.mark.database("sqlite")
def test_a_directory_of_another_user_is_made_theirs(office: Office) -> None:
    """Broken if Debian's Mosquitto, which is not root, cannot read what root wrote for it."""
    if os.geteuid() != 0:
        with pytest.raises(OfficeRefused, match="only root can write files for daemon"):
            office.sync(run_as="daemon")
        return
    office.sync(run_as="daemon")
    assert {path.owner() for path in (office.options.out, office.options.out / "passwords")} == {"daemon"}
    assert "\nuser daemon\n" in (office.options.out / "mosquitto.conf").read_text()
    assert office.sync()["changed"] == "nothing"


@pytest.mark.mosquitto
@pytest.mark.database("sqlite")
def test_fault_32_the_watching_sync_cuts_a_revoked_phone_off_and_ends_when_told(office: Office) -> None:
    """Broken if enforcing a revocation needs a person at the command line, or the service cannot be stopped."""
    need_mosquitto()
    command = [sys.executable, "-m", "api.cli", "broker", "sync", "--watch", "--every", "1"]
    place = ["--data", str(office.data), "--database", office.database, "--out", str(office.options.out)]
    watching = subprocess.Popen(
        [*command, *place, "--port", str(office.options.port)],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert eventually((office.options.out / "mosquitto.conf").exists, seconds=30)
        office.broker.start()
        client = PlainClient(
            network=office.network,
            host="127.0.0.1",
            port=office.options.port,
            username=f"{PROVIDER}.p1",
            password=PASSWORD,
        )
        assert client.connect()
        revoke(office.town, "p1")
        assert eventually(lambda: not client.connected, seconds=15)
        client.close()
    finally:
        watching.send_signal(signal.SIGTERM)
        said = watching.communicate(timeout=20)[1]
    assert watching.returncode == 0, said
    assert said.count("Mosquitto has new passwords, acl\n") == 1


@pytest.mark.database("sqlite")
def test_the_watching_sync_speaks_of_each_thing_once_and_goes_on_through_trouble(
    office: Office, authority: Authority
) -> None:
    """Broken if a log fills with the same sentence, or a certificate's renewal gone wrong stops revocations."""
    pair = authority.sign("server", days=5)
    office.options = replace(office.options, **encrypted(pair))
    said: list[str] = []
    stop = threading.Event()
    watching = threading.Thread(
        target=lambda: watch_broker(
            data=office.data,
            database=office.database,
            options=office.options,
            every_seconds=0.05,
            stop=stop,
            say=said.append,
        )
    )
    watching.start()
    try:
        assert eventually(lambda: len(said) == 2)
        pair.certificate.write_text("half writ")
        assert eventually(lambda: len(said) == 3)
        revoke(office.town, "p1")
        assert eventually(lambda: len(said) == 4)
        stop.wait(0.3)
    finally:
        stop.set()
        watching.join(timeout=10)
    assert said[0] == "Mosquitto has new passwords, acl, mosquitto.conf, certificate.pem, key.pem"
    assert "renew it" in said[1]
    assert "no certificate and key in PEM form" in said[2]
    assert said[3:] == ["Mosquitto has new passwords, acl"]


def test_the_watching_sync_goes_on_when_the_database_is_away_or_forbidden_for_a_while(office: Office) -> None:
    """Broken if a restore (tables replaced, rights given anew a moment later) ends the process that shuts lost phones out."""
    said: list[str] = []
    stop = threading.Event()
    watching = threading.Thread(
        target=lambda: watch_broker(
            data=office.data,
            database=office.database,
            options=office.options,
            every_seconds=0.05,
            stop=stop,
            say=said.append,
        )
    )
    watching.start()
    engine = office.town.sessions.kw["bind"]
    try:
        assert eventually(lambda: len(said) == 1)
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE devices RENAME TO devices_away"))
        assert eventually(lambda: len(said) == 2)
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE devices_away RENAME TO devices"))
        revoke(office.town, "p1")
        assert eventually(lambda: len(said) == 3)
    finally:
        stop.set()
        watching.join(timeout=10)
    assert said[1].startswith("the database cannot be used just now (")
    assert said[2] == "Mosquitto has new passwords, acl"


# -- dynamic security -----------------------------------------------------------------------------------------------------------


@pytest.mark.mosquitto
def test_by_dynamic_security_a_phone_enrolled_while_the_broker_runs_may_connect_at_once(office: Office) -> None:
    """Broken if each new phone costs a restart of the broker, or is let in only after one."""
    need_plugin()
    assert office.sync(by="dynsec")["changed"] == "mosquitto.conf, dynamic-security.json"
    office.broker.start()
    enrolled = enrol_device(
        data=office.data,
        database=office.database,
        provider=PROVIDER,
        device="new",
        device_type="popback_v1",
        worker="w1",
    )
    assert enrolled["broker"] == "the device may connect now"
    assert office.lets_in("new", enrolled["password"])
    assert office.sync()["changed"] == "nothing"
    revoke(office.town, "new")
    assert office.sync()["changed"] == "1 access rules and clients"
    assert not office.lets_in("new", enrolled["password"])


@pytest.mark.mosquitto
@pytest.mark.database("sqlite")
def test_an_enrolment_that_the_broker_did_not_hear_of_says_so_and_the_restart_command_heals_it(
    office: Office, tmp_path: Path
) -> None:
    """Broken if a broker that is down loses a phone's credential, or the operator has to find out by the phone."""
    need_plugin()
    office.sync(by="dynsec")
    enrolled = enrol_device(
        data=office.data,
        database=office.database,
        provider=PROVIDER,
        device="new",
        device_type="popback_v1",
        worker="w1",
    )
    assert "run popback broker sync --by dynsec" in enrolled["broker"]
    office.broker.start()
    marker = tmp_path / "restarted"
    answer = office.sync(restart_command=f"touch {marker}")
    assert marker.exists()
    assert "restart" not in answer
    office.broker.stop()
    office.broker.start()
    assert office.lets_in("new", enrolled["password"])


@pytest.mark.mosquitto
@pytest.mark.database("sqlite")
@pytest.mark.parametrize(
    ("command", "words"),
    [("false", "ended with 1"), ("no-such-program-here x", "cannot be run"), ("", "cannot be run")],
)
def test_a_restart_that_fails_is_named(office: Office, command: str, words: str) -> None:
    """Broken if the sync says all is well while Mosquitto runs on with what it had."""
    need_mosquitto()
    office.sync()
    office.broker.start()
    with pytest.raises(OfficeRefused, match=words):
        office.sync(plain_host="127.0.0.2", restart_command=command)
    assert "restart Mosquitto: its configuration changed" in office.sync(restart_command=None)["restart"]
    office.broker.stop()
    office.broker.host = "127.0.0.2"
    office.broker.start()
    assert "restart" not in office.sync()


# -- check ------------------------------------------------------------------------------------------------------------------------


def check(pair: Pair, *ports: int, days_later: float = 0.0) -> dict[str, Any]:
    return check_broker(
        out=Path("mosquitto"),
        tls_cert=pair.certificate,
        tls_key=pair.key,
        now=now() + timedelta(days=days_later),
        host="127.0.0.1",
        ports=ports,
    )


@pytest.mark.parametrize(
    ("days_later", "state", "words"),
    [
        (0.0, "good", "good until"),
        (59.9, "good", "good until"),
        (60.5, "warning", "in 29 days: renew it"),
        (83.5, "warning", "in 6 days"),
        (88.5, "warning", "in 1 day:"),
        (89.5, "warning", "in less than a day"),
        (90.5, "wrong", "no phone connects until it is renewed"),
        (-1.0, "wrong", "is not valid before"),
    ],
)
def test_fault_31_a_certificates_end_is_told_a_month_before(
    authority: Authority, days_later: float, state: str, words: str
) -> None:
    """Broken if the first sign of an expired certificate is that no phone connects."""
    answer = check(authority.sign("server", days=90), days_later=days_later)
    assert answer["state"] == state
    assert words in answer["words"]
    assert answer["names"] == "localhost, 127.0.0.1"


@pytest.mark.parametrize(("days", "code"), [(90, 0), (20, 1), (-1, 2)])
def test_the_checks_exit_code_and_object_are_for_programs(authority: Authority, days: int, code: int) -> None:
    """Broken if a daily job cannot tell good from bad, or meets other keys than the schema's."""
    pair = authority.sign("server", days=days)
    arguments = ["--tls-cert", str(pair.certificate), "--tls-key", str(pair.key), "--json"]
    said = CliRunner().invoke(cli.app, ["broker", "check", *arguments])
    assert said.exit_code == code, said.stderr
    schema = Path(cli.__file__).parent / "schema" / "broker_check.json"
    jsonschema.validate(json.loads(said.stdout), json.loads(schema.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda pair, other: Pair(pair.certificate, other.key), "is not the key of"),
        (lambda pair, other: Pair(pair.certificate.with_suffix(".gone"), pair.key), "cannot be read"),
        (lambda pair, other: Pair(pair.key, pair.key), "no certificate and key in PEM form"),
        (lambda pair, other: Pair(pair.certificate, pair.certificate), "no certificate and key in PEM form"),
    ],
)
def test_files_that_cannot_serve_are_named(authority: Authority, spoil: Any, words: str) -> None:
    """Broken if the operator has to read OpenSSL's words, or a traceback."""
    with pytest.raises(OfficeRefused, match=words):
        check(spoil(authority.sign("server"), authority.sign("other")))


def test_a_certificate_without_names_is_wrong(authority: Authority) -> None:
    """Broken if a certificate that every phone refuses is called good."""
    answer = check(authority.sign("server", names=""))
    assert (answer["state"], answer["words"]) == ("wrong", "the certificate names no host: no phone accepts it")


@pytest.mark.mosquitto
@pytest.mark.database("sqlite")
def test_a_listener_that_shows_another_certificate_than_the_file_is_found(office: Office, authority: Authority) -> None:
    """Broken if a renewed certificate that the websockets listener has not read looks renewed until the old one ends."""
    need_mosquitto()
    websockets_port = free_port()
    office.sync(**encrypted(authority.sign("server"), websockets_port=websockets_port))
    office.broker.start()
    renewed = authority.sign("renewed")
    assert (
        "websockets listener shows the old" in office.sync(tls_cert=renewed.certificate, tls_key=renewed.key)["restart"]
    )
    assert eventually(lambda: check(renewed, office.options.tls_port)["state"] == "good")
    answer = check(renewed, office.options.tls_port, websockets_port)
    assert (answer["state"], answer["words"]) == (
        "wrong",
        f"127.0.0.1:{websockets_port} shows another certificate: restart Mosquitto",
    )
    assert "shows no certificate" in check(renewed, office.options.port)["words"]


# -- the phone's file -------------------------------------------------------------------------------------------------------------


def carried(**changes: Any) -> PhoneFile:
    fields: dict[str, Any] = {
        "provider": PROVIDER,
        "device": "p1",
        "worker": "w1",
        "password": PASSWORD,
        "host": "127.0.0.1",
        "port": 8883,
        "tls": True,
    }
    return PhoneFile(**(fields | changes))


def test_a_phones_file_is_read_as_it_was_written_by_its_owner_alone(tmp_path: Path) -> None:
    """Broken if a credential on disk is everybody's, or a field is lost on the way."""
    phone = carried(ca_pem="-----BEGIN CERTIFICATE-----\n", transport="websockets")
    path = tmp_path / "phone.json"
    write_phone(phone, path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_phone(tmp_path) == read_phone(path) == phone


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": 0},
        {"port": "8883"},
        {"host": ""},
        {"transport": "pigeon"},
        {"device": "P 1"},
        {"clock_shift_seconds": "x"},
        {"ca_pem": 3},
    ],
)
def test_a_field_that_cannot_be_in_a_phones_file_is_named(tmp_path: Path, wrong: dict[str, Any]) -> None:
    """Broken if a slip in the file ends in a traceback inside the phone."""
    write_phone(carried(**wrong), tmp_path / "phone.json")
    with pytest.raises(ValueError, match=next(iter(wrong))):
        read_phone(tmp_path)


@contextlib.contextmanager
def ingest(office: Office, *, broker: str, **environment: str) -> Iterator[None]:
    """`popback serve ingest` as a process of its own."""
    command = [sys.executable, "-m", "api.cli", "serve", "ingest", "--broker", broker]
    running = subprocess.Popen(
        [*command, "--data", str(office.data), "--database", office.database],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        yield
    finally:
        running.terminate()
        running.communicate(timeout=20)


def check_in(file: Path) -> str:
    """`popback phone check-in`; answers the event's state."""
    command = [sys.executable, "-m", "api.cli", "phone", "check-in", "--phone", str(file), "--tag", "tag-c1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return dict(line.split(maxsplit=1) for line in done.stdout.splitlines() if " " in line.strip())["state"]


@pytest.mark.mosquitto
@pytest.mark.database("sqlite")
def test_phone_and_ingest_both_over_tls_as_on_machines_of_their_own(
    office: Office, authority: Authority, tmp_path: Path
) -> None:
    """Broken if a phone handed a file cannot use it, or ingest can only speak unencrypted."""
    need_mosquitto()
    office.sync(**encrypted(authority.sign("server")))
    office.broker.start()
    file, trusted = tmp_path / "phone" / "phone.json", tmp_path / "trusted.pem"
    write_phone(carried(port=office.options.tls_port, ca_pem=authority.pem), file)
    trusted.write_text(authority.pem)
    with ingest(office, broker=f"mqtts://127.0.0.1:{office.options.tls_port}", SSL_CERT_FILE=str(trusted)):
        assert check_in(file) == "received"


@pytest.mark.mosquitto
@pytest.mark.database("sqlite")
def test_popback_phone_says_why_it_cannot_connect(office: Office, authority: Authority, tmp_path: Path) -> None:
    """Broken if a certificate that the phone does not trust shows as a mere 'saved on phone'."""
    need_mosquitto()
    office.sync(**encrypted(authority.sign("server")))
    office.broker.start()
    stranger = Authority(tmp_path / "other", name="stranger")
    file = tmp_path / "phone" / "phone.json"
    write_phone(carried(port=office.options.tls_port, ca_pem=stranger.pem), file)
    state = check_in(file)
    assert state.startswith("saved on phone")
    assert "signed by nobody we trust" in state
