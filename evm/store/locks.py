"""Names that one transaction at a time may hold, so that several processes on PostgreSQL do not conclude the same thing from the same
rows. Not row locks (`FOR UPDATE SKIP LOCKED` stands in the queries that take rows), and nothing on SQLite: there every writing
transaction is alone already."""

from collections.abc import Collection
from hashlib import blake2b

from sqlalchemy import ARRAY, BigInteger, Connection, bindparam, text
from sqlalchemy.orm import Session

_HOLD = text("SELECT pg_advisory_xact_lock(held.key) FROM unnest(:keys) AS held(key)").bindparams(
    bindparam("keys", type_=ARRAY(BigInteger))
)


def hold(session: Session, *, names: Collection[str]) -> None:
    """Hold these names until the transaction ends; waits for another transaction that holds one. What was committed under a name before
    is seen by every statement after this one. Names are taken in one order everywhere, so that two who want the same wait, not deadlock."""
    if names and session.get_bind().dialect.name == "postgresql":
        session.execute(_HOLD, {"keys": sorted({key_of(name) for name in names})})


def try_hold(session: Session, *, name: str) -> bool:
    """Hold a name until the transaction ends, if nobody else holds it; answers whether we do. On SQLite always."""
    if session.get_bind().dialect.name != "postgresql":
        return True
    return bool(session.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": key_of(name)}).scalar_one())


def hold_on(connection: Connection, *, name: str) -> None:
    """As `hold`, for one name and a connection that has no session (migrations)."""
    if connection.dialect.name == "postgresql":
        connection.execute(_HOLD, {"keys": [key_of(name)]})


def key_of(name: str) -> int:
    """A 64-bit key of a name; two names with one key would wait for each other and do no other harm."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)
