"""Runs one part of the server as a process, or all of them in one: `popback serve`. Not the parts themselves (api.server).

Told to end (SIGTERM, Ctrl-C) it finishes what is in hand and exits with 0 within ten seconds; what it cannot finish by then was neither
committed nor acknowledged, and comes again."""

import os
import sys
import threading
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import structlog
from pydantic import ValidationError

from api.health import Health, HealthServer
from api.jobs import sending_down, telling, watching, working
from api.parts import Parts, open_parts
from api.pulse import Job, ToldToEnd
from api.server import Server, embedded_broker, ingest_client, make_ingest, make_site, pulse_of
from api.settings import Settings
from api.site_thread import TlsPair
from devices.tls import Tls
from evm.gateways.notify import gateway_of
from evm.store.database import open_engine, session_factory
from evm.store.holds import end_frozen_holds

__all__ = ["Part", "Places", "Server", "read_settings", "run_part"]

log = structlog.get_logger(__name__)

Part = Literal["all", "api", "ingest", "watch", "notify", "work", "broker"]
BROKER_PORT: Final = 1883
SITE_PORT: Final = 8080
ENCRYPTED: Final = "mqtts://"
CONNECT_SECONDS_MAX: Final = 5.0
STOP_SECONDS_MAX: Final = 8.0
IDLE_SECONDS_MAX: Final = 30
SITE_IDLE_SECONDS_MAX: Final = 600
LOCK_SECONDS_MAX: Final = 15
"""How long a process's transaction may stand still, and wait for another's, before PostgreSQL ends it (faults.md, 36). The site's own pages
may think about a roster meanwhile; nothing else of its process may, so they have connections of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where to listen: a port of None is the usual one, 0 a free one; no `health_port`: nobody is told how the process fares."""

    site_host: str = "127.0.0.1"
    site_port: int | None = None
    site_tls: TlsPair | None = None
    broker_port: int | None = None
    health_host: str = "127.0.0.1"
    health_port: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What was asked for: which part, at which broker, under which name, listening where."""

    part: Part
    broker: str
    places: Places
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What was started: how to stop it."""

    stop: Callable[[], None]


def run_part(*, part: Part, data: Path, database: str | None, broker: str, places: Places, name: str) -> int:
    """Run one part (or all) until SIGTERM or SIGINT; the process's exit code. Errors that a person can mend end with their sentence."""
    told = ToldToEnd().listen()
    order = Order(part=part, broker=broker, places=places, name=name)
    try:
        settings = read_settings(data)
        parts = open_parts(data=data, database=database)
        parts.engine.dispose()  # connections from now on come with limits
        end_frozen_holds(parts.engine, idle_seconds=IDLE_SECONDS_MAX, wait_seconds=LOCK_SECONDS_MAX)
        health = Health(parts=parts)
        server = _health_server(health, places)
        if server is not None:
            server.start()
        running = _STARTERS[part](parts, settings, order, health)
    except (RuntimeError, ValueError, OSError) as error:
        sys.stderr.write(f"popback: {error}\n")
        return 1
    if server is not None:
        _say(f"health http://{server.host}:{server.port}")
    code = _wait(told, hung=lambda: health.hung)
    _stop_in_time(lambda: _stop(running, server, parts), code)
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


def _start_all(parts: Parts, settings: Settings, order: Order, health: Health) -> Running:
    places = order.places
    server = Server(
        parts=parts,
        site_parts=parts_of_site(parts),
        settings=settings,
        site_host=places.site_host,
        site_port=SITE_PORT if places.site_port is None else places.site_port,
        site_tls=places.site_tls,
        broker_port=BROKER_PORT if places.broker_port is None else places.broker_port,
        outside_broker=None if order.broker == "embedded" else address_of(order.broker),
        broker_tls=trust_of(order.broker),
        name=order.name,
        gateway=gateway_of(address=settings.notify_to),
        health=health,
    )
    server.start()
    _say(f"site {server.site_url}  broker {server.broker_host}:{server.broker_port}")
    return Running(stop=server.stop)


def _start_api(parts: Parts, settings: Settings, order: Order, health: Health) -> Running:
    places, own = order.places, parts_of_site(parts)
    site = make_site(
        own,
        settings,
        ingest=make_ingest(parts, settings, health=health),
        host=places.site_host,
        port=SITE_PORT if places.site_port is None else places.site_port,
        tls=places.site_tls,
    )
    site.start()
    _say(f"site {site.url}")

    def stop() -> None:
        site.stop()
        own.engine.dispose()

    return Running(stop=stop)


def parts_of_site(parts: Parts) -> Parts:
    """The same parts with connections for pages, which may stand still longer (PostgreSQL; on SQLite there is one writer anyway)."""
    if parts.engine.dialect.name != "postgresql":
        return parts
    engine = open_engine(url=parts.url)
    end_frozen_holds(engine, idle_seconds=SITE_IDLE_SECONDS_MAX, wait_seconds=LOCK_SECONDS_MAX)
    return replace(parts, engine=engine, sessions=session_factory(engine))


def _start_ingest(parts: Parts, settings: Settings, order: Order, health: Health) -> Running:
    embedded = order.broker == "embedded"
    own = ("127.0.0.1", BROKER_PORT if order.places.broker_port is None else order.places.broker_port)
    host, port = own if embedded else address_of(order.broker)
    ingest = make_ingest(parts, settings, health=health)
    client = ingest_client(
        parts,
        ingest=ingest,
        host=host,
        port=port,
        embedded=embedded,
        tls=trust_of(order.broker),
        name=order.name,
        health=health,
    )
    if not client.start(timeout_seconds=CONNECT_SECONDS_MAX):
        _say(
            f"no broker answers ingest at {host}:{port} yet; trying on. Is it up, and does it know {order.name}? "
            "(Mosquitto: popback broker sync; the embedded one: the same --data)"
        )
    down = pulse_of("ingest", sending_down(parts, publish=client.publish), health=health)
    down.start()
    _say(f"ingest {order.name} at {host}:{port}")

    def stop() -> None:
        down.stop()
        client.stop()

    return Running(stop=stop)


def _start_watch(parts: Parts, _settings: Settings, _order: Order, health: Health) -> Running:
    return _beating("watch", watching(parts), health)


def _start_notify(parts: Parts, settings: Settings, _order: Order, health: Health) -> Running:
    return _beating("notify", telling(parts, gateway=gateway_of(address=settings.notify_to)), health)


def _start_work(parts: Parts, _settings: Settings, _order: Order, health: Health) -> Running:
    return _beating("work", working(parts), health)


def _beating(name: str, jobs: tuple[Job, ...], health: Health) -> Running:
    pulse = pulse_of(name, jobs, health=health)
    pulse.start()
    _say(name)
    return Running(stop=pulse.stop)


def _start_broker(parts: Parts, _settings: Settings, order: Order, _health: Health) -> Running:
    port = BROKER_PORT if order.places.broker_port is None else order.places.broker_port
    broker = embedded_broker(parts, host="127.0.0.1", port=port)
    broker.start()
    _say(f"broker {broker.host}:{broker.port}")
    return Running(stop=broker.stop)


_STARTERS: Final[dict[Part, Callable[[Parts, Settings, Order, Health], Running]]] = {
    "all": _start_all,
    "api": _start_api,
    "ingest": _start_ingest,
    "watch": _start_watch,
    "notify": _start_notify,
    "work": _start_work,
    "broker": _start_broker,
}


def address_of(text: str) -> tuple[str, int]:
    """`host:port` (or `mqtts://host:port`) as a pair. Raises RuntimeError naming what is wrong."""
    host, _, port = text.removeprefix(ENCRYPTED).rpartition(":")
    if not host or "/" in host or not port.isdigit() or not 0 < int(port) < 65536:
        raise RuntimeError(
            f"--broker {text!r} is neither 'embedded' nor host:port nor mqtts://host:port, for example 127.0.0.1:1883"
        )
    return host, int(port)


def trust_of(broker: str) -> Tls | None:
    """Whom ingest trusts for an `mqtts://` broker: the system's authorities, or those of the file SSL_CERT_FILE names. None: no TLS."""
    return Tls() if broker.startswith(ENCRYPTED) else None


def _health_server(health: Health, places: Places) -> HealthServer | None:
    if places.health_port is None:
        return None
    return HealthServer(health=health, host=places.health_host, port=places.health_port)


def _say(words: str) -> None:
    sys.stderr.write(f"popback: {words}\n")
    sys.stderr.flush()


def _wait(told: ToldToEnd, *, hung: Callable[[], bool]) -> int:
    """Sleep until told to stop (0) or until a part has hung (1): the supervisor then starts it anew (faults.md, 9)."""
    while not told.wait(1.0):
        if hung():
            log.error("no progress for too long: ending so that the supervisor starts this part anew")
            return 1
    return 0


def _stop(running: Running, server: HealthServer | None, parts: Parts) -> None:
    running.stop()
    if server is not None:
        server.stop()
    parts.engine.dispose()


def _stop_in_time(stop: Callable[[], None], code: int) -> None:
    """Stop; what does not end in time (a database that has gone silent) is left: it commits nothing any more and acknowledged nothing."""
    stopping = threading.Thread(target=stop, name="stop", daemon=True)
    stopping.start()
    stopping.join(STOP_SECONDS_MAX)
    if stopping.is_alive():
        log.warning("what was in hand did not end in time and is left; it comes again")
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
