"""Devices of a branch as the page lists them: who carries which, when it was last heard of, how its clock stands. Not enrolling them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, func, select
from sqlalchemy.orm import Session

from evm.store.screens.scope import Scope, of_place
from evm.store.tables.evidence import device_progress
from evm.store.tables.people import care_workers, devices, providers


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLine:
    """One device. `worker_name` None: shared. `last_received_at` None: never heard of. `status`: "online", "offline", None: neither was
    ever said. `offset_seconds`: the device's clock less ours when an event last came live; above 0 it is fast."""

    device_id: str
    device_type: str
    provider_name: str
    worker_name: str | None
    enrolled_at: datetime
    revoked_at: datetime | None
    last_received_at: datetime | None
    status: str | None
    offset_seconds: float | None


def listed(session: Session, *, scope: Scope, limit: int, offset: int) -> tuple[int, tuple[DeviceLine, ...]]:
    """How many devices the scope covers, and a page of them: revoked ones last, before them whoever is silent the longest first."""
    matching = session.execute(select(func.count()).select_from(_of(scope).subquery())).scalar_one()
    own, heard = devices.c, device_progress.c
    order = (own.revoked_at.is_not(None), heard.last_received_at.is_not(None), heard.last_received_at)
    rows = session.execute(
        _of(scope).order_by(*order, own.provider_id, own.device_id).limit(limit).offset(offset)
    ).mappings()
    return matching, tuple(DeviceLine(**row) for row in rows)


def _of(scope: Scope) -> Select[Any]:
    own, heard = devices.c, device_progress.c
    return (
        select(
            own.device_id,
            own.device_type,
            providers.c.name.label("provider_name"),
            care_workers.c.name.label("worker_name"),
            own.enrolled_at,
            own.revoked_at,
            heard.last_received_at,
            heard.status,
            heard.offset_seconds,
        )
        .join(providers, providers.c.provider_id == own.provider_id)
        .outerjoin(care_workers, care_workers.c.worker_id == own.worker_id)
        .outerjoin(device_progress, and_(heard.provider_id == own.provider_id, heard.device_id == own.device_id))
        .where(of_place(scope, provider=own.provider_id, locality=care_workers.c.locality_id))
    )
