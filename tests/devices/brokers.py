"""A broker of either kind for a test, with ingest behind it. Not the town's people (conftest)."""

import contextlib
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Self

import pytest
from sqlalchemy import text

from devices import identity, mosquitto
from devices.broker import EmbeddedBroker
from devices.identity import Credential
from devices.ingest import Ingest
from devices.mosquitto.configuration import By, PluginMissingError, find_plugin
from devices.mosquitto.dynsec_sync import sync_dynsec
from devices.mosquitto.process import MosquittoProcess, free_port, program
from devices.mqtt import IngestClient
from devices.phone import Network, Phone, PlainClient
from devices.tls import Tls
from evm.domain.policy import Policy
from evm.store import evidence, people
from evm.store.evidence import StoredEvent
from tests.devices.certificates import Authority, Pair
from tests.devices.conftest import Town
from tests.factories import PROVIDER

KINDS = [
    pytest.param("embedded", id="embedded"),
    pytest.param("mosquitto", id="mosquitto", marks=pytest.mark.mosquitto),
]
PASSWORD = "correct horse battery staple"
Listener = Literal["plain", "tls", "websockets"]
LISTENERS: tuple[Listener, ...] = ("plain", "tls", "websockets")


def need_mosquitto() -> None:
    """Skip without the program, unless everything is required."""
    if program() is None:
        if os.environ.get("POPBACK_REQUIRE_ALL") == "1":
            pytest.fail("mosquitto is not installed, and POPBACK_REQUIRE_ALL=1")
        pytest.skip("mosquitto is not installed")


def need_plugin() -> None:
    """Skip without Mosquitto's dynamic-security plugin, unless everything is required."""
    need_mosquitto()
    try:
        find_plugin()
    except PluginMissingError as error:
        if os.environ.get("POPBACK_REQUIRE_ALL") == "1":
            pytest.fail(f"{error}, and POPBACK_REQUIRE_ALL=1")
        pytest.skip(str(error))


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Site:
    """A broker, an ingest client and phones, on the town's database; everything is stopped at the end.

    Clients come by `listener`; other than the plain one they need a Mosquitto and `authority`, which signed what it shows (`pair`)."""

    kind: str
    town: Town
    directory: Path
    port: int = 0
    listener: Listener = "plain"
    authority: Authority | None = None
    pair: Pair | None = None
    tls_port: int = 0
    websockets_port: int = 0
    run_as: str | None = None
    by: By = "files"
    servers: tuple[Credential, ...] = ()
    network: Network = field(default_factory=Network)
    broker: EmbeddedBroker | MosquittoProcess | None = None
    client: IngestClient | None = None
    phones: list[Phone] = field(default_factory=list)
    others: list[PlainClient] = field(default_factory=list)
    ingest: Ingest | None = None

    @property
    def credential(self) -> Credential:
        return identity.server_credential(directory=self.directory, name="ingest-1")

    @property
    def road(self) -> dict[str, Any]:
        """How a client gets to the broker by this site's listener."""
        ports = {"plain": self.port, "tls": self.tls_port, "websockets": self.websockets_port}
        return {
            "host": "127.0.0.1",
            "port": ports[self.listener],
            "tls": None if self.authority is None or self.listener == "plain" else Tls(ca_pem=self.authority.pem),
            "transport": "websockets" if self.listener == "websockets" else "tcp",
        }

    def sync(self) -> mosquitto.Written:
        place = self.directory / "mosquitto"
        tls = self._tls_files()
        with self.town.sessions() as session:
            if self.by == "files":
                return mosquitto.write_files(
                    session,
                    directory=place,
                    servers=[self.credential, *self.servers],
                    port=self.port,
                    tls=tls,
                    run_as=self.run_as,
                )
            return sync_dynsec(
                session,
                directory=place,
                servers=[self.credential, *self.servers, self.controller],
                share_group=identity.share_group(directory=self.directory),
                port=self.port,
                tls=tls,
                run_as=self.run_as,
            )

    @property
    def controller(self) -> Credential:
        return identity.server_credential(directory=self.directory, name=identity.CONTROLLER)

    def _tls_files(self) -> mosquitto.TlsFiles | None:
        if self.authority is None:
            return None
        self.pair = self.pair or self.authority.sign("server")
        self.tls_port = self.tls_port or free_port()
        self.websockets_port = self.websockets_port or free_port()
        return mosquitto.TlsFiles(
            host="127.0.0.1",
            port=self.tls_port,
            websockets_port=self.websockets_port,
            certificate=self.pair.certificate,
            key=self.pair.key,
        )

    def start_broker(self) -> None:
        self.port = self.port or free_port()
        if self.kind == "embedded":
            self.broker = EmbeddedBroker(sessions=self.town.sessions, servers=[self.credential], port=self.port)
        else:
            self.sync()
            self.broker = MosquittoProcess(directory=self.directory / "mosquitto", port=self.port)
        self.broker.start()

    def stop_broker(self) -> None:
        assert self.broker is not None
        self.broker.stop()
        self.broker = None

    def start_ingest(self) -> None:
        self.ingest = self.ingest or Ingest(
            sessions=self.town.sessions,
            clock=now,
            policy=Policy(),
            new_challenge=lambda: f"c-{random.getrandbits(64):x}",
        )
        self.client = IngestClient(
            host="127.0.0.1",
            port=self.port,
            client_id="ingest-1",
            password=self.credential.password,
            ingest=self.ingest,
            share_group=identity.share_group(directory=self.directory),
            persistent=self.kind == "mosquitto",
        )
        assert self.client.start(timeout_seconds=30)

    def stop_ingest(self) -> None:
        assert self.client is not None
        self.client.stop()
        self.client = None

    def phone(self, device: str = "p1", worker: str = "w1", **changes: object) -> Phone:
        settings: dict[str, object] = {
            "directory": self.directory / "phones",
            "provider": PROVIDER,
            "device": device,
            "worker": worker,
            **self.road,
            "password": PASSWORD,
            "clock": now,
            "monotonic_ms": lambda: int(time.monotonic() * 1000),
            "rng": random.Random(),
            "network": self.network,
            "resend_seconds": 1.0,
            "backoff_seconds_max": 0.5,
        }
        phone = Phone(**(settings | changes))  # type: ignore[arg-type]
        self.phones.append(phone)
        return phone

    def plain(
        self, username: str, password: str = PASSWORD, *subscriptions: str, road: dict[str, Any] | None = None
    ) -> PlainClient:
        """A bare client by this site's listener, or by `road`."""
        client = PlainClient(
            network=self.network,
            **(road or self.road),
            username=username,
            password=password,
            subscriptions=subscriptions,
        )
        self.others.append(client)
        return client

    def stored(self) -> tuple[StoredEvent, ...]:
        with self.town.sessions() as session:
            return evidence.events(session)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop whatever was started, each in any case: what is left open fails an innocent test later."""
        with contextlib.ExitStack() as stack:
            for held in (self.broker, self.client, self.network):
                if held is not None:
                    stack.callback(held.stop)
            for held in (*self.others, *self.phones):
                stack.callback(held.close)


def enrol_all(town: Town) -> None:
    """Give every device of the town the same known password."""
    with town.sessions.begin() as session:
        known = {"known": identity.hash_password(PASSWORD)}
        session.execute(text("UPDATE devices SET password_hash = :known"), known)


def revoke(town: Town, device: str) -> None:
    with town.sessions.begin() as session:
        assert people.revoke_device(session, provider=PROVIDER, device=device, now=now())


def eventually(condition: Callable[[], bool], *, seconds: float = 15.0) -> bool:
    """Wait for a condition that another thread brings about."""
    give_up = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.01)
    return True
