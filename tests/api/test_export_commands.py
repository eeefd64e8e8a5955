"""`popback export …` from the command line: whole files or none, who took them, and refusals with their remedy."""

import csv
import json
from pathlib import Path

import pytest
from icalendar import Calendar
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker
from typer.testing import CliRunner, Result

from api import export_office
from api.cli import app
from evm.services.exports import tables
from evm.store.tables.transfers import calendar_addresses, exports_made
from tests.services.passing import at, reconciled, said, settle, stay

DAYS = ("--since", "2026-11-02", "--until", "2026-11-09")


@pytest.fixture
def seeded(sessions: sessionmaker[Session]) -> sessionmaker[Session]:
    with sessions.begin() as session:
        settle(session)
        said(session, *stay(at(2), 30), *stay(at(3), 20))
        reconciled(session)
    return sessions


def run(database_url: str, tmp_path: Path, *arguments: str) -> Result:
    where = ["--database", database_url, "--data", str(tmp_path / "kept")]
    return CliRunner().invoke(app, ["export", *arguments, *where], catch_exceptions=False)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_payroll_comes_with_the_lines_it_is_made_of(
    seeded: sessionmaker[Session], database_url: str, tmp_path: Path
) -> None:
    """Broken: a clerk could not check a sum, or nobody could say who took the file."""
    sums, lines = tmp_path / "sums.csv", tmp_path / "lines.csv"
    done = run(
        database_url, tmp_path, "payroll", *DAYS, "--provider", "kindly", "--out", str(sums), "--lines", str(lines)
    )
    assert (done.exit_code, "payroll: 1 rows" in done.stderr) == (0, True)
    assert [(row["worker"], row["contact_minutes"]) for row in rows(sums)] == [("w1", "50")]
    assert [row["contact_minutes"] for row in rows(lines)] == ["30", "20"]
    with seeded() as session:
        noted = session.execute(
            select(exports_made.c.name, exports_made.c.rows).order_by(exports_made.c.export_id)
        ).all()
    assert [tuple(row) for row in noted] == [("payroll", 1), ("payroll-lines", 2)]


def test_actuals_go_to_standard_output_unless_a_file_is_named(
    seeded: sessionmaker[Session], database_url: str, tmp_path: Path
) -> None:
    """Broken: a pipe would get progress between its rows."""
    done = run(database_url, tmp_path, "actuals", *DAYS, "--council", "manchester")
    found = list(csv.DictReader(done.stdout.splitlines()))
    assert (done.exit_code, len(found), sum(int(row["actual_minutes"]) for row in found)) == (0, 14, 50)
    weeks = tmp_path / "weeks.csv"
    assert run(database_url, tmp_path, "commissioned", *DAYS, "--out", str(weeks), "--excel").exit_code == 0
    assert weeks.read_bytes().startswith(b"\xef\xbb\xbf")
    assert [row["actual_minutes"] for row in rows(weeks)] == ["50", "0"]


@pytest.mark.database("sqlite")
def test_a_stopped_export_leaves_no_file(
    seeded: sessionmaker[Session], database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: half a file would look like a whole one."""

    def stopped(*_args: object, **_kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(export_office, "csv_text", stopped)
    out = tmp_path / "out"
    out.mkdir()
    done = run(database_url, tmp_path, "actuals", *DAYS, "--out", str(out / "a.csv"))
    assert (done.exit_code, list(out.iterdir())) == (130, [])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("payroll", *DAYS, "--provider", "nobody"), "--provider 'nobody' is not known here; there are bright, kindly"),
        (("actuals", "--since", "2026-11-02", "--until", "2026-11-02"), "--until must be after since"),
        (("actuals", "--since", "02.11.2026", "--until", "2026-11-09"), "--since '02.11.2026' is no day"),
        (("actuals", *DAYS, "--out", "/nowhere/at/all.csv"), "cannot be written"),
        (("run-calendar", *DAYS, "--worker", "w77"), "--worker 'w77' is no care worker"),
        (("visit-calendar", *DAYS, "--customer", "c77"), "--customer 'c77' is no customer"),
        (("calendar-address",), "name one: --worker or --customer"),
        (("calendar-address", "--worker", "w1", "--customer", "c1"), "name one: --worker or --customer"),
    ],
)
@pytest.mark.database("sqlite")
def test_what_cannot_be_exported_is_refused_with_its_option(
    seeded: sessionmaker[Session], database_url: str, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    """Broken: somebody would be shown Python's innards, or an empty file."""
    done = run(database_url, tmp_path, *arguments)
    assert (done.exit_code, words in done.stderr) == (2, True), done.stderr


def test_calendars_go_to_files_and_to_secret_addresses(
    seeded: sessionmaker[Session], database_url: str, tmp_path: Path
) -> None:
    """Broken: a calendar program could read neither, or an address could not be taken back."""
    file = tmp_path / "run.ics"
    assert run(database_url, tmp_path, "run-calendar", *DAYS, "--worker", "w1", "--out", str(file)).exit_code == 0
    assert len(Calendar.from_ical(file.read_bytes()).walk("VEVENT")) == 7
    made = json.loads(run(database_url, tmp_path, "calendar-address", "--customer", "c1", "--json").stdout)
    token = made["address"].removeprefix("http://127.0.0.1:8080/calendar/").removesuffix(".ics")
    assert len(token) == 32
    with seeded() as session:
        assert token not in str(session.execute(select(calendar_addresses)).all())
    ended = run(database_url, tmp_path, "calendar-address", "--customer", "c1", "--revoke", "--json")
    assert json.loads(ended.stdout)["addresses_revoked"] == 1


def test_every_table_has_its_command() -> None:
    """Broken: a table that the site gives could not be had for a whole county."""
    listed = CliRunner().invoke(app, ["export", "--help"]).stdout
    assert all(name.removesuffix("-lines") in listed for name in tables.NAMES)
