"""Who passed from one provider to another and when, the secret addresses of calendars, and what was exported by whom."""

from sqlalchemy import JSON, Boolean, Column, Date, ForeignKey, Index, Integer, String, Table, Text

from evm.store.tables.base import Id, Instant, metadata
from evm.store.tables.evidence import LogIndex

transfers = Table(
    "transfers",
    metadata,
    Column("transfer_id", Id, primary_key=True),
    Column("from_provider_id", Id, ForeignKey("providers.provider_id"), nullable=False),
    Column("to_provider_id", Id, ForeignKey("providers.provider_id"), nullable=False),
    Column("on_day", Date, nullable=False),  # the first local day that is the new provider's
    Column("locality_id", Id, ForeignKey("localities.locality_id")),
    Column("state", String(12), nullable=False),  # ordered, applied, cancelled
    Column("shows_history", Boolean, nullable=False),  # whether the new provider sees the visits before
    Column("revoke_on", Date, nullable=False),  # from this day the old credentials end
    Column("ordered_at", Instant, nullable=False),
    Column("ordered_by", Text, nullable=False),
    Column("applied_at", Instant),
    Column("cancelled_at", Instant),
    Column("revoked_at", Instant),
    Column("answer", JSON, nullable=False),  # what was said when it was applied
    Index("ix_transfers_state_day", "state", "on_day"),
)
provider_spells = Table(
    "provider_spells",
    metadata,
    Column("kind", String(10), primary_key=True),  # customer, worker
    Column("subject_id", Id, primary_key=True),
    Column("since", Date, primary_key=True),  # the first day; 1900-01-01: as long as anybody knows
    Column("until", Date),  # the first day after; None: still
    Column("provider_id", Id, ForeignKey("providers.provider_id"), nullable=False),
    Column("transfer_id", Id, ForeignKey("transfers.transfer_id")),  # that began it
    Index("ix_provider_spells_provider", "provider_id", "kind"),
    Index("ix_provider_spells_transfer", "transfer_id"),
)
transfer_devices = Table(
    "transfer_devices",
    metadata,
    Column("transfer_id", Id, ForeignKey("transfers.transfer_id"), primary_key=True),
    Column("device_id", Id, primary_key=True),  # of the old provider
    Column("new_device_id", Id, nullable=False),  # of the new one
)
calendar_addresses = Table(
    "calendar_addresses",
    metadata,
    Column("token_sha256", String(64), primary_key=True),  # the token itself is kept nowhere
    Column("kind", String(10), nullable=False),  # customer, worker
    Column("subject_id", Id, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("revoked_at", Instant),
    Index("ix_calendar_addresses_subject", "kind", "subject_id"),
)
exports_made = Table(
    "exports_made",
    metadata,
    Column("export_id", LogIndex, primary_key=True, autoincrement=True),
    Column("at", Instant, nullable=False),
    Column("who", Text, nullable=False),
    Column("name", String(40), nullable=False),
    Column("asked", JSON, nullable=False),  # days and scope
    Column("rows", Integer, nullable=False),
)
