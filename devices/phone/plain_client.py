"""A bare MQTT client for devices that are not ours (OwnTracks in a simulation or a test): publishes, knows no receipts and no outbox."""

import threading
from collections.abc import Callable, Sequence

from devices.phone.link import Endpoint, Link, Transport
from devices.phone.network import Network
from devices.tls import Tls


class PlainClient:
    """Publishes while connected and keeps what is given before. Messages are `(topic, message)`, QoS 1; what comes in is kept in
    `delivered`, or handed to `on_message` on the network's thread."""

    def __init__(
        self,
        *,
        network: Network,
        host: str,
        port: int,
        username: str,
        password: str,
        subscriptions: Sequence[str] = (),
        tls: Tls | None = None,
        transport: Transport = "tcp",
        on_message: Callable[[str, bytes], None] | None = None,
    ) -> None:
        self._network = network
        self._ready = threading.Event()
        self._waiting: list[tuple[str, bytes, int, bool]] = []
        self.delivered: list[tuple[str, bytes]] = []
        self._link = Link(
            network=network,
            endpoint=Endpoint(host=host, port=port, username=username, password=password, tls=tls, transport=transport),
            subscriptions=subscriptions,
            on_ready=self._up,
            on_message=on_message or (lambda topic, message: self.delivered.append((topic, message))),
            on_down=self._ready.clear,
            on_tick=lambda: None,
        )

    def connect(self, *, timeout_seconds: float = 10.0) -> bool:
        """Connect; False when the broker did not let us in within `timeout_seconds`."""
        self._network.start()
        self._network.call(self._link.open)
        return self._ready.wait(timeout_seconds)

    @property
    def connected(self) -> bool:
        """Whether the broker has let us in and the connection stands."""
        return self._ready.is_set()

    @property
    def problem(self) -> str | None:
        """Why there is no connection, in words; None when there is one, or none was tried."""
        return self._link.problem

    def send(self, *, topic: str, message: bytes, qos: int = 1, retain: bool = False) -> None:
        """Publish now if connected, else on the next connection."""
        self._network.call(lambda: self._publish(topic, message, qos, retain))

    def close(self) -> None:
        """Disconnect."""
        self._network.call_and_wait(self._link.close)

    def _up(self) -> None:
        self._ready.set()
        waiting, self._waiting = self._waiting, []
        for topic, message, qos, retain in waiting:
            self._publish(topic, message, qos, retain)

    def _publish(self, topic: str, message: bytes, qos: int, retain: bool) -> None:  # noqa: FBT001 -- one message's fields, passed on
        if self._link.ready:
            self._link.publish(topic=topic, message=message, qos=qos, retain=retain)
        else:
            self._waiting.append((topic, message, qos, retain))
