"""The page from which a branch and a commissioner take files away, and the files themselves, streamed. Not their contents
(evm.services.exports)."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy.orm import Session

from api.auth import Exporter, Viewer
from api.pages.render import render
from api.problems import Problem
from api.query import CareDay, Strict
from api.site import Site, site_of
from evm.services.exports import tables
from evm.services.exports.csv_text import csv_text
from evm.services.exports.tables import Asked, ExportRefused
from evm.store import exports

router = APIRouter(include_in_schema=False)
VISITS_MAX: Final = 50_000
"""More than so many visits are exported from the command line: a browser is no place for a county's year."""
TITLES: Final = {
    tables.PAYROLL: "Payroll, a line each care worker",
    tables.PAYROLL_LINES: "Payroll, every visit and journey",
    tables.COMMISSIONED: "Commissioned care, a line each customer and week",
    tables.ACTUALS: "Actuals, a line each planned visit and care worker",
}


class ExportsQuery(Strict):
    """Nothing to choose before the form."""


class ExportQuery(Strict):
    """Days as a person says them: both the first and the last are in it."""

    since: CareDay
    last: CareDay
    excel: Literal["", "yes"] = ""


@router.get("/exports")
def exports_page(request: Request, query: Annotated[ExportsQuery, Query()], viewer: Exporter) -> Response:
    del query
    site = site_of(request)
    today = site.today()
    monday = today - timedelta(days=today.weekday())
    facts: dict[str, Any] = {
        "tables": [{"name": name, "title": TITLES[name]} for name in tables.NAMES if _has(viewer, name)],
        "since": monday - timedelta(days=28),
        "last": monday - timedelta(days=1),
        "visits_max": VISITS_MAX,
    }
    return render(request, template="exports.html", facts=facts)


@router.get("/exports/{name}.csv")
def export_file(request: Request, name: str, query: Annotated[ExportQuery, Query()], viewer: Exporter) -> Response:
    """The table of the reader's own scope as CSV; noted with who took it before its first byte leaves."""
    site = site_of(request)
    if query.last < query.since:
        raise Problem(
            422, "export", "The last day lies before the first day: go back and choose a last day on or after it."
        )
    asked = Asked(name=name, scope=viewer.scope, since=query.since, until=query.last + timedelta(days=1))
    try:
        tables.check(asked)
    except ExportRefused as refused:
        raise Problem(422, "export", f"{_field(refused.field)} {refused.words}.") from None
    with site.reading() as session:
        visits = exports.count_care(session, scope=asked.scope, since_day=asked.since, until_day=asked.until)
    if visits > VISITS_MAX:
        words = f"These days hold {visits:,} visits, and this page gives at most {VISITS_MAX:,}: take fewer days, or use popback export."
        raise Problem(422, "export-size", words)
    _note(site, viewer, asked, visits)
    file = f"{name}-{asked.since.isoformat()}-{query.last.isoformat()}.csv"
    return StreamingResponse(
        _pieces(site, asked, bom=query.excel == "yes"),
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="{file}"'},
    )


def _pieces(site: Site, asked: Asked, *, bom: bool) -> Iterator[str]:
    with site.reading() as session:
        exports.one_moment(session)
        yield from _text(session, site, asked, bom=bom)


def _text(session: Session, site: Site, asked: Asked, *, bom: bool) -> Iterator[str]:
    made = tables.table(session, asked=asked, policy=site.policy)
    return csv_text(columns=made.columns, rows=made.rows, zone=site.policy.zone, bom=bom)


def _note(site: Site, viewer: Viewer, asked: Asked, visits: int) -> None:
    days: dict[str, date] = {"since": asked.since, "until": asked.until}
    with site.sessions.begin() as session:
        exports.note(
            session,
            name=asked.name,
            who=viewer.account.account_id,
            asked={key: day.isoformat() for key, day in days.items()},
            rows=visits,
            now=site.clock(),
        )


def _has(viewer: Viewer, name: str) -> bool:
    """Whether the table has a meaning in the reader's scope: payroll is one provider's, whole."""
    monday = date(2026, 1, 5)
    try:
        tables.check(Asked(name=name, scope=viewer.scope, since=monday, until=monday + timedelta(days=7)))
    except ExportRefused:
        return False
    return True


def _field(name: str) -> str:
    return {"until": "The last day", "name": "The file", "provider": "This file:"}[name]
