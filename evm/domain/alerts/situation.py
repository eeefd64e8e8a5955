"""What an alert rule is shown and what it answers with. Not the rules (rules/) and not the rows and people they end with (the store)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from evm.domain.alerts.deadline import Deadline, Stage
from evm.domain.evidence import Evidence
from evm.domain.ids import CustomerId, ProviderId, VisitId, WorkerId
from evm.domain.plan import PlannedVisit, Risk
from evm.domain.visit import Attendance, Visit


class AlertKind(StrEnum):
    """What an alert is about; the text stands in the database and on pages."""

    MISSED_VISIT = "missed visit"
    UNVERIFIED_ATTENDANCE = "unverified attendance"
    OVERDUE_CHECK_OUT = "overdue check-out"
    ASSISTANCE = "assistance"
    NO_REPLY = "no reply"
    REFUSED_MEDICINE = "refused medicine"
    BLIND = "blind"


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Either a deadline that has come (`deadline`, its `planned` visit and the `visit` as reconciled from everything stored, None if
    it never was), or an `event` that was just stored (with the codes of its customer's time-critical tasks, and of those at stake when
    it says that the customer refused the visit). `worker_seen_at`: when the slot's worker, still checked in there, was last heard of
    checking in or out elsewhere. `is_unreadable`: evidence is stored that could not be reconciled, so that `visit` may be of before.
    `zone` is for words."""

    zone: str
    deadline: Deadline | None = None
    planned: PlannedVisit | None = None
    visit: Visit | None = None
    event: Evidence | None = None
    time_critical_tasks: frozenset[str] = frozenset()
    refused_tasks: frozenset[str] = frozenset()
    worker_seen_at: datetime | None = None
    is_unreadable: bool = False

    def attendance(self) -> Attendance | None:
        """Who is, or was, in the deadline's slot."""
        if self.deadline is None or self.visit is None or self.deadline.slot >= len(self.visit.slots):
            return None
        return self.visit.slots[self.deadline.slot].attendance


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertDraft:
    """An alert to raise once: `key` is its identity. `pages`: it rings a person now, and is not only a colour on a board.
    `words` name ids, times and minutes, never a person."""

    kind: AlertKind
    key: str
    provider: ProviderId
    risk: Risk
    due_at: datetime
    words: str
    pages: bool
    customer: CustomerId | None = None
    worker: WorkerId | None = None
    visit: VisitId | None = None
    revision: int | None = None
    slot: int | None = None
    stage: Stage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """One kind of alert: `drafts(situation, now)` answers with what must be raised, nothing if all is well."""

    name: str
    drafts: Callable[[Situation, datetime], tuple[AlertDraft, ...]]


def about_slot(
    situation: Situation, *, kind: AlertKind, words: str, pages: bool, worker: WorkerId | None
) -> AlertDraft:
    """A draft about the slot whose deadline has come; keyed by visit, revision, slot and stage."""
    deadline, planned = situation.deadline, situation.planned
    assert deadline is not None
    assert planned is not None
    return AlertDraft(
        kind=kind,
        key=f"{kind.value}:{deadline.visit_id}:{deadline.revision}:{deadline.slot}:{deadline.stage.value}",
        provider=planned.provider_id,
        risk=planned.risk,
        due_at=deadline.due_at,
        words=words,
        pages=pages,
        customer=planned.customer_id,
        worker=worker,
        visit=deadline.visit_id,
        revision=deadline.revision,
        slot=deadline.slot,
        stage=deadline.stage,
    )


def about_event(event: Evidence, *, kind: AlertKind, words: str, what: str = "") -> AlertDraft:
    """A draft that pages at once about one event; keyed by it (and by `what`, when one event says several things)."""
    return AlertDraft(
        kind=kind,
        key=f"{kind.value}:{event.provider}:{event.device}:{event.event_id}" + (f":{what}" if what else ""),
        provider=event.provider,
        risk=Risk.TIME_CRITICAL,
        due_at=event.at,
        words=words,
        pages=True,
        customer=event.customer,
        worker=event.worker,
        visit=event.visit,
    )
