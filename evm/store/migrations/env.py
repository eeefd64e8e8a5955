"""Runs migrations over the connection that evm.store.database hands in, all in its one transaction. Not a place for schema."""

from typing import Any, Literal

from alembic import context

from evm.store.partitions import is_partition
from evm.store.tables import metadata
from evm.store.tables.base import Instant


def _render(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """A migration stays as it was written: our own column type is spelt as what it is in the database."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, Instant) else False


def _named(name: str | None, kind: str, _parents: Any) -> bool:
    """The log's months on PostgreSQL are no tables of the schema's own."""
    return not (kind == "table" and name is not None and is_partition(name))


def _run() -> None:
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=True,
        render_item=_render,
        compare_type=True,
        include_name=_named,
        transactional_ddl=True,  # SQLite's tables and triggers roll back with everything else
    )
    context.run_migrations()


_run()
