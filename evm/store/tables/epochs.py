"""Epochs of the evidence log: a restore opens the next. The first one, from the beginning, has no row."""

from sqlalchemy import BigInteger, Column, Integer, String, Table

from evm.store.tables.base import Instant, metadata

log_epochs = Table(
    "log_epochs",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),  # 2, 3, …
    Column("name", String(32), nullable=False, unique=True),  # what receipts carry: two restores of one backup differ
    Column("opened_at", Instant, nullable=False),
    Column("last_index", BigInteger, nullable=False),  # the log's newest row when it opened; 0: none
    Column("digest", String(64), nullable=False),  # of every row up to there (evm.store.epochs.log_digest)
)
