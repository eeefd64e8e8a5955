"""Alerts as JSON, and what a person does about them. The same rows and scope as the pages (api.pages.alerts)."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import StringConstraints
from sqlalchemy.orm import Session

from api import alert_acts
from api.auth import AlertActor, AlertViewer, Viewer, check_program
from api.problems import Problem, not_found
from api.query import AlertNumber, PageQuery, Strict
from api.routes.visits import Answer
from api.site import site_of
from evm.services import watch
from evm.store.screens import alerts
from evm.store.screens.alerts import AlertRow

router = APIRouter(tags=["alerts"])
CLOSED = "This alert is closed already."
STATES: dict[str, tuple[str, ...]] = {
    "unclosed": ("open", "acknowledged"),
    "open": ("open",),
    "acknowledged": ("acknowledged",),
    "closed": ("closed",),
}


class AlertsQuery(PageQuery):
    state: Literal["unclosed", "open", "acknowledged", "closed"] = "unclosed"


class AlertAnswer(Answer):
    """One alert. `reclassified`: what later evidence says; a person closes."""

    alert_id: int
    kind: str
    provider_id: str
    customer_id: str | None
    worker_id: str | None
    visit_id: str | None
    slot: int | None
    stage: str | None
    risk: str
    due_at: datetime
    raised_at: datetime
    detected_late: bool
    words: str
    state: str
    reclassified: str | None
    outcome: str | None


class AlertGroupAnswer(AlertAnswer):
    """The highest stage of what stands about one slot of one visit, with the others. Acting on one acts on all that are not closed."""

    others: tuple[AlertAnswer, ...]


class AlertsAnswer(Answer):
    """One page. `counts` and `matching` count groups."""

    page: int
    matching: int
    counts: dict[str, int]
    alerts: tuple[AlertGroupAnswer, ...]


class ActBody(Strict):
    words: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] = ""


class CloseBody(Strict):
    outcome: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=700)]


@router.get("/v1/alerts", summary="Alerts, the most dangerous first")
def list_alerts(request: Request, query: Annotated[AlertsQuery, Query()], viewer: AlertViewer) -> AlertsAnswer:
    site = site_of(request)
    rows = site.settings.page_rows
    with site.reading() as session:
        found = alerts.listed(
            session, scope=viewer.scope, states=STATES[query.state], limit=rows, offset=(query.page - 1) * rows
        )
    return AlertsAnswer(
        page=query.page,
        matching=found.matching,
        counts=dict(found.counts),
        alerts=tuple(
            AlertGroupAnswer(
                **alert_answer(group.head).model_dump(), others=tuple(alert_answer(other) for other in group.others)
            )
            for group in found.groups
        ),
    )


@router.post("/v1/alerts/{alert_id}/acknowledge", summary="I am dealing with it")
def acknowledge(request: Request, alert_id: AlertNumber, body: ActBody, viewer: AlertActor) -> AlertAnswer:
    check_program(request, viewer)
    site = site_of(request)
    try:
        with site.sessions.begin() as session:
            alert_acts.acknowledge(session, viewer=viewer, alert_id=alert_id, words=body.words, now=site.clock())
            return _visible(session, viewer, alert_id)
    except watch.AlertNotOpen as refused:
        raise Problem(409, "alert-state", CLOSED) from refused


@router.post("/v1/alerts/{alert_id}/close", summary="It is over, and how")
def close(request: Request, alert_id: AlertNumber, body: CloseBody, viewer: AlertActor) -> AlertAnswer:
    check_program(request, viewer)
    site = site_of(request)
    try:
        with site.sessions.begin() as session:
            alert_acts.close(session, viewer=viewer, alert_id=alert_id, outcome=body.outcome, now=site.clock())
            return _visible(session, viewer, alert_id)
    except watch.AlertNotOpen as refused:
        raise Problem(409, "alert-state", CLOSED) from refused


def _visible(session: Session, viewer: Viewer, alert_id: int) -> AlertAnswer:
    row = alerts.one(session, scope=viewer.scope, alert_id=alert_id)
    if row is None:
        raise not_found()
    return alert_answer(row)


def alert_answer(row: AlertRow) -> AlertAnswer:
    """A row as JSON says it."""
    return AlertAnswer(**{name: getattr(row, name) for name in AlertAnswer.model_fields})
