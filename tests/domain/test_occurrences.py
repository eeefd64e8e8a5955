"""Planned visits from weekly patterns: versions, clock changes, bank holidays, absences."""

import hashlib
from datetime import UTC, date, datetime, time

import pytest

from evm.domain.ids import CustomerId, LocalityId, ProviderId
from evm.domain.occurrences import Occurrences, occurrences, plan_in_force, visit_id_of
from evm.domain.plan import Absence, AbsenceKind, TaskPlan, VisitPattern

C1 = CustomerId("c1")
EVERY_DAY = frozenset(range(7))


def task_plan(*patterns, version=1, since=date(2026, 1, 1)):
    return TaskPlan(customer_id=C1, version=version, effective_from=since, patterns=patterns)


def pattern(name="breakfast", start=time(8), minutes=30, **changes):
    return VisitPattern(
        slot_name=name, weekdays=changes.pop("weekdays", EVERY_DAY), start=start, minutes=minutes, **changes
    )


def made(*plans, since, until, **changes) -> Occurrences:
    return occurrences(
        customer_id=C1,
        provider_id=ProviderId("kindly"),
        locality_id=LocalityId("m14"),
        task_plans=plans,
        since_day=since,
        until_day=until,
        zone="Europe/London",
        **changes,
    )


def test_a_daily_pattern_makes_one_visit_a_day_at_its_local_time():
    """Broken: visits would move by an hour when the clocks change."""
    found = made(task_plan(pattern()), since=date(2026, 10, 24), until=date(2026, 10, 26)).visits
    assert [one.start for one in found] == [
        datetime(2026, 10, 24, 7, tzinfo=UTC),
        datetime(2026, 10, 25, 8, tzinfo=UTC),
    ]
    assert {one.rostered for one in found} == {(None,)}


def test_ids_are_stable_and_follow_from_customer_slot_and_day():
    """Broken: materialising twice, or after a new version, would double visits."""
    digest = hashlib.sha256(b"c1|breakfast|2026-11-02").hexdigest()[:24]
    assert visit_id_of(customer_id=C1, slot_name="breakfast", day=date(2026, 11, 2)) == f"v{digest}"
    first = made(task_plan(pattern()), since=date(2026, 11, 2), until=date(2026, 11, 3)).visits
    later = task_plan(pattern(start=time(9)), version=2, since=date(2026, 11, 2))
    second = made(task_plan(pattern()), later, since=date(2026, 11, 2), until=date(2026, 11, 3)).visits
    assert [one.visit_id for one in first] == [one.visit_id for one in second]
    assert second[0].task_plan_version == 2


def test_the_version_in_force_on_the_day_counts():
    """Broken: a visit would be judged against a plan that was not agreed yet."""
    old, new = task_plan(pattern()), task_plan(pattern(minutes=45), version=2, since=date(2026, 11, 3))
    found = made(new, old, since=date(2026, 11, 2), until=date(2026, 11, 4)).visits
    assert [one.minutes for one in found] == [30, 45]
    assert plan_in_force([new], day=date(2026, 11, 2)) is None


def test_weekdays_and_bank_holidays_are_kept():
    """Broken: visits would be planned on days nobody agreed to."""
    weekdays = pattern(weekdays=frozenset({0, 4}), on_bank_holidays=False)
    christmas = date(2026, 12, 25)
    found = made(task_plan(weekdays), since=date(2026, 12, 21), until=date(2026, 12, 29), bank_holidays={christmas})
    assert [one.start.date() for one in found.visits] == [date(2026, 12, 21), date(2026, 12, 28)]


def test_a_start_the_clocks_jump_over_is_moved_and_said():
    """Broken: a night visit would silently start at another time, or not at all."""
    found = made(task_plan(pattern(start=time(1, 30))), since=date(2027, 3, 28), until=date(2027, 3, 29))
    assert found.visits[0].start == datetime(2027, 3, 28, 1, 30, tzinfo=UTC)
    assert "does not exist" in found.clock_changes[0].words


def test_a_start_that_comes_twice_takes_the_patterns_offset_or_the_first_and_says_so():
    """Broken: one of two hours would be taken without a word."""
    days = {"since": date(2027, 10, 31), "until": date(2027, 11, 1)}
    silent = made(task_plan(pattern(start=time(1, 30))), **days)
    assert silent.visits[0].start == datetime(2027, 10, 31, 0, 30, tzinfo=UTC)
    assert "the first is taken" in silent.clock_changes[0].words
    chosen = made(task_plan(pattern(start=time(1, 30), offset_minutes=0)), **days)
    assert chosen.visits[0].start == datetime(2027, 10, 31, 1, 30, tzinfo=UTC)
    assert chosen.clock_changes == ()


def test_an_absence_suspends_visits_and_they_resume():
    """Broken: a roster would send workers to an empty home."""
    away = Absence(
        customer_id=C1,
        kind=AbsenceKind.HOSPITAL,
        since=datetime(2026, 11, 3, tzinfo=UTC),
        until=datetime(2026, 11, 4, tzinfo=UTC),
    )
    found = made(task_plan(pattern()), since=date(2026, 11, 2), until=date(2026, 11, 5), absences=[away])
    assert [one.start.day for one in found.visits] == [2, 4]
    assert [one.start.day for one in found.suspended] == [3]


def test_unrolling_is_idempotent_and_any_split_of_the_days_gives_the_same():
    """Broken: nightly materialising would drift from the whole."""
    plan = task_plan(pattern(), pattern("bed", time(21), workers_needed=2))
    whole = made(plan, since=date(2026, 10, 20), until=date(2026, 11, 20)).visits
    parts = [
        *made(plan, since=date(2026, 10, 20), until=date(2026, 10, 26)).visits,
        *made(plan, since=date(2026, 10, 26), until=date(2026, 11, 20)).visits,
    ]
    assert whole == tuple(parts)
    assert whole[1].rostered == (None, None)


def test_row_78_no_plan_is_unrolled_further_than_400_days():
    """Broken (bad-input 78): one request could fill the database."""
    with pytest.raises(ValueError, match="400"):
        made(task_plan(pattern()), since=date(2026, 1, 1), until=date(2027, 12, 31))
