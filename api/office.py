"""What an operator does from the command line: devices, accounts. Not the server, not the broker (api.broker_sync)
and not any page."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy.exc import IntegrityError

from api.auth import hash_password
from api.broker_control import announce
from api.parts import Parts, PartsRefused, open_parts
from devices import identity
from devices.types import TYPES
from evm.domain.ids import DeviceId, ProviderId, WorkerId
from evm.store import accounts, people
from evm.store.accounts import Account, Role

DEVICE_PASSWORD_CHARACTERS_MIN = 24


class OfficeRefused(ValueError):  # noqa: N818 -- named for what is wrong
    """A command that cannot be carried out, with the sentence that says what to do."""


def enrol_device(
    *,
    data: Path,
    database: str | None,
    provider: str,
    device: str,
    device_type: str,
    worker: str | None,
    password: str | None = None,
) -> dict[str, Any]:
    """Enrol a device; its password is in the answer and kept nowhere. `password`: its own, after a restore that does not know
    the device. Raises OfficeRefused naming the argument."""
    known = [one.name for one in TYPES]
    if device_type not in known:
        raise OfficeRefused(f"--type {device_type!r} is no device type: choose one of {', '.join(known)}")
    if password is not None and len(password) < DEVICE_PASSWORD_CHARACTERS_MIN:
        raise OfficeRefused(
            f"--password-stdin: a device's password has at least {DEVICE_PASSWORD_CHARACTERS_MIN} characters"
        )
    with opened(data=data, database=database) as parts, parts.sessions.begin() as session:
        providers = sorted(one.provider_id for one in people.providers(session))
        if provider not in providers:
            raise OfficeRefused(
                f"there is no provider {provider!r} in this database; it knows {', '.join(providers) or 'none'}"
            )
        if worker is not None and people.worker(session, worker_id=WorkerId(worker)) is None:
            raise OfficeRefused(f"--worker {worker!r} is no care worker in this database")
        try:
            chosen = identity.enrol(
                session,
                provider=ProviderId(provider),
                device=DeviceId(device),
                device_type=device_type,
                worker=None if worker is None else WorkerId(worker),
                now=parts.clock(),
                password=password,
            )
        except IntegrityError:
            raise OfficeRefused(f"{provider}.{device} is enrolled already: choose another device id") from None
        except ValueError as error:
            raise OfficeRefused(str(error)) from None
        row = people.device(session, provider=ProviderId(provider), device=DeviceId(device))
        assert row is not None
    name = f"{provider}.{device}"
    told = announce(secrets=parts.secrets, name=name, password=chosen, password_hash=row.password_hash)
    answer = {"username": name, "password": chosen, "topic": f"popback/v1/{provider}/{device}/event"}
    return answer if told is None else answer | {"broker": told}


def add_account(
    *,
    data: Path,
    database: str | None,
    email: str,
    name: str,
    role: str,
    council: str | None,
    provider: str | None,
    password: str,
) -> dict[str, Any]:
    """Add somebody who may sign in. Raises OfficeRefused naming the argument."""
    if role not in set(Role):
        raise OfficeRefused(f"--role {role!r} is none of {', '.join(Role)}")
    try:
        password_hash = hash_password(password)
    except ValueError as error:
        raise OfficeRefused(str(error)) from None
    account = Account(
        account_id=f"a-{uuid.uuid4().hex[:20]}",
        email=email.strip().lower(),
        name=name,
        role=Role(role),
        council_id=council,
        provider_id=provider,
        password_hash=password_hash,
    )
    with opened(data=data, database=database) as parts:
        try:
            with parts.sessions.begin() as session:
                accounts.add_accounts(session, new=[account])
        except IntegrityError:
            raise OfficeRefused(
                f"{account.email} has an account already, or --council or --provider does not exist"
            ) from None
    return {"email": account.email, "role": str(account.role)}


@contextmanager
def opened(*, data: Path, database: str | None) -> Iterator[Parts]:
    """The parts for one command. Raises OfficeRefused with the remedy when they cannot be had."""
    try:
        parts = open_parts(data=data, database=database)
    except PartsRefused as error:
        raise OfficeRefused(str(error)) from None
    try:
        yield parts
    finally:
        parts.engine.dispose()
