"""Tells each worker's phones, once, that their run is new or changed: outbox rows written as the roster is published. Not their
sending (devices.downlink) and not the run itself, which the phone fetches."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from evm.domain.ids import WorkerId
from evm.store import outbox, people
from evm.store.outbox import DOWN, OutboxRow
from evm.store.rosters import RosterRecord


def tell_workers(session: Session, *, record: RosterRecord, before: RosterRecord | None, now: datetime) -> int:
    """One row for every device, not revoked, of every worker whose runs differ from those published before; how many.

    A row's address is `provider/device`; its body is protocol v1's run notice: `{"kind": "run", "v": 1, "version", "hash"}`.
    `version` is the second of publication, so that it rises for a device from one day's roster to the next."""
    was, becomes = _hashes(None if before is None else before.body), _hashes(record.body)
    changed = {WorkerId(worker) for worker in was.keys() | becomes.keys() if was.get(worker) != becomes.get(worker)}
    version = int(now.timestamp())
    rows = [
        OutboxRow(
            channel=DOWN,
            key=f"run:{device.provider}:{device.device}:{record.roster_id}",
            address=f"{device.provider}/{device.device}",
            body={"kind": "run", "v": 1, "version": version, "hash": becomes.get(device.worker or "", _hash(()))},
            created_at=now,
        )
        for device in people.devices_carried(session, worker_ids=changed)
    ]
    outbox.add(session, rows=rows)
    return len(rows)


def _hashes(body: Mapping[str, Any] | None) -> dict[str, str]:
    by_worker: dict[str, list[str]] = {}
    for run in () if body is None else body["runs"]:
        by_worker.setdefault(run["worker"], []).append(run["hash"])
    return {worker: _hash(hashes) for worker, hashes in by_worker.items()}


def _hash(run_hashes: list[str] | tuple[str, ...]) -> str:
    return hashlib.sha256("".join(run_hashes).encode()).hexdigest()
