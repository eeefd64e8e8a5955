"""`popback database …` on both databases: what it answers, and what it refuses with which words. Not the migrations themselves
(tests/store)."""

from pathlib import Path

import pytest
from sqlalchemy import make_url
from typer.testing import CliRunner

from api.cli import app
from api.parts import PartsRefused, open_parts
from evm.store.database import newest_revision, open_engine
from tests.databases import MakeDatabase


def popback(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["database", *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


def test_an_empty_database_is_migrated_checked_and_taken_back(make_database: MakeDatabase, tmp_path: Path) -> None:
    """An operator would not know where the schema stands, or lose what is in it by a mistyped command."""
    where = ("--data", str(tmp_path / "data"), "--database", make_database(migrated=False))
    assert popback("check", *where)[::2] == (
        2,
        f"popback: the schema is at nothing and this version's is {newest_revision()}: run popback database migrate\n",
    )
    assert '"schema": "current"' in popback("migrate", *where, "--json")[1]
    assert popback("migrate", *where)[0] == 0
    assert '"rows_outside_months": 0' in popback("check", *where, "--json")[1]
    code, _, said = popback("downgrade", "--to", "0001", *where)
    assert code == 2
    assert "make a backup" in said
    assert '"schema": "older"' in popback("downgrade", "--to", "0001", "--yes", *where, "--json")[1]
    assert popback("check", *where)[0] == 2
    assert not (tmp_path / "data").exists()


def test_a_schema_that_says_it_is_current_and_is_not_is_found_out(database_url: str) -> None:
    """A table lost to a half-restored backup would be noticed by the first care worker instead."""
    engine = open_engine(url=database_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE popback_requests")
    engine.dispose()
    code, _, said = popback("check", "--database", database_url)
    assert code == 2
    assert "differs in" in said
    assert "popback_requests" in said


def test_a_revision_nobody_knows_is_refused(database_url: str) -> None:
    """A traceback would leave the operator to guess whether anything was changed."""
    code, _, said = popback("downgrade", "--to", "4711", "--yes", "--database", database_url)
    assert code == 2
    assert "4711" in said
    assert len(said.splitlines()) == 1
    assert popback("check", "--database", database_url)[0] == 0


@pytest.mark.database("sqlite")
def test_roles_are_refused_where_there_are_none(database_url: str) -> None:
    """SQLite has no roles, and silence would look like protection."""
    code, _, said = popback("roles", "--database", database_url)
    assert code == 2
    assert "permissions" in said


@pytest.mark.database("postgresql")
def test_roles_are_printed_and_applied_and_a_server_of_that_role_starts(database_url: str, tmp_path: Path) -> None:
    """What a database administrator reads before running it must be what is run."""
    name = str(make_url(database_url).database)[-40:]
    chosen = ("--app", f"a_{name}", "--reader", f"r_{name}", "--database", database_url)
    printed = popback("roles", *chosen)[1].splitlines()
    assert printed[:2] == [f"CREATE ROLE a_{name} LOGIN;", f"CREATE ROLE r_{name} LOGIN;"]
    assert all(line.endswith(";") for line in printed)
    assert not any("UPDATE" in line for line in printed if " evidence" in line or ".evidence" in line)
    assert '"roles_made": 2' in popback("roles", "--apply", "--json", *chosen)[1]
    assert popback("roles", *chosen)[1].splitlines() == printed[2:]
    engine = open_engine(url=database_url)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER ROLE a_{name} PASSWORD 'only a test'")
    app_url = make_url(database_url).set(username=f"a_{name}", password="only a test")
    there = app_url.render_as_string(hide_password=False)
    parts = open_parts(data=tmp_path / "data", database=there)
    parts.engine.dispose()
    assert popback("downgrade", "--to", "0002", "--yes", "--database", database_url)[0] == 0
    with pytest.raises(PartsRefused, match="run popback database migrate as the owner"):
        open_parts(data=tmp_path / "data", database=there)
    code, _, said = popback("downgrade", "--to", "0001", "--yes", "--database", there)
    assert code == 2
    assert "connect as the owner" in said
    with engine.begin() as connection:
        for role in (f"a_{name}", f"r_{name}"):
            connection.exec_driver_sql(f"DROP OWNED BY {role}")
            connection.exec_driver_sql(f"DROP ROLE {role}")
    engine.dispose()


@pytest.mark.parametrize("command", [("migrate",), ("check",), ("downgrade", "--to", "0001", "--yes"), ("roles",)])
@pytest.mark.parametrize(
    "database", ["rubbish", "file:/nowhere/at/all", "mysql://u@h/x", "sqlite:////nowhere/at/all.db"]
)
def test_a_database_that_cannot_be_opened_ends_in_one_sentence(command: tuple[str, ...], database: str) -> None:
    """A traceback says nothing to an operator, and may show a password."""
    code, _, said = popback(*command, "--database", database)
    assert code == 2
    assert said.startswith("popback: ")
    assert len(said.splitlines()) == 1


@pytest.mark.database("postgresql")
def test_a_server_that_is_down_is_said_in_one_line_without_the_password(database_url: str) -> None:
    """libpq's words run over several lines, and the URL has a password in it."""
    gone = make_url(database_url).set(password="hush", query={"host": "/nowhere"})
    code, _, said = popback("check", "--database", gone.render_as_string(hide_password=False))
    assert code == 2
    assert len(said.splitlines()) == 1
    assert "cannot be opened" in said
    assert "hush" not in said
