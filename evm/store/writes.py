"""The one statement that PostgreSQL and SQLite spell alike but SQLAlchemy keeps in each dialect: insert what is not there yet."""

from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session


def insert_new(session: Session, table: Table) -> Any:
    """An INSERT that leaves out rows whose unique key stands already."""
    if session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()
