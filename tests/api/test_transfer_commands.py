"""`popback provider transfer` from the command line: preview, order, credentials, undoing. Not what passing means
(tests/services/test_transfers.py)."""

import json
import stat
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy.orm import Session, sessionmaker
from typer.testing import CliRunner, Result

from api.cli import app
from api.parts import wall_clock
from devices import identity
from evm.domain.ids import ProviderId
from evm.domain.people import Provider
from evm.store import money, people
from tests import factories
from tests.domain.billing import bills

NEW = ProviderId("bright")
TODAY = wall_clock().date()


@pytest.fixture
def seeded(sessions: sessionmaker[Session]) -> sessionmaker[Session]:
    with sessions.begin() as session:
        factories.seed(session)
        people.add_providers(session, providers=[Provider(provider_id=NEW, name="Bright Care")])
        deal = bills.agreement(council=factories.COUNCIL, provider=NEW, effective_from=date(2020, 1, 1))
        money.add_agreements(session, agreements=[deal])
    return sessions


def run(database_url: str, tmp_path: Path, *arguments: str, on: date = TODAY + timedelta(days=10)) -> Result:
    common = ["--from", "kindly", "--to", "bright", "--on", on.isoformat(), "--database", database_url]
    return CliRunner().invoke(
        app, ["provider", "transfer", *common, "--data", str(tmp_path / "kept"), *arguments], catch_exceptions=False
    )


def provider_of(sessions: sessionmaker[Session]) -> str:
    with sessions() as session:
        found = people.customer(session, customer_id="c1")
        assert found is not None
        return found.provider_id


def test_a_preview_names_everybody_and_writes_nothing(
    seeded: sessionmaker[Session], database_url: str, tmp_path: Path
) -> None:
    """Broken: whoever looks first would have done it."""
    done = run(database_url, tmp_path, "--dry-run", "--json")
    found = json.loads(done.stdout)
    assert (done.exit_code, found["customers"], found["workers"], found["devices"]) == (
        0,
        ["c1: Customer c1"],
        ["w1: Worker w1"],
        ["p1"],
    )
    assert json.loads(list_of(database_url, tmp_path).stdout) == {"transfers": []}


def list_of(database_url: str, tmp_path: Path) -> Result:
    arguments = ["provider", "transfers", "--json", "--database", database_url, "--data", str(tmp_path / "kept")]
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_an_order_writes_credentials_that_work_for_its_owner_alone(
    seeded: sessionmaker[Session], database_url: str, tmp_path: Path
) -> None:
    """Broken: passwords would be readable by everybody on the machine, or would open nothing."""
    file = tmp_path / "phones.json"
    done = run(database_url, tmp_path, "--credentials", str(file), "--json")
    assert (done.exit_code, json.loads(done.stdout)["devices_enrolled"]) == (0, 1)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (one,) = json.loads(file.read_text())
    assert one["username"] == "bright.p1"
    with seeded() as session:
        held = identity.verify(session, username=one["username"], password=one["password"])
        assert held is not None
        assert held.worker == "w1"
    again = run(database_url, tmp_path, "--credentials", str(file), "--json")
    assert (again.exit_code, json.loads(again.stdout)["already"]) == (0, True)
    undone = run(database_url, tmp_path, "--cancel", "--json")
    assert json.loads(undone.stdout)["devices_revoked"] == 1
    with seeded() as session:
        assert identity.verify(session, username=one["username"], password=one["password"]) is None


def test_a_day_that_has_come_is_applied_at_once(
    seeded: sessionmaker[Session], database_url: str, tmp_path: Path
) -> None:
    """Broken: the command would answer, and nothing would pass until a server runs."""
    done = run(database_url, tmp_path, "--credentials", str(tmp_path / "new.json"), "--json", on=TODAY)
    assert json.loads(done.stdout)["state"] == "applied"
    assert provider_of(seeded) == NEW


def test_a_credentials_file_that_is_there_refuses_everything(
    seeded: sessionmaker[Session], database_url: str, tmp_path: Path
) -> None:
    """Broken: half of it would be done, or another file lost."""
    file = tmp_path / "phones.json"
    file.write_text("mine")
    done = run(database_url, tmp_path, "--credentials", str(file))
    assert done.exit_code == 2
    assert "is there already: name a new file" in done.stderr
    assert file.read_text() == "mine"
    assert json.loads(list_of(database_url, tmp_path).stdout) == {"transfers": []}
    assert "--credentials is needed" in run(database_url, tmp_path).stderr


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("c1\nC 2\n", "line 2: 'C 2' is no id"),
        ("c1\n\nc1\n", "line 3: c1 stands on line 1 already"),
        ("c1\nc7\n", "--customers c7 is none of kindly"),
    ],
)
@pytest.mark.database("sqlite")
def test_a_wrong_line_of_a_file_is_named(
    seeded: sessionmaker[Session], database_url: str, tmp_path: Path, lines: str, words: str
) -> None:
    """Broken: somebody would look through five hundred lines for the one that is wrong."""
    file = tmp_path / "customers.txt"
    file.write_text(lines)
    done = run(database_url, tmp_path, "--customers", str(file))
    assert done.exit_code == 2
    assert words in done.stderr
    assert provider_of(seeded) == factories.PROVIDER


@pytest.mark.database("sqlite")
def test_a_day_that_is_none_is_refused(seeded: sessionmaker[Session], database_url: str, tmp_path: Path) -> None:
    """Broken: 05/11/2026 would be the eleventh of May."""
    common = ["--from", "kindly", "--to", "bright", "--on", "05/11/2026", "--database", database_url]
    done = CliRunner().invoke(app, ["provider", "transfer", *common, "--data", str(tmp_path / "kept")])
    assert (done.exit_code, "write it as 2026-11-05" in done.stderr) == (2, True)
    assert provider_of(seeded) == factories.PROVIDER
