"""The pages of invoices and of one invoice with its verdicts. Not judging (evm.services.invoice)."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from api.auth import InvoiceViewer
from api.pages import words
from api.pages.paging import href, pages
from api.pages.render import render
from api.problems import not_found
from api.query import Id, PageQuery
from api.site import site_of
from evm.store.screens import invoices
from evm.store.screens.invoices import VerdictSum

router = APIRouter(include_in_schema=False)
INVOICES_SHOWN = 20
PRINT_LINES = 1_000


class InvoiceQuery(PageQuery):
    """Which lines; `line` opens the page on which that line stands; `all` puts a thousand lines on a page, for printing."""

    verdict: Literal["", "pay", "reduce", "withhold", "query", "disallow", "not judged", "released"] = ""
    line: Annotated[int, Field(ge=1, le=2**31)] | None = None
    all: Literal["", "yes"] = ""


@router.get("/invoices")
def invoices_page(request: Request, query: Annotated[PageQuery, Query()], viewer: InvoiceViewer) -> Response:
    with site_of(request).reading() as session:
        matching = invoices.count(session, scope=viewer.scope)
        offset = (query.page - 1) * INVOICES_SHOWN
        rows = invoices.listed(session, scope=viewer.scope, limit=INVOICES_SHOWN, offset=offset)
        sums = {row.invoice_id: totals(invoices.sums(session, invoice_id=row.invoice_id)) for row in rows}
    shown = pages(path="/invoices", query={}, number=query.page, matching=matching, rows=INVOICES_SHOWN)
    return render(request, template="invoices.html", facts={"rows": rows, "sums": sums, "pages": shown})


@router.get("/invoices/{invoice_id}")
def invoice_page(
    request: Request, invoice_id: Id, query: Annotated[InvoiceQuery, Query()], viewer: InvoiceViewer
) -> Response:
    site = site_of(request)
    rows = PRINT_LINES if query.all else site.settings.page_rows
    with site.reading() as session:
        invoice = invoices.one(session, scope=viewer.scope, invoice_id=invoice_id)
        if invoice is None:
            raise not_found()
        sums = invoices.sums(session, invoice_id=invoice_id)
        released = invoices.released(session, invoice_id=invoice_id)
        verdict = query.verdict or None
        matching = sum(each.lines for each in sums if verdict in {None, each.verdict})
        if verdict == invoices.RELEASED:
            matching = released.lines
        number = query.page
        if query.line is not None:
            before = invoices.lines_before(session, invoice_id=invoice_id, verdict=verdict, line_no=query.line)
            number = min(before // rows + 1, max(1, -(-matching // rows)))
        lines = invoices.lines(session, invoice_id=invoice_id, verdict=verdict, limit=rows, offset=(number - 1) * rows)
    path = f"/invoices/{invoice_id}"
    facts: dict[str, Any] = {
        "invoice": invoice,
        "totals": totals(sums),
        "by_verdict": by_verdict(sums, path=path, chosen=query.verdict),
        "verdict": query.verdict,
        "released": released,
        "released_href": href(path, {"verdict": invoices.RELEASED}) + "#lines",
        "all_href": href(path, {"verdict": query.verdict, "all": "yes"}),
        "lines": [
            {"line": line, "verdict": words.status_of(words.VERDICTS, line.verdict or "not judged")} for line in lines
        ],
        "pages": pages(
            path=path, query={"verdict": query.verdict, "all": query.all}, number=number, matching=matching, rows=rows
        ),
    }
    return render(request, template="invoice.html", facts=facts)


def totals(sums: tuple[VerdictSum, ...]) -> dict[str, int]:
    """Pence: claimed = payable + reduced + withheld + disallowed + not yet judged; `shadow` is part of payable."""
    found = {
        field: sum(getattr(each, f"{field}_pence") for each in sums)
        for field in ("claimed", "payable", "reduced", "withheld", "disallowed", "shadow")
    }
    found["unjudged"] = sum(each.claimed_pence for each in sums if each.verdict == "not judged")
    found["lines"] = sum(each.lines for each in sums)
    return found


def by_verdict(sums: tuple[VerdictSum, ...], *, path: str, chosen: str) -> list[dict[str, Any]]:
    """One row a verdict, in the order of words.VERDICTS, each opening its lines."""
    held = {each.verdict: each for each in sums}
    return [
        {
            "sum": held[code],
            "status": status,
            "href": href(path, {"verdict": code}) + "#lines",
            "chosen": chosen == code,
        }
        for code, status in words.VERDICTS.items()
        if code in held
    ]
