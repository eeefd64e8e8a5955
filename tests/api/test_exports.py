"""Exports on the site: each reader's own rows, capped, noted. Not their numbers (tests/services/test_exports.py)."""

import csv
import io

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from api.pages import exports as page
from evm.store.tables.transfers import exports_made
from tests.api import town
from tests.api.conftest import Reader

DAYS = "since=2026-11-02&last=2026-11-02"


def rows(visitor: Reader, name: str, path: str = f"/exports/actuals.csv?{DAYS}") -> list[dict[str, str]]:
    answer = visitor(name).get(path)
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def test_every_reader_takes_away_what_they_see_and_nothing_else(there: town.Town, visitor: Reader) -> None:
    """Broken: a download would be the way round the scope of every page."""
    own, foreign = rows(visitor, "branch"), rows(visitor, "otherbranch")
    assert ({row["provider"] for row in own}, {row["provider"] for row in foreign}) == ({"kindly"}, {"other-care"})
    assert {row["council"] for row in rows(visitor, "commissioner")} == {"manchester"}
    assert {row["council"] for row in rows(visitor, "othercouncil")} == {"salford"}
    assert rows(visitor, "lost") == []
    assert rows(visitor, "localbranch") == []
    assert len(rows(visitor, "admin")) == len(own) + len(foreign)


def test_payroll_is_the_providers_alone(there: town.Town, visitor: Reader) -> None:
    """Broken: a council would read what an agency's workers are paid for, or a part of a provider would pay a part of a day."""
    assert rows(visitor, "branch", f"/exports/payroll.csv?{DAYS}")
    for name in ("commissioner", "localbranch", "lost"):
        assert visitor(name).get(f"/exports/payroll.csv?{DAYS}").status_code == 422
        assert "Payroll" not in visitor(name).get("/exports").text
    assert "Payroll" in visitor("branch").get("/exports").text


def test_what_is_taken_away_is_noted(there: town.Town, visitor: Reader, sessions: sessionmaker[Session]) -> None:
    """Broken: nobody could say who took a thousand customers' days away."""
    rows(visitor, "branch")
    with sessions() as session:
        kept = session.execute(select(exports_made)).one()
    assert (kept.who, kept.name, kept.asked) == ("branch", "actuals", {"since": "2026-11-02", "until": "2026-11-03"})


def test_row_57_more_than_the_cap_is_refused_with_the_other_way(
    there: town.Town, visitor: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: one reader would keep the site busy with a county's year."""
    monkeypatch.setattr(page, "VISITS_MAX", 3)
    answer = visitor("branch").get(f"/exports/actuals.csv?{DAYS}")
    assert answer.status_code == 422
    assert "take fewer days, or use popback export" in answer.text


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("since=2026-11-02&last=2026-11-01", "The last day lies before the first day"),
        ("since=2026-11-02&last=2028-11-01", "export in parts"),
        ("since=02/11/2026&last=2026-11-02", "since"),
        ("since=2026-11-02", "last"),
        (f"{DAYS}&provider=other-care", "Unknown in the address"),
    ],
)
@pytest.mark.database("sqlite")
def test_a_wrong_wish_is_answered_with_its_field(there: town.Town, visitor: Reader, query: str, words: str) -> None:
    """Broken: a wrong day would give an empty file that looks like an answer."""
    answer = visitor("branch").get(f"/exports/actuals.csv?{query}")
    assert (answer.status_code, words in answer.text) == (422, True), answer.text


def test_a_file_that_is_none_is_refused(there: town.Town, visitor: Reader) -> None:
    """Broken: any name would be looked for."""
    assert visitor("branch").get(f"/exports/wages.csv?{DAYS}").status_code == 422


def test_the_file_for_excel_begins_with_its_mark(there: town.Town, visitor: Reader) -> None:
    """Broken: Excel would read names with accents as rubbish."""
    answer = visitor("branch").get(f"/exports/actuals.csv?{DAYS}&excel=yes")
    assert answer.content.startswith(b"\xef\xbb\xbfcouncil,")
    assert answer.headers["content-disposition"] == 'attachment; filename="actuals-2026-11-02-2026-11-02.csv"'
