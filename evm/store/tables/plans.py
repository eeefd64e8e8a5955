"""Support plans, task plans, planned visits with their slots, absences and pop-back requests."""

from sqlalchemy import JSON, Boolean, Column, Date, ForeignKey, Index, Integer, String, Table, Text

from evm.store.tables.base import Id, Instant, metadata

support_plans = Table(
    "support_plans",
    metadata,
    Column("customer_id", Id, ForeignKey("customers.customer_id"), primary_key=True),
    Column("effective_from", Date, primary_key=True),
    Column("outcomes", JSON, nullable=False),
    Column("budget_week_pence", Integer, nullable=False),
    Column("commissioned_minutes_week", Integer, nullable=False),
)
task_plans = Table(
    "task_plans",
    metadata,
    Column("customer_id", Id, ForeignKey("customers.customer_id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("effective_from", Date, nullable=False),
    Column("patterns", JSON, nullable=False),
)
planned_visits = Table(
    "planned_visits",
    metadata,
    Column("visit_id", Id, primary_key=True),
    Column("customer_id", Id, ForeignKey("customers.customer_id"), nullable=False),
    Column("provider_id", Id, ForeignKey("providers.provider_id"), nullable=False),
    Column("locality_id", Id, ForeignKey("localities.locality_id"), nullable=False),
    Column("care_day", Date, nullable=False),  # local date of the planned start
    Column("start_at", Instant, nullable=False),
    Column("minutes", Integer, nullable=False),
    Column("workers_needed", Integer, nullable=False),
    Column("risk", String(16), nullable=False),
    Column("tasks", JSON, nullable=False),
    Column("skills_required", JSON, nullable=False),
    Column("flexible_minutes", Integer, nullable=False),
    Column("task_plan_version", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("popback", Boolean, nullable=False),
    Column("cancelled_at", Instant),
    Column("cancelled_by", String(16)),
    Column("cancelled_reason", Text),
    Index("ix_planned_visits_customer_day", "customer_id", "care_day"),
    Index("ix_planned_visits_provider_day", "provider_id", "care_day"),
    Index("ix_planned_visits_locality_day", "locality_id", "care_day"),
)
planned_slots = Table(
    "planned_slots",
    metadata,
    Column("visit_id", Id, ForeignKey("planned_visits.visit_id"), primary_key=True),
    Column("slot", Integer, primary_key=True),
    Column("worker_id", Id, ForeignKey("care_workers.worker_id"), index=True),
)
absences = Table(
    "absences",
    metadata,
    Column("absence_id", Integer, primary_key=True, autoincrement=True),
    Column("customer_id", Id, ForeignKey("customers.customer_id"), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("since", Instant, nullable=False),
    Column("until", Instant),
)
popback_requests = Table(
    "popback_requests",
    metadata,
    Column("request_id", Id, primary_key=True),
    Column("customer_id", Id, ForeignKey("customers.customer_id"), nullable=False, index=True),
    Column("asked_at", Instant, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("wanted_at", Instant, nullable=False),
    Column("minutes", Integer, nullable=False),
    Column("workers_needed", Integer, nullable=False),
    Column("state", String(16), nullable=False),  # asked, promised, refused, kept
    Column("visit_id", Id, ForeignKey("planned_visits.visit_id")),
    Column("answer", Text),
    Column("alternatives", JSON, nullable=False),
)
