"""Ingest's MQTT client: takes what has arrived, in batches, and acknowledges only what is committed. Not the reading of messages
(devices.ingest) and not the phone's client (devices.phone.link).

paho, as measured: an exception in `on_message` kills its network thread while `is_connected()` stays true, so the callback only queues;
without `manual_ack` the PUBACK leaves when the callback returns; TCP_NODELAY takes the median receipt from 51 to 9 ms."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from devices.fair_queue import FairQueue
from devices.ingest import Ingest, Received, Reply
from devices.messages import v1
from devices.settings import IngestSettings
from devices.tidy_client import TidyClient, send_at_once
from devices.tls import Tls
from devices.topics import BASE_FILTER, EVENT_FILTER, STATUS_FILTER, device_topic, parse

_LOG: Final = logging.getLogger(__name__)
INFLIGHT_MAX: Final = 1000
"""Messages the broker gives us before it has our acknowledgements, and we it: two full batches."""


class IngestClient:
    """Subscribes to every device's events and statuses as one fixed user and feeds `ingest`. With several ingest processes each has its own
    `client_id` and all the same `share_group`; a broker without shared subscriptions (the embedded one) denies them, and the plain
    filters are asked for instead.

    `persistent`: over MQTT 5, and the broker keeps the session for `session_seconds` while this process is away, so that a restart costs
    no waiting and a process that stays away does not go on being given its share (docs/adr/0003). Otherwise MQTT 3.1.1 without a
    session: the embedded broker speaks nothing else. Either way the phones' outboxes heal what a broker loses."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        client_id: str,
        password: str,
        ingest: Ingest,
        username: str | None = None,
        share_group: str | None = "ingest",
        persistent: bool = True,
        settings: IngestSettings | None = None,
        tls: Tls | None = None,
    ) -> None:
        self._host, self._port, self._name = host, port, client_id
        self._ingest = ingest
        self._settings = settings or IngestSettings()
        self._plain = (EVENT_FILTER, BASE_FILTER, STATUS_FILTER)
        self._filters = tuple(f"$share/{share_group}/{plain}" for plain in self._plain) if share_group else self._plain
        self._arrived: FairQueue[tuple[int, paho.MQTTMessage]] = FairQueue()
        self._wake = threading.Event()
        self._subscribed = threading.Event()
        self._stopping = threading.Event()
        self._connection = 0
        self._progress = 0
        self.on_answered: Callable[[Sequence[float]], None] | None = (
            None  # told each message's seconds until its receipt
        )
        self._beat_at = time.monotonic()
        self._persistent = persistent
        self._client = self._new_client(client_id, username or client_id, password)
        if tls is not None:
            self._client.tls_set_context(tls.context())
        self._worker = threading.Thread(target=self._work, name=f"{client_id}-batches", daemon=True)

    def start(self, *, timeout_seconds: float | None = None) -> bool:
        """Connect in the background. With a timeout, wait for the subscriptions and answer whether they stand."""
        if self._persistent:
            self._client.connect_async(
                self._host,
                self._port,
                keepalive=self._settings.keepalive_seconds,
                clean_start=False,
                properties=self._session_properties(),
            )
        else:
            self._client.connect_async(self._host, self._port, keepalive=self._settings.keepalive_seconds)
        self._client.loop_start()
        self._worker.start()
        return self._subscribed.wait(timeout_seconds) if timeout_seconds is not None else True

    def stop(self) -> None:
        """Finish the batch in hand, then disconnect. What is queued and uncommitted stays unacknowledged."""
        self._stopping.set()
        self._wake.set()
        if self._worker.is_alive():
            self._worker.join(timeout=30)
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def progress(self) -> int:
        """Messages committed (or quarantined) since the start. What a watchdog compares, together with `backlog`."""
        return self._progress

    @property
    def backlog(self) -> int:
        """Messages received and not yet in a batch."""
        return len(self._arrived)

    @property
    def subscribed(self) -> bool:
        """Whether the broker has granted this connection's subscriptions."""
        return self._subscribed.is_set()

    @property
    def silent_seconds(self) -> float:
        """How long ago the batch thread last went round: it does so every second, also when nothing comes. Hung when it grows."""
        return time.monotonic() - self._beat_at

    def publish(self, *, topic: str, message: bytes, retain: bool = False) -> bool:
        """Send a message down to a device; False when there is no connection now."""
        if not self._subscribed.is_set():
            return False
        return self._client.publish(topic, message, qos=1, retain=retain).rc == paho.MQTT_ERR_SUCCESS

    def _session_properties(self) -> Properties:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho leaves it untyped
        properties.SessionExpiryInterval = self._settings.session_seconds
        properties.ReceiveMaximum = INFLIGHT_MAX
        return properties

    def _new_client(self, client_id: str, username: str, password: str) -> paho.Client:
        client = TidyClient(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if self._persistent else True,
            protocol=paho.MQTTv5 if self._persistent else paho.MQTTv311,
            manual_ack=True,
        )
        client.username_pw_set(username, password)
        client.max_inflight_messages_set(INFLIGHT_MAX)
        client.reconnect_delay_set(min_delay=1, max_delay=5)
        client.on_socket_open = lambda _client, _userdata, sock: send_at_once(sock)
        client.on_connect = self._connected
        client.on_subscribe = self._granted
        client.on_disconnect = self._disconnected
        client.on_message = self._message
        return client

    # -- paho's network thread: nothing here may raise -----------------------------------------------------------------------------

    def _connected(self, client: paho.Client, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            _LOG.error("the broker refuses %s: %s", self._filters[0], reason)
            return
        self._connection += 1
        client.subscribe([(topic, 1) for topic in self._filters])

    def _granted(self, client: paho.Client, _userdata: Any, _mid: int, reasons: list[Any], _properties: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            _LOG.warning("the broker denies the subscriptions %s", ", ".join(self._filters))
            if self._filters != self._plain:
                self._filters = self._plain
                client.subscribe([(topic, 1) for topic in self._filters])
            return
        self._subscribed.set()

    def _disconnected(self, _client: paho.Client, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._subscribed.clear()
        _LOG.info(
            "%s is disconnected from the broker (%s); again and again: is another process of its name there?",
            self._name,
            reason,
        )

    def _message(self, _client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
        self._arrived.put(line=_line(message.topic), item=(self._connection, message))
        self._wake.set()

    # -- the batch thread ----------------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while not self._stopping.is_set():
            self._beat_at = time.monotonic()
            if not self._wake.wait(1.0):
                continue
            self._wake.clear()
            if len(self._arrived) < self._settings.batch_max:
                time.sleep(self._settings.linger_seconds)
            while self._arrived and not self._stopping.is_set():
                self._take(self._arrived.take(count_max=self._settings.batch_max))

    def _take(self, batch: Sequence[tuple[int, paho.MQTTMessage]]) -> None:
        """Commit, then receipts, then acknowledgements. A database that fails is tried again for as long as it takes: fault 10."""
        received = [_received(message) for _, message in batch]
        pause = self._settings.retry_seconds_min
        while not self._stopping.is_set():
            self._beat_at = time.monotonic()
            try:
                replies = self._ingest.take(received)
            except Exception:  # noqa: BLE001 -- nothing is committed and nothing acknowledged: try again
                _LOG.exception("a batch of %d cannot be stored; trying again", len(received))
                self._stopping.wait(pause)
                pause = min(self._settings.retry_seconds_max, pause * 2)
                continue
            try:
                self._answer(replies)
            except Exception:  # noqa: BLE001 -- it is committed; the phones ask again, and this thread must not end
                _LOG.exception("receipts of a batch of %d cannot be sent", len(received))
            self._acknowledge(batch)
            self._progress += len(batch)
            if self.on_answered is not None:
                answered_at = time.monotonic()
                self.on_answered([answered_at - message.timestamp for _, message in batch])
            return

    def _answer(self, replies: Sequence[Reply]) -> None:
        for reply in replies:
            topic = device_topic(provider=reply.provider, device=reply.device, leaf="receipt")
            for part in _parts(reply.receipt, size=self._settings.receipt_items_max):
                self._client.publish(topic, part.model_dump_json(exclude_none=True).encode(), qos=1)

    def _acknowledge(self, batch: Sequence[tuple[int, paho.MQTTMessage]]) -> None:
        """Acknowledge what came on the connection that still stands; an older one's message ids mean nothing on it."""
        for connection, message in batch:
            if connection == self._connection and message.qos > 0:
                self._client.ack(message.mid, message.qos)


def _line(topic: str) -> str:
    """Whose line a message joins: the device's, whatever its topic."""
    return "/".join(topic.split("/")[:4])


def _received(message: paho.MQTTMessage) -> Received:
    address = parse(message.topic)
    return Received(
        provider=address.provider if address else "",
        device=address.device if address else "",
        topic=message.topic,
        message=bytes(message.payload),
        qos=message.qos,
        retained=message.retain,
        channel="mqtt",
    )


def _parts(receipt: v1.Receipt, *, size: int) -> list[v1.Receipt]:
    """The receipt in messages well under the broker's packet limit; challenge and re-send request stand in the last."""
    if len(receipt.stored) <= size and len(receipt.refused) <= size:
        return [receipt]
    parts = [
        v1.Receipt(stored=receipt.stored[i : i + size], epoch=receipt.epoch)
        for i in range(0, len(receipt.stored), size)
    ]
    parts += [
        v1.Receipt(refused=receipt.refused[i : i + size], epoch=receipt.epoch)
        for i in range(0, len(receipt.refused), size)
    ]
    last = parts[-1].model_copy(update={"challenge": receipt.challenge, "resend_from": receipt.resend_from})
    return [*parts[:-1], last]
