"""Alerts of one slot of one visit stand and are acted on together. Not raising them (tests/services/test_watch)."""

import re
from datetime import UTC, timedelta

import pytest
from sqlalchemy.orm import Session, sessionmaker

from evm.services import watch
from evm.store import alerts
from evm.store.alerts import NewAlert
from tests.api import town
from tests.api.conftest import Clock, Reader, csrf
from tests.factories import NINE, PROVIDER


@pytest.fixture
def stages(sessions: sessionmaker[Session], there: town.Town) -> dict[str, int]:
    """The warning and the page before the town's missed alert (1), and a page about the other worker's slot."""
    del there
    rows = [("warn", 0, 10), ("page", 0, 15), ("page", 1, 15)]
    new = [
        NewAlert(
            kind="missed visit",
            key=f"{stage}-{slot}",
            provider=PROVIDER,
            customer="c3",
            visit="v-missed",
            revision=1,
            slot=slot,
            stage=stage,
            risk="time_critical",
            due_at=NINE + timedelta(hours=1, minutes=minutes),
            words=f"Nobody has checked in ({stage}).",
        )
        for stage, slot, minutes in rows
    ]
    with sessions.begin() as session:
        return alerts.add(session, alerts_=new, now=NINE + timedelta(hours=1, minutes=15))


def heads(page: str) -> list[int]:
    return [int(found) for found in re.findall(r'data-alert="(\d+)"', page)]


def test_the_stages_of_a_slot_are_one_row_with_the_highest_on_top(visitor: Reader, stages: dict[str, int]) -> None:
    """Broken: every missed visit would fill three rows, and the page would be unreadable on a bad day; or a second worker's
    absence would hide behind the first's."""
    client = visitor("branch")
    page = client.get("/alerts").text
    assert sorted(heads(page)) == sorted([1, stages["page-1"], 2])
    for other in ("warn-0", "page-0"):
        assert f'href="/alerts/{stages[other]}"' in page
    answer = client.get("/v1/alerts").json()
    assert (answer["matching"], answer["counts"]) == (3, {"open": 2, "acknowledged": 1})
    top = next(each for each in answer["alerts"] if each["alert_id"] == 1)
    assert [other["stage"] for other in top["others"]] == ["page", "warn"]
    assert re.search(r'site-figure">2</span> <strong[^>]*><span[^>]*>●</span>Open', client.get("/").text)


def test_acting_on_one_acts_on_all_and_each_keeps_its_own_history(
    visitor: Reader, stages: dict[str, int], sessions: sessionmaker[Session]
) -> None:
    """Broken: somebody would have to close the same matter three times; or one history would speak for all."""
    client = visitor("branch")
    token = csrf(client.get("/alerts").text)
    assert client.post("/alerts/1/acknowledge", data={"csrf_token": token, "words": "Ringing"}).status_code == 303
    together = (1, stages["warn-0"], stages["page-0"])
    with sessions() as session:
        for alert_id in together:
            assert [entry.act for entry in alerts.history(session, alert_id=alert_id)][-1] == "acknowledged"
        assert alerts.alert(session, alert_id=stages["page-1"]).state == "open", (
            "the other worker's slot is its own matter"
        )
    headers = {"x-csrf-token": client.get("/v1/session").json()["csrf_token"]}
    assert (
        client.post(f"/v1/alerts/{stages['warn-0']}/close", json={"outcome": "She went"}, headers=headers).status_code
        == 200
    )
    with sessions() as session:
        assert {alerts.alert(session, alert_id=each).state for each in together} == {"closed"}
        assert alerts.alert(session, alert_id=1).outcome == "She went"
    assert client.post("/v1/alerts/1/close", json={"outcome": "Again"}, headers=headers).status_code == 409


def test_a_new_stage_after_an_acknowledgement_opens_the_matter_again(
    visitor: Reader, stages: dict[str, int], sessions: sessionmaker[Session], clock: Clock
) -> None:
    """Broken: a missed visit would stay under "acknowledged" because its warning was."""
    with sessions.begin() as session:
        for alert_id in (1, stages["page-0"]):
            watch.close(session, alert_id=alert_id, who="A", outcome="Going", now=clock())
        watch.acknowledge(session, alert_id=stages["warn-0"], who="A", words="", now=clock())
    client = visitor("branch")
    assert stages["warn-0"] in heads(client.get("/alerts?state=acknowledged").text)
    assert 1 not in heads(client.get("/alerts?state=closed").text), "a matter with something left to do is not closed"
    closed = client.get("/alerts/1").text
    assert "Close this alert" not in closed
    assert f'href="/alerts/{stages["warn-0"]}"' in closed


def test_an_alert_says_its_local_day(visitor: Reader, sessions: sessionmaker[Session], clock: Clock) -> None:
    """Broken: in summer an alert of ten past midnight would stand under the day before."""
    at = NINE.replace(month=7, day=1, hour=23, minute=10).astimezone(UTC)
    clock.at = at + timedelta(days=3)
    new = NewAlert(
        kind="assistance", key="s", provider=PROVIDER, customer="c1", risk="standard", due_at=at, words="Help."
    )
    client = visitor("branch")
    with sessions.begin() as session:
        alerts.add(session, alerts_=[new], now=at)
    assert '00:10 <span class="site-quiet">Thursday 2 July 2026' in client.get("/alerts").text
