"""The tables in code and the schema that the migrations make are the same."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine

from evm.store.partitions import is_compared
from evm.store.tables import metadata


def test_the_migrations_make_exactly_the_tables_in_code(engine: Engine) -> None:
    """A column added to a table and to no migration is there in tests and missing in production."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": is_compared})
        assert compare_metadata(context, metadata) == []


def test_a_table_without_a_migration_is_seen(engine: Engine) -> None:
    """The comparison must be able to fail, or it compares nothing."""
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE popback_requests")
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": is_compared})
        differences = compare_metadata(context, metadata)
    assert any("popback_requests" in str(each) for each in differences)
