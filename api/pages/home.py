"""The first page after signing in: the doors this reader may open, each with its figures. Not the pages behind them."""

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from api.auth import Right, SignedInViewer, Viewer
from api.pages import words
from api.pages.paging import href
from api.pages.render import day_words, render
from api.pages.visit_facts import judge_at
from api.pages.visits import FILTERS
from api.site import Site, site_of
from evm.store.screens import alerts, invoices, rosters, visits
from evm.store.screens.days import days_around

router = APIRouter(include_in_schema=False)


@router.get("/")
def home(request: Request, viewer: SignedInViewer) -> Response:
    site = site_of(request)
    with site.reading() as session:
        doors = [] if viewer.scope.nothing else _doors(session, site=site, viewer=viewer)
    return render(request, template="home.html", facts={"doors": doors})


def _doors(session: Session, *, site: Site, viewer: Viewer) -> list[dict[str, Any]]:
    made = {
        Right.SEE_VISITS: _visits_door,
        Right.SEE_ALERTS: _alerts_door,
        Right.SEE_INVOICES: _invoices_door,
        Right.SEE_ROSTERS: _rosters_door,
    }
    return [door(session, site, viewer) for right, door in made.items() if right in viewer.rights]


def _visits_door(session: Session, site: Site, viewer: Viewer) -> dict[str, Any]:
    found = visits.day(session, scope=viewer.scope, on=site.today(), judge=judge_at(site), limit=0, offset=0)
    figures = [
        {"value": found.counts[code], "status": words.STATUSES[code], "href": href("/visits", {"status": code})}
        for code in FILTERS
        if found.counts.get(code)
    ]
    return {
        "title": "Today\N{RIGHT SINGLE QUOTATION MARK}s visits",
        "href": "/visits",
        "figures": figures,
        "empty": "No visits are planned today.",
        "instead": None if figures else _nearest_day(session, site, viewer),
    }


def _nearest_day(session: Session, site: Site, viewer: Viewer) -> dict[str, str] | None:
    """Where to look when today is empty."""
    around = days_around(session, scope=viewer.scope, on=site.today())
    if around.nearest is None:
        return None
    which = "The newest day with visits" if around.before is not None else "The first day with visits"
    return {
        "text": f"{which}: {day_words(around.nearest)}",
        "href": href("/visits", {"day": around.nearest.isoformat()}),
    }


def _alerts_door(session: Session, site: Site, viewer: Viewer) -> dict[str, Any]:
    del site
    counts = alerts.listed(session, scope=viewer.scope, states=(), limit=0, offset=0).counts
    figures = [
        {"value": counts[state], "status": words.ALERT_STATES[state], "href": href("/alerts", {"state": state})}
        for state in ("open", "acknowledged")
        if counts.get(state)
    ]
    return {"title": "Alerts", "href": "/alerts", "figures": figures, "empty": "No alert is open."}


def _invoices_door(session: Session, site: Site, viewer: Viewer) -> dict[str, Any]:
    del site
    figures = [
        {
            "value": words.pounds(row.claimed_pence),
            "status": words.Status(text=f"{row.number}, {row.state}", sign="£", colour="grey"),
            "href": f"/invoices/{row.invoice_id}",
        }
        for row in invoices.listed(session, scope=viewer.scope, limit=3)
    ]
    return {"title": "Invoices", "href": "/invoices", "figures": figures, "empty": "No invoice has come in."}


def _rosters_door(session: Session, site: Site, viewer: Viewer) -> dict[str, Any]:
    del site
    figures = [
        {
            "value": row.locality_name,
            "status": words.Status(text=day_words(row.day), sign="✓", colour="green"),
            "href": f"/rosters/{row.roster_id}",
        }
        for row in rosters.listed(session, scope=viewer.scope, limit=3, state="published")
    ]
    return {
        "title": "Published rosters",
        "href": "/rosters",
        "figures": figures,
        "empty": "No roster is published yet.",
    }
