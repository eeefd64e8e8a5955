"""From messages to receipts: decode, one transaction for the whole batch, commit, then replies. Not any transport: MQTT (devices.mqtt),
HTTP and telephony all call `Ingest.take`, and none acknowledges to its sender before it has returned.

What cannot be read or is not allowed is kept whole in quarantine with its reason and gets a refusal; it never blocks the next message.
An error of the database leaves `take` as an exception: nothing was stored, nothing may be acknowledged, and the caller tries again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from evm.services.receive import Answer, Incoming, Refused
from sqlalchemy.orm import Session, sessionmaker

from devices import calls
from devices.messages import v1
from devices.messages.strict_json import Refused as Unreadable
from devices.topics import parse
from devices.types import TYPES, Decoded, Sender
from devices.types.telephony import NAME as TELEPHONY_NAME
from evm.domain.evidence import Claim
from evm.domain.ids import DeviceId, ProviderId
from evm.domain.policy import Policy
from evm.services import receive
from evm.store import people
from evm.store.people import DeviceRow

CHALLENGE_EVERY: Final = timedelta(seconds=30)
TELEPHONY_CHANNEL: Final = "telephony"


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One message as a transport got it. `provider` and `device` are those of the topic or the credential, never of the body.

    `channel` is "mqtt", "http" or "telephony"; a call may leave `provider` empty: the dialled number says whose it is."""

    provider: str
    device: str
    topic: str
    message: bytes
    qos: int = 1
    retained: bool = False
    channel: str = "mqtt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What one device is told about the batch: to be sent only now, after the commit."""

    provider: str
    device: str
    receipt: v1.Receipt


class Ingest:
    """The one way in. Safe to call from several threads; every call is one transaction of its own."""

    def __init__(
        self,
        *,
        sessions: sessionmaker[Session],
        clock: Callable[[], datetime],
        policy: Policy,
        new_challenge: Callable[[], str],
        telephony_provider: str | None = None,
    ) -> None:
        self._sessions = sessions
        self._clock = clock
        self._policy = policy
        self._new_challenge = new_challenge
        self._telephony_provider = telephony_provider
        self._types = {device_type.name: device_type for device_type in TYPES}
        self._challenged: dict[tuple[str, str], datetime] = {}

    def take(self, batch: Sequence[Received]) -> tuple[Reply, ...]:
        """Store what can be stored, quarantine the rest, commit, and answer one reply per device in order of first appearance.

        Raises what the database raises, with nothing stored."""
        now = self._clock()
        with self._sessions.begin() as session:
            batch = [self._owned(session, received) for received in batch]
            items = self._items(session, batch, now)
            answers = receive.receive(session, items=items, now=now, policies=self._policy)
            receipts = self._receipts(session, answers, now)
        self._challenged.update({(r.provider, r.device): now for r in receipts if r.receipt.challenge is not None})
        return receipts

    def _owned(self, session: Session, received: Received) -> Received:
        if received.channel != TELEPHONY_CHANNEL or received.provider:
            return received
        owner = calls.provider_of_call(session, message=received.message, default=self._telephony_provider)
        return replace(received, provider=owner or "", device=calls.DEVICE)

    def _items(self, session: Session, batch: Sequence[Received], now: datetime) -> list[Incoming | Refused]:
        keys = {(ProviderId(r.provider), DeviceId(r.device)) for r in batch if r.provider}
        enrolled = people.devices_among(session, keys=keys)
        items: list[Incoming | Refused] = []
        for received in batch:
            try:
                device = enrolled.get((ProviderId(received.provider), DeviceId(received.device)))
                items += self._read(session, received, device, now, items)
            except Unreadable as unreadable:
                items.append(_refused(received, unreadable))
        return items

    def _read(
        self,
        session: Session,
        received: Received,
        device: DeviceRow | None,
        now: datetime,
        before: Sequence[Incoming | Refused],
    ) -> list[Incoming | Refused]:
        _refuse_transport(received)
        name, sender = _sender(received, device)
        if name not in self._types:
            raise Unreadable("TYPE", f"no decoder for devices of type {name}")
        found = self._types[name].decode(received.message, sender, now)
        if received.channel == TELEPHONY_CHANNEL:
            within = tuple(item.claim for item in before if isinstance(item, Incoming))
            completed = (calls.complete(session, decoded=d, now=now, within=within) for d in found)
            found = tuple(d for d in completed if d is not None)
        return [_incoming(decoded, received) for decoded in found]

    def _receipts(self, session: Session, answers: Sequence[Answer], now: datetime) -> tuple[Reply, ...]:
        by_device: dict[tuple[str, str], list[Answer]] = {}
        for answer in answers:
            if answer.provider and answer.device:
                by_device.setdefault((answer.provider, answer.device), []).append(answer)
        return tuple(
            self._reply(session, provider, device, said, now) for (provider, device), said in by_device.items()
        )

    def _reply(self, session: Session, provider: str, device: str, answers: list[Answer], now: datetime) -> Reply:
        stored = tuple(
            v1.StoredItem(event_id=a.event_id, sha256=a.sha256, index=a.stored_index)
            for a in answers
            if a.stored_index is not None and a.event_id is not None
        )
        refused = tuple(
            v1.RefusedItem(event_id=a.event_id, sha256=a.sha256, reason=a.refusal)
            for a in answers
            if a.refusal is not None
        )
        challenge = self._challenge(session, provider, device, now) if stored else None
        gap = receive.resend_from(session, provider=ProviderId(provider), device=DeviceId(device)) if stored else None
        receipt = v1.Receipt(stored=stored, refused=refused, challenge=challenge, resend_from=gap)
        return Reply(provider=provider, device=device, receipt=receipt)

    def _challenge(self, session: Session, provider: str, device: str, now: datetime) -> str | None:
        """A fresh challenge when the device's last one has aged; only devices that answered something real get one."""
        last = self._challenged.get((provider, device))
        if last is not None and timedelta(0) <= now - last < CHALLENGE_EVERY:
            return None
        challenge = self._new_challenge()
        receive.issue_challenge(
            session, provider=ProviderId(provider), device=DeviceId(device), now=now, challenge=challenge
        )
        return challenge


def _refuse_transport(received: Received) -> None:
    """What is refused before the body is read: retained copies and topics that carry no events."""
    if received.retained:
        raise Unreadable("RETAINED", "a retained message is not an event that happens now")
    if received.channel == "mqtt":
        address = parse(received.topic)
        if address is None or address.leaf not in ("event", ""):
            raise Unreadable("TOPIC", "no events are expected on this topic")


def _sender(received: Received, device: DeviceRow | None) -> tuple[str, Sender]:
    """The device type's name and the sender. Calls are vouched for by the gateway's signature, checked at the edge."""
    if received.channel == TELEPHONY_CHANNEL:
        if not received.provider:
            raise Unreadable("FIELD", "the dialled number belongs to no provider here")
        return TELEPHONY_NAME, Sender(
            provider=ProviderId(received.provider), device=DeviceId(received.device), worker=None
        )
    if device is None:
        raise Unreadable("AUTH", "no such device is enrolled", security=True)
    if device.revoked_at is not None:
        raise Unreadable("AUTH", "this device's credential was revoked", security=True)
    return device.device_type, Sender(provider=device.provider, device=device.device, worker=device.worker)


def _incoming(decoded: Decoded, received: Received) -> Incoming:
    claim: Claim = replace(decoded.claim, qos0=True) if received.qos == 0 else decoded.claim
    return Incoming(claim=claim, payload=decoded.payload, channel=received.channel)


def _refused(received: Received, unreadable: Unreadable) -> Refused:
    return Refused(
        topic=received.topic,
        message=received.message,
        provider=received.provider or None,
        device=received.device or None,
        event_id=unreadable.event_id,
        reason=unreadable.reason,
        words=unreadable.words,
        security=unreadable.security,
    )
