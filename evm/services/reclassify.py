"""Late evidence answers an alert: a visit made on time and heard of late is "on time". History is kept and a person closes.
Not the raising of alerts (watch, alarms)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from sqlalchemy.orm import Session

from evm.domain.alerts.rules.missed_visit import left_before
from evm.domain.alerts.situation import AlertKind
from evm.domain.period import in_zone
from evm.domain.policy import Policy
from evm.domain.visit import Attendance, Visit, VisitOutcome
from evm.store import alerts as alert_store
from evm.store.alerts import AlertRow, HistoryEntry

ON_TIME = "on time"
LATE = "late"
CHECKED_OUT = "checked out"
AT_THE_DOOR: Final = MappingProxyType({VisitOutcome.NO_REPLY: "no reply", VisitOutcome.REFUSED: "refused"})
NOTHING_ANSWERS: Final = (None, "What seemed to answer this belongs elsewhere: nothing answers it any more.")


def reclassify(session: Session, *, visits: Sequence[Visit], now: datetime, policy: Policy) -> int:
    """Reclassify the alerts about slots of these visits that evidence answers now. Answers how many changed."""
    by_id = {visit.visit_id: visit for visit in visits if visit.visit_id is not None}
    changed = 0
    for alert in alert_store.alert_list(session, visit_ids=list(by_id)) if by_id else ():
        assert alert.visit is not None
        said: tuple[str | None, str] | None = _said(alert, by_id[alert.visit], policy)
        if said is None and alert.reclassified is not None:
            said = NOTHING_ANSWERS
        if said is not None and said[0] != alert.reclassified:
            alert_store.reclassify(session, alert_id=alert.alert_id, reclassified=said[0])
            entry = HistoryEntry(alert_id=alert.alert_id, at=now, who="popback", act="reclassified", words=said[1])
            alert_store.add_history(session, entries=[entry])
            changed += 1
    return changed


def _said(alert: AlertRow, visit: Visit, policy: Policy) -> tuple[str, str] | None:
    """What the visit's evidence says of the alert now, and the sentence for its history."""
    attendance = next((s.attendance for s in visit.slots if s.slot == alert.slot), None)
    if attendance is None:
        return _at_the_door(alert, visit)
    if alert.kind == AlertKind.OVERDUE_CHECK_OUT:
        if attendance.end is None:
            return None
        return CHECKED_OUT, f"The check-out of {in_zone(attendance.end, zone=policy.zone):%H:%M} has come."
    return _on_time_or_late(attendance, visit, policy) if alert.kind == AlertKind.MISSED_VISIT else None


def _at_the_door(alert: AlertRow, visit: Visit) -> tuple[str, str] | None:
    """A worker who was turned away or not let in was there, and no page said so at the time."""
    if alert.kind != AlertKind.MISSED_VISIT or visit.outcome not in AT_THE_DOOR:
        return None
    return AT_THE_DOOR[visit.outcome], f"A worker was at the door: {visit.outcome.value}, heard of afterwards."


def _on_time_or_late(attendance: Attendance, visit: Visit, policy: Policy) -> tuple[str, str] | None:
    begun = attendance.start or attendance.end
    if begun is None or visit.planned_start is None or left_before(attendance, visit.planned_start):
        return None
    late = begun - visit.planned_start > timedelta(minutes=policy.late_minutes_max)
    code = LATE if late else ON_TIME
    at = in_zone(begun, zone=policy.zone)
    return code, f"Worker {attendance.worker} was there from {at:%H:%M}: {code}, heard of afterwards."
