"""Ingest and the broker killed in mid-stream, for real: twenty kills over both brokers. A thousand are `popback chaos ingest --kills 1000`."""

import json

import jsonschema
import pytest

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
