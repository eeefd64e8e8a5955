"""Visits and their evidence as JSON. The same rows and the same scope as the pages (api.pages.visits)."""

from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from api.auth import VisitViewer
from api.pages.visit_facts import findings_of, judge_at, stays_of, visit_facts
from api.problems import not_found
from api.query import CareDay, Id, PageQuery, VisitKey
from api.site import site_of
from evm.store.screens import visits
from evm.store.screens.visits import VisitRow

router = APIRouter(tags=["visits"])
Status = Literal[
    "pending",
    "under way",
    "overdue",
    "delivered",
    "part delivered",
    "missed",
    "cancelled",
    "refused by customer",
    "no reply",
]


class Answer(BaseModel):
    """What the API says: nothing in it changes after it is made."""

    model_config = ConfigDict(frozen=True)


class VisitsQuery(PageQuery):
    """`day` is a local date, today's by default."""

    day: CareDay | None = None
    locality: Id | None = None
    status: Status | None = None


class AttendanceAnswer(Answer):
    """One worker's presence. Instants are UTC; `end` None: no check-out."""

    slot: int
    worker_id: str
    start: datetime | None
    end: datetime | None
    payable_minutes: int
    grade_time: str
    grade_place: str
    amended: bool
    waits: bool


class FindingAnswer(Answer):
    code: str
    words: str
    evidence: tuple[str, ...]


class VisitAnswer(Answer):
    """A planned visit (`visit_id` set) or an unplanned attendance."""

    visit_key: str
    visit_id: str | None
    customer_id: str
    customer_name: str
    provider_id: str
    locality_id: str
    care_day: date
    start: datetime | None
    minutes_planned: int | None
    minutes_evidenced: int | None
    workers_needed: int
    rostered: tuple[str | None, ...]
    risk: str
    popback: bool
    status: str
    version: int
    attendances: tuple[AttendanceAnswer, ...]
    findings: tuple[FindingAnswer, ...]


class VisitsAnswer(Answer):
    """One page of a day. `counts` are by status, before the status filter."""

    day: date
    page: int
    matching: int
    counts: dict[str, int]
    visits: tuple[VisitAnswer, ...]


class EventAnswer(Answer):
    """One event of the evidence log; `index` and `sha256` are its receipt."""

    index: int
    event_id: str
    sha256: str
    kind: str
    at: datetime
    received_at: datetime
    method: str
    grade_time: str
    grade_time_why: str
    grade_place: str
    grade_place_why: str
    distance_band: str
    worker_id: str | None
    device_id: str
    flags: tuple[str, ...]
    waits: bool


class VersionAnswer(Answer):
    version: int
    reconciled_at: datetime
    outcome: str


class ChargeAnswer(Answer):
    slot: int
    minutes: int
    pence: int
    rule: str
    words: str


class VisitDetailAnswer(Answer):
    visit: VisitAnswer
    evidence: tuple[EventAnswer, ...]
    versions: tuple[VersionAnswer, ...]
    charges: Annotated[tuple[ChargeAnswer, ...], Field(description="Empty for roles that may not see money.")]
    alerts: tuple[int, ...]


@router.get("/v1/visits", summary="Visits of a day")
def list_visits(request: Request, query: Annotated[VisitsQuery, Query()], viewer: VisitViewer) -> VisitsAnswer:
    site = site_of(request)
    day, rows = query.day or site.today(), site.settings.page_rows
    with site.reading() as session:
        found = visits.day(
            session,
            scope=viewer.scope,
            on=day,
            judge=judge_at(site),
            locality_id=query.locality,
            status=query.status,
            limit=rows,
            offset=(query.page - 1) * rows,
        )
    return VisitsAnswer(
        day=day,
        page=query.page,
        matching=found.matching,
        counts=dict(found.counts),
        visits=tuple(visit_answer(row) for row in found.rows),
    )


@router.get("/v1/visits/{visit_key}", summary="A visit with its evidence")
def one_visit(request: Request, visit_key: VisitKey, viewer: VisitViewer) -> VisitDetailAnswer:
    site = site_of(request)
    with site.reading() as session:
        row = visits.one(session, scope=viewer.scope, visit_key=visit_key, judge=judge_at(site))
        if row is None:
            raise not_found()
        facts = visit_facts(session, row=row, site=site, viewer=viewer)
    return VisitDetailAnswer(
        visit=visit_answer(row),
        evidence=tuple(
            EventAnswer(
                index=it.event.log_index,
                grade_time_why=it.time_why,
                grade_place_why=it.place_why,
                distance_band=it.distance,
                **{
                    name: getattr(it.event, name)
                    for name in EventAnswer.model_fields
                    if hasattr(it.event, name) and name != "index"
                },
            )
            for it in facts["events"]
        ),
        versions=tuple(
            VersionAnswer(version=it.visit.version, reconciled_at=it.reconciled_at, outcome=it.visit.outcome.value)
            for it in facts["versions"]
        ),
        charges=tuple(
            ChargeAnswer(slot=it.slot, minutes=it.minutes, pence=it.pence, rule=it.rule, words=it.words)
            for it in facts["charges"]
        ),
        alerts=tuple(alert.alert_id for alert in facts["alerts"]),
    )


def visit_answer(row: VisitRow) -> VisitAnswer:
    """A row as JSON says it."""
    return VisitAnswer(
        attendances=tuple(
            AttendanceAnswer(
                slot=stay.slot,
                worker_id=stay.worker_id,
                start=stay.start,
                end=stay.end,
                payable_minutes=stay.payable_seconds // 60,
                grade_time=stay.grade_time,
                grade_place=stay.grade_place,
                amended=stay.amended,
                waits=stay.waits,
            )
            for stay in stays_of(row)
        ),
        findings=tuple(
            FindingAnswer(code=finding.code.value, words=finding.words, evidence=finding.evidence)
            for finding in findings_of(row)
        ),
        rostered=tuple(worker for _, worker, _ in row.rostered),
        **{
            name: getattr(row, name)
            for name in VisitAnswer.model_fields
            if name not in {"attendances", "findings", "rostered"}
        },
    )
