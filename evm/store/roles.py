"""Who may do what in a PostgreSQL database: the owner migrates, the servers' role reads and writes rows, a reader reads. The last two own
nothing: they cannot alter a table, drop a trigger or rewrite a log. Not the site's accounts (evm.store.accounts); nothing on SQLite."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, text

_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")
SECRET_COLUMNS: Final = frozenset({"password_hash", "token_sha256", "csrf_token"})
"""What a reader has no use for."""


class RoleRefused(ValueError):  # noqa: N818 -- named for what is wrong
    """A role of this name cannot be given rights, with the sentence that says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """Names of the roles that servers and readers connect as."""

    app: str
    reader: str


def statements(connection: Connection, *, roles: Roles) -> tuple[str, ...]:
    """What gives these roles their rights on every table there is and takes any other away, for the owner to run. Raises RoleRefused."""
    app, reader = _checked(roles.app), _checked(roles.reader)
    if app == reader:
        raise RoleRefused("the servers' role and the reader's must be two")
    schema = connection.execute(text("SELECT quote_ident(current_schema())")).scalar_one()
    both = f"{app}, {reader}"
    found = [
        f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {both}, PUBLIC;",
        f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA {schema} FROM {both}, PUBLIC;",
        f"REVOKE CREATE ON SCHEMA {schema} FROM {both}, PUBLIC;",
        f"GRANT USAGE ON SCHEMA {schema} TO {both};",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {app};",
        f"GRANT EXECUTE ON FUNCTION {schema}.popback_keep_partitions(timestamptz, integer) TO {app};",
    ]
    logs = _logs(connection)
    for table, columns in _tables(connection).items():
        rights = (
            "SELECT"
            if table == "alembic_version"
            else "SELECT, INSERT"
            if table in logs
            else "SELECT, INSERT, UPDATE, DELETE"
        )
        found.append(f"GRANT {rights} ON {schema}.{table} TO {app};")
        open_columns = [column for column in columns if column not in SECRET_COLUMNS]
        some = "" if len(open_columns) == len(columns) else f" ({', '.join(open_columns)})"
        found.append(f"GRANT SELECT{some} ON {schema}.{table} TO {reader};")
    return tuple(found)


def make(connection: Connection, *, roles: Roles) -> tuple[str, ...]:
    """The statements that make those of the roles that are not there yet, able to sign in but without a password."""
    wanted = [_checked(name) for name in (roles.app, roles.reader)]
    there = set(connection.execute(text("SELECT rolname FROM pg_roles")).scalars())
    return tuple(f"CREATE ROLE {name} LOGIN;" for name in wanted if name not in there)


def grant(connection: Connection, *, roles: Sequence[Roles]) -> None:
    """Give rights on the tables as they are now (a migration makes new ones)."""
    for each in roles:
        for statement in statements(connection, roles=each):
            connection.execute(text(statement))


def granted(connection: Connection) -> tuple[Roles, ...]:
    """The roles that were given rights before: none on SQLite, in an empty database or one that knows only its owner."""
    if connection.dialect.name != "postgresql":
        return ()
    query = text(
        "SELECT grantee::regrole::text AS name, string_agg(privilege_type, ',') AS rights "
        "FROM pg_class, aclexplode(relacl) WHERE oid = to_regclass('councils') AND grantee <> relowner AND grantee <> 0 GROUP BY 1"
    )
    rights = {row.name: row.rights for row in connection.execute(query)}
    apps = sorted(name for name, given in rights.items() if "INSERT" in given)
    readers = sorted(set(rights) - set(apps))
    return tuple(Roles(app=app, reader=reader) for app, reader in zip(apps, readers, strict=False))


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise RoleRefused(f"{name!r} is no role's name: use small letters, digits and underscores, 63 at most")
    return name


def _tables(connection: Connection) -> dict[str, list[str]]:
    """The schema's tables without the log's months (rights on the log are rights on its months), with their columns."""
    query = text(
        "SELECT relname, array_agg(quote_ident(attname) ORDER BY attnum) AS columns FROM pg_class "
        "JOIN pg_attribute ON attrelid = pg_class.oid "
        "WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition "
        "AND attnum > 0 AND NOT attisdropped GROUP BY relname ORDER BY relname"
    )
    return {row.relname: row.columns for row in connection.execute(query)}


def _logs(connection: Connection) -> frozenset[str]:
    """The tables whose triggers refuse change: nobody is given the right to what would be refused."""
    query = text(
        "SELECT DISTINCT relname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_proc ON pg_proc.oid = tgfoid "
        "WHERE proname = 'popback_refuse_change' AND relnamespace = current_schema()::regnamespace"
    )
    return frozenset(connection.execute(query).scalars())
