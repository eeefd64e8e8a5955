"""A batch of messages becomes evidence: bad-input rows 14, 15, 18, 21, 25, 26, 28, 29 and 30 among others."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event as sql_event
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from evm.domain.evidence import Claim, EventKind, Evidence, Grade, Method, TaskOutcome
from evm.domain.plan import Cancellation, CancelledBy, Outcome, Task, TaskPlan, VisitPattern
from evm.domain.policy import Policy
from evm.services import receive
from evm.services.receive import Answer, Incoming, Refused
from evm.store import alerts, evidence, ingest_state, outbox, plans
from evm.store.database import open_engine, session_factory
from evm.store.tables.evidence import evidence as log_table
from tests import factories
from tests.factories import NINE, PROVIDER, claim, fix

POLICY = Policy()


def take(session: Session, *claims: Claim, now: datetime = NINE + timedelta(seconds=2)) -> tuple[Answer, ...]:
    items = [Incoming(claim=c, payload=c.sha256.encode(), channel="mqtt") for c in claims]
    return receive.receive(session, items=items, now=now, policies=POLICY)


def stored(session: Session) -> tuple[Evidence, ...]:
    return tuple(row.evidence for row in evidence.events(session))


@pytest.fixture
def seeded(session: Session) -> Session:
    factories.seed(
        session,
        customers=[factories.customer(), factories.customer("c2", home=factories.home(2000))],
        workers=[factories.worker(), factories.worker("w2")],
    )
    return session


def test_a_tag_resolves_to_its_home_and_grades_a(seeded: Session) -> None:
    """Unless the tag becomes its customer, no check-in counts for anybody."""
    answer = take(seeded, claim())[0]
    event = stored(seeded)[0]
    assert (answer.stored_index, answer.refusal, answer.duplicate) == (1, None, False)
    assert (event.worker, event.customer, event.at) == ("w1", "c1", NINE)
    assert (event.grade_time, event.grade_place) == (Grade.A, Grade.A)


def test_the_exact_bytes_are_kept(seeded: Session) -> None:
    """The log proves what was said only if not one byte of it is rewritten."""
    said = claim()
    receive.receive(
        seeded, items=[Incoming(claim=said, payload=b'{ "odd":1 }\n', channel="http")], now=NINE, policies=POLICY
    )
    assert evidence.events(seeded)[0].payload == b'{ "odd":1 }\n'


def test_row_14_the_same_body_again_gets_the_first_receipt(seeded: Session) -> None:
    """A second row would count a visit twice; a refusal would leave the event on the phone for ever."""
    said = claim()
    first = take(seeded, said)[0]
    again, twin = take(seeded, said, said, now=NINE + timedelta(days=90))
    assert (again.stored_index, again.duplicate) == (first.stored_index, True)
    assert twin == again
    assert len(stored(seeded)) == 1


def test_row_14_twice_in_one_batch_is_one_row(seeded: Session) -> None:
    """A broker that delivers twice often does so within one batch."""
    said = claim()
    first, again = take(seeded, said, said)
    assert (first.stored_index, first.duplicate, again.stored_index, again.duplicate) == (1, False, 1, True)


def test_row_15_another_body_under_the_same_id_is_kept_flagged_and_waits(seeded: Session) -> None:
    """Overwriting either would let a forger replace evidence; paying either would reward him."""
    said = claim()
    other = replace(said, sha256="f" * 64, captured_at=NINE - timedelta(minutes=40), tag="tag-c2")
    take(seeded, said)
    answer = take(seeded, other)[0]
    first, second = evidence.evidence_of_event(seeded, event_id=said.event_id)
    assert (answer.stored_index, answer.refusal) == (2, None)
    assert (first.verdict, second.verdict) == ("stored", "conflict")
    assert second.evidence.waits
    assert "conflicting events" in second.evidence.flags
    queued = ingest_state.take_reconcile(seeded, limit=100)
    assert {customer for customer, _ in queued} == {"c1", "c2"}
    assert take(seeded, other)[0].stored_index == 2


def test_the_same_id_from_another_device_is_another_event(seeded: Session) -> None:
    """Ids are unique per device: one phone must not be able to block another's event by guessing its id."""
    said = claim()
    take(seeded, said)
    answer = take(seeded, replace(said, device="p2"))[0]
    assert (answer.stored_index, answer.duplicate) == (2, False)
    assert evidence.events(seeded, indices=[2])[0].verdict == "stored"


def test_row_18_a_gap_is_accepted_and_asked_for_until_it_closes(seeded: Session) -> None:
    """Refusing what comes after a gap loses it; not asking loses what is in it."""

    def gap() -> int | None:
        return receive.resend_from(seeded, provider=PROVIDER, device="p1")

    assert gap() is None
    take(seeded, claim(sequence=1))
    assert gap() is None
    take(seeded, claim(sequence=5), claim(sequence=3))
    assert gap() == 2
    take(seeded, claim(sequence=2))
    assert gap() == 4
    take(seeded, claim(sequence=4))
    assert gap() is None
    progress = ingest_state.progress(seeded, devices=[(PROVIDER, "p1")])[PROVIDER, "p1"]
    assert (progress.contiguous_sequence, progress.highest_sequence) == (5, 5)


def test_row_21_a_clock_more_than_five_minutes_ahead_is_kept_at_grade_d(seeded: Session) -> None:
    """A phone set forward could otherwise claim minutes that have not happened yet."""
    take(seeded, claim(at=NINE + timedelta(minutes=6)))
    event = stored(seeded)[0]
    assert event.grade_time is Grade.D
    assert "clock tampering" in event.flags
    assert event.at == NINE + timedelta(minutes=6)
    assert ingest_state.watermarks(seeded)[0].newest_at == NINE + timedelta(seconds=2)


def test_row_25_an_event_nine_days_old_is_kept(seeded: Session) -> None:
    """A phone lost behind a radiator still holds true visits."""
    now = NINE + timedelta(days=9)
    take(seeded, claim(), now=now)
    event = stored(seeded)[0]
    assert (event.at, event.received_at, event.grade_time) == (NINE, now, Grade.D)
    assert ("c1", date(2026, 11, 2)) in ingest_state.take_reconcile(seeded, limit=10)


def test_row_28_an_unassigned_worker_and_a_cancelled_or_unknown_visit_are_recorded(seeded: Session) -> None:
    """Somebody was there: that fact must not depend on the rota's being right."""
    cancelled = Cancellation(at=NINE, by=CancelledBy.CUSTOMER, reason="away")
    plans.add_planned_visits(seeded, visits=[factories.planned_visit("v1", cancelled=cancelled)])
    take(seeded, claim(worker="w2", visit="v1"), claim(visit="nowhere"), claim(worker="stranger"))
    assigned, unknown, stranger = stored(seeded)
    assert (assigned.worker, assigned.customer, assigned.visit) == ("w2", "c1", "v1")
    assert (unknown.customer, unknown.visit) == ("c1", None)
    assert (stranger.worker, stranger.customer) == (None, "c1")


@pytest.mark.parametrize(
    ("position", "grade"),
    [
        (fix(20), Grade.B),
        (fix(400), Grade.C),
        (replace(fix(), latitude=0.0, longitude=0.0), Grade.C),
        (fix(accuracy_m=-1), Grade.C),
        (fix(accuracy_m=1e6), Grade.C),
        (replace(fix(), latitude=float("nan")), Grade.C),
        (fix(mock=True), Grade.D),
    ],
)
def test_row_29_a_doubtful_fix_is_kept_and_graded_down(seeded: Session, position: Any, grade: Grade) -> None:
    """Outside the radius never blocks the worker, and never pays by itself."""
    if position.latitude != position.latitude:  # a NaN cannot come through the decoder; the grade is asked all the same
        position = replace(position, latitude=89.9)
    take(seeded, claim(method=Method.GPS, tag=None, customer="c1", position=position))
    assert stored(seeded)[0].grade_place is grade


def test_row_30_a_fix_repeated_to_the_last_digit_is_flagged(seeded: Session) -> None:
    """No phone finds the same seven decimals twice: somebody plays a recording."""
    spot = replace(fix(), latitude=53.4501234, longitude=-2.2201234)
    gps = {"method": Method.GPS, "tag": None, "customer": "c1", "position": spot}
    take(seeded, claim(**gps))
    take(seeded, claim(EventKind.CHECK_OUT, **gps), claim(**(gps | {"worker": "w2"})))
    first, second, other_worker = stored(seeded)
    assert "replayed fix" not in first.flags
    assert "replayed fix" in second.flags
    assert "replayed fix" not in other_worker.flags


def test_another_homes_tag_contradicts_the_visit_that_was_named(seeded: Session) -> None:
    """A tag carried along in a pocket must not prove presence at the visit it is used for."""
    plans.add_planned_visits(seeded, visits=[factories.planned_visit("v1")])
    take(seeded, claim(visit="v1", tag="tag-c2"))
    event = stored(seeded)[0]
    assert (event.customer, event.visit, event.grade_place) == ("c1", "v1", Grade.D)


def test_another_providers_people_and_visits_resolve_to_nobody(seeded: Session) -> None:
    """A device must not be able to write into another provider's customer's day."""
    take(seeded, claim(provider="rival", tag="tag-c1", worker="w1"), claim(provider="rival", tag=None, customer="c1"))
    for event in stored(seeded):
        assert (event.worker, event.customer) == (None, None)


def test_a_landline_call_finds_its_worker_and_the_one_of_the_couple(session: Session) -> None:
    """A couple shares one line: the call belongs to the code that was typed, else to the visit planned then."""
    line = "+441614960003"
    factories.seed(
        session,
        customers=[
            factories.customer("c1", landlines=(line,), landline_code="1"),
            factories.customer("c2", landlines=(line,), landline_code="2"),
            factories.customer("c3", landlines=("+441614960004",)),
        ],
        workers=[factories.worker(dialled_number="+441614961000", pin="0042")],
    )
    plans.add_planned_visits(
        session,
        visits=[
            factories.planned_visit("v1", customer="c1", start=NINE - timedelta(hours=3)),
            factories.planned_visit("v2", customer="c2", start=NINE),
        ],
    )
    call = {
        "method": Method.LANDLINE,
        "tag": None,
        "worker": None,
        "server_timed": True,
        "device": "landline",
        "device_type": "telephony",
    }
    take(
        session,
        claim(line=line, worker_number="+441614961000", **call),
        claim(line=line, worker_pin="0042", customer_code="1", **call),
        claim(line="+441614960004", worker_pin="9999", **call),
        claim(line="+449999", worker_pin="0042", **call),
    )
    seen = [(e.worker, e.customer, e.grade_time, e.grade_place) for e in stored(session)]
    assert seen == [
        ("w1", "c2", Grade.A, Grade.B),
        ("w1", "c1", Grade.A, Grade.B),
        (None, "c3", Grade.A, Grade.B),
        ("w1", None, Grade.A, Grade.C),
    ]


def test_a_challenge_counts_only_for_the_device_it_was_given_to(seeded: Session) -> None:
    """A challenge copied to another phone would let it grade an invented time A."""
    receive.issue_challenge(seeded, provider=PROVIDER, device="p1", now=NINE, challenge="abc")
    marks = {
        "challenge": "abc",
        "challenge_monotonic_ms": 1000,
        "challenge_boot_id": "b",
        "boot_id": "b",
        "monotonic_ms": 1000 + 3600 * 1000,
        "at": NINE + timedelta(hours=1),
    }
    take(seeded, claim(**marks), claim(device="p2", **marks), now=NINE + timedelta(hours=6))
    assert [e.grade_time for e in stored(seeded)] == [Grade.A, Grade.D]


def test_a_phone_whose_clock_stood_right_before_and_after_grades_b(seeded: Session) -> None:
    """A browser that was killed offline has lost its boot: its steady clock is what remains."""
    receive.issue_challenge(seeded, provider=PROVIDER, device="p1", now=NINE, challenge="abc")
    take(seeded, claim(EventKind.HEARTBEAT, at=NINE))
    back = NINE + timedelta(hours=6)
    take(
        seeded,
        claim(at=NINE + timedelta(hours=1), challenge="abc", boot_id="later"),
        claim(EventKind.HEARTBEAT, at=back),
        now=back + timedelta(seconds=1),
    )
    assert stored(seeded)[1].grade_time is Grade.B


def test_what_is_refused_is_kept_whole_and_does_not_stop_the_rest(seeded: Session) -> None:
    """Fault 28: a poisonous first message must not block the queue behind it."""
    refused = Refused(
        topic="popback/v1/kindly/p1/event",
        message=b"\xff",
        provider=PROVIDER,
        device="p1",
        event_id=None,
        reason="ENCODING",
        words="not UTF-8",
        security=True,
    )
    item = Incoming(claim=claim(), payload=b"{}", channel="mqtt")
    first, second = receive.receive(seeded, items=[refused, item], now=NINE, policies=POLICY)
    assert (first.refusal, first.stored_index) == ("ENCODING", None)
    assert second.stored_index == 1
    kept = ingest_state.quarantined(seeded)[0]
    assert (kept.message, kept.reason, kept.security, kept.provider) == (b"\xff", "ENCODING", True, PROVIDER)


def test_assistance_and_no_reply_alert_at_once_and_only_once(seeded: Session) -> None:
    """A worker in trouble waits for no deadline, and a message delivered twice must not page twice."""
    help_, nobody = claim(EventKind.ASSISTANCE), claim(EventKind.NO_REPLY)
    take(seeded, help_, nobody)
    take(seeded, help_, nobody)
    raised = alerts.alert_list(seeded)
    assert [(a.kind, a.customer, a.worker, a.state) for a in raised] == [
        ("assistance", "c1", "w1", "open"),
        ("no reply", "c1", "w1", "open"),
    ]
    assert [row.body["alert_id"] for row in outbox.take(seeded, channel="notify", limit=9)] == [
        a.alert_id for a in raised
    ]


def test_a_refused_time_critical_medicine_is_an_alert_now_and_other_tasks_are_not(seeded: Session) -> None:
    """A missed tablet can not wait for a report; an unwashed cup can."""
    tasks = (
        Task(code="tablets", words="Morning tablets", outcome=Outcome.HEALTH, time_critical=True),
        Task(code="dishes", words="Wash up", outcome=Outcome.DIGNITY),
    )
    pattern = VisitPattern(
        slot_name="breakfast", weekdays=frozenset(range(7)), start=NINE.time(), minutes=30, tasks=tasks
    )
    plan = TaskPlan(customer_id="c1", version=1, effective_from=date(2026, 1, 1), patterns=(pattern,))
    plans.add_task_plans(seeded, plans=[plan])
    outcomes = (
        TaskOutcome(code="tablets", done=False, reason="refused"),
        TaskOutcome(code="dishes", done=False, reason="refused"),
    )
    take(seeded, claim(EventKind.TASK_OUTCOME, tasks=outcomes))
    assert [(a.kind, "tablets" in a.words) for a in alerts.alert_list(seeded)] == [("refused medicine", True)]


def test_fault_29_a_flood_of_shuffled_duplicates_gives_one_row_each(sessions: sessionmaker[Session]) -> None:
    """Order and repetition are the network's business, never the log's."""
    with sessions.begin() as session:
        factories.seed(session)
    claims = [claim(sequence=n + 1, at=NINE + timedelta(seconds=n)) for n in range(60)]
    flood = claims * 5
    random.Random(4).shuffle(flood)
    answers: list[Answer] = []
    for start in range(0, len(flood), 37):
        with sessions.begin() as session:
            answers += take(session, *flood[start : start + 37], now=NINE + timedelta(minutes=2))
    with sessions() as session:
        rows = evidence.events(session)
        assert len(rows) == len(claims)
        index_of = {row.evidence.event_id: row.index for row in rows}
        assert all(a.stored_index == index_of[a.event_id] for a in answers)
        assert sum(not a.duplicate for a in answers) == len(claims)
        assert receive.resend_from(session, provider=PROVIDER, device="p1") is None


def test_fault_10_a_batch_that_fails_leaves_nothing_behind(sessions: sessionmaker[Session]) -> None:
    """A half-stored batch would be receipted in part by the retry, or not at all."""
    with sessions.begin() as session:
        factories.seed(session)

    def fail(session: Session) -> None:
        with session.begin():
            take(session, claim(), claim(EventKind.ASSISTANCE))
            raise RuntimeError

    with sessions() as session, pytest.raises(RuntimeError):
        fail(session)
    with sessions() as session:
        assert session.execute(select(func.count()).select_from(log_table)).scalar() == 0
        assert alerts.alert_list(session) == ()
        assert not ingest_state.reconcile_backlog(session)


def test_the_number_of_queries_does_not_grow_with_the_batch(seeded: Session) -> None:
    """A query for each event would hold ingest to a few hundred events a second."""

    def count(claims: Sequence[Claim]) -> int:
        seen: list[str] = []
        connection = seeded.connection()

        def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            seen.append(statement)

        sql_event.listen(connection, "before_cursor_execute", note)
        take(seeded, *claims)
        sql_event.remove(connection, "before_cursor_execute", note)
        return len(seen)

    count([claim(sequence=1)])
    few = count([claim(sequence=n) for n in range(2, 5)])
    many = count([claim(sequence=n) for n in range(5, 205)])
    assert many <= few + 1


@pytest.mark.database("sqlite")  # about its one write lock
def test_fault_10_a_locked_database_answers_nothing_and_the_retry_stores_once(database_url: str) -> None:
    """An answer given while another holds the lock would be a receipt for what is not stored."""
    engine = open_engine(url=database_url, busy_timeout_ms=50)
    sessions = session_factory(engine)
    with sessions.begin() as session:
        factories.seed(session)
    said = claim(sequence=1)
    with sessions() as holder:
        holder.execute(select(func.count()).select_from(log_table))
        with sessions() as session, pytest.raises(OperationalError, match="locked"):
            take(session, said)
    for _ in range(2):
        with sessions.begin() as session:
            assert take(session, said)[0].stored_index == 1
    engine.dispose()


def refused(sequence: int | None, *, device: str = "p1", security: bool = False) -> Refused:
    message = b"{%d}" % (sequence or 0)
    return Refused(
        topic=f"popback/v1/{PROVIDER}/{device}/event",
        message=message,
        provider=PROVIDER,
        device=device,
        event_id=None,
        reason="FIELD",
        words="captured_at: missing",
        security=security,
        sequence=sequence,
    )


def test_what_is_refused_for_good_leaves_no_gap_that_never_closes(seeded: Session) -> None:
    """The phone will never send it again: asking for it, receipt after receipt, would cost its battery for ever."""

    def gap() -> int | None:
        return receive.resend_from(seeded, provider=PROVIDER, device="p1")

    def refuse(*items: Refused) -> None:
        receive.receive(seeded, items=items, now=NINE, policies=POLICY)

    refuse(refused(1))
    take(seeded, claim(sequence=2))
    assert gap() is None
    refuse(refused(4), refused(6))  # 3 and 5 are still on their way
    take(seeded, claim(sequence=7))
    assert gap() == 3
    take(seeded, claim(sequence=5))
    assert gap() == 3
    take(seeded, claim(sequence=3))
    assert gap() is None
    refuse(refused(9, device="p2"), refused(None))
    take(seeded, claim(sequence=10))
    assert gap() == 8
    take(seeded, claim(sequence=8))
    assert gap() == 9  # another device's refusal is not this one's
    assert [row.sequence for row in ingest_state.quarantined(seeded)] == [None, 9, 6, 4, 1]


def test_a_second_worker_on_ones_own_device_is_flagged_and_on_a_shared_one_not(session: Session) -> None:
    """A phone handed round checks in workers who are not there; a landline or an office's tablet is meant for many."""
    devices = [factories.device(), factories.device("tablet", worker=None)]
    factories.seed(session, workers=[factories.worker(), factories.worker("w2")], devices=devices)
    next_day = timedelta(days=1)
    for device in ("p1", "tablet"):
        take(session, claim(device=device), claim(device=device, worker="w2"))
        take(session, claim(device=device, worker="w2", at=NINE + timedelta(minutes=5)))
        take(session, claim(device=device, worker="w2", at=NINE + next_day), now=NINE + next_day)
    found = [("many workers on one device" in event.flags, event.device) for event in stored(session)]
    assert found == [(False, "p1"), (True, "p1"), (True, "p1"), (False, "p1"), *[(False, "tablet")] * 4]
