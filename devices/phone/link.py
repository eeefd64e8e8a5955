"""One client's MQTT connection: connecting with jittered backoff, subscribing, publishing. Not what is published (devices.phone.phone).

Everything runs on the network's thread. Each connection is a new client with a clean session: nothing of a broken connection lingers,
and what was lost with it the outbox sends again."""

import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from devices.phone.network import Network
from devices.tidy_client import TidyClient, send_at_once
from devices.tls import Tls, words_of

_LOG: Final = logging.getLogger(__name__)
KEEPALIVE_SECONDS: Final = 30
SILENCE_OF_KEEPALIVE: Final = 1.5
"""After so many keepalives without a byte a connection counts as dead (faults.md, 23); paho by itself waits for two."""

BACKOFF_SECONDS_MIN: Final = 0.5
BACKOFF_SECONDS_MAX: Final = 30.0
TICK_SECONDS: Final = 1.0
CONNECT_SECONDS_MAX: Final = 5.0
Transport = Literal["tcp", "websockets"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where the broker listens and who connects: the user name is the client id, too. Without `tls` nothing is encrypted: loopback."""

    host: str
    port: int
    username: str
    password: str
    tls: Tls | None = None
    transport: Transport = "tcp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Will:
    """What the broker says for us when the connection breaks."""

    topic: str
    message: bytes


class Link:
    """`on_ready` after each connection's subscriptions are granted, `on_message(topic, message)`, `on_down` when it breaks or could not
    be made, `on_tick` about once a second while connected. All on the network's thread.

    `problem` says in words why there is no connection (None: there is one, or none was tried). Raises ValueError when the endpoint's CA
    certificate is none."""

    def __init__(
        self,
        *,
        network: Network,
        endpoint: Endpoint,
        subscriptions: Sequence[str] = (),
        will: Will | None = None,
        on_ready: Callable[[], None],
        on_message: Callable[[str, bytes], None],
        on_down: Callable[[], None],
        on_tick: Callable[[], None],
        backoff_seconds_max: float = BACKOFF_SECONDS_MAX,
    ) -> None:
        self._network = network
        self._endpoint = endpoint
        self._context = None if endpoint.tls is None else endpoint.tls.context()
        self._subscriptions = tuple(subscriptions)
        self._will = will
        self._on_ready, self._on_message, self._on_down, self._on_tick = on_ready, on_message, on_down, on_tick
        self._backoff_seconds_max = backoff_seconds_max
        self._jitter = random.Random()  # noqa: S311 -- spreads reconnections, is no secret
        self._client: paho.Client | None = None
        self._wanted = False
        self._generation = 0
        self._heard_at = 0.0
        self.ready = False
        self.failures = 0
        self.problem: str | None = None

    def open(self) -> None:
        """Want a connection from now on."""
        if not self._wanted:
            self._wanted = True
            self._attempt()

    def close(self) -> None:
        """Want none: say goodbye if connected, and stay down."""
        self._wanted = False
        client, self._client = self._client, None
        self._generation += 1
        was_ready, self.ready = self.ready, False
        if client is not None:
            client.disconnect()
            client.loop_write()
            sock = client.socket()
            if sock is not None:
                self._network.forget(sock)
                sock.close()
        if was_ready:
            self._on_down()

    def publish(self, *, topic: str, message: bytes, qos: int = 1, retain: bool = False) -> None:
        """Hand a message to the connection. Only while `ready`."""
        assert self._client is not None
        self._client.publish(topic, message, qos=qos, retain=retain)

    def readable(self) -> None:
        """Read what has come (the network calls this): also what TLS holds decrypted, for which the socket never reports ready again."""
        client = self._client
        self._heard_at = time.monotonic()
        while client is not None and client is self._client:
            client.loop_read()
            pending = getattr(client.socket(), "pending", None)
            if pending is None or not pending():
                return

    def writable(self) -> None:
        """Write what waits (the network calls this)."""
        if self._client is not None:
            self._client.loop_write()

    def _attempt(self) -> None:
        if not self._wanted or self._client is not None:
            return
        self._generation += 1
        client = self._new_client()
        self._client = client
        self._heard_at = time.monotonic()
        try:
            client.connect(self._endpoint.host, self._endpoint.port, keepalive=KEEPALIVE_SECONDS)
        except OSError as error:
            self._says(words_of(error, host=self._endpoint.host, port=self._endpoint.port))
            self._lost(client)
            return
        self._tick_later(self._generation)

    def _new_client(self) -> paho.Client:
        client = TidyClient(
            CallbackAPIVersion.VERSION2,
            client_id=self._endpoint.username,
            clean_session=True,
            protocol=paho.MQTTv311,
            transport=self._endpoint.transport,
            reconnect_on_failure=False,
        )
        if self._context is not None:
            client.tls_set_context(self._context)
        client.username_pw_set(self._endpoint.username, self._endpoint.password)
        client.max_inflight_messages_set(0)  # the outbox keeps its own limit
        client.connect_timeout = CONNECT_SECONDS_MAX
        if self._will is not None:
            client.will_set(self._will.topic, self._will.message, qos=1)
        client.on_socket_open = self._socket_open
        client.on_socket_close = self._socket_close
        client.on_socket_register_write = lambda _c, _u, sock: self._network.want_write(sock, wanted=True)
        client.on_socket_unregister_write = lambda _c, _u, sock: self._network.want_write(sock, wanted=False)
        client.on_connect = self._connected
        client.on_subscribe = self._subscribed
        client.on_message = self._arrived
        client.on_disconnect = self._disconnected
        return client

    def _socket_open(self, _client: paho.Client, _userdata: Any, sock: Any) -> None:
        send_at_once(sock)
        self._network.watch(sock, self)

    def _socket_close(self, _client: paho.Client, _userdata: Any, sock: Any) -> None:
        self._network.forget(sock)

    def _connected(self, client: paho.Client, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._says(
                f"the broker refuses {self._endpoint.username} ({reason}): is it enrolled, not revoked, its password right?"
            )
            return  # the broker closes; `_disconnected` follows
        if self._subscriptions:
            client.subscribe([(topic, 1) for topic in self._subscriptions])
        else:
            self._up(client)

    def _subscribed(self, client: paho.Client, _userdata: Any, _mid: int, _reasons: Any, _properties: Any) -> None:
        self._up(client)

    def _up(self, client: paho.Client) -> None:
        if client is self._client and not self.ready:
            self.ready, self.failures, self.problem = True, 0, None
            self._on_ready()

    def _arrived(self, client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
        """An exception here would end paho's reading for good: it is logged, and the outbox asks again."""
        if client is not self._client:
            return
        try:
            self._on_message(message.topic, bytes(message.payload))
        except Exception:  # noqa: BLE001 -- see the docstring
            _LOG.exception("%s cannot use a message on %s", self._endpoint.username, message.topic)

    def _disconnected(self, client: paho.Client, _userdata: Any, _flags: Any, _reason: Any, _properties: Any) -> None:
        if client is self._client and self.problem is None:
            where = f"{self._endpoint.host}:{self._endpoint.port}"
            self._says(
                f"{where} closed the connection" + ("" if self.ready else ": does this port want TLS, or websockets?")
            )
        self._lost(client)

    def _give_up(self, client: paho.Client) -> None:
        """The connection stands and says nothing: a half-open line, or a broker that hangs."""
        self._says(f"{self._endpoint.host}:{self._endpoint.port} answers no more: is the network on?")
        sock = client.socket()
        if sock is not None:
            self._network.forget(sock)
            sock.close()
        self._lost(client)

    def _says(self, words: str) -> None:
        _LOG.debug("%s: %s", self._endpoint.username, words)
        self.problem = words

    def _lost(self, client: paho.Client) -> None:
        if client is not self._client:
            return
        self._client = None
        self.failures += 1
        self.ready = False
        self._on_down()
        if self._wanted:
            self._network.call_later(seconds=self._backoff_seconds(), function=self._attempt)

    def _backoff_seconds(self) -> float:
        ceiling = min(self._backoff_seconds_max, BACKOFF_SECONDS_MIN * float(2 ** min(self.failures - 1, 10)))
        return ceiling * (0.5 + self._jitter.random() / 2)

    def _tick_later(self, generation: int) -> None:
        self._network.call_later(seconds=TICK_SECONDS, function=lambda: self._tick(generation))

    def _tick(self, generation: int) -> None:
        client = self._client
        if client is None or generation != self._generation:
            return
        if time.monotonic() - self._heard_at > SILENCE_OF_KEEPALIVE * KEEPALIVE_SECONDS:
            self._give_up(client)
            return
        client.loop_misc()
        if self._client is client:
            if self.ready:
                self._on_tick()
            self._tick_later(generation)
