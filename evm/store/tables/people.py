"""Councils, providers, branches, localities, customers, care workers and their devices."""

from sqlalchemy import JSON, Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from evm.store.tables.base import Id, Instant, metadata

councils = Table("councils", metadata, Column("council_id", Id, primary_key=True), Column("name", Text, nullable=False))
providers = Table(
    "providers", metadata, Column("provider_id", Id, primary_key=True), Column("name", Text, nullable=False)
)
branches = Table(
    "branches",
    metadata,
    Column("branch_id", Id, primary_key=True),
    Column("provider_id", Id, ForeignKey("providers.provider_id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("phone", String(20), nullable=False),
)
localities = Table(
    "localities",
    metadata,
    Column("locality_id", Id, primary_key=True),
    Column("council_id", Id, ForeignKey("councils.council_id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("outward_codes", JSON, nullable=False),
)
customers = Table(
    "customers",
    metadata,
    Column("customer_id", Id, primary_key=True),
    Column("provider_id", Id, ForeignKey("providers.provider_id"), nullable=False, index=True),
    Column("locality_id", Id, ForeignKey("localities.locality_id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("postcode", String(10), nullable=False),
    Column("latitude", Float, nullable=False),
    Column("longitude", Float, nullable=False),
    Column("radius_m", Float, nullable=False),
    Column("phone", String(20)),
    Column("next_of_kin_name", Text),
    Column("next_of_kin_phone", String(20)),
    Column("landline_code", String(8)),
    Column("gender_required", String(10)),
    Column("language_required", String(10)),
    Column("workers_excluded", JSON, nullable=False),
    Column("workers_preferred", JSON, nullable=False),
    Column("nhs_number", String(10), index=True),
)
customer_landlines = Table(
    "customer_landlines",
    metadata,
    Column("customer_id", Id, ForeignKey("customers.customer_id"), primary_key=True),
    Column("line", String(20), primary_key=True, index=True),
)
customer_tags = Table(
    "customer_tags",
    metadata,
    Column("tag", String(64), primary_key=True),
    Column("customer_id", Id, ForeignKey("customers.customer_id"), nullable=False, index=True),
)
care_workers = Table(
    "care_workers",
    metadata,
    Column("worker_id", Id, primary_key=True),
    Column("provider_id", Id, ForeignKey("providers.provider_id"), nullable=False, index=True),
    Column("locality_id", Id, ForeignKey("localities.locality_id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("latitude", Float, nullable=False),
    Column("longitude", Float, nullable=False),
    Column("gender", String(10), nullable=False),
    Column("phone", String(20), index=True),
    Column("mode", String(10), nullable=False),
    Column("languages", JSON, nullable=False),
    Column("skills", JSON, nullable=False),
    Column("shifts", JSON, nullable=False),
    Column("leave", JSON, nullable=False),
    Column("dialled_number", String(20), index=True),
    Column("pin", String(12)),
    Column("hours_day_max", Integer, nullable=False),
    Column("hours_week_max", Integer, nullable=False),
    Column("training", JSON),  # skills with their last day
    UniqueConstraint("provider_id", "pin"),
)
devices = Table(
    "devices",
    metadata,
    Column("provider_id", Id, ForeignKey("providers.provider_id"), primary_key=True),
    Column("device_id", Id, primary_key=True),
    Column("device_type", String(32), nullable=False),
    Column("worker_id", Id, ForeignKey("care_workers.worker_id")),
    Column(
        "password_hash", Text, nullable=False
    ),  # Mosquitto's own PBKDF2-SHA512 form "$7$…": one hash serves both brokers
    Column("enrolled_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    Column("signed", Boolean, nullable=False, default=False),
    Index("ix_devices_worker_id", "worker_id"),
)
