"""Pop-backs: promised with a day's notice if it can be done at all, and every promise stands in a roster that keeps it."""

from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from evm.domain.evidence import EventKind
from evm.domain.ids import CustomerId
from evm.domain.people import Gender, Shift
from evm.domain.plan import Absence, AbsenceKind, Cancellation, CancelledBy
from evm.domain.policy import Policy
from evm.domain.popback import AlternativeKind, PopbackState, has_notice
from evm.services import popback, roster
from evm.services.popback_places import with_visit
from evm.services.roster_body import stops_of
from evm.services.roster_drafts import prepare
from evm.services.roster_problem import Wishes, input_sha256
from evm.store import deadlines, evidence, plans, popbacks, rosters
from tests import factories
from tests.planning import (
    LOCALITY,
    MONDAY,
    PROVIDER,
    a_customer,
    a_pattern,
    a_task_plan,
    a_visit,
    a_worker,
    home,
    instant,
    settle,
)

POLICY = Policy()
QUICK = Wishes(iterations_max=20, effort_seconds=0)
SUNDAY, TUESDAY = MONDAY - timedelta(days=1), MONDAY + timedelta(days=1)
WHERE = {"locality_id": LOCALITY, "provider_id": PROVIDER, "day": MONDAY}
C1 = CustomerId("c1")
LONG_BEFORE = instant(9, day=MONDAY - timedelta(days=3))


def asked(session: Session, **changed: Any) -> popback.PopbackAnswer:
    values: dict[str, Any] = {
        "customer_id": C1,
        "asked_at": LONG_BEFORE,
        "asked_by": "office",
        "wanted_at": instant(13),
        "minutes": 20,
        "now": changed.get("asked_at", LONG_BEFORE),
        "policy": POLICY,
    }
    return popback.ask(session, **(values | changed))


def publish_the_day(session: Session) -> None:
    roster_id = roster.make(session, seed=1, now=LONG_BEFORE, policy=POLICY, wishes=QUICK, **WHERE)
    roster.publish(session, roster_id=roster_id, by="ana", now=LONG_BEFORE, policy=POLICY)


def state_of(session: Session, answer: popback.PopbackAnswer) -> PopbackState:
    stored = plans.popback_request(session, request_id=answer.request_id)
    assert stored is not None
    return stored.state


def kinds(answer: popback.PopbackAnswer) -> list[AlternativeKind]:
    return [alternative.kind for alternative in answer.alternatives]


def test_notice_is_counted_in_elapsed_hours_across_a_clock_change() -> None:
    """On the day the clocks go back 24 hours end an hour earlier by the clock: a promise must not hang on that hour."""
    asked_at = datetime.fromisoformat("2026-10-24T12:00:00+01:00")
    assert has_notice(asked_at=asked_at, wanted_at=datetime.fromisoformat("2026-10-25T11:00:00+00:00"), notice_hours=24)
    assert not has_notice(
        asked_at=asked_at, wanted_at=datetime.fromisoformat("2026-10-25T10:59:59+00:00"), notice_hours=24
    )


def test_with_notice_and_a_free_worker_it_is_promised(session: Session) -> None:
    """The customer must hear yes at once, with the time, and the visit must exist."""
    settle(session)
    answer = asked(session)
    assert answer.state is PopbackState.PROMISED
    assert answer.words == "Promised: on Monday 23 November at 13:00 for 20 minutes."
    assert answer.visit_id is not None
    planned = plans.planned_visit(session, visit_id=answer.visit_id)
    assert planned is not None
    assert (planned.popback, planned.start, planned.minutes, planned.customer_id) == (True, instant(13), 20, "c1")


def test_a_promise_before_any_roster_stands_in_a_draft_that_keeps_it(session: Session) -> None:
    """A promise that no roster was shown to keep would be a hope."""
    settle(session)
    plans.add_planned_visits(session, visits=[a_visit("v1"), a_visit("v2", customer="c2")])
    answer = asked(session)
    draft = rosters.draft(session, **WHERE)
    assert draft is not None
    assert draft.violations == 0
    assert answer.visit_id in {stop["visit"] for _, stop in stops_of(draft.body)}


def test_promises_made_before_the_roster_are_kept_by_it(session: Session) -> None:
    """The published roster must hold every promised pop-back, and the request then reads kept."""
    settle(session)
    visits = [a_visit(f"v{n}", customer=f"c{n % 3 + 1}", at=instant(8 + n // 2, 30 * (n % 2))) for n in range(8)]
    plans.add_planned_visits(session, visits=visits)
    answers = [asked(session, customer_id=CustomerId(f"c{n}"), wanted_at=instant(13, 30)) for n in (1, 2, 3)]
    assert {answer.state for answer in answers} == {PopbackState.PROMISED}
    roster_id = roster.make(session, seed=1, now=LONG_BEFORE, policy=POLICY, wishes=QUICK, **WHERE)
    done = roster.publish(session, roster_id=roster_id, by="ana", now=LONG_BEFORE, policy=POLICY)
    assert set(done.popbacks_kept) == {answer.visit_id for answer in answers}
    assert done.popbacks_unfilled == ()
    assert {state_of(session, answer) for answer in answers} == {PopbackState.KEPT}


def test_more_promises_than_workers_are_not_made(session: Session) -> None:
    """Each promise must count those before it: two workers cannot keep three at one time."""
    shifts = tuple(Shift(weekday=day, since=time(12), until=time(15)) for day in range(7))
    customers = [a_customer(n, home=home(0)) for n in (1, 2, 3)]
    settle(session, customers=customers, workers=[a_worker(n, shifts=shifts, home=home(0)) for n in (1, 2)])
    states = [asked(session, customer_id=CustomerId(f"c{n}"), minutes=120).state for n in (1, 2, 3)]
    assert states == [PopbackState.PROMISED, PopbackState.PROMISED, PopbackState.REFUSED]


def test_in_a_published_roster_it_is_published_at_once_with_deadlines(session: Session) -> None:
    """The worker must be told, and silence about the pop-back must become an alert like any other visit's."""
    settle(session)
    plans.add_planned_visits(session, visits=[a_visit("v1", at=instant(12)), a_visit("v2", customer="c2")])
    publish_the_day(session)
    answer = asked(session, wanted_at=instant(14))
    assert answer.state is PopbackState.PROMISED
    assert state_of(session, answer) is PopbackState.KEPT
    assert answer.visit_id is not None
    planned = plans.planned_visit(session, visit_id=answer.visit_id)
    assert planned is not None
    assert planned.rostered[0] is not None
    assert {row.stage for row in deadlines.deadlines_of(session, visit_ids=[answer.visit_id])} >= {"warn", "missed"}
    now_published = rosters.published(session, **WHERE)
    assert now_published is not None
    assert now_published.version == 2


def test_the_published_roster_is_disturbed_as_little_as_possible(session: Session) -> None:
    """Nobody else's worker may change for a pop-back, and what moves is said."""
    settle(session)
    visits = [a_visit(f"v{n}", customer=f"c{n % 3 + 1}", at=instant(8 + n // 2, 30 * (n % 2))) for n in range(8)]
    plans.add_planned_visits(session, visits=visits)
    publish_the_day(session)
    before = {visit.visit_id: visit for visit in _day(session)}
    answer = asked(session, wanted_at=instant(13))
    after = {visit.visit_id: visit for visit in _day(session) if visit.visit_id != answer.visit_id}
    assert {name: visit.rostered for name, visit in after.items()} == {n: v.rostered for n, v in before.items()}
    moved = {name for name, visit in after.items() if visit.start != before[name].start}
    assert len(answer.moved) == len(moved)


def test_refused_with_the_reason_and_the_nearest_times_when_nobody_can(session: Session) -> None:
    """Providers are upfront about limits: why not, and when instead."""
    settle(session, workers=[a_worker(1)])
    answer = asked(session, wanted_at=instant(15, 30))
    assert answer.state is PopbackState.REFUSED
    assert answer.words.startswith("Nobody can start between 15:00 and 16:00")
    assert "w1" in answer.words
    times = [each.at for each in answer.alternatives if each.kind is AlternativeKind.ANOTHER_TIME]
    assert times
    assert all(at is not None and instant(7) <= at <= instant(15) for at in times)
    assert answer.visit_id is None
    assert _day(session) == ()


def test_the_customer_s_own_needs_hold_for_pop_backs_too(session: Session) -> None:
    """A woman who asked for a female worker is not sent a man because it was she who rang."""
    customers = [a_customer(1, gender_required=Gender.FEMALE)]
    settle(session, customers=customers, workers=[a_worker(1, gender=Gender.MALE)])
    assert asked(session).state is PopbackState.REFUSED


def test_with_less_notice_alternatives_are_offered_not_promised(session: Session) -> None:
    """Under 24 hours the provider looks for other ways to meet the outcome (background S7)."""
    settle(session)
    plans.add_planned_visits(session, visits=[a_visit("v1", at=instant(14, 30))])
    answer = asked(session, asked_at=instant(13, 1, day=SUNDAY), wanted_at=instant(13))
    assert answer.state is PopbackState.REFUSED
    assert "24 hours" in answer.words
    assert kinds(answer)[0] is AlternativeKind.ANOTHER_TIME
    assert kinds(answer)[-2:] == [AlternativeKind.LONGER_NEXT_VISIT, AlternativeKind.PHONE_CALL]
    longer = answer.alternatives[-2]
    assert (longer.visit_id, longer.minutes) == ("v1", 50)
    assert [visit.visit_id for visit in _day(session)] == ["v1"]


def test_exactly_24_hours_are_enough(session: Session) -> None:
    """The rule reads at least 24 hours: the customer who rings on the minute has kept it."""
    settle(session)
    assert asked(session, asked_at=instant(13, day=SUNDAY)).state is PopbackState.PROMISED


@pytest.mark.parametrize("state", ["away", "overlap"])
def test_it_is_refused_when_the_customer_is_away_or_has_a_visit_then(state: str, session: Session) -> None:
    """Two workers in one kitchen, or one before a locked door, help nobody."""
    settle(session)
    if state == "away":
        spell = Absence(customer_id=C1, kind=AbsenceKind.RESPITE, since=instant(0), until=None)
        plans.add_absences(session, absences=[spell])
    else:
        plans.add_planned_visits(session, visits=[a_visit("v1", at=instant(12, 50))])
    answer = asked(session)
    assert answer.state is PopbackState.REFUSED
    assert ("away" if state == "away" else "12:50") in answer.words


def test_a_cancelled_visit_is_not_in_the_way(session: Session) -> None:
    """The customer cancelled lunch to have it later: that is what pop-backs are for."""
    settle(session)
    cancelled = Cancellation(at=LONG_BEFORE, by=CancelledBy.CUSTOMER, reason="later, please")
    plans.add_planned_visits(session, visits=[a_visit("v1", at=instant(12, 50), cancelled=cancelled)])
    assert asked(session).state is PopbackState.PROMISED


def test_the_same_request_twice_gets_one_visit_and_the_same_answer(session: Session) -> None:
    """A form sent twice, or an event received twice, must not send two workers."""
    settle(session)
    first, second = asked(session), asked(session)
    assert replace(first, moved=()) == second
    assert len(_day(session)) == 1


@pytest.mark.parametrize(
    ("field", "changed"),
    [
        ("customer_id", {"customer_id": CustomerId("c9")}),
        ("minutes", {"minutes": 0}),
        ("minutes", {"minutes": 241}),
        ("workers_needed", {"workers_needed": 3}),
        ("wanted_at", {"wanted_at": LONG_BEFORE}),
        ("wanted_at", {"wanted_at": instant(13) + timedelta(seconds=1)}),
    ],
)
def test_a_request_that_cannot_be_understood_names_the_field(
    field: str, changed: dict[str, Any], session: Session
) -> None:
    """The page must point at what to mend, and nothing may be stored."""
    settle(session)
    with pytest.raises(popback.PopbackInvalid) as wrong:
        asked(session, **changed)
    assert wrong.value.field == field
    assert plans.list_popback_requests(session) == ()


def test_a_double_up_pop_back_brings_two_workers_together(session: Session) -> None:
    """A customer who needs two to be moved needs two on a pop-back as well."""
    settle(session)
    answer = asked(session, workers_needed=2)
    draft = rosters.draft(session, **WHERE)
    assert draft is not None
    mine = [(worker, stop["start"]) for worker, stop in stops_of(draft.body) if stop["visit"] == answer.visit_id]
    assert len({worker for worker, _ in mine}) == 2
    assert len({start for _, start in mine}) == 1


def test_a_pop_back_needs_what_the_customer_s_task_plan_needs(session: Session) -> None:
    """A phone says only when and how long: somebody who is hoisted by two must not be sent one who cannot hoist."""
    hoist = a_pattern(workers_needed=2, skills_required=frozenset({"hoist"}))
    able = [a_worker(n, skills=frozenset({"hoist"})) for n in (1, 2)]
    settle(session, workers=[*able, a_worker(3), a_worker(4)])
    plans.add_task_plans(session, plans=[a_task_plan(patterns=[hoist])])
    phone_asks(session)
    (answer,) = popback.answer_pending(session, now=LONG_BEFORE, policy=POLICY)
    draft = rosters.draft(session, **WHERE)
    assert draft is not None
    sent = {worker for worker, stop in stops_of(draft.body) if stop["visit"] == answer.visit_id}
    assert sent == {"w1", "w2"}


def phone_asks(session: Session, **changed: Any) -> str:
    extra: dict[str, Any] = {"popback_at": instant(13).isoformat(), "popback_minutes": 20} | changed.pop("extra", {})
    event = factories.evidence(EventKind.POPBACK_REQUEST, at=LONG_BEFORE, provider=PROVIDER, **changed)
    row = evidence.NewRow(evidence=event, payload=b"{}", device_type="popback_v1", extra=tuple(extra.items()))
    evidence.append(session, rows=[row])
    return event.event_id


def test_what_a_phone_asked_is_answered_once(session: Session) -> None:
    """The watcher runs every second: a second answer would promise a second visit."""
    settle(session)
    event_id = phone_asks(session)
    (answer,) = popback.answer_pending(session, now=LONG_BEFORE, policy=POLICY)
    assert (answer.request_id, answer.state) == (event_id, PopbackState.PROMISED)
    assert popback.answer_pending(session, now=LONG_BEFORE, policy=POLICY) == ()
    (request,) = plans.list_popback_requests(session)
    assert (request.asked_by, request.asked_at) == ("w1", LONG_BEFORE + timedelta(seconds=2))


def test_notice_of_a_phone_s_request_runs_from_its_receipt(session: Session) -> None:
    """A request that sat on a phone without signal reached nobody: its notice had not begun."""
    settle(session)
    phone_asks(session, received_at=instant(14, day=SUNDAY))
    (answer,) = popback.answer_pending(session, now=instant(14, day=SUNDAY), policy=POLICY)
    assert answer.state is PopbackState.REFUSED


def test_a_phone_s_request_that_makes_no_sense_is_answered_too(session: Session) -> None:
    """Left unanswered it would be tried every second for ever, and the worker would never hear."""
    settle(session)
    phone_asks(session, extra={"popback_minutes": 900})
    (answer,) = popback.answer_pending(session, now=LONG_BEFORE, policy=POLICY)
    assert (answer.state, answer.words) == (PopbackState.REFUSED, "A pop-back lasts 1 to 240 minutes.")
    assert popback.answer_pending(session, now=LONG_BEFORE, policy=POLICY) == ()


def test_only_pop_backs_of_known_customers_with_a_time_wait_for_an_answer(session: Session) -> None:
    """An event without customer or time cannot be answered; it stays evidence and must block nothing."""
    settle(session)
    phone_asks(session, customer=None)
    phone_asks(session, extra={"popback_at": None})
    wanted = phone_asks(session)
    assert [each.event_id for each in popbacks.unanswered(session, limit=10)] == [wanted]


def test_the_office_sees_ranked_places_and_nothing_is_stored(session: Session) -> None:
    """Looking must not promise: the office chooses with the consequences in view."""
    settle(session)
    plans.add_planned_visits(session, visits=[a_visit("v1", at=instant(12)), a_visit("v2", customer="c2")])
    publish_the_day(session)
    places = popback.places_for(session, customer_id=C1, wanted_at=instant(14), minutes=20, policy=POLICY)
    assert places.best is not None
    assert len({place.workers for place in places.places}) == len(places.places) > 1
    assert places.starts[0] >= instant(13, 30)
    assert len(_day(session)) == 2
    assert plans.list_popback_requests(session) == ()


def _day(session: Session) -> Any:
    return plans.planned_visits(session, since_day=MONDAY, until_day=TUESDAY)


def test_a_day_with_one_more_visit_is_the_same_question_as_one_read_anew(session: Session) -> None:
    """The promise is checked against the day with the pop-back in it: that must be the day the roster will be made for."""
    settle(session)
    plans.add_planned_visits(session, visits=[a_visit("v1"), a_visit("v2", at=instant(13, 40)), a_visit("v3")])
    before = prepare(session, seed=0, policy=POLICY, wishes=QUICK, **WHERE)
    extra = a_visit("p1", at=instant(13), popback=True)
    plans.add_planned_visits(session, visits=[extra])
    after = prepare(session, seed=0, policy=POLICY, wishes=QUICK, **WHERE)
    assert input_sha256(with_visit(before, extra).problem) == input_sha256(after.problem)
    assert input_sha256(before.problem) != input_sha256(after.problem)


@pytest.mark.database("sqlite")  # reads its query plan
def test_the_standing_question_for_requests_reads_only_requests(engine: Engine) -> None:
    """It is asked every second under SQLite's one write lock: reading the whole log for it would hold up every check-in."""
    question = popbacks.question().compile(engine, compile_kwargs={"literal_binds": True})
    with engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {question}").all()
    assert any("SEARCH evidence USING INDEX ix_evidence_popback_requests" in str(step) for step in plan), plan
