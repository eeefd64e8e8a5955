"""What services want sent to phones goes down at least once, in order, and nothing else goes."""

from typing import Any

import pytest

from devices import downlink
from evm.store import outbox
from evm.store.outbox import DOWN, OutboxRow
from tests.devices.conftest import Town
from tests.factories import NINE


class Wire:
    """Stands for the broker: takes messages while it is up."""

    def __init__(self, *, capacity: int = 100) -> None:
        self.capacity = capacity
        self.sent: list[tuple[str, bytes, bool]] = []

    def __call__(self, *, topic: str, message: bytes, retain: bool = False) -> bool:
        if len(self.sent) >= self.capacity:
            return False
        self.sent.append((topic, message, retain))
        return True


def row(number: int, **changes: Any) -> OutboxRow:
    values: dict[str, Any] = {
        "channel": DOWN,
        "key": f"run:{number}",
        "address": f"kindly/p{number}",
        "body": {"kind": "run", "v": 1, "version": number, "hash": "a" * 64},
        "created_at": NINE,
    }
    return OutboxRow(**(values | changes))


def drain(town: Town, wire: Wire) -> int:
    with town.sessions.begin() as session:
        return downlink.drain(session, now=NINE, publish=wire)


def waiting(town: Town) -> int:
    with town.sessions() as session:
        return outbox.unsent_count(session, channel=DOWN)


def test_a_run_notice_goes_down_retained_and_once(town: Town) -> None:
    """Broken if a phone that was off never learns of its run, or hears of it for ever."""
    with town.sessions.begin() as session:
        outbox.add(session, rows=[row(1), row(2)])
    wire = Wire()
    assert drain(town, wire) == 2
    assert drain(town, wire) == 0
    assert [(topic, retain) for topic, _, retain in wire.sent] == [
        ("popback/v1/kindly/p1/run", True),
        ("popback/v1/kindly/p2/run", True),
    ]
    assert wire.sent[0][1] == b'{"v":1,"version":1,"hash":"' + b"a" * 64 + b'"}'


def test_without_a_connection_everything_waits(town: Town) -> None:
    """Broken if what could not be sent counts as sent."""
    with town.sessions.begin() as session:
        outbox.add(session, rows=[row(number) for number in range(1, 6)])
    assert drain(town, Wire(capacity=2)) == 2
    assert waiting(town) == 3
    assert drain(town, Wire()) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"address": "kindly"},
        {"address": "kindly/#"},
        {"body": {"kind": "song"}},
        {"body": {"kind": "run", "name": "Mrs Example"}},
    ],
)
def test_what_is_no_run_notice_is_not_sent_and_blocks_nothing(town: Town, change: dict[str, Any]) -> None:
    """Broken if personal data could go into a retained message, or one bad row stops all runs."""
    with town.sessions.begin() as session:
        outbox.add(session, rows=[row(1, **change), row(2)])
    wire = Wire()
    assert drain(town, wire) == 1
    assert [topic for topic, _, _ in wire.sent] == ["popback/v1/kindly/p2/run"]
