"""What was taken in from files, once each; task plans whose visits have yet to follow; training with its last day; NHS numbers."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Three tables, two columns that nobody has to fill."""
    op.create_table(
        "imports",
        sa.Column("import_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("layout", sa.String(40), nullable=False),
        sa.Column("provider_id", sa.String(64)),
        sa.Column("council_id", sa.String(64)),
        sa.Column("imported_at", _INSTANT, nullable=False),
        sa.Column("imported_by", sa.Text(), nullable=False),
        sa.Column("exported_at", _INSTANT),
        sa.Column("rows_read", sa.Integer(), nullable=False),
        sa.Column("rows_new", sa.Integer(), nullable=False),
        sa.Column("rows_changed", sa.Integer(), nullable=False),
        sa.Column("rows_same", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("import_id", name=op.f("pk_imports")),
        sa.UniqueConstraint("kind", "sha256", name=op.f("uq_imports_kind_sha256")),
    )
    op.create_index("ix_imports_imported_at", "imports", ["imported_at"])
    op.create_table(
        "plans_to_follow",
        sa.Column("customer_id", sa.String(64), nullable=False),
        sa.Column("since_day", sa.Date(), nullable=False),
        sa.Column("queued_at", _INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.customer_id"], name=op.f("fk_plans_to_follow_customer_id_customers")
        ),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_plans_to_follow")),
    )
    op.create_table(
        "plan_horizons",
        sa.Column("customer_id", sa.String(64), nullable=False),
        sa.Column("until_day", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.customer_id"], name=op.f("fk_plan_horizons_customer_id_customers")
        ),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_plan_horizons")),
    )
    op.create_index("ix_plan_horizons_until_day", "plan_horizons", ["until_day"])
    op.add_column("care_workers", sa.Column("training", sa.JSON(), nullable=True))
    op.add_column("customers", sa.Column("nhs_number", sa.String(10), nullable=True))
    op.create_index("ix_customers_nhs_number", "customers", ["nhs_number"])


def downgrade() -> None:
    """What was taken in stays; that it was, and what the columns held, is not kept."""
    op.drop_index("ix_customers_nhs_number", table_name="customers")
    op.drop_column("customers", "nhs_number")
    op.drop_column("care_workers", "training")
    op.drop_index("ix_plan_horizons_until_day", table_name="plan_horizons")
    op.drop_table("plan_horizons")
    op.drop_table("plans_to_follow")
    op.drop_index("ix_imports_imported_at", table_name="imports")
    op.drop_table("imports")
