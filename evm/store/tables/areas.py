"""Postcodes, polygons of localities, provider contracts, and files uploaded to be taken in. Not localities themselves (people)."""

from sqlalchemy import JSON, Boolean, Column, Date, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from evm.store.tables.base import Id, Instant, metadata

postcodes = Table(
    "postcodes",
    metadata,
    Column("postcode", String(7), primary_key=True),  # without its blank, in capitals
    Column("outward", String(4), nullable=False, index=True),
    Column("latitude_e6", Integer),  # WGS 84, millionths of a degree; None: no position is known
    Column("longitude_e6", Integer),
    Column("terminated_month", Integer),  # 202403: no longer in use since then
    sqlite_with_rowid=False,
)
postcode_files = Table(
    "postcode_files",
    metadata,
    Column("sha256", String(64), primary_key=True),  # of the file and of what was asked to be read of it
    Column("file_name", Text, nullable=False),
    Column("format", String(12), nullable=False),  # onspd, codepoint
    Column("rows_taken", Integer, nullable=False),
    Column("loaded_at", Instant, nullable=False),
)
locality_polygons = Table(
    "locality_polygons",
    metadata,
    Column("locality_id", Id, ForeignKey("localities.locality_id"), primary_key=True),
    Column("geometry", JSON, nullable=False),  # GeoJSON Polygon or MultiPolygon, WGS 84
    Column("sha256", String(64), nullable=False),
    Column("set_at", Instant, nullable=False),
)
provider_contracts = Table(
    "provider_contracts",
    metadata,
    Column("contract_id", Id, primary_key=True),
    Column("council_id", Id, ForeignKey("councils.council_id"), nullable=False, index=True),
    Column("provider_id", Id, ForeignKey("providers.provider_id"), nullable=False, index=True),
    Column("locality_id", Id, ForeignKey("localities.locality_id"), nullable=False, index=True),
    Column("since", Date, nullable=False),
    Column("until", Date),  # the first day after; None: open
    Column("exclusive", Boolean, nullable=False),
)
import_uploads = Table(
    "import_uploads",
    metadata,
    Column("upload_id", String(32), primary_key=True),
    Column("account_id", Id, ForeignKey("accounts.account_id"), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("layout", String(64), nullable=False),
    Column("provider_id", Id),
    Column("council_id", Id),
    Column("exported_at", Instant),
    Column("file_name", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size_bytes", Integer, nullable=False),
    Column("content", LargeBinary),  # None once it is taken in, refused or expired
    Column("state", String(16), nullable=False),  # checking, checked, taking, taken, refused, stopped, expired
    Column("worker", String(32), nullable=False),  # the process that works on it
    Column("rows_done", Integer, nullable=False),
    Column("rows_total", Integer, nullable=False),
    Column("report", JSON),
    Column("words", Text),
    Column("created_at", Instant, nullable=False),
    Column("beat_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Index("ix_import_uploads_expires", "expires_at"),
)
