"""A small town with devices, and an ingest with a clock that stands. Not the brokers (tests/devices/brokers.py)."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm import Session, sessionmaker

from devices.ingest import Ingest, Received, Reply
from devices.messages import v1
from evm.domain.evidence import Evidence
from evm.domain.people import Provider
from evm.domain.policy import Policy
from evm.store import evidence, ingest_state, people
from evm.store.evidence import StoredEvent
from evm.store.ingest_state import Quarantined
from tests import factories
from tests.factories import NINE, PROVIDER


@dataclass
class Clock:
    """Says what it is told to."""

    now: datetime = NINE + timedelta(seconds=5)

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Town:
    """A provider with two customers, two workers and their devices, and the way into its database."""

    sessions: sessionmaker[Session]
    clock: Clock
    ingest: Ingest
    replies: list[Reply] = field(default_factory=list)

    def take(self, *batch: Received) -> v1.Receipt:
        """Hand in a batch of one device and give its receipt."""
        replies = self.ingest.take(batch)
        self.replies += replies
        assert len(replies) == 1
        return replies[0].receipt

    def stored(self) -> tuple[StoredEvent, ...]:
        with self.sessions() as session:
            return evidence.events(session)

    def evidence(self) -> list[Evidence]:
        return [row.evidence for row in self.stored()]

    def quarantined(self) -> tuple[Quarantined, ...]:
        with self.sessions() as session:
            return ingest_state.quarantined(session)


def seed_town(session: Session) -> None:
    """c1 and c2 a kilometre apart, c3 and c4 a couple on one line; w1 with a phone and a number, w2 with OwnTracks and a PIN; another provider."""
    factories.seed(
        session,
        customers=[
            factories.customer("c1", landlines=("+441614960001",)),
            factories.customer("c2", home=factories.home(1000), landlines=("+441614960002",)),
            factories.customer("c3", home=factories.home(2000), landlines=("+441614960003",), landline_code="3"),
            factories.customer("c4", home=factories.home(2000), landlines=("+441614960003",), landline_code="4"),
        ],
        workers=[factories.worker("w1", dialled_number="+441614960101"), factories.worker("w2", pin="4711")],
        devices=[
            factories.device("p1", worker="w1"),
            factories.device("p2", worker="w2"),
            factories.device("o1", worker="w2", device_type="owntracks"),
            factories.device("old", worker="w2", revoked_at=NINE - timedelta(days=1)),
        ],
    )
    people.add_providers(session, providers=[Provider(provider_id="other", name="Other Care")])
    people.add_devices(session, devices=[factories.device("p1", worker=None, provider="other")])


@pytest.fixture
def town(sessions: sessionmaker[Session]) -> Town:
    with sessions.begin() as session:
        seed_town(session)
    clock = Clock()
    ingest = Ingest(sessions=sessions, clock=clock, policy=Policy(), new_challenge=numbered_challenges())
    return Town(sessions=sessions, clock=clock, ingest=ingest)


def numbered_challenges() -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: f"challenge-{next(numbers)}"


__all__ = ["PROVIDER", "Clock", "Town", "seed_town"]
