"""Imports evidence in bulk: days that happened before popback, or another vendor's feed. Not receipts, and it queues nothing:
the caller reconciles the days it imported."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from evm.domain.evidence import Evidence, Source
from evm.store import evidence as log
from evm.store import ingest_state
from evm.store.evidence import NewRow
from evm.store.ingest_state import Watermark

IMPORT = "import"
ROWS_A_STATEMENT = 5000


def import_evidence(session: Session, *, rows: Sequence[Evidence], payloads: Sequence[bytes], now: datetime) -> int:
    """Append `rows` as imported evidence, each with the exact bytes it came from, in log order. Answers how many.

    They keep their grades and receipt times, and are never mistaken for our own devices'. An event that stands already is an
    IntegrityError: an import is all or nothing."""
    appended = 0
    for start in range(0, len(rows), ROWS_A_STATEMENT):
        some = rows[start : start + ROWS_A_STATEMENT]
        new = [
            NewRow(evidence=_imported(e), payload=payload, device_type=IMPORT)
            for e, payload in zip(some, payloads[start : start + ROWS_A_STATEMENT], strict=True)
        ]
        appended += log.append_many(session, rows=new)
    newest: dict[str, Evidence] = {}
    for e in rows:
        if e.provider not in newest or e.at > newest[e.provider].at:
            newest[e.provider] = e
    marks = [
        Watermark(provider=e.provider, channel=IMPORT, newest_at=min(e.at, now), received_at=now)
        for e in newest.values()
    ]
    ingest_state.raise_watermarks(session, marks=marks)
    return appended


def _imported(e: Evidence) -> Evidence:
    return e if e.source is Source.IMPORT else replace(e, source=Source.IMPORT)
