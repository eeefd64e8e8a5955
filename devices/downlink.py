"""Sends what services want sent to phones: drains the outbox's channel "down" over the broker. Not receipts (devices.ingest sends
those) and not the run itself: the retained notice says only that there is a newer one. After a restore each phone is asked for what
the log lacks: that is not retained, for a phone that is away is asked when it comes (devices.ingest)."""

import logging
from datetime import datetime
from typing import Any, Final, Protocol

from sqlalchemy.orm import Session

from devices.messages import v1
from devices.messages.strict_json import Refused
from devices.topics import device_topic
from evm.domain.ids import is_id
from evm.services.epochs import RESEND
from evm.store import outbox
from evm.store.outbox import DOWN, OutboxRow

_LOG: Final = logging.getLogger(__name__)
LIMIT: Final = 200
ATTEMPTS_MAX: Final = 1000


class Publish(Protocol):
    """Hands a message to the broker; False when there is no connection now (`devices.mqtt.IngestClient.publish`)."""

    def __call__(self, *, topic: str, message: bytes, retain: bool = False) -> bool: ...


def drain(session: Session, *, now: datetime, publish: Publish, limit: int = LIMIT) -> int:
    """Send what waits, at least once and in order; answers how many were sent. Without a connection everything stays as it is.

    The caller commits: a crash before that sends again, and a notice says the same however often it comes."""
    sent: list[int] = []
    tried: list[int] = []
    for row in outbox.take(session, channel=DOWN, limit=limit, attempts_max=ATTEMPTS_MAX):
        try:
            topic, message, retain = _letter(row)
        except Refused as refused:
            _LOG.error("outbox row %s cannot be sent down: %s", row.key, refused)
            tried.append(row.outbox_id)
            continue
        if not publish(topic=topic, message=message, retain=retain):
            break
        sent.append(row.outbox_id)
    outbox.mark_sent(session, outbox_ids=sent, now=now)
    outbox.mark_tried(session, outbox_ids=tried)
    return len(sent)


def _letter(row: OutboxRow) -> tuple[str, bytes, bool]:
    """Topic and message of a run notice or a question, and whether it is retained. Raises `Refused` for anything else."""
    provider, _, device = row.address.partition("/")
    if not is_id(provider) or not is_id(device):
        raise Refused("TOPIC", f"{row.address!r} is no provider/device")
    body: dict[str, Any] = dict(row.body)
    kind = body.pop("kind", None)
    if kind == RESEND:
        question = v1.read(v1.Receipt, body).model_dump_json(exclude_none=True).encode()
        return device_topic(provider=provider, device=device, leaf="receipt"), question, False
    if kind != "run":
        raise Refused("FIELD", "only run notices and questions after a restore are sent down")
    notice = v1.read(v1.RunNotice, body)
    return device_topic(provider=provider, device=device, leaf="run"), notice.model_dump_json().encode(), True
