"""The index of pop-back requests begins with what it is searched by: before, SQLite used it only when it had been made before the others."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

INDEX = "ix_evidence_popback_requests"
REQUESTS = sa.text("kind = 'popback_request'")


def _make(columns: list[str]) -> None:
    op.drop_index(INDEX, table_name="evidence")
    op.create_index(INDEX, "evidence", columns, sqlite_where=REQUESTS, postgresql_where=REQUESTS)


def upgrade() -> None:
    """By kind, then as stored: an equality that any planner searches by."""
    _make(["kind", "log_index"])


def downgrade() -> None:
    """As stored only."""
    _make(["log_index"])
