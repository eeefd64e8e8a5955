"""Exports: numbers that add up to the store's and to the evidence, in a form no spreadsheet calculates. Not the command and not the site."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from evm.domain.evidence import EventKind
from evm.domain.people import TravelMode
from evm.domain.plan import Cancellation, CancelledBy, SupportPlan
from evm.domain.policy import Policy
from evm.domain.travel import journey_seconds
from evm.services import invoice as invoices
from evm.services import price
from evm.services.exports import care, payroll
from evm.services.exports.csv_text import csv_text, neutral
from evm.services.exports.tables import Asked, ExportRefused, table
from evm.store import exports, plans, visits
from evm.store import people as people_store
from evm.store.screens import Scope
from tests import factories
from tests.factories import COUNCIL, PROVIDER
from tests.services.invoicing import claim, line
from tests.services.passing import LATER, NEW, POLICY, at, passed, reconciled, said, settle, stay

SINCE, UNTIL = date(2026, 11, 2), date(2026, 11, 9)
OWN, COUNCILS = Scope(provider_id=PROVIDER), Scope(council_id=COUNCIL)


@pytest.fixture
def town(session: Session) -> Session:
    """A week of c1 and c2, each with a support plan; what phones said is each test's own."""
    settle(session)
    plan = SupportPlan(
        customer_id="c1", outcomes=frozenset(), budget_week_pence=10_000, commissioned_minutes_week=210,
        effective_from=date(2026, 1, 1),
    )  # fmt: skip
    plans.add_support_plans(session, plans=[plan])
    return session


def rows_of(
    session: Session, name: str, *, scope: Scope = OWN, policy: Policy = POLICY, **changes
) -> list[dict[str, str]]:
    """The table through its CSV form, as whoever opens it reads it."""
    asked = Asked(
        name=name, scope=scope, since=changes.pop("since", SINCE), until=changes.pop("until", UNTIL), **changes
    )
    made = table(session, asked=asked, policy=policy)
    text = "".join(csv_text(columns=made.columns, rows=made.rows, zone=policy.zone))
    return list(csv.DictReader(io.StringIO(text, newline="")))


def both_came(session: Session, days: Sequence[int] = range(2, 9)) -> None:
    for day in days:
        said(session, *stay(at(day), 25 + day))
        said(session, *stay(at(day, minutes=60), 20 + day, device="p2", worker="w2", tag="tag-c2"))
    reconciled(session)
    price.price_days(session, provider_id=PROVIDER, since_day=SINCE, until_day=UNTIL, policy=POLICY)


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+1", "-2+3", "@SUM(A1)", "\tx", "\rx", "  =1"])
def test_row_67_what_a_spreadsheet_would_calculate_is_text(text: str) -> None:
    """Broken: a customer's name would run as a formula on the payroll clerk's machine."""
    (written,) = csv.reader(
        io.StringIO("".join(csv_text(columns=["name"], rows=[[text]], zone="Europe/London")), newline="").readlines()[
            1:
        ]
        or [""]
    )
    assert written == [f"'{text}"]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")), min_size=1))
def test_every_cell_comes_back_as_it_was_or_with_an_apostrophe(cells: list[str]) -> None:
    """Broken: quotes, commas or line ends in a name would shift every column after it."""
    text = "".join(csv_text(columns=["x"] * len(cells), rows=[cells], zone="Europe/London"))
    *_, row = csv.reader(io.StringIO(text, newline=""))
    assert row == ([neutral(cell) for cell in cells])
    assert all(not cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)


def test_numbers_stay_numbers_and_instants_say_their_offset() -> None:
    """Broken: a credit of -5 would become text, or nine o'clock would not say whether in summer."""
    rows = [[-5, 7, None, date(2026, 3, 29), datetime(2026, 3, 29, 1, 0, tzinfo=UTC)]]
    text = "".join(csv_text(columns=list("abcde"), rows=rows, zone="Europe/London", bom=True))
    assert text == "\ufeffa,b,c,d,e\r\n-5,7,,2026-03-29,2026-03-29T02:00:00+01:00\r\n"


def test_actuals_add_up_to_the_store_to_the_minute_and_penny(town: Session) -> None:
    """Broken: the council's spreadsheet and the site would disagree."""
    both_came(town)
    said(town, *stay(at(3, minutes=400), 17))
    plans.cancel(town, visit_id="c2-8", cancellation=Cancellation(at=at(2), by=CancelledBy.CUSTOMER, reason="away"))
    reconciled(town)
    found = rows_of(town, "actuals", scope=COUNCILS)
    newest = visits.newest(town, since_day=SINCE, until_day=UNTIL)
    minutes = sum(slot.attendance.minutes for one in newest for slot in one.slots if slot.attendance)
    assert sum(int(row["actual_minutes"]) for row in found) == minutes
    assert sum(1 for row in found if row["visit"]) == 14
    assert [row["actual_minutes"] for row in found if not row["visit"]] == ["17"]
    weeks = rows_of(town, "commissioned", scope=COUNCILS)
    for column, of_week in (
        ("actual_minutes", ("actual_minutes", "unplanned_minutes")),
        ("billed_pence", ("billed_pence",)),
    ):
        assert sum(int(row[column] or 0) for row in found) == sum(int(row[name]) for row in weeks for name in of_week)
    first = weeks[0]
    assert (first["customer"], first["commissioned_minutes_week"], first["planned_visits"]) == ("c1", "210", "7")
    assert [row["cancelled_visits"] for row in weeks] == ["0", "1"]


def test_an_actual_says_what_was_planned_done_billed_and_paid(town: Session) -> None:
    """Broken: a line nobody could check against the visit and its invoice."""
    both_came(town)
    own = replace(line(1), visit="c1-2", start=at(2))
    invoice_id = invoices.submit(
        town, invoice=replace(claim(own), lines=(own,), period_until=date(2026, 11, 9)), now=LATER
    )
    invoices.judge(town, invoice_id=invoice_id, now=LATER, policy=POLICY)
    (row,) = [row for row in rows_of(town, "actuals") if row["visit"] == "c1-2"]
    wanted = {
        "council": "manchester", "provider": "kindly", "locality": "m14", "customer": "c1", "slot": "0", "planned_minutes": "30",
        "planned_start": "2026-11-02T09:00:00+00:00", "planned_worker": "w1", "actual_start": "2026-11-02T09:00:00+00:00",
        "actual_end": "2026-11-02T09:27:00+00:00", "actual_minutes": "27", "actual_worker": "w1", "outcome": "delivered",
        "billed_minutes": "27", "billed_pence": "1229", "verdict": "reduce", "payable_pence": "1229", "claimed_pence": "1365",
    }  # fmt: skip
    assert {name: row[name] for name in wanted} == wanted


def test_each_scope_gets_its_own_rows_only(town: Session) -> None:
    """Broken: an export would be the way round every page's scope."""
    both_came(town)
    passed(town)
    reconciled(town)
    old, new = rows_of(town, "actuals"), rows_of(town, "actuals", scope=Scope(provider_id=NEW))
    assert ({row["provider"] for row in old}, {row["provider"] for row in new}) == ({PROVIDER}, {NEW})
    assert (len(old), len(new)) == (10, 4)
    assert rows_of(town, "actuals", scope=Scope(council_id="elsewhere")) == []
    assert rows_of(town, "actuals", scope=Scope(nothing=True)) == []
    assert rows_of(town, "actuals", scope=Scope(provider_id=PROVIDER, worker_id="w1")) == []


def round_of(session: Session, *stops: tuple[str, datetime, int]) -> None:
    """w2 goes from customer to customer: (customer, start, minutes)."""
    for who, start, minutes in stops:
        said(session, *stay(start, minutes, device="p2", worker="w2", tag=f"tag-{who}"))
    reconciled(session)


def test_journeys_between_visits_are_paid_and_the_first_and_last_are_not(town: Session) -> None:
    """Broken: a worker would not be paid for the way between two customers, or would be for the way home."""
    round_of(town, ("c2", at(2, minutes=60), 30), ("c1", at(2, minutes=110), 20), ("c2", at(2, minutes=600), 30))
    homes = people_store.homes(town, customer_ids=["c1", "c2"])
    way = journey_seconds(homes["c2"], homes["c1"], TravelMode.CAR, POLICY)
    found = rows_of(town, "payroll-lines")
    assert [(row["kind"], row["customer"], row["travel_seconds"], row["waiting_seconds"]) for row in found] == [
        ("visit", "c2", "0", "0"),
        ("journey", "c1", str(way), str(20 * 60 - way)),
        ("visit", "c1", "0", "0"),
        ("visit", "c2", "0", "0"),
    ]
    (total,) = rows_of(town, "payroll")
    assert (total["worker"], total["visits"], total["journeys"], total["travel_seconds"]) == ("w2", "3", "1", str(way))
    assert (total["metres"], total["miles"]) == ("650", "0.40")
    whole = rows_of(town, "payroll", run_gap_minutes=600)[0]
    assert whole["journeys"] == "2", "with a longer gap the afternoon's visit is of the same run"


def test_the_way_from_a_stay_that_was_cut_short_is_paid(town: Session) -> None:
    """Broken: who forgot to check out until she was at the next customer's would lose the way there as well as the minutes."""
    said(town, *stay(at(2), 40), *stay(at(2, minutes=30), 30, tag="tag-c2"))
    reconciled(town)
    homes = people_store.homes(town, customer_ids=["c1", "c2"])
    way = journey_seconds(homes["c1"], homes["c2"], TravelMode.CAR, POLICY)
    found = rows_of(town, "payroll-lines")
    assert [(row["kind"], row["contact_minutes"], row["travel_seconds"], row["waiting_seconds"]) for row in found] == [
        ("visit", str((30 * 60 - way) // 60), "0", "0"),
        ("journey", "0", str(way), "0"),
        ("visit", "30", "0", "0"),
    ]


def test_totals_are_the_sums_of_their_lines(town: Session) -> None:
    """Broken: a clerk could not say what a worker is paid for."""
    both_came(town)
    round_of(town, ("c1", at(3, minutes=85), 10))
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    summed = ("contact_minutes", "unapproved_minutes", "travel_seconds", "waiting_seconds", "metres")
    for row in rows_of(town, "payroll-lines"):
        for name in summed:
            sums[row["worker"]][name] += int(row[name])
        sums[row["worker"]]["visits"] += row["kind"] == "visit"
    totals = rows_of(town, "payroll")
    assert {row["worker"] for row in totals} == {"w1", "w2"}
    for row in totals:
        for name in (*summed, "visits"):
            assert int(row[name]) == sums[row["worker"]][name]
        parts = ("contact_minutes", "travel_minutes", "waiting_minutes")
        assert int(row["working_minutes"]) == sum(int(row[name]) for name in parts)
    evidenced = visits.newest(town, since_day=SINCE, until_day=UNTIL)
    minutes = sum(slot.attendance.minutes for one in evidenced for slot in one.slots if slot.attendance)
    assert sum(int(row["contact_minutes"]) + int(row["unapproved_minutes"]) for row in totals) == minutes


def test_what_waits_for_a_person_stands_apart(town: Session) -> None:
    """Broken: a forgotten check-out or an unplanned call would be paid, or lost, without anybody deciding."""
    said(town, factories.claim(EventKind.CHECK_IN, at=at(2)), *stay(at(3, minutes=500), 40))
    reconciled(town)
    found = rows_of(town, "payroll-lines")
    assert [(row["contact_minutes"], row["unapproved_minutes"], row["open"], row["note"]) for row in found] == [
        ("0", "0", "1", "no check-out"),
        ("0", "40", "0", "not planned: waits for approval"),
    ]


def test_a_stay_belongs_to_the_day_it_begins_and_to_one_period(town: Session) -> None:
    """Broken: a night over the end of the month would be paid twice or never."""
    night = factories.planned_visit(
        "night", start=datetime(2026, 11, 4, 23, 50, tzinfo=UTC), minutes=60, rostered=("w1",)
    )
    early = factories.planned_visit(
        "early", start=datetime(2026, 11, 5, 0, 10, tzinfo=UTC), customer="c2", rostered=("w2",)
    )
    plans.add_planned_visits(town, visits=[night, early])
    said(town, *stay(datetime(2026, 11, 4, 23, 55, tzinfo=UTC), 60))
    said(town, *stay(datetime(2026, 11, 4, 23, 50, tzinfo=UTC), 30, device="p2", worker="w2", tag="tag-c2"))
    reconciled(town)
    both = [
        [(row["visit"], row["day"]) for row in rows_of(town, "payroll-lines", since=since, until=until)]
        for since, until in ((SINCE, date(2026, 11, 5)), (date(2026, 11, 5), UNTIL))
    ]
    assert both == [[("night", "2026-11-04"), ("early", "2026-11-04")], []]


def test_the_hour_that_comes_twice_is_worked_twice(session: Session) -> None:
    """Broken: a night on which the clocks go back would be paid an hour short."""
    settle(session)
    start = datetime(2026, 10, 24, 23, 30, tzinfo=UTC)  # 00:30 on the 25th, summer time
    plans.add_planned_visits(session, visits=[factories.planned_visit("long", start=start, minutes=150)])
    said(session, *stay(start, 150))
    reconciled(session)
    (row,) = rows_of(session, "payroll-lines", since=date(2026, 10, 25), until=date(2026, 10, 26))
    assert (row["contact_minutes"], row["start"][11:], row["end"][11:]) == ("150", "00:30:00+01:00", "02:00:00+00:00")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "wages"}, "name"),
        ({"until": SINCE}, "until"),
        ({"until": SINCE + timedelta(days=401)}, "until"),
        ({"scope": COUNCILS}, "provider"),
        ({"scope": Scope(provider_id=PROVIDER, locality_id="m14")}, "provider"),
    ],
)
@pytest.mark.database("sqlite")
def test_what_has_no_meaning_is_refused_with_its_field(
    session: Session, changes: dict[str, object], field: str
) -> None:
    """Broken: a wrong wish would give an empty file that looks like an answer."""
    asked = replace(Asked(name="payroll", scope=OWN, since=SINCE, until=UNTIL), **changes)
    with pytest.raises(ExportRefused) as refused:
        table(session, asked=asked, policy=POLICY)
    assert refused.value.field == field


def test_row_57_a_million_rows_are_never_held_at_once() -> None:
    """Broken: a county's year would be held in memory before the first byte leaves."""
    read = 0

    def rows() -> Iterator[list[object]]:
        nonlocal read
        for read in range(1, 1_000_001):
            yield [read, "name"]

    written = -1
    for piece in csv_text(columns=["a", "b"], rows=rows(), zone="Europe/London"):
        written += piece.count("\r\n")
        assert read - written == 0, "what was read has been handed on"
        assert piece.count("\r\n") <= 501
    assert written == 1_000_000


def test_a_year_is_read_a_piece_at_a_time(town: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken: the visits of all days, or of one large day, would be loaded at once."""
    asked: list[int] = []
    real = exports._care

    def counted(session: Session, keys: Sequence[str], day: date):
        asked.append(len(keys))
        return real(session, keys, day)

    monkeypatch.setattr(exports, "_care", counted)
    monkeypatch.setattr(exports, "VISITS_A_PIECE", 1)
    assert len(rows_of(town, "actuals")) == 14
    assert asked == [1] * 14


@pytest.mark.parametrize("columns", [payroll.TOTALS, care.ACTUALS, care.COMMISSIONED])
def test_every_column_is_documented(columns: tuple[str, ...]) -> None:
    """Broken: a clerk would have to guess what a number means."""
    page = (Path(__file__).parents[2] / "docs" / "exports.md").read_text(encoding="utf-8")
    assert [name for name in columns if f"`{name}`" not in page] == []
