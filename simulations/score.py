"""Compares what the system made of the 28 days with the truth: the keys of `popback demo --json`. It reads store and truth and changes
nothing."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from evm.domain.evidence import GRADES_THAT_PAY, EventKind
from evm.domain.finding import FindingCode
from evm.domain.ids import VisitId
from evm.domain.visit import Attendance, Visit, VisitOutcome
from evm.store import alerts, evidence, visits
from evm.store.alerts import AlertRow
from simulations.days import DayCall, local_instant, played_days
from simulations.load import PROVIDER_ID
from simulations.truth import Truth, evidenced_minutes, used_properly

MISSED_VISIT: Final = "missed visit"
MISSED_STAGE: Final = "missed"
NO_REPLY: Final = "no reply"

Key = tuple[str, str]
Score = dict[str, int | float]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What the store holds at the end."""

    visits: Mapping[VisitId, Visit]
    alerts: tuple[AlertRow, ...]
    stored: Mapping[Key, datetime]
    check_ins: Mapping[tuple[str, datetime], datetime]
    """`stored`: received instants of the played day's events, by (device, event id) and by (device, SHA-256 of the message).
    `check_ins`: those of check-ins and of words that nobody opened, by (worker, instant)."""


def score(session: Session, *, truth: Truth, sent: Collection[Key]) -> Score:
    """Every key about visits, events, alerts, cramming, review and minutes. `sent`: (device, event id or SHA-256 of the message)."""
    seen = _seen(session, truth)
    return {
        **_visit_keys(truth),
        **_event_keys(seen, sent),
        **_alert_keys(truth, seen),
        **_cramming_keys(session, truth),
        **_minute_keys(truth, seen),
    }


def period(truth: Truth) -> tuple[date, date]:
    """The 28 local days, half-open."""
    days = played_days(truth.world)
    return days[0], days[-1] + timedelta(days=1)


def _seen(session: Session, truth: Truth) -> _Seen:
    since, until = period(truth)
    scenario = truth.world.scenario
    newest = visits.newest(session, provider_id=PROVIDER_ID, since_day=since, until_day=until)
    rows = evidence.events(session, provider_id=PROVIDER_ID, since=local_instant(scenario.played_day, 0, scenario.zone))
    stored: dict[Key, datetime] = {}
    check_ins: dict[tuple[str, datetime], datetime] = {}
    for row in rows:
        event = row.evidence
        stored[event.device, event.event_id] = event.received_at
        stored[event.device, event.sha256] = event.received_at
        if event.kind in {EventKind.CHECK_IN, EventKind.NO_REPLY} and event.worker is not None:
            check_ins[event.worker, event.at] = event.received_at
    return _Seen(
        visits={visit.visit_id: visit for visit in newest if visit.visit_id is not None},
        alerts=alerts.alert_list(session, provider_id=PROVIDER_ID),
        stored=stored,
        check_ins=check_ins,
    )


def _visit_keys(truth: Truth) -> Score:
    stays = truth.stays_on(truth.world.scenario.played_day)
    attended = {stay.call.visit_id for stay in stays if not stay.no_reply}
    return {
        "visits_planned": len(truth.played),
        "visits_delivered": sum(call.visit_id in attended for call in truth.played),
    }


def _event_keys(seen: _Seen, sent: Collection[Key]) -> Score:
    stored = sum(key in seen.stored for key in sent)
    return {"events_sent": len(sent), "events_stored": stored, "events_lost": len(sent) - stored}


def _alert_keys(truth: Truth, seen: _Seen) -> Score:
    played = {VisitId(call.visit_id): call for call in truth.played}
    about = [alert for alert in seen.alerts if alert.kind == MISSED_VISIT and alert.visit in played]
    missed = [alert for alert in about if alert.stage == MISSED_STAGE]
    alerted = {alert.visit for alert in missed}
    heard = _heard(truth, seen)
    return {
        "missed_true": len(truth.missed_true),
        "missed_alerted": len(truth.missed_true & alerted),
        "unlogged": len(truth.unlogged),
        "unlogged_alerted": len(truth.unlogged & alerted),
        "no_reply": len(truth.no_reply),
        "no_reply_alerted": len(truth.no_reply & {alert.visit for alert in seen.alerts if alert.kind == NO_REPLY}),
        "missed_corrected": len({alert.visit for alert in missed if _corrected(alert, heard)}),
        "visits_offline": len(truth.visits_offline()),
        "alerts_raised": len(seen.alerts),
        "alerts_unjustified": sum(_unjustified(alert, played, heard) for alert in about),
        "missed_false": _missed_false(truth, seen),
    }


Heard = Mapping[tuple[str, str], tuple[datetime, datetime]]


def _heard(truth: Truth, seen: _Seen) -> Heard:
    """For each logged check-in (or closed door) of the played day, by visit and worker: when it happened and was stored."""
    found = {}
    for stay in truth.stays_on(truth.world.scenario.played_day):
        at = stay.left if stay.no_reply else stay.arrived
        received = seen.check_ins.get((stay.worker, at))
        if received is not None and (stay.logged or stay.no_reply):
            found[stay.call.visit_id, stay.worker] = (at, received)
    return found


def _corrected(alert: AlertRow, heard: Heard) -> bool:
    """Alerted as missed, and a phone without signal had recorded a check-in before the deadline that was heard of later."""
    late = [times for (visit, _), times in heard.items() if visit == alert.visit]
    return alert.reclassified is not None and any(at <= alert.due_at < received for at, received in late)


def _unjustified(alert: AlertRow, played: Mapping[VisitId, DayCall], heard: Heard) -> bool:
    """Whether the evidence of this slot's own worker (or of as many workers as there are slots) was stored before the deadline."""
    assert alert.visit is not None
    call = played[alert.visit]
    before = {worker for (visit, worker), (_, at) in heard.items() if visit == alert.visit and at < alert.due_at}
    slot = alert.slot or 0
    return len(before) >= len(call.workers) or call.workers[slot] in before


def _missed_false(truth: Truth, seen: _Seen) -> int:
    """Visits of the 28 days of which something is in the store and that still stand as missed."""
    logged = {VisitId(stay.call.visit_id) for stay in truth.happenings.stays if stay.logged or stay.no_reply}
    return sum(visit_id in logged and visit.outcome is VisitOutcome.MISSED for visit_id, visit in seen.visits.items())


def _cramming_keys(session: Session, truth: Truth) -> Score:
    flags = visits.worker_flag_list(session, provider_id=PROVIDER_ID)
    by_worker = {str(f.worker) for f in flags if f.code == FindingCode.CRAMMING_BY_WORKER}
    in_roster = {(str(f.worker), f.care_day) for f in flags if f.code == FindingCode.CRAMMING_IN_ROSTER}
    days = truth.cramming_roster_days()
    return {
        "cramming_worker_true": len(truth.cramming_workers),
        "cramming_worker_flagged": len(by_worker),
        "cramming_worker_false": len(by_worker - truth.cramming_workers),
        "cramming_roster_true": len(days),
        "cramming_roster_flagged": len(in_roster),
        "cramming_roster_false": len(in_roster - days),
    }


def _minute_keys(truth: Truth, seen: _Seen) -> Score:
    held: dict[tuple[str, str], Attendance] = {}
    evidenced = 0
    for visit_id, visit in seen.visits.items():
        for record in visit.slots:
            if record.attendance is not None:
                held[visit_id, record.attendance.worker] = record.attendance
                evidenced += record.attendance.minutes
    honest = [stay for stay in truth.happenings.stays if used_properly(stay)]
    review: dict[bool, int] = defaultdict(int)
    for stay in honest:
        review[_waits(held.get((stay.call.visit_id, stay.worker)))] += evidenced_minutes(stay)
    whole = sum(review.values())
    return {
        "minutes_expected": truth.minutes_expected(),
        "minutes_evidenced": evidenced,
        "review_minutes": review[True],
        "review_minutes_share": round(review[True] / whole, 6) if whole else 0.0,
    }


def _waits(attendance: Attendance | None) -> bool:
    """Whether a person has to look before it pays."""
    if attendance is None or attendance.waits:
        return True
    return attendance.grade_time not in GRADES_THAT_PAY or attendance.grade_place not in GRADES_THAT_PAY
