"""A copy of a SQLite database to try things on, so that trying holds up nobody (SQLite has one writer at a time). Not a backup
(api.backup)."""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from evm.store.database import open_engine, session_factory


@contextmanager
def to_try_on(sessions: sessionmaker[Session]) -> Iterator[sessionmaker[Session]]:
    """Sessions in which anything may be written and rolled back: on PostgreSQL these very sessions, on SQLite those of a copy as the
    database is now, which is gone afterwards."""
    engine: Engine = sessions.kw["bind"]
    if engine.dialect.name != "sqlite":
        yield sessions
        return
    with tempfile.TemporaryDirectory(prefix="popback-try-") as directory:
        copy = Path(directory) / "copy.sqlite"
        with (
            closing(sqlite3.connect(f"file:{engine.url.database}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
        trying = open_engine(url=f"sqlite:///{copy}")
        try:
            yield session_factory(trying)
        finally:
            trying.dispose()
