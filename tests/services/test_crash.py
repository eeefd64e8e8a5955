"""Fault 4: the process dies at every single database operation, and what is left is always before or after, never between."""

import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event, select
from sqlalchemy.orm import Session, sessionmaker

from evm.domain.alerts.deadline import deadlines as deadlines_of
from evm.domain.evidence import EventKind
from evm.domain.policy import Policy
from evm.gateways.notify import FileGateway
from evm.services import notify, receive, reconcile, watch
from evm.services.receive import Incoming
from evm.store import deadlines, plans
from evm.store.database import open_engine, session_factory
from evm.store.tables import metadata
from tests import factories
from tests.factories import NINE, claim, planned_visit

POLICY = Policy()
LATER = NINE + timedelta(hours=3)
CLAIMS = [
    claim(at=NINE, sequence=1),
    claim(EventKind.CHECK_OUT, at=NINE + timedelta(minutes=30), sequence=2),
    claim(EventKind.ASSISTANCE, at=NINE + timedelta(minutes=20), sequence=3),
]
DIED = 9


def _seed(engine: Engine) -> None:
    planned = [planned_visit(f"v{n}", start=NINE + timedelta(hours=n)) for n in range(2)]
    with session_factory(engine).begin() as session:
        factories.seed(session)
        plans.add_planned_visits(session, visits=planned)
        deadlines.add_deadlines(session, deadlines=deadlines_of(planned))


def _work(engine: Engine, told: Path) -> None:
    """The spine, stage by stage, as the server runs it: safe to start again from the top at any time."""
    sessions = session_factory(engine)
    with sessions.begin() as session:
        items = [Incoming(claim=said, payload=b"{}", channel="mqtt") for said in CLAIMS]
        receive.receive(session, items=items, now=LATER, policies=POLICY)
    with sessions.begin() as session:
        reconcile.run_pending(session, now=LATER, policy=POLICY)
    with sessions.begin() as session:
        watch.sweep(session, now=LATER, policy=POLICY)
    notify.drain(sessions=sessions, clock=lambda: LATER, gateway=FileGateway(path=told))


def _snapshot(engine: Engine) -> str:
    """Everything that is in the database, but how often something was tried."""
    with sessionmaker(engine)() as session:
        tables = {
            table.name: sorted(
                str([value for column, value in row._mapping.items() if column != "attempts"])
                for row in session.execute(select(table))
            )
            for table in metadata.sorted_tables
        }
    return str(tables)


def _die_at(engine: Engine, operation: int) -> None:
    """Make this process end without a farewell at its n-th statement or commit."""
    done = 0

    def count(*_: object) -> None:
        nonlocal done
        done += 1
        if done == operation:
            os._exit(DIED)

    event.listen(engine, "before_cursor_execute", count)
    event.listen(engine, "commit", count)


def _states(database: Path, tmp_path: Path) -> list[str]:
    """The snapshots between transactions when nothing dies: the only states that may ever be found."""
    path = tmp_path / "states.sqlite"
    shutil.copyfile(database, path)
    engine = open_engine(url=f"sqlite:///{path}")
    _seed(engine)
    states = [_snapshot(engine)]

    def note(_connection: Connection) -> None:
        states.append("")

    event.listen(engine, "commit", note)
    sessions = session_factory(engine)

    def look(session: Session) -> None:
        if not session.in_nested_transaction():  # a savepoint's end is no state anybody can find
            states[-1] = _outside(path)

    event.listen(sessions, "after_commit", look)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("tests.services.test_crash.session_factory", lambda _engine: sessions)
        _work(engine, tmp_path / "told-states.jsonl")
    engine.dispose()
    return states


def _outside(path: Path) -> str:
    engine = open_engine(url=f"sqlite:///{path}")
    found = _snapshot(engine)
    engine.dispose()
    return found


def _run_dying(path: Path, told: Path, operation: int) -> int:
    """Run the work in a forked process that dies at `operation`; its exit code (0: it finished before)."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            engine = open_engine(url=f"sqlite:///{path}")
            _die_at(engine, operation)
            _work(engine, told)
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


@pytest.mark.slow
def test_a_crash_at_any_operation_leaves_a_state_between_transactions_and_the_rest_follows(
    migrated_file: Path, tmp_path: Path
) -> None:
    """A half-written stage would need special code after a restart, and there is none."""
    allowed = _states(migrated_file, tmp_path)
    seeded = tmp_path / "seeded.sqlite"
    shutil.copyfile(migrated_file, seeded)
    engine = open_engine(url=f"sqlite:///{seeded}")
    _seed(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.exec_driver_sql("BEGIN")
    engine.dispose()
    operation, deaths = 1, 0
    while True:
        path = tmp_path / f"crash-{operation}.sqlite"
        told = tmp_path / f"told-{operation}.jsonl"
        shutil.copyfile(seeded, path)
        code = _run_dying(path, told, operation)
        assert code in (0, DIED)
        assert _outside(path) in allowed, f"a state in between after dying at operation {operation}"
        if code == 0:
            break
        deaths += 1
        engine = open_engine(url=f"sqlite:///{path}")
        _work(engine, told)
        assert _snapshot(engine) == allowed[-1], f"another end after dying at operation {operation}"
        engine.dispose()
        operation += 1
    assert deaths > 60
