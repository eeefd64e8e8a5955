"""Who passed from one provider to another, and when; calendars' secret addresses; what was exported."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "transfers",
        sa.Column("transfer_id", sa.String(64), nullable=False),
        sa.Column("from_provider_id", sa.String(64), nullable=False),
        sa.Column("to_provider_id", sa.String(64), nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("locality_id", sa.String(64)),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("shows_history", sa.Boolean(), nullable=False),
        sa.Column("revoke_on", sa.Date(), nullable=False),
        sa.Column("ordered_at", _INSTANT, nullable=False),
        sa.Column("ordered_by", sa.Text(), nullable=False),
        sa.Column("applied_at", _INSTANT),
        sa.Column("cancelled_at", _INSTANT),
        sa.Column("revoked_at", _INSTANT),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["from_provider_id"], ["providers.provider_id"], name=op.f("fk_transfers_from_provider_id_providers")
        ),
        sa.ForeignKeyConstraint(
            ["to_provider_id"], ["providers.provider_id"], name=op.f("fk_transfers_to_provider_id_providers")
        ),
        sa.ForeignKeyConstraint(
            ["locality_id"], ["localities.locality_id"], name=op.f("fk_transfers_locality_id_localities")
        ),
        sa.PrimaryKeyConstraint("transfer_id", name=op.f("pk_transfers")),
    )
    op.create_index("ix_transfers_state_day", "transfers", ["state", "on_day"])
    op.create_table(
        "provider_spells",
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("subject_id", sa.String(64), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("until", sa.Date()),
        sa.Column("provider_id", sa.String(64), nullable=False),
        sa.Column("transfer_id", sa.String(64)),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["providers.provider_id"], name=op.f("fk_provider_spells_provider_id_providers")
        ),
        sa.ForeignKeyConstraint(
            ["transfer_id"], ["transfers.transfer_id"], name=op.f("fk_provider_spells_transfer_id_transfers")
        ),
        sa.PrimaryKeyConstraint("kind", "subject_id", "since", name=op.f("pk_provider_spells")),
    )
    op.create_index("ix_provider_spells_provider", "provider_spells", ["provider_id", "kind"])
    op.create_index("ix_provider_spells_transfer", "provider_spells", ["transfer_id"])
    op.create_table(
        "transfer_devices",
        sa.Column("transfer_id", sa.String(64), nullable=False),
        sa.Column("device_id", sa.String(64), nullable=False),
        sa.Column("new_device_id", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(
            ["transfer_id"], ["transfers.transfer_id"], name=op.f("fk_transfer_devices_transfer_id_transfers")
        ),
        sa.PrimaryKeyConstraint("transfer_id", "device_id", name=op.f("pk_transfer_devices")),
    )
    op.create_table(
        "calendar_addresses",
        sa.Column("token_sha256", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("subject_id", sa.String(64), nullable=False),
        sa.Column("made_at", _INSTANT, nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("revoked_at", _INSTANT),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_calendar_addresses")),
    )
    op.create_index("ix_calendar_addresses_subject", "calendar_addresses", ["kind", "subject_id"])
    op.create_table(
        "exports_made",
        sa.Column("export_id", _COUNTER, autoincrement=True, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("asked", sa.JSON(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("export_id", name=op.f("pk_exports_made")),
    )


def downgrade() -> None:
    for table in ("exports_made", "calendar_addresses", "transfer_devices", "provider_spells", "transfers"):
        op.drop_table(table)
