"""Epochs of the evidence log, and what a log was when one opened. Not what opening one asks of phones (evm.services.epochs)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from evm.domain.ids import DeviceId, ProviderId
from evm.store.tables.epochs import log_epochs as t
from evm.store.tables.evidence import device_progress, evidence

ROWS_A_FETCH = 10_000
EMPTY_DIGEST = sha256().hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """The log's `number`-th epoch (2, 3, …: the first has no row), under the `name` that receipts carry. `last_index` and `digest` say
    what the log was when it opened."""

    number: int
    name: str
    opened_at: datetime
    last_index: int
    digest: str


def current(session: Session) -> Epoch | None:
    """The epoch that is open; None while it is the first."""
    row = session.execute(select(t).order_by(t.c.number.desc()).limit(1)).first()
    if row is None:
        return None
    return Epoch(
        number=row.number, name=row.name, opened_at=row.opened_at, last_index=row.last_index, digest=row.digest
    )


def add(session: Session, *, epoch: Epoch) -> None:
    """Open an epoch. IntegrityError when its number or name stands already."""
    session.execute(
        insert(t).values(
            number=epoch.number,
            name=epoch.name,
            opened_at=epoch.opened_at,
            last_index=epoch.last_index,
            digest=epoch.digest,
        )
    )


def log_digest(session: Session) -> tuple[int, str]:
    """The newest index (0: no row) and the SHA-256 over every row's `index:sha256` line, in index order. Reads the whole log, in pieces."""
    digest, newest = sha256(), 0
    query = select(evidence.c.log_index, evidence.c.sha256).order_by(evidence.c.log_index)
    for part in session.execute(query.execution_options(yield_per=ROWS_A_FETCH)).partitions():
        digest.update("".join(f"{row.log_index}:{row.sha256}\n" for row in part).encode())
        newest = part[-1].log_index
    return newest, digest.hexdigest()


def first_heard(session: Session, *, epoch: Epoch, provider_id: ProviderId) -> datetime | None:
    """When the first event of a provider came in an epoch; None: none has."""
    c = evidence.c
    query = select(func.min(c.received_at)).where(c.log_index > epoch.last_index, c.provider_id == provider_id)
    found: datetime | None = session.execute(query).scalar()
    return found


def set_known(session: Session, *, known: Mapping[tuple[ProviderId, DeviceId], str | None]) -> None:
    """Keep which epoch each of these devices says it knows of (None: the first). Their progress rows are there already."""
    c = device_progress.c
    for (provider, device), name in sorted(known.items()):
        own = update(device_progress).where(c.provider_id == provider, c.device_id == device)
        session.execute(own.values(epoch=name))
