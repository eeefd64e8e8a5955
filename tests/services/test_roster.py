"""From a day's plans to a published roster: nobody sent against a hard rule, nothing dropped in silence, everyone told once."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from evm.domain.ids import CustomerId, DeviceId, VisitId, WorkerId
from evm.domain.people import CareWorker, Gender, Shift, TravelMode
from evm.domain.plan import Absence, AbsenceKind, Cancellation, CancelledBy, PlannedVisit, Risk
from evm.domain.policy import Policy
from evm.domain.travel import journey_seconds
from evm.services import roster
from evm.services.roster_body import stops_of
from evm.services.roster_deadlines import replace_deadlines
from evm.services.roster_problem import Pin, Wishes, input_sha256, load_day, problem_of
from evm.services.roster_travel import travel_of
from evm.store import deadlines, evidence, outbox, people, plans, rosters
from evm.store.rosters import RosterRecord, RosterState
from tests import factories
from tests.planning import LOCALITY, MONDAY, PROVIDER, a_customer, a_visit, a_worker, home, instant, settle

POLICY = Policy()
QUICK = Wishes(iterations_max=50, effort_seconds=0)
SUNDAY, TUESDAY = MONDAY - timedelta(days=1), MONDAY + timedelta(days=1)
THE_DAY_BEFORE = instant(12, day=SUNDAY)
WHERE = {"locality_id": LOCALITY, "provider_id": PROVIDER}
W1, W2, W3 = WorkerId("w1"), WorkerId("w2"), WorkerId("w3")


def made(session: Session, *, wishes: Wishes = QUICK, day: date = MONDAY, seed: int = 1) -> RosterRecord:
    roster_id = roster.make(session, day=day, seed=seed, now=THE_DAY_BEFORE, policy=POLICY, wishes=wishes, **WHERE)
    found = rosters.roster(session, roster_id=roster_id)
    assert found is not None
    return found


def published(session: Session, record: RosterRecord, *, now: datetime = THE_DAY_BEFORE) -> roster.Published:
    return roster.publish(session, roster_id=record.roster_id, by="ana", now=now, policy=POLICY)


def adopted(session: Session, workers: Mapping[str, Any], **given: Any) -> RosterRecord:
    named = {VisitId(visit): tuple(each) for visit, each in workers.items()}
    roster_id = roster.adopt(session, day=MONDAY, workers=named, now=THE_DAY_BEFORE, policy=POLICY, **WHERE, **given)
    found = rosters.roster(session, roster_id=roster_id)
    assert found is not None
    return found


def who(record: RosterRecord) -> dict[tuple[str, int], str]:
    return {(stop["visit"], stop["slot"]): worker for worker, stop in stops_of(record.body)}


def visit(session: Session, visit_id: str) -> PlannedVisit:
    found = plans.planned_visit(session, visit_id=VisitId(visit_id))
    assert found is not None
    return found


def with_phones(session: Session, *workers: CareWorker) -> None:
    phones = [
        people.DeviceRow(
            provider=PROVIDER,
            device=DeviceId(f"d-{worker.worker_id}"),
            device_type="popback_v1",
            worker=worker.worker_id,
            password_hash="$7$none",
            enrolled_at=instant(0, day=date(2026, 1, 1)),
        )
        for worker in workers
    ]
    people.add_devices(session, devices=phones)


def test_a_day_is_rostered_within_every_hard_rule(session: Session) -> None:
    """The draft is what people trust: each visit filled once, by somebody able, and no rule broken."""
    customers = [
        a_customer(1, gender_required=Gender.MALE),
        a_customer(2, language_required="ur"),
        a_customer(3, workers_excluded=frozenset({W3})),
    ]
    workers = [
        a_worker(1, gender=Gender.MALE),
        a_worker(2, languages=frozenset({"en", "ur"})),
        a_worker(3, skills=frozenset({"hoist"})),
        a_worker(4, skills=frozenset({"hoist"})),
    ]
    settle(session, customers=customers, workers=workers)
    visits = [
        a_visit("v1", customer="c1"),
        a_visit("v2", customer="c2"),
        a_visit("v3", customer="c3", skills_required=frozenset({"hoist"})),
    ]
    plans.add_planned_visits(session, visits=visits)
    record = made(session)
    assert (record.state, record.unfilled, record.violations, record.version) == (RosterState.DRAFT, 0, 0, 1)
    assert who(record) == {("v1", 0): "w1", ("v2", 0): "w2", ("v3", 0): "w4"}


def test_both_workers_of_a_double_up_start_together(session: Session) -> None:
    """One worker cannot hoist alone: two slots, two people, one start."""
    settle(session)
    plans.add_planned_visits(session, visits=[a_visit("v1", workers_needed=2)])
    stops = list(stops_of(made(session).body))
    assert len({worker for worker, _ in stops}) == 2
    assert len({stop["start"] for _, stop in stops}) == 1


def test_the_same_seed_gives_the_same_roster(session: Session) -> None:
    """Nobody could explain, or re-run, a roster that comes out differently each time."""
    settle(session)
    visits = [a_visit(f"v{n}", customer=f"c{n % 3 + 1}", at=instant(8 + n // 3, 20 * (n % 3))) for n in range(12)]
    plans.add_planned_visits(session, visits=visits)
    first, second = made(session), made(session)
    assert first.body["runs"] == second.body["runs"]
    assert (first.input_sha256, second.version) == (second.input_sha256, 2)


def test_cancelled_visits_and_customers_who_are_away_are_not_rostered(session: Session) -> None:
    """A worker sent to an empty house is paid for nothing, and another customer waits."""
    settle(session)
    cancelled = Cancellation(at=instant(6), by=CancelledBy.CUSTOMER, reason="family")
    visits = [a_visit("v1", cancelled=cancelled), a_visit("v2", customer="c2"), a_visit("v3", customer="c3")]
    plans.add_planned_visits(session, visits=visits)
    away = Absence(customer_id=CustomerId("c2"), kind=AbsenceKind.HOSPITAL, since=instant(0), until=None)
    plans.add_absences(session, absences=[away])
    record = made(session)
    assert {visit_id for visit_id, _ in who(record)} == {"v3"}
    assert record.body["suspended"] == ["v2"]


def test_an_unfilled_visit_says_who_was_nearest_and_what_blocked_them(session: Session) -> None:
    """Nothing is silently dropped: the branch must see what would have to change."""
    settle(session, workers=[a_worker(1)])
    plans.add_planned_visits(session, visits=[a_visit("v1", skills_required=frozenset({"peg"}))])
    record = made(session)
    assert record.unfilled == 1
    (unfilled,) = record.body["unfilled"]
    assert (unfilled["visit"], unfilled["slot"], unfilled["customer"]) == ("v1", 0, "c1")
    assert [(near["worker"], near["rule"]) for near in unfilled["nearest"]] == [("w1", "skills")]
    assert unfilled["reason"]


def test_a_worker_on_leave_or_off_shift_is_not_sent(session: Session) -> None:
    """Leave granted and then rostered over is leave refused."""
    weekend = a_worker(2, shifts=(Shift(weekday=5, since=time(7), until=time(15)),))
    settle(session, workers=[a_worker(1, leave=(MONDAY,)), weekend, a_worker(3)])
    plans.add_planned_visits(session, visits=[a_visit("v1")])
    assert who(made(session)) == {("v1", 0): "w3"}


def test_a_night_shift_of_the_day_before_covers_the_small_hours(session: Session) -> None:
    """At 01:30 on Monday it is Sunday's night worker who is awake."""
    night = a_worker(1, shifts=(Shift(weekday=6, since=time(22), until=time(7)),))
    settle(session, workers=[night, a_worker(2)])
    plans.add_planned_visits(session, visits=[a_visit("v1", at=instant(1, 30))])
    assert who(made(session)) == {("v1", 0): "w1"}


def test_shifts_follow_the_wall_clock_when_the_clocks_change(session: Session) -> None:
    """A shift to 15:00 on the day the clocks go forward ends 14 elapsed hours after midnight, not 15."""
    settle(session, workers=[a_worker(1)])
    spring = date(2027, 3, 28)
    visit_at = datetime.combine(spring, time(9), instant(0).tzinfo)
    plans.add_planned_visits(session, visits=[a_visit("v1", at=visit_at)])
    loaded = load_day(session, day=spring, policy=POLICY, **WHERE)
    (worker,) = problem_of(loaded, policy=POLICY, wishes=QUICK).workers
    assert [(shift.start, shift.end) for shift in worker.shifts] == [(6 * 3600, 14 * 3600)]


def test_hours_already_rostered_in_the_week_are_not_rostered_again(session: Session) -> None:
    """48 hours a week is a law: what Tuesday to Sunday take is not Monday's to give."""
    settle(session, workers=[a_worker(1, hours_week_max=10)])
    later = [
        a_visit(f"t{n}", at=instant(9, day=MONDAY + timedelta(days=n)), minutes=95, rostered=(W1,)) for n in range(1, 7)
    ]
    plans.add_planned_visits(session, visits=[*later, a_visit("v1", minutes=60)])
    record = made(session)
    assert record.unfilled == 1
    assert "hours" in record.body["unfilled"][0]["reason"]


def test_the_daily_rest_around_published_days_is_kept(session: Session) -> None:
    """Home at 22:30 on Sunday, no earlier than 09:30 on Monday: eleven hours between."""
    shifts = tuple(Shift(weekday=day, since=time(7), until=time(23)) for day in range(7))
    settle(session, workers=[a_worker(1, shifts=shifts), a_worker(2, leave=(MONDAY,))])
    sunday_late = a_visit("s1", at=instant(22, day=SUNDAY), rostered=(W1,))
    tuesday_early = a_visit("t1", at=instant(7, 30, day=TUESDAY), rostered=(W1,))
    monday = [a_visit("v1", at=instant(8)), a_visit("v2", at=instant(12)), a_visit("v3", at=instant(21, 30))]
    plans.add_planned_visits(session, visits=[sunday_late, tuesday_early, *monday])
    assert set(who(made(session))) == {("v2", 0)}


def test_those_who_came_in_the_past_28_days_are_preferred(session: Session) -> None:
    """Continuity is what customers ask for first: with all else equal the same face comes again."""
    settle(session, workers=[a_worker(1, home=home(1)), a_worker(2, home=home(1)), a_worker(3, home=home(1))])
    events = [
        factories.evidence(at=instant(9, day=MONDAY - timedelta(days=n)), worker="w2", customer="c1", provider=PROVIDER)
        for n in range(1, 4)
    ]
    evidence.append_many(
        session, rows=[evidence.NewRow(evidence=event, payload=b"{}", device_type="popback_v1") for event in events]
    )
    plans.add_planned_visits(session, visits=[a_visit("v1")])
    assert who(made(session)) == {("v1", 0): "w2"}


def test_what_a_person_pinned_stays_through_every_later_roster(session: Session) -> None:
    """A pin that held for one roster only would have to be set again each time, and be forgotten."""
    settle(session)
    plans.add_planned_visits(session, visits=[a_visit("v1")])
    pin = Pin(workers=(W3,), start=instant(9, 20))
    first = made(session, wishes=replace(QUICK, pins={VisitId("v1"): pin}))
    published(session, first)
    again = made(session)
    for record in (first, again):
        ((worker, stop),) = stops_of(record.body)
        assert (worker, stop["start"]) == ("w3", instant(9, 20).isoformat())


def test_a_customer_s_visits_keep_their_distance_but_no_more_than_the_plan_leaves(session: Session) -> None:
    """Lunch half an hour after breakfast serves nobody; a plan that itself leaves 20 minutes must stay possible."""
    settle(session)
    near = [a_visit("v1", at=instant(8)), a_visit("v2", at=instant(8, 50))]
    far = [a_visit("v3", customer="c2", at=instant(8)), a_visit("v4", customer="c2", at=instant(12))]
    plans.add_planned_visits(session, visits=[*near, *far])
    loaded = load_day(session, day=MONDAY, policy=POLICY, **WHERE)
    gaps = {demand.id: demand.gap_seconds for demand in problem_of(loaded, policy=POLICY, wishes=QUICK).demands}
    assert gaps == {"v1": 1200, "v2": 1200, "v3": 3600, "v4": 3600}


def test_the_roster_s_journeys_are_the_policy_s(session: Session) -> None:
    """A roster that counts on quicker journeys than the policy grants would cram calls by our own rule."""
    del session
    homes = [home(0), home(1), home(7), replace(home(3), longitude=-2.3), home(0)]
    travel = travel_of(homes=homes, policy=POLICY)
    for mode in TravelMode:
        for a, here in enumerate(homes):
            for b, there in enumerate(homes):
                assert travel.between(mode.value, a, b) == journey_seconds(here, there, mode, POLICY)


def test_equal_days_have_equal_digests_and_any_change_another(session: Session) -> None:
    """The digest says whether a stored roster still answers the question of its day."""
    settle(session)
    plans.add_planned_visits(session, visits=[a_visit("v1")])
    loaded = load_day(session, day=MONDAY, policy=POLICY, **WHERE)
    one = input_sha256(problem_of(loaded, policy=POLICY, wishes=QUICK))
    assert one == input_sha256(problem_of(loaded, policy=POLICY, wishes=QUICK))
    slower = replace(POLICY, car_kmh=21.0)
    assert one != input_sha256(problem_of(loaded, policy=slower, wishes=QUICK))


def test_publishing_puts_workers_deadlines_and_notices_in_one_transaction(session: Session) -> None:
    """A published visit without a deadline is one nobody misses; a worker not told does not come."""
    workers = [a_worker(1), a_worker(2)]
    settle(session, workers=workers)
    with_phones(session, *workers)
    plans.add_planned_visits(session, visits=[a_visit("v1", workers_needed=2), a_visit("v2", customer="c2")])
    record = made(session)
    told = published(session, record)
    assert set(visit(session, "v1").rostered) == {"w1", "w2"}
    assert visit(session, "v2").rostered[0] in {"w1", "w2"}
    rows = deadlines.deadlines_of(session, visit_ids=[VisitId("v1"), VisitId("v2")])
    assert {(row.visit_id, row.slot) for row in rows} == {("v1", 0), ("v1", 1), ("v2", 0)}
    notices = outbox.take(session, channel="down", limit=10)
    assert sorted(row.address for row in notices) == ["northcare/d-w1", "northcare/d-w2"]
    assert told.devices_told == 2
    assert all(set(row.body) == {"kind", "v", "version", "hash"} for row in notices)


def test_nothing_of_a_publication_stays_when_it_is_rolled_back(session: Session) -> None:
    """A crash between slots and deadlines must leave the day as it was before."""
    settle(session)
    plans.add_planned_visits(session, visits=[a_visit("v1")])
    record = made(session)
    session.commit()
    published(session, record)
    session.rollback()
    assert visit(session, "v1").rostered == (None,)
    assert deadlines.deadlines_of(session, visit_ids=[VisitId("v1")]) == ()
    assert rosters.published(session, day=MONDAY, **WHERE) is None


def test_a_start_moved_within_its_window_becomes_the_planned_start(session: Session) -> None:
    """The worker is told 09:15, so lateness and alerts count from 09:15; the agreed 09:00 still bounds the next roster."""
    settle(session, workers=[a_worker(1)])
    plans.add_planned_visits(session, visits=[a_visit("v1", at=instant(9))])
    first = adopted(session, {"v1": [W1]}, starts={VisitId("v1"): instant(9, 15)})
    assert first.violations == 0
    published(session, first)
    moved = visit(session, "v1")
    assert (moved.start, moved.revision) == (instant(9, 15), 2)
    loaded = load_day(session, day=MONDAY, policy=POLICY, **WHERE)
    (demand,) = problem_of(loaded, policy=POLICY, wishes=QUICK).demands
    assert [(window.earliest, window.latest) for window in demand.windows] == [(8 * 3600 + 1800, 9 * 3600 + 1800)]
    rows = deadlines.deadlines_of(session, visit_ids=[VisitId("v1")])
    assert {(row.revision, row.judged_at) for row in rows} == {(2, None)}


def test_republishing_changes_only_what_changed_and_says_it(session: Session) -> None:
    """The person who publishes sees each change; a worker whose run is the same is not told again."""
    workers = [a_worker(1), a_worker(2), a_worker(3)]
    settle(session, workers=workers)
    with_phones(session, *workers)
    plans.add_planned_visits(session, visits=[a_visit("v1"), a_visit("v2", customer="c2", at=instant(11))])
    first = adopted(session, {"v1": [W1], "v2": [W2]})
    published(session, first)
    outbox.mark_sent(
        session, outbox_ids=[row.outbox_id for row in outbox.take(session, channel="down", limit=9)], now=instant(1)
    )
    second = adopted(session, {"v1": [W1], "v2": [W3]})
    assert [change["words"] for change in second.body["changes"]] == ["Visit v2: was w2 at 11:00, becomes w3 at 11:00."]
    done = published(session, second)
    assert done.changes == ("Visit v2: was w2 at 11:00, becomes w3 at 11:00.",)
    assert sorted(row.address for row in outbox.take(session, channel="down", limit=9)) == [
        "northcare/d-w2",
        "northcare/d-w3",
    ]
    assert [record.state for record in _all(session)] == [RosterState.SUPERSEDED, RosterState.PUBLISHED]


def test_a_roster_is_published_once(session: Session) -> None:
    """Two presses of the button must not tell every worker twice."""
    settle(session)
    plans.add_planned_visits(session, visits=[a_visit("v1")])
    record = made(session)
    published(session, record)
    with pytest.raises(roster.RosterRefused, match="Only a draft"):
        published(session, record)
    with pytest.raises(roster.RosterRefused, match="no such roster"):
        roster.publish(session, roster_id="r0", by="ana", now=THE_DAY_BEFORE, policy=POLICY)


@pytest.mark.parametrize("change", ["cancelled", "new", "moved"])
def test_a_draft_made_before_the_plan_changed_is_not_published(change: str, session: Session) -> None:
    """It would send a worker to a cancelled visit, or nobody to a new one."""
    settle(session)
    plans.add_planned_visits(session, visits=[a_visit("v1"), a_visit("v2", customer="c2")])
    record = made(session)
    if change == "cancelled":
        cancellation = Cancellation(at=instant(6), by=CancelledBy.CUSTOMER, reason="away")
        plans.cancel(session, visit_id=VisitId("v1"), cancellation=cancellation)
    elif change == "new":
        plans.add_planned_visits(session, visits=[a_visit("v3", customer="c3")])
    else:
        plans.revise(session, visits=[a_visit("v1", at=instant(10), revision=2)])
    with pytest.raises(roster.RosterRefused, match="make it again") as refused:
        published(session, record)
    assert refused.value.visits == (("v3",) if change == "new" else ("v1",))


def test_a_roster_made_while_plans_changed_is_not_kept(session: Session) -> None:
    """Solving takes seconds in which the office works on: the answer to an old question must not be stored as today's."""
    settle(session)
    plans.add_planned_visits(session, visits=[a_visit("v1")])
    prepared = roster.prepare(session, day=MONDAY, seed=1, policy=POLICY, wishes=QUICK, **WHERE)
    result = roster.solve_prepared(prepared)
    plans.add_planned_visits(session, visits=[a_visit("v2", customer="c2")])
    with pytest.raises(roster.RosterRefused, match="changed while"):
        roster.keep(session, prepared=prepared, result=result, now=THE_DAY_BEFORE, policy=POLICY)


def test_a_hand_made_roster_may_break_rules_and_every_break_is_said(session: Session) -> None:
    """Real rosters do; the office must read it before publishing, and may publish all the same."""
    settle(session, customers=[a_customer(1, workers_excluded=frozenset({W1})), a_customer(2)])
    plans.add_planned_visits(session, visits=[a_visit("v1"), a_visit("v2", customer="c2", at=instant(9, 5))])
    record = adopted(session, {"v1": [W1], "v2": [W1]})
    rules = {violation["rule"] for violation in record.body["violations"]}
    assert {"exclusions", "travel_feasible"} <= rules
    assert record.violations == len(record.body["violations"])
    published(session, record)
    assert visit(session, "v1").rostered == ("w1",)


def test_call_cramming_built_into_a_roster_is_said_before_it_is_published(session: Session) -> None:
    """Four half hours planned into one hour cannot be worked: whoever publishes that must have read it."""
    settle(session)
    visits = [a_visit(f"v{n}", customer=f"c{n}", at=instant(9, 10 * n)) for n in (1, 2, 3)]
    plans.add_planned_visits(session, visits=visits)
    crammed = adopted(session, {"v1": [W1], "v2": [W1], "v3": [W1]})
    fine = adopted(session, {"v1": [W1], "v2": [W2], "v3": [W3]})
    assert len(crammed.body["findings"]) == 1
    assert "w1" in crammed.body["findings"][0]
    assert fine.body["findings"] == []


def test_a_roster_by_hand_names_only_what_is_there(session: Session) -> None:
    """A typing error in an imported roster must stop it, not leave a visit to nobody."""
    settle(session)
    plans.add_planned_visits(session, visits=[a_visit("v1")])
    with pytest.raises(roster.RosterRefused, match="v9"):
        adopted(session, {"v9": [W1]})
    with pytest.raises(roster.RosterRefused, match="w9"):
        adopted(session, {"v1": [WorkerId("w9")]})


def test_an_empty_day_is_an_empty_roster(session: Session) -> None:
    """A locality with nothing planned must not stop the night's run."""
    settle(session)
    record = made(session)
    assert (record.unfilled, list(record.body["runs"])) == (0, [])
    assert published(session, record).devices_told == 0


def test_a_changed_visit_gets_new_deadlines_only_if_it_had_some(session: Session) -> None:
    """Moving a published visit moves its alerts; moving one not yet published must not raise any."""
    settle(session)
    plans.add_planned_visits(session, visits=[a_visit("v1"), a_visit("v2", customer="c2")])
    roster.publish_deadlines(session, visits=[visit(session, "v1")], policy=POLICY)
    for name in ("v1", "v2"):
        moved = replace(visit(session, name), start=instant(13), revision=2)
        plans.revise(session, visits=[moved])
        replace_deadlines(session, visit=moved, now=instant(7), policy=POLICY)
    rows = deadlines.deadlines_of(session, visit_ids=[VisitId("v1"), VisitId("v2")])
    assert {(row.visit_id, row.revision, row.verdict) for row in rows} == {("v1", 1, "void"), ("v1", 2, None)}


def test_visits_of_a_customer_who_is_away_have_no_deadlines(session: Session) -> None:
    """An alert for an empty house at three in the morning teaches people to ignore alerts."""
    settle(session)
    away = Absence(customer_id=CustomerId("c1"), kind=AbsenceKind.HOSPITAL, since=instant(0), until=instant(10))
    plans.add_absences(session, absences=[away])
    during, after = a_visit("v1", at=instant(9)), a_visit("v2", at=instant(10))
    plans.add_planned_visits(session, visits=[during, after])
    roster.publish_deadlines(session, visits=[during, after], policy=POLICY)
    rows = deadlines.deadlines_of(session, visit_ids=[VisitId("v1"), VisitId("v2")])
    assert {row.visit_id for row in rows} == {"v2"}


def test_a_missed_visit_falls_due_before_the_same_customer_s_next_stored_visit(session: Session) -> None:
    """Publishing one visit alone must still see the next one in the store, or its alert would come after it."""
    settle(session)
    first, following = a_visit("v1", at=instant(9)), a_visit("v2", at=instant(9, 40))
    plans.add_planned_visits(session, visits=[first, following])
    roster.publish_deadlines(session, visits=[first], policy=POLICY)
    rows = deadlines.deadlines_of(session, visit_ids=[VisitId("v1")])
    due = {row.stage: row.due_at for row in rows}
    assert due["missed"] == instant(9, 40) - timedelta(seconds=1)


def _all(session: Session) -> tuple[RosterRecord, ...]:
    return rosters.list_rosters(session, since_day=MONDAY, until_day=TUESDAY, **WHERE)


def test_a_promised_pop_back_is_not_pushed_out_by_any_ordinary_visit(session: Session) -> None:
    """A promise to a customer is a hard rule: the ordinary visit is said to be unfilled, however urgent."""
    settle(session, workers=[a_worker(1)])
    promised = a_visit("p1", at=instant(9), minutes=120, popback=True, risk=Risk.LOW)
    urgent = a_visit("v1", customer="c2", at=instant(9), minutes=120, risk=Risk.TIME_CRITICAL)
    plans.add_planned_visits(session, visits=[promised, urgent])
    record = made(session)
    assert set(who(record)) == {("p1", 0)}
    assert [each["visit"] for each in record.body["unfilled"]] == ["v1"]
