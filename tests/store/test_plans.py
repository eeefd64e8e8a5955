"""Plans kept and read back: nothing agreed is lost or changed on the way through the database."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from evm.domain.ids import CustomerId, VisitId, WorkerId
from evm.domain.plan import Absence, AbsenceKind, Cancellation, CancelledBy, Risk
from evm.domain.popback import Alternative, AlternativeKind, PopbackRequest, PopbackState
from evm.store import plans
from tests.planning import LOCALITY, MONDAY, PROVIDER, a_pattern, a_support_plan, a_task_plan, a_visit, instant, settle

TUESDAY = MONDAY + timedelta(days=1)
C1, W1, W2 = CustomerId("c1"), WorkerId("w1"), WorkerId("w2")


@pytest.fixture
def kept(session: Session) -> Session:
    settle(session)
    return session


def test_a_task_plan_comes_back_as_it_was_agreed(kept: Session) -> None:
    """A pattern's field lost in JSON would change what the visit must do, when, or by how many."""
    pattern = a_pattern(
        "night",
        weekdays=frozenset({6}),
        start=time(1, 30),
        minutes=540,
        workers_needed=2,
        risk=Risk.TIME_CRITICAL,
        skills_required=frozenset({"peg", "hoist"}),
        flexible_minutes=0,
        on_bank_holidays=False,
        offset_minutes=60,
    )
    plan = a_task_plan(patterns=[a_pattern(), pattern])
    plans.add_task_plans(kept, plans=[plan])
    assert plans.task_plans(kept, customer_ids=[C1]) == (plan,)


def test_only_the_version_in_force_on_the_day_is_given(kept: Session) -> None:
    """A visit must be judged against the version in force, not the newest one."""
    first = a_task_plan(version=1)
    second = a_task_plan(version=2, effective_from=TUESDAY, patterns=[a_pattern(start=time(9))])
    plans.add_task_plans(kept, plans=[first, second])
    assert plans.task_plans(kept, customer_ids=[C1], on=MONDAY) == (first,)
    assert plans.task_plans(kept, customer_ids=[C1], on=TUESDAY) == (second,)
    assert plans.task_plans(kept, customer_ids=[C1], on=first.effective_from - timedelta(days=1)) == ()
    assert plans.task_plans(kept, customer_ids=None) == (first, second)


def test_a_version_is_never_overwritten(kept: Session) -> None:
    """Versions never change: a second version 1 would rewrite what past visits are judged by."""
    plans.add_task_plans(kept, plans=[a_task_plan()])
    with pytest.raises(IntegrityError):
        plans.add_task_plans(kept, plans=[a_task_plan(patterns=[a_pattern(minutes=15)])])


def test_the_support_plan_in_force_is_the_newest_begun(kept: Session) -> None:
    """A budget that begins next month must not decide what is affordable today."""
    now, later = a_support_plan(), a_support_plan(effective_from=TUESDAY, budget_week_pence=1)
    plans.add_support_plans(kept, plans=[later, now])
    assert plans.support_plan(kept, customer_id=C1, on=MONDAY) == now
    assert plans.support_plan(kept, customer_id=C1, on=TUESDAY) == later
    assert plans.support_plan(kept, customer_id=C1, on=date(2020, 1, 1)) is None


def test_a_planned_visit_comes_back_whole(kept: Session) -> None:
    """Risk, slots, pop-back mark, tasks and cancellation decide deadlines and money: none may be lost."""
    visit = a_visit(
        "v1",
        workers_needed=2,
        rostered=(None, W2),
        risk=Risk.TIME_CRITICAL,
        tasks=("meds", "breakfast"),
        skills_required=frozenset({"hoist"}),
        flexible_minutes=15,
        task_plan_version=3,
        revision=2,
        popback=True,
        cancelled=Cancellation(at=instant(7), by=CancelledBy.CUSTOMER, reason="at her daughter's"),
    )
    plans.add_planned_visits(kept, visits=[visit])
    assert plans.planned_visit(kept, visit_id=VisitId("v1")) == visit
    assert plans.planned_visit(kept, visit_id=VisitId("v2")) is None


def test_visits_belong_to_the_local_day_they_begin_on(kept: Session) -> None:
    """In summer 23:30 UTC is already tomorrow in London: the wrong day would put the visit on the wrong roster."""
    late = a_visit("v1", at=datetime(2026, 7, 1, 22, 30, tzinfo=UTC))
    after_midnight = a_visit("v2", at=datetime(2026, 7, 1, 23, 30, tzinfo=UTC))
    plans.add_planned_visits(kept, visits=[late, after_midnight])
    first = plans.planned_visits(kept, since_day=date(2026, 7, 1), until_day=date(2026, 7, 2))
    second = plans.planned_visits(kept, since_day=date(2026, 7, 2), until_day=date(2026, 7, 3))
    assert [first, second] == [(late,), (after_midnight,)]


def test_visits_are_found_by_customer_provider_locality_and_worker(kept: Session) -> None:
    """A filter that let others' visits through would show one customer's day to another's family."""
    mine = a_visit("v1", customer="c1", rostered=(W1,))
    other = a_visit("v2", customer="c2", at=instant(8), rostered=(W2,))
    plans.add_planned_visits(kept, visits=[mine, other])
    days = {"since_day": MONDAY, "until_day": TUESDAY}
    assert plans.planned_visits(kept, customer_id=C1, **days) == (mine,)
    assert plans.planned_visits(kept, customer_ids=[CustomerId("c2"), CustomerId("c9")], **days) == (other,)
    assert plans.planned_visits(kept, worker_id=W2, **days) == (other,)
    assert plans.planned_visits(kept, provider_id=PROVIDER, locality_id=LOCALITY, **days) == (other, mine)
    assert plans.planned_visits(kept, customer_ids=[], **days) == ()
    assert plans.planned_visits_of(kept, visit_ids=[VisitId("v1"), VisitId("v9")]) == (mine,)


def test_rostering_replaces_every_slot_of_the_visits_named_and_no_other(kept: Session) -> None:
    """A slot left over from the old roster would send two workers, and alert for one who was never asked."""
    double = a_visit("v1", workers_needed=2, rostered=(W1, W2))
    single = a_visit("v2", customer="c2", rostered=(W1,))
    plans.add_planned_visits(kept, visits=[double, single])
    plans.set_rostered(kept, rostered={VisitId("v1"): (W2, None)})
    assert plans.planned_visits(kept, since_day=MONDAY, until_day=TUESDAY) == (
        replace(double, rostered=(W2, None)),
        single,
    )


def test_a_revised_visit_keeps_its_id_and_loses_slots_no_longer_needed(kept: Session) -> None:
    """A double-up that becomes a single visit must not keep a deadline-bearing second slot."""
    before = a_visit("v1", workers_needed=2, rostered=(W1, W2))
    other = a_visit("v2", customer="c2")
    plans.add_planned_visits(kept, visits=[before, other])
    after = replace(before, start=instant(10, day=TUESDAY), minutes=45, workers_needed=1, rostered=(W1,), revision=2)
    plans.revise(kept, visits=[after])
    assert plans.planned_visits(kept, since_day=TUESDAY, until_day=TUESDAY + timedelta(days=1)) == (after,)
    assert plans.planned_visits(kept, since_day=MONDAY, until_day=TUESDAY) == (other,)


def test_a_cancellation_is_recorded_once(kept: Session) -> None:
    """The second one must not rewrite when, and by whom, notice was given: money depends on it."""
    plans.add_planned_visits(kept, visits=[a_visit("v1")])
    first = Cancellation(at=instant(6), by=CancelledBy.CUSTOMER, reason="hospital")
    second = Cancellation(at=instant(8), by=CancelledBy.PROVIDER, reason="nobody free")
    assert plans.cancel(kept, visit_id=VisitId("v1"), cancellation=first)
    assert not plans.cancel(kept, visit_id=VisitId("v1"), cancellation=second)
    assert not plans.cancel(kept, visit_id=VisitId("v9"), cancellation=first)
    found = plans.planned_visit(kept, visit_id=VisitId("v1"))
    assert found is not None
    assert found.cancelled == first


def test_absences_that_touch_the_period_are_found_open_ones_too(kept: Session) -> None:
    """A customer in hospital since last week must not be visited, nor one back yesterday be skipped."""
    past = Absence(customer_id=C1, kind=AbsenceKind.RESPITE, since=instant(0, day=date(2026, 11, 1)), until=instant(9))
    open_one = Absence(customer_id=CustomerId("c2"), kind=AbsenceKind.HOSPITAL, since=instant(1), until=None)
    plans.add_absences(kept, absences=[past, open_one])
    assert plans.absences(kept, since=instant(8), until=instant(10)) == (past, open_one)
    assert plans.absences(kept, since=instant(9), until=instant(10)) == (open_one,)
    assert plans.absences(kept, provider_id=PROVIDER, since=instant(0), until=instant(1)) == (past,)
    assert plans.absences(kept, customer_ids=[C1], since=instant(9), until=instant(10)) == ()
    assert plans.end_absence(kept, customer_id=CustomerId("c2"), until=instant(9)) == 1
    assert plans.absences(kept, since=instant(9), until=instant(10)) == ()


def test_what_was_asked_in_a_pop_back_never_changes_with_its_answer(kept: Session) -> None:
    """The 24 hours' notice runs from what was asked and when: an answer must not be able to move it."""
    asked = PopbackRequest(
        request_id="0190f000-0000-7000-8000-000000000001",
        customer_id=C1,
        asked_at=instant(9),
        asked_by="w1",
        wanted_at=instant(10, day=TUESDAY),
        minutes=20,
    )
    plans.add_popback_request(kept, request=asked)
    offer = Alternative(kind=AlternativeKind.ANOTHER_TIME, words="at 11:00", at=instant(11), minutes=20)
    answered = replace(asked, state=PopbackState.REFUSED, answer="nobody is free", alternatives=(offer,))
    plans.update_popback_request(kept, request=replace(answered, wanted_at=instant(3), minutes=99))
    assert plans.popback_request(kept, request_id=asked.request_id) == answered
    assert plans.list_popback_requests(kept, provider_id=PROVIDER, state=PopbackState.REFUSED) == (answered,)
    assert plans.list_popback_requests(kept, customer_id=C1, state=PopbackState.ASKED) == ()


def test_a_month_of_visits_is_written_and_read_in_a_fixed_number_of_statements(kept: Session) -> None:
    """A statement a visit would make 17,000 round trips of it: adding must be two statements, reading two."""
    visits = [
        a_visit(f"v{number:05d}", customer=f"c{number % 3 + 1}", at=instant(6) + timedelta(minutes=number))
        for number in range(900)
    ]
    statements: list[str] = []
    engine = kept.get_bind()
    event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    plans.add_planned_visits(kept, visits=visits)
    written = len(statements)
    found = plans.planned_visits(kept, since_day=MONDAY, until_day=MONDAY + timedelta(days=2))
    assert (written, len(statements) - written) == (2, 2)
    assert found == tuple(visits)
