"""Inserts that PostgreSQL and SQLite both do well but spell or speed up each in its own way: what is not there yet, and very many rows at
once. Not what is written (one module a noun beside this one)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Table, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

COPY_ROWS_MIN: Final = 20
"""Fewer rows go faster as one INSERT than as a COPY with its own round trips."""


def insert_new(session: Session, table: Table) -> Any:
    """An INSERT that leaves out rows whose unique key stands already."""
    if session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


def bulk_insert(session: Session, *, table: Table, rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert many rows at once in the session's transaction (PostgreSQL: COPY); answers how many.

    Every row has the same columns, by name, with values as SQLAlchemy takes them (aware instants, dicts for JSON); a column left out gets
    the database's own default. Raises SQLAlchemy's errors, as any other insert does; what a unique key refuses is not left out."""
    if not rows:
        return 0
    connection = session.connection()
    if connection.dialect.name == "postgresql" and len(rows) >= COPY_ROWS_MIN:
        _copy(connection, table, rows)
    else:
        connection.execute(insert(table), [dict(row) for row in rows])
    return len(rows)


def _copy(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    dialect = connection.dialect
    names = tuple(rows[0])
    bound = [table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names]
    quote = dialect.identifier_preparer.quote
    statement = f"COPY {quote(table.name)} ({', '.join(map(quote, names))}) FROM STDIN"
    raw: Any = connection.connection
    with raw.cursor() as cursor:
        try:
            with cursor.copy(statement) as copy:
                for row in rows:
                    if len(row) != len(names):
                        raise ValueError(f"every row of {table.name} must have the columns {', '.join(names)}")
                    copy.write_row(
                        [
                            row[name] if bind is None else bind(row[name])
                            for name, bind in zip(names, bound, strict=True)
                        ]
                    )
        except dialect.loaded_dbapi.Error as error:
            gone = dialect.is_disconnect(error, raw, cursor)
            wrapped = DBAPIError.instance(
                statement,
                None,
                error,
                dialect.loaded_dbapi.Error,
                hide_parameters=True,
                connection_invalidated=gone,
                dialect=dialect,
            )
            if gone:
                connection.invalidate(error)
            raise wrapped from error
