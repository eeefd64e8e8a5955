"""Other systems' names for our people, claim files and visit feeds as they came, how a provider is monitored, and shadow mode by provider
with its history. Invoice lines keep the file's row they came from and the visit they were found to mean."""

import sqlalchemy as sa
from alembic import op

from evm.store.migrations.append_only import guard, unguard

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = sa.String(length=64)
INDEX_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
LOGS = ("provider_monitoring", "shadow_terms")
MEANT = "ix_invoice_lines_meant"
PHONE = "ix_care_workers_phone"


def upgrade() -> None:
    """Seven tables, two columns of invoice lines, and an index by which one person with two providers is found."""
    _refs()
    _claims()
    _feeds()
    _shadow()
    for table in LOGS:
        guard(table)
    op.add_column("invoice_lines", sa.Column("meant_visit_id", ID, nullable=True))
    op.add_column("invoice_lines", sa.Column("claim_row", sa.Integer(), nullable=True))
    op.create_index(MEANT, "invoice_lines", ["meant_visit_id", "slot"])
    op.create_index(PHONE, "care_workers", ["phone"])


def downgrade() -> None:
    """Back to the fourth schema; what these tables and columns held is not kept."""
    op.drop_index(PHONE, table_name="care_workers")
    op.drop_index(MEANT, table_name="invoice_lines")
    op.drop_column("invoice_lines", "claim_row")
    op.drop_column("invoice_lines", "meant_visit_id")
    for table in LOGS:
        unguard(table)
    op.drop_table("shadow_terms")
    op.drop_table("provider_monitoring")
    op.drop_table("vendor_feeds")
    op.drop_table("claim_rows")
    op.drop_table("claim_files")
    op.drop_table("worker_persons")
    op.drop_table("external_refs")


def _refs() -> None:
    op.create_table(
        "external_refs",
        sa.Column("owner_id", ID, nullable=False),
        sa.Column("system", ID, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("ref", sa.String(length=80), nullable=False),
        sa.Column("our_id", ID, nullable=False),
        sa.Column("stated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("owner_id", "system", "kind", "ref", name=op.f("pk_external_refs")),
    )
    op.create_table(
        "worker_persons",
        sa.Column("worker_id", ID, nullable=False),
        sa.Column("person_sha256", sa.String(length=64), nullable=False),
        sa.Column("stated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("worker_id", name=op.f("pk_worker_persons")),
    )
    op.create_index(op.f("ix_worker_persons_person_sha256"), "worker_persons", ["person_sha256"])


def _claims() -> None:
    op.create_table(
        "claim_files",
        sa.Column("council_id", ID, nullable=False),
        sa.Column("reference", sa.String(length=40), nullable=False),
        sa.Column("provider_id", ID, nullable=False),
        sa.Column("invoice_id", ID, nullable=False),
        sa.Column("file_sha256", sa.String(length=64), nullable=False),
        sa.Column("layout", sa.String(length=64), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["council_id"], ["councils.council_id"], name=op.f("fk_claim_files_council_id_councils")
        ),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["providers.provider_id"], name=op.f("fk_claim_files_provider_id_providers")
        ),
        sa.PrimaryKeyConstraint("council_id", "reference", "provider_id", name=op.f("pk_claim_files")),
        sa.UniqueConstraint("invoice_id", name=op.f("uq_claim_files_invoice_id")),
    )
    op.create_table(
        "claim_rows",
        sa.Column("invoice_id", ID, nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("week_ending", sa.Date(), nullable=True),
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("visit_id", ID, nullable=True),
        sa.Column("start_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("pence", sa.BigInteger(), nullable=False),
        sa.Column("is_secondary", sa.Integer(), nullable=False),
        sa.Column("workers", sa.Integer(), nullable=False),
        sa.Column("columns", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("invoice_id", "row", name=op.f("pk_claim_rows")),
    )
    op.create_index("ix_claim_rows_start", "claim_rows", ["invoice_id", "customer_id", "start_at"])


def _feeds() -> None:
    op.create_table(
        "vendor_feeds",
        sa.Column("provider_id", ID, nullable=False),
        sa.Column("vendor", ID, nullable=False),
        sa.Column("first_received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("covered_until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["providers.provider_id"], name=op.f("fk_vendor_feeds_provider_id_providers")
        ),
        sa.PrimaryKeyConstraint("provider_id", "vendor", name=op.f("pk_vendor_feeds")),
    )
    op.create_table(
        "provider_monitoring",
        sa.Column("entry_id", INDEX_NUMBER, autoincrement=True, nullable=False),
        sa.Column("provider_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["providers.provider_id"], name=op.f("fk_provider_monitoring_provider_id_providers")
        ),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_provider_monitoring")),
    )
    op.create_index(op.f("ix_provider_monitoring_provider_id"), "provider_monitoring", ["provider_id"])


def _shadow() -> None:
    op.create_table(
        "shadow_terms",
        sa.Column("entry_id", INDEX_NUMBER, autoincrement=True, nullable=False),
        sa.Column("council_id", ID, nullable=False),
        sa.Column("provider_id", ID, nullable=False),
        sa.Column("shadow_until", sa.Date(), nullable=True),
        sa.Column("before", sa.Date(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["council_id"], ["councils.council_id"], name=op.f("fk_shadow_terms_council_id_councils")
        ),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["providers.provider_id"], name=op.f("fk_shadow_terms_provider_id_providers")
        ),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_shadow_terms")),
    )
    op.create_index("ix_shadow_terms_pair", "shadow_terms", ["council_id", "provider_id", "entry_id"])
