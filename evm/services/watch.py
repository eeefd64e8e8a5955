"""The watch: once a second the deadlines that have come are judged, and what was not kept becomes alerts and outbox rows, a round a
transaction. Not the rules (evm.domain.alerts) and not the sending (notify). Absence is not an event: everything starts from a row.

Several watchers at once divide the rows among them: each holds the deadlines it judges and the customers they are about until its round
commits, waits for nobody, and leaves what another holds for its next beat."""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Final

from sqlalchemy.orm import Session

from evm.domain.alerts.deadline import Deadline, Stage
from evm.domain.alerts.judge import Judgement, Verdict, judge
from evm.domain.alerts.rules.overdue_check_out import overdue_at
from evm.domain.alerts.situation import AlertKind, Situation
from evm.domain.ids import CustomerId, VisitId
from evm.domain.occurrences import is_away
from evm.domain.period import care_day
from evm.domain.plan import Absence, PlannedVisit
from evm.domain.policy import Policy
from evm.domain.visit import Visit
from evm.services.alarms import raise_drafts
from evm.services.blind import FEED_LOOK_AGAIN_AFTER, LOOK_AGAIN_AFTER, blind_since, page_blindness, restored_at, untold
from evm.services.reconcile import reconcile_free
from evm.store import alerts as alert_store
from evm.store import deadlines as deadline_store
from evm.store import evidence as log
from evm.store import holds, ingest_state, people, plans, visits
from evm.store.alerts import ACKNOWLEDGED, CLOSED, OPEN, HistoryEntry
from evm.store.deadlines import DeadlineRow, Mark
from evm.store.evidence import Presence
from evm.store.savepoint import Done, attempt

CustomerDay = tuple[CustomerId, date]
DEADLINES_A_ROUND = 500
"""A full round is a backlog: what its deadlines make of visits is then written by the queue."""
QUEUE_ROWS_MAX = 100_000
TOLD: Final = frozenset({AlertKind.MISSED_VISIT, AlertKind.OVERDUE_CHECK_OUT})
"""What evidence of the visit's time would have answered, had it come."""


_LOG: Final = logging.getLogger(__name__)


class AlertNotOpen(ValueError):  # noqa: N818 -- named for what is wrong
    """The alert is unknown, or closed already."""

    def __init__(self, *, alert_id: int) -> None:
        self.alert_id = alert_id
        super().__init__(f"Alert {alert_id} is unknown or closed already.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What judging a round of deadlines rests on."""

    planned: Mapping[VisitId, PlannedVisit]
    newest: Mapping[VisitId, Visit]
    absences: Sequence[Absence]
    seen: Sequence[Presence]
    unreadable: Collection[VisitId]


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round has done: the ids of the alerts raised, in order, and the last deadline it looked at (None: none was due)."""

    raised: tuple[int, ...]
    mark: Mark | None


def sweep(session: Session, *, now: datetime, policy: Policy) -> tuple[int, ...]:
    """Judge every deadline that has come, in the caller's one transaction, and answer the ids of the alerts raised, in order.

    Deterministic and idempotent: a deadline is judged once, an alert raised once under its key, whatever was down for how long and
    however many watchers run. What waits to be reconciled for the customers concerned is reconciled first, in this transaction."""
    raised: list[int] = []
    done = sweep_round(session, now=now, policy=policy)
    while done.mark is not None:
        raised += done.raised
        done = sweep_round(session, now=now, policy=policy, after=done.mark)
    return tuple(raised)


def sweep_round(session: Session, *, now: datetime, policy: Policy, after: Mark | None = None) -> Round:
    """One round of `sweep`: the oldest due deadlines beyond `after` that no other watcher has in hand."""
    due = deadline_store.due(session, now=now, limit=DEADLINES_A_ROUND, after=after)
    if not due:
        return Round(raised=(), mark=None)
    planned = {v.visit_id: v for v in plans.planned_visits_of(session, visit_ids={d.visit_id for d in due})}
    mine = _held(session, due, planned)
    raised: tuple[int, ...] = ()
    if mine:
        theirs = {d.visit_id: planned[d.visit_id] for d in mine if d.visit_id in planned}
        raised, concluded = _round(session, mine, theirs, now, policy)
        _conclude(session, concluded, now, policy, at_once=len(due) < DEADLINES_A_ROUND)
    return Round(raised=raised, mark=(due[-1].due_at, due[-1].deadline_id))


def _held(
    session: Session, due: Sequence[DeadlineRow], planned: Mapping[VisitId, PlannedVisit]
) -> tuple[DeadlineRow, ...]:
    """The deadlines of customers on whom nobody else works: they, and whoever shares their line, are held until the round commits. So
    evidence that another process is reconciling is either known to this round, or finds this round's alerts."""
    customers = people.sharing_a_line(session, customer_ids={v.customer_id for v in planned.values()})
    taken = customers - holds.try_customers(session, customer_ids=customers)
    if not taken:
        return tuple(due)
    unfree = people.sharing_a_line(session, customer_ids=taken)
    return tuple(d for d in due if d.visit_id not in planned or planned[d.visit_id].customer_id not in unfree)


def next_due(session: Session) -> datetime | None:
    """When the next open deadline falls due; None when none is open."""
    return deadline_store.next_due(session)


def acknowledge(session: Session, *, alert_id: int, who: str, words: str, now: datetime) -> None:
    """A person takes an open alert on (again: an acknowledgement may pass to somebody else). Raises `AlertNotOpen`."""
    _move(session, alert_id, (OPEN, ACKNOWLEDGED), ACKNOWLEDGED, None)
    _note(session, alert_id, who, "acknowledged", words, now)


def close(session: Session, *, alert_id: int, who: str, outcome: str, now: datetime) -> None:
    """A person closes an alert with its outcome; nothing closes by age. Raises `AlertNotOpen`."""
    _move(session, alert_id, (OPEN, ACKNOWLEDGED), CLOSED, outcome)
    _note(session, alert_id, who, "closed", outcome, now)


def note(session: Session, *, alert_id: int, who: str, words: str, now: datetime) -> None:
    """A person writes down what they found out. Raises `AlertNotOpen` when there is no such alert."""
    if alert_store.alert(session, alert_id=alert_id) is None:
        raise AlertNotOpen(alert_id=alert_id)
    _note(session, alert_id, who, "noted", words, now)


def _round(
    session: Session,
    due: Sequence[DeadlineRow],
    planned: Mapping[VisitId, PlannedVisit],
    now: datetime,
    policy: Policy,
) -> tuple[tuple[int, ...], set[CustomerDay]]:
    """Judge these deadlines: the ids of the alerts raised, and the customers' days whose visits have to say what became of them."""
    failed = _reconcile_what_waits(session, planned.values(), now, policy)
    judged = _judged(session, due, planned, failed, now, policy)
    doubtful = _with_evidence_near(session, [d for d, j in judged.items() if j.drafts], planned, policy)
    if doubtful:
        failed |= reconcile_free(session, pairs=doubtful, now=now, policy=policy).failed
        judged = _judged(session, due, planned, failed, now, policy)
    judged, paged = _unconfirmed(session, judged, planned, now, policy)
    verdicts = {d.deadline_id: j.verdict.value for d, j in judged.items() if j.verdict is not Verdict.WAIT}
    mine = deadline_store.judge(session, verdicts=verdicts, now=now)
    drafts = [draft for d, j in judged.items() if d.deadline_id in mine for draft in j.drafts]
    raised = raise_drafts(session, drafts=drafts, now=now)
    ended = {
        d for d, j in judged.items() if j.verdict is Verdict.ALERTED and d.stage in (Stage.MISSED, Stage.CHECK_OUT)
    }
    pairs = {_customer_day(planned[d.visit_id], policy) for d in ended}
    return (*paged, *raised), pairs


def _customer_day(visit: PlannedVisit, policy: Policy) -> CustomerDay:
    return visit.customer_id, care_day(visit.start, zone=policy.zone)


def _unconfirmed(
    session: Session,
    judged: dict[DeadlineRow, Judgement],
    planned: Mapping[VisitId, PlannedVisit],
    now: datetime,
    policy: Policy,
) -> tuple[dict[DeadlineRow, Judgement], tuple[int, ...]]:
    """Missed visits of providers we are blind to are not judged but looked at again, and one grouped page says so; nor are those that no
    feed of a provider can have told of yet."""
    judged, waiting = _untold(session, judged, planned, now, policy)
    judged, lost = _lost_with_a_log(session, judged, planned, now, policy)
    missed = [d for d, j in judged.items() if any(draft.kind is AlertKind.MISSED_VISIT for draft in j.drafts)]
    providers = {planned[d.visit_id].provider_id for d in missed}
    blind = blind_since(session, providers=providers, now=now, policy=policy) if providers else {}
    paged = [*waiting, *lost]
    for provider, since in blind.items():
        theirs = [d for d in missed if planned[d.visit_id].provider_id == provider]
        deadline_store.postpone(session, due_at={d.deadline_id: now + LOOK_AGAIN_AFTER for d in theirs})
        judged |= {d: Judgement(verdict=Verdict.WAIT) for d in theirs}
        overdue = [planned[d.visit_id] for d in theirs]
        paged += page_blindness(session, provider=provider, since=since, overdue=overdue, now=now, policy=policy)
    return judged, tuple(paged)


def _untold(
    session: Session,
    judged: dict[DeadlineRow, Judgement],
    planned: Mapping[VisitId, PlannedVisit],
    now: datetime,
    policy: Policy,
) -> tuple[dict[DeadlineRow, Judgement], tuple[int, ...]]:
    overdue = {d: planned[d.visit_id] for d, j in judged.items() if any(draft.kind in TOLD for draft in j.drafts)}
    visits_waiting, paged = untold(session, overdue=frozenset(overdue.values()), now=now, policy=policy)
    waiting = [d for d, visit in overdue.items() if visit.visit_id in visits_waiting]
    deadline_store.postpone(session, due_at={d.deadline_id: now + FEED_LOOK_AGAIN_AFTER for d in waiting})
    return judged | {d: Judgement(verdict=Verdict.WAIT) for d in waiting}, paged


def _lost_with_a_log(
    session: Session,
    judged: dict[DeadlineRow, Judgement],
    planned: Mapping[VisitId, PlannedVisit],
    now: datetime,
    policy: Policy,
) -> tuple[dict[DeadlineRow, Judgement], tuple[int, ...]]:
    """What seems missed from before the log was restored is looked at again until the phones have sent again what it lost."""
    overdue = {d: planned[d.visit_id] for d, j in judged.items() if any(draft.kind in TOLD for draft in j.drafts)}
    paged: list[int] = []
    for provider in sorted({visit.provider_id for visit in overdue.values()}):
        since = restored_at(session, provider=provider, now=now)
        theirs = [d for d, v in overdue.items() if v.provider_id == provider and since is not None and v.start < since]
        if since is None or not theirs:
            continue
        deadline_store.postpone(session, due_at={d.deadline_id: now + LOOK_AGAIN_AFTER for d in theirs})
        judged = judged | {d: Judgement(verdict=Verdict.WAIT) for d in theirs}
        about = [overdue[d] for d in theirs]
        paged += page_blindness(
            session, provider=provider, since=since, overdue=about, now=now, policy=policy, restored=True
        )
    return judged, tuple(paged)


def _judged(
    session: Session,
    due: Sequence[DeadlineRow],
    planned: Mapping[VisitId, PlannedVisit],
    failed: Collection[CustomerDay],
    now: datetime,
    policy: Policy,
) -> dict[DeadlineRow, Judgement]:
    """The judgement of each deadline on what is reconciled; those to be looked at again are put off to when that is."""
    facts = _facts(session, due, planned, failed, now, policy)
    situations = {d: _situation(d, facts, policy) for d in due}
    judged = {d: _unless_away(d, judge(situation, now=now), facts) for d, situation in situations.items()}
    waiting = {d.deadline_id: overdue_at(situations[d]) for d, j in judged.items() if j.verdict is Verdict.WAIT}
    deadline_store.postpone(session, due_at=waiting)
    return judged


def _with_evidence_near(
    session: Session, alerted: Sequence[DeadlineRow], planned: Mapping[VisitId, PlannedVisit], policy: Policy
) -> frozenset[CustomerDay]:
    """Days of customers about to be alerted at whose homes something is stored all the same: another process may hold the queue's
    row and not be done. They are reconciled here and judged again: never a false missed."""
    about = {planned[d.visit_id] for d in alerted}
    if not about:
        return frozenset()
    before = timedelta(minutes=policy.match_before_minutes)
    after = timedelta(minutes=policy.match_after_minutes)
    seen = log.instants_at(
        session,
        customer_ids={visit.customer_id for visit in about},
        since=min(visit.start for visit in about) - before,
        until=max(visit.start for visit in about) + after,
    )
    instants: dict[CustomerId, list[datetime]] = {}
    for customer, at in seen:
        instants.setdefault(customer, []).append(at)
    return frozenset(
        (visit.customer_id, care_day(visit.start, zone=policy.zone))
        for visit in about
        if any(visit.start - before <= at < visit.start + after for at in instants.get(visit.customer_id, ()))
    )


def _reconcile_what_waits(
    session: Session, planned: Collection[PlannedVisit], now: datetime, policy: Policy
) -> frozenset[CustomerDay]:
    """Evidence that is stored counts, reconciled or not: a visit must not be alerted because a queue was long. Answers the days that
    cannot be reconciled."""
    customers = people.sharing_a_line(session, customer_ids={v.customer_id for v in planned})
    pairs = ingest_state.take_reconcile(session, limit=QUEUE_ROWS_MAX, customer_ids=customers)
    return reconcile_free(session, pairs=pairs, now=now, policy=policy).failed


def _newest(session: Session, visit_ids: Collection[VisitId]) -> tuple[dict[VisitId, Visit], set[VisitId]]:
    """What was concluded of these visits, and those of which nobody can read it."""
    together = attempt(session, work=partial(visits.newest_of, session, visit_ids=visit_ids))
    if isinstance(together, Done):
        return together.value, set()
    newest: dict[VisitId, Visit] = {}
    unreadable: set[VisitId] = set()
    for visit_id in sorted(visit_ids):
        alone = attempt(session, work=partial(visits.newest_of, session, visit_ids=[visit_id]))
        if isinstance(alone, Done):
            newest |= alone.value
        else:
            _LOG.error("the stored visit %s cannot be read", visit_id, exc_info=alone.error)
            unreadable.add(visit_id)
    return newest, unreadable


def _facts(
    session: Session,
    due: Sequence[DeadlineRow],
    planned: Mapping[VisitId, PlannedVisit],
    failed: Collection[CustomerDay],
    now: datetime,
    policy: Policy,
) -> _Facts:
    starts = [v.start for v in planned.values()]
    newest, unreadable = _newest(session, planned.keys())
    unreadable |= {v.visit_id for v in planned.values() if _customer_day(v, policy) in failed} if failed else set()
    return _Facts(
        planned=planned,
        newest=newest,
        seen=_seen_since(session, due, newest, now, policy),
        unreadable=unreadable,
        absences=plans.absences(
            session,
            customer_ids={v.customer_id for v in planned.values()},
            since=min(starts),
            until=max(starts) + timedelta(seconds=1),
        )
        if starts
        else (),
    )


def _seen_since(
    session: Session, due: Sequence[DeadlineRow], newest: Mapping[VisitId, Visit], now: datetime, policy: Policy
) -> tuple[Presence, ...]:
    """Where the workers who have not checked out of a visit were heard of since they came to it, by clocks that can be right."""
    visits_ended = [newest[d.visit_id] for d in due if d.stage == Stage.CHECK_OUT and d.visit_id in newest]
    slots = [slot.attendance for visit in visits_ended for slot in visit.slots if slot.attendance is not None]
    begun = {a.worker: a.start for a in slots if a.start is not None and a.end is None}
    if not begun:
        return ()
    ahead_max = timedelta(seconds=policy.clock_ahead_seconds_max)
    seen = log.presence(
        session, worker_ids=begun, since=min(begun.values()), until=now + ahead_max, ahead_max=ahead_max
    )
    return tuple(presence for presence, _ in seen)


def _seen_elsewhere_at(d: DeadlineRow, facts: _Facts) -> datetime | None:
    """When the worker in the deadline's slot was last heard of at another customer's."""
    visit = facts.newest.get(d.visit_id)
    if d.stage != Stage.CHECK_OUT or visit is None or d.slot >= len(visit.slots):
        return None
    here = visit.slots[d.slot].attendance
    if here is None:
        return None
    elsewhere = [at for worker, customer, at in facts.seen if worker == here.worker and customer != here.customer]
    return max(elsewhere, default=None)


def _situation(d: DeadlineRow, facts: _Facts, policy: Policy) -> Situation:
    return Situation(
        zone=policy.zone,
        deadline=Deadline(visit_id=d.visit_id, revision=d.revision, slot=d.slot, stage=Stage(d.stage), due_at=d.due_at),
        planned=facts.planned.get(d.visit_id),
        visit=facts.newest.get(d.visit_id),
        worker_seen_at=_seen_elsewhere_at(d, facts),
        is_unreadable=d.visit_id in facts.unreadable,
    )


def _unless_away(d: DeadlineRow, judgement: Judgement, facts: _Facts) -> Judgement:
    """Nobody is expected at the home of a customer who went to hospital after the roster was published."""
    planned = facts.planned.get(d.visit_id)
    if planned is not None and is_away(planned, absences=facts.absences):
        return Judgement(verdict=Verdict.VOID)
    return judgement


def _conclude(
    session: Session, pairs: Collection[CustomerDay], now: datetime, policy: Policy, *, at_once: bool
) -> None:
    """Write what the deadlines make of the visits themselves (missed, forgotten check-out): now, or by the queue when there are many."""
    if at_once:
        reconcile_free(session, pairs=pairs, now=now, policy=policy)
    else:
        ingest_state.queue_reconcile(session, pairs=pairs, now=now)


def _move(session: Session, alert_id: int, was: Sequence[str], state: str, outcome: str | None) -> None:
    if not alert_store.set_state(session, alert_id=alert_id, was=was, state=state, outcome=outcome):
        raise AlertNotOpen(alert_id=alert_id)


def _note(session: Session, alert_id: int, who: str, act: str, words: str, now: datetime) -> None:
    entry = HistoryEntry(alert_id=alert_id, at=now, who=who, act=act, words=words)
    alert_store.add_history(session, entries=[entry])
