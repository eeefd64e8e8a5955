"""What an operator does about a provider change from the command line: preview, order, undo, new credentials. Not its rules
(evm.services.transfers)."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api.office import OfficeRefused, opened
from devices import identity
from evm.domain.ids import DeviceId, is_id
from evm.services import transfers
from evm.services.transfers import Ordered, TransferRefused, Wanted
from evm.store import people
from evm.store import transfers as store

IDS_FILE_BYTES_MAX = 2 * 2**20
BY = "popback provider transfer"


def preview_transfer(*, data: Path, database: str | None, wanted: Wanted) -> dict[str, Any]:
    """What the transfer would do and what stands against it. Writes nothing. Raises OfficeRefused."""
    with opened(data=data, database=database) as parts, parts.sessions() as session:
        found = transfers.preview(session, wanted=wanted, now=parts.clock(), policy=parts.policy)
    return {"dry_run": True, **_said(asdict(found))}


def order_transfer(*, data: Path, database: str | None, wanted: Wanted, credentials: Path | None) -> dict[str, Any]:
    """Order the transfer, enrol a new device beside each old one, and apply it if its day has come: all or nothing. New passwords go
    to the file `credentials`, which only its owner may read; without devices it is not made. Raises OfficeRefused."""
    written: Path | None = None
    with opened(data=data, database=database) as parts:
        now = parts.clock()
        try:
            with parts.sessions.begin() as session:
                done = transfers.order(session, wanted=wanted, now=now, by=BY, policy=parts.policy)
                made = _enrol(session, done, now=now)
                written = _write(credentials, made) if made else None
                transfers.apply_due(session, now=now, policy=parts.policy)
                answer = _answer(session, done, devices=len(made), credentials=written)
        except TransferRefused as refused:
            raise OfficeRefused(_option(refused.field, refused.words)) from None
        except BaseException as error:
            if written is not None:
                written.unlink(missing_ok=True)
            if isinstance(error, IntegrityError):
                raise OfficeRefused("somebody else ordered the same meanwhile: run the command again") from None
            raise
    return answer


def cancel_transfer(*, data: Path, database: str | None, wanted: Wanted) -> dict[str, Any]:
    """Undo an ordered transfer before its day; the new devices' credentials end. Raises OfficeRefused."""
    with opened(data=data, database=database) as parts, parts.sessions.begin() as session:
        now = parts.clock()
        try:
            undone = transfers.cancel(session, wanted=wanted, now=now)
        except TransferRefused as refused:
            raise OfficeRefused(_option(refused.field, refused.words)) from None
        pairs = store.device_pairs(session, transfer_id=undone.transfer_id)
        for _, new in pairs:
            people.revoke_device(session, provider=undone.to_provider, device=new, now=now)
    return {"transfer": undone.transfer_id, "state": undone.state.value, "devices_revoked": len(pairs)}


def list_transfers(*, data: Path, database: str | None) -> list[dict[str, Any]]:
    """Every transfer that was ever ordered, by day."""
    with opened(data=data, database=database) as parts, parts.sessions() as session:
        return [
            {
                "transfer": one.transfer_id,
                "from": one.from_provider,
                "to": one.to_provider,
                "on": one.on_day.isoformat(),
                "locality": one.locality_id,
                "state": one.state.value,
                "revoke_on": one.revoke_on.isoformat(),
            }
            for one in store.transfer_list(session)
        ]


def ids_in(path: Path, *, option: str) -> tuple[str, ...]:
    """One id a line; blank lines count for nothing. Raises OfficeRefused with the line at fault."""
    try:
        if path.stat().st_size > IDS_FILE_BYTES_MAX:
            raise OfficeRefused(f"{option} {path.name}: is larger than {IDS_FILE_BYTES_MAX // 2**20} MB")
        lines = path.read_bytes().decode("utf-8-sig").splitlines()
    except OSError as error:
        raise OfficeRefused(f"{option} {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise OfficeRefused(f"{option} {path.name}: is not UTF-8 text") from None
    found: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        one = line.strip()
        if not one:
            continue
        if not is_id(one):
            raise OfficeRefused(f"{option} {path.name}, line {number}: {one[:40]!r} is no id; put one id on a line")
        if one in found:
            raise OfficeRefused(f"{option} {path.name}, line {number}: {one} stands on line {found[one]} already")
        found[one] = number
    return tuple(found)


def _enrol(session: Session, done: Ordered, *, now: Any) -> list[dict[str, str]]:
    """A new device of the new provider for each old one that has none beside it yet, under the same id where that is free."""
    provider = done.transfer.to_provider
    taken = {row.device for row in people.devices(session, provider_id=provider)}
    made, pairs = [], []
    for old in done.devices:
        names = (old.device_id, *(f"{old.device_id[:28]}-{n}" for n in range(2, 100)))
        new = DeviceId(next(name for name in names if name not in taken))
        taken.add(new)
        password = identity.enrol(
            session, provider=provider, device=new, device_type=old.device_type, worker=old.worker_id, now=now
        )
        pairs.append((old.device_id, new))
        made.append(
            {"worker": old.worker_id, "username": f"{provider}.{new}", "password": password, "beside": old.device_id}
        )
    store.add_devices(session, transfer_id=done.transfer.transfer_id, pairs=pairs)
    return made


def _write(path: Path | None, made: Sequence[dict[str, str]]) -> Path:
    if path is None:
        raise OfficeRefused(
            f"--credentials is needed: {len(made)} phones get a new credential, which is shown nowhere else; name a new file"
        )
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise OfficeRefused(f"--credentials {path} is there already: name a new file") from None
    except OSError as error:
        raise OfficeRefused(f"--credentials {path} cannot be written ({error.strerror})") from None
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(made, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    return path


def _answer(session: Session, done: Ordered, *, devices: int, credentials: Path | None) -> dict[str, Any]:
    now = store.transfer(session, transfer_id=done.transfer.transfer_id)
    assert now is not None, "it was ordered"
    said = {
        "transfer": now.transfer_id,
        "state": now.state.value,
        "on": now.on_day.isoformat(),
        "already": done.already,
        "devices_enrolled": devices,
        "credentials": None if credentials is None else str(credentials),
        "old_credentials_end": now.revoke_on.isoformat(),
    }
    return said | store.answer_of(session, transfer_id=now.transfer_id)


def _said(preview: dict[str, Any]) -> dict[str, Any]:
    """The preview as plain JSON: people as "id: name"."""
    named = {kind: [f"{one}: {name}" for one, name in preview[kind]] for kind in ("customers", "workers")}
    refusals = [_option(field, words) for field, words in preview["refusals"]]
    lists = {kind: list(preview[kind]) for kind in ("rosters_published", "devices")}
    return {**preview, **named, **lists, "refusals": refusals}


def _option(field: str, words: str) -> str:
    return f"--{field} {words}"
