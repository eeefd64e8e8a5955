"""Triggers by which the database itself refuses to change or remove rows of a log. Not a permission: a superuser can drop them, and the
published roots of the evidence log are what shows it then."""

from alembic import op


def guard(table: str) -> None:
    """Refuse UPDATE and DELETE (and TRUNCATE on PostgreSQL) on `table`."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_POSTGRESQL_FUNCTION)
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION popback_refuse_change()"
        )
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )


def unguard(table: str) -> None:
    """Take the triggers away (before the table itself goes)."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"DROP TRIGGER {table}_append_only ON {table}")
        return
    for verb in ("update", "delete"):
        op.execute(f"DROP TRIGGER {table}_no_{verb}")


def forget_function() -> None:
    """Remove the function the triggers shared."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION popback_refuse_change()")


_POSTGRESQL_FUNCTION = """
CREATE OR REPLACE FUNCTION popback_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$
"""
