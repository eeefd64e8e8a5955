"""Other processes' connections to a PostgreSQL database: ended on purpose, to see what becomes of their work. Not our own."""

from sqlalchemy import text
from sqlalchemy.orm import Session


def end_one_of_others(session: Session, *, choose: float) -> bool:
    """End one connection that another program has to this database, one in mid-transaction if there is any; `choose` in [0, 1) says which.
    Answers whether there was one. Needs the right to signal it (the same role)."""
    found = session.execute(
        text(
            "SELECT pid, state FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND application_name <> current_setting('application_name') AND backend_type = 'client backend' ORDER BY pid"
        )
    ).all()
    working = [row.pid for row in found if row.state != "idle"] or [row.pid for row in found]
    if not working:
        return False
    pid = working[int(choose * len(working))]
    return bool(session.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid}).scalar_one())
