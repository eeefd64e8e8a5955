"""Faults 3 and 11 on PostgreSQL: its backends die under ingest; what was not stored is not answered, and the next try stores it. Not the
processes (simulations.chaos)."""

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import DBAPIError

from devices.ingest import Received
from evm.store.database import open_engine
from evm.store.savepoint import UNAVAILABLE
from tests.devices.conftest import Town
from tests.devices.wire import envelope
from tests.devices.wire import event as said

pytestmark = pytest.mark.database("postgresql")


def _end_backends(engine: Engine) -> int:
    """Kill every connection to this database but our own, as a restart of the server does."""
    other = open_engine(url=engine.url.render_as_string(hide_password=False))
    with other.begin() as connection:
        query = (
            "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        ended: int = connection.execute(text(query)).scalar_one()
    other.dispose()
    return ended


def _batch(number: int) -> list[Received]:
    message = envelope(said(sequence=number))
    return [Received(provider="kindly", device="p1", topic="popback/v1/kindly/p1/event", message=message)]


def test_fault_11_connections_that_died_between_batches_are_replaced_unseen(town: Town, engine: Engine) -> None:
    """After every restart of PostgreSQL each process would fail once for each connection of its pool."""
    assert town.ingest.take(_batch(1))
    assert _end_backends(engine) > 0
    (reply,) = town.ingest.take(_batch(2))
    assert len(reply.receipt.stored) == 1
    assert [row.sequence for row in town.stored()] == [1, 2]


@pytest.mark.parametrize("table", ["evidence_keys", "challenges", "log_epochs"])
def test_a_table_that_is_away_during_a_restore_or_an_upgrade_is_no_messages_fault(
    town: Town, engine: Engine, table: str
) -> None:
    """Broken if good events go into quarantine, and phones drop them as refused, while a server's schema is not this version's."""
    batch = _batch(1)
    with engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE {table} RENAME TO away"))
    with pytest.raises(DBAPIError):
        town.ingest.take(batch)
    with engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE away RENAME TO {table}"))
    assert town.quarantined() == ()
    (reply,) = town.ingest.take(batch)
    assert len(reply.receipt.stored) == 1


@pytest.mark.parametrize("statement", [1, 3, 6, 10])
def test_fault_3_a_connection_that_dies_in_a_batch_stores_nothing_answers_nothing_and_the_retry_stores_once(
    town: Town, engine: Engine, statement: int
) -> None:
    """An error that ingest takes for the message's own would put a good event into quarantine; a receipt would be a lie."""
    seen = 0

    def die(*_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == statement:
            assert _end_backends(engine) > 0

    batch = _batch(1)
    event.listen(engine, "before_cursor_execute", die)
    with pytest.raises(UNAVAILABLE):
        town.ingest.take(batch)
    event.remove(engine, "before_cursor_execute", die)
    assert town.stored() == ()
    assert town.quarantined() == ()
    (reply,) = town.ingest.take(batch)
    assert len(reply.receipt.stored) == 1
    assert len(town.stored()) == 1
