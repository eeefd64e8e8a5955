"""The page of call cramming: two wrongs apart, in sentences that lead to their visits, each only to whom it concerns."""

import re
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session, sessionmaker

from api.pages import words
from evm.domain.finding import FindingCode
from evm.store import visits
from evm.store.visits import WorkerFlag
from tests.api import town
from tests.api.conftest import Reader, csrf
from tests.api.test_pages import text_of


@pytest.fixture
def flagged(sessions: sessionmaker[Session], there: town.Town) -> None:
    """A flag of each kind in the town, and one of another agency."""
    del there
    with sessions.begin() as session:
        visits.add_worker_flags(session, flags=list(town.flags()))


def test_both_wrongs_stand_apart_with_their_sentences(visitor: Reader, flagged: None) -> None:
    """Broken: a flag that nobody sees is no flag; and a roster's fault would be read as a worker's."""
    page = visitor("commissioner").get("/findings").text
    worker, roster = page.index('id="worker"'), page.index('id="roster"')
    assert worker < page.index("2 of 9 visits were cut short") < roster < page.index("cannot begin before 09:50")
    assert "No pay consequence is automatic" in page
    assert "more than 15 minutes late" in text_of(page), "the policy's thresholds are shown on the page that uses them"
    assert "The worker replied: She sent me away." in text_of(page)
    assert 'visit to <a class="govuk-link" href="/visits/v-short">Customer c2</a>' in page
    assert "v-elsewhere" in text_of(page), "a visit that cannot be opened stays as it was written"


@pytest.mark.parametrize("who", ["otherbranch", "othercouncil", "othersafeguarding"])
def test_findings_about_workers_stay_with_their_agency_and_council(visitor: Reader, flagged: None, who: str) -> None:
    """Broken: another agency or council would read about workers that are not its business."""
    page = visitor(who).get("/findings").text
    assert "2 of 9 visits" not in page
    assert "8 of 8 visits" in page


def test_whoever_has_no_scope_or_another_locality_sees_nothing(visitor: Reader, flagged: None) -> None:
    """Broken: a branch held to one locality would read about the others' workers."""
    for who in ("lost", "localbranch"):
        assert text_of(visitor(who).get("/findings").text).count("Nothing was found.") == 2


def test_many_findings_are_shown_in_pages(visitor: Reader, sessions: sessionmaker[Session], there: town.Town) -> None:
    """Broken: findings beyond the first page could not be reached."""
    day = town.DAY
    more = [
        WorkerFlag(
            code=FindingCode.CRAMMING_IN_ROSTER.value, provider="kindly", worker="w1", care_day=day - timedelta(days=n), period_since=day, period_until=day,
            found_at=town.NOON, words="x", body={},
        )
        for n in range(60)
    ]  # fmt: skip
    with sessions.begin() as session:
        visits.add_worker_flags(session, flags=more)
    client = visitor("branch")
    seen: set[str] = set()
    for path in ("/findings", "/findings?kind=roster", "/findings?kind=roster&page=2"):
        seen |= set(re.findall(r'id="(flag-\d+)"', client.get(path).text))
    assert len(seen) == 60
    assert "past the last" in client.get("/findings?kind=roster&page=9").text


def test_a_worker_sees_their_own_findings_and_alone_can_reply(visitor: Reader, flagged: None) -> None:
    """Broken: a worker would be judged by what they never saw; or somebody would put words into their mouth."""
    client = visitor("worker")
    page = client.get("/findings").text
    assert "2 of 9 visits" in page
    assert "cannot begin before" not in page, "another worker's"
    numbers = re.findall(r'action="/findings/(\d+)/reply"', page)
    assert len(numbers) == 1
    form = {"csrf_token": csrf(page), "words": "The bus was late."}
    assert client.post(f"/findings/{numbers[0]}/reply", data=form).status_code == 303
    assert "The worker replied: The bus was late." in text_of(visitor("branch").get("/findings").text)
    for who in ("otherworker", "branch", "commissioner", "admin", "lost"):
        other = visitor(who)
        form = {"csrf_token": csrf(other.get("/").text), "words": "Guilty."}
        foreign = other.post(f"/findings/{numbers[0]}/reply", data=form)
        assert foreign.status_code == 404, who
    assert client.post(f"/findings/{numbers[0]}/reply", data={"csrf_token": "x", "words": "y"}).status_code == 403


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("Worker w-1 gets no reply at customer c-2's door.", "Wyn Work gets no reply at Cy Cust's door."),
        ("Worker w-11 is not worker w-1.", "Worker w-11 is not Wyn Work."),
        ("Nobody has checked in.", "Nobody has checked in."),
    ],
)
def test_an_alerts_sentence_names_people(sentence: str, said: str) -> None:
    """Broken: in the minutes that count somebody would have to look an id up; or a longer id would be half replaced."""
    assert words.with_names(sentence, names={"w-1": "Wyn Work", "c-2": "Cy Cust"}) == said
