"""Figures for Prometheus: behind a token, and without anybody's name."""

from sqlalchemy.orm import Session, sessionmaker

from api.app import create_app
from api.settings import Settings
from tests.api import town
from tests.api.conftest import BASE, Clock, Reader, TestClient


def test_metrics_need_the_token_or_an_administrator(
    visitor: Reader, sessions: sessionmaker[Session], clock: Clock
) -> None:
    """Broken: anybody could read how many alerts are open; or Prometheus, which cannot sign in, could not."""
    app = create_app(sessions=sessions, ingest=None, clock=clock, settings=Settings(metrics_token="psst"))
    client = TestClient(app, base_url=BASE)
    assert client.get("/metrics", headers={"authorization": "Bearer psst"}).status_code == 200
    for header in ("", "Bearer ", "Bearer wrong", "psst "):
        assert client.get("/metrics", headers={"authorization": header}).status_code == 401
    assert visitor("admin").get("/metrics").status_code == 200
    assert visitor().get("/metrics", headers={"authorization": "Bearer "}).status_code == 401, "no token is configured"


def test_metrics_count_and_name_nobody(visitor: Reader) -> None:
    """Broken: a figure nobody can trust, or personal data in a monitoring system."""
    text = visitor("admin").get("/metrics").text
    assert "popback_evidence_events 6.0" in text
    assert "popback_alerts_unclosed 3.0" in text
    assert town.email("branch") not in text
    assert "c1" not in text
