"""The pages of a day's visits and of one visit with its evidence. Not the queries (evm.store.screens.visits)."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.orm import Session

from api.auth import VisitViewer
from api.pages import words
from api.pages.paging import href, pages
from api.pages.render import render
from api.pages.visit_facts import Stay, findings_of, judge_at, stays_of, visit_facts
from api.problems import not_found
from api.query import CARE_DAY_FIRST, CARE_DAY_LAST, CareDay, Id, PageQuery, VisitKey
from api.site import Site, site_of
from evm.store.screens import visits
from evm.store.screens.days import days_around
from evm.store.screens.scope import localities_visible
from evm.store.screens.visits import DayPage, VisitRow

router = APIRouter(include_in_schema=False)
FILTERS = tuple(words.STATUSES)


class VisitsQuery(PageQuery):
    """The filter; empty means all."""

    day: CareDay | Literal[""] = ""
    locality: Id | Literal[""] = ""
    status: Literal[
        "",
        "pending",
        "under way",
        "overdue",
        "delivered",
        "part delivered",
        "missed",
        "cancelled",
        "refused by customer",
        "no reply",
    ] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row of the table, in words."""

    href: str
    start: datetime | None
    minutes_planned: int | None
    customer_name: str
    locality_name: str
    workers: tuple[str, ...]
    stays: tuple[Stay, ...]
    status: words.Status
    risk: str
    popback: bool
    findings: tuple[str, ...]


@router.get("/visits")
def visits_page(request: Request, query: Annotated[VisitsQuery, Query()], viewer: VisitViewer) -> Response:
    site = site_of(request)
    day = query.day or site.today()
    with site.reading() as session:
        found = _found(session, site=site, query=query, day=day, viewer=viewer)
        localities = localities_visible(session, scope=viewer.scope)
        around = None if found.counts else days_around(session, scope=viewer.scope, on=day)
    kept = {"day": day.isoformat(), "locality": query.locality}
    facts: dict[str, Any] = {
        "day": day,
        "locality": query.locality,
        "localities": localities,
        "chosen": query.status,
        "statuses": {code: words.STATUSES[code] for code in FILTERS},
        "counts": _counts(found, kept=kept, chosen=query.status),
        "rows": [line(row) for row in found.rows],
        "previous_day": _day_link(day - timedelta(days=1), kept=kept),
        "next_day": _day_link(day + timedelta(days=1), kept=kept),
        "today_href": href("/visits", {"locality": query.locality}),
        "nearest": _day_link(around.nearest, kept={}) if around is not None and around.nearest is not None else None,
        "nearest_is_newest": around is not None and around.before is not None,
        "pages": pages(
            path="/visits",
            query={**kept, "status": query.status},
            number=query.page,
            matching=found.matching,
            rows=site.settings.page_rows,
        ),
    }
    return render(request, template="visits.html", facts=facts)


def _day_link(day: date, *, kept: dict[str, str]) -> dict[str, Any] | None:
    """A link to a day; None beyond the days that the address takes."""
    if not CARE_DAY_FIRST <= day <= CARE_DAY_LAST:
        return None
    return {"day": day, "href": href("/visits", {**kept, "day": day.isoformat()})}


def _found(session: Session, *, site: Site, query: VisitsQuery, day: date, viewer: VisitViewer) -> DayPage:
    return visits.day(
        session,
        scope=viewer.scope,
        on=day,
        judge=judge_at(site),
        locality_id=query.locality or None,
        status=query.status or None,
        limit=site.settings.page_rows,
        offset=(query.page - 1) * site.settings.page_rows,
    )


def _counts(found: DayPage, *, kept: dict[str, str], chosen: str) -> list[dict[str, Any]]:
    total = {
        "value": sum(found.counts.values()),
        "status": words.Status(text="All", sign="Σ", colour="grey"),
        "href": href("/visits", dict(kept)),
        "chosen": chosen == "",
    }
    by_status = [
        {
            "value": found.counts[code],
            "status": words.status_of(words.STATUSES, code),
            "href": href("/visits", {**kept, "status": code}),
            "chosen": chosen == code,
        }
        for code in FILTERS
        if found.counts.get(code)
    ]
    return [total, *by_status] if by_status else []


def line(row: VisitRow) -> Line:
    """A row in words."""
    stays = stays_of(row)
    named = tuple(name for _, _, name in row.rostered if name)
    return Line(
        href=f"/visits/{row.visit_key}",
        start=row.start,
        minutes_planned=row.minutes_planned,
        customer_name=row.customer_name,
        locality_name=row.locality_name,
        workers=named,
        stays=stays,
        status=words.status_of(words.STATUSES, row.status),
        risk=row.risk,
        popback=row.popback,
        findings=tuple(sorted({finding.code.value for finding in findings_of(row)})),
    )


@router.get("/visits/{visit_key}")
def visit_page(request: Request, visit_key: VisitKey, viewer: VisitViewer) -> Response:
    site = site_of(request)
    with site.reading() as session:
        row = visits.one(session, scope=viewer.scope, visit_key=visit_key, judge=judge_at(site))
        if row is None:
            raise not_found()
        facts = visit_facts(session, row=row, site=site, viewer=viewer)
    return render(request, template="visit.html", facts={**facts, "line": line(row), "row": row})
