"""A visit as the JSON body of its row, and back. Not the rows themselves (evm.store.visits)."""

from datetime import datetime
from typing import Any

import orjson

from evm.domain.evidence import Grade
from evm.domain.finding import Finding, FindingCode
from evm.domain.visit import Attendance, SlotRecord, Visit, VisitOutcome

Body = dict[str, Any]


def body_of(visit: Visit) -> Body:
    """All of a visit but its version, in plain JSON values: equal bodies mean nothing changed. What our own devices recorded names no
    feed, as it did before there were any."""
    body: Body = orjson.loads(orjson.dumps(visit))
    del body["version"]
    for slot in body["slots"]:
        if slot["attendance"] is not None and slot["attendance"]["feed"] is None:
            del slot["attendance"]["feed"]
    return body


def visit_of(body: Body, *, version: int) -> Visit:
    """The visit of a body."""
    return Visit(
        visit_id=body["visit_id"],
        customer=body["customer"],
        provider=body["provider"],
        care_day=body["care_day"],
        planned_start=_instant(body["planned_start"]),
        planned_minutes=body["planned_minutes"],
        outcome=VisitOutcome(body["outcome"]),
        slots=tuple(_slot(slot) for slot in body["slots"]),
        overlap_seconds=body["overlap_seconds"],
        findings=_findings(body["findings"]),
        version=version,
    )


def _slot(body: Body) -> SlotRecord:
    attendance = body["attendance"]
    return SlotRecord(
        slot=body["slot"],
        rostered=body["rostered"],
        attendance=None if attendance is None else _attendance(attendance),
    )


def _attendance(body: Body) -> Attendance:
    return Attendance(
        attendance_id=body["attendance_id"],
        worker=body["worker"],
        customer=body["customer"],
        start=_instant(body["start"]),
        end=_instant(body["end"]),
        check_in=body["check_in"],
        check_out=body["check_out"],
        visit=body["visit"],
        grade_time=_GRADES[body["grade_time"]],
        grade_place=_GRADES[body["grade_place"]],
        end_max=_instant(body["end_max"]),
        payable_seconds=body["payable_seconds"],
        amended=body["amended"],
        approved=body["approved"],
        waits=body["waits"],
        findings=_findings(body["findings"]),
        feed=body.get("feed"),
    )


def _findings(bodies: list[Body]) -> tuple[Finding, ...]:
    return tuple(
        Finding(code=FindingCode(f["code"]), words=f["words"], slot=f["slot"], evidence=tuple(f["evidence"]))
        for f in bodies
    )


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


_GRADES = {grade.value: grade for grade in Grade}
