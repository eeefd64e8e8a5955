"""The chaos commands' refusals. Not their runs (test_chaos_alerts, test_chaos_ingest, test_chaos_processes)."""

import pytest
from sqlalchemy.orm import Session, sessionmaker
from typer.testing import CliRunner

from api import cli
from devices.mosquitto import process
from tests import factories

COMMANDS = ("ingest", "alerts", "processes")


def refused(*arguments: str) -> str:
    said = CliRunner().invoke(cli.app, ["chaos", *arguments])
    assert said.exit_code == 2
    assert said.stdout == ""
    assert "Traceback" not in said.stderr
    return said.stderr


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("database", ["nonsense", "postgresql+psycopg://nobody:psst@127.0.0.1:9/none"])
def test_a_database_that_cannot_be_used_is_refused_in_a_sentence(command: str, database: str) -> None:
    """Broken when a slip in the URL ends in a traceback, or prints the password in it."""
    said = refused(command, "--kills", "1", "--database", database)
    assert "--database" in said
    assert "psst" not in said


@pytest.mark.parametrize("command", COMMANDS)
def test_a_database_that_holds_something_is_left_alone(
    command: str, database_url: str, sessions: sessionmaker[Session]
) -> None:
    """Broken when a run for trying out faults writes its made-up people into a site's database."""
    with sessions.begin() as session:
        factories.seed(session)
    assert "not empty" in refused(command, "--kills", "1", "--database", database_url)


def test_a_machine_without_mosquitto_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken when the default broker's absence ends in a traceback."""
    monkeypatch.setattr(process, "program", lambda: None)
    assert "apt install mosquitto" in refused("processes", "--kills", "1")
