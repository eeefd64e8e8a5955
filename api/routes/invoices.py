"""An invoice with its verdicts as JSON. The same rows and scope as the page (api.pages.invoices)."""

from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request

from api.auth import InvoiceViewer
from api.pages.invoices import totals
from api.problems import not_found
from api.query import Id, PageQuery
from api.routes.visits import Answer
from api.site import site_of
from evm.store.screens import invoices

router = APIRouter(tags=["invoices"])


class InvoiceQuery(PageQuery):
    verdict: Literal["pay", "reduce", "withhold", "query", "disallow", "not judged"] | None = None


class LineAnswer(Answer):
    """One claim line with its newest verdict; None until it is judged. Amounts are pence."""

    line_no: int
    visit_id: str | None
    slot: int
    customer_id: str
    worker_id: str | None
    start_at: datetime
    minutes_claimed: int
    pence_claimed: int
    verdict: str | None
    version: int | None
    payable_pence: int | None
    reduced_pence: int | None
    withheld_pence: int | None
    disallowed_pence: int | None
    minutes_evidenced: int | None
    reason: str | None
    words: str | None


class InvoiceAnswer(Answer):
    """claimed = payable + reduced + withheld + disallowed + unjudged. `shadow_pence`: the part of payable that is paid only because shadow
    mode runs. `released_pence`: paid since the first verdicts; `taken_back_pence`: no longer. `period_until` is the first day after."""

    invoice_id: str
    number: str
    provider_id: str
    council_id: str
    period_since: date
    period_until: date
    received_at: datetime
    state: str
    claimed_pence: int
    payable_pence: int
    reduced_pence: int
    withheld_pence: int
    disallowed_pence: int
    unjudged_pence: int
    shadow_pence: int
    released_pence: int
    taken_back_pence: int
    line_count: int
    page: int
    lines: tuple[LineAnswer, ...]


@router.get("/v1/invoices/{invoice_id}", summary="An invoice with verdicts")
def one_invoice(
    request: Request, invoice_id: Id, query: Annotated[InvoiceQuery, Query()], viewer: InvoiceViewer
) -> InvoiceAnswer:
    site = site_of(request)
    rows = site.settings.page_rows
    with site.reading() as session:
        invoice = invoices.one(session, scope=viewer.scope, invoice_id=invoice_id)
        if invoice is None:
            raise not_found()
        sums = totals(invoices.sums(session, invoice_id=invoice_id))
        released = invoices.released(session, invoice_id=invoice_id)
        lines = invoices.lines(
            session, invoice_id=invoice_id, verdict=query.verdict, limit=rows, offset=(query.page - 1) * rows
        )
    return InvoiceAnswer(
        invoice_id=invoice.invoice_id,
        number=invoice.number,
        provider_id=invoice.provider_id,
        council_id=invoice.council_id,
        period_since=invoice.period_since,
        period_until=invoice.period_until,
        received_at=invoice.received_at,
        state=invoice.state,
        line_count=sums["lines"],
        released_pence=released.released_pence,
        taken_back_pence=released.taken_back_pence,
        page=query.page,
        lines=tuple(LineAnswer(**{name: getattr(line, name) for name in LineAnswer.model_fields}) for line in lines),
        **{f"{name}_pence": pence for name, pence in sums.items() if name != "lines"},
    )
