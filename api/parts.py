"""The parts every server process opens: data directory, database, clock, secrets. Not which of them runs where (api.serve)."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from evm.domain.policy import Policy
from evm.store import database as db

Clock = Callable[[], datetime]


def wall_clock() -> datetime:
    """The machine's clock, aware UTC: read here, handed to everything else."""
    return datetime.now(UTC)  # noqa: TID251 -- the entry points' one reading of the clock


def new_challenge() -> str:
    """A fresh challenge for a device: 128 random bits, URL-safe."""
    return secrets.token_urlsafe(16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a process works on. `secrets` is the directory of the servers' own broker credentials, readable by us alone."""

    url: str
    engine: Engine
    sessions: sessionmaker[Session]
    secrets: Path
    clock: Clock
    policy: Policy
    challenges: Callable[[], str]


def open_parts(
    *,
    data: Path,
    database: str | None = None,
    clock: Clock = wall_clock,
    policy: Policy | None = None,
    challenges: Callable[[], str] = new_challenge,
) -> Parts:
    """Make the data directory, open the database and bring its schema to this version."""
    data.mkdir(parents=True, exist_ok=True)
    secrets_dir = data / "secrets"
    secrets_dir.mkdir(mode=0o700, exist_ok=True)
    url = database or f"sqlite:///{(data / 'popback.sqlite3').resolve()}"
    engine = db.open_engine(url=url)
    db.migrate(engine)
    return Parts(
        url=url,
        engine=engine,
        sessions=db.session_factory(engine),
        secrets=secrets_dir,
        clock=clock,
        policy=policy or Policy(),
        challenges=challenges,
    )
