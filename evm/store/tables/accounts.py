"""Who may sign in to the site, and the sessions they hold (opaque, revocable, only their hash is kept)."""

from sqlalchemy import Column, ForeignKey, Integer, String, Table, Text

from evm.store.tables.base import Id, Instant, metadata

accounts = Table(
    "accounts",
    metadata,
    Column("account_id", Id, primary_key=True),
    Column("email", String(254), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("role", String(20), nullable=False),  # worker, branch, commissioner, safeguarding, admin
    Column("council_id", Id, ForeignKey("councils.council_id")),
    Column("provider_id", Id, ForeignKey("providers.provider_id")),
    Column("locality_id", Id, ForeignKey("localities.locality_id")),
    Column("worker_id", Id, ForeignKey("care_workers.worker_id")),
    Column("password_hash", Text, nullable=False),
    Column("failed_sign_ins", Integer, nullable=False),
    Column("locked_until", Instant),
)
sessions = Table(
    "sessions",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("account_id", Id, ForeignKey("accounts.account_id"), nullable=False, index=True),
    Column("csrf_token", String(64), nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
)
