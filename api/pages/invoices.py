"""The pages of invoices, of shadow mode by provider, and of one invoice with its verdicts. Not judging (evm.services.invoice)."""

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import Field, StringConstraints

from api import auth
from api.auth import InvoiceViewer, Right, ShadowSetter, Viewer
from api.pages import words
from api.pages.paging import href, pages
from api.pages.render import render
from api.problems import not_found
from api.query import Id, PageQuery, Strict
from api.site import site_of
from evm.domain.ids import CouncilId, ProviderId
from evm.services import shadow
from evm.services.shadow import ShadowRefused
from evm.store import claims
from evm.store.screens import invoices
from evm.store.screens import shadow as shadow_screen
from evm.store.screens.invoices import VerdictSum

router = APIRouter(include_in_schema=False)
INVOICES_SHOWN = 20
PRINT_LINES = 1_000


class InvoiceQuery(PageQuery):
    """Which lines; `line` opens the page on which that line stands; `all` puts a thousand lines on a page, for printing."""

    verdict: Literal["", "pay", "reduce", "withhold", "query", "disallow", "not judged", "released"] = ""
    line: Annotated[int, Field(ge=1, le=2**31)] | None = None
    all: Literal["", "yes"] = ""


class ShadowForm(Strict):
    """Until which day (YYYY-MM-DD, the first that holds money) a provider is in shadow mode, and why. `pair`: council and provider."""

    csrf_token: Annotated[str, Field(max_length=200)]
    pair: Annotated[str, Field(max_length=80)] = ""
    until: Annotated[str, StringConstraints(strip_whitespace=True, max_length=20)] = ""
    why: Annotated[str, StringConstraints(strip_whitespace=True, max_length=1_000)] = ""


@router.get("/invoices")
def invoices_page(request: Request, query: Annotated[PageQuery, Query()], viewer: InvoiceViewer) -> Response:
    return _invoices_page(request, query=query, viewer=viewer)


@router.post("/invoices/shadow")
def set_shadow(request: Request, form: Annotated[ShadowForm, Form()], viewer: ShadowSetter) -> Response:
    """Set a provider's shadow mode; a refusal shows the page again with what was written and what is wrong with it."""
    auth.check_same_site(request)
    auth.check_csrf(viewer, token=form.csrf_token)
    site = site_of(request)
    try:
        with site.sessions.begin() as session:
            known = shadow_screen.pairs(session, scope=viewer.scope, today=site.today())
            chosen = next((pair for pair in known if _pair_code(pair) == form.pair), None)
            if chosen is None:
                raise ShadowRefused(field="provider", words="must be chosen from the list")
            shadow.set_shadow(
                session,
                council_id=CouncilId(chosen.council_id),
                provider_id=ProviderId(chosen.provider_id),
                until=_day(form.until),
                why=form.why,
                who=viewer.account.name,
                now=site.clock(),
                policy=site.policy,
            )
    except ShadowRefused as refused:
        return _invoices_page(request, query=PageQuery(), viewer=viewer, refused=refused, form=form)
    return RedirectResponse("/invoices#shadow", status_code=303)


def _pair_code(pair: shadow_screen.Pair) -> str:
    return f"{pair.council_id}|{pair.provider_id}"


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text) if len(text) == 10 else _no_day()
    except ValueError:
        return _no_day()


def _no_day() -> date:
    raise ShadowRefused(field="until", words="must be a day written YYYY-MM-DD")


def _invoices_page(
    request: Request,
    *,
    query: PageQuery,
    viewer: Viewer,
    refused: ShadowRefused | None = None,
    form: ShadowForm | None = None,
) -> Response:
    with site_of(request).reading() as session:
        matching = invoices.count(session, scope=viewer.scope)
        offset = (query.page - 1) * INVOICES_SHOWN
        rows = invoices.listed(session, scope=viewer.scope, limit=INVOICES_SHOWN, offset=offset)
        sums = {row.invoice_id: totals(invoices.sums(session, invoice_id=row.invoice_id)) for row in rows}
        pairs = shadow_screen.pairs(session, scope=viewer.scope, today=site_of(request).today())
        settings = shadow_screen.settings(session, scope=viewer.scope)
    facts = {
        "rows": rows,
        "sums": sums,
        "pages": pages(path="/invoices", query={}, number=query.page, matching=matching, rows=INVOICES_SHOWN),
        "pairs": [{"pair": pair, "code": _pair_code(pair)} for pair in pairs],
        "settings": settings,
        "may_set_shadow": Right.SET_SHADOW in viewer.rights,
        "refused": refused,
        "form": form,
    }
    return render(request, template="invoices.html", facts=facts, status=200 if refused is None else 422)


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
        said = claims.columns_of(session, invoice_id=invoice_id, rows=[n for each in lines if (n := each.claim_row)])
    path = f"/invoices/{invoice_id}"
    facts: dict[str, Any] = {
        "invoice": invoice,
        "totals": totals(sums),
        "would": without_shadow(sums),
        "by_verdict": by_verdict(sums, path=path, chosen=query.verdict),
        "verdict": query.verdict,
        "released": released,
        "released_href": href(path, {"verdict": invoices.RELEASED}) + "#lines",
        "all_href": href(path, {"verdict": query.verdict, "all": "yes"}),
        "lines": [
            {
                "line": line,
                "verdict": words.status_of(words.VERDICTS, line.verdict or "not judged"),
                "said": said.get(line.claim_row or 0, {}),
            }
            for line in lines
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


SHADOW_PARTS = {"reduce": "reduced", "withhold": "withheld", "query": "withheld", "disallow": "disallowed"}


def without_shadow(sums: tuple[VerdictSum, ...]) -> dict[str, int]:
    """The sums in pence as they would have been without shadow mode: what it pays stands under the verdict that it was given."""
    found = totals(sums)
    for each in sums:
        if each.shadow_pence:
            found["payable"] -= each.shadow_pence
            found[SHADOW_PARTS[each.verdict]] += each.shadow_pence
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
