"""The database opens as it should, its schema is what the tables say, and its logs refuse change."""

from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Engine, inspect, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from evm.store import evidence, ingest_state, people
from evm.store.database import alembic_config, downgrade, migrate, open_engine, reading_factory, session_factory
from evm.store.evidence import NewRow
from evm.store.ingest_state import Quarantined
from evm.store.tables import metadata
from tests import factories

sqlite_only = pytest.mark.database("sqlite")


def _row() -> NewRow:
    return NewRow(evidence=factories.evidence(), payload=b"{}", device_type="popback_v1", sequence=1)


def test_migrations_give_exactly_the_tables_of_the_code(engine: Engine) -> None:
    """A column added to a table but to no migration would be missing in every installation."""
    with engine.begin() as connection:
        command.check(alembic_config(connection))


def test_the_schema_goes_down_and_up_again_with_data_in_it(database_url: str) -> None:
    """A downgrade that trips over its own triggers or foreign keys would leave a database half-way."""
    engine = open_engine(url=database_url)
    with session_factory(engine).begin() as session:
        factories.seed(session)
        evidence.append(session, rows=[_row()])
    downgrade(engine, revision="base")
    with engine.connect() as connection:
        tables = inspect(connection).get_table_names()
    assert tables == ["alembic_version"]
    migrate(engine)
    with session_factory(engine).begin() as session:
        factories.seed(session)
        assert evidence.append(session, rows=[_row()]) == (1,)
    engine.dispose()


def test_a_migration_that_dies_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If tables were committed one by one, the second attempt would find the first half and fail for good."""
    engine = open_engine(url=f"sqlite:///{tmp_path / 'half.sqlite'}")

    def fail(table: str) -> None:
        raise RuntimeError(table)

    with monkeypatch.context() as broken:
        broken.setattr("evm.store.migrations.append_only.guard", fail)
        with pytest.raises(RuntimeError, match="evidence"):
            migrate(engine)
    with engine.connect() as connection:
        assert connection.execute(text("select count(*) from sqlite_master")).scalar() == 0
    migrate(engine)
    engine.dispose()


@sqlite_only
def test_sqlite_is_opened_durable_with_foreign_keys(engine: Engine) -> None:
    """`synchronous=NORMAL` could lose receipted events with the power; without foreign keys orphans slip in."""
    with engine.connect() as connection:
        answers = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert answers == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}


def test_an_unknown_council_is_refused_by_the_database(session: Session) -> None:
    """Without foreign keys a locality could belong to nobody."""
    with pytest.raises(IntegrityError):
        people.add_branches(
            session, branches=[factories.Branch(branch_id="b", provider_id="nobody", name="x", phone="1")]
        )


@pytest.mark.parametrize("verb", ["update {0} set received_at = '2020-01-01'", "delete from {0}"])
@pytest.mark.parametrize("table", ["evidence", "quarantine"])
def test_the_log_refuses_update_and_delete(sessions: sessionmaker[Session], table: str, verb: str) -> None:
    """Evidence that could be edited would be worth no more than the market leader's amended check-in."""
    with sessions.begin() as session:
        evidence.append(session, rows=[_row()])
        ingest_state.quarantine(
            session,
            rows=[
                Quarantined(
                    received_at=factories.NINE,
                    topic="t",
                    message=b"x",
                    sha256="0" * 64,
                    provider=None,
                    device=None,
                    reason="SYNTAX",
                    words="not JSON",
                )
            ],
        )
    with sessions() as session, pytest.raises(DBAPIError, match="append-only"):
        session.execute(text(verb.format(table)))
    with sessions() as session:
        assert len(session.execute(select(metadata.tables[table])).all()) == 1


@sqlite_only
def test_alert_history_and_verdicts_are_guarded_too(engine: Engine) -> None:
    """What people did about an alert and what was said of an invoice line are records, not fields."""
    with engine.connect() as connection:
        names = connection.execute(text("select name from sqlite_master where type = 'trigger'")).scalars().all()
    logs = ("alert_history", "evidence", "evidence_keys", "line_verdicts", "quarantine")
    assert {f"{t}_no_{v}" for t in logs for v in ("update", "delete")} <= set(names)


@sqlite_only
def test_readers_never_wait_for_a_writer_and_cannot_write(engine: Engine) -> None:
    """A page that took the write lock would hold up ingest, and ingest every page."""
    with session_factory(engine)() as writer, reading_factory(engine)() as reader:
        people.add_councils(writer, councils=[factories.Council(council_id="a", name="A")])
        assert people.councils(reader) == ()
        with pytest.raises(OperationalError, match="readonly"):
            people.add_councils(reader, councils=[factories.Council(council_id="b", name="B")])
    with session_factory(engine).begin() as writer:
        people.add_councils(writer, councils=[factories.Council(council_id="c", name="C")])


@sqlite_only
def test_two_writers_queue_instead_of_failing(database_url: str) -> None:
    """A transaction that began as a read and then wrote would fail at once with "database is locked"."""
    engine = open_engine(url=database_url, busy_timeout_ms=100)
    with session_factory(engine)() as first:
        assert people.councils(first) == ()  # the lock is taken here already
        with session_factory(engine)() as second, pytest.raises(OperationalError, match="locked"):
            people.councils(second)
    with session_factory(engine)() as second:
        assert people.councils(second) == ()
    engine.dispose()
