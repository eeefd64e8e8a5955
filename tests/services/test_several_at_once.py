"""Several watchers, workers and notifiers on one PostgreSQL: who has what in hand, and what becomes of the hand of one that freezes."""

import contextlib
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from api.jobs import WorkJob, _job
from api.parts import Parts
from devices.ingest import Ingest, Received
from evm.domain.alerts.deadline import deadlines as deadlines_of
from evm.domain.evidence import EventKind
from evm.domain.ids import DeviceId
from evm.domain.plan import PlannedVisit
from evm.domain.policy import Policy
from evm.services import notify, receive, reconcile, watch
from evm.services.receive import Incoming
from evm.store import alerts, deadlines, holds, ingest_state, outbox, plans, visits
from evm.store.database import open_engine, session_factory
from evm.store.visit_checks import versions_amiss
from tests import factories
from tests.factories import NINE, claim, planned_visit

POLICY = Policy()
pytestmark = pytest.mark.database("postgresql")


def at(minutes: float) -> datetime:
    return NINE + timedelta(minutes=minutes)


@pytest.fixture
def town(sessions: sessionmaker[Session]) -> sessionmaker[Session]:
    """Two customers of one provider, and nothing planned."""
    with sessions.begin() as session:
        factories.seed(
            session,
            customers=[factories.customer(), factories.customer("c2", home=factories.home(3000))],
            workers=[factories.worker(), factories.worker("w2")],
        )
    return sessions


def publish(sessions: sessionmaker[Session], *planned: PlannedVisit) -> None:
    with sessions.begin() as session:
        plans.add_planned_visits(session, visits=planned)
        deadlines.add_deadlines(session, deadlines=deadlines_of(planned))


def bring(sessions: sessionmaker[Session], minutes: float, **changes: Any) -> None:
    with sessions.begin() as session:
        item = Incoming(claim=claim(at=at(minutes), **changes), payload=b"{}", channel="mqtt")
        receive.receive(session, items=[item], now=at(minutes), policies=POLICY)


@contextlib.contextmanager
def open_session(sessions: sessionmaker[Session]) -> Iterator[Session]:
    """A transaction in another process's hand: what it did stands only when the block ends."""
    with sessions.begin() as session:
        yield session


def test_two_workers_never_have_one_customer_in_hand(town: sessionmaker[Session]) -> None:
    """Broken when the second, who read less or later, writes its version over the other's, or both write version 2."""
    publish(town, planned_visit("v1"))
    bring(town, 0)
    with open_session(town) as first:
        assert reconcile.run_pending(first, now=at(1), policy=POLICY) > 0
        bring(town, 40, kind=EventKind.CHECK_OUT)
        with open_session(town) as second:
            assert reconcile.run_pending(second, now=at(41), policy=POLICY) == 0, "what the other has is left queued"
    with town.begin() as session:
        while reconcile.run_pending(session, now=at(42), policy=POLICY):
            pass
        assert visits.newest_of(session, visit_ids=["v1"])["v1"].slots[0].attendance.minutes == 40
        assert [row.visit.version for row in visits.versions(session, visit_key="v1")] == [1, 2]
        assert versions_amiss(session) == 0
        assert not ingest_state.reconcile_backlog(session)


def test_a_watcher_leaves_what_a_worker_has_in_hand_and_judges_it_when_it_is_done(
    town: sessionmaker[Session],
) -> None:
    """Broken when a visit is paged whose check-in is stored, only because somebody was just writing it down."""
    publish(town, planned_visit("v1"), planned_visit("v2", customer="c2"))
    bring(town, 5)
    with open_session(town) as worker:
        assert reconcile.run_pending(worker, now=at(60), policy=POLICY) > 0
        with open_session(town) as watcher:
            raised = watch.sweep(watcher, now=at(60), policy=POLICY)
            assert {alerts.alert(watcher, alert_id=i).visit for i in raised} == {"v2"}, "others are not held up"
    with town.begin() as session:
        assert watch.sweep(session, now=at(60), policy=POLICY) == ()
        assert {d.verdict for d in deadlines.deadlines_of(session, visit_ids=["v1"]) if d.stage == "missed"} == {"met"}


def test_evidence_that_comes_while_a_watcher_raises_its_alert_answers_that_alert(town: sessionmaker[Session]) -> None:
    """Broken when the worker looks for alerts before the watcher's is there, and nobody ever looks again: missed, though somebody came."""
    publish(town, planned_visit("v1"))
    with open_session(town) as watcher:
        assert watch.sweep(watcher, now=at(60), policy=POLICY) != ()
        bring(town, 5)
        with open_session(town) as worker:
            assert reconcile.run_pending(worker, now=at(61), policy=POLICY) == 0
    with town.begin() as worker:
        assert reconcile.run_pending(worker, now=at(62), policy=POLICY) > 0
    with town() as session:
        assert {a.reclassified for a in alerts.alert_list(session, visit_ids=["v1"])} == {"on time"}


def test_two_watchers_divide_the_deadlines_and_raise_each_alert_once(town: sessionmaker[Session]) -> None:
    """Broken when both page the same absence, or each leaves it to the other."""
    publish(town, planned_visit("v1"), planned_visit("v2", customer="c2"))
    with open_session(town) as first, open_session(town) as second:
        one = watch.sweep(first, now=at(60), policy=POLICY)
        other = watch.sweep(second, now=at(60), policy=POLICY)
        assert (len(one), other) == (4, ())
    with town.begin() as session:
        assert watch.sweep(session, now=at(60), policy=POLICY) == ()
        assert len(alerts.alert_list(session)) == 4


def test_fault_36_a_frozen_watcher_loses_what_it_holds_and_raises_nothing_when_it_wakes(
    town: sessionmaker[Session], database_url: str
) -> None:
    """Broken when one stopped process keeps deadlines from everybody, or when it wakes and pages a second time."""
    publish(town, planned_visit("v1"))
    engine = open_engine(url=database_url)
    holds.end_frozen_holds(engine, idle_seconds=1, wait_seconds=5)
    frozen = session_factory(engine)()
    assert len(watch.sweep(frozen, now=at(60), policy=POLICY)) == 2
    raised: tuple[int, ...] = ()
    give_up = time.monotonic() + 30
    while not raised and time.monotonic() < give_up:
        with town.begin() as session:
            raised = watch.sweep(session, now=at(60), policy=POLICY)
        time.sleep(0.1)
    assert len(raised) == 2
    with pytest.raises(DBAPIError):
        frozen.commit()
    frozen.close()
    engine.dispose()
    with town() as session:
        assert len(alerts.alert_list(session, visit_ids=["v1"])) == 2
        assert outbox.unsent_count(session, channel=outbox.NOTIFY) == 1


def test_whoever_waits_too_long_for_a_lock_tries_again_later(town: sessionmaker[Session], database_url: str) -> None:
    """Broken when a worker waits for ever for a customer whom a stopped process holds."""
    engine = open_engine(url=database_url)
    holds.end_frozen_holds(engine, idle_seconds=60, wait_seconds=1)
    with open_session(town) as holder:
        holds.hold_customers(holder, customer_ids=["c1"])
        with session_factory(engine)() as waiting, pytest.raises(OperationalError):
            holds.hold_customers(waiting, customer_ids=["c1", "c2"])
    engine.dispose()


def test_a_phones_state_that_comes_while_its_events_are_stored_stands(
    town: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken when one ingest process writes back what it read of a phone before another kept its birth: it stands offline, though it is
    there, and is asked again and again for what it has sent."""
    said = Received(
        provider=factories.PROVIDER,
        device="p1",
        topic=f"popback/v1/{factories.PROVIDER}/p1/status",
        message=b'{"v":1,"state":"online","epoch":"2-abc"}',
    )
    other = Ingest(sessions=town, clock=lambda: at(1), policy=POLICY, new_challenge=lambda: "c")
    threads = ThreadPoolExecutor(1)
    bring(town, 0)
    write = ingest_state.set_progress
    born: list[Future[Any]] = []

    def meanwhile(*arguments: Any, **named: Any) -> None:
        if not born:
            born.append(threads.submit(other.take, [said]))
            wait(born, timeout=1)
        write(*arguments, **named)

    monkeypatch.setattr(ingest_state, "set_progress", meanwhile)
    bring(town, 1)
    born[0].result(timeout=30)
    threads.shutdown()
    with town() as session:
        key = (factories.PROVIDER, DeviceId("p1"))
        found = ingest_state.progress(session, devices=[key])[key]
        assert (found.status, found.epoch) == ("online", "2-abc")


def test_very_many_customers_are_held_by_one_lock_that_excludes_everybody(
    town: sessionmaker[Session], engine: Engine
) -> None:
    """Broken when a whole provider's reconciliation fills the server's table of locks, or runs beside a worker's."""
    many = [f"c{n}" for n in range(holds.WHOLE_ABOVE + 1)]
    with open_session(town) as whole:
        holds.hold_customers(whole, customer_ids=many)
        held = whole.connection().exec_driver_sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").scalar()
        assert held < 10
        with open_session(town) as other:
            assert holds.try_customers(other, customer_ids=["elsewhere"]) == frozenset()
    with open_session(town) as other:
        assert holds.try_customers(other, customer_ids=["elsewhere"]) == {"elsewhere"}


def test_a_standing_job_is_done_by_one_process_at_a_time(town: sessionmaker[Session], engine: Engine) -> None:
    """Broken when two workers answer one pop-back, release one line or price one visit at the same moment."""
    parts = Parts(
        url="", engine=engine, sessions=town, secrets=None, clock=lambda: NINE, policy=POLICY, challenges=lambda: ""
    )
    done: list[str] = []

    def outer(session: Session, now: datetime) -> None:
        done.append("first")
        _job(parts, "price", lambda session, now: done.append("second")).run()
        _job(parts, "release", lambda session, now: done.append("another job")).run()

    job = WorkJob(name="price", run=outer)
    _job(parts, job.name, job.run).run()
    assert done == ["first", "another job"]
    _job(parts, "price", lambda session, now: done.append("later")).run()
    assert done[-1] == "later"


class Noting:
    """A gateway that remembers what it was given."""

    name = "noting"

    def __init__(self) -> None:
        self.seen: list[str] = []

    def send(self, *, key: str, address: str, body: dict[str, Any]) -> None:
        self.seen.append(key)


def test_two_notifiers_share_what_is_to_be_told(town: sessionmaker[Session]) -> None:
    """Broken when each of two notifiers tells everything: people who are told twice stop listening."""
    publish(town, *(planned_visit(f"v{n}", start=at(0)) for n in range(5)))
    with town.begin() as session:
        watch.sweep(session, now=at(60), policy=POLICY)

    class Meanwhile(Noting):
        def send(self, *, key: str, address: str, body: dict[str, Any]) -> None:
            super().send(key=key, address=address, body=body)
            notify.drain(sessions=town, clock=lambda: at(60), gateway=other)

    other = Noting()
    one = Meanwhile()
    notify.drain(sessions=town, clock=lambda: at(60), gateway=one)
    assert sorted(one.seen + other.seen) == sorted(set(one.seen + other.seen))
    with town() as session:
        assert outbox.unsent_count(session, channel=outbox.NOTIFY) == 0


def test_a_notifier_that_froze_past_its_claim_sends_nothing_more_of_it(town: sessionmaker[Session]) -> None:
    """Broken when a notifier that was stopped for a minute wakes and tells what another has told meanwhile."""
    publish(town, *(planned_visit(f"v{n}", start=at(0)) for n in range(3)))
    with town.begin() as session:
        watch.sweep(session, now=at(60), policy=POLICY)
    now = [at(60)]

    class Freezing(Noting):
        def send(self, *, key: str, address: str, body: dict[str, Any]) -> None:
            super().send(key=key, address=address, body=body)
            if len(self.seen) == 1:
                now[0] += notify.CLAIM + timedelta(seconds=1)
                assert notify.drain(sessions=town, clock=lambda: now[0], gateway=other) == 3

    other, frozen = Noting(), Freezing()
    notify.drain(sessions=town, clock=lambda: now[0], gateway=frozen)
    assert len(frozen.seen) == 1
    assert len(other.seen) == 3
    with town() as session:
        told = [entry for a in alerts.alert_list(session) for entry in alerts.history(session, alert_id=a.alert_id)]
    assert sum(entry.act == "told" for entry in told) == 3, "once in each history, however often it was sent"
