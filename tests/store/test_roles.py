"""On PostgreSQL the servers' role does a whole day's work and owns nothing: an insider with its password cannot rewrite the log. Not the
commands (tests/api/test_schema.py)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from evm.domain.alerts.deadline import deadlines as deadlines_of
from evm.domain.evidence import EventKind
from evm.domain.policy import Policy
from evm.gateways.notify import FileGateway
from evm.services import invoice, notify, price, receive, reconcile, watch
from evm.services.receive import Incoming
from evm.store import alerts, deadlines, evidence, money, partitions, plans
from evm.store.database import (
    SchemaRefused,
    bring_up,
    downgrade,
    migrate,
    open_engine,
    reading_factory,
    session_factory,
)
from evm.store.roles import RoleRefused, Roles, grant, granted, make, statements
from tests import factories
from tests.factories import NINE, PROVIDER, claim, planned_visit
from tests.services import invoicing

pytestmark = pytest.mark.database("postgresql")
POLICY = Policy()
LATER = NINE + timedelta(hours=3)


@dataclass(frozen=True)
class Connected:
    """The same database as its owner, as a server and as a reader."""

    owner: Engine
    app: Engine
    reader: Engine
    names: Roles


@pytest.fixture
def connected(engine: Engine) -> Iterator[Connected]:
    names = Roles(app=f"app_{engine.url.database}"[-60:], reader=f"reader_{engine.url.database}"[-60:])
    with engine.begin() as connection:
        for statement in make(connection, roles=names):
            connection.execute(text(statement))
        assert make(connection, roles=names) == ()
        for name in (names.app, names.reader):
            connection.execute(text(f"ALTER ROLE {name} PASSWORD 'only a test'"))
        grant(connection, roles=[names])
    others = [open_engine(url=_as(engine, name)) for name in (names.app, names.reader)]
    yield Connected(owner=engine, app=others[0], reader=others[1], names=names)
    for other in others:
        other.dispose()
    with engine.begin() as connection:
        for name in (names.app, names.reader):
            connection.execute(text(f"DROP OWNED BY {name}"))
            connection.execute(text(f"DROP ROLE {name}"))


def _as(engine: Engine, name: str) -> str:
    url = engine.url.set(username=name, password="only a test")
    return url.render_as_string(hide_password=False)


def test_a_servers_role_does_a_whole_day(connected: Connected, tmp_path) -> None:
    """A right too few would stop a server at the moment that needs it: an alert, or the invoice."""
    planned = [planned_visit(f"v{n + 1}", start=NINE + timedelta(hours=n)) for n in range(2)]
    claims = [claim(at=NINE, sequence=1), claim(EventKind.CHECK_OUT, at=NINE + timedelta(minutes=30), sequence=2)]
    bring_up(connected.app)
    sessions = session_factory(connected.app)
    with sessions.begin() as session:
        factories.seed(session)
        money.add_agreements(session, agreements=[invoicing.agreement()])
        plans.add_planned_visits(session, visits=planned)
        deadlines.add_deadlines(session, deadlines=deadlines_of(planned))
    with sessions.begin() as session:
        items = [Incoming(claim=said, payload=b"{}", channel="mqtt") for said in claims]
        answers = receive.receive(session, items=items, now=LATER, policies=POLICY)
    assert [answer.stored_index for answer in answers] == [1, 2]
    with sessions.begin() as session:
        assert reconcile.run_pending(session, now=LATER, policy=POLICY) > 0
    with sessions.begin() as session:
        raised = watch.sweep(session, now=LATER, policy=POLICY)
    assert raised
    told = FileGateway(path=tmp_path / "told")
    assert notify.drain(sessions=sessions, clock=lambda: LATER, gateway=told) > 0
    with sessions.begin() as session:
        watch.acknowledge(session, alert_id=raised[0], who="ana", words="I ring her", now=LATER)
        assert price.price_days(
            session,
            provider_id=PROVIDER,
            since_day=NINE.date(),
            until_day=LATER.date() + timedelta(days=1),
            policy=POLICY,
        )
    with sessions.begin() as session:
        sent = invoicing.claim(invoicing.line(1))
        one = invoice.submit(session, invoice=sent, now=invoicing.NOW)
        assert invoice.judge(session, invoice_id=one, now=invoicing.NOW, policy=POLICY).claimed_pence == 1365
    with sessions.begin() as session:
        assert partitions.keep_ahead(session, now=LATER + timedelta(days=4000)) == partitions.MONTHS_AHEAD
    with reading_factory(connected.reader)() as session:
        assert len(evidence.events(session)) == 2
        assert alerts.alert_list(session)


REFUSED = [
    "UPDATE evidence SET verdict = 'x'",
    "DELETE FROM evidence",
    "UPDATE evidence_default SET verdict = 'x'",
    "DELETE FROM evidence_default",
    "INSERT INTO evidence_default SELECT * FROM evidence",
    "UPDATE evidence_keys SET sha256 = ''",
    "DELETE FROM quarantine",
    "UPDATE line_verdicts SET version = 9",
    "TRUNCATE evidence",
    "TRUNCATE customers CASCADE",
    "DROP TRIGGER evidence_append_only ON evidence",
    "ALTER TABLE evidence DISABLE TRIGGER ALL",
    "ALTER TABLE evidence DETACH PARTITION evidence_default",
    "ALTER TABLE customers ADD COLUMN x integer",
    "DROP TABLE evidence",
    "CREATE TABLE mine (x integer)",
    "CREATE OR REPLACE FUNCTION popback_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
    "SET session_replication_role = replica",
    "UPDATE alembic_version SET version_num = '0001'",
    "SELECT setval('evidence_log_index_seq', 1)",
]


@pytest.mark.parametrize("statement", REFUSED)
def test_neither_role_may_change_the_schema_or_the_log(connected: Connected, statement: str) -> None:
    """Whoever steals a server's password could make the log say what they like, and the triggers be silent."""
    for engine in (connected.app, connected.reader):
        with engine.begin() as connection, pytest.raises(DBAPIError, match=r"permission denied|must be owner"):
            connection.execute(text(statement))


@pytest.mark.parametrize(
    "statement",
    ["SELECT password_hash FROM accounts", "SELECT password_hash FROM devices", "SELECT token_sha256 FROM sessions"],
)
def test_a_reader_sees_rows_but_no_secrets_and_writes_nothing(connected: Connected, statement: str) -> None:
    """A report's password would open the site."""
    with connected.reader.begin() as connection, pytest.raises(ProgrammingError, match="permission denied"):
        connection.execute(text(statement))
    with connected.reader.begin() as connection, pytest.raises(ProgrammingError, match="permission denied"):
        connection.execute(text("DELETE FROM customers"))
    with connected.reader.connect() as connection:
        connection.execute(text("SELECT device_id FROM devices"))


def test_a_server_on_an_older_schema_says_who_must_migrate_and_rights_outlive_migrations(connected: Connected) -> None:
    """It would end in a traceback about a permission, or run on tables it does not know."""
    downgrade(connected.owner, revision="0002")
    with pytest.raises(SchemaRefused, match="popback database migrate as the owner"):
        bring_up(connected.app)
    migrate(connected.owner)
    bring_up(connected.app)
    with connected.owner.connect() as connection:
        assert granted(connection) == (connected.names,)
    with session_factory(connected.app).begin() as session:
        factories.seed(session)
        receive.receive(
            session, items=[Incoming(claim=claim(), payload=b"{}", channel="mqtt")], now=LATER, policies=POLICY
        )


@pytest.mark.parametrize("name", ["", "Bad", "x; DROP TABLE customers", 'a"b', "a" * 64])
def test_a_name_that_is_none_is_refused(engine: Engine, name: str) -> None:
    """The name stands in a statement."""
    with engine.connect() as connection, pytest.raises(RoleRefused, match="role"):
        statements(connection, roles=Roles(app=name, reader="reader"))
    with engine.connect() as connection, pytest.raises(RoleRefused, match="two"):
        statements(connection, roles=Roles(app="same", reader="same"))
