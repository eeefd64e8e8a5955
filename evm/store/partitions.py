"""The evidence log's months on PostgreSQL: partitions made ahead of time. Not retention (nothing is dropped), and nothing on SQLite, where
the log is one table.

What falls outside every month that was made is kept in the default partition and read like everything else; its month is then not made."""

import re
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

MONTHS_AHEAD: Final = 4
"""This month and the three after it: a `work` process that is down for a quarter does no harm."""
_NAME: Final = re.compile(r"evidence_(default|\d{4}_\d{2})")


def keep_ahead(session: Session, *, now: datetime) -> int:
    """Make the partitions from the month of `now` on that are missing, by a function of the owner's (the app role owns no table);
    answers how many it made. Raises OperationalError when writers would not let go of the table in five seconds: try again later."""
    if session.get_bind().dialect.name != "postgresql":
        return 0
    query = text("SELECT popback_keep_partitions(:now, :months)")
    made: int = session.execute(query, {"now": now, "months": MONTHS_AHEAD}).scalar_one()
    return made


def stray_rows(session: Session) -> int:
    """How many rows stand in the default partition: received in months that nobody made in time."""
    if session.get_bind().dialect.name != "postgresql":
        return 0
    count: int = session.execute(text("SELECT count(*) FROM evidence_default")).scalar_one()
    return count


def is_partition(table: str) -> bool:
    """Whether a table of this name is a month of the log, and so no table of the schema's own."""
    return _NAME.fullmatch(table) is not None


def is_compared(name: str | None, kind: str, _parents: object) -> bool:
    """Alembic's question whether a thing of this name is to be compared with the code's tables: the log's months are not."""
    return not (kind == "table" and name is not None and is_partition(name))
