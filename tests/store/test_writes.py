"""Bulk inserts and named locks do the same on both databases. Not what is written."""

import threading
from datetime import UTC, datetime

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from evm.store.locks import hold, try_hold
from evm.store.tables.alerts import outbox
from evm.store.writes import COPY_ROWS_MIN, bulk_insert

AT = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
AWKWARD = 'tab\there, "quotes", back\\slash, \\N, line\nbreak, £'


def _rows(count: int) -> list[dict[str, object]]:
    return [
        {
            "channel": "notify",
            "key": f"{AWKWARD}{n}",
            "address": AWKWARD,
            "body": {"words": AWKWARD, "n": n, "none": None},
            "created_at": AT,
            "sent_at": None,
            "attempts": n,
        }
        for n in range(count)
    ]


@pytest.mark.parametrize("count", [0, 1, COPY_ROWS_MIN - 1, COPY_ROWS_MIN, 3_000])
def test_many_rows_come_back_as_they_were_given(session: Session, count: int) -> None:
    """A bulk path that spelt instants, JSON, nulls or a backslash otherwise than the ordinary one would store something else."""
    rows = _rows(count)
    assert bulk_insert(session, table=outbox, rows=rows) == count
    columns = [outbox.c[name] for name in _rows(1)[0]]
    found = session.execute(select(*columns).order_by(outbox.c.outbox_id)).mappings()
    assert [dict(row) for row in found] == rows


def test_a_row_that_is_there_already_refuses_all_of_them(sessions: sessionmaker[Session]) -> None:
    """Half an import would stand; and a driver's own error would pass every handler that waits for SQLAlchemy's."""
    with sessions.begin() as session:
        bulk_insert(session, table=outbox, rows=_rows(1))
    with sessions() as session, pytest.raises(IntegrityError):
        bulk_insert(session, table=outbox, rows=list(reversed(_rows(500))))
    with sessions() as session:
        assert len(session.execute(select(outbox)).all()) == 1


def test_rows_with_other_columns_are_refused(session: Session) -> None:
    """A value in another column's place would be worse than an error."""
    rows = _rows(COPY_ROWS_MIN)
    del rows[-1]["address"]
    with pytest.raises(Exception, match="address"):
        bulk_insert(session, table=outbox, rows=rows)


def test_a_failed_bulk_insert_in_a_savepoint_leaves_the_transaction_usable(session: Session) -> None:
    """One bad file among several would take the others with it."""
    bulk_insert(session, table=outbox, rows=_rows(30))
    with pytest.raises(IntegrityError), session.begin_nested():
        bulk_insert(session, table=outbox, rows=_rows(30))
    assert len(session.execute(select(outbox)).all()) == 30


@pytest.mark.database("postgresql")
def test_a_name_is_held_by_one_transaction_at_a_time(sessions: sessionmaker[Session]) -> None:
    """Two processes would conclude the same from the same rows."""
    waited = threading.Event()

    def second() -> None:
        with sessions.begin() as other:
            hold(other, names=["b", "a"])
            waited.set()

    thread = threading.Thread(target=second)
    with sessions.begin() as first, sessions.begin() as other:
        hold(first, names=["a"])
        assert not try_hold(other, name="a")
        assert try_hold(other, name="c")
        thread.start()
        assert not waited.wait(0.2)
    assert waited.wait(20)
    thread.join()


@pytest.mark.database("sqlite")
def test_on_sqlite_every_writer_is_alone_and_a_name_costs_nothing(session: Session) -> None:
    """Broken if the single-file installation needed a server's functions."""
    hold(session, names=["a"])
    assert try_hold(session, name="a")
