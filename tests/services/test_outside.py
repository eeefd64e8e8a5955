"""Telling the outside world when it fails, hangs or answers late: over real HTTP, to a server of our own."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm import Session, sessionmaker

from evm.gateways import notify as gateways
from evm.gateways.notify import NotAnswered, NotifyGateway, NotSent, gateway_of
from evm.services import notify
from evm.store import outbox
from evm.store.outbox import OutboxRow
from simulations.outside import Outside
from tests.factories import NINE


def at(seconds: float) -> datetime:
    return NINE + timedelta(seconds=seconds)


@pytest.fixture
def outside() -> Iterator[Outside]:
    with Outside() as world:
        yield world


@pytest.fixture
def gateway(outside: Outside) -> Iterator[NotifyGateway]:
    made = gateway_of(address=outside.url)
    assert isinstance(made, gateways.WebhookGateway)
    with made.client:
        yield made


def put(sessions: sessionmaker[Session], *, address: str, count: int = 1) -> None:
    rows = [
        OutboxRow(channel=outbox.NOTIFY, key=f"{address}-{n}", address=address, body={"words": "x"}, created_at=NINE)
        for n in range(count)
    ]
    with sessions.begin() as session:
        outbox.add(session, rows=rows)


def unsent(sessions: sessionmaker[Session]) -> int:
    with sessions() as session:
        return outbox.unsent_count(session, channel=outbox.NOTIFY)


def test_fault_33_a_failing_gateway_is_told_again_under_the_same_key(
    sessions: sessionmaker[Session], outside: Outside, gateway: NotifyGateway
) -> None:
    """Broken when a 500 counts as told, or the second attempt looks to the receiver like another alert."""
    put(sessions, address="a")
    outside.manner = "fails"
    assert notify.drain(sessions=sessions, clock=lambda: at(0), gateway=gateway) == 0
    outside.manner = "accepts"
    assert notify.drain(sessions=sessions, clock=lambda: at(0), gateway=gateway) == 0, "after a pause"
    assert notify.drain(sessions=sessions, clock=lambda: at(1), gateway=gateway) == 1
    assert [telling.key for telling in outside.asked] == ["a-0", "a-0"]
    assert unsent(sessions) == 0


def test_the_pause_between_attempts_grows_to_a_minute(
    sessions: sessionmaker[Session], outside: Outside, gateway: NotifyGateway
) -> None:
    """Broken when a gateway that is down is asked every second by everybody, or forgotten for an hour."""
    put(sessions, address="a")
    outside.manner = "fails"
    tried = []
    for second in range(260):
        before = len(outside.asked)
        notify.drain(sessions=sessions, clock=lambda now=at(second): now, gateway=gateway)
        if len(outside.asked) > before:
            tried.append(second)
    assert tried == [0, 1, 3, 7, 15, 31, 63, 123, 183, 243]


def test_fault_33_an_address_where_nobody_answers_delays_no_other(
    sessions: sessionmaker[Session], outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken when twenty alerts to a dead address stand before everybody else's, each waiting out its time."""
    monkeypatch.setattr(gateways, "_PATIENCE", 0.5)
    gateway = gateway_of(address=outside.url)
    put(sessions, address="dead", count=200)
    put(sessions, address="alive", count=3)
    outside.manners = {"dead": "hangs"}
    assert notify.drain(sessions=sessions, clock=lambda: at(0), gateway=gateway) == 3
    assert sum(telling.address == "dead" for telling in outside.asked) == 1, "one waits in vain, the rest with it"
    assert set(outside.times_taken()) == {"alive-0", "alive-1", "alive-2"}
    gateway.client.close()


def test_a_gateway_that_takes_it_and_answers_too_late_is_told_again_under_the_same_key(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken when no answer counts as told; the receiver, who has it, can tell by the key."""
    monkeypatch.setattr(gateways, "_PATIENCE", 0.2)
    outside.manner, outside.late_seconds = "late", 1.0
    gateway = gateway_of(address=outside.url)
    for _ in range(2):
        with pytest.raises(NotAnswered):
            gateway.send(key="k", address="a", body={})
    assert outside.times_taken() == {"k": 2}
    gateway.client.close()


def test_nobody_at_the_address_is_no_answer_and_a_refusal_is_one(outside: Outside, gateway: NotifyGateway) -> None:
    """Broken when one message that is refused keeps all others to its address back, or a dead address does not."""
    outside.manner = "fails"
    with pytest.raises(NotSent) as refused:
        gateway.send(key="k", address="a", body={})
    assert not isinstance(refused.value, NotAnswered)
    nobody = gateway_of(address="http://127.0.0.1:9/told")
    with pytest.raises(NotAnswered):
        nobody.send(key="k", address="a", body={})
    nobody.client.close()
