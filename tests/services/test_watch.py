"""Deadlines become alerts exactly once, whoever was down and whatever came late."""

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from evm.domain.alerts.deadline import deadlines as deadlines_of
from evm.domain.evidence import Claim, EventKind, Method
from evm.domain.plan import Absence, AbsenceKind, Cancellation, CancelledBy, PlannedVisit, Risk
from evm.domain.policy import Policy
from evm.domain.visit import VisitOutcome
from evm.services import epochs, receive, reconcile, watch
from evm.services.receive import Incoming
from evm.store import alerts, deadlines, ingest_state, outbox, plans, visits
from tests import factories
from tests.factories import NINE, claim, planned_visit

POLICY = Policy()


def at(minutes: float) -> datetime:
    return NINE + timedelta(minutes=minutes)


def publish(session: Session, *planned: PlannedVisit) -> None:
    plans.add_planned_visits(session, visits=planned)
    deadlines.add_deadlines(session, deadlines=deadlines_of(planned))


def bring(session: Session, *claims: Claim, now: datetime | None = None) -> None:
    for said in claims:
        item = Incoming(claim=said, payload=b"{}", channel="mqtt")
        receive.receive(session, items=[item], now=now or said.captured_at, policies=POLICY)


def sweep(session: Session, minutes: float) -> list[tuple[str, str | None, int | None]]:
    """What a sweep `minutes` after nine raised: kind, stage and slot of each alert."""
    raised = watch.sweep(session, now=at(minutes), policy=POLICY)
    found = [alerts.alert(session, alert_id=i) for i in raised]
    return [(a.kind, a.stage, a.slot) for a in found if a is not None]


@pytest.fixture
def seeded(session: Session) -> Session:
    factories.seed(
        session,
        customers=[factories.customer(), factories.customer("c2", home=factories.home(3000))],
        workers=[factories.worker(), factories.worker("w2")],
    )
    return session


def test_a_visit_nobody_came_to_warns_then_is_missed_and_the_visit_says_so(seeded: Session) -> None:
    """The whole point of monitoring: silence must not stay silent."""
    publish(seeded, planned_visit("v1"))
    assert sweep(seeded, 29.9) == []
    assert sweep(seeded, 30) == [("missed visit", "warn", 0)]
    assert sweep(seeded, 60) == [("missed visit", "missed", 0)]
    assert visits.newest_of(seeded, visit_ids=["v1"])["v1"].outcome is VisitOutcome.MISSED
    told = outbox.take(seeded, channel="notify", limit=10)
    assert [row.body["stage"] for row in told] == ["missed"]  # a warning is a colour on a board, not a page
    assert sweep(seeded, 200) == []


def test_a_check_in_that_is_stored_but_not_yet_reconciled_quiets_the_deadline(seeded: Session) -> None:
    """A long queue must never page somebody about a visit that is being delivered."""
    publish(seeded, planned_visit("v1"))
    bring(seeded, claim(at=at(5)))
    assert sweep(seeded, 60) == []
    assert deadlines.deadlines_of(seeded, visit_ids=["v1"])[1].verdict == "met"


def test_evidence_whose_queue_row_another_process_holds_still_counts(seeded: Session) -> None:
    """On PostgreSQL another worker may hold the row and not be done: what is stored must count all the same."""
    publish(seeded, planned_visit("v1"))
    bring(seeded, claim(at=at(5)))
    receive.ingest_state.take_reconcile(seeded, limit=100)
    assert sweep(seeded, 60) == []


def test_one_of_two_workers_does_not_silence_the_others_absence(seeded: Session) -> None:
    """Half of a double-up is a hoist used alone."""
    publish(seeded, planned_visit("v1", workers_needed=2, rostered=("w1", "w2")))
    bring(seeded, claim(at=at(2)))
    assert sweep(seeded, 60) == [("missed visit", "warn", 1), ("missed visit", "missed", 1)]


def test_a_time_critical_visit_needs_evidence_that_pays(seeded: Session) -> None:
    """Anybody can press a button at home: for medicine a claim alone must reach a person."""
    publish(seeded, planned_visit("v1", risk=Risk.TIME_CRITICAL))
    bring(seeded, claim(at=at(2), tag=None, customer="c1", method=Method.MANUAL))
    assert ("unverified attendance", "page", 0) in sweep(seeded, 31)


def test_overdue_check_out_pages_and_the_check_out_answers_it(seeded: Session) -> None:
    """A worker who does not come out may be in trouble; once she has, the alert says so and a person closes it."""
    publish(seeded, planned_visit("v1", minutes=30))
    bring(seeded, claim(at=at(0)))
    assert sweep(seeded, 59) == []
    assert sweep(seeded, 60) == [("overdue check-out", "check_out", 0)]
    bring(seeded, claim(EventKind.CHECK_OUT, at=at(62)))
    reconcile.run_pending(seeded, now=at(62), policy=POLICY)
    alert = alerts.alert_list(seeded)[0]
    assert (alert.reclassified, alert.state) == ("checked out", "open")


def test_a_worker_who_came_late_may_stay_as_long_as_planned(seeded: Session) -> None:
    """Counting from the plan would page about every worker who was delayed by the one before."""
    publish(seeded, planned_visit("v1", minutes=30))
    bring(seeded, claim(at=at(25)))
    assert sweep(seeded, 60) == []
    assert watch.next_due(seeded) == at(85)
    assert sweep(seeded, 85) == [("overdue check-out", "check_out", 0)]


def test_cancelled_changed_and_suspended_visits_are_void(seeded: Session) -> None:
    """Alerts about visits nobody expects teach people to ignore alerts."""
    planned = [planned_visit(f"v{n}", start=at(n * 180)) for n in range(3)]
    publish(seeded, *planned)
    plans.cancel(
        seeded,
        visit_id="v0",
        cancellation=Cancellation(at=at(-60), by=CancelledBy.CUSTOMER, reason="visitors"),
    )
    plans.add_absences(
        seeded,
        absences=[Absence(customer_id="c1", kind=AbsenceKind.HOSPITAL, since=at(170), until=at(200))],
    )
    assert [stage for _, stage, _ in sweep(seeded, 1000)] == ["warn", "missed"]
    assert {d.verdict for v in ("v0", "v1") for d in deadlines.deadlines_of(seeded, visit_ids=[v])} == {"void"}


def test_late_evidence_reclassifies_by_captured_time_and_a_person_closes(seeded: Session) -> None:
    """A phone without signal must not leave a punctual worker recorded as absent, nor erase that the alert happened."""
    publish(seeded, planned_visit("v1"), planned_visit("v2", customer="c2"))
    assert len(sweep(seeded, 60)) == 4
    bring(seeded, claim(at=at(3)), claim(EventKind.CHECK_OUT, at=at(30)), now=at(200))
    bring(seeded, claim(at=at(40), tag="tag-c2", worker="w2", device="p2"), now=at(200))
    reconcile.run_pending(seeded, now=at(200), policy=POLICY)
    found = {(a.visit, a.stage): a for a in alerts.alert_list(seeded)}
    assert found["v1", "missed"].reclassified == "on time"
    assert found["v2", "missed"].reclassified == "late"
    assert {a.state for a in found.values()} == {"open"}
    missed = found["v1", "missed"]
    assert [e.act for e in alerts.history(seeded, alert_id=missed.alert_id)] == ["raised", "reclassified"]
    watch.acknowledge(seeded, alert_id=missed.alert_id, who="coordinator", words="ringing", now=at(201))
    watch.close(seeded, alert_id=missed.alert_id, who="coordinator", outcome="she was there", now=at(202))
    assert [e.act for e in alerts.history(seeded, alert_id=missed.alert_id)][2:] == ["acknowledged", "closed"]
    with pytest.raises(watch.AlertNotOpen):
        watch.close(seeded, alert_id=missed.alert_id, who="coordinator", outcome="again", now=at(203))
    with pytest.raises(watch.AlertNotOpen):
        watch.note(seeded, alert_id=99, who="coordinator", words="?", now=at(203))


def test_fault_5_a_watch_that_slept_eight_hours_raises_every_alert_once_as_detected_late(seeded: Session) -> None:
    """Timers that forget overdue jobs after a restart are why deadlines are rows."""
    publish(seeded, *(planned_visit(f"v{n}", start=at(n * 5), customer=f"c{n % 2 + 1}") for n in range(40)))
    first = watch.sweep(seeded, now=at(8 * 60), policy=POLICY)
    assert watch.sweep(seeded, now=at(8 * 60), policy=POLICY) == ()
    raised = alerts.alert_list(seeded)
    assert [a.alert_id for a in raised] == list(first)
    assert len({a.key for a in raised}) == len(raised) == 80
    assert all(a.detected_late for a in raised if a.due_at < at(8 * 60 - 1))
    assert outbox.unsent_count(seeded, channel="notify") == 40


def test_the_same_deadlines_raise_the_same_alerts_in_the_same_order(engine: Engine, seeded: Session) -> None:
    """Two runs of one day must not differ: the simulation and every replay rest on it."""
    publish(seeded, *(planned_visit(f"v{n}", start=at(n % 7)) for n in range(20)))
    seeded.commit()

    def run() -> list[str]:
        with sessionmaker(engine)() as session:
            watch.sweep(session, now=at(300), policy=POLICY)
            return [a.key for a in alerts.alert_list(session)]

    assert run() == run() != []


def test_several_watchers_raise_each_alert_once(engine: Engine, seeded: Session) -> None:
    """Fault 36: two watchers, one of them thought dead, must not page twice."""
    publish(seeded, *(planned_visit(f"v{n}", start=at(n), customer=f"c{n % 2 + 1}") for n in range(30)))
    seeded.commit()
    sessions = sessionmaker(engine)
    raised: list[Sequence[int]] = []

    def work() -> None:
        with sessions.begin() as session:
            raised.append(watch.sweep(session, now=at(300), policy=POLICY))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = [i for some in raised for i in some]
    assert len(ids) == len(set(ids)) == 60


def test_blind_is_one_page_and_no_false_missed_and_ends_by_itself(seeded: Session) -> None:
    """When ingest or the network is down, sixty missed visits would be sixty lies; silence would be worse."""
    bring(seeded, claim(EventKind.HEARTBEAT, at=at(-30)))
    urgent = planned_visit("v7", start=at(7), customer="c2", risk=Risk.TIME_CRITICAL)
    publish(seeded, *(planned_visit(f"v{n}", start=at(n), customer=f"c{n % 2 + 1}") for n in range(7)), urgent)
    assert sweep(seeded, 100) == [("blind", None, None)]
    assert sweep(seeded, 102) == []
    page = alerts.alert_list(seeded, kind="blind")[0]
    assert "v7" in page.words
    assert len(outbox.take(seeded, channel="notify", limit=9)) == 1
    bring(seeded, claim(at=at(6)), now=at(103))
    raised = sweep(seeded, 104)
    assert ("missed visit", "missed", 0) in raised
    found = {a.visit for a in alerts.alert_list(seeded, kind="missed visit")}
    assert found == {"v0", "v1", "v2", "v3", "v4", "v5", "v7"}


def test_one_phone_without_signal_is_not_blindness(seeded: Session) -> None:
    """While others are heard of, a visit without a check-in is a missed visit."""
    publish(seeded, *(planned_visit(f"v{n}", start=at(n), customer=f"c{n % 2 + 1}") for n in range(8)))
    bring(seeded, claim(EventKind.HEARTBEAT, at=at(95), worker="w2", device="p2"))
    assert ("missed visit", "missed", 0) in sweep(seeded, 100)
    assert alerts.alert_list(seeded, kind="blind") == ()


def test_an_alert_that_evidence_seemed_to_answer_is_unanswered_again_when_it_belongs_elsewhere(seeded: Session) -> None:
    """ "On time" would stand on an alert about a visit nobody came to."""
    publish(seeded, planned_visit("v0", start=at(-90)), planned_visit("v1"))
    sweep(seeded, 60)
    bring(seeded, claim(at=at(5)), now=at(91))
    reconcile.run_pending(seeded, now=at(91), policy=POLICY)
    bring(seeded, claim(EventKind.CHECK_OUT, at=at(30), visit="v0"), now=at(92))
    reconcile.run_pending(seeded, now=at(92), policy=POLICY)
    assert {a.visit: a.reclassified for a in alerts.alert_list(seeded)} == {"v0": "late", "v1": None}


def test_a_refusal_heard_of_late_answers_the_alert(seeded: Session) -> None:
    """A worker without signal who was sent away at the door would stand as absent."""
    publish(seeded, planned_visit("v1"))
    sweep(seeded, 60)
    bring(seeded, claim(EventKind.CUSTOMER_REFUSED, at=at(3)), now=at(200))
    reconcile.run_pending(seeded, now=at(200), policy=POLICY)
    assert {a.reclassified for a in alerts.alert_list(seeded)} == {"refused"}


def test_a_worker_heard_of_elsewhere_since_is_safe_and_pages_nobody(seeded: Session) -> None:
    """A forgotten check-out is a finding about money; ringing after a worker who is at her next customer's cries wolf."""
    publish(seeded, planned_visit("v1"), planned_visit("v2", risk=Risk.LOW, start=at(300)))
    bring(seeded, claim(at=at(1)), claim(at=at(50), tag="tag-c2"))
    assert sweep(seeded, 90) == []
    codes = {finding.code.value for finding in visits.newest_of(seeded, visit_ids=["v1"])["v1"].findings}
    bring(seeded, claim(EventKind.CHECK_OUT, at=at(80), tag="tag-c2"))
    bring(seeded, claim(at=at(301), worker="w2"), claim(EventKind.CHECK_OUT, at=at(340), worker="w2", tag="tag-c2"))
    assert sweep(seeded, 400) == []  # a check-out elsewhere says the same
    assert "forgotten check-out" in codes


def test_neither_earlier_events_nor_clocks_ahead_say_that_a_worker_is_safe(seeded: Session) -> None:
    """What was before the check-in, or cannot have been yet, is no sign of life."""
    publish(seeded, planned_visit("v1"))
    bring(
        seeded, claim(at=at(-40), tag="tag-c2"), claim(EventKind.CHECK_OUT, at=at(-10), tag="tag-c2"), claim(at=at(1))
    )
    bring(seeded, claim(at=at(55), tag="tag-c2"), now=at(20))
    assert sweep(seeded, 61) == [("overdue check-out", "check_out", 0)]


def test_a_phone_whose_clock_is_a_day_ahead_does_not_silence_tomorrow(seeded: Session) -> None:
    """Today's check-in, dated tomorrow, would quiet the deadline of a visit that nobody makes."""
    tomorrow = 24 * 60
    publish(seeded, planned_visit("v1", start=at(tomorrow)))
    bring(seeded, claim(at=at(tomorrow + 2)), claim(EventKind.CHECK_OUT, at=at(tomorrow + 29)), now=at(5))
    assert sweep(seeded, tomorrow + 60) == [("missed visit", "warn", 0), ("missed visit", "missed", 0)]
    visit = visits.newest_of(seeded, visit_ids=["v1"])["v1"]
    assert visit.outcome is VisitOutcome.MISSED
    assert {alert.reclassified for alert in alerts.alert_list(seeded)} == {None}
    bring(seeded, claim(at=at(tomorrow + 20)), now=at(tomorrow + 70))
    reconcile.run_pending(seeded, now=at(tomorrow + 70), policy=POLICY)
    assert {alert.reclassified for alert in alerts.alert_list(seeded)} == {"late"}


@pytest.mark.parametrize(
    ("risk", "tasks", "named", "expected"),
    [
        (Risk.TIME_CRITICAL, ("medication", "wash"), True, ["refused medicine"]),
        (Risk.TIME_CRITICAL, ("medication", "wash"), False, ["refused medicine"]),
        (Risk.TIME_CRITICAL, ("wash",), True, []),
        (Risk.STANDARD, ("medication",), False, []),
    ],
)
def test_a_refused_visit_with_medicine_is_an_alert_now(
    seeded: Session, risk: Risk, tasks: tuple[str, ...], named: bool, expected: list[str]
) -> None:
    """Somebody without her medicine must not wait for the day's report."""
    publish(seeded, planned_visit("v1", risk=risk, tasks=tasks))
    bring(seeded, claim(EventKind.CUSTOMER_REFUSED, at=at(4), visit="v1" if named else None))
    assert [alert.kind for alert in alerts.alert_list(seeded)] == expected


def break_reconciliation_of(monkeypatch: pytest.MonkeyPatch, customer: str) -> None:
    """As a bug, or a row nobody can read, would."""
    real = reconcile._facts_of_customers

    def facts(session: Session, customers: frozenset[str], *rest: Any) -> Any:
        if customer in customers:
            raise KeyError("a kind nobody knows")
        return real(session, customers, *rest)

    monkeypatch.setattr(reconcile, "_facts_of_customers", facts)


def test_a_customer_day_that_fails_holds_up_no_other_and_is_kept(
    seeded: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One customer's broken row would stop every visit of every provider from being concluded, silently."""
    publish(seeded, planned_visit("v1"), planned_visit("v2", customer="c2", start=at(90)))
    bring(seeded, claim(at=at(1), worker="w2"), claim(at=at(91), tag="tag-c2"))
    with monkeypatch.context() as broken:
        break_reconciliation_of(broken, "c1")
        assert reconcile.run_pending(seeded, now=at(92), policy=POLICY) == 2
        assert reconcile.run_pending(seeded, now=at(92), policy=POLICY) == 0  # put off: no busy loop
        assert visits.newest_of(seeded, visit_ids=["v1", "v2"]).keys() == {"v2"}
        assert ingest_state.reconcile_put_off(seeded, now=at(92)) == 1
    assert reconcile.run_pending(seeded, now=at(94), policy=POLICY) == 1
    assert visits.newest_of(seeded, visit_ids=["v1"])["v1"].slots[0].attendance is not None
    assert ingest_state.reconcile_put_off(seeded, now=at(94)) == 0


def test_a_deadline_whose_evidence_cannot_be_read_alerts_and_says_so(
    seeded: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silence is the worst outcome: a bug must page a person, not swallow the deadline nor stop the others."""
    publish(seeded, planned_visit("v1"), planned_visit("v2", customer="c2"))
    bring(seeded, claim(at=at(1), worker="w2"))
    break_reconciliation_of(monkeypatch, "c1")
    raised = watch.sweep(seeded, now=at(60), policy=POLICY)
    found = {(a.visit, a.stage): a.words for a in alerts.alert_list(seeded) if a.alert_id in raised}
    assert found.keys() == {("v1", "warn"), ("v1", "missed"), ("v2", "warn"), ("v2", "missed")}
    assert found["v1", "missed"] == (
        "The evidence about the visit planned for 09:00 could not be read: ring to make sure."
    )
    assert "Nobody has checked in" in found["v2", "missed"]
    assert sweep(seeded, 61) == []
    assert ingest_state.reconcile_put_off(seeded, now=at(60)) == 1


def test_a_stored_visit_nobody_can_read_alerts_too(seeded: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was concluded earlier may be what is broken."""
    publish(seeded, planned_visit("v1"), planned_visit("v2", customer="c2"))
    bring(seeded, claim(at=at(1)), claim(at=at(2), worker="w2", tag="tag-c2"))
    real = visits.newest_of

    def newest_of(session: Session, *, visit_ids: Any) -> Any:
        if "v1" in visit_ids:
            raise ValueError("not an outcome")
        return real(session, visit_ids=visit_ids)

    monkeypatch.setattr(visits, "newest_of", newest_of)
    assert sweep(seeded, 60) == [("missed visit", "warn", 0), ("missed visit", "missed", 0)]
    said = [a for a in alerts.alert_list(seeded) if "could not be read" in a.words]
    assert [(a.visit, a.stage) for a in said] == [("v1", "warn"), ("v1", "missed")]


def test_after_a_restore_what_the_log_lost_is_unconfirmed_until_phones_have_sent_it_again(seeded: Session) -> None:
    """Broken when the first phone that comes back ends the doubt about all: everybody is paged as missed whose check-in was receipted before."""
    publish(seeded, planned_visit("v1"), planned_visit("v2", customer="c2"))
    publish(seeded, planned_visit("v3", start=at(65)))
    epochs.open_epoch(seeded, now=at(61), token="t")
    assert sweep(seeded, 62) == [("blind", None, None)]
    (page,) = alerts.alert_list(seeded)
    assert "restored on" in page.words
    bring(seeded, claim(at=at(4), worker="w2", tag="tag-c2"), now=at(63))
    assert sweep(seeded, 64) == [], "one phone has come back, the other not yet"
    bring(seeded, claim(at=at(5)), now=at(70))
    assert sweep(seeded, 80) == []
    assert {d.verdict for d in deadlines.deadlines_of(seeded, visit_ids=["v1", "v2"]) if d.stage == "missed"} == {"met"}
    assert sweep(seeded, 125) == [("missed visit", "warn", 0), ("missed visit", "missed", 0)], "what falls due since"


def test_after_a_restore_what_no_phone_sends_again_is_missed(seeded: Session) -> None:
    """Broken when a restore makes a missed visit silent for good: nobody is ever sent."""
    publish(seeded, planned_visit("v1"))
    epochs.open_epoch(seeded, now=at(61), token="t")
    assert [kind for kind, _, _ in sweep(seeded, 62)] == ["blind"]
    assert sweep(seeded, 130) == []
    assert ("missed visit", "missed", 0) in sweep(seeded, 137)
