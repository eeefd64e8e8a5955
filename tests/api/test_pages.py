"""What the pages say: the rows behind each number, the words beside each colour, and their empty and past states."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import insert
from sqlalchemy.orm import Session, sessionmaker

from api.pages import words
from evm.domain.evidence import Grade
from evm.domain.ids import CustomerId, VisitId, WorkerId
from evm.domain.visit import Attendance, SlotRecord, Visit, VisitOutcome
from evm.store import plans, visits
from evm.store.tables.money import invoice_lines, invoices, line_verdicts
from tests import factories
from tests.api import town
from tests.api.conftest import Clock, Reader, csrf


def text_of(page: str) -> str:
    """The page without its tags, in single spaces."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_the_days_page_counts_by_status_and_each_count_opens_its_rows(visitor: Reader) -> None:
    """Broken: a number nobody can look behind, or one that does not match its rows."""
    client = visitor("branch")
    page = client.get("/visits").text
    counted = {
        text: int(number)
        for number, text in re.findall(r'site-figure">([\d,]+)</span>.*?</span>([^<]+)</strong>', page)
    }
    assert counted == {
        "All": 7,
        "Not yet due": 1,
        "No check-in yet": 1,
        "Under way": 1,
        "Delivered": 1,
        "Part delivered": 1,
        "Missed": 1,
        "Cancelled": 1,
    }
    for code, status in words.STATUSES.items():
        rows = client.get("/visits", params={"status": code}).text
        assert rows.count('href="/visits/v-') == counted.get(status.text, 0), code


def test_status_is_text_sign_and_colour(visitor: Reader) -> None:
    """Broken: whoever cannot see the colour would not know."""
    page = visitor("branch").get("/visits?status=missed").text
    assert re.search(r'govuk-tag--red[^>]*><span aria-hidden="true"[^>]*>✗</span>Missed</strong>', page)
    signs = [(status.text, status.sign) for status in words.STATUSES.values()]
    assert len({sign for _, sign in signs}) == len(signs)


def test_a_visit_turns_overdue_and_under_way_by_the_clock(visitor: Reader, clock: Clock) -> None:
    """Broken: a visit nobody came to would look as if its time had not come; an open stay would run for ever."""
    client = visitor("branch")

    def status(key: str) -> str:
        return str(client.get(f"/v1/visits/{key}").json()["visit"]["status"])

    assert (status("v-later"), status("v-now"), status("v-overdue")) == ("pending", "under way", "overdue")
    clock.move(minutes=52)
    client = visitor("branch")
    assert status("v-now") == "delivered", "the check-out is overdue: the alert says so, not this page"
    clock.move(hours=5)
    client = visitor("branch")
    assert status("v-later") == "overdue"


def test_a_visit_that_is_over_within_a_minute_is_not_under_way(
    visitor: Reader, sessions: sessionmaker[Session]
) -> None:
    """Broken: somebody put their head round the door, and the page said for an hour that they were still there."""
    with sessions.begin() as session:
        record_stay(session, "v-now", ends=(20,))
    assert status_of(visitor, "v-now") == "delivered"


def test_a_double_up_is_under_way_until_both_have_left(visitor: Reader, sessions: sessionmaker[Session]) -> None:
    """Broken: with the first check-out the visit would read as over while the second care worker is still there."""
    start = town.NOON - timedelta(minutes=10)
    with sessions.begin() as session:
        plan = factories.planned_visit("v-two", start=start, minutes=30, workers_needed=2, rostered=("w1", "w2"))
        plans.add_planned_visits(session, visits=[plan])
        record_stay(session, "v-two", ends=(300, None))
    assert status_of(visitor, "v-two") == "under way"
    with sessions.begin() as session:
        record_stay(session, "v-two", ends=(300, 400))
    assert status_of(visitor, "v-two") == "delivered"


def record_stay(session: Session, visit_id: str, *, ends: tuple[int | None, ...]) -> None:
    """The visit's newest version: each care worker came two minutes after its start and left so many seconds later."""
    start = town.NOON - timedelta(minutes=10)
    stays = [
        Attendance(
            attendance_id=f"{visit_id}-{slot}", worker=WorkerId(f"w{slot + 1}"), customer=CustomerId("c1"),
            start=start + timedelta(minutes=2), end=None if end is None else start + timedelta(minutes=2, seconds=end),
            check_in=None, check_out=None, visit=VisitId(visit_id), grade_time=Grade.A, grade_place=Grade.B, payable_seconds=end or 0,
        )
        for slot, end in enumerate(ends)
    ]  # fmt: skip
    slots = tuple(SlotRecord(slot=slot, rostered=stay.worker, attendance=stay) for slot, stay in enumerate(stays))
    new = Visit(
        visit_id=VisitId(visit_id), customer=CustomerId("c1"), provider=factories.PROVIDER, care_day=town.DAY.isoformat(), planned_start=start,
        planned_minutes=30, outcome=VisitOutcome.DELIVERED, slots=slots,
    )  # fmt: skip
    visits.append_versions(session, visits=[new], now=town.NOON)


def status_of(visitor: Reader, key: str) -> str:
    return str(visitor("branch").get(f"/v1/visits/{key}").json()["visit"]["status"])


def test_a_locality_can_be_chosen_and_an_empty_choice_says_so(visitor: Reader) -> None:
    """Broken: an empty table without a word."""
    client = visitor("admin")
    assert (
        text_of(client.get("/visits?locality=m5").text).count("Foreign Person") == 2
    )  # the link's hidden name, and the cell
    assert "No visit on this day matches" in client.get("/visits?locality=m5&status=missed").text
    assert "No visits are planned or recorded on this day" in client.get("/visits?day=2026-12-24").text


def test_a_long_day_is_shown_in_pages_that_lead_to_each_other(visitor: Reader, sessions: sessionmaker[Session]) -> None:
    """Broken: visits beyond the first page could not be reached."""
    from evm.store import plans
    from tests import factories

    with sessions.begin() as session:
        plans.add_planned_visits(
            session, visits=[factories.planned_visit(f"x-{n:03}", start=town.NOON) for n in range(100)]
        )
    client = visitor("branch")
    path, seen = "/visits?locality=m14", set()
    for _ in range(3):
        page = client.get(path).text
        seen |= set(re.findall(r'href="/visits/([\w-]+)"', page))
        following = re.search(r'href="([^"]+)" rel="next"', page)
        path = following[1].replace("&amp;", "&") if following else ""
    assert len(seen) == 107
    assert path == ""


def test_a_visit_shows_each_event_with_grade_reason_distance_and_receipt(visitor: Reader) -> None:
    """Broken: a person could not see why a minute is paid or not."""
    page = text_of(visitor("branch").get("/visits/v-done").text)
    assert "09:02:00 Check-in" in page
    assert "Grade B , GPS position, inside 150 m" in page
    assert "Good: inside the home" in page
    assert "received 2 s later" in page
    assert "medicine: done" in page
    assert "breakfast: not done" in page
    assert "29 minutes of 30" in page
    assert "£8.70: 29 minutes at 30p a minute." in page
    assert "invoice 2026-11, line 1" in page
    assert re.search(r"No\. \d+ [0-9a-f]{16}…", page)


def test_a_visit_shows_what_is_wrong_and_which_alert_it_raised(visitor: Reader) -> None:
    """Broken: findings and alerts would have to be looked for elsewhere."""
    short = text_of(visitor("branch").get("/visits/v-short").text)
    assert "Short : 9 of 30 minutes" in short
    assert "Grade D" in short
    assert "500 m to 1 km away" in short
    assert "Contradicted" in short
    missed = visitor("branch").get("/visits/v-missed").text
    assert 'href="/alerts/1"' in missed
    assert "Nobody has checked in" in missed
    assert "No evidence has come in" in missed


def test_every_version_of_a_visit_stays_in_sight(visitor: Reader) -> None:
    """Broken: late evidence would silently rewrite what was concluded before."""
    page = text_of(visitor("branch").get("/visits/v-done").text)
    assert "09:03 GMT: delivered, 09:02 to \N{EN DASH}" in page
    assert "10:00 GMT: delivered, 09:02 to 09:31" in page


def test_a_cancelled_visit_says_by_whom_and_why(visitor: Reader) -> None:
    """Broken: a cancellation without its author."""
    assert "by the customer: daughter visits" in text_of(visitor("branch").get("/visits/v-cancelled").text)


def test_alerts_stand_by_risk_and_can_be_acknowledged_and_closed_with_an_outcome(visitor: Reader) -> None:
    """Broken: the most dangerous alert would not be the first, or an alert would end without anybody saying how."""
    client = visitor("safeguarding")
    page = client.get("/alerts").text
    assert re.findall(r'data-alert="(\d+)"', page) == ["1", "2"]
    token = csrf(page)
    assert (
        client.post("/alerts/1/acknowledge", data={"csrf_token": token, "words": "Ringing the branch"}).status_code
        == 303
    )
    page = text_of(client.get("/alerts/1").text)
    assert "acknowledged by Safeguarding Person : Ringing the branch" in page.replace("Person:", "Person :")
    refused = client.post("/alerts/1/close", data={"csrf_token": token, "outcome": ""})
    assert refused.status_code == 422
    assert "Say how it ended" in refused.text
    assert (
        client.post(
            "/alerts/1/close", data={"csrf_token": token, "outcome": "Another care worker went", "words": "at 10:50"}
        ).status_code
        == 303
    )
    page = text_of(client.get("/alerts/1").text)
    assert "Closed: Another care worker went. at 10:50" in page
    assert "Close this alert" not in page
    again = client.post("/alerts/1/close", data={"csrf_token": token, "outcome": "x"})
    assert again.status_code == 409
    assert "closed already" in again.text


def test_the_alert_page_says_whom_to_ring(visitor: Reader) -> None:
    """Broken: in the minutes that count somebody would have to look numbers up."""
    page = visitor("branch").get("/alerts/1").text
    assert 'href="tel:+441614960000"' in page


def test_with_nothing_to_do_the_alerts_page_says_so(visitor: Reader) -> None:
    """Broken: an empty page could be a broken one."""
    assert "No alert has been closed yet" in visitor("branch").get("/alerts?state=closed").text
    assert "Nothing needs you now" in visitor("localbranch").get("/alerts").text


def test_the_invoices_totals_add_up_and_open_their_lines(visitor: Reader) -> None:
    """Broken: claimed would not be payable + reduced + withheld + disallowed, or a sum would not lead to its lines."""
    client = visitor("commissioner")
    answer = client.get("/v1/invoices/inv-1").json()
    assert answer["claimed_pence"] == 3600
    assert answer["claimed_pence"] == sum(
        answer[f"{part}_pence"] for part in ("payable", "reduced", "withheld", "disallowed", "unjudged")
    )
    page = client.get("/invoices/inv-1").text
    assert "Claimed £36.00 Payable £11.70 Reduced £6.30 Withheld £9.00 Disallowed £9.00" in text_of(page)
    for verdict, visit in (
        ("pay", "v-done"),
        ("reduce", "v-short"),
        ("withhold", "v-missed"),
        ("disallow", "v-cancelled"),
    ):
        rows = client.get("/invoices/inv-1", params={"verdict": verdict}).text
        assert re.findall(r'href="/visits/(v-[\w-]+)"', rows) == [visit]


def test_only_the_newest_verdict_counts_and_says_that_it_is_not_the_first(visitor: Reader) -> None:
    """Broken: a released line would count twice."""
    page = text_of(visitor("commissioner").get("/invoices/inv-1").text)
    assert "29 of 30 minutes are evidenced. verdict no. 2: earlier ones are kept" in page
    assert "Nothing yet." not in page


def test_released_money_stands_on_the_invoice_and_opens_its_lines(visitor: Reader) -> None:
    """Broken: a commissioner would not see that late evidence has released what was withheld, nor on which lines."""
    client = visitor("commissioner")
    page = client.get("/invoices/inv-1").text
    assert "£9.00 released since the first verdicts, on 1 line , as evidence came in." in text_of(page)
    assert "the first paid £0.00" in page
    rows = client.get("/invoices/inv-1?verdict=released").text
    assert re.findall(r'href="/visits/(v-[\w-]+)"', rows) == ["v-done"]
    answer = client.get("/v1/invoices/inv-1").json()
    assert (answer["released_pence"], answer["taken_back_pence"], answer["shadow_pence"]) == (900, 0, 0)
    assert "released" not in visitor("admin").get("/invoices/inv-9").text


def test_what_is_paid_only_in_shadow_mode_is_said(visitor: Reader, sessions: sessionmaker[Session]) -> None:
    """Broken: "payable" would read as evidenced while shadow mode pays whatever is claimed."""
    with sessions.begin() as session:
        session.execute(
            insert(line_verdicts).values(
                invoice_id="inv-1", line_no=3, version=2, judged_at=town.NOON, verdict="withhold", payable_pence=900, reduced_pence=0,
                withheld_pence=0, disallowed_pence=0, shadow_pence=900, minutes_evidenced=0, reason="no evidence", words="Shadow.", evidence=[],
            )
        )  # fmt: skip
    client = visitor("commissioner")
    assert "Shadow mode: £9.00 of what is payable is paid only because nothing is held yet." in text_of(
        client.get("/invoices/inv-1").text
    )
    assert client.get("/v1/invoices/inv-1").json()["shadow_pence"] == 900


def test_a_line_with_a_high_number_is_found_by_its_place(visitor: Reader, sessions: sessionmaker[Session]) -> None:
    """Broken: an agency that numbers its lines from a million would have every link from a visit lead to the last page or be refused."""
    with sessions.begin() as session:
        for number in range(2_000_000_000, 2_000_000_060):
            session.execute(
                insert(invoice_lines).values(
                    invoice_id="inv-1", line_no=number, visit_id=None, slot=0, customer_id="c1", worker_id="w1", start_at=town.NOON,
                    minutes_claimed=0, pence_claimed=0,
                )
            )  # fmt: skip
    client = visitor("commissioner")
    assert 'id="line-4"' in client.get("/invoices/inv-1?line=4").text
    assert 'id="line-2000000010"' in client.get("/invoices/inv-1?line=2000000010").text
    assert 'id="line-2000000058"' in client.get("/invoices/inv-1?line=2000000058").text


def test_a_link_to_a_line_opens_the_page_it_stands_on(visitor: Reader) -> None:
    """Broken: the visit's link to its claim would end on the first page of thousands of lines."""
    assert 'id="line-4"' in visitor("commissioner").get("/invoices/inv-1?line=4").text
    assert visitor("commissioner").get("/invoices/inv-1?line=9999999").status_code == 200


def test_an_invoice_whose_lines_do_not_add_up_says_so(visitor: Reader) -> None:
    """Broken: an invoice without lines would look like one that is settled."""
    page = visitor("admin").get("/invoices/inv-9").text
    assert "The lines add up to £0.00, the invoice says £36.00." in page
    assert "This invoice has no lines" in page


def test_a_roster_pins_unfilled_visits_on_top_with_their_reasons(visitor: Reader) -> None:
    """Broken: a visit nobody is on would be found by its customer."""
    page = text_of(visitor("branch").get("/rosters/r-1").text)
    assert page.index("No care worker has the skill hoist.") < page.index("Checks") < page.index("Out and home")
    assert "Worker w2: Worker w2 lacks hoist." in page
    assert "09:00\N{EN DASH}09:30 Ada &lt;b&gt;Example&lt;/b&gt;" in page
    assert "pop-back" in page
    assert "Visit v-done: was nobody, becomes Worker w1 at 09:00." in page


def test_the_first_page_holds_only_the_doors_one_may_open(visitor: Reader) -> None:
    """Broken: doors that answer 403."""
    doors = {
        who: re.findall(r'id="door-\d+"><a class="govuk-link" href="([^"]+)"', visitor(who).get("/").text)
        for who in ("worker", "branch", "commissioner", "safeguarding", "lost")
    }
    assert doors == {
        "worker": ["/visits"],
        "branch": ["/visits", "/alerts", "/invoices", "/rosters"],
        "commissioner": ["/visits", "/alerts", "/invoices"],
        "safeguarding": ["/visits", "/alerts"],
        "lost": [],
    }
    assert "Your account has no scope yet" in visitor("lost").get("/").text


@pytest.mark.parametrize("path", ["/nowhere", "/visits/no-such", "/invoices/no-such"])
def test_a_page_that_is_not_there_is_a_page(visitor: Reader, path: str) -> None:
    """Broken: a person would be shown JSON."""
    answer = visitor("branch").get(path)
    assert answer.status_code == 404
    assert "Not found" in answer.text
    assert answer.headers["content-type"].startswith("text/html")


def test_a_program_is_told_in_problem_json(visitor: Reader) -> None:
    """Broken: a program would have to read a page."""
    answer = visitor("branch").get("/v1/visits/no-such")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:popback:problem:not-found",
        "title": "Not found",
        "status": 404,
        "detail": "There is nothing here that you may see.",
    }


def test_a_popback_is_asked_and_answered(visitor: Reader) -> None:
    """Broken: the office could not ask, or asking twice would promise twice."""
    client = visitor("branch")
    headers = {"x-csrf-token": client.get("/v1/session").json()["csrf_token"]}
    body = {"customer_id": "c1", "wanted_at": "2026-11-05T15:00:00Z", "minutes": 30, "request_id": "office-1"}
    first = client.post("/v1/popbacks", json=body, headers=headers)
    assert first.status_code == 200
    assert first.json()["state"] in {"promised", "refused"}
    assert first.json()["words"]
    assert client.post("/v1/popbacks", json=body, headers=headers).json() | {"moved": []} == first.json() | {
        "moved": []
    }
    assert client.post("/v1/popbacks", json={**body, "customer_id": "c2"}, headers=headers).status_code == 409
    for bad in (
        {"minutes": 0},
        {"minutes": "30"},
        {"minutes": 30.5},
        {"minutes": 1441},
        {"wanted_at": "2026-11-05T15:00:00"},
        {"workers_needed": 3},
    ):
        assert client.post("/v1/popbacks", json={**body, **bad}, headers=headers).status_code == 422, bad


@pytest.mark.parametrize(("pence", "text"), [(0, "£0.00"), (123456, "£1,234.56"), (-5, "−£0.05"), (None, "–")])  # noqa: RUF001
def test_money_reads_as_pounds(pence: int | None, text: str) -> None:
    """Broken: pennies lost or a sign dropped."""
    assert words.pounds(pence) == text


def test_a_pop_back_for_a_double_up_customer_asks_for_both_workers(
    visitor: Reader, sessions: sessionmaker[Session]
) -> None:
    """Broken: the office that names no number would send one worker to somebody who needs two."""
    from evm.store import plans
    from tests import planning

    pattern = planning.a_pattern(workers_needed=2)
    with sessions.begin() as session:
        plan = planning.a_task_plan("c1", patterns=[pattern], effective_from=town.DAY)
        plans.add_task_plans(session, plans=[plan])
    client = visitor("branch")
    headers = {"x-csrf-token": client.get("/v1/session").json()["csrf_token"]}
    body = {"customer_id": "c1", "wanted_at": "2026-11-05T15:00:00Z", "minutes": 30, "request_id": "office-2"}
    assert client.post("/v1/popbacks", json=body, headers=headers).status_code == 200
    with sessions() as session:
        asked = plans.popback_request(session, request_id="office-2")
    assert asked is not None
    assert asked.workers_needed == 2


def test_an_empty_day_says_where_the_nearest_visits_are(visitor: Reader, clock: Clock) -> None:
    """Broken: whoever opens the site on a day without visits would have to guess days one by one."""
    client = visitor("branch")
    page = client.get("/visits?day=2026-12-24").text
    assert (
        'The newest day before it with visits is <a class="govuk-link" href="/visits?day=2026-11-02">Monday 2 November'
        in page
    )
    assert "The first day with visits is" in client.get("/visits?day=2026-10-01").text
    assert 'href="/visits?day=2026-12-23"' in page
    assert 'href="/visits?day=2026-12-25"' in page
    assert 'href="/visits">Today</a>' in page
    assert "days with visits" not in visitor("lost").get("/visits?day=2026-12-24").text
    clock.move(days=40)
    door = visitor("branch").get("/").text
    assert 'href="/visits?day=2026-11-02">The newest day with visits: Monday 2 November 2026' in door
    assert "The newest day with visits" not in visitor("otherworker").get("/").text


def test_the_first_and_the_last_day_lead_only_where_there_are_days(visitor: Reader) -> None:
    """Broken: a link of ours would be refused."""
    client = visitor("branch")
    for day in ("2020-01-01", "2099-12-31"):
        for link in re.findall(r'href="(/visits\?day=[^"]+)"', client.get(f"/visits?day={day}").text):
            assert client.get(link.replace("&amp;", "&")).status_code == 200, link


def test_a_charge_for_an_older_conclusion_says_so(visitor: Reader, sessions: sessionmaker[Session]) -> None:
    """Broken: money priced by evidence that has been overtaken would read as what the visit is worth now."""
    from evm.store import visits as visit_store

    client = visitor("branch")
    assert "Priced by what was concluded before" not in client.get("/visits/v-done").text
    with sessions.begin() as session:
        (last,) = [each.visit for each in visit_store.versions(session, visit_key="v-done")][-1:]
        visit_store.append_versions(session, visits=[replace(last, outcome=VisitOutcome.MISSED)], now=town.NOON)
    assert "Priced by what was concluded before (version 2 of 3)" in client.get("/visits/v-done").text


def test_many_invoices_are_shown_in_pages(visitor: Reader, sessions: sessionmaker[Session]) -> None:
    """Broken: an invoice older than the newest hundred could not be reached, and a hundred sums would keep the reader waiting."""
    with sessions.begin() as session:
        for number in range(30):
            session.execute(
                insert(invoices).values(
                    invoice_id=f"inv-many-{number}", provider_id="kindly", council_id="manchester", number=f"M-{number}", period_since=town.DAY,
                    period_until=town.DAY, claimed_pence=0, received_at=town.NOON, state="received",
                )
            )  # fmt: skip
    client = visitor("commissioner")
    seen: set[str] = set()
    for page in (1, 2):
        seen |= set(re.findall(r'href="/invoices/(inv-[\w-]+)"', client.get(f"/invoices?page={page}").text))
    assert len(seen) == 31
    assert "past the last" in client.get("/invoices?page=3").text


def test_a_wrong_day_in_the_address_is_said_in_plain_words(visitor: Reader) -> None:
    """Broken: whoever mistypes a day would be told of a date's literal."""
    answer = visitor("branch").get("/visits?day=2nd&page=0")
    assert answer.status_code == 422
    assert "page: Input should be greater than or equal to 1; day: Write a day as 2026-11-02" in text_of(answer.text)
    assert "literal" not in answer.text
    assert "Input should be less than or equal to 2099-12-31" in visitor("branch").get("/visits?day=2999-01-01").text


def test_an_administrators_invoices_are_all_counted(visitor: Reader) -> None:
    """Broken: with no scope to narrow it the count was of no table at all, 1, and later pages of invoices could not be reached."""
    assert "1 to 2 of 2 invoices" in text_of(visitor("admin").get("/invoices").text)
    assert "1 to 1 of 1 invoice" in text_of(visitor("branch").get("/invoices").text)
    assert "No invoices" in text_of(visitor("lost").get("/invoices").text)
