"""The devices of the played day: reference phones and OwnTracks apps over real MQTT, and calls from landlines. Not who uses
them when (play)."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlencode

import httpx
from sqlalchemy.orm import Session
from twilio.request_validator import RequestValidator

from devices import identity
from devices.ingest import Ingest, Received
from devices.phone import Network, Phone
from devices.phone.link import Endpoint, Link
from devices.topics import device_topic, username
from evm.domain.evidence import EventKind, Method, TaskOutcome
from evm.domain.ids import DeviceId, WorkerId
from simulations.behaviour import Stay
from simulations.clock import SimulatedClock
from simulations.history import event_uuid, fix_near
from simulations.load import PROVIDER_ID
from simulations.people import SimCustomer, SimWorker
from simulations.world import World, random_for

_RESEND_SECONDS: Final = 4.0
_BACKOFF_SECONDS_MAX: Final = 1.0


class Server(Protocol):
    """Where the devices find the server: `telephony_url` None when no site is up (calls then go straight to `ingest`)."""

    @property
    def broker_host(self) -> str: ...
    @property
    def broker_port(self) -> int: ...
    @property
    def ingest(self) -> Ingest: ...
    @property
    def telephony_url(self) -> str | None: ...
    @property
    def telephony_token(self) -> str: ...


class NoReceiptError(RuntimeError):
    """A device waited in vain for the server's word: the simulation cannot let time pass."""


class Fleet:
    """Every device of the played day. One network thread carries them all; `record` is called in the order of the events."""

    def __init__(self, *, world: World, server: Server, clock: SimulatedClock, directory: Path) -> None:
        self._world = world
        self._server = server
        self._clock = clock
        self._directory = directory
        self._customers = {one.customer_id: one for one in world.customers}
        self._workers = {one.worker_id: one for one in world.workers}
        self._passwords: dict[str, str] = {}
        self._network = Network()
        self._phones: dict[str, _PhoneTwin] = {}
        self._apps: dict[str, _AppTwin] = {}
        self._offline: set[str] = set()
        self._calls = 0
        self.sent_ids: set[tuple[str, str]] = set()

    def enrol(self, session: Session, *, now: datetime) -> None:
        """Enrol a phone or an app for every worker who carries one."""
        for worker in self._world.workers:
            if worker.device_type != "telephony":
                self._passwords[worker.worker_id] = identity.enrol(
                    session,
                    provider=PROVIDER_ID,
                    device=DeviceId(worker.device_id),
                    device_type=worker.device_type,
                    worker=WorkerId(worker.worker_id),
                    now=now,
                )

    def start(self, workers: Iterable[str]) -> None:
        """Switch on and connect the devices of these workers; returns when each is connected."""
        for worker_id in sorted(workers):
            worker = self._workers[worker_id]
            if worker.device_type == "popback_v1":
                self._phones[worker_id] = self._phone(worker)
                self._phones[worker_id].phone.connect()
            elif worker.device_type == "owntracks":
                self._apps[worker_id] = self._app(worker)
                self._apps[worker_id].connect()
        for phone in self._phones.values():
            _must(phone.phone.wait_connected(timeout_seconds=30), f"{phone.phone.device} could not connect")
        for app in self._apps.values():
            _must(app.wait_connected(timeout_seconds=30), f"{app.device} could not connect")

    def stop(self) -> None:
        """Close every device and the network."""
        for phone in self._phones.values():
            phone.phone.close()
        for app in self._apps.values():
            app.close()
        self._network.stop()

    def say_hello(self, at: datetime) -> None:
        """Every connected phone says that it is there, and so gets its first challenge."""
        for twin in self._phones.values():
            self._note(twin.phone.device, twin.record(EventKind.HEARTBEAT, at=at))

    def disconnect(self, worker_id: str) -> None:
        """This worker's phone loses its signal."""
        self._phones[worker_id].phone.disconnect()
        self._offline.add(worker_id)

    def restart(self, worker_id: str) -> None:
        """This worker's phone is switched off and on: its monotonic clock counts anew."""
        self._phones[worker_id].restart()

    def reconnect(self, worker_id: str) -> None:
        """This worker's phone has signal again; returns when it is connected."""
        self._offline.discard(worker_id)
        phone = self._phones[worker_id].phone
        phone.connect()
        _must(phone.wait_connected(timeout_seconds=30), f"{phone.device} could not reconnect")

    def record(self, stay: Stay, kind: EventKind, *, at: datetime) -> None:
        """Let the worker of `stay` check in or out at `at`, by whatever device they carry. A call is answered at once."""
        customer = self._customers[stay.call.customer_id]
        if stay.device_type == "popback_v1":
            twin = self._phones[stay.worker]
            self._note(
                twin.phone.device, twin.check(stay, kind, at=at, customer=customer, wrong_tag=self._other(customer))
            )
        elif stay.device_type == "owntracks":
            key = f"{stay.call.visit_id}|{stay.slot}|{kind}"
            fix = fix_near(customer.home, seed=self._world.seed, key=key)
            app = self._apps[stay.worker]
            self._note(
                app.device,
                app.transition(kind, at=at, customer_id=customer.customer_id, place=(fix.latitude, fix.longitude)),
            )
        else:
            self._ring(stay, customer)

    def ask_popback(self, worker_id: str, *, at: datetime, customer_id: str, wanted_at: datetime, minutes: int) -> None:
        """The worker's phone passes on a customer's request to come back at another time."""
        twin = self._phones[worker_id]
        event_id = twin.record(
            EventKind.POPBACK_REQUEST, at=at, customer=customer_id, popback_at=wanted_at, popback_minutes=minutes
        )
        self._note(twin.phone.device, event_id)

    def settle(self) -> None:
        """Wait until every device that has signal has its receipts."""
        for worker_id, twin in self._phones.items():
            if worker_id not in self._offline:
                _must(twin.phone.wait_receipts(timeout_seconds=60), f"{twin.phone.device} has no receipt")
                _must(not twin.phone.refused, f"{twin.phone.device} was refused: {twin.phone.refused}")
        for app in self._apps.values():
            _must(app.wait_receipts(timeout_seconds=60), f"{app.device} has no receipt")

    def phone_workers(self) -> tuple[str, ...]:
        """The workers who carry a reference phone today."""
        return tuple(self._phones)

    def _note(self, device: str, event_id: str) -> None:
        self.sent_ids.add((device, event_id))

    def _other(self, customer: SimCustomer) -> str:
        """The tag of another home: a neighbour's."""
        customers = self._world.customers
        at = next(n for n, one in enumerate(customers) if one.customer_id == customer.customer_id)
        return customers[(at + 7) % len(customers)].tag

    def _phone(self, worker: SimWorker) -> "_PhoneTwin":
        return _PhoneTwin(
            clock=self._clock,
            make=lambda now, monotonic_ms: Phone(
                directory=self._directory,
                provider=PROVIDER_ID,
                device=worker.device_id,
                worker=worker.worker_id,
                host=self._server.broker_host,
                port=self._server.broker_port,
                password=self._passwords[worker.worker_id],
                clock=now,
                monotonic_ms=monotonic_ms,
                rng=random_for(self._world.seed, f"phone of {worker.worker_id}"),
                network=self._network,
                sync=lambda _file: None,  # the simulated phone's own disk is not what is tested here (see chaos)
                resend_seconds=_RESEND_SECONDS,
                backoff_seconds_max=_BACKOFF_SECONDS_MAX,
            ),
        )

    def _app(self, worker: SimWorker) -> "_AppTwin":
        return _AppTwin(
            network=self._network,
            host=self._server.broker_host,
            port=self._server.broker_port,
            device=worker.device_id,
            password=self._passwords[worker.worker_id],
        )

    def _ring(self, stay: Stay, customer: SimCustomer) -> None:
        """An unanswered call from the customer's line to the worker's own number."""
        self._calls += 1
        form = {
            "CallSid": "CA" + hashlib.sha256(f"{self._world.seed} {self._calls}".encode()).hexdigest()[:32],
            "From": customer.line,
            "To": self._workers[stay.worker].dialled_number,
            "CallStatus": "no-answer",
        }
        url = self._server.telephony_url
        if url is None:
            message = urlencode(form).encode()
            self._server.ingest.take([Received(provider="", device="", topic="", message=message, channel="telephony")])
            return
        signature = _signature(token=self._server.telephony_token, url=url, form=form)
        answer = httpx.post(url, data=form, headers={"X-Twilio-Signature": signature}, timeout=30)
        answer.raise_for_status()


class _PhoneTwin:
    """A phone whose clock shows the instant of the event while it records, and the common clock otherwise."""

    def __init__(
        self, *, clock: SimulatedClock, make: Callable[[Callable[[], datetime], Callable[[], int]], Phone]
    ) -> None:
        self._clock = clock
        self._recording = threading.local()
        self._booted = clock.now()
        self.phone = make(self._now, self._monotonic_ms)

    def _now(self) -> datetime:
        at: datetime | None = getattr(self._recording, "at", None)
        return self._clock.now() if at is None else at

    def _monotonic_ms(self) -> int:
        return round((self._now() - self._booted).total_seconds() * 1000) + 1000

    def restart(self) -> None:
        """Switch the phone off and on, at the common clock's instant."""
        self._booted = self._clock.now()
        self.phone.reboot(boot_id=event_uuid(self._booted, f"boot of {self.phone.device}"))

    def record(self, kind: EventKind, *, at: datetime, **fields: Any) -> str:
        self._recording.at = at
        try:
            return self.phone.record(kind, **fields)
        finally:
            self._recording.at = None

    def check(self, stay: Stay, kind: EventKind, *, at: datetime, customer: SimCustomer, wrong_tag: str) -> str:
        """Check in or out at the customer's tag, at another home's by mistake, or typed by hand."""
        visit = stay.call.visit_id if stay.names_visit else None
        tasks = tuple(TaskOutcome(code=code, done=True) for code in stay.call.tasks)
        done = tasks if kind is EventKind.CHECK_OUT else ()
        if kind is EventKind.NO_REPLY:  # the tag is inside
            return self.record(kind, at=at, method=Method.MANUAL, customer=customer.customer_id, visit=visit)
        if stay.tag == "none":
            return self.record(
                kind, at=at, method=Method.MANUAL, customer=customer.customer_id, visit=visit, tasks=done
            )
        tag = wrong_tag if stay.tag == "other" and kind is EventKind.CHECK_IN else customer.tag
        return self.record(kind, at=at, method=Method.NFC, tag=tag, visit=visit, tasks=done)


class _AppTwin:
    """An OwnTracks app: it knows no receipts, so the simulation waits for the server's word on each message."""

    def __init__(self, *, network: Network, host: str, port: int, device: str, password: str) -> None:
        self.device = device
        self._network = network
        self._settled = threading.Condition()
        self._pending: dict[str, bytes] = {}
        self._ticks = 0
        self._up = False
        self._link = Link(
            network=network,
            endpoint=Endpoint(
                host=host, port=port, username=username(provider=PROVIDER_ID, device=device), password=password
            ),
            subscriptions=(device_topic(provider=PROVIDER_ID, device=device, leaf="receipt"),),
            on_ready=self._ready,
            on_message=self._receipt,
            on_down=lambda: None,
            on_tick=self._tick,
            backoff_seconds_max=_BACKOFF_SECONDS_MAX,
        )

    def connect(self) -> None:
        self._network.start()
        self._network.call(self._link.open)

    def close(self) -> None:
        self._network.call_and_wait(self._link.close)

    def transition(self, kind: EventKind, *, at: datetime, customer_id: str, place: tuple[float, float]) -> str:
        """Publish entering or leaving a customer's region; answers the SHA-256 of the message, by which its receipt is known."""
        said = {
            "_type": "transition",
            "event": "enter" if kind is EventKind.CHECK_IN else "leave",
            "desc": customer_id,
            "tst": int(at.timestamp()),
            "lat": place[0],
            "lon": place[1],
            "acc": 15,
            "t": "c",
        }
        message = json.dumps(said, separators=(",", ":")).encode()
        digest = hashlib.sha256(message).hexdigest()
        with self._settled:
            self._pending[digest] = message
        self._network.call(lambda: self._publish([message]))
        return digest

    def _publish(self, messages: Sequence[bytes]) -> None:
        """Send if connected; what is not sent now goes with the next connection, as the app's own queue would."""
        topic = device_topic(provider=PROVIDER_ID, device=self.device, leaf="event")
        for message in messages:
            if self._link.ready:
                self._link.publish(topic=topic, message=message)

    def _again(self) -> None:
        with self._settled:
            waiting = list(self._pending.values())
        self._publish(waiting)

    def _tick(self) -> None:
        """About once a second: a message without a receipt for some seconds is sent again; it is the same event."""
        self._ticks = self._ticks + 1 if self._pending else 0
        if self._ticks >= _RESEND_SECONDS:
            self._ticks = 0
            self._again()

    def wait_connected(self, *, timeout_seconds: float) -> bool:
        with self._settled:
            return self._settled.wait_for(lambda: self._up, timeout_seconds)

    def wait_receipts(self, *, timeout_seconds: float) -> bool:
        with self._settled:
            return self._settled.wait_for(lambda: not self._pending, timeout_seconds)

    def _ready(self) -> None:
        with self._settled:
            self._up = True
            self._settled.notify_all()
        self._again()

    def _receipt(self, _topic: str, message: bytes) -> None:
        stored = json.loads(message).get("stored") or ()
        with self._settled:
            for item in stored:
                self._pending.pop(item["sha256"], None)
            self._settled.notify_all()


def _signature(*, token: str, url: str, form: dict[str, str]) -> str:
    """What Twilio would sign this form with."""
    validator: Any = RequestValidator(token)  # type: ignore[no-untyped-call]
    return str(validator.compute_signature(url, form))


def _must(held: bool, words: str) -> None:  # noqa: FBT001 -- reads as a sentence where it is called
    if not held:
        raise NoReceiptError(words)
