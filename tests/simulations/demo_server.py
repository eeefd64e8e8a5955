"""A server for the demo in one process: database, broker of either kind, ingest. Not the site, and not `popback serve`."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session, sessionmaker

from devices import identity
from devices.broker import EmbeddedBroker
from devices.ingest import Ingest
from devices.mosquitto import write_files
from devices.mosquitto.process import MosquittoProcess, free_port
from devices.mqtt import IngestClient
from evm.domain.policy import Policy
from evm.store.database import open_engine, session_factory
from simulations.clock import SimulatedClock, challenges
from simulations.run import demo_clock
from tests.devices.brokers import need_mosquitto


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
    tell_broker: Callable[[], None] = lambda: None


@contextmanager
def serving(
    *, directory: Path, database_url: str, seed: int, scenario=None, broker: str = "embedded"
) -> Iterator[InProcessServer]:
    """Everything the demo needs, on free ports, stopped afterwards."""
    with ExitStack() as stack:
        engine = open_engine(url=database_url)
        stack.callback(engine.dispose)
        sessions = session_factory(engine)
        clock = demo_clock(scenario=scenario)
        policy = Policy()
        ingest = Ingest(sessions=sessions, clock=clock.now, policy=policy, new_challenge=challenges(seed=seed))
        credential = identity.server_credential(directory=directory, name="ingest-1")
        running: EmbeddedBroker | MosquittoProcess
        if broker == "embedded":
            running = EmbeddedBroker(sessions=sessions, servers=[credential], host="127.0.0.1", port=0)
        else:
            need_mosquitto()
            running = MosquittoProcess(directory=directory / "mosquitto", port=free_port())

        def tell() -> None:
            if isinstance(running, MosquittoProcess):
                with sessions() as session:
                    write_files(session, directory=running.directory, servers=[credential], port=running.port)

        tell()
        running.start()
        stack.callback(running.stop)
        client = IngestClient(
            host="127.0.0.1",
            port=running.port,
            client_id=credential.username,
            password=credential.password,
            ingest=ingest,
            share_group=None if broker == "embedded" else identity.share_group(directory=directory),
            persistent=broker != "embedded",
        )
        stack.callback(client.stop)
        assert client.start(timeout_seconds=10)
        yield InProcessServer(
            sessions=sessions,
            clock=clock,
            policy=policy,
            ingest=ingest,
            broker_host="127.0.0.1",
            broker_port=running.port,
            tell_broker=tell,
        )
