"""Runs migrations over the connection that evm.store.database hands in, all in its one transaction. Not a place for schema."""

from typing import Any, Literal

from alembic import context

from evm.store.partitions import is_compared
from evm.store.tables import metadata
from evm.store.tables.base import Instant


def _render(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """A migration stays as it was written: our own column type is spelt as what it is in the database."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, Instant) else False


def _run() -> None:
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=True,
        render_item=_render,
        compare_type=True,
        include_name=is_compared,
        transactional_ddl=True,  # SQLite's tables and triggers roll back with everything else
    )
    context.run_migrations()


_run()
