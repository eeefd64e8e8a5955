"""Accounts of the site and the sessions they hold. Not passwords themselves: a hash comes in, and a token's SHA-256."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from evm.store.tables.accounts import accounts, sessions


class Role(StrEnum):
    """What an account may do (api.auth says which rights each has); where it may is its scope."""

    WORKER = "worker"
    BRANCH = "branch"
    COMMISSIONER = "commissioner"
    SAFEGUARDING = "safeguarding"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One person who may sign in. The scope is the intersection of the ids that are set; only an admin may have none."""

    account_id: str
    email: str
    name: str
    role: Role
    password_hash: str
    council_id: str | None = None
    provider_id: str | None = None
    locality_id: str | None = None
    worker_id: str | None = None
    failed_sign_ins: int = 0
    locked_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A session and its account, as one row read together."""

    account: Account
    token_sha256: str
    csrf_token: str
    started_at: datetime
    seen_at: datetime
    expires_at: datetime


def add_accounts(session: Session, *, new: Sequence[Account]) -> None:
    """Append accounts; an e-mail address used twice is the database's IntegrityError."""
    if new:
        session.execute(insert(accounts), [_row(account) for account in new])


def set_password(session: Session, *, account_id: str, password_hash: str) -> None:
    """Change the password and end every session the account holds."""
    session.execute(
        update(accounts)
        .where(accounts.c.account_id == account_id)
        .values(password_hash=password_hash, failed_sign_ins=0, locked_until=None)
    )
    session.execute(delete(sessions).where(sessions.c.account_id == account_id))


def account_of_email(session: Session, *, email: str) -> Account | None:
    """The account of an address, which must already be lower-case."""
    row = session.execute(select(accounts).where(accounts.c.email == email)).mappings().one_or_none()
    return None if row is None else _account(row)


def all_accounts(session: Session) -> tuple[Account, ...]:
    """Every account, by address."""
    rows = session.execute(select(accounts).order_by(accounts.c.email)).mappings()
    return tuple(_account(row) for row in rows)


def record_failure(session: Session, *, account_id: str, lock_at_failures: int, locked_until: datetime) -> None:
    """Count a wrong password; at `lock_at_failures` the account is locked until then and the count starts again."""
    session.execute(
        update(accounts)
        .where(accounts.c.account_id == account_id)
        .values(failed_sign_ins=accounts.c.failed_sign_ins + 1)
    )
    session.execute(
        update(accounts)
        .where(accounts.c.account_id == account_id, accounts.c.failed_sign_ins >= lock_at_failures)
        .values(failed_sign_ins=0, locked_until=locked_until)
    )


def lock(session: Session, *, account_id: str, until: datetime) -> None:
    """Nobody signs in to the account until then, whatever the password."""
    session.execute(update(accounts).where(accounts.c.account_id == account_id).values(locked_until=until))


def clear_failures(session: Session, *, account_id: str) -> None:
    """A right password: the count starts again."""
    session.execute(
        update(accounts).where(accounts.c.account_id == account_id).values(failed_sign_ins=0, locked_until=None)
    )


def begin_session(
    session: Session, *, token_sha256: str, account_id: str, csrf_token: str, now: datetime, expires_at: datetime
) -> None:
    """Remember a new session by its token's hash."""
    session.execute(
        insert(sessions).values(
            token_sha256=token_sha256,
            account_id=account_id,
            csrf_token=csrf_token,
            started_at=now,
            seen_at=now,
            expires_at=expires_at,
        )
    )


def signed_in(session: Session, *, token_sha256: str) -> SignedIn | None:
    """The session of a token, expired or not: the edge judges that with its clock."""
    row = (
        session.execute(
            select(accounts, sessions)
            .join(sessions, sessions.c.account_id == accounts.c.account_id)
            .where(sessions.c.token_sha256 == token_sha256)
        )
        .mappings()
        .one_or_none()
    )
    if row is None:
        return None
    return SignedIn(
        account=_account(row),
        token_sha256=row[sessions.c.token_sha256],
        csrf_token=row[sessions.c.csrf_token],
        started_at=row[sessions.c.started_at],
        seen_at=row[sessions.c.seen_at],
        expires_at=row[sessions.c.expires_at],
    )


def touch_session(session: Session, *, token_sha256: str, now: datetime) -> None:
    """The session was used: its idle time starts again."""
    session.execute(update(sessions).where(sessions.c.token_sha256 == token_sha256).values(seen_at=now))


def end_session(session: Session, *, token_sha256: str) -> None:
    """Signed out: the token opens nothing any more."""
    session.execute(delete(sessions).where(sessions.c.token_sha256 == token_sha256))


def end_expired_sessions(session: Session, *, now: datetime) -> None:
    """Forget sessions past their absolute limit."""
    session.execute(delete(sessions).where(sessions.c.expires_at <= now))


_FIELDS = (
    "account_id",
    "email",
    "name",
    "password_hash",
    "council_id",
    "provider_id",
    "locality_id",
    "worker_id",
    "failed_sign_ins",
    "locked_until",
)


def _row(account: Account) -> dict[str, object]:
    return {**{field: getattr(account, field) for field in _FIELDS}, "role": account.role.value}


def _account(row: Mapping[Any, Any]) -> Account:
    return Account(role=Role(row["role"]), **{field: row[field] for field in _FIELDS})
