"""A server for the demo in one process: database, embedded broker, ingest. Not the site, and not `popback serve`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session, sessionmaker

from devices import identity
from devices.broker import EmbeddedBroker
from devices.ingest import Ingest
from devices.mqtt import IngestClient
from evm.domain.policy import Policy
from evm.store.database import open_engine, session_factory
from simulations.clock import SimulatedClock, challenges
from simulations.run import demo_clock


@dataclass(frozen=True, slots=True, kw_only=True)
class InProcessServer:
    sessions: sessionmaker[Session]
    clock: SimulatedClock
    policy: Policy
    ingest: Ingest
    broker_host: str
    broker_port: int
    telephony_url: str | None = None
    telephony_token: str = ""


@contextmanager
def serving(*, directory: Path, database_url: str, seed: int, scenario=None) -> Iterator[InProcessServer]:
    """Everything the demo needs, on free ports, stopped afterwards."""
    engine = open_engine(url=database_url)
    sessions = session_factory(engine)
    clock = demo_clock(scenario=scenario)
    policy = Policy()
    ingest = Ingest(sessions=sessions, clock=clock.now, policy=policy, new_challenge=challenges(seed=seed))
    credential = identity.server_credential(directory=directory, name="ingest-1")
    broker = EmbeddedBroker(sessions=sessions, servers=[credential], host="127.0.0.1", port=0)
    broker.start()
    client = IngestClient(
        host="127.0.0.1",
        port=broker.port,
        client_id=credential.username,
        password=credential.password,
        ingest=ingest,
        share_group=None,
        persistent=False,
    )
    try:
        assert client.start(timeout_seconds=10)
        yield InProcessServer(
            sessions=sessions,
            clock=clock,
            policy=policy,
            ingest=ingest,
            broker_host="127.0.0.1",
            broker_port=broker.port,
        )
    finally:
        client.stop()
        broker.stop()
        engine.dispose()
