"""Invoices on the site beyond their verdicts: shadow mode set by the council, what a claim's file said, and evidence of other vendors."""

from datetime import date
from html import unescape

from fastapi.testclient import TestClient
from sqlalchemy import insert, update
from sqlalchemy.orm import Session, sessionmaker

from evm.domain.evidence import EventKind, Grade, Method
from evm.domain.ids import CustomerId, WorkerId
from evm.domain.policy import Policy
from evm.services.feeds import FeedEvent, take_events
from evm.store import shadow
from evm.store.tables.feeds import claim_rows
from evm.store.tables.money import invoice_lines, line_verdicts
from tests.api import town
from tests.api.conftest import Reader, csrf
from tests.api.test_pages import text_of

PAIR = f"{town.COUNCIL}|{town.PROVIDER}"


def send(client: TestClient, **changes: str):
    form = {"pair": PAIR, "until": "2026-12-24", "why": "The phones came late"} | changes
    token = csrf(client.get("/").text)
    return client.post("/invoices/shadow", data={**form, "csrf_token": token}, follow_redirects=False)


def test_the_council_sets_shadow_mode_and_it_stands_on_the_page_with_who_and_why(
    visitor: Reader, sessions: sessionmaker[Session]
) -> None:
    """Broken: nobody could see until when a provider is paid without evidence, nor who decided it."""
    client = visitor("commissioner")
    assert send(client).status_code == 303
    page = text_of(client.get("/invoices").text)
    assert "Thursday 24 December 2026 in shadow mode until then" in page
    assert "The phones came late" in page
    with sessions() as session:
        entry = shadow.newest_entry(session, council_id=town.COUNCIL, provider_id=town.PROVIDER)
    assert entry is not None
    assert (entry.shadow_until, entry.before, entry.who) == (date(2026, 12, 24), None, "Commissioner Person")


def test_a_provider_sees_its_shadow_mode_and_has_no_form_for_it(visitor: Reader) -> None:
    """Broken: a provider could ask to be paid without evidence by itself."""
    send(visitor("commissioner"))
    page = visitor("branch").get("/invoices").text
    assert "Thursday 24 December 2026" in page
    assert 'action="/invoices/shadow"' not in page


def test_a_refused_setting_says_why_and_keeps_what_was_written(visitor: Reader) -> None:
    """Broken: a typing error would lose the reason, or answer with a traceback."""
    client = visitor("commissioner")
    for changes, words in (
        ({"until": "24/12/2026"}, "YYYY-MM-DD"),
        ({"until": "20261224"}, "YYYY-MM-DD"),
        ({"until": "2029-01-01"}, "days ahead"),
        ({"why": ""}, "The reason is needed"),
        ({"pair": "salford|other-care"}, "chosen from the list"),
        ({"pair": ""}, "chosen from the list"),
    ):
        answer = send(client, **changes)
        assert answer.status_code == 422, changes
        assert words in text_of(answer.text), changes
    assert "The phones came late" in send(client, until="soon").text


def test_another_councils_provider_is_neither_shown_nor_set(visitor: Reader) -> None:
    """Broken: one council could switch another's withholding off."""
    client = visitor("othercouncil")
    assert 'id="shadow"' not in client.get("/invoices").text
    assert send(client).status_code == 422


def test_what_shadow_mode_pays_is_shown_as_it_would_have_been(visitor: Reader, sessions: sessionmaker[Session]) -> None:
    """Broken: a council could not see what it would withhold, which is what shadow mode is for."""
    with sessions.begin() as session:
        session.execute(
            insert(line_verdicts).values(
                invoice_id="inv-1", line_no=3, version=2, judged_at=town.NOON, verdict="withhold", payable_pence=900, reduced_pence=0,
                withheld_pence=0, disallowed_pence=0, shadow_pence=900, minutes_evidenced=0, reason="no evidence", words="Shadow.", evidence=[],
            )
        )  # fmt: skip
    page = text_of(visitor("commissioner").get("/invoices/inv-1").text)
    assert "Payable £20.70 Reduced £6.30 Withheld £0.00 Disallowed £9.00" in page
    assert "Would be payable £11.70 Would be reduced £6.30 Would be withheld £9.00 Would be disallowed £9.00" in page


def test_a_claims_own_columns_stand_with_its_line(visitor: Reader, sessions: sessionmaker[Session]) -> None:
    """Broken: what the provider's system recorded, and columns nobody knew, would be lost to whoever decides."""
    with sessions.begin() as session:
        said = {"OurRef": "L-7", "ActualDuration": "26", "Zone": "<b>South</b>"}
        session.execute(
            insert(claim_rows).values(
                invoice_id="inv-1", row=7, customer_id="c1", start_at=town.NINE, minutes=30, pence=900, is_secondary=0, workers=1, columns=said,
            )
        )  # fmt: skip
        own = invoice_lines.c
        session.execute(
            update(invoice_lines).where(own.invoice_id == "inv-1", own.line_no == 1).values(claim_row=7, visit_id=None)
        )
    page = visitor("branch").get("/invoices/inv-1").text
    assert "Row 7 of the file" in page
    assert "&lt;b&gt;South&lt;/b&gt;" in page
    assert "ActualDuration 26" in text_of(page)


def test_evidence_of_another_vendors_feed_is_said_to_be_that(visitor: Reader, sessions: sessionmaker[Session]) -> None:
    """Broken: a vendor's word would stand on the visit's page like an event of our own devices."""
    event = FeedEvent(
        provider=town.PROVIDER,
        vendor="careclock",
        row_ref="8841",
        part="check_in",
        kind=EventKind.CHECK_IN,
        at=town.NINE,
        method=Method.MANUAL,
        worker=WorkerId("w1"),
        customer=CustomerId("c1"),
        visit=None,
        grade_time=Grade.B,
        grade_place=Grade.B,
        amended=False,
    )
    client = visitor("branch")
    with sessions.begin() as session:
        take_events(session, events=[event], now=town.NOON, policy=Policy())
    page = unescape(text_of(client.get("/visits/v-done").text))
    assert "from careclock's feed" in page
    assert "Grade B is what is granted to careclock's feed" in page
    assert "Not proved: entered by hand in careclock's system" in page
