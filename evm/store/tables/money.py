"""Agreements, charges, invoices with their lines, verdicts and releases. Amounts are integer pence; verdicts are appended, never edited."""

from sqlalchemy import JSON, BigInteger, Column, Date, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from evm.store.tables.base import Id, Instant, metadata
from evm.store.tables.evidence import LogIndex

agreements = Table(
    "agreements",
    metadata,
    Column("agreement_id", Id, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("council_id", Id, ForeignKey("councils.council_id"), nullable=False),
    Column("provider_id", Id, ForeignKey("providers.provider_id"), nullable=False),
    Column("effective_from", Date, nullable=False),
    Column("terms", JSON, nullable=False),
)
charges = Table(
    "charges",
    metadata,
    Column("visit_key", String(80), primary_key=True),
    Column("visit_version", Integer, primary_key=True),
    Column("slot", Integer, primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("agreement_id", Id, nullable=False),
    Column("agreement_version", Integer, nullable=False),
    Column("minutes", Integer, nullable=False),
    Column("pence", BigInteger, nullable=False),
    Column("rule", String(40), nullable=False),
    Column("words", Text, nullable=False),
)
invoices = Table(
    "invoices",
    metadata,
    Column("invoice_id", Id, primary_key=True),
    Column("provider_id", Id, ForeignKey("providers.provider_id"), nullable=False),
    Column("council_id", Id, ForeignKey("councils.council_id"), nullable=False),
    Column("number", String(40), nullable=False),
    Column("period_since", Date, nullable=False),
    Column("period_until", Date, nullable=False),  # first day after
    Column("claimed_pence", BigInteger, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("state", String(16), nullable=False),  # received, judged, approved
    Column("judged_at", Instant),  # last; a visit reconciled since then has not been looked at
    UniqueConstraint("provider_id", "number"),
)
invoice_lines = Table(
    "invoice_lines",
    metadata,
    Column("invoice_id", Id, ForeignKey("invoices.invoice_id"), primary_key=True),
    Column("line_no", Integer, primary_key=True),
    Column("visit_id", Id),
    Column("slot", Integer, nullable=False),
    Column("customer_id", Id, nullable=False),
    Column("worker_id", Id),
    Column("start_at", Instant, nullable=False),
    Column("minutes_claimed", Integer, nullable=False),
    Column("pence_claimed", BigInteger, nullable=False),
    Column(
        "meant_visit_id", Id
    ),  # of a line that names no visit: the planned visit it was found to mean when last judged
    Column("claim_row", Integer),  # the row of the claim file it came from (claim_rows)
    Index("ix_invoice_lines_visit", "visit_id", "slot"),
    Index("ix_invoice_lines_meant", "meant_visit_id", "slot"),
)
line_verdicts = Table(
    "line_verdicts",
    metadata,
    Column("verdict_id", LogIndex, primary_key=True, autoincrement=True),
    Column("invoice_id", Id, nullable=False),
    Column("line_no", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("judged_at", Instant, nullable=False),
    Column("verdict", String(12), nullable=False),  # pay, reduce, withhold, query, disallow
    Column("payable_pence", BigInteger, nullable=False),
    Column("reduced_pence", BigInteger, nullable=False),
    Column("withheld_pence", BigInteger, nullable=False),
    Column("disallowed_pence", BigInteger, nullable=False),
    Column("shadow_pence", BigInteger, nullable=False),  # paid only because the council's shadow mode still runs
    Column("minutes_evidenced", Integer, nullable=False),
    Column("reason", String(40), nullable=False),
    Column("words", Text, nullable=False),
    Column("visit_version", Integer),  # of the visit this verdict rests on; None: no visit known
    Column("evidence", JSON, nullable=False),  # event ids it rests on
    UniqueConstraint("invoice_id", "line_no", "version"),
)
