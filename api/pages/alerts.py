"""The live alerts page and one alert with what was done about it. Not raising alerts (evm.services.watch), not polling (api.stream)."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

import structlog
from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import Field, StringConstraints

from api import alert_acts, auth
from api.auth import AlertActor, AlertViewer, Right, Viewer
from api.pages import words
from api.pages.paging import href, pages
from api.pages.render import render
from api.problems import not_found
from api.query import AlertNumber, PageQuery, Strict
from api.site import Site, site_of
from api.stream import AlertStream
from evm.services import watch
from evm.store.screens import alerts
from evm.store.screens.alerts import AlertRow

router = APIRouter(include_in_schema=False)
log = structlog.get_logger(__name__)
STATES: dict[str, tuple[str, ...]] = {
    "": ("open", "acknowledged"),
    "open": ("open",),
    "acknowledged": ("acknowledged",),
    "closed": ("closed",),
}
CLOSED = "This alert is closed already"
OUTCOMES = (
    "Visit made, heard of late",
    "Visit made late",
    "Another care worker went",
    "Customer well, visit not needed",
    "Customer cared for by family",
    "Emergency services called",
    "Safeguarding referral made",
    "Raised in error",
)


class AlertsQuery(PageQuery):
    """Which alerts; empty: those that somebody must still close."""

    state: Literal["", "open", "acknowledged", "closed"] = ""


class ActForm(Strict):
    """What a person does about an alert. `words` are free; on closing, `outcome` says how it ended."""

    csrf_token: Annotated[str, Field(max_length=200)]
    words: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] = ""


class CloseForm(ActForm):
    outcome: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)] = ""


@router.get("/alerts")
def alerts_page(request: Request, query: Annotated[AlertsQuery, Query()], viewer: AlertViewer) -> Response:
    return render(request, template="alerts.html", facts=_list_facts(request, query, viewer))


@router.get("/alerts/list")
def alerts_list(request: Request, query: Annotated[AlertsQuery, Query()], viewer: AlertViewer) -> Response:
    """The list alone: what the live page fetches again when something changed."""
    return render(request, template="parts/alert_list.html", facts=_list_facts(request, query, viewer))


def _list_facts(request: Request, query: AlertsQuery, viewer: Viewer) -> dict[str, Any]:
    site = site_of(request)
    rows = site.settings.page_rows
    with site.reading() as session:
        found = alerts.listed(
            session, scope=viewer.scope, states=STATES[query.state], limit=rows, offset=(query.page - 1) * rows
        )
    return {
        "rows": [
            {**line(group.head), "group_id": group.group_id, "others": [line(other) for other in group.others]}
            for group in found.groups
        ],
        "state": query.state,
        "counts": [
            {
                "value": found.counts.get(state, 0),
                "status": words.ALERT_STATES[state],
                "href": href("/alerts", {"state": state}),
                "chosen": state == query.state,
            }
            for state in words.ALERT_STATES
        ],
        "pages": pages(
            path="/alerts", query={"state": query.state}, number=query.page, matching=found.matching, rows=rows
        ),
        "may_act": Right.ACT_ON_ALERTS in viewer.rights,
    }


def line(row: AlertRow) -> dict[str, Any]:
    """An alert with its risk and state in words."""
    people = ((row.customer_id, row.customer_name), (row.worker_id, row.worker_name))
    return {
        "alert": row,
        "said": words.with_names(row.words, names={who: name for who, name in people if who and name}),
        "risk": words.status_of(words.RISKS, row.risk),
        "state": words.status_of(words.ALERT_STATES, row.state),
        "stage": words.STAGES.get(row.stage or ""),
    }


@router.get("/alerts/stream", response_class=EventSourceResponse)
async def alerts_stream(request: Request, viewer: AlertViewer) -> AsyncIterator[ServerSentEvent]:
    """Which alerts changed, as they change, within the reader's scope; `alive` between, `end` when the session is over."""
    stream: AlertStream = request.app.state.stream
    yield ServerSentEvent(event="alive", data={})
    async for change in stream.watch(scope=viewer.scope, still_allowed=lambda: _still(request, viewer)):
        if await request.is_disconnected():
            return
        if change is None:
            yield ServerSentEvent(event="alive", data={})
        else:
            yield ServerSentEvent(
                event="alert", id=str(change.entry_id), data={"alert_id": change.alert_id, "act": change.act}
            )
    log.info("a live stream ended", account=viewer.account.account_id, path=request.url.path)
    yield ServerSentEvent(event="end", data={})


def _still(request: Request, viewer: Viewer) -> bool:
    """Whether the session goes on, and for somebody who may still see what this stream was opened for."""
    now = auth.viewer_of(request)
    return now is not None and now.scope == viewer.scope and Right.SEE_ALERTS in now.rights


@router.get("/alerts/{alert_id}")
def alert_page(request: Request, alert_id: AlertNumber, viewer: AlertViewer) -> Response:
    return _alert_page(request, alert_id=alert_id, viewer=viewer)


@router.post("/alerts/{alert_id}/acknowledge")
def acknowledge_alert(
    request: Request, alert_id: AlertNumber, form: Annotated[ActForm, Form()], viewer: AlertActor
) -> Response:
    auth.check_same_site(request)
    auth.check_csrf(viewer, token=form.csrf_token)
    site = site_of(request)
    try:
        with site.sessions.begin() as session:
            alert_acts.acknowledge(session, viewer=viewer, alert_id=alert_id, words=form.words, now=site.clock())
    except watch.AlertNotOpen:
        return _alert_page(request, alert_id=alert_id, viewer=viewer, error=CLOSED, status=409)
    return RedirectResponse(f"/alerts/{alert_id}", status_code=303)


@router.post("/alerts/{alert_id}/close")
def close_alert(
    request: Request, alert_id: AlertNumber, form: Annotated[CloseForm, Form()], viewer: AlertActor
) -> Response:
    auth.check_same_site(request)
    auth.check_csrf(viewer, token=form.csrf_token)
    site = site_of(request)
    if not form.outcome:
        error = "Say how it ended before you close it"
        return _alert_page(request, alert_id=alert_id, viewer=viewer, error=error, status=422)
    try:
        with site.sessions.begin() as session:
            outcome = f"{form.outcome}. {form.words}" if form.words else form.outcome
            alert_acts.close(session, viewer=viewer, alert_id=alert_id, outcome=outcome, now=site.clock())
    except watch.AlertNotOpen:
        return _alert_page(request, alert_id=alert_id, viewer=viewer, error=CLOSED, status=409)
    return RedirectResponse(f"/alerts/{alert_id}", status_code=303)


def _alert_page(
    request: Request, *, alert_id: int, viewer: Viewer, error: str | None = None, status: int = 200
) -> Response:
    site: Site = site_of(request)
    with site.reading() as session:
        group = alerts.group_of(session, scope=viewer.scope, alert_id=alert_id)
        if group is None:
            raise not_found()
        history = alerts.history(session, alert_id=alert_id)
        phones = alerts.branch_phones(session, provider_id=group.head.provider_id)
    facts = {
        **line(group.head),
        "others": [line(other) for other in group.others],
        "acts_on": len(group.unclosed),
        "may_acknowledge": any(row.state == "open" for row in (group.head, *group.others)),
        "history": history,
        "branches": phones,
        "outcomes": OUTCOMES,
        "error": error,
        "may_act": Right.ACT_ON_ALERTS in viewer.rights,
    }
    return render(request, template="alert.html", facts=facts, status=status)
