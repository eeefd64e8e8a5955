"""The evidence log and what ingest keeps beside it. `evidence`, `evidence_keys` and `quarantine` are append-only by database trigger.

On PostgreSQL `evidence` is partitioned by month of `received_at`, which is therefore part of its primary key there (migration 0003)."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    Float,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    text,
)

from evm.store.tables.base import Id, Instant, metadata

LogIndex = BigInteger().with_variant(Integer, "sqlite")

evidence = Table(
    "evidence",
    metadata,
    Column("log_index", LogIndex, primary_key=True, autoincrement=True),
    Column("received_at", Instant, nullable=False),
    Column("payload", LargeBinary, nullable=False),  # the exact bytes
    Column("sha256", String(64), nullable=False),
    Column("verdict", String(16), nullable=False),  # stored, conflict
    Column("source", String(8), nullable=False),
    Column("device_type", String(32), nullable=False),
    Column("provider_id", Id, nullable=False),
    Column("device_id", Id, nullable=False),
    Column("event_id", String(36), nullable=False),
    Column("sequence", BigInteger),
    Column("previous", String(64)),
    Column("kind", String(20), nullable=False),
    Column("at", Instant, nullable=False),
    Column("method", String(16), nullable=False),
    Column("grade_time", String(1), nullable=False),
    Column("grade_place", String(1), nullable=False),
    Column("worker_id", Id),
    Column("customer_id", Id),
    Column("visit_id", Id),
    Column("latitude", Float),
    Column("longitude", Float),
    Column("accuracy_m", Float),
    Column("mock", Boolean),
    Column("body", JSON, nullable=False),  # tasks, words, amendment, pop-back: what is not a column
    Column("flags", JSON, nullable=False),
    Column("waits", Boolean, nullable=False),
    Index("ix_evidence_customer_at", "customer_id", "at"),
    Index("ix_evidence_worker_at", "worker_id", "at"),
    Index("ix_evidence_device_sequence", "provider_id", "device_id", "sequence"),
    Index(
        "ix_evidence_fix",
        "latitude",
        "worker_id",
        sqlite_where=text("latitude IS NOT NULL"),
        postgresql_where=text("latitude IS NOT NULL"),
    ),
    Index(
        "ix_evidence_popback_requests",  # few among many: the standing job asks for them every second
        "kind",  # an equality: whatever else is indexed, this is searched and the log is not scanned
        "log_index",
        sqlite_where=text("kind = 'popback_request'"),
        postgresql_where=text("kind = 'popback_request'"),
    ),
)
# What keeps an event single: no unique key of the log itself can, whose months are tables of their own.
evidence_keys = Table(
    "evidence_keys",
    metadata,
    Column("event_id", String(36), primary_key=True),
    Column("device_id", Id, primary_key=True),
    Column("provider_id", Id, primary_key=True),
    Column("sha256", String(64), primary_key=True),
    Column("log_index", LogIndex, nullable=False),
    Column("received_at", Instant, nullable=False),  # names the month
    sqlite_with_rowid=False,
)
quarantine = Table(
    "quarantine",
    metadata,
    Column("log_index", LogIndex, primary_key=True, autoincrement=True),
    Column("received_at", Instant, nullable=False),
    Column("topic", Text, nullable=False),
    Column("message", LargeBinary, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("provider_id", Id, index=True),
    Column("device_id", Id),
    Column("reason", String(16), nullable=False),
    Column("words", Text, nullable=False),
    Column("security", Boolean, nullable=False),
    Column("sequence", BigInteger),  # of an event its device will never send again
    Index(
        "ix_quarantine_device_sequence",
        "provider_id",
        "device_id",
        "sequence",
        sqlite_where=text("sequence IS NOT NULL"),
        postgresql_where=text("sequence IS NOT NULL"),
    ),
)
challenges = Table(
    "challenges",
    metadata,
    Column("challenge", String(64), primary_key=True),
    Column("provider_id", Id, nullable=False),
    Column("device_id", Id, nullable=False),
    Column("issued_at", Instant, nullable=False),
    Index("ix_challenges_device", "provider_id", "device_id", "issued_at"),
)
device_progress = Table(
    "device_progress",
    metadata,
    Column("provider_id", Id, primary_key=True),
    Column("device_id", Id, primary_key=True),
    Column("contiguous_sequence", BigInteger, nullable=False),  # everything up to here is stored
    Column("highest_sequence", BigInteger, nullable=False),
    Column("last_received_at", Instant, nullable=False),
    Column("offset_seconds", Float),  # the phone's wall clock less ours, last time an event came live
    Column("status", String(16)),
    Column("worker_id", Id),  # who used the device first on the newest day an event of it is of
    Column("worker_day", Date),
    Column("epoch", String(32)),  # of the log, that the device last said it knows of (tables/epochs.py)
)
watermarks = Table(
    "watermarks",
    metadata,
    Column("provider_id", Id, primary_key=True),
    Column("channel", String(16), primary_key=True),  # mqtt, http, telephony, import
    Column("newest_at", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
)
reconcile_queue = Table(
    "reconcile_queue",
    metadata,
    Column("queue_id", LogIndex, primary_key=True, autoincrement=True),
    Column("customer_id", Id, nullable=False),
    Column("care_day", Date, nullable=False),
    Column("queued_at", Instant, nullable=False),
    Index("ix_reconcile_queue_customer_day", "customer_id", "care_day"),
)
