"""From task plans to planned visits: which visits there are, with which ids, and that a second run changes nothing."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from hashlib import sha256

import pytest
from sqlalchemy.orm import Session

from evm.domain.ids import CustomerId
from evm.domain.plan import Absence, AbsenceKind, Cancellation, CancelledBy, Outcome, PlannedVisit, TaskPlan
from evm.domain.plan_check import PlanInvalid
from evm.domain.policy import Policy
from evm.services import plan, roster
from evm.services.bank_holidays import bank_holidays
from evm.store import deadlines, plans
from tests.planning import (
    MONDAY,
    PROVIDER,
    a_pattern,
    a_support_plan,
    a_task_plan,
    a_visit,
    instant,
    settle,
)

POLICY = Policy()
TUESDAY, NEXT_MONDAY = MONDAY + timedelta(days=1), MONDAY + timedelta(days=7)
C1 = CustomerId("c1")


@pytest.fixture
def kept(session: Session) -> Session:
    settle(session)
    return session


def stored(session: Session, *, until_day: date = NEXT_MONDAY) -> tuple[PlannedVisit, ...]:
    return plans.planned_visits(session, since_day=MONDAY, until_day=until_day)


def made(session: Session, *, task_plans: Sequence[TaskPlan] = (), until_day: date = NEXT_MONDAY) -> int:
    plans.add_task_plans(session, plans=task_plans)
    return plan.materialise(session, provider_id=PROVIDER, since_day=MONDAY, until_day=until_day, policy=POLICY)


def test_a_week_of_a_pattern_becomes_its_visits(kept: Session) -> None:
    """A missing day is a customer nobody comes to."""
    pattern = a_pattern(weekdays=frozenset({0, 2, 4}), minutes=45, workers_needed=2)
    assert made(kept, task_plans=[a_task_plan(patterns=[pattern])]) == 3
    found = stored(kept)
    assert [visit.start for visit in found] == [instant(8, day=MONDAY + timedelta(days=n)) for n in (0, 2, 4)]
    assert {(visit.minutes, visit.rostered, visit.revision) for visit in found} == {(45, (None, None), 1)}


def test_an_id_is_the_digest_of_customer_name_and_day(kept: Session) -> None:
    """Other parts and other runs derive the same id: a changed recipe would orphan evidence that names a visit."""
    made(kept, task_plans=[a_task_plan()], until_day=TUESDAY)
    digest = sha256(f"c1|breakfast|{MONDAY.isoformat()}".encode()).hexdigest()
    assert [visit.visit_id for visit in stored(kept)] == [f"v{digest[:24]}"]


def test_a_second_run_changes_nothing(kept: Session) -> None:
    """Plans are unrolled every night: a duplicate visit would be sent, and billed, twice."""
    assert made(kept, task_plans=[a_task_plan("c1"), a_task_plan("c2")]) == 14
    before = stored(kept)
    assert made(kept) == 0
    assert stored(kept) == before


def test_a_person_s_change_of_one_day_survives_the_next_run(kept: Session) -> None:
    """Moving Tuesday's breakfast must not be undone by the nightly run, even across midnight."""
    made(kept, task_plans=[a_task_plan()])
    first = stored(kept)[0]
    moved = replace(first, start=instant(1, day=NEXT_MONDAY), revision=2)
    plans.revise(kept, visits=[moved])
    assert made(kept) == 0
    assert plans.planned_visit(kept, visit_id=first.visit_id) == moved


def replanned(session: Session, *, task_plan: TaskPlan, now: datetime = instant(12)) -> plan.Replanned:
    plans.add_task_plans(session, plans=[task_plan])
    return plan.replan(
        session, customer_id=C1, since_day=MONDAY, until_day=NEXT_MONDAY, now=now, policy=POLICY, bank_holidays=()
    )


def test_a_new_version_revises_the_days_it_is_in_force(kept: Session) -> None:
    """The visit keeps its id and gets a new revision, so that old deadlines and alerts stay what they were."""
    made(kept, task_plans=[a_task_plan()])
    old = stored(kept)
    roster.publish_deadlines(kept, visits=old[:2], policy=POLICY)
    later = a_task_plan(version=2, effective_from=TUESDAY, patterns=[a_pattern(start=time(9), minutes=20)])
    done = replanned(kept, task_plan=later)
    new = stored(kept)
    assert done == plan.Replanned(new=(), revised=tuple(visit.visit_id for visit in old[1:]), withdrawn=())
    assert new[0] == old[0]
    assert [visit.visit_id for visit in new] == [visit.visit_id for visit in old]
    assert {(visit.start.hour, visit.minutes, visit.revision, visit.task_plan_version) for visit in new[1:]} == {
        (9, 20, 2, 2)
    }
    rows = deadlines.deadlines_of(kept, visit_ids=[visit.visit_id for visit in old])
    still_open = {(row.visit_id, row.revision) for row in rows if row.judged_at is None}
    assert still_open == {(old[0].visit_id, 1), (old[1].visit_id, 2)}


def test_what_a_new_version_does_not_have_is_withdrawn_and_what_it_adds_is_new(kept: Session) -> None:
    """A lunch taken out of the plan must not be alerted as missed for ever, nor the new tea be forgotten."""
    made(kept, task_plans=[a_task_plan(patterns=[a_pattern(), a_pattern("lunch", start=time(12))])])
    lunches = [visit.visit_id for visit in stored(kept) if visit.start.hour == 12]
    roster.publish_deadlines(kept, visits=stored(kept), policy=POLICY)
    tea = a_task_plan(version=2, effective_from=TUESDAY, patterns=[a_pattern(), a_pattern("tea", start=time(16))])
    done = replanned(kept, task_plan=tea)
    assert list(done.withdrawn) == lunches[1:]
    assert len(done.new) == 6
    standing = [visit for visit in stored(kept) if visit.cancelled is None]
    assert sorted({visit.start.hour for visit in standing if visit.start.day != MONDAY.day}) == [8, 16]
    rows = deadlines.deadlines_of(kept, visit_ids=lunches)
    assert {row.visit_id for row in rows if row.judged_at is None} == {lunches[0]}
    assert plan.replan(
        kept, customer_id=C1, since_day=MONDAY, until_day=NEXT_MONDAY, now=instant(12), policy=POLICY, bank_holidays=()
    ) == plan.Replanned(new=(), revised=(), withdrawn=())


def test_what_has_begun_a_pop_back_or_a_cancelled_visit_is_not_replanned(kept: Session) -> None:
    """The past is judged by the plan it was made under, and a promise stands."""
    made(kept, task_plans=[a_task_plan()], until_day=TUESDAY)
    cancelled = Cancellation(at=instant(1), by=CancelledBy.CUSTOMER, reason="away")
    extra = [
        a_visit("p1", at=instant(15), popback=True),
        a_visit("x1", at=instant(17), cancelled=cancelled),
    ]
    plans.add_planned_visits(kept, visits=extra)
    before = stored(kept, until_day=TUESDAY)
    empty = a_task_plan(version=2, effective_from=MONDAY, patterns=[a_pattern("supper", start=time(19))])
    done = replanned(kept, task_plan=empty, now=instant(8))
    assert done.revised == done.withdrawn == ()
    assert [visit for visit in stored(kept, until_day=TUESDAY) if visit.visit_id not in done.new] == list(before)


def test_a_customer_who_is_away_keeps_planned_visits(kept: Session) -> None:
    """Absences come and go after plans are unrolled: suspension is decided where visits are used, not by leaving gaps."""
    plans.add_absences(
        kept, absences=[Absence(customer_id=C1, kind=AbsenceKind.HOSPITAL, since=instant(0), until=None)]
    )
    assert made(kept, task_plans=[a_task_plan()]) == 7


def test_only_the_customers_asked_for_are_unrolled(kept: Session) -> None:
    """Unrolling one customer's plan must not touch another's."""
    plans.add_task_plans(kept, plans=[a_task_plan("c1"), a_task_plan("c2")])
    count = plan.materialise(kept, customer_ids=[C1], since_day=MONDAY, until_day=TUESDAY, policy=POLICY)
    assert (count, [visit.customer_id for visit in stored(kept)]) == (1, ["c1"])


def test_a_pattern_that_skips_bank_holidays_leaves_them_out(kept: Session) -> None:
    """Boxing Day 2026 is a Saturday: gov.uk lists Monday the 28th in its place, and not the Saturday."""
    christmas = date(2026, 12, 25)
    assert bank_holidays(since_day=christmas, until_day=date(2026, 12, 31)) == {christmas, date(2026, 12, 28)}
    plans.add_task_plans(kept, plans=[a_task_plan(patterns=[a_pattern(on_bank_holidays=False)])])
    days = {"since_day": christmas, "until_day": date(2026, 12, 30)}
    plan.materialise(kept, provider_id=PROVIDER, policy=POLICY, **days)
    assert [visit.start.day for visit in plans.planned_visits(kept, **days)] == [26, 27, 29]


def test_a_plan_over_budget_is_kept_and_says_by_how_much(kept: Session) -> None:
    """The person decides with the numbers in hand; the outcomes left unserved are named."""
    support = a_support_plan(outcomes=frozenset({Outcome.HEALTH, Outcome.DIGNITY}), budget_week_pence=7_000)
    plans.add_support_plans(kept, plans=[support])
    agreed = a_task_plan(patterns=[a_pattern(), a_pattern("bed", start=time(20), workers_needed=2, minutes=15)])
    check = plan.agree(kept, task_plan=agreed, rate_pence_per_minute=Fraction(121, 7))
    assert (check.minutes_week, check.cost_week_pence, check.over_pence) == (420, 7_260, 260)
    assert (check.affordable, check.outcomes_unserved, check.outcomes_added) == (False, (Outcome.DIGNITY,), ())
    assert plans.task_plans(kept, customer_ids=[C1]) == (agreed,)


def test_the_cost_of_a_plan_is_exact_and_rounded_once_half_up(kept: Session) -> None:
    """Rounding each visit would make the weekly cost differ from the invoice to come."""
    plans.add_support_plans(kept, plans=[a_support_plan(budget_week_pence=1)])
    agreed = a_task_plan(patterns=[a_pattern(weekdays=frozenset({0}), minutes=1)])
    check = plan.agree(kept, task_plan=agreed, rate_pence_per_minute=Fraction(1, 2))
    assert (check.cost_week_pence, check.affordable) == (1, True)


def test_a_version_out_of_turn_is_refused(kept: Session) -> None:
    """A gap in versions, or one that begins before the last, would leave no single version in force."""
    plans.add_support_plans(kept, plans=[a_support_plan()])
    with pytest.raises(plan.PlanRefused, match="next version of this task plan is 1"):
        plan.agree(kept, task_plan=a_task_plan(version=2), rate_pence_per_minute=Fraction(20))
    plan.agree(kept, task_plan=a_task_plan(), rate_pence_per_minute=Fraction(20))
    early = a_task_plan(version=2, effective_from=MONDAY - timedelta(days=61))
    with pytest.raises(plan.PlanRefused, match="begins no earlier"):
        plan.agree(kept, task_plan=early, rate_pence_per_minute=Fraction(20))


def test_a_plan_without_a_support_plan_is_refused(kept: Session) -> None:
    """Nothing says what the person can afford before the council has signed off a budget."""
    with pytest.raises(plan.PlanRefused, match="signed off no support plan"):
        plan.agree(kept, task_plan=a_task_plan(), rate_pence_per_minute=Fraction(20))


@pytest.mark.parametrize(
    ("field", "changed"),
    [
        ("minutes", {"minutes": 0}),
        ("minutes", {"minutes": 1441}),
        ("workers_needed", {"workers_needed": 3}),
        ("weekdays", {"weekdays": frozenset({7})}),
        ("weekdays", {"weekdays": frozenset()}),
        ("flexible_minutes", {"flexible_minutes": -1}),
        ("slot_name", {"slot_name": ""}),
    ],
)
def test_a_pattern_no_week_can_follow_is_refused_by_field(
    field: str, changed: dict[str, object], kept: Session
) -> None:
    """The page must point at the field (bad-input 81), and nothing of the plan may be stored."""
    with pytest.raises(PlanInvalid) as wrong:
        plan.agree(kept, task_plan=a_task_plan(patterns=[a_pattern(**changed)]), rate_pence_per_minute=Fraction(20))
    assert wrong.value.field.endswith(field)
    assert plans.task_plans(kept, customer_ids=[C1]) == ()


def test_twin_visits_of_one_name_are_refused(kept: Session) -> None:
    """Two breakfasts would share one id, and one of them would vanish (bad-input 82)."""
    with pytest.raises(PlanInvalid, match="ask for two workers"):
        plan.agree(kept, task_plan=a_task_plan(patterns=[a_pattern(), a_pattern()]), rate_pence_per_minute=Fraction(20))
