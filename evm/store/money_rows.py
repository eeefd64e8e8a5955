"""Money as database rows and back: charges, invoices, lines, verdicts. Not the statements (evm.store.money)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping

from evm.domain.billing.invoice import ClaimLine, InvoiceClaim, LineVerdict, Reason, Verdict
from evm.domain.ids import AgreementId, CouncilId, CustomerId, ProviderId, VisitId, WorkerId


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeRow:
    """One stored charge: `line` counts the charges of a visit version's slot from 0; their pence add up to the slot's."""

    visit_key: str
    visit_version: int
    slot: int
    line: int
    agreement_id: AgreementId
    agreement_version: int
    minutes: int
    pence: int
    rule: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredInvoice:
    """An invoice's heading. `period_until` of the claim is the first day after; `claim.lines` are filled by `invoice_claim` only."""

    invoice_id: str
    claim: InvoiceClaim
    received_at: datetime
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedLine:
    """A claim line with its newest verdict and that verdict's version; None until it is judged."""

    line: ClaimLine
    version: int | None
    verdict: LineVerdict | None
    judged_at: datetime | None


def charge_values(charge: ChargeRow) -> dict[str, Any]:
    """A charge as its row."""
    return {
        "visit_key": charge.visit_key,
        "visit_version": charge.visit_version,
        "slot": charge.slot,
        "line": charge.line,
        "agreement_id": charge.agreement_id,
        "agreement_version": charge.agreement_version,
        "minutes": charge.minutes,
        "pence": charge.pence,
        "rule": charge.rule,
        "words": charge.words,
    }


def line_values(invoice_id: str, line: ClaimLine) -> dict[str, Any]:
    """A claim line as its row."""
    return {
        "invoice_id": invoice_id,
        "line_no": line.line_no,
        "visit_id": line.visit,
        "slot": line.slot,
        "customer_id": line.customer,
        "worker_id": line.worker,
        "start_at": line.start,
        "minutes_claimed": line.minutes_claimed,
        "pence_claimed": line.pence_claimed,
    }


def line_of(row: RowMapping) -> ClaimLine:
    """The claim line of a row."""
    return ClaimLine(
        line_no=row["line_no"],
        visit=None if row["visit_id"] is None else VisitId(row["visit_id"]),
        slot=row["slot"],
        customer=CustomerId(row["customer_id"]),
        worker=None if row["worker_id"] is None else WorkerId(row["worker_id"]),
        start=row["start_at"],
        minutes_claimed=row["minutes_claimed"],
        pence_claimed=row["pence_claimed"],
    )


def heading_of(row: RowMapping, *, lines: tuple[ClaimLine, ...]) -> StoredInvoice:
    """The invoice of a row, with the lines given."""
    claim = InvoiceClaim(
        provider=ProviderId(row["provider_id"]),
        council=CouncilId(row["council_id"]),
        number=row["number"],
        period_since=row["period_since"],
        period_until=row["period_until"],
        claimed_pence=row["claimed_pence"],
        lines=lines,
    )
    return StoredInvoice(invoice_id=row["invoice_id"], claim=claim, received_at=row["received_at"], state=row["state"])


def verdict_values(invoice_id: str, version: int, verdict: LineVerdict, now: datetime) -> dict[str, Any]:
    """A verdict as its row."""
    return {
        "invoice_id": invoice_id,
        "line_no": verdict.line_no,
        "version": version,
        "judged_at": now,
        "verdict": verdict.verdict.value,
        "payable_pence": verdict.payable_pence,
        "reduced_pence": verdict.reduced_pence,
        "withheld_pence": verdict.withheld_pence,
        "disallowed_pence": verdict.disallowed_pence,
        "shadow_pence": verdict.shadow_pence,
        "minutes_evidenced": verdict.minutes_evidenced,
        "reason": verdict.reason.value,
        "words": verdict.words,
        "visit_version": verdict.visit_version,
        "evidence": verdict.evidence,
    }


def verdict_of(row: RowMapping) -> LineVerdict:
    """The verdict of a row that also carries its line's `pence_claimed`."""
    return LineVerdict(
        line_no=row["line_no"],
        verdict=Verdict(row["verdict"]),
        reason=Reason(row["reason"]),
        words=row["words"],
        claimed_pence=row["pence_claimed"],
        payable_pence=row["payable_pence"],
        reduced_pence=row["reduced_pence"],
        withheld_pence=row["withheld_pence"],
        disallowed_pence=row["disallowed_pence"],
        shadow_pence=row["shadow_pence"],
        minutes_evidenced=row["minutes_evidenced"],
        visit_version=row["visit_version"],
        evidence=tuple(row["evidence"]),
    )


def judged_of(row: RowMapping) -> JudgedLine:
    """The line of a row with its verdict, if the row has one."""
    judged = row["verdict"] is not None
    return JudgedLine(
        line=line_of(row),
        version=row["version"],
        verdict=verdict_of(row) if judged else None,
        judged_at=row["judged_at"],
    )
