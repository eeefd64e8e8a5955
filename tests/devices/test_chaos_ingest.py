"""Ingest and the broker killed in mid-stream, for real: twenty kills over both brokers. A thousand are `popback chaos ingest --kills 1000`."""

import json

import jsonschema
import pytest
from typer.testing import CliRunner

from api import cli
from simulations.chaos import ingest
from tests.devices.brokers import KINDS, need_mosquitto


@pytest.mark.slow
@pytest.mark.parametrize("broker", KINDS)
def test_ten_kills_amid_a_thousand_events_lose_nothing_and_double_nothing(broker: ingest.BrokerKind) -> None:
    """Broken if an acknowledgement, a receipt or a cleared outbox ever comes before the commit."""
    if broker == "mosquitto":
        need_mosquitto()
    result = ingest.run(kills=10, events=1000, broker=broker)
    assert (result["kills"], result["lost"], result["doubled"]) == (10, 0, 0)
    assert result["events"] >= 1000
    assert result["minutes_stored"] == result["minutes_expected"] > 0
    schema = json.loads((ingest.ROOT / "api" / "schema" / "chaos_ingest.json").read_text(encoding="utf-8"))
    jsonschema.validate(result, schema)


@pytest.mark.slow
def test_the_command_prints_one_object_that_fits_its_schema() -> None:
    """Broken if a script that reads the command's output meets other keys, or words beside them."""
    said = CliRunner().invoke(
        cli.app, ["chaos", "ingest", "--kills", "2", "--events", "100", "--broker", "embedded", "--json"]
    )
    assert said.exit_code == 0, said.stderr
    schema = json.loads((ingest.ROOT / "api" / "schema" / "chaos_ingest.json").read_text(encoding="utf-8"))
    jsonschema.validate(json.loads(said.stdout), schema)
    assert json.loads(said.stdout)["kills"] == 2
