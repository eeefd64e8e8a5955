"""Postcodes, localities' polygons, provider contracts by locality, and files uploaded to be taken in."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Five tables; nothing that stands is changed."""
    op.create_table(
        "postcodes",
        sa.Column("postcode", sa.String(length=7), nullable=False),
        sa.Column("outward", sa.String(length=4), nullable=False),
        sa.Column("latitude_e6", sa.Integer(), nullable=True),
        sa.Column("longitude_e6", sa.Integer(), nullable=True),
        sa.Column("terminated_month", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("postcode", name=op.f("pk_postcodes")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_postcodes_outward"), "postcodes", ["outward"])
    op.create_table(
        "postcode_files",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("format", sa.String(length=12), nullable=False),
        sa.Column("rows_taken", sa.Integer(), nullable=False),
        sa.Column("loaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_postcode_files")),
    )
    op.create_table(
        "locality_polygons",
        sa.Column("locality_id", sa.String(length=64), nullable=False),
        sa.Column("geometry", sa.JSON(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["locality_id"], ["localities.locality_id"], name=op.f("fk_locality_polygons_locality_id_localities")
        ),
        sa.PrimaryKeyConstraint("locality_id", name=op.f("pk_locality_polygons")),
    )
    _contracts()
    _uploads()


def _contracts() -> None:
    op.create_table(
        "provider_contracts",
        sa.Column("contract_id", sa.String(length=64), nullable=False),
        sa.Column("council_id", sa.String(length=64), nullable=False),
        sa.Column("provider_id", sa.String(length=64), nullable=False),
        sa.Column("locality_id", sa.String(length=64), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("exclusive", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["council_id"], ["councils.council_id"], name=op.f("fk_provider_contracts_council_id_councils")
        ),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["providers.provider_id"], name=op.f("fk_provider_contracts_provider_id_providers")
        ),
        sa.ForeignKeyConstraint(
            ["locality_id"], ["localities.locality_id"], name=op.f("fk_provider_contracts_locality_id_localities")
        ),
        sa.PrimaryKeyConstraint("contract_id", name=op.f("pk_provider_contracts")),
    )
    for column in ("council_id", "provider_id", "locality_id"):
        op.create_index(op.f(f"ix_provider_contracts_{column}"), "provider_contracts", [column])


def _uploads() -> None:
    op.create_table(
        "import_uploads",
        sa.Column("upload_id", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("layout", sa.String(length=64), nullable=False),
        sa.Column("provider_id", sa.String(length=64), nullable=True),
        sa.Column("council_id", sa.String(length=64), nullable=True),
        sa.Column("exported_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("worker", sa.String(length=32), nullable=False),
        sa.Column("rows_done", sa.Integer(), nullable=False),
        sa.Column("rows_total", sa.Integer(), nullable=False),
        sa.Column("report", sa.JSON(), nullable=True),
        sa.Column("words", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("beat_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name=op.f("fk_import_uploads_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("upload_id", name=op.f("pk_import_uploads")),
    )
    op.create_index("ix_import_uploads_expires", "import_uploads", ["expires_at"])


def downgrade() -> None:
    """The tables go with what they held; customers keep the localities they were given."""
    for table in ("import_uploads", "provider_contracts", "locality_polygons", "postcode_files", "postcodes"):
        op.drop_table(table)
