"""A week's rosters made together: seven drafts or none, each right beside the others, and never solved twice for the same question."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from evm.domain.ids import VisitId, WorkerId
from evm.domain.people import Training
from evm.domain.policy import Policy
from evm.services import roster, roster_week
from evm.services.roster import RosterRefused
from evm.services.roster_body import stops_of
from evm.services.roster_problem import Pin, Wishes
from evm.services.roster_worker import solve_task_apart
from evm.store import plans, rosters
from evm.store.rosters import RosterRecord, RosterState
from rostering.scale import ProcessPool, Task
from rostering.scale_week import solve_task
from tests.planning import LOCALITY, MONDAY, PROVIDER, a_visit, a_worker, instant, settle

POLICY = Policy()
QUICK = Wishes(iterations_max=30, effort_seconds=0)
WHERE = {"locality_id": LOCALITY, "provider_id": PROVIDER}
NOW = instant(12, day=MONDAY - timedelta(days=3))
WEEK = [MONDAY + timedelta(days=number) for number in range(7)]


def never() -> bool:
    return False


def planned(session: Session, *, hours: tuple[int, ...] = (8, 9, 12), **changed: Any) -> None:
    visits = [
        a_visit(f"v{day:%a}{hour}".lower(), customer=f"c{number % 3 + 1}", at=instant(hour, day=day), **changed)
        for day in WEEK
        for number, hour in enumerate(hours)
    ]
    plans.add_planned_visits(session, visits=visits)


def prepared(session: Session, *, seed: int = 1, wishes: Wishes = QUICK) -> roster_week.PreparedWeek:
    return roster_week.prepare_week(session, monday=MONDAY, seed=seed, policy=POLICY, wishes=wishes, **WHERE)


def kept(session: Session, question: roster_week.PreparedWeek, *, now: datetime = NOW) -> list[RosterRecord]:
    result = solve_task(roster_week.task_of(question, seconds_max=None), never)
    days = roster_week.days_of(question, result=result, policy=POLICY)
    ids = roster_week.keep_week(session, prepared=question, days=days, now=now, policy=POLICY)
    found = [rosters.roster(session, roster_id=roster_id) for roster_id in ids]
    assert None not in found
    return [record for record in found if record is not None]


def test_a_week_becomes_seven_drafts_with_every_visit_in_its_day(session: Session) -> None:
    """A visit that fell between two days would have nobody."""
    settle(session)
    planned(session)
    records = kept(session, prepared(session))
    assert [record.day for record in records] == WEEK
    assert {record.state for record in records} == {RosterState.DRAFT}
    assert {(record.unfilled, record.violations) for record in records} == {(0, 0)}
    for record in records:
        starts = sorted(stop["start"] for _, stop in stops_of(record.body))
        assert starts == [instant(hour, day=record.day).isoformat() for hour in (8, 9, 12)]
        assert record.body["made"] == "generated"


def test_each_day_of_the_week_can_be_published(session: Session) -> None:
    """Drafts that could not be published would be of no use."""
    settle(session)
    planned(session)
    for record in kept(session, prepared(session)):
        roster.publish(session, roster_id=record.roster_id, by="ana", now=NOW, policy=POLICY)
    assert len(rosters.list_rosters(session, since_day=MONDAY, until_day=MONDAY + timedelta(days=7), state=RosterState.PUBLISHED)) == 7  # fmt: skip


def test_the_same_question_is_known_to_be_answered_until_something_changes(session: Session) -> None:
    """A run that was broken off must go on where it was, and a changed plan must be solved anew."""
    settle(session)
    planned(session)
    question = prepared(session)
    assert roster_week.saved_week(session, prepared=question) == ()
    ids = tuple(record.roster_id for record in kept(session, question))
    assert roster_week.saved_week(session, prepared=prepared(session)) == ids
    assert roster_week.saved_week(session, prepared=prepared(session, seed=2)) == ()
    plans.add_planned_visits(session, visits=[a_visit("more", at=instant(13, day=WEEK[2]))])
    assert roster_week.saved_week(session, prepared=prepared(session)) == ()


def test_plans_that_change_while_the_week_is_solved_refuse_it_whole(session: Session) -> None:
    """Seven drafts of yesterday's plans would look as good as any."""
    settle(session)
    planned(session)
    question = prepared(session)
    result = solve_task(roster_week.task_of(question, seconds_max=None), never)
    days = roster_week.days_of(question, result=result, policy=POLICY)
    plans.add_planned_visits(session, visits=[a_visit("more", at=instant(13, day=WEEK[6]))])
    with pytest.raises(RosterRefused, match="changed while the week was made: make it again"):
        roster_week.keep_week(session, prepared=question, days=days, now=NOW, policy=POLICY)
    assert rosters.list_rosters(session, since_day=MONDAY, until_day=MONDAY + timedelta(days=7)) == ()


def test_the_week_s_hours_hold_over_all_days(session: Session) -> None:
    """Seven good days can be one unlawful week."""
    settle(session, workers=[a_worker(1, hours_week_max=8)])
    planned(session, minutes=60)
    records = kept(session, prepared(session))
    care = sum(1 for record in records for _ in stops_of(record.body))
    assert 0 < care <= 8
    assert sum(record.unfilled for record in records) == 21 - care


def test_nobody_works_longer_on_a_day_than_the_day_allows(session: Session) -> None:
    """The week's problem knows no hours a day: a day over them is solved again, and the others stand."""
    settle(session, workers=[a_worker(1, hours_day_max=2)])
    planned(session, hours=(8, 9, 10, 11), minutes=45)
    question = prepared(session)
    whole = solve_task(roster_week.task_of(question, seconds_max=None), never)
    assert len(whole.roster.unfilled) == 4  # one day of rest
    records = kept(session, question)
    assert [record.violations for record in records] == [0] * 7
    assert sorted(record.unfilled for record in records) == [2, 2, 2, 2, 2, 2, 4]


def test_a_skill_that_ends_in_mid_week_is_not_counted_on_afterwards(session: Session) -> None:
    """Training that has run out does not keep a customer safe."""
    until = WEEK[2]
    settle(session, workers=[a_worker(1, training=(Training(skill="hoist", last_day=until),))])
    planned(session, hours=(9,), skills_required=frozenset({"hoist"}))
    unfilled = {record.day: record.unfilled for record in kept(session, prepared(session))}
    assert [unfilled[day] for day in WEEK] == [0 if day <= until else 1 for day in WEEK]


def test_a_week_that_does_not_begin_on_a_monday_is_refused_with_its_monday(session: Session) -> None:
    """Weekly hours and rest are counted from Monday; the sentence says which was probably meant."""
    settle(session)
    with pytest.raises(RosterRefused, match=f"is no Monday: name the week by its Monday, {MONDAY}"):
        roster_week.prepare_week(session, monday=WEEK[3], seed=1, policy=POLICY, **WHERE)


def test_a_published_day_is_the_start_of_the_next_making(session: Session) -> None:
    """People who were told their week must not be shuffled for nothing."""
    settle(session)
    planned(session)
    first = kept(session, prepared(session))
    for record in first:
        roster.publish(session, roster_id=record.roster_id, by="ana", now=NOW, policy=POLICY)
    again = kept(session, prepared(session, seed=9), now=NOW + timedelta(hours=1))
    assert [record.body["changes"] for record in again] == [[]] * 7


def test_days_of_a_week_across_a_clock_change_keep_their_hours(session: Session) -> None:
    """On 25 October 2026 clocks go back: a Sunday visit at 09:00 local stays at 09:00 local."""
    monday = date(2026, 10, 19)
    settle(session)
    days = [monday + timedelta(days=number) for number in range(7)]
    offset = {day: 1 if day < days[6] else 0 for day in days}
    visits = [a_visit(f"v{day:%a}".lower(), at=instant(9 - offset[day], day=day)) for day in days]
    plans.add_planned_visits(session, visits=visits)
    question = roster_week.prepare_week(session, monday=monday, seed=1, policy=POLICY, wishes=QUICK, **WHERE)
    records = kept(session, question, now=instant(9, day=monday - timedelta(days=3)))
    starts = {record.day: [stop["start"] for _, stop in stops_of(record.body)] for record in records}
    assert starts == {day: [instant(9 - offset[day], day=day).isoformat()] for day in days}


def test_the_week_solved_elsewhere_is_the_week_solved_here(session: Session) -> None:
    """Where it was solved must not decide who is sent; and no name, address or coordinate leaves this process."""
    settle(session)
    planned(session)
    task = roster_week.task_of(prepared(session), seconds_max=None)
    here, apart = solve_task(task, never), solve_task_apart(task)
    (pooled,) = ProcessPool(processes=1).map_unordered(work=solve_task, tasks=[Task(key="m14", value=task)])
    assert apart.roster == here.roster == pooled.answer.roster
    assert not any(word in repr(task) for word in ("Customer 1", "Example Road", "M14 5AA", "Worker 1", "53.4"))


def names(record: RosterRecord) -> Mapping[str, str]:
    return {stop["visit"]: worker for worker, stop in stops_of(record.body)}


def test_what_a_person_pinned_stays_in_the_week(session: Session) -> None:
    """A pin is a person's word."""
    settle(session)
    planned(session)
    pins = {VisitId("vwed9"): Pin(workers=(WorkerId("w3"),))}
    record = kept(session, prepared(session, wishes=replace(QUICK, pins=pins)))[2]
    assert names(record)["vwed9"] == "w3"
