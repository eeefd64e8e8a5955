"""Files taken in: what, when, by whom, and what they changed; and the task plans whose visits have yet to follow."""

from sqlalchemy import Column, Date, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from evm.store.tables.base import Id, Instant, metadata

imports = Table(
    "imports",
    metadata,
    Column("import_id", Integer, primary_key=True, autoincrement=True),
    Column("kind", String(32), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("file_name", Text, nullable=False),
    Column("layout", String(40), nullable=False),
    Column("provider_id", Id),  # the file was of this provider only; None: of nobody in particular
    Column("council_id", Id),
    Column("imported_at", Instant, nullable=False),
    Column("imported_by", Text, nullable=False),
    Column("exported_at", Instant),  # when it was made where it comes from, if that was said
    Column("rows_read", Integer, nullable=False),
    Column("rows_new", Integer, nullable=False),
    Column("rows_changed", Integer, nullable=False),
    Column("rows_same", Integer, nullable=False),
    UniqueConstraint("kind", "sha256"),
    Index("ix_imports_imported_at", "imported_at"),
)
plans_to_follow = Table(
    "plans_to_follow",
    metadata,
    Column("customer_id", Id, ForeignKey("customers.customer_id"), primary_key=True),
    Column("since_day", Date, nullable=False),  # planned visits from this local day on follow the task plans anew
    Column("queued_at", Instant, nullable=False),
)
plan_horizons = Table(
    "plan_horizons",
    metadata,
    Column("customer_id", Id, ForeignKey("customers.customer_id"), primary_key=True),
    Column("until_day", Date, nullable=False, index=True),  # the task plan is unrolled before this day
)
