"""The use case "the log was restored": a new epoch opens, and every phone is asked for what the log lacks. Not the restoring itself
(api.backup) and not the asking (devices.downlink, devices.ingest)."""

from datetime import datetime

from sqlalchemy.orm import Session

from evm.domain.ids import DeviceId, ProviderId
from evm.store import epochs, ingest_state, outbox, people
from evm.store.epochs import Epoch
from evm.store.ingest_state import Progress
from evm.store.outbox import DOWN, OutboxRow

RESEND = "resend"
PHONE = "popback_v1"


def open_epoch(session: Session, *, now: datetime, token: str) -> Epoch:
    """Open the next epoch and put a question to every enrolled phone into the outbox, all in the caller's transaction.

    `token`: a few random characters of an id, so that two restores of one backup are told apart."""
    before = epochs.current(session)
    last_index, digest = epochs.log_digest(session)
    number = 2 if before is None else before.number + 1
    epoch = Epoch(number=number, name=f"{number}-{token}", opened_at=now, last_index=last_index, digest=digest)
    epochs.add(session, epoch=epoch)
    ask_phones(session, epoch=epoch, now=now)
    return epoch


def ask_phones(session: Session, *, epoch: Epoch, now: datetime) -> int:
    """Ask every enrolled phone to send from the first event that the log lacks; answers how many are asked. Asking twice does no harm."""
    phones = [row for row in people.devices(session, device_type=PHONE) if row.revoked_at is None]
    known = ingest_state.progress(session, devices={(row.provider, row.device) for row in phones})
    rows = [
        _question(row.provider, row.device, known.get((row.provider, row.device)), epoch=epoch, now=now)
        for row in phones
    ]
    outbox.add(session, rows=rows)
    return len(rows)


def wanted_from(progress: Progress | None) -> int:
    """The first sequence number the log lacks of a device, whether or not there is a newer one."""
    return 1 if progress is None else progress.contiguous_sequence + 1


def _question(
    provider: ProviderId, device: DeviceId, progress: Progress | None, *, epoch: Epoch, now: datetime
) -> OutboxRow:
    return OutboxRow(
        channel=DOWN,
        key=f"{RESEND}/{epoch.name}/{provider}/{device}",
        address=f"{provider}/{device}",
        body={"kind": RESEND, "epoch": epoch.name, "resend_from": wanted_from(progress)},
        created_at=now,
    )
