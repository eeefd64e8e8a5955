"""Late evidence answers an alert: a visit made on time and heard of late is "on time". History is kept and a person closes.
Not the raising of alerts (watch, alarms)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from evm.domain.alerts.situation import AlertKind
from evm.domain.period import in_zone
from evm.domain.policy import Policy
from evm.domain.visit import Attendance, Visit
from evm.store import alerts as alert_store
from evm.store.alerts import AlertRow, HistoryEntry

ON_TIME = "on time"
LATE = "late"
CHECKED_OUT = "checked out"


def reclassify(session: Session, *, visits: Sequence[Visit], now: datetime, policy: Policy) -> int:
    """Reclassify the alerts about slots of these visits that evidence answers now. Answers how many changed."""
    by_id = {visit.visit_id: visit for visit in visits if visit.visit_id is not None}
    changed = 0
    for alert in alert_store.alert_list(session, visit_ids=list(by_id)) if by_id else ():
        assert alert.visit is not None
        said = _said(alert, by_id[alert.visit], policy)
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
        return None
    if alert.kind == AlertKind.OVERDUE_CHECK_OUT:
        if attendance.end is None:
            return None
        return CHECKED_OUT, f"The check-out of {in_zone(attendance.end, zone=policy.zone):%H:%M} has come."
    return _on_time_or_late(attendance, visit, policy) if alert.kind == AlertKind.MISSED_VISIT else None


def _on_time_or_late(attendance: Attendance, visit: Visit, policy: Policy) -> tuple[str, str] | None:
    begun = attendance.start or attendance.end
    if begun is None or visit.planned_start is None:
        return None
    late = begun - visit.planned_start > timedelta(minutes=policy.late_minutes_max)
    code = LATE if late else ON_TIME
    at = in_zone(begun, zone=policy.zone)
    return code, f"Worker {attendance.worker} was there from {at:%H:%M}: {code}, heard of afterwards."
