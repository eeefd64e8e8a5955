"""Deadlines, the alerts they become, what people did about them, and the outbox of things to be told or sent."""

from sqlalchemy import JSON, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from evm.store.tables.base import Id, Instant, metadata
from evm.store.tables.evidence import LogIndex

deadlines = Table(
    "deadlines",
    metadata,
    Column("deadline_id", LogIndex, primary_key=True, autoincrement=True),
    Column("visit_id", Id, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("slot", Integer, nullable=False),
    Column("stage", String(16), nullable=False),  # warn, page, missed, check_out
    Column("due_at", Instant, nullable=False),
    Column("judged_at", Instant),  # None: still open
    Column("verdict", String(16)),  # met, alerted, void
    UniqueConstraint("visit_id", "revision", "slot", "stage"),
    Index("ix_deadlines_open_due", "judged_at", "due_at"),
)
alerts = Table(
    "alerts",
    metadata,
    Column("alert_id", LogIndex, primary_key=True, autoincrement=True),
    Column(
        "kind", String(24), nullable=False
    ),  # missed visit, overdue check-out, assistance, no reply, refused medicine, blind
    Column("key", String(160), nullable=False, unique=True),
    Column("provider_id", Id, nullable=False, index=True),
    Column("customer_id", Id),
    Column("worker_id", Id),
    Column("visit_id", Id, index=True),
    Column("revision", Integer),
    Column("slot", Integer),
    Column("stage", String(16)),
    Column("risk", String(16), nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("raised_at", Instant, nullable=False),
    Column("detected_late", Boolean, nullable=False),
    Column("words", Text, nullable=False),
    Column("state", String(16), nullable=False),  # open, acknowledged, closed
    Column("reclassified", String(16)),  # "on time", "late": what later evidence says; a person closes
    Column("outcome", Text),
)
alert_history = Table(
    "alert_history",
    metadata,
    Column("entry_id", LogIndex, primary_key=True, autoincrement=True),
    Column("alert_id", LogIndex, ForeignKey("alerts.alert_id"), nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("who", Text, nullable=False),
    Column("act", String(24), nullable=False),  # raised, told, acknowledged, noted, reclassified, closed
    Column("words", Text, nullable=False),
)
outbox = Table(
    "outbox",
    metadata,
    Column("outbox_id", LogIndex, primary_key=True, autoincrement=True),
    Column("channel", String(16), nullable=False),  # notify: told to people; down: sent to phones
    Column("key", String(160), nullable=False, unique=True),
    Column("address", Text, nullable=False),
    Column("body", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("sent_at", Instant),
    Column("attempts", Integer, nullable=False),
    Column("claimed_until", Instant),  # until then one sender has it in hand, or it is put off after a failure
    Index("ix_outbox_unsent", "channel", "sent_at"),
)
