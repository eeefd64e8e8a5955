"""The embedded broker, for the demo and small sites. Not any client, and not Mosquitto's files (devices.mosquitto).

Both brokers know the same users: every enrolled device as `{provider}.{device}`, and our own server processes. The embedded one is
amqtt on a thread of its own, behind our own plugin: it asks the device table at every connection, and at most `REVOKED_SECONDS_MAX`
after a credential was revoked it lets the device neither publish nor receive. amqtt speaks MQTT 3.1.1 only and may drop what is under
way; receipts and outboxes heal that."""

import asyncio
import hmac
import logging
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import amqtt.broker
import amqtt.mqtt.protocol.handler
from amqtt.broker import Broker
from amqtt.contexts import Action, BaseContext, BrokerConfig, ListenerConfig
from amqtt.errors import MQTTError
from amqtt.mqtt.connack import NOT_AUTHORIZED, ConnackPacket
from amqtt.mqtt.connect import ConnectPacket
from amqtt.mqtt.packet import MQTTFixedHeader
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session as MqttSession
from sqlalchemy.orm import Session, sessionmaker

from devices import identity, topics
from devices.identity import Credential
from devices.topics import device_of_username
from evm.domain.ids import DeviceId, ProviderId
from evm.store import people
from evm.store.database import reading_factory

REVOKED_SECONDS_MAX: Final = 30.0
START_SECONDS_MAX: Final = 20.0
SHUTDOWN_SECONDS_MAX: Final = 5.0
STOP_SECONDS_MAX: Final = 15.0
CONNECT_SECONDS_MAX: Final = 10.0
"""Who has not said by then who it is, is cut off: a connection costs us more than it costs a stranger."""
PACKET_BYTES_MAX: Final = 65_536
"""As Mosquitto's max_packet_size in the shipped configuration."""
_LOG: Final = logging.getLogger(__name__)


class BrokerFailedError(RuntimeError):
    """The embedded broker did not start or did not stop, or was asked for its port too early."""


class OversizedPacketError(ConnectionError):
    """A packet larger than any client of ours sends: its connection is cut, as Mosquitto does, before the packet is read."""


class SmallPacketHeader(MQTTFixedHeader):
    """amqtt's packet header, read with a limit: amqtt by itself keeps up to 256 MB for anybody, signed in or not."""

    __slots__ = ()

    @classmethod
    async def from_stream(cls, reader: Any) -> Any:
        """The next packet's header, or None at the end of the stream. Raises `OversizedPacketError`."""
        header = await super().from_stream(reader)
        if header is not None and header.remaining_length > PACKET_BYTES_MAX:
            raise OversizedPacketError(f"a packet of {header.remaining_length} bytes")
        return header


class Accounts:
    """Who may connect to the embedded broker: the device table and the servers' credentials."""

    def __init__(self, *, sessions: sessionmaker[Session], servers: Iterable[Credential]) -> None:
        self._sessions = reading_factory(sessions.kw["bind"])  # never waits for ingest's writing
        self._servers = {server.username: server.password for server in servers}
        self._valid: dict[str, float] = {}

    def lets_in(self, *, name: str, password: str) -> bool:
        """Whether this is the password of that server process or enrolled device."""
        if name in self._servers:
            return hmac.compare_digest(password.encode(), self._servers[name].encode())
        with self._sessions() as session:
            known = identity.verify(session, username=name, password=password) is not None
        if known:
            self._valid[name] = time.monotonic()
        return known

    def still_valid(self, name: str) -> bool:
        """Whether a connected user's credential stands; a device is looked up again every `REVOKED_SECONDS_MAX`."""
        if name in self._servers:
            return True
        seen_at = self._valid.get(name)
        if seen_at is not None and time.monotonic() - seen_at < REVOKED_SECONDS_MAX:
            return True
        pair = device_of_username(name)
        if pair is None:
            return False
        with self._sessions() as session:
            row = people.device(session, provider=ProviderId(pair[0]), device=DeviceId(pair[1]))
        if row is None or row.revoked_at is not None:
            self._valid.pop(name, None)
            return False
        self._valid[name] = time.monotonic()
        return True


class DeviceTablePlugin(BaseAuthPlugin, BaseTopicPlugin):
    """amqtt's authentication and topic checks, answered by `Accounts` and `devices.topics`."""

    @dataclass
    class Config:
        """`accounts` is an `Accounts`; amqtt builds this from the broker's configuration."""

        accounts: Any = None

    def __init__(self, context: BaseContext) -> None:
        super().__init__(context)
        self._accounts: Accounts = self.config.accounts

    async def authenticate(self, *, session: MqttSession) -> bool | None:
        """A known user, whose client id is its user name, and whose will (if any) speaks on its own status topic."""
        name, password = session.username, session.password
        if not name or password is None or session.client_id != name:
            return False
        if session.will_flag and not _is_status_of(name, session.will_topic):
            return False
        return await asyncio.to_thread(self._accounts.lets_in, name=name, password=password)

    async def topic_filtering(
        self, *, session: MqttSession | None = None, topic: str | None = None, action: Action | None = None
    ) -> bool | None:
        """The access rules of protocol v1, by client id: at authentication it was found equal to the user name."""
        if session is None or session.client_id is None or topic is None:
            return False
        name = session.client_id
        if not self._accounts.still_valid(name):
            return False
        if action == Action.PUBLISH:
            return topics.may_publish(user=name, topic=topic)
        if action == Action.RECEIVE:
            return topics.may_receive(user=name, topic=topic)
        if topic.startswith("$share/"):
            return False  # amqtt would grant it and deliver nothing; ingest then asks for the plain filter
        return topics.may_subscribe(user=name, topic_filter=topic)


def _is_status_of(name: str, topic: str | None) -> bool:
    address = topics.parse(topic or "")
    return (
        address is not None
        and address.leaf == "status"
        and device_of_username(name) == (address.provider, address.device)
    )


class Doorkeeper(BrokerProtocolHandler):
    """Refuses a wrong credential before the broker touches any session. amqtt by itself first ends the session that has the caller's
    client id and only then asks for the password: anybody could put any phone off the line."""

    @classmethod
    async def init_from_connect(cls, reader: Any, writer: Any, plugins_manager: Any, loop: Any = None) -> Any:
        """The handler and session of a CONNECT whose credential is good. Raises amqtt's MQTTError after a CONNACK "not authorised"."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                handler, session = await super().init_from_connect(reader, writer, plugins_manager, loop)
        except (OversizedPacketError, TimeoutError) as error:
            raise MQTTError(f"no CONNECT: {error}") from error
        answers = await plugins_manager.map_plugin_auth(session=session)
        if not answers or not all(answers.values()):
            await ConnackPacket.build(0, NOT_AUTHORIZED).to_stream(writer)
            raise MQTTError("not authorised")
        return handler, session


class SteadySubscriptions(dict[str, list[tuple[MqttSession, int]]]):
    """Who subscribes to what, gone through as it stood when the going began. amqtt goes through its own while it waits for others:
    a client that came or went in that moment cost a message that its publisher had been told was delivered."""

    def items(self) -> Any:
        """A copy: filters, each with its subscribers."""
        return [(topic_filter, list(subscribers)) for topic_filter, subscribers in super().items()]


class TidyBroker(Broker):
    """amqtt's broker, which delivers while clients come and go, and leaves no connection open behind it when it is shut down."""

    def __init__(self, config: BrokerConfig, *, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(config, loop=loop)
        self._subscriptions = SteadySubscriptions()
        self._writers: set[asyncio.StreamWriter] = set()

    async def stream_connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, listener_name: str
    ) -> None:
        """Serve one connection, and close it in any case."""
        self._writers.add(writer)
        try:
            await super().stream_connected(reader, writer, listener_name)
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: MqttSession
    ) -> None:
        """What is retained goes to who subscribed to it. amqtt by itself gives whoever connects all that anybody is subscribed to."""
        if any(subscriber is session for subscriber, _ in self._subscriptions.get(subscription[0], ())):
            await super()._publish_retained_messages_for_subscription(subscription, session)

    async def shutdown(self) -> None:
        """Let go of the port, end all sessions, then whatever connection is still there.

        amqtt by itself keeps the port until the last session has ended, and now and then waits for one that never does.
        """
        for server in self._servers.values():
            server.instance.close()
        ending = asyncio.ensure_future(super().shutdown())
        done, _ = await asyncio.wait({ending}, timeout=SHUTDOWN_SECONDS_MAX)
        if done:
            ending.result()
        else:  # not waited for again: amqtt goes on after a cancellation
            _LOG.warning("sessions of the embedded broker did not end in %s s: cut off", SHUTDOWN_SECONDS_MAX)
            ending.cancel()
        for writer in tuple(self._writers):
            writer.transport.abort()
        await asyncio.sleep(0.05)  # lets the loop close what was aborted


class EmbeddedBroker:
    """amqtt on a thread and loop of its own. `port` 0 takes a free one; `port` after `start` tells which."""

    def __init__(
        self,
        *,
        sessions: sessionmaker[Session],
        servers: Iterable[Credential],
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._accounts = Accounts(sessions=sessions, servers=servers)
        self.host = host
        self._wanted_port = port
        self._port: int | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="embedded-broker", daemon=True)

    @property
    def port(self) -> int:
        """The port it listens on. Raises `BrokerFailedError` before `start`."""
        if self._port is None:
            raise BrokerFailedError("the embedded broker is not started")
        return self._port

    def start(self) -> None:
        """Start and wait until it listens. Raises `BrokerFailedError`."""
        self._thread.start()
        if not self._started.wait(START_SECONDS_MAX) or self._port is None:
            raise BrokerFailedError(f"the embedded broker does not start: {self._failure}") from self._failure

    def stop(self) -> None:
        """Stop listening, drop all connections and end the thread. Raises `BrokerFailedError` when it does not end."""
        if self._loop is not None and self._end is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join(timeout=STOP_SECONDS_MAX)
            if self._thread.is_alive():
                raise BrokerFailedError(f"the embedded broker does not stop in {STOP_SECONDS_MAX:.0f} s")

    def _run(self) -> None:
        _quieten()
        try:
            asyncio.run(self._serve())
        except Exception as error:  # noqa: BLE001 -- handed to the thread that waits in `start`
            self._failure = error
        finally:
            self._started.set()

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        amqtt.broker.BrokerProtocolHandler = Doorkeeper  # type: ignore[attr-defined]  # amqtt takes no handler by argument
        amqtt.mqtt.protocol.handler.MQTTFixedHeader = SmallPacketHeader  # type: ignore[attr-defined]  # nor a header
        ConnectPacket.FIXED_HEADER = SmallPacketHeader
        broker = TidyBroker(self._config(), loop=self._loop)
        await broker.start()
        self._port = _listening_port(broker)
        self._started.set()
        await self._end.wait()
        await broker.shutdown()

    def _config(self) -> BrokerConfig:
        return BrokerConfig(
            listeners={"default": ListenerConfig(bind=f"{self.host}:{self._wanted_port}", max_connections=-1)},
            plugins={f"{DeviceTablePlugin.__module__}.{DeviceTablePlugin.__qualname__}": {"accounts": self._accounts}},
        )


def _listening_port(broker: Broker) -> int:
    instance: Any = broker._servers["default"].instance  # noqa: SLF001 -- amqtt tells the port in no other way
    return int(instance.sockets[0].getsockname()[1])


def _quieten() -> None:
    """Amqtt logs a line for each packet; only what went wrong is of interest."""
    for name in ("amqtt", "transitions"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
