"""Calendars: valid for whoever reads them, silent about what a burglar needs, open to whoever has the secret address and to nobody else."""

import hashlib
from datetime import UTC, date, datetime, timedelta

import pytest
from icalendar import Calendar
from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker

from evm.domain.plan import Absence, AbsenceKind, Cancellation, CancelledBy
from evm.domain.policy import Policy
from evm.domain.transfer import Passed
from evm.services import plan_changes
from evm.services.exports import calendar
from evm.store import calendars, plans
from evm.store.tables.people import customers
from evm.store.tables.transfers import calendar_addresses
from tests.api import town
from tests.api.conftest import Clock, Reader
from tests.factories import NINE

POLICY = Policy()
TOKEN = "t" * 32
DAYS = {
    "since": date(2026, 11, 1),
    "until": date(2026, 11, 8),
    "stamp": datetime(2026, 11, 1, tzinfo=UTC),
    "policy": POLICY,
}


def opened(
    sessions: sessionmaker[Session], kind: Passed = Passed.CUSTOMER, subject: str = "c1", token: str = TOKEN
) -> str:
    with sessions.begin() as session:
        calendar.make_address(session, kind=kind, subject_id=subject, token=token, now=town.NOON, by="test")
    return f"/calendar/{token}.ics"


def visits_of(content: bytes) -> dict[str, dict[str, str]]:
    """The events by UID, as the library's own parser reads them."""
    read = Calendar.from_ical(content)
    assert read.errors == []
    return {
        str(event["uid"]): {
            name: event.decoded(name) if name.startswith("dt") else str(event[name]) for name in map(str.lower, event)
        }
        for event in read.walk("VEVENT")
    }


def test_a_customers_calendar_says_who_comes(there: town.Town, sessions: sessionmaker[Session]) -> None:
    """Broken: the customer would not know who stands at the door."""
    with sessions() as session:
        found = visits_of(calendar.visit_calendar(session, customer_id="c1", **DAYS))
    one = found["v-done@popback"]
    assert (one["summary"], one["dtstart"], one["dtend"]) == (
        "Care visit: Worker w1 of Kindly Care",
        NINE,
        NINE + timedelta(minutes=30),
    )


def test_a_run_says_no_name_address_or_telephone_number(there: town.Town, sessions: sessionmaker[Session]) -> None:
    """Broken: a phone left on a bus would tell who lives alone where, and when nobody comes."""
    with sessions() as session:
        content = calendar.run_calendar(session, worker_id="w1", **DAYS)
    for secret in (b"Ada", b"Example", b"Test Street", b"5AA", b"0101", b"Customer c2"):
        assert secret not in content
    one = visits_of(content)["v-done@popback"]
    assert (one["summary"], one["location"]) == ("Visit A.., 30 minutes", "M14") or one["location"] == "M14"


def test_lines_end_and_fold_as_the_rfc_says(there: town.Town, sessions: sessionmaker[Session]) -> None:
    """Broken: some calendar programs would refuse the file or cut names in half."""
    with sessions() as session:
        content = calendar.visit_calendar(session, customer_id="c1", **DAYS)
    lines = content.split(b"\r\n")
    assert lines[-1] == b""
    assert all(b"\n" not in line and b"\r" not in line and len(line) <= 75 for line in lines)
    assert (lines[0], lines[-2]) == (b"BEGIN:VCALENDAR", b"END:VCALENDAR")


def test_a_change_keeps_the_uid_and_raises_the_sequence(there: town.Town, sessions: sessionmaker[Session]) -> None:
    """Broken: a moved visit would stand in the calendar twice, or the cancelled one for ever."""

    def read() -> tuple[str, str]:
        with sessions() as session:
            one = visits_of(calendar.visit_calendar(session, customer_id="c3", **DAYS))["v-later@popback"]
        return one["sequence"], one["status"]

    seen = [read()]
    with sessions.begin() as session:
        later = town.NOON + timedelta(hours=6)
        plan_changes.change(session, visit_id="v-later", start=later, now=town.NOON, policy=POLICY)
    seen.append(read())
    with sessions.begin() as session:
        called_off = Cancellation(at=town.NOON, by=CancelledBy.CUSTOMER, reason="away")
        plans.cancel(session, visit_id="v-later", cancellation=called_off)
    seen.append(read())
    assert seen == [("0", "CONFIRMED"), ("2", "CONFIRMED"), ("3", "CANCELLED")]


def test_a_visit_of_somebody_away_is_cancelled(there: town.Town, sessions: sessionmaker[Session]) -> None:
    """Broken: the run would send somebody to an empty home."""
    with sessions.begin() as session:
        spell = Absence(customer_id="c3", kind=AbsenceKind.HOSPITAL, since=town.NOON, until=None)
        plans.add_absences(session, absences=[spell])
        found = visits_of(calendar.visit_calendar(session, customer_id="c3", **DAYS))
    assert found["v-later@popback"]["status"] == "CANCELLED"


def test_the_secret_address_needs_no_sign_in(
    there: town.Town, sessions: sessionmaker[Session], visitor: Reader
) -> None:
    """Broken: a calendar program could not read it, since it cannot sign in."""
    answer = visitor().get(opened(sessions))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/calendar; charset=utf-8")
    assert "v-done@popback" in visits_of(answer.content)


def test_what_the_reader_has_is_not_sent_again(
    there: town.Town, sessions: sessionmaker[Session], visitor: Reader, clock: Clock
) -> None:
    """Broken: every program would fetch the whole calendar every few minutes."""
    path, client = opened(sessions, Passed.WORKER, "w1"), visitor()
    etag = client.get(path).headers["etag"]
    clock.move(minutes=20)
    again = client.get(path, headers={"if-none-match": etag})
    assert (again.status_code, again.content) == (304, b"")
    with sessions.begin() as session:
        called_off = Cancellation(at=town.NOON, by=CancelledBy.CUSTOMER, reason="away")
        plans.cancel(session, visit_id="v-done", cancellation=called_off)
    assert client.get(path, headers={"if-none-match": etag}).status_code == 200


def test_unknown_and_revoked_tokens_get_the_same_answer(
    there: town.Town, sessions: sessionmaker[Session], visitor: Reader
) -> None:
    """Broken: whoever guesses would learn which addresses once existed."""
    path, client = opened(sessions), visitor()
    with sessions.begin() as session:
        assert calendars.revoke(session, kind="customer", subject_id="c1", now=town.NOON) == 1
    revoked, unknown = client.get(path), client.get(f"/calendar/{'u' * 32}.ics")
    short = client.get("/calendar/short.ics")
    assert (revoked.status_code, unknown.status_code, short.status_code) == (404, 404, 404)
    assert revoked.text == unknown.text == short.text


def test_only_the_tokens_hash_is_kept(there: town.Town, sessions: sessionmaker[Session]) -> None:
    """Broken: a copy of the database would open everybody's calendar."""
    opened(sessions)
    with sessions() as session:
        kept = session.execute(select(calendar_addresses)).one()
    assert TOKEN not in str(kept)
    assert kept.token_sha256 == hashlib.sha256(TOKEN.encode()).hexdigest()


def test_addresses_cannot_be_tried_out_at_speed(
    there: town.Town, sessions: sessionmaker[Session], visitor: Reader
) -> None:
    """Broken: one machine could try tokens as fast as it can ask."""
    client = visitor()
    found = {client.get(f"/calendar/{number:032d}.ics").status_code for number in range(101)}
    assert found == {404, 429}


@pytest.mark.database("sqlite")
def test_nobodys_calendar_is_refused(there: town.Town, sessions: sessionmaker[Session]) -> None:
    """Broken: a mistyped id would give an address that opens nothing."""
    with pytest.raises(calendar.CalendarUnknown):
        opened(sessions, subject="c77")


def test_the_sequence_never_falls_when_a_customer_goes_away_and_comes_back(
    there: town.Town, sessions: sessionmaker[Session]
) -> None:
    """Broken: a calendar program would keep the visit struck out, because it holds a later sequence than the one that stands again."""
    found = []
    with sessions.begin() as session:
        for step in range(3):
            if step == 1:
                away = Absence(customer_id="c3", kind=AbsenceKind.HOSPITAL, since=town.NOON, until=None)
                plan_changes.go_away(session, absence=away, now=town.NOON, policy=POLICY)
            if step == 2:
                plan_changes.come_back(
                    session, customer_id="c3", until=town.NOON + timedelta(hours=1), now=town.NOON, policy=POLICY
                )
            seen = visits_of(calendar.visit_calendar(session, customer_id="c3", **DAYS))["v-later@popback"]
            found.append((int(seen["sequence"]), seen["status"]))
    assert [status for _, status in found] == ["CONFIRMED", "CANCELLED", "CONFIRMED"]
    assert [sequence for sequence, _ in found] == sorted({sequence for sequence, _ in found})


def test_a_name_or_postcode_in_any_form_makes_a_valid_calendar(
    there: town.Town, sessions: sessionmaker[Session]
) -> None:
    """Broken: a name with a line break would end the calendar in an error or smuggle a property in; a postcode typed without its blank
    would stand whole in a worker's calendar."""
    with sessions.begin() as session:
        odd = {"name": "Ada,\r\nX-ODD:1; Example", "postcode": " m145aa"}
        session.execute(update(customers).where(customers.c.customer_id == "c1").values(**odd))
        theirs = calendar.visit_calendar(session, customer_id="c1", **DAYS)
        run = visits_of(calendar.run_calendar(session, worker_id="w1", **DAYS))["v-done@popback"]
    assert b"X-WR-CALNAME:Visits to Ada\\, X-ODD:1\\; Example\r\n" in theirs
    assert "X-ODD" not in Calendar.from_ical(theirs)
    assert str(run["location"]) == "M14"
