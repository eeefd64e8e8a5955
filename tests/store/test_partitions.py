"""The evidence log by months on PostgreSQL: made ahead, as closed as one table, and up and down with what stands in it. Not the queries
(test_evidence.py)."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from evm.store import evidence, partitions
from evm.store.database import downgrade, migrate, open_engine, session_factory
from evm.store.evidence import NewRow
from tests import factories
from tests.databases import MakeDatabase

postgresql_only = pytest.mark.database("postgresql")
MONTHS = [
    datetime(2024, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(2025, 1, 1, tzinfo=UTC),
    datetime(2031, 7, 4, tzinfo=UTC),
]


def _rows(instants: list[datetime]) -> list[NewRow]:
    return [
        NewRow(
            evidence=factories.evidence(at=at, received_at=at), payload=b"%d" % n, device_type="popback_v1", sequence=n
        )
        for n, at in enumerate(instants)
    ]


def _named(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        return {name for name in inspect(connection).get_table_names() if partitions.is_partition(name)}


def _log(engine: Engine) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT log_index, event_id, payload, received_at, sequence FROM evidence ORDER BY log_index")
        )
        return [tuple(row) for row in rows]


@postgresql_only
def test_months_are_made_ahead_once(sessions: sessionmaker[Session], engine: Engine) -> None:
    """Without them every event would fall into one default partition, and its months could never be made again."""
    now = datetime(2030, 11, 30, 23, 30, tzinfo=UTC)
    with sessions.begin() as session:
        assert partitions.keep_ahead(session, now=now) == partitions.MONTHS_AHEAD
        assert partitions.keep_ahead(session, now=now) == 0
        assert partitions.keep_ahead(session, now=now + timedelta(days=1)) == 1
    assert {
        "evidence_2030_11",
        "evidence_2030_12",
        "evidence_2031_01",
        "evidence_2031_02",
        "evidence_2031_03",
    } <= _named(engine)


@postgresql_only
def test_several_processes_that_make_months_at_once_make_each_once(
    sessions: sessionmaker[Session], engine: Engine
) -> None:
    """The second would fail with "already exists", or take the first down with it."""
    made: list[int] = []

    def make() -> None:
        with sessions.begin() as session:
            made.append(partitions.keep_ahead(session, now=datetime(2040, 1, 1, tzinfo=UTC)))

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(made) == partitions.MONTHS_AHEAD
    assert len(made) == 4


@postgresql_only
def test_an_event_of_a_month_nobody_made_is_kept_and_found_and_its_month_is_left_alone(
    sessions: sessionmaker[Session], engine: Engine
) -> None:
    """A clock years ahead, or a work process that was down for months, would lose evidence or stop the job for ever."""
    late = datetime(2050, 5, 5, tzinfo=UTC)
    with sessions.begin() as session:
        (index,) = evidence.append(session, rows=_rows([late]))
        assert partitions.stray_rows(session) == 1
    with sessions.begin() as session:
        assert partitions.keep_ahead(session, now=late) == partitions.MONTHS_AHEAD - 1
        assert [row.index for row in evidence.events(session)] == [index]
    assert "evidence_2050_05" not in _named(engine)


@postgresql_only
@pytest.mark.parametrize(
    "verb", ["UPDATE {0} SET sha256 = ''", "DELETE FROM {0}", "TRUNCATE {0}", "TRUNCATE {0} CASCADE"]
)
@pytest.mark.parametrize("table", ["evidence", "evidence_default", "evidence_2030_11", "evidence_keys", "quarantine"])
def test_no_month_can_be_changed_behind_the_logs_back(sessions: sessionmaker[Session], table: str, verb: str) -> None:
    """A statement trigger of the parent does not fire for a partition that is named itself."""
    with sessions.begin() as session:
        partitions.keep_ahead(session, now=datetime(2030, 11, 1, tzinfo=UTC))
    with sessions() as session, pytest.raises(DBAPIError, match="append-only"):
        session.execute(text(verb.format(table)))


def test_an_event_is_single_across_months(sessions: sessionmaker[Session]) -> None:
    """The unique key of a partitioned table holds the month: the same event a month later would be stored twice."""
    first, later = MONTHS[:2]
    said = factories.evidence(at=first, received_at=first)
    again = NewRow(
        evidence=factories.evidence(at=first, received_at=later, event_id=said.event_id, sha256=said.sha256),
        payload=b"",
        device_type="popback_v1",
    )
    with sessions.begin() as session:
        evidence.append(session, rows=[NewRow(evidence=said, payload=b"", device_type="popback_v1")])
    with sessions() as session, pytest.raises(IntegrityError):
        evidence.append(session, rows=[again])


def test_the_log_moves_into_months_and_back_with_every_row_index_and_number(make_database: MakeDatabase) -> None:
    """A migration that renumbered the log would make every receipt ever given a lie."""
    engine = open_engine(url=make_database(migrated=False))
    sessions = session_factory(engine)
    migrate(engine)
    with sessions.begin() as session:
        indices = evidence.append(session, rows=_rows([*MONTHS, *MONTHS[:1] * 30]))
    before = _log(engine)
    assert len(before) == len(indices) == 33
    downgrade(engine, revision="0002")
    assert _log(engine) == before
    migrate(engine)
    assert _log(engine) == before
    with sessions.begin() as session:
        assert evidence.append(session, rows=_rows([MONTHS[1]] * 1)) > (max(indices),)
        assert len(evidence.events(session, event_ids=[str(before[0][1])])) == 1
    if engine.dialect.name == "postgresql":
        assert {"evidence_2024_12", "evidence_2025_01", "evidence_2031_07"} <= _named(engine)
        with sessions() as session:
            assert partitions.stray_rows(session) == 0
    engine.dispose()
