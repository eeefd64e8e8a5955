"""One piece of work in a savepoint of its own: if it fails, nothing of it stands and the transaction goes on. Not a way to hide errors:
the caller gets the error and says what follows; a database that is gone, locked or full is nobody's piece of work and is raised."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

T = TypeVar("T")


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
    except (OperationalError, InterfaceError, PoolTimeoutError):
        raise
    except Exception as error:
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            raise
        return Failed(error=error)
