"""What an operator does from the command line: devices, accounts. Not the server, not the broker (api.broker_sync)
and not any page."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.exc import IntegrityError

from api.auth import hash_password
from api.broker_control import announce
from api.parts import Parts, PartsRefused, open_parts
from api.phone_file import PhoneFile, write_phone
from devices import identity
from devices.tls import Tls
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
    phone_file: Path | None = None,
    broker: "Broker | None" = None,
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
    where = broker or Broker()
    ca_pem = _ready_for_a_phone_file(phone_file, where, worker)
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
        if phone_file is not None:
            phone = where.phone(provider=provider, device=device, worker=worker, password=chosen, ca_pem=ca_pem)
            _write_phone(phone, phone_file)
    name = f"{provider}.{device}"
    told = announce(secrets=parts.secrets, name=name, password=chosen, password_hash=row.password_hash)
    answer = {"username": name, "topic": f"popback/v1/{provider}/{device}/event"}
    answer |= {"password": chosen} if phone_file is None else {"phone_file": str(phone_file)}
    return answer if told is None else answer | {"broker": told}


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """Where phones reach the broker over TLS; `ca`: the authority's PEM file that they trust (None: as their system trusts)."""

    host: str = "localhost"
    port: int = 8883
    ca: Path | None = None
    websockets: bool = False

    def phone(self, *, provider: str, device: str, worker: str | None, password: str, ca_pem: str | None) -> PhoneFile:
        """The file of a phone that speaks to this broker."""
        return PhoneFile(
            provider=provider,
            device=device,
            worker=worker or "",
            password=password,
            host=self.host,
            port=self.port,
            tls=True,
            ca_pem=ca_pem,
            transport="websockets" if self.websockets else "tcp",
        )


def _ready_for_a_phone_file(phone_file: Path | None, broker: Broker, worker: str | None) -> str | None:
    """The authority's PEM text for a phone's file. Raises OfficeRefused naming what is missing before anything is enrolled."""
    if phone_file is None:
        return None
    if worker is None:
        raise OfficeRefused("--phone-file is for a care worker's phone: name who carries it by --worker")
    if phone_file.exists():
        raise OfficeRefused(f"--phone-file {phone_file} is there already: name a new file")
    if broker.ca is None:
        return None
    try:
        text = broker.ca.read_text(encoding="utf-8")
        Tls(ca_pem=text).context()
    except OSError as error:
        raise OfficeRefused(
            f"--ca {broker.ca} cannot be read ({error.strerror}): name the authority's PEM file"
        ) from None
    except ValueError as error:
        raise OfficeRefused(f"--ca {broker.ca} is no authority's PEM file ({error})") from None
    return text


def _write_phone(phone: PhoneFile, path: Path) -> None:
    """Write the file, or enrol nothing."""
    try:
        write_phone(phone, path)
    except OSError as error:
        raise OfficeRefused(
            f"--phone-file {path} cannot be written ({error.strerror}): nothing was enrolled; name another file"
        ) from None


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
