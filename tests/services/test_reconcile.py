"""From stored evidence to stored visits, in bulk and by the queue."""

import random
from collections.abc import Sequence
from datetime import date, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from evm.domain.evidence import Amendment, Claim, EventKind, Evidence, Method, Source
from evm.domain.finding import FindingCode
from evm.domain.plan import PlannedVisit
from evm.domain.policy import Policy
from evm.domain.visit import VisitOutcome
from evm.services import history, receive, reconcile
from evm.services.receive import Incoming
from evm.store import evidence, ingest_state, plans, visits
from evm.store.tables.visits import visits as visits_table
from tests import factories
from tests.factories import NINE, PROVIDER, claim, home, planned_visit

POLICY = Policy()
MONDAY = date(2026, 11, 2)


def at(minutes: int) -> factories.datetime:
    return NINE + timedelta(minutes=minutes)


def stay(start: int, end: int | None, **changes: str) -> list[Evidence]:
    found = [factories.evidence(EventKind.CHECK_IN, at=at(start), **changes)]
    if end is not None:
        found.append(factories.evidence(EventKind.CHECK_OUT, at=at(end), **changes))
    return found


def bring(session: Session, rows: Sequence[Evidence]) -> None:
    history.import_evidence(session, rows=rows, payloads=[b"{}"] * len(rows), now=at(24 * 60))


def reconcile_monday(session: Session, *, now: int = 12 * 60) -> int:
    return reconcile.reconcile_days(
        session,
        provider_id=PROVIDER,
        since_day=MONDAY,
        until_day=MONDAY + timedelta(days=1),
        now=at(now),
        policy=POLICY,
    )


@pytest.fixture
def seeded(session: Session) -> Session:
    factories.seed(
        session,
        customers=[factories.customer(f"c{n}", home=home(1500 * n)) for n in range(1, 5)],
        workers=[factories.worker("w1"), factories.worker("w2")],
    )
    return session


def test_imported_evidence_becomes_a_delivered_visit_once(seeded: Session) -> None:
    """The 27 days of history are worth nothing unless they reconcile, and twice must write nothing new."""
    plans.add_planned_visits(seeded, visits=[planned_visit("v1")])
    bring(seeded, stay(2, 31))
    assert reconcile_monday(seeded) == 1
    visit = visits.newest(seeded, since_day=MONDAY, until_day=MONDAY + timedelta(days=1))[0]
    assert (visit.outcome, visit.version, visit.slots[0].attendance.minutes) == (VisitOutcome.DELIVERED, 1, 29)
    assert evidence.events(seeded)[0].evidence.source == "import"
    assert reconcile_monday(seeded) == 0
    assert len(visits.versions(seeded, visit_key="v1")) == 1


def test_late_evidence_makes_a_second_version_and_the_first_stays(seeded: Session) -> None:
    """An invoice judged on version 1 must still be able to show what it was judged on."""
    plans.add_planned_visits(seeded, visits=[planned_visit("v1")])
    reconcile_monday(seeded)
    bring(seeded, stay(2, 31))
    assert reconcile_monday(seeded) == 1
    first, second = visits.versions(seeded, visit_key="v1")
    assert (first.visit.outcome, second.visit.outcome) == (VisitOutcome.MISSED, VisitOutcome.DELIVERED)
    assert visits.newest_of(seeded, visit_ids=["v1"])["v1"].version == 2


def test_an_unplanned_stay_that_gains_its_visit_is_withdrawn_but_kept(seeded: Session) -> None:
    """The same stay standing twice, once unplanned and once planned, would be counted twice."""
    bring(seeded, stay(0, 30))
    reconcile_monday(seeded)
    unplanned = visits.newest(seeded, since_day=MONDAY, until_day=MONDAY + timedelta(days=1))[0]
    key = visits.visit_key(unplanned)
    plans.add_planned_visits(seeded, visits=[planned_visit("v1")])
    reconcile_monday(seeded)
    newest = visits.newest(seeded, since_day=MONDAY, until_day=MONDAY + timedelta(days=1))
    assert [visit.visit_id for visit in newest] == ["v1"]
    assert len(visits.versions(seeded, visit_key=key)) == 1


def test_the_queue_reconciles_what_receive_asked_for(seeded: Session) -> None:
    """Between receipt and visit stands only a row: a lost one would leave a delivered visit pending for ever."""
    plans.add_planned_visits(seeded, visits=[planned_visit("v1")])
    items = [
        Incoming(claim=claim(kind, at=when), payload=b"{}", channel="mqtt")
        for kind, when in ((EventKind.CHECK_IN, at(1)), (EventKind.CHECK_OUT, at(30)))
    ]
    receive.receive(seeded, items=items, now=at(30), policies=POLICY)
    assert reconcile.run_pending(seeded, now=at(31), policy=POLICY) > 0
    assert visits.newest_of(seeded, visit_ids=["v1"])["v1"].outcome is VisitOutcome.DELIVERED
    assert reconcile.run_pending(seeded, now=at(31), policy=POLICY) == 0
    assert not ingest_state.reconcile_backlog(seeded)


def test_row_27_a_check_in_elsewhere_reaches_the_stay_it_caps(seeded: Session) -> None:
    """The event is the second customer's; the finding belongs to the first one's visit, which nothing else would reconcile."""
    plans.add_planned_visits(seeded, visits=[planned_visit("v1"), planned_visit("v2", customer="c2", start=at(60))])
    for said in (claim(at=at(0)), claim(at=at(60), tag="tag-c2"), claim(EventKind.CHECK_OUT, at=at(90))):
        item = Incoming(claim=said, payload=b"{}", channel="mqtt")
        receive.receive(seeded, items=[item], now=said.captured_at, policies=POLICY)
        reconcile.run_pending(seeded, now=said.captured_at, policy=POLICY)
    reconcile_monday(seeded)
    bulk = visits.newest_of(seeded, visit_ids=["v1"])["v1"]
    assert bulk.slots[0].attendance.end_max is not None
    assert len(visits.versions(seeded, visit_key="v1")) == bulk.version


def test_row_26_and_27_the_doubtful_part_pays_nothing(seeded: Session) -> None:
    """A stay without a check-out, and a check-out without a check-in, are kept and pay 0 until a person amended them."""
    plans.add_planned_visits(seeded, visits=[planned_visit("v1"), planned_visit("v2", customer="c2", start=at(60))])
    bring(seeded, stay(0, None))
    bring(seeded, [factories.evidence(EventKind.CHECK_OUT, at=at(92), customer="c2")])
    reconcile_monday(seeded)
    found = visits.newest_of(seeded, visit_ids=["v1", "v2"])
    assert [found[v].slots[0].attendance.payable_seconds for v in ("v1", "v2")] == [0, 0]
    assert FindingCode.FORGOTTEN_CHECK_OUT in {f.code for f in found["v1"].findings}
    assert FindingCode.ORPHAN_CHECK_OUT in {f.code for f in found["v2"].findings}


def _busy_week(seed: int) -> tuple[list[PlannedVisit], list[Evidence]]:
    rng = random.Random(seed)
    planned, said = [], []
    for day in range(4):
        for n, customer in enumerate(("c1", "c2", "c3", "c4")):
            start = day * 1440 + n * 95 + rng.choice([0, 0, 14 * 60])
            planned.append(planned_visit(f"v{day}{n}", customer=customer, start=at(start)))
            if rng.random() < 0.85:
                begin = start + rng.randint(-20, 40)
                end = None if rng.random() < 0.15 else begin + rng.randint(5, 60)
                said += stay(begin, end, customer=customer, worker=rng.choice(["w1", "w2"]))
    return planned, said


@pytest.mark.parametrize("seed", range(6))
def test_the_queue_in_any_order_ends_where_bulk_reconciliation_does(seeded: Session, seed: int) -> None:
    """If events that trickle in gave other minutes than the same events at once, a replay would change an invoice."""
    planned, said = _busy_week(seed)
    plans.add_planned_visits(seeded, visits=planned)
    random.Random(seed).shuffle(said)
    for start in range(0, len(said), 3):
        some = said[start : start + 3]
        bring(seeded, some)
        pairs = {(e.customer, day) for e in some for day in receive.days_touched(at=e.at, zone=POLICY.zone)}
        reconcile.reconcile_customer_days(seeded, pairs=pairs, now=at(9 * 1440), policy=POLICY)
    for visit in planned:
        pair = (visit.customer_id, visit.start.date())
        reconcile.reconcile_customer_days(seeded, pairs={pair}, now=at(9 * 1440), policy=POLICY)
    before = seeded.execute(select(func.count()).select_from(visits_table)).scalar()
    changed = reconcile.reconcile_days(
        seeded,
        provider_id=PROVIDER,
        since_day=MONDAY,
        until_day=MONDAY + timedelta(days=6),
        now=at(9 * 1440),
        policy=POLICY,
    )
    assert changed == 0
    assert seeded.execute(select(func.count()).select_from(visits_table)).scalar() == before


def test_a_later_check_in_reaches_every_stay_that_began_at_one_instant(seeded: Session) -> None:
    """Times are whole seconds: of check-ins of one worker in the same one, any can be held to be the last, and is capped by the next."""
    plans.add_planned_visits(seeded, visits=[planned_visit(f"v{n}", customer=f"c{n}") for n in range(1, 4)])
    for place, minutes in ((2, 0), (1, 0), (3, 1)):
        bring(seeded, stay(minutes, None, customer=f"c{place}"))
        reconcile.reconcile_customer_days(seeded, pairs={(f"c{place}", MONDAY)}, now=at(60), policy=POLICY)
    assert reconcile_monday(seeded, now=60) == 0


def test_a_check_out_in_the_morning_ends_the_night_that_began_the_day_before(seeded: Session) -> None:
    """A waking night ends on another care day than it began: its minutes must not stay open for ever."""
    night = at(13 * 60)
    plans.add_planned_visits(seeded, visits=[planned_visit("v1", start=night, minutes=540)])
    for said in (claim(at=night), claim(EventKind.CHECK_OUT, at=night + timedelta(hours=9))):
        item = Incoming(claim=said, payload=b"{}", channel="mqtt")
        receive.receive(seeded, items=[item], now=said.captured_at, policies=POLICY)
        reconcile.run_pending(seeded, now=said.captured_at, policy=POLICY)
    assert visits.newest_of(seeded, visit_ids=["v1"])["v1"].slots[0].attendance.minutes == 540


def test_an_ordinary_morning_reconciles_no_yesterday(seeded: Session) -> None:
    """Reconciling each customer's day before at every morning's check-out would double the work of the busiest hours."""
    for one in (claim(at=at(0)), claim(EventKind.CHECK_OUT, at=at(30))):
        item = Incoming(claim=one, payload=b"{}", channel="mqtt")
        receive.receive(seeded, items=[item], now=at(30), policies=POLICY)
        assert ingest_state.take_reconcile(seeded, limit=9) == {("c1", MONDAY)}


def test_an_amendment_made_days_later_reaches_its_visit(seeded: Session) -> None:
    """Corrections come when the week's sheets are checked; one that is not found pays nothing."""
    plans.add_planned_visits(seeded, visits=[planned_visit("v1")])
    bring(seeded, stay(0, None))
    reconcile_monday(seeded)
    amendment = Amendment(
        visit="v1",
        worker="w1",
        check_in_at=None,
        check_out_at=at(30),
        reason_code="forgot",
        memo="phone flat",
        attested_by="w1",
        approved_by="coordinator",
    )
    late = factories.evidence(EventKind.AMENDMENT, at=at(4 * 1440), amendment=amendment, source=Source.OFFICE)
    bring(seeded, [late])
    assert reconcile_monday(seeded) == 1
    assert visits.newest_of(seeded, visit_ids=["v1"])["v1"].slots[0].attendance.minutes == 30
    pairs = {("c1", MONDAY)}
    assert reconcile.reconcile_customer_days(seeded, pairs=pairs, now=at(12 * 60), policy=POLICY) == ()


def _in_turn(session: Session, *claims: Claim) -> None:
    """Each claim stored and reconciled before the next one comes."""
    for one in claims:
        now = at(48 * 60)
        receive.receive(session, items=[Incoming(claim=one, payload=b"{}", channel="mqtt")], now=now, policies=POLICY)
        reconcile.run_pending(session, now=now, policy=POLICY)


def _seconds(session: Session, visit_id: str) -> list[int]:
    visit = visits.newest_of(session, visit_ids=[visit_id])[visit_id]
    return [slot.attendance.payable_seconds if slot.attendance else 0 for slot in visit.slots]


def test_a_night_of_two_workers_is_paid_though_one_left_before_midnight(seeded: Session) -> None:
    """The one who stayed until morning would be shown as never checked out, and paid nothing."""
    night = planned_visit("v1", start=at(780), minutes=540, workers_needed=2, rostered=("w1", "w2"))
    plans.add_planned_visits(seeded, visits=[night])
    out = EventKind.CHECK_OUT
    _in_turn(
        seeded,
        claim(at=at(780)),
        claim(at=at(780), worker="w2"),
        claim(out, at=at(840), worker="w2"),
        claim(out, at=at(1320)),
    )
    assert _seconds(seeded, "v1") == [540 * 60, 60 * 60]


def test_a_lone_check_out_in_the_morning_belongs_to_the_night_it_ends(seeded: Session) -> None:
    """A night worker whose check-in was lost would stand as having missed the night, and the check-out would stand nowhere."""
    plans.add_planned_visits(seeded, visits=[planned_visit("v1", start=at(780), minutes=540)])
    _in_turn(seeded, claim(EventKind.CHECK_OUT, at=at(1320)))
    assert visits.newest_of(seeded, visit_ids=["v1"])["v1"].outcome is VisitOutcome.DELIVERED


def test_a_live_in_stay_of_nearly_a_day_is_closed_by_the_next_mornings_check_out(seeded: Session) -> None:
    """Whoever came before breakfast and left before the next would be paid nothing for 23 hours."""
    plans.add_planned_visits(seeded, visits=[planned_visit("v1", start=at(-180), minutes=23 * 60)])
    _in_turn(seeded, claim(at=at(-180)), claim(EventKind.CHECK_OUT, at=at(-180 + 23 * 60)))
    assert _seconds(seeded, "v1") == [23 * 3600]


def test_a_check_out_that_came_before_its_check_in_of_the_evening_before_leaves_nothing_behind(seeded: Session) -> None:
    """A lone check-out would stand for ever beside the visit it belongs to, waiting for a person."""
    plans.add_planned_visits(seeded, visits=[planned_visit("v1", start=at(750), minutes=600)])
    _in_turn(seeded, claim(EventKind.CHECK_OUT, at=at(1110)), claim(at=at(750)))
    found = visits.newest(seeded, since_day=MONDAY, until_day=MONDAY + timedelta(days=2))
    assert [(visit.visit_id, visit.slots[0].attendance.minutes) for visit in found] == [("v1", 360)]


def test_a_visit_named_by_a_very_late_stay_on_the_next_day_is_paid(seeded: Session) -> None:
    """The stay would be on neither day: not the planned visit's, and not unplanned either."""
    plans.add_planned_visits(seeded, visits=[planned_visit("v1", start=at(780))])
    _in_turn(seeded, claim(at=at(1080), visit="v1"), claim(EventKind.CHECK_OUT, at=at(1110), visit="v1"))
    assert _seconds(seeded, "v1") == [30 * 60]


def test_a_stay_split_between_a_couple_is_written_for_both(session: Session) -> None:
    """Calls that name one of a couple would leave the other's visit unpaid, and alerted as missed."""
    line = "+441614960009"
    couple = [factories.customer(f"c{n}", landlines=(line,), landline_code=str(n)) for n in (1, 2)]
    factories.seed(session, customers=couple)
    plans.add_planned_visits(session, visits=[planned_visit("v1"), planned_visit("v2", customer="c2", start=at(30))])
    call = {"tag": None, "line": line, "customer_code": "1", "method": Method.LANDLINE, "server_timed": True}
    _in_turn(session, claim(at=at(0), **call), claim(EventKind.CHECK_OUT, at=at(60), **call))
    assert (_seconds(session, "v1"), _seconds(session, "v2")) == ([1800], [1800])


@pytest.mark.parametrize("whole", [False, True])
def test_flats_at_one_place_with_a_line_each_are_no_couple(session: Session, whole: bool) -> None:
    """In sheltered housing a call from another flat would close, and pay, a forgotten check-out."""
    flats = [factories.customer(f"c{n}", landlines=(f"+44161496000{n}",)) for n in (1, 2)]
    factories.seed(session, customers=flats)
    plans.add_planned_visits(session, visits=[planned_visit("v1"), planned_visit("v2", customer="c2", start=at(30))])
    call = {"tag": None, "method": Method.LANDLINE, "server_timed": True}
    _in_turn(
        session,
        claim(at=at(0), line="+441614960001", **call),
        claim(EventKind.CHECK_OUT, at=at(60), line="+441614960002", **call),
    )
    if whole:
        reconcile_monday(session)
    assert (_seconds(session, "v1"), _seconds(session, "v2")) == ([0], [0])


def test_a_lone_check_out_between_hides_no_later_check_in_from_the_stay_it_caps(seeded: Session) -> None:
    """The open stay's longest possible end would depend on whether its events came one by one or at once."""
    plans.add_planned_visits(seeded, visits=[planned_visit("v1")])
    _in_turn(
        seeded,
        claim(at=at(0)),
        claim(EventKind.CHECK_OUT, at=at(40), tag="tag-c3"),
        claim(at=at(60), tag="tag-c2"),
        claim(EventKind.CHECK_OUT, at=at(90), tag="tag-c2"),
    )
    in_turn = visits.newest_of(seeded, visit_ids=["v1"])["v1"].slots[0].attendance
    assert in_turn.end_max is not None
    assert reconcile_monday(seeded, now=48 * 60) == 0
    assert visits.newest_of(seeded, visit_ids=["v1"])["v1"].slots[0].attendance == in_turn
