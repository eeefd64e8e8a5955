"""Other systems' names for our people, their claim files and visit feeds as they came, how a provider is monitored, and the history of its
shadow mode. Not the invoices (tables/money.py) and not the evidence (tables/evidence.py)."""

from sqlalchemy import JSON, BigInteger, Column, Date, ForeignKey, Index, Integer, String, Table, Text

from evm.store.tables.base import Id, Instant, metadata
from evm.store.tables.evidence import LogIndex

external_refs = Table(
    "external_refs",
    metadata,
    Column("owner_id", Id, primary_key=True),  # the council or provider whose system it is
    Column("system", Id, primary_key=True),
    Column("kind", String(16), primary_key=True),  # provider, customer, worker
    Column("ref", String(80), primary_key=True),
    Column("our_id", Id, nullable=False),
    Column("stated_at", Instant, nullable=False),
)
worker_persons = Table(  # one row a worker whose person is known: the same digest at two providers is one human being
    "worker_persons",
    metadata,
    Column("worker_id", Id, primary_key=True),
    Column("person_sha256", String(64), nullable=False, index=True),
    Column("stated_at", Instant, nullable=False),
)
claim_files = Table(
    "claim_files",
    metadata,
    Column("council_id", Id, ForeignKey("councils.council_id"), primary_key=True),
    Column("reference", String(40), primary_key=True),
    Column("provider_id", Id, ForeignKey("providers.provider_id"), primary_key=True),
    Column("invoice_id", Id, nullable=False, unique=True),
    Column("file_sha256", String(64), nullable=False),
    Column("layout", String(64), nullable=False),
    Column("received_at", Instant, nullable=False),
)
claim_rows = Table(
    "claim_rows",
    metadata,
    Column("invoice_id", Id, primary_key=True),
    Column("row", Integer, primary_key=True),  # the line of the file; the header is 1
    Column("week_ending", Date),
    Column("customer_id", Id, nullable=False),
    Column("visit_id", Id),
    Column("start_at", Instant, nullable=False),
    Column("minutes", Integer, nullable=False),
    Column("pence", BigInteger, nullable=False),
    Column("is_secondary", Integer, nullable=False),  # 1: the second worker of a double-up
    Column("workers", Integer, nullable=False),
    Column("columns", JSON, nullable=False),  # everything the file said in this row, unknown columns too
    Index("ix_claim_rows_start", "invoice_id", "customer_id", "start_at"),
)
vendor_feeds = Table(
    "vendor_feeds",
    metadata,
    Column("provider_id", Id, ForeignKey("providers.provider_id"), primary_key=True),
    Column("vendor", Id, primary_key=True),
    Column("first_received_at", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("covered_until", Instant, nullable=False),  # what happened before this is in a file that came
)
provider_monitoring = Table(
    "provider_monitoring",
    metadata,
    Column("entry_id", LogIndex, primary_key=True, autoincrement=True),
    Column("provider_id", Id, ForeignKey("providers.provider_id"), nullable=False, index=True),
    Column("kind", String(8), nullable=False),  # live, feed
    Column("why", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("set_at", Instant, nullable=False),
)
shadow_terms = Table(
    "shadow_terms",
    metadata,
    Column("entry_id", LogIndex, primary_key=True, autoincrement=True),
    Column("council_id", Id, ForeignKey("councils.council_id"), nullable=False),
    Column("provider_id", Id, ForeignKey("providers.provider_id"), nullable=False),
    Column("shadow_until", Date),  # care days before it hold no money; None: no shadow mode
    Column("before", Date),  # what stood until then
    Column("why", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("set_at", Instant, nullable=False),
    Index("ix_shadow_terms_pair", "council_id", "provider_id", "entry_id"),
)
