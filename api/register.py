"""What an operator does from the command line about who there is: councils, providers, devices, accounts. Not the schema and enrolling
(api.office), and not customers and care workers, who come by files (api.commands.imports)."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api.auth import hash_password
from api.office import OfficeRefused, opened
from evm.domain.ids import CouncilId, DeviceId, ProviderId, is_id
from evm.domain.people import Council, Provider
from evm.store import accounts, ingest_state, people
from evm.store.accounts import Account
from evm.store.ingest_state import Progress
from evm.store.people import DeviceRow

NAME_CHARACTERS_MAX: Final = 200
FOR_EVER: Final = datetime(9999, 12, 31, tzinfo=UTC)
"""An account locked until then is disabled."""


def add_council(*, data: Path, database: str | None, council: str, name: str) -> dict[str, Any]:
    """Add a council. Raises OfficeRefused naming the argument."""
    row = Council(council_id=CouncilId(_checked_id("COUNCIL", council)), name=_checked_name(name))
    with (
        _unique(f"there is a council {council!r} already"),
        opened(data=data, database=database) as parts,
        parts.sessions.begin() as session,
    ):
        people.add_councils(session, councils=[row])
    return {"council": council, "name": row.name}


def list_councils(*, data: Path, database: str | None) -> list[dict[str, Any]]:
    """Every council. Raises OfficeRefused."""
    with opened(data=data, database=database) as parts, parts.sessions() as session:
        return [{"council": one.council_id, "name": one.name} for one in people.councils(session)]


def add_provider(*, data: Path, database: str | None, provider: str, name: str) -> dict[str, Any]:
    """Add a provider. Raises OfficeRefused naming the argument."""
    row = Provider(provider_id=ProviderId(_checked_id("PROVIDER", provider)), name=_checked_name(name))
    with (
        _unique(f"there is a provider {provider!r} already"),
        opened(data=data, database=database) as parts,
        parts.sessions.begin() as session,
    ):
        people.add_providers(session, providers=[row])
    return {"provider": provider, "name": row.name}


def list_devices(*, data: Path, database: str | None, provider: str | None) -> list[dict[str, Any]]:
    """Every enrolled device, revoked ones too, and how far each is stored. Raises OfficeRefused."""
    with opened(data=data, database=database) as parts, parts.sessions() as session:
        rows = people.devices(session, provider_id=None if provider is None else ProviderId(provider))
        known = ingest_state.progress(session, devices={(row.provider, row.device) for row in rows})
    return [_device(row, known.get((row.provider, row.device))) for row in rows]


def revoke_device(*, data: Path, database: str | None, provider: str, device: str) -> dict[str, Any]:
    """End a device's credential: what it sends is refused from now on. Raises OfficeRefused."""
    with opened(data=data, database=database) as parts, parts.sessions.begin() as session:
        now = parts.clock()
        if not people.revoke_device(session, provider=ProviderId(provider), device=DeviceId(device), now=now):
            raise OfficeRefused(
                f"{provider}.{device} is not enrolled, or revoked already: popback device list shows which there are"
            )
    return {"username": f"{provider}.{device}", "state": "revoked"}


def list_accounts(*, data: Path, database: str | None) -> list[dict[str, Any]]:
    """Every account and whether it may sign in; no password, not even its hash. Raises OfficeRefused."""
    with opened(data=data, database=database) as parts, parts.sessions() as session:
        return [_account(one, parts.clock()) for one in accounts.all_accounts(session)]


def disable_account(*, data: Path, database: str | None, email: str) -> dict[str, Any]:
    """Nobody signs in to this account any more, and its sessions end; a reset opens it again. Raises OfficeRefused."""
    nobodys = hash_password(secrets.token_urlsafe(32))
    with opened(data=data, database=database) as parts, parts.sessions.begin() as session:
        account = _account_of(session, email)
        accounts.set_password(session, account_id=account.account_id, password_hash=nobodys)
        accounts.lock(session, account_id=account.account_id, until=FOR_EVER)
    return {"email": account.email, "state": "disabled"}


def reset_account(*, data: Path, database: str | None, email: str, password: str) -> dict[str, Any]:
    """Give an account a new password; its sessions end, and it is open again if it was disabled or locked. Raises OfficeRefused."""
    try:
        password_hash = hash_password(password)
    except ValueError as error:
        raise OfficeRefused(str(error)) from None
    with opened(data=data, database=database) as parts, parts.sessions.begin() as session:
        account = _account_of(session, email)
        accounts.set_password(session, account_id=account.account_id, password_hash=password_hash)
    return {"email": account.email, "state": "open"}


def _device(row: DeviceRow, progress: Progress | None) -> dict[str, Any]:
    return {
        "username": f"{row.provider}.{row.device}",
        "type": row.device_type,
        "worker": row.worker,
        "enrolled_at": row.enrolled_at.isoformat(timespec="seconds"),
        "revoked_at": None if row.revoked_at is None else row.revoked_at.isoformat(timespec="seconds"),
        "heard_at": None if progress is None else progress.last_received_at.isoformat(timespec="seconds"),
        "stored_up_to": None if progress is None else progress.contiguous_sequence,
    }


def _account_of(session: Session, email: str) -> Account:
    account = accounts.account_of_email(session, email=email.strip().lower())
    if account is None:
        raise OfficeRefused(f"there is no account {email!r}: popback account list shows which there are")
    return account


def _account(account: Account, now: datetime) -> dict[str, Any]:
    until = account.locked_until
    return {
        "email": account.email,
        "name": account.name,
        "role": str(account.role),
        "council": account.council_id,
        "provider": account.provider_id,
        "state": "open" if until is None or until <= now else "disabled" if until == FOR_EVER else "locked for a while",
    }


def _checked_id(argument: str, value: str) -> str:
    if not is_id(value):
        raise OfficeRefused(f"{argument} {value!r} is no id: use lower-case letters, digits and hyphens, at most 32")
    return value


def _checked_name(name: str) -> str:
    if not name.strip() or len(name) > NAME_CHARACTERS_MAX or not name.isprintable():
        raise OfficeRefused(
            f"--name is empty, longer than {NAME_CHARACTERS_MAX} characters or holds some that cannot be shown"
        )
    return name.strip()


@contextmanager
def _unique(words: str) -> Iterator[None]:
    """The database's word that something is there already, as a sentence."""
    try:
        yield
    except IntegrityError:
        raise OfficeRefused(words) from None
