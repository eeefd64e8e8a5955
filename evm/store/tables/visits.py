"""Visits as reconciled, every version kept. The newest version is the visit; `is_newest` marks it for reading."""

from sqlalchemy import JSON, Boolean, Column, Date, Index, Integer, String, Table, Text

from evm.store.tables.base import Id, Instant, metadata

visits = Table(
    "visits",
    metadata,
    Column("visit_key", String(80), primary_key=True),  # the planned visit's id, or "unplanned:" + attendance id
    Column("version", Integer, primary_key=True),
    Column("is_newest", Boolean, nullable=False),
    Column("reconciled_at", Instant, nullable=False),
    Column("visit_id", Id),
    Column("customer_id", Id, nullable=False),
    Column("provider_id", Id, nullable=False),
    Column("care_day", Date, nullable=False),
    Column("planned_start_at", Instant),
    Column("outcome", String(24), nullable=False),
    Column("minutes", Integer, nullable=False),  # evidenced, summed over slots
    Column("body", JSON, nullable=False),  # the whole Visit
    Index("ix_visits_customer_day", "customer_id", "care_day"),
    Index("ix_visits_provider_day", "provider_id", "care_day"),
    Index("ix_visits_care_day", "care_day", "is_newest"),
)
worker_flags = Table(
    "worker_flags",
    metadata,
    Column("flag_id", Integer, primary_key=True, autoincrement=True),
    Column("code", String(40), nullable=False),
    Column("provider_id", Id, nullable=False, index=True),
    Column("worker_id", Id, nullable=False, index=True),
    Column("care_day", Date),  # set for cramming built into one day's roster
    Column("period_since", Date, nullable=False),
    Column("period_until", Date, nullable=False),
    Column("found_at", Instant, nullable=False),
    Column("words", Text, nullable=False),
    Column("body", JSON, nullable=False),  # the sentences, the visits, the test's numbers
    Column("reply", Text),
)
