"""A provider's invoice as it was claimed, and the verdict each of its lines gets. Not how the verdict is reached (judge.py, checks.py)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from evm.domain.ids import CouncilId, CustomerId, ProviderId, VisitId, WorkerId


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimLine:
    """One slot of one visit as claimed: whole minutes and integer pence. `visit` None: the provider names only customer and start."""

    line_no: int
    visit: VisitId | None
    slot: int
    customer: CustomerId
    worker: WorkerId | None
    start: datetime
    minutes_claimed: int
    pence_claimed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceClaim:
    """One invoice for the local days `[period_since, period_until)`. `claimed_pence` is the total the provider wrote on it."""

    provider: ProviderId
    council: CouncilId
    number: str
    period_since: date
    period_until: date
    claimed_pence: int
    lines: tuple[ClaimLine, ...]


class Verdict(StrEnum):
    """What becomes of a line (rules.md, Invoices and withholding). `QUERY` counts as withheld: a person must decide."""

    PAY = "pay"
    REDUCE = "reduce"
    WITHHOLD = "withhold"
    QUERY = "query"
    DISALLOW = "disallow"


class Reason(StrEnum):
    """Why a line got its verdict: the code in tests, pages, exports and docs."""

    EVIDENCED = "evidenced"
    AGREED_CHARGE = "agreed charge"
    MORE_THAN_EVIDENCED = "more than evidenced"
    NO_EVIDENCE = "no evidence"
    PARTIAL_EVIDENCE = "partial evidence"
    MISSED = "missed"
    NOT_RECEIVED = "refused or no reply"
    PLACE_CONTRADICTED = "place contradicted"
    GRADE_UNAPPROVED = "grade unapproved"
    AMENDMENT_UNAPPROVED = "amendment unapproved"
    NO_MATCH = "no match yet"
    MATCH_UNCLEAR = "two visits fit"
    EVIDENCE_WAITS = "evidence waits for a person"
    EVIDENCE_USED = "evidence pays another line"
    WORKER_OVERLAPS = "worker in two places"
    OTHER_CUSTOMER = "another customer's visit"
    CLAIMED_ELSEWHERE = "claimed on two invoices"
    ATTENDED_WHILE_AWAY = "attended while away"
    ATTENDED_THOUGH_CANCELLED = "attended though cancelled"
    UNKNOWN_VISIT = "not commissioned"
    UNKNOWN_SLOT = "worker not commissioned"
    OUTSIDE_PERIOD = "outside period"
    RATE_NOT_AGREED = "rate not agreed"
    DUPLICATE = "duplicate"
    CANCELLED = "cancelled"
    AWAY = "customer away"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineVerdict:
    """What is decided about one line; never changed once issued: later evidence makes the next version.

    claimed = payable + reduced + withheld + disallowed, in pence. `shadow_pence` is the part of `payable_pence` that is paid only because
    the council's shadow mode still runs. `evidence` are the event ids and `visit_version` the version it rests on."""

    line_no: int
    verdict: Verdict
    reason: Reason
    words: str
    claimed_pence: int
    payable_pence: int = 0
    reduced_pence: int = 0
    withheld_pence: int = 0
    disallowed_pence: int = 0
    shadow_pence: int = 0
    minutes_evidenced: int = 0
    visit_version: int | None = None
    evidence: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        parts = (self.payable_pence, self.reduced_pence, self.withheld_pence, self.disallowed_pence)
        assert min(parts) >= 0
        assert sum(parts) == self.claimed_pence
        assert 0 <= self.shadow_pence <= self.payable_pence


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The sums of an invoice in pence: claimed = payable + reduced + withheld + disallowed. Queried lines count as withheld."""

    claimed_pence: int
    payable_pence: int
    reduced_pence: int
    withheld_pence: int
    disallowed_pence: int
    shadow_pence: int = 0

    def __post_init__(self) -> None:
        parts = (self.payable_pence, self.reduced_pence, self.withheld_pence, self.disallowed_pence)
        assert sum(parts) == self.claimed_pence


def totals(verdicts: Iterable[LineVerdict]) -> Totals:
    """The invoice's sums, from its lines' newest verdicts."""
    listed = tuple(verdicts)
    return Totals(
        claimed_pence=sum(verdict.claimed_pence for verdict in listed),
        payable_pence=sum(verdict.payable_pence for verdict in listed),
        reduced_pence=sum(verdict.reduced_pence for verdict in listed),
        withheld_pence=sum(verdict.withheld_pence for verdict in listed),
        disallowed_pence=sum(verdict.disallowed_pence for verdict in listed),
        shadow_pence=sum(verdict.shadow_pence for verdict in listed),
    )
