"""Runs the server: everything in one process, or one part of it apart. Not the parts themselves.

Order of starting: broker, ingest, pulse, site; of stopping: the reverse, so that nothing is acknowledged that is not stored."""

import signal
import socket
import sys
import threading
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import structlog
import uvicorn
from pydantic import ValidationError

from api.parts import Parts, open_parts
from api.pulse import Pulse
from api.settings import Settings
from devices import identity
from devices.broker import EmbeddedBroker
from devices.ingest import Ingest
from devices.mqtt import IngestClient
from evm.gateways.notify import LogGateway, NotifyGateway, gateway_of

log = structlog.get_logger(__name__)

Part = Literal["all", "api", "ingest", "watch", "broker"]
BROKER_PORT: Final = 1883
SITE_PORT: Final = 8080
HUNG_SECONDS_MAX: Final = 60.0
CONNECT_SECONDS_MAX: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where to listen: None the usual port, 0 a free one."""

    site: int | None = None
    broker: int | None = None


class SiteThread:
    """uvicorn in a thread of its own. `port` 0 takes a free one; `port` after `start` tells which."""

    def __init__(self, *, app: Any, host: str, port: int) -> None:
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=3, ws="none")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="site", daemon=True)
        self._socket = socket.socket()
        self.host, self.port = host, port

    def start(self) -> None:
        """Start and wait until it listens. Raises RuntimeError when the port cannot be had."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((self.host, self.port))
        except OSError as error:
            self._socket.close()
            raise RuntimeError(
                f"the site cannot listen on {self.host}:{self.port} ({error.strerror}): choose another port with --port"
            ) from None
        self.port = self._socket.getsockname()[1]
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError(f"the site ended as soon as it was started on {self.host}:{self.port}")
            time.sleep(0.01)

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Finish the requests in hand, then end. Does nothing when it never started."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        self._socket.close()


@dataclass(slots=True, kw_only=True)
class Server:
    """Everything in one process. `start`, use, `stop`; the simulation beats the pulse itself, so `pulsing` is False there."""

    parts: Parts
    settings: Settings
    site_host: str = "127.0.0.1"
    site_port: int = 0
    broker_host: str = "127.0.0.1"
    broker_port: int = 0
    outside_broker: tuple[str, int] | None = None
    pulsing: bool = True
    gateway: NotifyGateway = field(default_factory=LogGateway)
    broker: EmbeddedBroker | None = None
    client: IngestClient | None = None
    pulse: Pulse | None = None
    site: SiteThread | None = None
    ingest: Ingest | None = None

    def start(self) -> None:
        from api.jobs import sending_down, watching

        host, port = self._start_broker()
        self.ingest = make_ingest(self.parts, self.settings)
        self.client = ingest_client(
            self.parts, ingest=self.ingest, host=host, port=port, embedded=self.outside_broker is None
        )
        if not self.client.start(timeout_seconds=30):
            raise RuntimeError(
                f"ingest gets no subscription at the broker {host}:{port} within 30 s: are its credentials in place?"
            )
        self.broker_host, self.broker_port = host, port
        self.pulse = Pulse(
            jobs=(*watching(self.parts, gateway=self.gateway), sending_down(self.parts, publish=self.client.publish))
        )
        self.site = make_site(self.parts, self.settings, ingest=self.ingest, host=self.site_host, port=self.site_port)
        self.site.start()
        self.site_port = self.site.port
        if self.pulsing:
            self.pulse.start()

    def stop(self) -> None:
        for part in (self.site, self.pulse, self.client, self.broker):
            if part is not None:
                part.stop()
        self.parts.engine.dispose()

    @property
    def site_url(self) -> str:
        return f"http://{self.site_host}:{self.site_port}"

    def _start_broker(self) -> tuple[str, int]:
        if self.outside_broker is not None:
            return self.outside_broker
        self.broker = embedded_broker(self.parts, host=self.broker_host, port=self.broker_port)
        self.broker.start()
        return self.broker_host, self.broker.port


def make_ingest(parts: Parts, settings: Settings) -> Ingest:
    """The one way in, on this process's database."""
    return Ingest(
        sessions=parts.sessions,
        clock=parts.clock,
        policy=parts.policy,
        new_challenge=parts.challenges,
        telephony_provider=settings.telephony_provider,
    )


def ingest_client(
    parts: Parts, *, ingest: Ingest, host: str, port: int, embedded: bool, name: str = "ingest-1"
) -> IngestClient:
    """Ingest's own connection; shared subscriptions where the broker has them."""
    credential = identity.server_credential(directory=parts.secrets, name=name)
    return IngestClient(
        host=host,
        port=port,
        client_id=name,
        password=credential.password,
        ingest=ingest,
        share_group=None if embedded else identity.share_group(directory=parts.secrets),
        persistent=not embedded,
    )


def embedded_broker(parts: Parts, *, host: str, port: int) -> EmbeddedBroker:
    """The embedded broker, which knows ingest's credential and every enrolled device."""
    identity.server_credential(directory=parts.secrets, name="ingest-1")
    servers = identity.server_credentials(directory=parts.secrets)
    return EmbeddedBroker(sessions=parts.sessions, servers=servers, host=host, port=port)


def make_site(parts: Parts, settings: Settings, *, ingest: Ingest | None, host: str, port: int) -> SiteThread:
    """The site and the HTTP API."""
    from api.app import create_app

    app = create_app(sessions=parts.sessions, ingest=ingest, clock=parts.clock, settings=settings, policy=parts.policy)
    return SiteThread(app=app, host=host, port=port)


def run_part(*, part: Part, data: Path, database: str | None, broker: str, ports: Ports, name: str) -> int:
    """Run one part (or all) until SIGTERM or SIGINT; the process's exit code. Errors that a person can mend end with their sentence."""
    try:
        settings = read_settings(data)
        parts = open_parts(data=data, database=database)
        running = _start_part(part=part, parts=parts, settings=settings, broker=broker, ports=ports, name=name)
    except (RuntimeError, ValueError, OSError) as error:
        sys.stderr.write(f"popback: {error}\n")
        return 1
    code = _wait_for_signal(hung=running.hung)
    running.stop()
    return code


def read_settings(data: Path) -> Settings:
    """The settings of `popback.toml` in the data directory, if there is one, and the environment. Raises ValueError with the
    key and what is wrong with it, never with its value: it may be a secret."""
    path = data / "popback.toml"
    try:
        return Settings.from_file(path if path.exists() else None)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no TOML ({error}): mend it, or take it away for the defaults") from None
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise ValueError(f"settings in {path} or in POPBACK_ variables are wrong: {wrong}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What was started: how to stop it, and whether it has hung (the supervisor then starts it anew; faults.md, 9)."""

    stop: Callable[[], None]
    hung: Callable[[], bool] = lambda: False


def _start_part(*, part: Part, parts: Parts, settings: Settings, broker: str, ports: Ports, name: str) -> Running:
    starters: dict[str, Callable[[], Running]] = {
        "all": lambda: _start_all(parts, settings, broker=broker, ports=ports),
        "api": lambda: _start_api(parts, settings, ports=ports),
        "ingest": lambda: _start_ingest(parts, settings, broker=broker, name=name),
        "watch": lambda: _start_watch(parts, settings),
        "broker": lambda: _start_broker(parts, ports=ports),
    }
    return starters[part]()


def _start_all(parts: Parts, settings: Settings, *, broker: str, ports: Ports) -> Running:
    server = Server(
        parts=parts,
        settings=settings,
        site_port=SITE_PORT if ports.site is None else ports.site,
        broker_port=BROKER_PORT if ports.broker is None else ports.broker,
        outside_broker=None if broker == "embedded" else address_of(broker),
        gateway=gateway_of(address=settings.notify_to),
    )
    server.start()
    _say(f"site {server.site_url}  broker {server.broker_host}:{server.broker_port}")
    client = server.client
    assert client is not None
    return Running(stop=server.stop, hung=lambda: client.silent_seconds > HUNG_SECONDS_MAX)


def _start_api(parts: Parts, settings: Settings, *, ports: Ports) -> Running:
    site = make_site(
        parts,
        settings,
        ingest=make_ingest(parts, settings),
        host="127.0.0.1",
        port=SITE_PORT if ports.site is None else ports.site,
    )
    site.start()
    _say(f"site http://{site.host}:{site.port}")
    return Running(stop=site.stop)


def _start_ingest(parts: Parts, settings: Settings, *, broker: str, name: str) -> Running:
    host, broker_port = ("127.0.0.1", BROKER_PORT) if broker == "embedded" else address_of(broker)
    ingest = make_ingest(parts, settings)
    client = ingest_client(parts, ingest=ingest, host=host, port=broker_port, embedded=broker == "embedded", name=name)
    if not client.start(timeout_seconds=CONNECT_SECONDS_MAX):
        _say(
            f"no broker answers ingest at {host}:{broker_port} yet; trying on. Is it up, and does it know {name}? "
            "(Mosquitto: popback broker sync; the embedded one: the same --data)"
        )
    _say(f"ingest {name} at {host}:{broker_port}")
    return Running(stop=client.stop, hung=lambda: client.silent_seconds > HUNG_SECONDS_MAX)


def _start_watch(parts: Parts, settings: Settings) -> Running:
    from api.jobs import watching

    pulse = Pulse(jobs=watching(parts, gateway=gateway_of(address=settings.notify_to)))
    pulse.start()
    _say("watch")
    return Running(stop=pulse.stop)


def _start_broker(parts: Parts, *, ports: Ports) -> Running:
    broker = embedded_broker(parts, host="127.0.0.1", port=BROKER_PORT if ports.broker is None else ports.broker)
    broker.start()
    _say(f"broker {broker.host}:{broker.port}")
    return Running(stop=broker.stop)


def address_of(text: str) -> tuple[str, int]:
    """`host:port` as a pair. Raises RuntimeError naming what is wrong."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise RuntimeError(f"--broker {text!r} is neither 'embedded' nor host:port, for example 127.0.0.1:1883")
    return host, int(port)


def _say(words: str) -> None:
    sys.stderr.write(f"popback: {words}\n")
    sys.stderr.flush()


def _wait_for_signal(*, hung: Callable[[], bool]) -> int:
    """Sleep until told to stop (0) or until the part has hung (1)."""
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    while not told.wait(1.0):
        if hung():
            log.error("no progress for too long: ending so that the supervisor starts this part anew")
            return 1
    return 0
