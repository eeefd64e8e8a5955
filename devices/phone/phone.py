"""The reference phone: records events to its outbox, sends them until each is receipted, and keeps the receipts. Not a user interface, and
not a server's idea of any device: what it sends is what every other client of protocol v1 has to send.

Deterministic when `clock`, `monotonic_ms` and `rng` are given: ids, sequence, chain and salts follow from them alone. Only transport
(re-sending, keepalive, backoff) runs on real monotonic time."""

import itertools
import json
import logging
import os
import random
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import httpx

from devices.messages import strict_json, v1
from devices.messages.strict_json import Refused
from devices.phone.fallback import TIMEOUT_SECONDS, Fallback
from devices.phone.link import Endpoint, Link, Transport, Will
from devices.phone.network import Network
from devices.phone.outbox import Entry, HeldChallenge, Outbox
from devices.phone.texts import entry_of, position_text, task_fields, uuid7
from devices.tls import Tls
from devices.topics import device_topic, username
from evm.domain.evidence import EventKind, Method, TaskOutcome
from evm.domain.place import Position

_LOG: Final = logging.getLogger(__name__)
IN_FLIGHT_MAX: Final = 50
RESEND_SECONDS: Final = 5.0
RESEND_SECONDS_MAX: Final = 60.0
FALLBACK_AFTER_FAILURES: Final = 2
APP_VERSION: Final = "reference-1"
_WITH_PLACE: Final = frozenset({EventKind.CHECK_IN, EventKind.CHECK_OUT})


class Phone:
    """One enrolled device. `record` may be called from any thread and returns once the event is on disk.

    `directory` holds the outbox; `network` may be shared by a fleet (it then is started and stopped by its owner)."""

    def __init__(
        self,
        *,
        directory: Path,
        provider: str,
        device: str,
        worker: str,
        host: str,
        port: int,
        password: str,
        tls: Tls | None = None,
        transport: Transport = "tcp",
        clock: Callable[[], datetime],
        monotonic_ms: Callable[[], int],
        rng: random.Random,
        boot_id: str | None = None,
        network: Network | None = None,
        fallback_url: str | None = None,
        sync: Callable[[int], None] = os.fsync,
        resend_seconds: float = RESEND_SECONDS,
        backoff_seconds_max: float = 30.0,
    ) -> None:
        self.provider, self.device, self.worker = provider, device, worker
        self._clock, self._monotonic_ms, self._rng = clock, monotonic_ms, rng
        self.boot_id = boot_id or f"boot-{rng.getrandbits(48):012x}"
        self._lock = threading.RLock()
        self._settled = threading.Condition(self._lock)
        self._outbox = Outbox(path=directory / f"{provider}.{device}.outbox", sync=sync)
        self._compact()
        self._owns_network = network is None
        self._network = network or Network()
        self._in_flight: dict[str, float] = {}
        self._resend_seconds = self._resend_seconds_min = resend_seconds
        self._progress_at = time.monotonic()
        self._asked: dict[int, float] = {}
        self._pump_queued = False
        self._posting = False
        self._poster: threading.Thread | None = None
        self._closed = False
        name = username(provider=provider, device=device)
        self._fallback = (
            None if fallback_url is None else Fallback(base_url=fallback_url, username=name, password=password)
        )
        self._event_topic = device_topic(provider=provider, device=device, leaf="event")
        self._status_topic = device_topic(provider=provider, device=device, leaf="status")
        self._receipt_topic = device_topic(provider=provider, device=device, leaf="receipt")
        self.downlink: list[tuple[str, bytes]] = []
        self.sent_count = 0  # messages put on the wire, repetitions included
        self._link = Link(
            network=self._network,
            endpoint=Endpoint(host=host, port=port, username=name, password=password, tls=tls, transport=transport),
            subscriptions=(self._receipt_topic, device_topic(provider=provider, device=device, leaf="run")),
            will=Will(topic=self._status_topic, message=_status("offline")),
            on_ready=self._ready,
            on_message=self._arrived,
            on_down=self._down,
            on_tick=self._tick,
            backoff_seconds_max=backoff_seconds_max,
        )

    # -- what the app does -------------------------------------------------------------------------------------------------------

    def record(
        self,
        kind: EventKind,
        *,
        method: Method = Method.MANUAL,
        customer: str | None = None,
        tag: str | None = None,
        line: str | None = None,
        visit: str | None = None,
        position: Position | None = None,
        tasks: Sequence[TaskOutcome] = (),
        words: str | None = None,
        popback_at: datetime | None = None,
        popback_minutes: int | None = None,
        captured_at: datetime | None = None,
    ) -> str:
        """Record that something happened, now by the phone's clock (or at `captured_at`). Answers the event's id once it is on disk.

        A position is kept at check-in and check-out only. Raises `Refused` when no server would take the event as it stands, and OSError
        when it cannot be saved (disk full): the screen must say so, for then nothing was recorded."""
        with self._lock:
            at = self._clock() if captured_at is None else captured_at
            fix = position_text(position, self._rng) if position is not None and kind in _WITH_PLACE else None
            held = self._outbox.challenge
            fields: dict[str, Any] = {
                "v": 1,
                "event_id": self._new_id(at),
                "provider": self.provider,
                "device": self.device,
                "sequence": self._outbox.last_sequence + 1,
                "previous": self._outbox.last_sha256,
                "kind": kind.value,
                "captured_at": at.isoformat(),
                "monotonic_ms": self._monotonic_ms(),
                "boot_id": self.boot_id,
                "challenge": held.challenge if held else None,
                "challenge_monotonic_ms": held.monotonic_ms if held else None,
                "challenge_boot_id": held.boot_id if held else None,
                "worker": self.worker,
                "customer": customer,
                "tag": tag,
                "line": line,
                "visit": visit,
                "method": method.value,
                "position_digest": None if fix is None else v1.sha256_hex(fix.encode()),
                "tasks": [task_fields(task) for task in tasks] or None,
                "words": words,
                "popback_at": None if popback_at is None else popback_at.isoformat(),
                "popback_minutes": popback_minutes,
                "app_version": APP_VERSION,
            }
            entry = entry_of({name: value for name, value in fields.items() if value is not None}, fix)
            self._outbox.append(entry)
        self._pump_soon()
        return entry.event_id

    def connect(self) -> None:
        """Radio on: stay connected from now on, and send what waits."""
        self._network.start()
        self._network.call(self._link.open)

    def disconnect(self) -> None:
        """Radio off, as in a house without signal: events only gather in the outbox. Returns when the connection is down."""
        self._network.call_and_wait(self._link.close)

    def reboot(self, *, boot_id: str) -> None:
        """The phone was switched off and on: its monotonic clock counts from a new start."""
        with self._lock:
            self.boot_id = boot_id

    def close(self) -> None:
        """Disconnect and let go of the outbox (and of the network, if it is this phone's own)."""
        self._closed = True
        self.disconnect()
        if self._poster is not None:
            self._poster.join(timeout=TIMEOUT_SECONDS)
        if self._owns_network:
            self._network.stop()
        with self._lock:
            self._outbox.close()

    @property
    def connected(self) -> bool:
        """Whether events recorded now leave at once."""
        return self._link.ready

    @property
    def problem(self) -> str | None:
        """Why there is no connection, in words for the screen; None when there is one, or none was tried."""
        return self._link.problem

    @property
    def outbox_size(self) -> int:
        """How many events wait for their receipt."""
        with self._lock:
            return len(self._outbox.pending)

    @property
    def stored_count(self) -> int:
        """How many events have their receipt (of those still kept)."""
        with self._lock:
            return len(self._outbox.stored)

    @property
    def _mark(self) -> tuple[str | None, int]:
        """The log's epoch and how many events got an answer. When a posting changes neither, the next one would not, and waits its time."""
        with self._lock:
            return self._outbox.epoch, len(self._outbox.stored) + len(self._outbox.refused)

    @property
    def refused(self) -> tuple[v1.RefusedItem, ...]:
        """What the server will never store, and why: the screen shows it."""
        with self._lock:
            return tuple(self._outbox.refused.values())

    @property
    def pending_ids(self) -> tuple[str, ...]:
        """The events that wait for their receipt, oldest first."""
        with self._lock:
            return tuple(self._outbox.pending)

    def wait_receipts(self, *, timeout_seconds: float) -> bool:
        """Wait until the outbox is empty; False when it is not within `timeout_seconds` of real time."""
        with self._settled:
            return self._settled.wait_for(lambda: not self._outbox.pending, timeout_seconds)

    def wait_connected(self, *, timeout_seconds: float) -> bool:
        """Wait until the broker has granted this phone's subscriptions."""
        with self._settled:
            return self._settled.wait_for(lambda: self._link.ready, timeout_seconds)

    # -- on the network's thread ---------------------------------------------------------------------------------------------------

    def _ready(self) -> None:
        self._say_hello()
        self._in_flight.clear()
        self._progress_at = time.monotonic()
        with self._settled:
            self._settled.notify_all()
        self._pump()

    def _say_hello(self) -> None:
        """The birth: with it the server sees whether it lacks what this phone holds receipts for."""
        with self._lock:
            epoch, stored_sequence = self._outbox.epoch, self._outbox.stored_sequence
        message = _status("online", epoch=epoch, stored_sequence=stored_sequence)
        self._link.publish(topic=self._status_topic, message=message)

    def _down(self) -> None:
        self._in_flight.clear()
        self._post_soon()

    def _tick(self) -> None:
        """Send again what has had no receipt for long: ever more slowly, so that a slow server is not buried."""
        if self._in_flight and time.monotonic() - self._progress_at > self._resend_seconds:
            self._progress_at = time.monotonic()
            self._resend_seconds = min(RESEND_SECONDS_MAX, self._resend_seconds * 2)
            self._in_flight.clear()
            self._pump()

    def _pump_soon(self) -> None:
        with self._lock:
            if self._pump_queued:
                return
            self._pump_queued = True
        self._network.call(self._pump)

    def _pump(self) -> None:
        """Put events on the wire, oldest first, at most `IN_FLIGHT_MAX` without a receipt."""
        with self._lock:
            self._pump_queued = False
            room = IN_FLIGHT_MAX - len(self._in_flight)
            waiting = _first(self._outbox.pending, self._in_flight, room)
        if not self._link.ready:
            self._post_soon()
            return
        for entry in waiting:
            self._in_flight[entry.event_id] = time.monotonic()
            self._send(entry)

    def _send(self, entry: Entry) -> None:
        self._link.publish(topic=self._event_topic, message=entry.message)
        self.sent_count += 1

    def _arrived(self, topic: str, message: bytes) -> None:
        if topic != self._receipt_topic:
            with self._lock:
                self.downlink.append((topic, message))
            return
        try:
            receipt = v1.read(v1.Receipt, strict_json.decode(message))
        except Refused:
            with self._lock:  # a run sent down unretained, or a newer server's word: kept for the screen, no receipt
                self.downlink.append((topic, message))
            return
        self._accept(receipt)

    def _accept(self, receipt: v1.Receipt) -> None:
        with self._settled:
            if self._outbox.has_ended(receipt.epoch):
                _LOG.warning("%s.%s ignores a receipt of an epoch that has ended", self.provider, self.device)
                return
            is_restored = self._open_epoch(receipt)
            settled = self._outbox.mark_stored(receipt.stored)
            settled += sum(self._outbox.mark_refused(item) for item in receipt.refused)
            if receipt.challenge is not None:
                held = HeldChallenge(
                    challenge=receipt.challenge, monotonic_ms=self._monotonic_ms(), boot_id=self.boot_id
                )
                self._outbox.hold_challenge(held)
            self._in_flight = {key: at for key, at in self._in_flight.items() if key in self._outbox.pending}
            again = [] if is_restored else self._asked_again(receipt.resend_from)
            self._settled.notify_all()
        if settled:
            self._progress_at = time.monotonic()
            self._resend_seconds = self._resend_seconds_min
        if self._link.ready:
            if is_restored:
                self._say_hello()
            for entry in again:
                self._send(entry)
        self._pump()

    def _open_epoch(self, receipt: v1.Receipt) -> bool:
        """Whether the receipt is the first of a restored log: what it lacks then waits again, and goes the usual way."""
        if receipt.epoch is None or receipt.epoch == self._outbox.epoch:
            return False
        self._outbox.open_epoch(name=receipt.epoch, resend_from=receipt.resend_from or 1)
        self._in_flight.clear()
        return True

    def _compact(self) -> None:
        try:
            self._outbox.compact(now=self._clock())
        except OSError as error:  # no room to write it anew: the old one serves, and next start tries again
            _LOG.warning("%s.%s cannot tidy its outbox: %s", self.provider, self.device, error)

    def _new_id(self, at: datetime) -> str:
        """A fresh id; drawn again in the case (a given random source started anew) that this phone has used it."""
        event_id = uuid7(at=at, rng=self._rng)
        while self._outbox.knows(event_id):
            event_id = uuid7(at=at, rng=self._rng)
        return event_id

    def _asked_again(self, sequence: int | None) -> list[Entry]:
        """Receipted events the server asks for from `sequence` on. The same question is answered at most every `RESEND_SECONDS_MAX`:
        a gap left by a refused event never closes."""
        if sequence is None or time.monotonic() - self._asked.get(sequence, -RESEND_SECONDS_MAX) < RESEND_SECONDS_MAX:
            return []
        self._asked = {sequence: time.monotonic()}
        kept = (entry for entry in self._outbox.since(sequence) if entry.event_id not in self._outbox.pending)
        return list(itertools.islice(kept, IN_FLIGHT_MAX))

    # -- the HTTP fallback ---------------------------------------------------------------------------------------------------------

    def _post_soon(self) -> None:
        """MQTT keeps failing: post what waits, on a thread of its own so that the network goes on."""
        failing = self._link.failures >= FALLBACK_AFTER_FAILURES
        if self._fallback is None or self._posting or self._closed or not failing or not self._outbox.pending:
            return
        self._posting = True
        self._poster = threading.Thread(target=self._post, name="phone-fallback", daemon=True)
        self._poster.start()

    def _post(self) -> None:
        try:
            before: tuple[str | None, int] | None = None
            while self._mark != before and not self._link.ready and not self._closed:
                before = self._mark
                if not self.post_pending():
                    break
        except (httpx.HTTPError, Refused) as error:
            _LOG.info("%s.%s cannot post: %s", self.provider, self.device, error)
        finally:
            self._posting = False

    def post_pending(self) -> int:
        """Send up to `IN_FLIGHT_MAX` waiting events by HTTP; answers how many wait still. Raises httpx.HTTPError, `Refused`."""
        assert self._fallback is not None, "no fallback address was given"
        with self._lock:
            messages = [entry.message for entry in _first(self._outbox.pending, {}, IN_FLIGHT_MAX)]
        if messages:
            receipt = self._fallback.post(messages)
            self._network.call_and_wait(lambda: self._accept(receipt))
        return self.outbox_size


def _first(pending: dict[str, Entry], without: dict[str, float], count: int) -> list[Entry]:
    found: list[Entry] = []
    for event_id, entry in pending.items():
        if len(found) >= count:
            break
        if event_id not in without:
            found.append(entry)
    return found


def _status(state: str, **said: str | int | None) -> bytes:
    return json.dumps({"v": 1, "state": state} | {key: value for key, value in said.items() if value}).encode()
