"""The watch is killed in mid-work, over and over: every alert comes, once, and is told."""

import json

import jsonschema
import pytest
from typer.testing import CliRunner

from api import cli
from simulations.chaos import alerts


@pytest.mark.slow
def test_twenty_kills_of_the_watch_lose_no_alert_and_double_none() -> None:
    """A deadline that fell due while the watch was dead, or half judged, would be an absence nobody hears of."""
    found = alerts.run(kills=20)
    assert found["kills"] == 20
    assert found["due"] >= 20 * found["kills"]
    assert (found["missing"], found["doubled"], found["unsent"]) == (0, 0, 0)
    assert found["duplicate_share"] <= 0.01


@pytest.mark.slow
def test_the_command_prints_one_object_that_fits_its_schema() -> None:
    """Broken if a script that reads the command's output meets other keys, or words beside them."""
    said = CliRunner().invoke(cli.app, ["chaos", "alerts", "--kills", "2", "--json"])
    assert said.exit_code == 0, said.stderr
    schema = json.loads((alerts.ROOT / "api" / "schema" / "chaos_alerts.json").read_text(encoding="utf-8"))
    jsonschema.validate(json.loads(said.stdout), schema)
    assert json.loads(said.stdout)["kills"] == 2
