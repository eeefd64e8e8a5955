"""The committed description of the HTTP API is the one the code gives: a change to the contract is seen in review."""

import json
from pathlib import Path

from tests.api.conftest import Reader

COMMITTED = Path(__file__).parents[2] / "docs" / "api" / "openapi.json"
REMEDY = "run: python -m api.describe > docs/api/openapi.json, and read the difference"


def test_the_committed_description_is_current(visitor: Reader) -> None:
    """Broken: clients would be written against a contract that no longer holds."""
    assert json.loads(COMMITTED.read_text(encoding="utf-8")) == visitor().get("/openapi.json").json(), REMEDY


def test_pages_are_no_part_of_the_contract(visitor: Reader) -> None:
    """Broken: programs would be invited to read pages."""
    paths = visitor().get("/openapi.json").json()["paths"]
    assert all(path.startswith("/v1/") or path in {"/health", "/metrics"} for path in paths)
    assert {
        "/v1/events",
        "/v1/telephony/voice",
        "/v1/visits",
        "/v1/visits/{visit_key}",
        "/v1/alerts",
        "/v1/popbacks",
    } <= set(paths)
