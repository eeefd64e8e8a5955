"""A restored log opens a new epoch, and each phone says which one it knows of."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Epochs from the second on, and what each device last said of them."""
    op.create_table(
        "log_epochs",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_index", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_log_epochs")),
        sa.UniqueConstraint("name", name=op.f("uq_log_epochs_name")),
    )
    with op.batch_alter_table("device_progress") as table:
        table.add_column(sa.Column("epoch", sa.String(length=32)))


def downgrade() -> None:
    """Forgets which epochs there were: receipts of later ones then verify no more."""
    with op.batch_alter_table("device_progress") as table:
        table.drop_column("epoch")
    op.drop_table("log_epochs")
