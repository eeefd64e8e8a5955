"""Quarantine keeps the sequence number of what was refused for good, so that no gap stays open for ever; and of each device who used it
first on the newest day, so that a second worker on it is seen."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INDEX = "ix_quarantine_device_sequence"


def upgrade() -> None:
    """Three columns and an index over the few refusals that have a number."""
    op.add_column("quarantine", sa.Column("sequence", sa.BigInteger(), nullable=True))
    numbered = sa.text("sequence IS NOT NULL")
    op.create_index(
        INDEX,
        "quarantine",
        ["provider_id", "device_id", "sequence"],
        sqlite_where=numbered,
        postgresql_where=numbered,
    )
    op.add_column("device_progress", sa.Column("worker_id", sa.String(length=64), nullable=True))
    op.add_column("device_progress", sa.Column("worker_day", sa.Date(), nullable=True))


def downgrade() -> None:
    """Back to the first schema; what the columns held is not kept."""
    op.drop_column("device_progress", "worker_day")
    op.drop_column("device_progress", "worker_id")
    op.drop_index(INDEX, table_name="quarantine")
    op.drop_column("quarantine", "sequence")
