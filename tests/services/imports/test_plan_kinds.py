"""Packages, task plans, agreements and absences: versions, what follows from them, and bad-input rows 75, 76, 78, 81, 82 and 83."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from types import SimpleNamespace
from typing import cast

import pytest
from sqlalchemy.orm import Session, sessionmaker

from api.jobs import working
from api.parts import Parts
from evm.domain.ids import CustomerId
from evm.domain.plan import Absence, AbsenceKind, Outcome, Risk, SupportPlan, Task, VisitPattern
from evm.domain.policy import Policy
from evm.services import plan_following
from evm.services.roster_deadlines import publish_deadlines
from evm.store import deadlines, imports, money, plans
from tests.services.imports.files import (
    ANN,
    BOB,
    COUNCIL,
    CUSTOMERS,
    NOW,
    OTHER,
    PACKAGES,
    PLANS,
    PROVIDER,
    settle,
    take,
    taken,
    words_of,
)

C1 = CustomerId("c1")
FROM = date(2026, 11, 30)
BREAKFAST = "c1,2026-11-30,breakfast,daily,08:00,30\n"
TEA = "c1,2026-11-30,tea,Mon-Fri,16:30,45\n"


@pytest.fixture
def town(sessions: sessionmaker[Session], tmp_path) -> sessionmaker[Session]:
    """Ann and Bob, Ann with a package of 420 minutes and £300 a week."""
    settle(sessions)
    taken(sessions, tmp_path, "customers", CUSTOMERS + ANN + BOB)
    taken(sessions, tmp_path, "packages", PACKAGES + "c1,2026-11-02,420,300.00,improved health; personal dignity\n")
    return sessions


def follow(town: sessionmaker[Session], *, now: datetime = NOW) -> int:
    with town.begin() as session:
        done = plan_following.follow(session, now=now, policy=Policy())
        plan_following.unroll(session, now=now, policy=Policy())
    return done


def visits(town: sessionmaker[Session], *, since: date = FROM, days: int = 7):
    with town() as session:
        return plans.planned_visits(session, customer_id=C1, since_day=since, until_day=since + timedelta(days=days))


def test_a_package_is_the_support_plan_from_its_day_and_that_of_a_day_never_changes(town, tmp_path):
    """Minutes already judged against would change under their invoices."""
    with town() as session:
        assert plans.support_plan(session, customer_id=C1, on=FROM) == SupportPlan(
            customer_id=C1,
            outcomes=frozenset({Outcome.HEALTH, Outcome.DIGNITY}),
            budget_week_pence=30_000,
            commissioned_minutes_week=420,
            effective_from=date(2026, 11, 2),
        )
    header = PACKAGES
    same = take(town, tmp_path, "packages", header + "c1,2026-11-09,420,300,personal dignity; improved health\n")
    assert (same.same, same.new, same.changed) == (1, 0, 0)
    changed = taken(town, tmp_path, "packages", header + "c1,2026-11-16,480,300,improved health; personal dignity\n")
    assert changed.changes[0].words == "commissioned_minutes_week: 420 → 480"
    ((_, field, words),) = words_of(
        take(town, tmp_path, "packages", header + "c1,2026-11-02,500,300,improved health\n")
    )
    assert field == "effective_from"
    assert "is not changed" in words


def test_a_package_of_an_outcome_nobody_knows_or_of_another_providers_customer_is_refused(town, tmp_path):
    """Reassessment would compare with an outcome that no task can serve."""
    row = "c1,2026-11-23,480,300,happiness\n"
    assert words_of(take(town, tmp_path, "packages", PACKAGES + row))[0][1] == "outcomes"
    row = "c1,2026-11-23,480,300,improved health\n"
    assert words_of(take(town, tmp_path, "packages", PACKAGES + row, provider=OTHER))[0][1] == "customer"


def test_rows_of_one_customer_are_one_version_and_their_visits_follow(town, tmp_path):
    """Each row as a version of its own would leave the customer with supper only."""
    header = PLANS.strip() + ",workers_needed,risk,tasks,skills_required,flexible_minutes,on_bank_holidays\n"
    rows = (
        "c1,2026-11-30,breakfast,daily,08:00,30,2,time_critical,"
        "meal: A hot breakfast [improved health]; tablets: Morning tablets [improved health] !,hoist,15,no\n"
        "c1,2026-11-30,tea,Mon-Fri,16:30,45,,,,,,\n"
    )
    report = taken(town, tmp_path, "task_plans", header + rows)
    assert (report.new, report.rows) == (2, 2)
    with town() as session:
        (plan,) = plans.task_plans(session, customer_ids=[C1])
    assert (plan.version, plan.effective_from) == (1, FROM)
    assert plan.patterns == (
        VisitPattern(
            slot_name="breakfast",
            weekdays=frozenset(range(7)),
            start=time(8),
            minutes=30,
            workers_needed=2,
            risk=Risk.TIME_CRITICAL,
            tasks=(
                Task(code="meal", words="A hot breakfast", outcome=Outcome.HEALTH),
                Task(code="tablets", words="Morning tablets", outcome=Outcome.HEALTH, time_critical=True),
            ),
            skills_required=frozenset({"hoist"}),
            flexible_minutes=15,
            on_bank_holidays=False,
        ),
        VisitPattern(slot_name="tea", weekdays=frozenset(range(5)), start=time(16, 30), minutes=45),
    )
    assert visits(town) == ()
    assert follow(town) == 1
    assert len(visits(town)) == 12
    assert follow(town) == 0


def test_the_next_version_revises_the_visits_from_its_day_on(town, tmp_path):
    """The old time would be rostered, or both."""
    taken(town, tmp_path, "task_plans", PLANS + BREAKFAST + TEA)
    follow(town)
    changed = (BREAKFAST + TEA).replace("2026-11-30", "2026-12-03").replace("16:30,45", "17:00,60")
    report = taken(town, tmp_path, "task_plans", PLANS + changed)
    assert [(each.row, each.outcome, each.words) for each in report.changes] == [
        (3, "changed", "tea: start: 16:30 → 17:00; minutes: 45 → 60")
    ]
    follow(town)
    teas = [visit for visit in visits(town) if visit.minutes != 30]
    assert [(visit.start.day, visit.start.hour, visit.minutes, visit.revision) for visit in teas] == [
        (30, 16, 45, 1),
        (1, 16, 45, 1),
        (2, 16, 45, 1),
        (3, 17, 60, 2),
        (4, 17, 60, 2),
    ]
    same = take(town, tmp_path, "task_plans", PLANS + changed.replace("12-03", "12-10"))
    assert (same.same, same.new, same.changed) == (2, 0, 0)
    with town() as session:
        assert [plan.version for plan in plans.task_plans(session, customer_ids=[C1])] == [1, 2]


def test_plans_that_came_in_are_unrolled_day_by_day(town, tmp_path):
    """Five weeks after the file nobody would come any more."""
    taken(town, tmp_path, "task_plans", PLANS + BREAKFAST)
    follow(town)
    later = NOW + timedelta(days=30)
    last = later.date() + timedelta(days=plan_following.DAYS_AHEAD)
    assert visits(town, since=last - timedelta(days=1), days=1) == ()
    follow(town, now=later)
    assert len(visits(town, since=last - timedelta(days=1), days=1)) == 1
    assert visits(town, since=last, days=1) == ()


def test_a_dry_run_asks_for_nothing_to_follow(town, tmp_path):
    """Visits of a plan that is not there would be planned."""
    assert take(town, tmp_path, "task_plans", PLANS + BREAKFAST, dry_run=True).new == 1
    with town() as session:
        assert imports.plans_waiting(session) == 0
        assert plans.task_plans(session, customer_ids=[C1]) == ()


@pytest.mark.parametrize("minutes", ["0", "-15", "1441", "45 mins", "45.5"])
def test_row_81_a_visit_lasts_a_whole_number_of_minutes_within_a_day(town, tmp_path, minutes):
    """45.5 would be rounded by whoever reads it, and 0 paid for nothing."""
    report = take(town, tmp_path, "task_plans", PLANS + BREAKFAST.replace(",30\n", f",{minutes}\n"))
    assert [(row, field) for row, field, _ in words_of(report)] == [(2, "minutes")]


@pytest.mark.parametrize(
    "second", [BREAKFAST, BREAKFAST.replace("breakfast", "breakfast-2"), BREAKFAST.replace("08:00", "09:00")]
)
def test_row_82_twin_visits_are_refused_with_the_column_that_says_two_workers(town, tmp_path, second):
    """Two workers would be sent as two visits, each late for the other; or one of the rows would vanish."""
    ((row, field, words),) = words_of(take(town, tmp_path, "task_plans", PLANS + BREAKFAST + second))
    assert (row, field) == (3, "visit")
    assert "workers_needed" in words


def test_row_82_the_same_time_on_other_days_is_no_twin(town, tmp_path):
    """Weekend breakfasts have their own tasks."""
    weekdays = BREAKFAST.replace("daily", "Mon-Fri")
    weekend = BREAKFAST.replace("daily", "Sat-Sun").replace("breakfast", "weekend-breakfast")
    assert take(town, tmp_path, "task_plans", PLANS + weekdays + weekend).taken_in


@pytest.mark.parametrize(
    "weekdays", ["FREQ=SECONDLY", "RRULE:FREQ=DAILY;COUNT=1000000000", "29 Feb", "every second Tuesday", "8", "Mon-"]
)
def test_row_78_only_weekly_patterns_are_taken_and_rules_of_calendars_refused(town, tmp_path, weekdays):
    """A rule that fires every second would plan visits until the disk is full."""
    report = take(town, tmp_path, "task_plans", PLANS + BREAKFAST.replace("daily", weekdays))
    assert [(row, field) for row, field, _ in words_of(report)] == [(2, "weekdays")]


def test_row_78_a_plan_begins_at_most_400_days_ahead(town, tmp_path):
    """A mistyped year would plan for nobody who can check it."""
    row = BREAKFAST.replace("2026-11-30", "2028-11-30")
    assert words_of(take(town, tmp_path, "task_plans", PLANS + row))[0][1:] == (
        "effective_from",
        "2028-11-30 is more than 400 days ahead",
    )


def test_row_75_a_weekly_time_the_clocks_jump_over_is_said_with_what_is_done(town, tmp_path):
    """01:30 on 28 March 2027 does not exist: the night's visit would silently be at some other hour."""
    report = take(
        town, tmp_path, "task_plans", PLANS + "c1,2027-03-01,night,daily,01:30,30,\n".replace(",\n", "\n"), dry_run=True
    )
    gap = [warning for warning in report.warnings if warning.field == "start"]
    assert [warning.row for warning in gap] == [2]
    assert "28 March 2027 does not exist" in gap[0].words
    assert "an hour later" in gap[0].words


def test_row_76_a_weekly_time_that_comes_twice_needs_its_offset(town, tmp_path):
    """01:30 on 31 October 2027 comes twice: one of them would be chosen for the customer."""
    plain = "c1,2027-03-01,night,daily,01:30,30\n"
    errors = words_of(take(town, tmp_path, "task_plans", PLANS + plain))
    assert [(row, field) for row, field, _ in errors] == [(2, "offset_minutes")]
    assert "2027-10-31" in errors[0][2]
    assert "60" in errors[0][2]
    chosen = PLANS.strip() + ",offset_minutes\n" + plain.strip() + ",0\n"
    assert take(town, tmp_path, "task_plans", chosen).taken_in


def test_row_75_and_76_a_spells_local_time_is_refused_with_its_choices(town, tmp_path):
    """A customer would be at home or away an hour sooner than anybody said."""
    header = "customer,kind,since,until\n"
    report = take(town, tmp_path, "absences", header + "c1,hospital,2027-03-28 01:30,\nc2,hospital,2027-10-31 01:30,\n")
    (gap, twice) = words_of(report)
    assert gap[:2] == (2, "since")
    assert "Say 00:30 or 02:30" in gap[2]
    assert twice[:2] == (3, "since")
    assert "2027-10-31 01:30+01:00 or 2027-10-31 01:30+00:00" in twice[2]


@pytest.mark.parametrize("start", ["08:00 BST", "08:00 GMT+1", "08:00Z"])
def test_row_83_a_visits_time_names_no_zone(town, tmp_path, start):
    """`BST` holds for half the year only: the visit would be an hour off for the other half."""
    report = take(town, tmp_path, "task_plans", PLANS + BREAKFAST.replace("08:00", start))
    assert [(row, field) for row, field, _ in words_of(report)] == [(2, "start")]


def test_a_plan_without_a_package_is_refused_and_one_over_budget_is_said(town, tmp_path):
    """A plan nobody signed off would be delivered and not paid."""
    ((row, field, words),) = words_of(take(town, tmp_path, "task_plans", PLANS + BREAKFAST.replace("c1", "c2")))
    assert (row, field) == (2, "effective_from")
    assert "import packages first" in words
    terms = "agreement,provider,effective_from,rate_pence_per_minute\na1,northcare,2026-04-01,200\n"
    taken(town, tmp_path, "agreements", terms, provider=None, council=COUNCIL)
    report = taken(town, tmp_path, "task_plans", PLANS + BREAKFAST)
    assert [(warning.row, warning.field) for warning in report.warnings] == [(2, "minutes")]
    assert "12000 pence a week more" in report.warnings[0].words


def test_one_wrong_row_refuses_its_customers_whole_plan(town, tmp_path):
    """The plan would be taken in without its supper."""
    report = take(town, tmp_path, "task_plans", PLANS + BREAKFAST + TEA.replace("45", "none"))
    assert (report.rejected, report.errors_total) == (2, 1)


def test_rows_of_a_customer_that_stand_apart_are_refused(town, tmp_path):
    """Two halves of a plan would be two versions, the second without the first's visits."""
    taken(town, tmp_path, "packages", PACKAGES + "c2,2026-11-02,420,300,improved health\n")
    content = PLANS + BREAKFAST + BREAKFAST.replace("c1", "c2") + TEA
    assert [(row, field) for row, field, _ in words_of(take(town, tmp_path, "task_plans", content))] == [
        (4, "customer")
    ]


def test_a_version_has_one_first_day_and_begins_no_earlier_than_the_last(town, tmp_path):
    """Days already worked would change their plan."""
    mixed = PLANS + BREAKFAST + TEA.replace("2026-11-30", "2026-12-01")
    assert words_of(take(town, tmp_path, "task_plans", mixed))[0][:2] == (3, "effective_from")
    taken(town, tmp_path, "task_plans", PLANS + BREAKFAST)
    earlier = (BREAKFAST + TEA).replace("2026-11-30", "2026-11-29")
    assert words_of(take(town, tmp_path, "task_plans", PLANS + earlier))[0][:2] == (2, "effective_from")


@pytest.mark.parametrize(
    "cell", ["meal", "meal: A meal", "meal: A meal [joy]", "meal: A meal [improved health]; meal: B [improved health]"]
)
def test_a_task_without_its_words_or_outcome_is_refused(town, tmp_path, cell):
    """A phone would show a task that nobody can read, serving nothing that was signed off."""
    content = PLANS.strip() + ",tasks\n" + BREAKFAST.strip() + f",{cell}\n"
    assert [(row, field) for row, field, _ in words_of(take(town, tmp_path, "task_plans", content))] == [(2, "tasks")]


AGREEMENTS = "agreement,provider,effective_from,rate_pence_per_minute,tolerance_minutes,grades_time\n"


def test_an_agreement_that_differs_is_the_next_version(town, tmp_path):
    """Last year's invoices would be judged by this year's rate."""
    first = AGREEMENTS + "a1,northcare,2026-04-01,45.5,5,A; B\n"
    taken(town, tmp_path, "agreements", first, provider=None, council=COUNCIL)
    same = take(town, tmp_path, "agreements", first.replace("2026-04-01", "2026-05-01"), provider=None, council=COUNCIL)
    assert (same.same, same.new, same.changed) == (1, 0, 0)
    second = first.replace("2026-04-01,45.5", "2027-04-01,91/2").replace(",5,", ",10,")
    report = taken(town, tmp_path, "agreements", second, provider=None, council=COUNCIL)
    assert report.changes[0].words == "tolerance_minutes: 5 → 10"
    with town() as session:
        found = money.agreements(session, provider_id=PROVIDER, council_id=COUNCIL)
    assert [(one.version, one.effective_from, one.rate_pence_per_minute) for one in found] == [
        (1, date(2026, 4, 1), Fraction(91, 2)),
        (2, date(2027, 4, 1), Fraction(91, 2)),
    ]


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ("a1,northcare,2026-04-01,0,,\n", "rate_pence_per_minute"),
        ("a1,northcare,2026-04-01,400,,\n", "rate_pence_per_minute"),
        ("a1,northcare,2026-04-01,1e3,,\n", "rate_pence_per_minute"),
        ("a1,nobody,2026-04-01,45,,\n", "provider"),
        ("a1,northcare,2026-04-01,45,,E\n", "grades_time"),
        ("a1,northcare,2026-04-01,45,900,\n", "tolerance_minutes"),
    ],
)
def test_a_term_that_makes_no_sense_is_its_columns_error(town, tmp_path, row, field):
    """Nought pence a minute pays nobody, and £240 an hour is a slip of the finger."""
    report = take(town, tmp_path, "agreements", AGREEMENTS + row, provider=None, council=COUNCIL)
    assert [error[1] for error in words_of(report)] == [field]


def test_a_provider_sets_no_rate_and_a_version_does_not_begin_before_the_last(town, tmp_path):
    """An agency would pay itself what it likes, or change what is invoiced already."""
    row = AGREEMENTS + "a1,northcare,2026-04-01,45,,\n"
    assert "agreement" in {
        field for _, field, _ in words_of(take(town, tmp_path, "agreements", row, provider=PROVIDER, council=COUNCIL))
    }
    taken(town, tmp_path, "agreements", row, provider=None, council=COUNCIL)
    earlier = row.replace("2026-04-01,45", "2026-03-01,50")
    assert (
        words_of(take(town, tmp_path, "agreements", earlier, provider=None, council=COUNCIL))[0][1] == "effective_from"
    )
    other = row.replace("northcare,2026-04-01,45", "othercare,2026-05-01,45")
    assert words_of(take(town, tmp_path, "agreements", other, provider=None, council=COUNCIL))[0][1] == "agreement"


ABSENCES = "customer,kind,since,until\n"


def spells(town: sessionmaker[Session]) -> list[Absence]:
    with town() as session:
        ever = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
        return list(plans.absences(session, since=ever[0], until=ever[1]))


def test_an_open_spell_is_ended_by_a_later_row_of_the_same_beginning(town, tmp_path):
    """A customer back from hospital would be visited by nobody."""
    taken(town, tmp_path, "absences", ABSENCES + "c1,hospital,2026-11-30 14:30,\n")
    away = Absence(
        customer_id=C1, kind=AbsenceKind.HOSPITAL, since=datetime(2026, 11, 30, 14, 30, tzinfo=UTC), until=None
    )
    assert spells(town) == [away]
    report = taken(town, tmp_path, "absences", ABSENCES + "c1,hospital,2026-11-30 14:30,2026-12-04\n")
    assert (report.new, report.changed) == (0, 1)
    assert [spell.until for spell in spells(town)] == [datetime(2026, 12, 4, tzinfo=UTC)]
    again = take(town, tmp_path, "absences", ABSENCES.strip() + "\nc1,hospital,2026-11-30 14:30,2026-12-04 00:00\n")
    assert (again.same, again.new, again.changed) == (1, 0, 0)


def test_both_rows_of_a_spell_may_stand_in_one_file_and_several_spells_of_a_customer(town, tmp_path):
    """An export of events has the beginning and the end as lines of their own."""
    rows = "c1,hospital,2026-11-30,\nc1,hospital,2026-11-30,2026-12-04\nc1,respite,2026-12-10,2026-12-17\nc2,deceased,2026-12-01,\n"
    report = taken(town, tmp_path, "absences", ABSENCES + rows)
    assert (report.new, report.changed) == (3, 1)
    assert [(spell.kind.value, spell.until is None) for spell in spells(town)] == [
        ("hospital", False),
        ("respite", False),
        ("deceased", True),
    ]


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ("c1,respite,2026-12-02,2026-12-06\n", "since"),
        ("c1,respite,2026-11-01,\n", "since"),
        ("c1,hospital,2026-11-30,2026-12-05\n", "until"),
        ("c1,hospital,2026-12-20,2026-12-20\n", "until"),
        ("c1,deceased,2026-12-20,2026-12-25\n", "until"),
        ("c1,prison,2026-12-20,\n", "kind"),
        ("c9,hospital,2026-12-20,\n", "customer"),
        ("c1,hospital,20/12/2026,\n", "since"),
    ],
)
def test_a_spell_that_overlaps_or_contradicts_one_on_record_is_refused(town, tmp_path, row, field):
    """Two spells over each other would end each other, and a closed one is what invoices were judged by."""
    taken(town, tmp_path, "absences", ABSENCES + "c1,hospital,2026-11-30,2026-12-04\n")
    assert [error[:2] for error in words_of(take(town, tmp_path, "absences", ABSENCES + row))] == [(2, field)]


def test_visits_of_a_spell_have_no_open_deadline(town, tmp_path):
    """The office would be paged for a visit to a house whose owner is in hospital."""
    taken(town, tmp_path, "task_plans", PLANS + BREAKFAST)
    follow(town)
    planned = visits(town)
    ids = [visit.visit_id for visit in planned]
    with town.begin() as session:
        publish_deadlines(session, visits=planned, policy=Policy(), now=NOW)
        assert deadlines.open_deadlines_of(session, visit_ids=ids)
    taken(town, tmp_path, "absences", ABSENCES + "c1,hospital,2026-11-30,2026-12-07\n")
    with town() as session:
        assert not deadlines.open_deadlines_of(session, visit_ids=ids)


def test_a_customer_back_sooner_than_was_said_is_watched_again(town, tmp_path):
    """A spell with its end foreseen could not be ended sooner: nobody would be alerted of a visit missed at a customer who is at home."""
    taken(town, tmp_path, "task_plans", PLANS + BREAKFAST)
    follow(town)
    planned = visits(town)
    with town.begin() as session:
        publish_deadlines(session, visits=planned, policy=Policy(), now=NOW)
    taken(town, tmp_path, "absences", ABSENCES + "c1,hospital,2026-11-30,2026-12-07\n")
    report = taken(town, tmp_path, "absences", ABSENCES + "c1,hospital,2026-11-30,2026-12-03\n")
    back = datetime(2026, 12, 3, tzinfo=UTC)
    assert (report.changed, [spell.until for spell in spells(town)]) == (1, [back])
    sooner = {visit.visit_id for visit in planned if back <= visit.start < datetime(2026, 12, 7, tzinfo=UTC)}
    away = {visit.visit_id for visit in planned if datetime(2026, 11, 30, tzinfo=UTC) <= visit.start < back}
    with town() as session:
        watched = {each.visit_id for each in deadlines.open_deadlines_of(session, visit_ids=sooner | away)}
    assert watched == sooner
    assert sooner


def test_the_standing_work_follows_plans_that_came_in(town, tmp_path):
    """A file would be taken in, and nobody would ever be planned a visit."""
    parts = SimpleNamespace(sessions=town, clock=lambda: NOW, policy=Policy())
    taken(town, tmp_path, "task_plans", PLANS + BREAKFAST)
    (job,) = [job for job in working(cast("Parts", parts)) if job.name == "follow task plans"]
    assert list(cast("Iterator[int]", job.run())) == [1, 1]
    assert len(visits(town)) == 7
    assert list(cast("Iterator[int]", job.run())) == []
