"""What an empty machine begins with, from the command line: councils, providers, devices with their files, accounts. Not what follows from them."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from api import auth
from api.office import Broker, OfficeRefused, add_account, enrol_device
from api.phone_file import PhoneFile, read_phone
from api.register import (
    add_council,
    add_provider,
    disable_account,
    list_accounts,
    list_councils,
    list_devices,
    reset_account,
    revoke_device,
)
from devices import identity
from evm.store import accounts, people
from evm.store.database import open_engine, session_factory
from tests import factories
from tests.devices.certificates import Authority

ROOT = Path(__file__).parent.parent.parent
PASSWORD = "a long pass phrase"


@pytest.fixture
def office(database_url: str, tmp_path: Path) -> dict[str, Any]:
    """An empty machine: its data directory and its database."""
    return {"data": tmp_path / "data", "database": database_url}


def popback(*arguments: str, cwd: Path, words: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "api.cli", *arguments],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        input=words,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_council_and_a_provider_are_added_once(office: dict[str, Any]) -> None:
    """Broken if an empty machine cannot be begun with, or a slip makes two of one council."""
    assert add_council(**office, council="north", name=" North Council ") == {
        "council": "north",
        "name": "North Council",
    }
    assert list_councils(**office) == [{"council": "north", "name": "North Council"}]
    with pytest.raises(OfficeRefused, match="council 'north' already"):
        add_council(**office, council="north", name="Another")
    add_provider(**office, provider="kindly", name="Kindly")
    with pytest.raises(OfficeRefused, match="provider 'kindly' already"):
        add_provider(**office, provider="kindly", name="Kindly")


@pytest.mark.database("sqlite")
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"council": "North"}, "COUNCIL 'North' is no id"),
        ({"council": ""}, "COUNCIL '' is no id"),
        ({"council": "n" * 33}, "at most 32"),
        ({"name": " "}, "--name is empty"),
        ({"name": "x" * 201}, "longer than 200"),
        ({"name": "a\x00b"}, "cannot be shown"),
    ],
)
def test_what_is_wrong_with_a_council_is_named(office: dict[str, Any], wrong: dict[str, str], words: str) -> None:
    """Broken if an id that no topic can carry, or a name that no page can show, gets in by the first command of all."""
    with pytest.raises(OfficeRefused, match=words):
        add_council(**(office | {"council": "north", "name": "North"} | wrong))


def test_an_account_that_is_disabled_is_signed_in_to_by_nobody_until_it_is_reset(office: dict[str, Any]) -> None:
    """Broken if somebody who has left still sees customers' homes, or cannot be let in again."""
    add_account(**office, email="a@example.org", name="A", role="admin", council=None, provider=None, password=PASSWORD)
    assert list_accounts(**office)[0]["state"] == "open"
    disable_account(**office, email=" A@example.org")
    (shown,) = list_accounts(**office)
    assert shown["state"] == "disabled"
    assert "password" not in str(shown)
    assert not matches(office, PASSWORD)
    reset_account(**office, email="a@example.org", password="another long pass phrase")
    assert list_accounts(**office)[0]["state"] == "open"
    assert matches(office, "another long pass phrase")
    with pytest.raises(OfficeRefused, match=r"no account 'b@example.org'.*account list"):
        disable_account(**office, email="b@example.org")
    with pytest.raises(OfficeRefused, match="12 to 1024 characters"):
        reset_account(**office, email="a@example.org", password="short")


def matches(office: dict[str, Any], password: str) -> bool:
    engine = open_engine(url=office["database"])
    with session_factory(engine)() as session:
        account = accounts.account_of_email(session, email="a@example.org")
    engine.dispose()
    assert account is not None
    return bool(auth._hasher.verify(password, account.password_hash))


def seed(office: dict[str, Any]) -> None:
    engine = open_engine(url=office["database"])
    with session_factory(engine).begin() as session:
        factories.seed(session, workers=[factories.worker("w1")], devices=[])
    engine.dispose()


def test_a_phones_file_holds_all_it_needs_for_its_owner_alone(office: dict[str, Any], tmp_path: Path) -> None:
    """Broken if a phone cannot be handed its credential, or everybody on the machine may read it."""
    seed(office)
    ca = tmp_path / "ca.pem"
    ca.write_text(Authority(tmp_path / "authority").pem)
    path = tmp_path / "phone" / "phone.json"
    answer = enrol_device(
        **office,
        provider="kindly",
        device="p1",
        device_type="popback_v1",
        worker="w1",
        phone_file=path,
        broker=Broker(host="care.example.org", port=8883, ca=ca),
    )
    assert "password" not in answer
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    phone = read_phone(path.parent)
    assert (phone.provider, phone.device, phone.worker, phone.host, phone.tls) == (
        "kindly",
        "p1",
        "w1",
        "care.example.org",
        True,
    )
    assert phone.trust is not None
    assert phone.trust.context().cert_store_stats()["x509_ca"] == 1
    engine = open_engine(url=office["database"])
    with session_factory(engine)() as session:
        assert identity.verify(session, username="kindly.p1", password=phone.password) is not None
    engine.dispose()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"worker": None}, "name who carries it by --worker"),
        ({"phone_file": "taken"}, "is there already"),
        ({"phone_file": "taken/phone.json"}, "cannot be written.*nothing was enrolled"),
        ({"broker": Broker(ca=Path("/nowhere/ca.pem"))}, "--ca /nowhere/ca.pem cannot be read"),
        ({"broker": Broker(ca=Path(__file__))}, "is no authority's PEM file"),
        ({"password": "short"}, "--password-stdin: a device's password has at least 24"),
    ],
)
def test_a_phones_file_that_cannot_be_written_enrols_nothing(
    office: dict[str, Any], tmp_path: Path, wrong: dict[str, Any], words: str
) -> None:
    """Broken if a device is enrolled whose password nobody will ever see."""
    seed(office)
    (tmp_path / "taken").write_text("here")
    given: dict[str, Any] = {"worker": "w1", "phone_file": "phone/phone.json"} | wrong
    given["phone_file"] = tmp_path / given["phone_file"]
    with pytest.raises(OfficeRefused, match=words):
        enrol_device(**office, provider="kindly", device="p1", device_type="popback_v1", **given)
    assert list_devices(**office, provider=None) == []


def test_devices_are_listed_and_revoked_once(office: dict[str, Any]) -> None:
    """Broken if a lost phone's credential cannot be ended, or nobody can see which there are."""
    seed(office)
    enrol_device(**office, provider="kindly", device="p1", device_type="popback_v1", worker="w1")
    (row,) = list_devices(**office, provider="kindly")
    assert (row["username"], row["worker"], row["revoked_at"], row["stored_up_to"]) == ("kindly.p1", "w1", None, None)
    assert list_devices(**office, provider="other") == []
    assert revoke_device(**office, provider="kindly", device="p1")["state"] == "revoked"
    assert list_devices(**office, provider=None)[0]["revoked_at"] is not None
    with pytest.raises(OfficeRefused, match=r"revoked already.*device list"):
        revoke_device(**office, provider="kindly", device="p1")


def test_a_device_may_keep_the_password_it_has(office: dict[str, Any]) -> None:
    """Broken if, after a restore that does not know them, every new phone has to be fetched in to be given another password."""
    seed(office)
    password = identity.new_password()
    enrol_device(**office, provider="kindly", device="p1", device_type="popback_v1", worker="w1", password=password)
    engine = open_engine(url=office["database"])
    with session_factory(engine)() as session:
        assert identity.verify(session, username="kindly.p1", password=password) is not None
        assert len(people.devices(session)) == 1
    engine.dispose()


def test_passwords_come_by_standard_input_and_never_by_the_command_line(tmp_path: Path) -> None:
    """Broken if a script has to put a password where every user of the machine can read it, or hangs at a question."""
    done = popback(
        *("account", "add", "a@example.org", "--name", "A", "--role", "admin", "--password-stdin", "--data", "d"),
        cwd=tmp_path,
        words=f"{PASSWORD}\n",
    )
    assert done.returncode == 0, done.stderr
    empty = popback("account", "reset", "a@example.org", "--password-stdin", "--data", "d", cwd=tmp_path)
    assert empty.returncode == 2
    assert "standard input is empty" in empty.stderr
    listed = popback("account", "list", "--json", "--data", "d", cwd=tmp_path)
    assert [one["email"] for one in json.loads(listed.stdout)["accounts"]] == ["a@example.org"]


def test_the_databases_url_may_stand_in_a_file(tmp_path: Path) -> None:
    """Broken if a password has to stand in a unit or a process list for want of another way."""
    (tmp_path / "url").write_text(f"sqlite:///{tmp_path / 'there.sqlite3'}\n")
    done = popback("council", "list", "--data", "d", "--database", "file:url", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "there.sqlite3").exists()
    missing = popback("council", "list", "--data", "d", "--database", "file:nowhere", cwd=tmp_path)
    assert missing.returncode == 2
    assert "the file cannot be read" in missing.stderr


def test_a_phones_file_of_the_demo_still_reads(tmp_path: Path) -> None:
    """Broken if a phone's file written before TLS was known is a phone's file no more."""
    old = {"provider": "kindly", "device": "p1", "worker": "w1", "password": "x", "host": "127.0.0.1", "port": 1}
    old |= {"clock_shift_seconds": 2.5, "visit": "v", "customer": "c1", "tag": "t"}
    (tmp_path / "phone.json").write_text(json.dumps(old))
    assert read_phone(tmp_path) == PhoneFile(**old)  # type: ignore[arg-type]
    assert read_phone(tmp_path).trust is None


def test_what_root_writes_into_popbacks_directory_is_popbacks(tmp_path: Path) -> None:
    """Broken if a broker's sync or a restore that runs as root locks the servers out of their own credentials."""
    data = tmp_path / "data"
    data.mkdir()
    owner = 65534 if os.geteuid() == 0 else os.geteuid()  # only root gives files away
    os.chown(data, owner, -1)
    done = popback("broker", "sync", "--data", str(data), "--out", str(tmp_path / "out"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    secrets = sorted((data / "secrets").iterdir())
    assert {path.name for path in secrets} >= {"server-credentials.json", ".server-credentials.json.lock"}
    assert {path.stat().st_uid for path in [data / "secrets", *secrets]} == {owner}
