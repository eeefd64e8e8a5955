"""A migration killed at any statement leaves the database before it or after it, and the next run completes. Not what the migrations do
(test_database.py, test_partitions.py)."""

import os
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine, event, inspect, text

from evm.domain.alerts.deadline import deadlines as deadlines_of
from evm.domain.evidence import EventKind
from evm.domain.policy import Policy
from evm.services import receive, reconcile, watch
from evm.services.receive import Incoming
from evm.store import deadlines, plans
from evm.store.database import bring_up, differences, downgrade, migrate, open_engine, schema_revision, session_factory
from evm.store.partitions import is_partition
from tests import factories
from tests.databases import POSTGRESQL, MakeDatabase
from tests.factories import NINE, claim, planned_visit

POLICY = Policy()
LATER = NINE + timedelta(hours=3)
DIED = 9
STRIDE = 1 if os.environ.get("POPBACK_REQUIRE_ALL") == "1" else 5
"""Where nothing may be skipped every statement is one to die at (five minutes), else every fifth."""
SCHEMA = {
    "sqlite": "SELECT type, name, sql FROM sqlite_master ORDER BY type, name",
    "postgresql": """
        SELECT relname, relkind::text, array_agg(attname || ' ' || format_type(atttypid, atttypmod) ORDER BY attnum) FROM pg_class
        JOIN pg_attribute ON attrelid = pg_class.oid WHERE relnamespace = current_schema()::regnamespace AND attnum > 0 GROUP BY 1, 2
        UNION ALL SELECT tgname, tgrelid::regclass::text, ARRAY[pg_get_triggerdef(oid)] FROM pg_trigger WHERE NOT tgisinternal
        UNION ALL SELECT conname, conrelid::regclass::text, ARRAY[pg_get_constraintdef(oid)] FROM pg_constraint
        WHERE connamespace = current_schema()::regnamespace
        UNION ALL SELECT proname, '', ARRAY[prosrc] FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
        ORDER BY 1, 2""",
}


def _live(engine: Engine) -> None:
    """A morning in the database: plans, evidence, visits, alerts."""
    planned = [planned_visit(f"v{n}", start=NINE + timedelta(hours=n)) for n in range(3)]
    said = [claim(at=NINE, sequence=1), claim(EventKind.CHECK_OUT, at=NINE + timedelta(minutes=30), sequence=2)]
    with session_factory(engine).begin() as session:
        factories.seed(session)
        plans.add_planned_visits(session, visits=planned)
        deadlines.add_deadlines(session, deadlines=deadlines_of(planned))
    with session_factory(engine).begin() as session:
        items = [Incoming(claim=each, payload=b"{}", channel="mqtt") for each in said]
        receive.receive(session, items=items, now=LATER, policies=POLICY)
    with session_factory(engine).begin() as session:
        reconcile.run_pending(session, now=LATER, policy=POLICY)
    with session_factory(engine).begin() as session:
        watch.sweep(session, now=LATER, policy=POLICY)


def _rows(engine: Engine) -> dict[str, list[str]]:
    """Every row of every table, by table: its columns by name, whatever their order."""
    with engine.connect() as connection:
        tables = [name for name in inspect(connection).get_table_names() if not is_partition(name)]
        return {
            name: sorted(str(sorted(row._mapping.items())) for row in connection.execute(text(f"SELECT * FROM {name}")))
            for name in sorted(tables)
        }


def _whole(engine: Engine) -> tuple[str, dict[str, list[str]]]:
    with engine.connect() as connection:
        schema = str(connection.execute(text(SCHEMA[engine.dialect.name])).all())
    return schema, _rows(engine)


def _killed_at(url: str, operation: int, work: Callable[[Engine], None]) -> bool:
    """Do the work in a process of its own that dies without a farewell at its n-th statement or before its commit; whether it died."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            engine = open_engine(url=url)
            done = 0

            def count(*_: object) -> None:
                nonlocal done
                done += 1
                if done == operation:
                    os._exit(DIED)

            event.listen(engine, "before_cursor_execute", count)
            event.listen(engine, "commit", count)
            work(engine)
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, DIED)
    return code == DIED


def _killed_everywhere(url: str, work: Callable[[Engine], None]) -> int:
    """Kill the work at one statement after the other, until it ends before it is killed; how often it was. After each death everything
    is as it was before."""
    engine = open_engine(url=url)
    before = _whole(engine)
    deaths = 0
    while _killed_at(url, deaths * STRIDE + 1, work):
        engine.dispose()
        assert _whole(engine) == before, f"killed at statement {deaths * STRIDE + 1}"
        deaths += 1
    engine.dispose()
    return deaths


@pytest.mark.slow
def test_a_first_installation_killed_at_any_statement_is_begun_again(make_database: MakeDatabase) -> None:
    """Half a schema would refuse the next attempt for ever."""
    url = make_database(migrated=False)
    assert _killed_everywhere(url, migrate) * STRIDE > 60
    engine = open_engine(url=url)
    assert differences(engine) == ()
    _live(engine)
    engine.dispose()


@pytest.mark.slow
def test_migrations_up_and_down_killed_at_any_statement_lose_no_row(make_database: MakeDatabase) -> None:
    """An agency's evidence lies in these tables when the power fails during an upgrade."""
    url = make_database()
    engine = open_engine(url=url)
    _live(engine)
    full = _rows(engine)
    engine.dispose()
    assert _killed_everywhere(url, lambda own: downgrade(own, revision="0001")) > 3
    old = _rows(engine)
    assert schema_revision(engine) == "0001"
    shared = {name for name in old if name in full} - {"alembic_version"}
    assert {"evidence", "visits", "planned_visits", "alerts", "customers"} <= shared
    for name in shared:
        assert len(old[name]) == len(full[name]), name
    engine.dispose()
    assert _killed_everywhere(url, migrate) > 3
    assert differences(engine) == ()
    now = _rows(engine)
    assert {name: rows for name, rows in now.items() if name in KEPT_EXACTLY} == {
        name: full[name] for name in KEPT_EXACTLY
    }
    assert len(now["evidence_keys"]) == len(now["evidence"]) == 2
    engine.dispose()
    assert _killed_everywhere(url, lambda own: downgrade(own, revision="base")) > 3
    with engine.connect() as connection:
        assert inspect(connection).get_table_names() == ["alembic_version"]
    engine.dispose()


KEPT_EXACTLY = (
    "evidence",
    "evidence_keys",
    "visits",
    "alerts",
    "alert_history",
    "deadlines",
    "outbox",
    "planned_slots",
)
"""Tables to which no migration after the first adds what a way back would forget."""


@pytest.mark.database(POSTGRESQL)
def test_servers_that_start_at_once_on_an_empty_database_migrate_it_once(make_database: MakeDatabase) -> None:
    """Rolling out several processes on a new database, all but one would die of "already exists"."""
    url = make_database(migrated=False)
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                engine = open_engine(url=url)
                bring_up(engine)
                code = 0 if differences(engine) == () else 2
            finally:
                os._exit(code)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 4
