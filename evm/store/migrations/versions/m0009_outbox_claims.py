"""Who sends a message holds it until an instant, so that two senders do not both send it."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One column: nothing is held yet."""
    op.add_column("outbox", sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Nobody holds anything any more."""
    op.drop_column("outbox", "claimed_until")
