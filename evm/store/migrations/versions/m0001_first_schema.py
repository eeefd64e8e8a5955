"""The first schema, and the triggers that keep its logs append-only. Generated from evm/store/tables, then left alone."""

import sqlalchemy as sa
from alembic import op

from evm.store.migrations.append_only import forget_function, guard, unguard

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

LOGS = ("evidence", "quarantine", "line_verdicts", "alert_history")


def upgrade() -> None:  # noqa: PLR0915 -- a list, not logic
    op.create_table(
        "alerts",
        sa.Column("alert_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("key", sa.String(length=160), nullable=False),
        sa.Column("provider_id", sa.String(length=64), nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=True),
        sa.Column("worker_id", sa.String(length=64), nullable=True),
        sa.Column("visit_id", sa.String(length=64), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=True),
        sa.Column("slot", sa.Integer(), nullable=True),
        sa.Column("stage", sa.String(length=16), nullable=True),
        sa.Column("risk", sa.String(length=16), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("detected_late", sa.Boolean(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reclassified", sa.String(length=16), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_alerts")),
        sa.UniqueConstraint("key", name=op.f("uq_alerts_key")),
    )
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_alerts_provider_id"), ["provider_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_alerts_visit_id"), ["visit_id"], unique=False)

    op.create_table(
        "challenges",
        sa.Column("challenge", sa.String(length=64), nullable=False),
        sa.Column("provider_id", sa.String(length=64), nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("challenge", name=op.f("pk_challenges")),
    )
    with op.batch_alter_table("challenges", schema=None) as batch_op:
        batch_op.create_index("ix_challenges_device", ["provider_id", "device_id", "issued_at"], unique=False)

    op.create_table(
        "charges",
        sa.Column("visit_key", sa.String(length=80), nullable=False),
        sa.Column("visit_version", sa.Integer(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("agreement_id", sa.String(length=64), nullable=False),
        sa.Column("agreement_version", sa.Integer(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("pence", sa.BigInteger(), nullable=False),
        sa.Column("rule", sa.String(length=40), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("visit_key", "visit_version", "slot", "line", name=op.f("pk_charges")),
    )
    op.create_table(
        "councils",
        sa.Column("council_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("council_id", name=op.f("pk_councils")),
    )
    op.create_table(
        "deadlines",
        sa.Column(
            "deadline_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("visit_id", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("judged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("verdict", sa.String(length=16), nullable=True),
        sa.PrimaryKeyConstraint("deadline_id", name=op.f("pk_deadlines")),
        sa.UniqueConstraint(
            "visit_id", "revision", "slot", "stage", name=op.f("uq_deadlines_visit_id_revision_slot_stage")
        ),
    )
    with op.batch_alter_table("deadlines", schema=None) as batch_op:
        batch_op.create_index("ix_deadlines_open_due", ["judged_at", "due_at"], unique=False)

    op.create_table(
        "device_progress",
        sa.Column("provider_id", sa.String(length=64), nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("contiguous_sequence", sa.BigInteger(), nullable=False),
        sa.Column("highest_sequence", sa.BigInteger(), nullable=False),
        sa.Column("last_received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("offset_seconds", sa.Float(), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=True),
        sa.PrimaryKeyConstraint("provider_id", "device_id", name=op.f("pk_device_progress")),
    )
    op.create_table(
        "evidence",
        sa.Column(
            "log_index", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("source", sa.String(length=8), nullable=False),
        sa.Column("device_type", sa.String(length=32), nullable=False),
        sa.Column("provider_id", sa.String(length=64), nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("event_id", sa.String(length=36), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=True),
        sa.Column("previous", sa.String(length=64), nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("method", sa.String(length=16), nullable=False),
        sa.Column("grade_time", sa.String(length=1), nullable=False),
        sa.Column("grade_place", sa.String(length=1), nullable=False),
        sa.Column("worker_id", sa.String(length=64), nullable=True),
        sa.Column("customer_id", sa.String(length=64), nullable=True),
        sa.Column("visit_id", sa.String(length=64), nullable=True),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("accuracy_m", sa.Float(), nullable=True),
        sa.Column("mock", sa.Boolean(), nullable=True),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("flags", sa.JSON(), nullable=False),
        sa.Column("waits", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("log_index", name=op.f("pk_evidence")),
        sa.UniqueConstraint(
            "event_id",
            "device_id",
            "provider_id",
            "sha256",
            name=op.f("uq_evidence_event_id_device_id_provider_id_sha256"),
        ),
    )
    with op.batch_alter_table("evidence", schema=None) as batch_op:
        batch_op.create_index("ix_evidence_customer_at", ["customer_id", "at"], unique=False)
        batch_op.create_index("ix_evidence_device_sequence", ["provider_id", "device_id", "sequence"], unique=False)
        batch_op.create_index(
            "ix_evidence_fix",
            ["latitude", "worker_id"],
            unique=False,
            sqlite_where=sa.text("latitude IS NOT NULL"),
            postgresql_where=sa.text("latitude IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_evidence_popback_requests",
            ["log_index"],
            unique=False,
            sqlite_where=sa.text("kind = 'popback_request'"),
            postgresql_where=sa.text("kind = 'popback_request'"),
        )
        batch_op.create_index("ix_evidence_worker_at", ["worker_id", "at"], unique=False)

    op.create_table(
        "line_verdicts",
        sa.Column(
            "verdict_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("invoice_id", sa.String(length=64), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("judged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("verdict", sa.String(length=12), nullable=False),
        sa.Column("payable_pence", sa.BigInteger(), nullable=False),
        sa.Column("reduced_pence", sa.BigInteger(), nullable=False),
        sa.Column("withheld_pence", sa.BigInteger(), nullable=False),
        sa.Column("disallowed_pence", sa.BigInteger(), nullable=False),
        sa.Column("shadow_pence", sa.BigInteger(), nullable=False),
        sa.Column("minutes_evidenced", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("visit_version", sa.Integer(), nullable=True),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("verdict_id", name=op.f("pk_line_verdicts")),
        sa.UniqueConstraint(
            "invoice_id", "line_no", "version", name=op.f("uq_line_verdicts_invoice_id_line_no_version")
        ),
    )
    op.create_table(
        "outbox",
        sa.Column(
            "outbox_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(length=160), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("outbox_id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("key", name=op.f("uq_outbox_key")),
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index("ix_outbox_unsent", ["channel", "sent_at"], unique=False)

    op.create_table(
        "providers",
        sa.Column("provider_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("provider_id", name=op.f("pk_providers")),
    )
    op.create_table(
        "quarantine",
        sa.Column(
            "log_index", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("message", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("provider_id", sa.String(length=64), nullable=True),
        sa.Column("device_id", sa.String(length=64), nullable=True),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("security", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("log_index", name=op.f("pk_quarantine")),
    )
    with op.batch_alter_table("quarantine", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_quarantine_provider_id"), ["provider_id"], unique=False)

    op.create_table(
        "reconcile_queue",
        sa.Column("queue_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.Column("care_day", sa.Date(), nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("queue_id", name=op.f("pk_reconcile_queue")),
    )
    with op.batch_alter_table("reconcile_queue", schema=None) as batch_op:
        batch_op.create_index("ix_reconcile_queue_customer_day", ["customer_id", "care_day"], unique=False)

    op.create_table(
        "visits",
        sa.Column("visit_key", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("is_newest", sa.Boolean(), nullable=False),
        sa.Column("reconciled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("visit_id", sa.String(length=64), nullable=True),
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.Column("provider_id", sa.String(length=64), nullable=False),
        sa.Column("care_day", sa.Date(), nullable=False),
        sa.Column("planned_start_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(length=24), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("visit_key", "version", name=op.f("pk_visits")),
    )
    with op.batch_alter_table("visits", schema=None) as batch_op:
        batch_op.create_index("ix_visits_care_day", ["care_day", "is_newest"], unique=False)
        batch_op.create_index("ix_visits_customer_day", ["customer_id", "care_day"], unique=False)
        batch_op.create_index("ix_visits_provider_day", ["provider_id", "care_day"], unique=False)

    op.create_table(
        "watermarks",
        sa.Column("provider_id", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("newest_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("provider_id", "channel", name=op.f("pk_watermarks")),
    )
    op.create_table(
        "worker_flags",
        sa.Column("flag_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("provider_id", sa.String(length=64), nullable=False),
        sa.Column("worker_id", sa.String(length=64), nullable=False),
        sa.Column("care_day", sa.Date(), nullable=True),
        sa.Column("period_since", sa.Date(), nullable=False),
        sa.Column("period_until", sa.Date(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("reply", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("flag_id", name=op.f("pk_worker_flags")),
    )
    with op.batch_alter_table("worker_flags", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_worker_flags_provider_id"), ["provider_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_worker_flags_worker_id"), ["worker_id"], unique=False)

    op.create_table(
        "agreements",
        sa.Column("agreement_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("council_id", sa.String(length=64), nullable=False),
        sa.Column("provider_id", sa.String(length=64), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("terms", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["council_id"], ["councils.council_id"], name=op.f("fk_agreements_council_id_councils")
        ),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["providers.provider_id"], name=op.f("fk_agreements_provider_id_providers")
        ),
        sa.PrimaryKeyConstraint("agreement_id", "version", name=op.f("pk_agreements")),
    )
    op.create_table(
        "alert_history",
        sa.Column("entry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("alert_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("act", sa.String(length=24), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.alert_id"], name=op.f("fk_alert_history_alert_id_alerts")),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_alert_history")),
    )
    with op.batch_alter_table("alert_history", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_alert_history_alert_id"), ["alert_id"], unique=False)

    op.create_table(
        "branches",
        sa.Column("branch_id", sa.String(length=64), nullable=False),
        sa.Column("provider_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("phone", sa.String(length=20), nullable=False),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["providers.provider_id"], name=op.f("fk_branches_provider_id_providers")
        ),
        sa.PrimaryKeyConstraint("branch_id", name=op.f("pk_branches")),
    )
    op.create_table(
        "invoices",
        sa.Column("invoice_id", sa.String(length=64), nullable=False),
        sa.Column("provider_id", sa.String(length=64), nullable=False),
        sa.Column("council_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("period_since", sa.Date(), nullable=False),
        sa.Column("period_until", sa.Date(), nullable=False),
        sa.Column("claimed_pence", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("judged_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["council_id"], ["councils.council_id"], name=op.f("fk_invoices_council_id_councils")),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["providers.provider_id"], name=op.f("fk_invoices_provider_id_providers")
        ),
        sa.PrimaryKeyConstraint("invoice_id", name=op.f("pk_invoices")),
        sa.UniqueConstraint("provider_id", "number", name=op.f("uq_invoices_provider_id_number")),
    )
    op.create_table(
        "localities",
        sa.Column("locality_id", sa.String(length=64), nullable=False),
        sa.Column("council_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("outward_codes", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["council_id"], ["councils.council_id"], name=op.f("fk_localities_council_id_councils")
        ),
        sa.PrimaryKeyConstraint("locality_id", name=op.f("pk_localities")),
    )
    op.create_table(
        "care_workers",
        sa.Column("worker_id", sa.String(length=64), nullable=False),
        sa.Column("provider_id", sa.String(length=64), nullable=False),
        sa.Column("locality_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=False),
        sa.Column("longitude", sa.Float(), nullable=False),
        sa.Column("gender", sa.String(length=10), nullable=False),
        sa.Column("phone", sa.String(length=20), nullable=True),
        sa.Column("mode", sa.String(length=10), nullable=False),
        sa.Column("languages", sa.JSON(), nullable=False),
        sa.Column("skills", sa.JSON(), nullable=False),
        sa.Column("shifts", sa.JSON(), nullable=False),
        sa.Column("leave", sa.JSON(), nullable=False),
        sa.Column("dialled_number", sa.String(length=20), nullable=True),
        sa.Column("pin", sa.String(length=12), nullable=True),
        sa.Column("hours_day_max", sa.Integer(), nullable=False),
        sa.Column("hours_week_max", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["locality_id"], ["localities.locality_id"], name=op.f("fk_care_workers_locality_id_localities")
        ),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["providers.provider_id"], name=op.f("fk_care_workers_provider_id_providers")
        ),
        sa.PrimaryKeyConstraint("worker_id", name=op.f("pk_care_workers")),
        sa.UniqueConstraint("provider_id", "pin", name=op.f("uq_care_workers_provider_id_pin")),
    )
    with op.batch_alter_table("care_workers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_care_workers_dialled_number"), ["dialled_number"], unique=False)
        batch_op.create_index(batch_op.f("ix_care_workers_locality_id"), ["locality_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_care_workers_provider_id"), ["provider_id"], unique=False)

    op.create_table(
        "customers",
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.Column("provider_id", sa.String(length=64), nullable=False),
        sa.Column("locality_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("postcode", sa.String(length=10), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=False),
        sa.Column("longitude", sa.Float(), nullable=False),
        sa.Column("radius_m", sa.Float(), nullable=False),
        sa.Column("phone", sa.String(length=20), nullable=True),
        sa.Column("next_of_kin_name", sa.Text(), nullable=True),
        sa.Column("next_of_kin_phone", sa.String(length=20), nullable=True),
        sa.Column("landline_code", sa.String(length=8), nullable=True),
        sa.Column("gender_required", sa.String(length=10), nullable=True),
        sa.Column("language_required", sa.String(length=10), nullable=True),
        sa.Column("workers_excluded", sa.JSON(), nullable=False),
        sa.Column("workers_preferred", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["locality_id"], ["localities.locality_id"], name=op.f("fk_customers_locality_id_localities")
        ),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["providers.provider_id"], name=op.f("fk_customers_provider_id_providers")
        ),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_customers")),
    )
    with op.batch_alter_table("customers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_customers_locality_id"), ["locality_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_customers_provider_id"), ["provider_id"], unique=False)

    op.create_table(
        "invoice_lines",
        sa.Column("invoice_id", sa.String(length=64), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("visit_id", sa.String(length=64), nullable=True),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.Column("worker_id", sa.String(length=64), nullable=True),
        sa.Column("start_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("minutes_claimed", sa.Integer(), nullable=False),
        sa.Column("pence_claimed", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoices.invoice_id"], name=op.f("fk_invoice_lines_invoice_id_invoices")
        ),
        sa.PrimaryKeyConstraint("invoice_id", "line_no", name=op.f("pk_invoice_lines")),
    )
    with op.batch_alter_table("invoice_lines", schema=None) as batch_op:
        batch_op.create_index("ix_invoice_lines_visit", ["visit_id", "slot"], unique=False)

    op.create_table(
        "rosters",
        sa.Column("roster_id", sa.String(length=64), nullable=False),
        sa.Column("locality_id", sa.String(length=64), nullable=False),
        sa.Column("provider_id", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("published_by", sa.String(length=80), nullable=True),
        sa.Column("input_sha256", sa.String(length=64), nullable=False),
        sa.Column("unfilled", sa.Integer(), nullable=False),
        sa.Column("violations", sa.Integer(), nullable=False),
        sa.Column("travel_seconds", sa.Integer(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["locality_id"], ["localities.locality_id"], name=op.f("fk_rosters_locality_id_localities")
        ),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["providers.provider_id"], name=op.f("fk_rosters_provider_id_providers")
        ),
        sa.PrimaryKeyConstraint("roster_id", name=op.f("pk_rosters")),
    )
    with op.batch_alter_table("rosters", schema=None) as batch_op:
        batch_op.create_index("ix_rosters_locality_day", ["locality_id", "day", "state"], unique=False)

    op.create_table(
        "absences",
        sa.Column("absence_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.customer_id"], name=op.f("fk_absences_customer_id_customers")
        ),
        sa.PrimaryKeyConstraint("absence_id", name=op.f("pk_absences")),
    )
    with op.batch_alter_table("absences", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_absences_customer_id"), ["customer_id"], unique=False)

    op.create_table(
        "accounts",
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("council_id", sa.String(length=64), nullable=True),
        sa.Column("provider_id", sa.String(length=64), nullable=True),
        sa.Column("locality_id", sa.String(length=64), nullable=True),
        sa.Column("worker_id", sa.String(length=64), nullable=True),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("failed_sign_ins", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["council_id"], ["councils.council_id"], name=op.f("fk_accounts_council_id_councils")),
        sa.ForeignKeyConstraint(
            ["locality_id"], ["localities.locality_id"], name=op.f("fk_accounts_locality_id_localities")
        ),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["providers.provider_id"], name=op.f("fk_accounts_provider_id_providers")
        ),
        sa.ForeignKeyConstraint(
            ["worker_id"], ["care_workers.worker_id"], name=op.f("fk_accounts_worker_id_care_workers")
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("email", name=op.f("uq_accounts_email")),
    )
    op.create_table(
        "customer_landlines",
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.Column("line", sa.String(length=20), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.customer_id"], name=op.f("fk_customer_landlines_customer_id_customers")
        ),
        sa.PrimaryKeyConstraint("customer_id", "line", name=op.f("pk_customer_landlines")),
    )
    with op.batch_alter_table("customer_landlines", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_customer_landlines_line"), ["line"], unique=False)

    op.create_table(
        "customer_tags",
        sa.Column("tag", sa.String(length=64), nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.customer_id"], name=op.f("fk_customer_tags_customer_id_customers")
        ),
        sa.PrimaryKeyConstraint("tag", name=op.f("pk_customer_tags")),
    )
    with op.batch_alter_table("customer_tags", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_customer_tags_customer_id"), ["customer_id"], unique=False)

    op.create_table(
        "devices",
        sa.Column("provider_id", sa.String(length=64), nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("device_type", sa.String(length=32), nullable=False),
        sa.Column("worker_id", sa.String(length=64), nullable=True),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("enrolled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("signed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["providers.provider_id"], name=op.f("fk_devices_provider_id_providers")
        ),
        sa.ForeignKeyConstraint(
            ["worker_id"], ["care_workers.worker_id"], name=op.f("fk_devices_worker_id_care_workers")
        ),
        sa.PrimaryKeyConstraint("provider_id", "device_id", name=op.f("pk_devices")),
    )
    with op.batch_alter_table("devices", schema=None) as batch_op:
        batch_op.create_index("ix_devices_worker_id", ["worker_id"], unique=False)

    op.create_table(
        "planned_visits",
        sa.Column("visit_id", sa.String(length=64), nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.Column("provider_id", sa.String(length=64), nullable=False),
        sa.Column("locality_id", sa.String(length=64), nullable=False),
        sa.Column("care_day", sa.Date(), nullable=False),
        sa.Column("start_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("workers_needed", sa.Integer(), nullable=False),
        sa.Column("risk", sa.String(length=16), nullable=False),
        sa.Column("tasks", sa.JSON(), nullable=False),
        sa.Column("skills_required", sa.JSON(), nullable=False),
        sa.Column("flexible_minutes", sa.Integer(), nullable=False),
        sa.Column("task_plan_version", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("popback", sa.Boolean(), nullable=False),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_by", sa.String(length=16), nullable=True),
        sa.Column("cancelled_reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.customer_id"], name=op.f("fk_planned_visits_customer_id_customers")
        ),
        sa.ForeignKeyConstraint(
            ["locality_id"], ["localities.locality_id"], name=op.f("fk_planned_visits_locality_id_localities")
        ),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["providers.provider_id"], name=op.f("fk_planned_visits_provider_id_providers")
        ),
        sa.PrimaryKeyConstraint("visit_id", name=op.f("pk_planned_visits")),
    )
    with op.batch_alter_table("planned_visits", schema=None) as batch_op:
        batch_op.create_index("ix_planned_visits_customer_day", ["customer_id", "care_day"], unique=False)
        batch_op.create_index("ix_planned_visits_locality_day", ["locality_id", "care_day"], unique=False)
        batch_op.create_index("ix_planned_visits_provider_day", ["provider_id", "care_day"], unique=False)

    op.create_table(
        "support_plans",
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("outcomes", sa.JSON(), nullable=False),
        sa.Column("budget_week_pence", sa.Integer(), nullable=False),
        sa.Column("commissioned_minutes_week", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.customer_id"], name=op.f("fk_support_plans_customer_id_customers")
        ),
        sa.PrimaryKeyConstraint("customer_id", "effective_from", name=op.f("pk_support_plans")),
    )
    op.create_table(
        "task_plans",
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("patterns", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.customer_id"], name=op.f("fk_task_plans_customer_id_customers")
        ),
        sa.PrimaryKeyConstraint("customer_id", "version", name=op.f("pk_task_plans")),
    )
    op.create_table(
        "planned_slots",
        sa.Column("visit_id", sa.String(length=64), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("worker_id", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["visit_id"], ["planned_visits.visit_id"], name=op.f("fk_planned_slots_visit_id_planned_visits")
        ),
        sa.ForeignKeyConstraint(
            ["worker_id"], ["care_workers.worker_id"], name=op.f("fk_planned_slots_worker_id_care_workers")
        ),
        sa.PrimaryKeyConstraint("visit_id", "slot", name=op.f("pk_planned_slots")),
    )
    with op.batch_alter_table("planned_slots", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_planned_slots_worker_id"), ["worker_id"], unique=False)

    op.create_table(
        "popback_requests",
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("wanted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("workers_needed", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("visit_id", sa.String(length=64), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("alternatives", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.customer_id"], name=op.f("fk_popback_requests_customer_id_customers")
        ),
        sa.ForeignKeyConstraint(
            ["visit_id"], ["planned_visits.visit_id"], name=op.f("fk_popback_requests_visit_id_planned_visits")
        ),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_popback_requests")),
    )
    with op.batch_alter_table("popback_requests", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_popback_requests_customer_id"), ["customer_id"], unique=False)

    op.create_table(
        "sessions",
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("csrf_token", sa.String(length=64), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.account_id"], name=op.f("fk_sessions_account_id_accounts")),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_sessions")),
    )
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sessions_account_id"), ["account_id"], unique=False)

    for table in LOGS:
        guard(table)


def downgrade() -> None:  # noqa: PLR0915 -- a list, not logic
    for table in LOGS:
        unguard(table)
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sessions_account_id"))

    op.drop_table("sessions")
    with op.batch_alter_table("popback_requests", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_popback_requests_customer_id"))

    op.drop_table("popback_requests")
    with op.batch_alter_table("planned_slots", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_planned_slots_worker_id"))

    op.drop_table("planned_slots")
    op.drop_table("task_plans")
    op.drop_table("support_plans")
    with op.batch_alter_table("planned_visits", schema=None) as batch_op:
        batch_op.drop_index("ix_planned_visits_provider_day")
        batch_op.drop_index("ix_planned_visits_locality_day")
        batch_op.drop_index("ix_planned_visits_customer_day")

    op.drop_table("planned_visits")
    with op.batch_alter_table("devices", schema=None) as batch_op:
        batch_op.drop_index("ix_devices_worker_id")

    op.drop_table("devices")
    with op.batch_alter_table("customer_tags", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_customer_tags_customer_id"))

    op.drop_table("customer_tags")
    with op.batch_alter_table("customer_landlines", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_customer_landlines_line"))

    op.drop_table("customer_landlines")
    op.drop_table("accounts")
    with op.batch_alter_table("absences", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_absences_customer_id"))

    op.drop_table("absences")
    with op.batch_alter_table("rosters", schema=None) as batch_op:
        batch_op.drop_index("ix_rosters_locality_day")

    op.drop_table("rosters")
    with op.batch_alter_table("invoice_lines", schema=None) as batch_op:
        batch_op.drop_index("ix_invoice_lines_visit")

    op.drop_table("invoice_lines")
    with op.batch_alter_table("customers", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_customers_provider_id"))
        batch_op.drop_index(batch_op.f("ix_customers_locality_id"))

    op.drop_table("customers")
    with op.batch_alter_table("care_workers", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_care_workers_provider_id"))
        batch_op.drop_index(batch_op.f("ix_care_workers_locality_id"))
        batch_op.drop_index(batch_op.f("ix_care_workers_dialled_number"))

    op.drop_table("care_workers")
    op.drop_table("localities")
    op.drop_table("invoices")
    op.drop_table("branches")
    with op.batch_alter_table("alert_history", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_alert_history_alert_id"))

    op.drop_table("alert_history")
    op.drop_table("agreements")
    with op.batch_alter_table("worker_flags", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_worker_flags_worker_id"))
        batch_op.drop_index(batch_op.f("ix_worker_flags_provider_id"))

    op.drop_table("worker_flags")
    op.drop_table("watermarks")
    with op.batch_alter_table("visits", schema=None) as batch_op:
        batch_op.drop_index("ix_visits_provider_day")
        batch_op.drop_index("ix_visits_customer_day")
        batch_op.drop_index("ix_visits_care_day")

    op.drop_table("visits")
    with op.batch_alter_table("reconcile_queue", schema=None) as batch_op:
        batch_op.drop_index("ix_reconcile_queue_customer_day")

    op.drop_table("reconcile_queue")
    with op.batch_alter_table("quarantine", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_quarantine_provider_id"))

    op.drop_table("quarantine")
    op.drop_table("providers")
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_index("ix_outbox_unsent")

    op.drop_table("outbox")
    op.drop_table("line_verdicts")
    with op.batch_alter_table("evidence", schema=None) as batch_op:
        batch_op.drop_index("ix_evidence_worker_at")
        batch_op.drop_index(
            "ix_evidence_popback_requests",
            sqlite_where=sa.text("kind = 'popback_request'"),
            postgresql_where=sa.text("kind = 'popback_request'"),
        )
        batch_op.drop_index(
            "ix_evidence_fix",
            sqlite_where=sa.text("latitude IS NOT NULL"),
            postgresql_where=sa.text("latitude IS NOT NULL"),
        )
        batch_op.drop_index("ix_evidence_device_sequence")
        batch_op.drop_index("ix_evidence_customer_at")

    op.drop_table("evidence")
    op.drop_table("device_progress")
    with op.batch_alter_table("deadlines", schema=None) as batch_op:
        batch_op.drop_index("ix_deadlines_open_due")

    op.drop_table("deadlines")
    op.drop_table("councils")
    op.drop_table("charges")
    with op.batch_alter_table("challenges", schema=None) as batch_op:
        batch_op.drop_index("ix_challenges_device")

    op.drop_table("challenges")
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_alerts_visit_id"))
        batch_op.drop_index(batch_op.f("ix_alerts_provider_id"))

    op.drop_table("alerts")
    forget_function()
