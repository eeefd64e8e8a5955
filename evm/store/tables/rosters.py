"""Rosters, draft and published, whole as they were solved. Which worker is on which visit once published: plans.planned_slots."""

from sqlalchemy import JSON, Column, Date, ForeignKey, Index, Integer, String, Table

from evm.store.tables.base import Id, Instant, metadata

rosters = Table(
    "rosters",
    metadata,
    Column("roster_id", Id, primary_key=True),
    Column("locality_id", Id, ForeignKey("localities.locality_id"), nullable=False),
    Column("provider_id", Id, ForeignKey("providers.provider_id"), nullable=False),
    Column("day", Date, nullable=False),
    Column("state", String(12), nullable=False),  # draft, published, superseded
    Column("version", Integer, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("published_at", Instant),
    Column("published_by", String(80)),
    Column("input_sha256", String(64), nullable=False),
    Column("unfilled", Integer, nullable=False),
    Column("violations", Integer, nullable=False),
    Column("travel_seconds", Integer, nullable=False),
    Column("body", JSON, nullable=False),  # runs, unfilled with reasons, score
    Index("ix_rosters_locality_day", "locality_id", "day", "state"),
)
