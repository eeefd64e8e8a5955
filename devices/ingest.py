"""From messages to receipts: decode, one transaction for the whole batch, commit, then replies. Not any transport: MQTT (devices.mqtt),
HTTP and telephony all call `Ingest.take`, and none acknowledges to its sender before it has returned.

What cannot be read or is not allowed is kept whole in quarantine with its reason and gets a refusal; it never blocks the next message.
An error of the database leaves `take` as an exception: nothing was stored, nothing may be acknowledged, and the caller tries again."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session, sessionmaker

from devices import calls
from devices.challenges import ChallengeKey
from devices.messages import strict_json, v1
from devices.messages.strict_json import Refused as Unreadable
from devices.topics import parse
from devices.types import TYPES, Decoded, Sender
from devices.types.popback_v1 import NAME as PHONE_NAME
from devices.types.telephony import NAME as TELEPHONY_NAME
from evm.domain.evidence import Claim
from evm.domain.ids import DeviceId, ProviderId
from evm.domain.policy import Policy
from evm.services import receive
from evm.services.device_progress import next_missing
from evm.services.epochs import wanted_from
from evm.services.receive import Answer, Incoming, Refused
from evm.store import epochs, ingest_state, people
from evm.store.epochs import Epoch
from evm.store.ingest_state import Progress
from evm.store.people import DeviceRow
from evm.store.savepoint import is_outage

CHALLENGE_EVERY: Final = timedelta(seconds=30)
RETAINED_MAX: Final = 10_000
TELEPHONY_CHANNEL: Final = "telephony"

DeviceKey = tuple[ProviderId, DeviceId]
_LOG: Final = logging.getLogger(__name__)


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


@dataclass(slots=True, kw_only=True)
class _Read:
    """A batch as it was read: what goes to `receive`, and what the replies need beside its answers, by place in `items`."""

    items: list[Incoming | Refused] = field(default_factory=list)
    payload_sha256: dict[int, str] = field(default_factory=dict)
    unanswered: set[int] = field(default_factory=set)
    phones: set[DeviceKey] = field(default_factory=set)
    retained: set[tuple[str, str]] = field(default_factory=set)
    statuses: dict[DeviceKey, v1.Status] = field(default_factory=dict)

    @property
    def devices(self) -> set[DeviceKey]:
        """Whose events or states it brings."""
        events = {(item.claim.provider, item.claim.device) for item in self.items if isinstance(item, Incoming)}
        return events | self.statuses.keys()

    def refuse(self, received: Received, unreadable: Unreadable) -> None:
        """Quarantine it. A retained copy gets no refusal: its original may be stored, or still on its way."""
        at = len(self.items)
        if unreadable.sha256 is not None:
            self.payload_sha256[at] = unreadable.sha256
        if received.retained:
            self.unanswered.add(at)
            self.retained.add(_retained_key(received))
        self.items.append(_refused(received, unreadable))


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
        challenge_key: ChallengeKey | None = None,
    ) -> None:
        self._sessions = sessions
        self._clock = clock
        self._policy = policy
        self._new_challenge = new_challenge
        self._telephony_provider = telephony_provider
        self._challenge_key = challenge_key
        self._types = {device_type.name: device_type for device_type in TYPES}
        self._challenged: dict[tuple[str, str], datetime] = {}
        self._retained: set[tuple[str, str]] = (
            set()
        )  # copies in quarantine already: they come again at every reconnection

    def take(self, batch: Sequence[Received]) -> tuple[Reply, ...]:
        """Store what can be stored, quarantine the rest, commit, and answer one reply per device in order of first appearance.

        Raises what is the database's fault (gone, locked, full, in mid-restore) with nothing stored. Any other error is one message's:
        the batch is taken again message by message, and the one that fails alone is quarantined as INTERNAL, so that it blocks no other."""
        try:
            return self._take(batch)
        except Exception as error:
            if is_outage(error):
                raise
            _LOG.exception("a batch of %d failed; taking its messages one by one", len(batch))
            return _one_a_device(reply for received in batch for reply in self._take_alone(received))

    def _take_alone(self, received: Received) -> tuple[Reply, ...]:
        try:
            return self._take([received])
        except Exception as error:
            if is_outage(error):
                raise
            _LOG.exception("a message on %s is quarantined", received.topic)
            return self._take([received], poison=True)

    def _take(self, batch: Sequence[Received], *, poison: bool = False) -> tuple[Reply, ...]:
        now = self._clock()
        with self._sessions.begin() as session:
            read = _Read()
            if poison:
                for received in batch:
                    read.refuse(received, Unreadable("INTERNAL", "the server could not deal with this message"))
            else:
                self._read_all(session, batch, now, read)
            receive.hold_devices(session, devices=read.devices)
            epoch = epochs.current(session)
            if epoch is not None:
                self._remember_challenges(session, read)
            answers = receive.receive(session, items=read.items, now=now, policies=self._policy)
            self._keep_statuses(session, read, now)
            replies = self._replies(session, read, answers, now, epoch=epoch)
        if len(self._retained) < RETAINED_MAX:
            self._retained |= read.retained
        self._challenged.update({(r.provider, r.device): now for r in replies if r.receipt.challenge is not None})
        return replies

    def _owned(self, session: Session, received: Received) -> Received:
        if received.channel != TELEPHONY_CHANNEL or received.provider:
            return received
        owner = calls.provider_of_call(session, message=received.message, default=self._telephony_provider)
        return replace(received, provider=owner or "", device=calls.DEVICE)

    def _read_all(self, session: Session, batch: Sequence[Received], now: datetime, read: "_Read") -> None:
        owned = [self._owned(session, received) for received in batch]
        enrolled = people.devices_among(
            session, keys={(ProviderId(r.provider), DeviceId(r.device)) for r in owned if r.provider}
        )
        read.phones = {key for key, row in enrolled.items() if row.device_type == PHONE_NAME and row.revoked_at is None}
        for received in owned:
            if received.retained and _retained_key(received) in self._retained:
                continue
            device = enrolled.get((ProviderId(received.provider), DeviceId(received.device)))
            try:
                if _is_status(received):
                    read.statuses.update(_status(received, device))
                    continue
                read.items += self._read(session, received, device, now, read.items)
            except Unreadable as unreadable:
                read.refuse(received, unreadable)

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

    def _remember_challenges(self, session: Session, read: "_Read") -> None:
        """After a restore: challenges that the table lost and that show by themselves when they were given stand in it again."""
        if self._challenge_key is None:
            return
        claims = {item.claim.challenge: item.claim for item in read.items if isinstance(item, Incoming)}
        known = ingest_state.challenges_issued(session, challenges={text for text in claims if text is not None})
        for text, claim in claims.items():
            if text is None or text in known:
                continue
            given = self._challenge_key.issued_at(provider=claim.provider, device=claim.device, challenge=text)
            if given is not None:
                receive.issue_challenge(
                    session, provider=claim.provider, device=claim.device, now=given, challenge=text
                )

    def _keep_statuses(self, session: Session, read: "_Read", now: datetime) -> None:
        ingest_state.set_states(session, states={key: said.state for key, said in read.statuses.items()}, now=now)
        births = {key: said for key, said in read.statuses.items() if said.state == "online"}
        epochs.set_known(session, known={key: said.epoch for key, said in births.items()})

    def _replies(
        self, session: Session, read: "_Read", answers: Sequence[Answer], now: datetime, *, epoch: Epoch | None
    ) -> tuple[Reply, ...]:
        stored: dict[DeviceKey, list[v1.StoredItem]] = {}
        refused: dict[DeviceKey, list[v1.RefusedItem]] = {}
        for at, answer in enumerate(answers):
            if answer.provider is None or answer.device is None or at in read.unanswered:
                continue
            key = (ProviderId(answer.provider), DeviceId(answer.device))
            stored.setdefault(key, [])
            if answer.stored_index is not None and answer.event_id is not None:
                item = v1.StoredItem(event_id=answer.event_id, sha256=answer.sha256, index=answer.stored_index)
                stored[key].append(item)
            elif answer.refusal is not None:
                sha256 = read.payload_sha256.get(at, answer.sha256)
                bad = v1.RefusedItem(event_id=answer.event_id, sha256=sha256, reason=answer.refusal)
                refused.setdefault(key, []).append(bad)
        progress = ingest_state.progress(session, devices=read.phones)
        asked = {key: _wanted(key, read, progress.get(key), epoch, stored=stored.get(key, ())) for key in read.phones}
        for key in read.statuses:
            if asked.get(key) is not None:
                stored.setdefault(key, [])
        return tuple(
            Reply(
                provider=key[0],
                device=key[1],
                receipt=v1.Receipt(
                    stored=tuple(items),
                    refused=tuple(refused.get(key, ())),
                    challenge=self._challenge(session, *key, now) if items and key in read.phones else None,
                    resend_from=asked.get(key),
                    epoch=epoch.name if epoch is not None and key in read.phones else None,
                ),
            )
            for key, items in stored.items()
        )

    def _challenge(self, session: Session, provider: ProviderId, device: DeviceId, now: datetime) -> str | None:
        """A fresh challenge when the device's last one has aged; only devices that answered something real get one."""
        last = self._challenged.get((provider, device))
        if last is not None and timedelta(0) <= now - last < CHALLENGE_EVERY:
            return None
        challenge = self._new_challenge()
        if self._challenge_key is not None:
            challenge = self._challenge_key.make(provider=provider, device=device, issued_at=now, nonce=challenge)
        receive.issue_challenge(session, provider=provider, device=device, now=now, challenge=challenge)
        return challenge


def _one_a_device(replies: Iterable[Reply]) -> tuple[Reply, ...]:
    """Several replies to a device as one: the newest challenge and gap count."""
    found: dict[tuple[str, str], Reply] = {}
    for reply in replies:
        before = found.get((reply.provider, reply.device))
        if before is not None:
            old, new = before.receipt, reply.receipt
            merged = v1.Receipt(
                stored=old.stored + new.stored,
                refused=old.refused + new.refused,
                challenge=new.challenge or old.challenge,
                resend_from=new.resend_from,
                epoch=new.epoch,
            )
            reply = replace(reply, receipt=merged)  # noqa: PLW2901 -- the same reply, completed
        found[reply.provider, reply.device] = reply
    return tuple(found.values())


def _refuse_transport(received: Received) -> None:
    """What is refused before the body is read: retained copies and topics that carry no events."""
    if received.retained:
        raise Unreadable("RETAINED", "a retained message is not an event that happens now")
    if received.channel == "mqtt":
        address = parse(received.topic)
        if address is None or address.leaf not in ("event", ""):
            raise Unreadable("TOPIC", "no events are expected on this topic")


def _is_status(received: Received) -> bool:
    address = parse(received.topic)
    return received.channel == "mqtt" and not received.retained and address is not None and address.leaf == "status"


def _status(received: Received, device: DeviceRow | None) -> dict[DeviceKey, v1.Status]:
    """What a birth or last will says of its own device: device health, never evidence. Only a question answers it, if there is one."""
    _, sender = _sender(received, device)
    said = v1.read(v1.Status, strict_json.decode(received.message))
    return {(sender.provider, sender.device): said}


def _wanted(
    key: DeviceKey, read: _Read, progress: Progress | None, epoch: Epoch | None, *, stored: Sequence[v1.StoredItem]
) -> int | None:
    """From which sequence number a phone is asked to send again: everything the log lacks while the phone does not know the log's epoch
    or holds receipts for more than the log has; otherwise, with a receipt, what is missing below the newest stored."""
    knows = epoch is None or (progress is not None and progress.epoch == epoch.name)
    if not knows:
        return wanted_from(progress)
    birth = read.statuses.get(key)
    held = None if birth is None else birth.stored_sequence
    if held is not None and held > (0 if progress is None else progress.highest_sequence):
        _LOG.error(
            "the log lacks events for which %s.%s holds receipts: was the database restored? Then run popback backup epoch",
            *key,
        )
        return wanted_from(progress)
    return next_missing(progress) if stored else None


def _retained_key(received: Received) -> tuple[str, str]:
    return received.topic, v1.sha256_hex(received.message)


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
        sequence=unreadable.sequence,
    )
