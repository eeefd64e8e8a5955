"""A person's changes of the plan: what is changed keeps its history, and alerts follow what is true now."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from evm.domain.ids import CustomerId, VisitId, WorkerId
from evm.domain.plan import Absence, AbsenceKind, CancelledBy, PlannedVisit
from evm.domain.policy import Policy
from evm.domain.visit import VisitOutcome
from evm.services import plan_changes, reconcile
from evm.services.plan import PlanRefused
from evm.services.roster_deadlines import publish_deadlines
from evm.store import deadlines, ingest_state, plans, visits
from tests.planning import MONDAY, a_visit, instant, settle

POLICY = Policy()
V1, C1 = VisitId("v1"), CustomerId("c1")
NOW = instant(7)


@pytest.fixture
def kept(session: Session) -> Session:
    settle(session)
    return session


def planned(session: Session, *visits: PlannedVisit, published: bool = True) -> None:
    plans.add_planned_visits(session, visits=visits)
    if published:
        publish_deadlines(session, visits=visits, policy=POLICY)


def open_deadlines(session: Session, *visit_ids: str) -> set[tuple[str, int, int, str, datetime]]:
    rows = deadlines.deadlines_of(session, visit_ids=[VisitId(visit_id) for visit_id in visit_ids])
    return {(row.visit_id, row.revision, row.slot, row.stage, row.due_at) for row in rows if row.judged_at is None}


def changed(session: Session, **given: Any) -> PlannedVisit:
    return plan_changes.change(session, visit_id=V1, now=NOW, policy=POLICY, **given)


def test_a_cancelled_visit_raises_no_alert_any_more(kept: Session) -> None:
    """Nobody comes because nobody should: its open deadlines are void, and who cancelled it is kept."""
    planned(kept, a_visit("v1"), a_visit("v2", customer="c2"))
    plan_changes.cancel(kept, visit_id=V1, by=CancelledBy.CUSTOMER, reason="family visiting", now=NOW, policy=POLICY)
    assert open_deadlines(kept, "v1") == set()
    assert open_deadlines(kept, "v2")
    visit = plans.planned_visit(kept, visit_id=V1)
    assert visit is not None
    assert visit.cancelled is not None
    assert (visit.cancelled.at, visit.cancelled.by) == (NOW, CancelledBy.CUSTOMER)


def test_a_deadline_judged_before_the_cancellation_stays_judged(kept: Session) -> None:
    """Cancelling afterwards must not unmake an alert that was raised (bad-input 79 and 80)."""
    planned(kept, a_visit("v1"))
    rows = deadlines.deadlines_of(kept, visit_ids=[V1])
    deadlines.judge(kept, verdicts={rows[0].deadline_id: "alerted"}, now=instant(9, 30))
    plan_changes.cancel(kept, visit_id=V1, by=CancelledBy.PROVIDER, reason="late", now=instant(9, 40), policy=POLICY)
    verdicts = [row.verdict for row in deadlines.deadlines_of(kept, visit_ids=[V1])]
    assert verdicts == ["alerted"] + ["void"] * (len(rows) - 1)


@pytest.mark.parametrize(("visit_id", "reason", "field"), [("v9", "away", "visit_id"), ("v1", "  ", "reason")])
def test_a_cancellation_without_visit_or_reason_is_refused(
    visit_id: str, reason: str, field: str, kept: Session
) -> None:
    """Whether a cancelled visit is paid depends on who cancelled and why."""
    planned(kept, a_visit("v1"))
    with pytest.raises(PlanRefused) as refused:
        plan_changes.cancel(
            kept, visit_id=VisitId(visit_id), by=CancelledBy.CUSTOMER, reason=reason, now=NOW, policy=POLICY
        )
    assert refused.value.field == field
    assert open_deadlines(kept, "v1")


def test_a_moved_visit_has_the_deadlines_of_its_new_time_only(kept: Session) -> None:
    """An alert at the old time would be false, and none at the new one would be silence."""
    planned(kept, a_visit("v1", at=instant(9)))
    moved = changed(kept, start=instant(13))
    assert (moved.revision, moved.start) == (2, instant(13))
    assert plans.planned_visit(kept, visit_id=V1) == moved
    found = open_deadlines(kept, "v1")
    assert {revision for _, revision, *_ in found} == {2}
    assert min(due for *_, due in found) > instant(13)


def test_a_visit_that_becomes_a_single_one_loses_its_second_slot_s_deadlines(kept: Session) -> None:
    """Alerting for a second worker who is not wanted any more would cry wolf."""
    planned(kept, a_visit("v1", workers_needed=2, rostered=(WorkerId("w1"), WorkerId("w2"))))
    single = changed(kept, workers_needed=1)
    assert single.rostered == ("w1",)
    assert {slot for _, _, slot, *_ in open_deadlines(kept, "v1")} == {0}
    double = changed(kept, workers_needed=2)
    assert double.rostered == ("w1", None)
    assert {slot for _, _, slot, *_ in open_deadlines(kept, "v1")} == {0, 1}


def test_a_change_that_changes_nothing_is_no_revision(kept: Session) -> None:
    """Saving a form untouched must not void and rewrite deadlines."""
    planned(kept, a_visit("v1"))
    before = open_deadlines(kept, "v1")
    assert changed(kept, minutes=30).revision == 1
    assert open_deadlines(kept, "v1") == before


def test_a_visit_not_yet_published_gets_no_deadlines_by_a_change(kept: Session) -> None:
    """Deadlines begin with publication: a plan for next month must not alert."""
    planned(kept, a_visit("v1"), published=False)
    assert changed(kept, minutes=45).minutes == 45
    assert open_deadlines(kept, "v1") == set()


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("minutes", {"minutes": 0}),
        ("minutes", {"minutes": 1441}),
        ("workers_needed", {"workers_needed": 3}),
        ("start", {"start": instant(9) + timedelta(seconds=30)}),
        ("start", {"start": datetime(2026, 11, 23, 9, 0)}),
    ],
)
def test_an_impossible_change_names_the_field(field: str, given: dict[str, Any], kept: Session) -> None:
    """Bad-input 81: the page points at the field and nothing is changed."""
    planned(kept, a_visit("v1"))
    with pytest.raises(PlanRefused) as refused:
        changed(kept, **given)
    assert refused.value.field == field
    assert plans.planned_visit(kept, visit_id=V1) == a_visit("v1")


def test_going_to_hospital_suspends_and_coming_back_resumes(kept: Session) -> None:
    """While away no alert may fire; after the return each visit must be watched again."""
    tomorrow = MONDAY + timedelta(days=1)
    planned(kept, a_visit("v1", at=instant(9)), a_visit("v2", at=instant(9, day=tomorrow)))
    planned(kept, a_visit("v3", at=instant(18, day=tomorrow)), published=False)
    away = Absence(customer_id=C1, kind=AbsenceKind.HOSPITAL, since=instant(8), until=None)
    assert plan_changes.go_away(kept, absence=away, now=NOW, policy=POLICY) == ("v1", "v2", "v3")
    assert open_deadlines(kept, "v1", "v2", "v3") == set()
    back = plan_changes.come_back(kept, customer_id=C1, until=instant(0, day=tomorrow), now=instant(20), policy=POLICY)
    assert back == ("v2",)
    found = open_deadlines(kept, "v1", "v2", "v3")
    assert {(visit_id, revision) for visit_id, revision, *_ in found} == {("v2", 2)}


def test_coming_back_without_having_gone_is_refused(kept: Session) -> None:
    """A wrong customer typed in must not silently do nothing."""
    with pytest.raises(PlanRefused, match="not recorded as away"):
        plan_changes.come_back(kept, customer_id=C1, until=instant(9), now=NOW, policy=POLICY)
    backwards = Absence(customer_id=C1, kind=AbsenceKind.HOLIDAY, since=instant(9), until=instant(9))
    with pytest.raises(PlanRefused, match="after going away"):
        plan_changes.go_away(kept, absence=backwards, now=NOW, policy=POLICY)


def missed_due(session: Session, visit_id: str) -> datetime:
    rows = deadlines.deadlines_of(session, visit_ids=[VisitId(visit_id)])
    return max(row.due_at for row in rows if row.stage == "missed" and row.judged_at is None)


def test_a_hospital_spell_recorded_afterwards_corrects_yesterdays_missed(kept: Session) -> None:
    """The provider would be blamed for ever for a visit at which nobody could have been found."""
    planned(kept, a_visit("v1"))
    reconcile.reconcile_customer_days(kept, pairs=[(C1, MONDAY)], now=instant(12), policy=POLICY)
    assert visits.newest_of(kept, visit_ids=[V1])[V1].outcome is VisitOutcome.MISSED
    tomorrow = instant(10, day=MONDAY + timedelta(days=1))
    away = Absence(customer_id=C1, kind=AbsenceKind.HOSPITAL, since=instant(7), until=None)
    plan_changes.go_away(kept, absence=away, now=tomorrow, policy=POLICY)
    assert reconcile.run_pending(kept, now=tomorrow, policy=POLICY) == 2
    assert visits.newest_of(kept, visit_ids=[V1])[V1].outcome is VisitOutcome.CANCELLED
    plan_changes.come_back(kept, customer_id=C1, until=instant(8), now=tomorrow, policy=POLICY)
    reconcile.run_pending(kept, now=tomorrow, policy=POLICY)
    assert visits.newest_of(kept, visit_ids=[V1])[V1].outcome is VisitOutcome.MISSED


def test_a_visit_cancelled_or_moved_afterwards_is_reconciled_again_and_one_to_come_is_not(kept: Session) -> None:
    """What was concluded rested on the plan as it was; days to come are concluded when they come."""
    planned(
        kept, a_visit("v1"), a_visit("v2", at=instant(15)), a_visit("v3", at=instant(9, day=MONDAY.replace(day=30)))
    )
    plan_changes.cancel(kept, visit_id=V1, by=CancelledBy.COUNCIL, reason="snow", now=instant(12), policy=POLICY)
    assert ingest_state.take_reconcile(kept, limit=9) == {(C1, MONDAY)}
    plan_changes.change(kept, visit_id=VisitId("v2"), start=instant(16), now=instant(12), policy=POLICY)
    assert ingest_state.take_reconcile(kept, limit=9) == {(C1, MONDAY)}
    plan_changes.cancel(kept, visit_id=VisitId("v3"), by=CancelledBy.COUNCIL, reason="snow", now=NOW, policy=POLICY)
    assert ingest_state.take_reconcile(kept, limit=9) == frozenset()


def test_deadlines_follow_the_customers_next_visit_when_it_is_moved_and_cancelled(kept: Session) -> None:
    """A visit must be known as missed before the next one begins, and has its whole time when there is none."""
    planned(kept, a_visit("v1", at=instant(9)), a_visit("v2", at=instant(11)))
    before = len(open_deadlines(kept, "v1"))
    assert missed_due(kept, "v1") == instant(10)
    plan_changes.change(kept, visit_id=VisitId("v2"), start=instant(9, 40), now=NOW, policy=POLICY)
    assert missed_due(kept, "v1") == instant(9, 40) - timedelta(seconds=1)
    plan_changes.cancel(kept, visit_id=VisitId("v2"), by=CancelledBy.CUSTOMER, reason="out", now=NOW, policy=POLICY)
    assert missed_due(kept, "v1") == instant(10)
    assert len(open_deadlines(kept, "v1")) == before


def test_a_visit_moved_behind_another_falls_due_before_that_ones_start(kept: Session) -> None:
    """Both directions: the moved visit gets a new next visit, and the one it left behind loses its own."""
    planned(kept, a_visit("v1", at=instant(9)), a_visit("v2", at=instant(9, 30)), a_visit("v3", at=instant(14)))
    assert missed_due(kept, "v1") == instant(9, 30) - timedelta(seconds=1)
    plan_changes.change(kept, visit_id=VisitId("v2"), start=instant(13, 30), now=NOW, policy=POLICY)
    assert missed_due(kept, "v1") == instant(10)
    assert missed_due(kept, "v2") == instant(14) - timedelta(seconds=1)


def test_a_visit_put_closer_makes_an_open_deadline_due_now_and_never_in_the_past(kept: Session) -> None:
    """A deadline put behind us would say that popback was late, and a judged one must not be judged again."""
    planned(kept, a_visit("v1", at=instant(9)))
    warned = next(row for row in deadlines.deadlines_of(kept, visit_ids=[V1]) if row.stage == "warn")
    deadlines.judge(kept, verdicts={warned.deadline_id: "alerted"}, now=instant(9, 30))
    closer = a_visit("v2", at=instant(9, 35), popback=True)
    plans.add_planned_visits(kept, visits=[closer])
    publish_deadlines(kept, visits=[closer], policy=POLICY, now=instant(9, 45))
    assert missed_due(kept, "v1") == instant(9, 45)
    rows = {row.stage: row for row in deadlines.deadlines_of(kept, visit_ids=[V1])}
    assert (rows["warn"].verdict, rows["warn"].due_at) == ("alerted", instant(9, 30))
    assert rows["check_out"].due_at == instant(10)
