"""One piece of work in a savepoint of its own: if it fails, nothing of it stands and the transaction goes on. Not a way to hide errors:
the caller gets the error and says what follows; a database that is gone, locked or full is nobody's piece of work and is raised."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

T = TypeVar("T")

UNAVAILABLE: Final = (OperationalError, InterfaceError, PoolTimeoutError)
UNPREPARED: Final = frozenset({"0A000", "3F000", "42501", "42703", "42883", "42P01"})
"""PostgreSQL's codes for a schema or rights that are not this version's: a plan over a changed table, no such schema, no right, no such
column, function, table (https://www.postgresql.org/docs/current/errcodes-appendix.html)."""


def is_outage(error: Exception) -> bool:
    """Whether the database itself is at fault, and not what was to be stored: gone, locked, full, or in the middle of a restore or an
    upgrade. SQLite says OperationalError of all of it."""
    if isinstance(error, UNAVAILABLE):
        return True
    if not isinstance(error, DBAPIError):
        return False
    return error.connection_invalidated or getattr(error.orig, "sqlstate", None) in UNPREPARED


@dataclass(frozen=True, slots=True, kw_only=True)
class Done(Generic[T]):
    """What the work answered."""

    value: T


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Why the work has left no trace."""

    error: Exception


def attempt(session: Session, *, work: Callable[[], T]) -> Done[T] | Failed:
    """Do the work, all of it or nothing. Raises only the database's errors of operation."""
    try:
        with session.begin_nested():
            return Done(value=work())
    except Exception as error:
        if is_outage(error):
            raise
        return Failed(error=error)
