"""Who works on which customers among several processes on PostgreSQL, and an end to a frozen process's hold. Not the rows themselves.
On SQLite there is one writer at a time, and everybody asked for is held.

Holds are advisory locks (evm.store.locks): they end with the transaction, or with the connection of a process that died."""

from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import ARRAY, BigInteger, Engine, bindparam, event, text
from sqlalchemy.orm import Session

from evm.domain.ids import CustomerId
from evm.store.locks import key_of

WHOLE_ABOVE: Final = 1000
"""More customers than this at once are held by one lock over all of them: PostgreSQL's table of locks is of limited length."""

_ALL: Final = key_of("customers")
_TRY_ONE: Final = text("SELECT pg_try_advisory_xact_lock_shared(:key)")
_WAIT_ONE: Final = text("SELECT pg_advisory_xact_lock_shared(:key)")
_WAIT_ALL: Final = text("SELECT pg_advisory_xact_lock(:key)")
_TRY: Final = text(
    "SELECT asked.key, pg_try_advisory_xact_lock(asked.key) AS held FROM unnest(:keys) AS asked(key)"
).bindparams(bindparam("keys", type_=ARRAY(BigInteger)))
_WAIT: Final = text("SELECT pg_advisory_xact_lock(asked.key) FROM unnest(:keys) AS asked(key)").bindparams(
    bindparam("keys", type_=ARRAY(BigInteger))
)


def hold_customers(session: Session, *, customer_ids: Collection[CustomerId]) -> None:
    """Wait until nobody else works on these customers' days, and hold them until the transaction ends.

    What is read afterwards stands: whoever held them has committed. Taken in one order, so that two who ask once each never wait for
    each other."""
    if not _is_postgresql(session) or not customer_ids:
        return
    keys = _keys(customer_ids)
    if len(keys) > WHOLE_ABOVE:
        session.execute(_WAIT_ALL, {"key": _ALL})
        return
    session.execute(_WAIT_ONE, {"key": _ALL})
    session.execute(_WAIT, {"keys": sorted(keys)})


def try_customers(session: Session, *, customer_ids: Collection[CustomerId]) -> frozenset[CustomerId]:
    """Hold those of these customers on whom nobody else works now, without waiting, and answer who they are."""
    if not _is_postgresql(session) or not customer_ids:
        return frozenset(customer_ids)
    if not session.execute(_TRY_ONE, {"key": _ALL}).scalar_one():
        return frozenset()
    keys = _keys(customer_ids)
    held = {r.key for r in session.execute(_TRY, {"keys": sorted(keys)}) if r.held}
    return frozenset(customer for key in held for customer in keys[key])


def end_frozen_holds(engine: Engine, *, idle_seconds: int, wait_seconds: int) -> None:
    """From now on PostgreSQL ends a transaction of this engine that its process has left alone for `idle_seconds` (stopped, swapped out,
    cut off): what it holds is free for others, and it cannot commit when it wakes. Nor does it wait longer than `wait_seconds` for a
    lock. Both come as errors of operation: nothing was stored, and the work is tried again."""
    if engine.dialect.name != "postgresql":
        return

    @event.listens_for(engine, "connect")
    def _limit(connection: Any, _record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET idle_in_transaction_session_timeout = {int(idle_seconds) * 1000}")
            cursor.execute(f"SET lock_timeout = {int(wait_seconds) * 1000}")
        connection.commit()


def _is_postgresql(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"


def _keys(customer_ids: Collection[CustomerId]) -> dict[int, list[CustomerId]]:
    found: dict[int, list[CustomerId]] = {}
    for customer in customer_ids:
        found.setdefault(key_of(f"customer|{customer}"), []).append(customer)
    return found
