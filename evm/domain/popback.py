"""Pop-backs: a visit outside the customer's usual arrangement, asked for by the customer; the question, its notice and its answer.
Not the search for a worker (rostering.popback) and not the keeping of requests (evm.store.plans)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from evm.domain.ids import CustomerId, VisitId


class PopbackState(StrEnum):
    """`KEPT`: the promised visit stands in a published roster with every slot filled."""

    ASKED = "asked"
    PROMISED = "promised"
    REFUSED = "refused"
    KEPT = "kept"


class AlternativeKind(StrEnum):
    """Ways to meet the outcome when the time itself cannot be had (background S7)."""

    ANOTHER_TIME = "another time"
    LONGER_NEXT_VISIT = "a longer next visit"
    PHONE_CALL = "a phone call"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """One thing to offer instead; `at` aware UTC, None for a call at once; `visit_id` is the visit that would be longer."""

    kind: AlternativeKind
    words: str
    at: datetime | None = None
    minutes: int | None = None
    visit_id: VisitId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PopbackRequest:
    """What was asked, by whom, when it reached us (`asked_at`, aware UTC), and what was answered."""

    request_id: str
    customer_id: CustomerId
    asked_at: datetime
    asked_by: str
    wanted_at: datetime
    minutes: int
    workers_needed: int = 1
    state: PopbackState = PopbackState.ASKED
    visit_id: VisitId | None = None
    answer: str | None = None
    alternatives: tuple[Alternative, ...] = ()


def has_notice(*, asked_at: datetime, wanted_at: datetime, notice_hours: int) -> bool:
    """Whether at least `notice_hours` elapsed hours lie between receipt and the wanted start (background S7): a clock change in
    between makes them no longer and no shorter."""
    return wanted_at - asked_at >= timedelta(hours=notice_hours)
