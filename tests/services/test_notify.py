"""The outbox reaches people at least once, under one key, whatever the gateway does."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy.orm import Session, sessionmaker

from evm.domain.evidence import EventKind
from evm.domain.policy import Policy
from evm.gateways.notify import FileGateway, LogGateway, NotSent, UnknownGateway, WebhookGateway, gateway_of
from evm.services import notify, receive
from evm.services.receive import Incoming
from evm.store import alerts, outbox
from tests import factories
from tests.factories import NINE, claim


class Flaky:
    """A gateway that refuses the keys it is told to refuse."""

    name = "flaky"

    def __init__(self, *refused: str) -> None:
        self.refused = set(refused)
        self.seen: list[str] = []

    def send(self, *, key: str, address: str, body: dict[str, Any]) -> None:
        self.seen.append(key)
        if key in self.refused:
            raise NotSent("no answer")


def clock() -> factories.datetime:
    return NINE + timedelta(minutes=1)


def later(seconds: float) -> Callable[[], factories.datetime]:
    return lambda: clock() + timedelta(seconds=seconds)


@pytest.fixture
def alerted(sessions: sessionmaker[Session]) -> sessionmaker[Session]:
    """A database with two alerts waiting to be told."""
    with sessions.begin() as session:
        factories.seed(session)
        items = [Incoming(claim=claim(EventKind.ASSISTANCE), payload=b"{}", channel="mqtt") for _ in range(2)]
        receive.receive(session, items=items, now=NINE, policies=Policy())
    return sessions


def test_each_alert_is_told_once_and_its_history_says_so(alerted: sessionmaker[Session]) -> None:
    """An alert nobody is told of might as well not exist; one told every second is switched off."""
    gateway = Flaky()
    assert notify.drain(sessions=alerted, clock=clock, gateway=gateway) == 2
    assert notify.drain(sessions=alerted, clock=clock, gateway=gateway) == 0
    assert gateway.seen == ["alert:1:raised", "alert:2:raised"]
    with alerted() as session:
        assert [e.act for e in alerts.history(session, alert_id=1)] == ["raised", "told"]


def test_what_the_gateway_refuses_stays_and_does_not_hold_up_the_rest(alerted: sessionmaker[Session]) -> None:
    """One wrong address must not silence a whole provider."""
    gateway = Flaky("alert:1:raised")
    assert notify.drain(sessions=alerted, clock=clock, gateway=gateway) == 1
    gateway.refused.clear()
    assert notify.drain(sessions=alerted, clock=clock, gateway=gateway) == 0, "it waits a little first"
    assert notify.drain(sessions=alerted, clock=later(1), gateway=gateway) == 1
    assert gateway.seen == ["alert:1:raised", "alert:2:raised", "alert:1:raised"]
    with alerted() as session:
        assert outbox.unsent_count(session, channel="notify") == 0


def test_fault_6_dying_after_sending_sends_again_under_the_same_key(alerted: sessionmaker[Session]) -> None:
    """Between sending and noting it there is always a moment to die in: the receiver must be able to tell."""

    class Dying(Flaky):
        def send(self, *, key: str, address: str, body: dict[str, Any]) -> None:
            super().send(key=key, address=address, body=body)
            raise KeyboardInterrupt

    dying = Dying()
    with pytest.raises(KeyboardInterrupt):
        notify.drain(sessions=alerted, clock=clock, gateway=dying)
    again = Flaky()
    assert notify.drain(sessions=alerted, clock=clock, gateway=again) == 0, "the one who died had claimed them"
    assert notify.drain(sessions=alerted, clock=later(notify.CLAIM.total_seconds()), gateway=again) == 2
    assert dying.seen[0] in again.seen
    with alerted() as session:
        assert [e.act for e in alerts.history(session, alert_id=1)] == ["raised", "told"]


def test_nothing_is_locked_while_a_gateway_takes_its_time(alerted: sessionmaker[Session]) -> None:
    """A slow webhook inside a transaction would stop ingest."""

    class Slow(Flaky):
        def send(self, *, key: str, address: str, body: dict[str, Any]) -> None:
            with alerted.begin() as session:
                item = Incoming(claim=claim(), payload=b"{}", channel="mqtt")
                receive.receive(session, items=[item], now=NINE, policies=Policy())

    assert notify.drain(sessions=alerted, clock=clock, gateway=Slow()) == 2


def test_the_file_and_the_log_carry_key_and_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The receiver of either must be able to tell what to do and whether it knows it already."""
    path = tmp_path / "told.jsonl"
    FileGateway(path=path).send(key="k", address="kindly", body={"words": "Nobody came"})
    assert json.loads(path.read_text()) == {"key": "k", "address": "kindly", "body": {"words": "Nobody came"}}
    with pytest.raises(NotSent):
        FileGateway(path=tmp_path / "no" / "such").send(key="k", address="a", body={})
    LogGateway().send(key="k", address="kindly", body={"words": "Nobody came"})
    assert "Nobody came" in capsys.readouterr().out


@pytest.mark.parametrize(("status", "is_sent"), [(204, True), (302, False), (500, False)])
def test_the_webhook_counts_only_a_2xx_as_sent(status: int, is_sent: bool) -> None:
    """A gateway that answers 200-ish pages of its own would swallow alerts."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(status, headers={"location": "http://elsewhere.example/"})

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        gateway = WebhookGateway(url="https://hook.example/", client=client)
        if is_sent:
            gateway.send(key="k", address="kindly", body={})
        else:
            with pytest.raises(NotSent, match=str(status)):
                gateway.send(key="k", address="kindly", body={})
    assert len(seen) == 1
    assert seen[0].headers["idempotency-key"] == "k"


def test_a_webhook_that_does_not_answer_is_not_sent() -> None:
    """A timeout is not a delivery."""

    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("late", request=request)

    with httpx.Client(transport=httpx.MockTransport(answer)) as client, pytest.raises(NotSent, match="ReadTimeout"):
        WebhookGateway(url="https://hook.example/", client=client).send(key="k", address="a", body={})


def test_a_setting_names_its_gateway_or_is_refused(tmp_path: Path) -> None:
    """Alerts sent in the clear over a network, or nowhere because of a typing error, must not start at all."""
    assert isinstance(gateway_of(address="log"), LogGateway)
    assert gateway_of(address=f"file:{tmp_path}/told") == FileGateway(path=tmp_path / "told")
    for url in ("https://hook.example/", "http://127.0.0.1:9000/hook"):
        gateway = gateway_of(address=url)
        assert isinstance(gateway, WebhookGateway)
        assert gateway.url == url
        gateway.client.close()
    for wrong in ("", "file:", "http://hook.example/", "ftp://hook.example/", "sms"):
        with pytest.raises(UnknownGateway):
            gateway_of(address=wrong)
