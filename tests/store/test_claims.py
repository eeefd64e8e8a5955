"""Two processes at once on PostgreSQL: what one has in hand the other leaves alone, and the same thing asked for twice is done once. On
SQLite the second waits for the first. Not the processes themselves (tests of simulations.chaos)."""

import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from evm.domain.alerts.deadline import deadlines as deadlines_of
from evm.domain.ids import CustomerId
from evm.domain.policy import Policy
from evm.domain.popback import PopbackState
from evm.services import invoice, popback, receive
from evm.services.receive import Incoming
from evm.store import deadlines, evidence, ingest_state, outbox, plans, rosters
from evm.store.ingest_state import Watermark
from evm.store.outbox import OutboxRow
from evm.store.tables.money import line_verdicts
from tests import factories, planning
from tests.factories import NINE, PROVIDER, claim, planned_visit
from tests.services import invoicing

POLICY = Policy()
ASKED = planning.instant(9, day=planning.MONDAY - timedelta(days=3))
postgresql_only = pytest.mark.database("postgresql")


def together(sessions: sessionmaker[Session], *works: Callable[[Session], Any]) -> list[Any]:
    """Each work in a transaction of its own, begun at the same moment; their answers in order. An error in one is raised here."""
    start = threading.Barrier(len(works))
    answers: list[Any] = [None] * len(works)

    def run(at: int, work: Callable[[Session], Any]) -> None:
        start.wait(20)
        try:
            with sessions.begin() as session:
                answers[at] = work(session)
        except Exception as error:  # noqa: BLE001 -- raised again in the test's own thread
            answers[at] = error

    threads = [threading.Thread(target=run, args=each) for each in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers


def _outbox(session: Session) -> None:
    outbox.add(
        session,
        rows=[OutboxRow(channel="notify", key=f"k{n}", address="a", body={}, created_at=NINE) for n in range(10)],
    )


def _deadlines(session: Session) -> None:
    planned = [planned_visit(f"v{n}", start=NINE + timedelta(hours=n)) for n in range(5)]
    plans.add_planned_visits(session, visits=planned)
    deadlines.add_deadlines(session, deadlines=deadlines_of(planned))


def _queue(session: Session) -> None:
    days = [("c1", NINE.date() + timedelta(days=n)) for n in range(10)]
    ingest_state.queue_reconcile(session, pairs=days, now=NINE)


LATER = NINE + timedelta(days=2)
TAKEN: dict[str, tuple[Callable[[Session], None], Callable[[Session, int], Any]]] = {
    "outbox": (_outbox, lambda s, n: {row.key for row in outbox.take(s, channel="notify", limit=n)}),
    "deadlines": (_deadlines, lambda s, n: {row.deadline_id for row in deadlines.due(s, now=LATER, limit=n)}),
    "reconcile queue": (_queue, lambda s, n: set(ingest_state.take_reconcile(s, limit=n))),
}


@postgresql_only
@pytest.mark.parametrize("name", TAKEN)
def test_rows_one_has_taken_are_skipped_by_another_and_free_again_when_it_dies(
    sessions: sessionmaker[Session], name: str
) -> None:
    """Without SKIP LOCKED the second would wait for the first, or do the same work again; without the rollback a crash would lose it."""
    seed, take = TAKEN[name]
    with sessions.begin() as session:
        factories.seed(session)
        seed(session)
    with sessions() as first, sessions() as second:
        mine = take(first, 4)
        theirs = take(second, 100)
        assert len(mine) == 4
        assert theirs
        assert not mine & theirs
        first.rollback()
        assert take(second, 100) >= mine


def test_the_same_event_by_two_servers_at_the_same_instant_is_stored_once_with_one_receipt(
    sessions: sessionmaker[Session],
) -> None:
    """QoS 1 delivers twice, and a shared subscription may give the copies to two servers: one would fail, or both would store it."""
    with sessions.begin() as session:
        factories.seed(session)
    items = [Incoming(claim=claim(sequence=n + 1), payload=b"{}", channel="mqtt") for n in range(20)]

    def take(order: int) -> Callable[[Session], list[int | None]]:
        def work(session: Session) -> list[int | None]:
            said = receive.receive(session, items=items[::order], now=LATER, policies=POLICY)
            return [answer.stored_index for answer in said][::order]

        return work

    first, *others = together(sessions, take(1), take(-1), take(1), take(-1))
    assert all(other == first for other in others)
    with sessions() as session:
        assert sorted(row.index for row in evidence.events(session)) == sorted(first)
        key = (PROVIDER, items[0].claim.device)
        assert ingest_state.progress(session, devices=[key])[key].contiguous_sequence == 20


def test_two_servers_that_hear_one_device_forget_none_of_its_numbers(sessions: sessionmaker[Session]) -> None:
    """Progress read by two and written by two would fall back, and the phone be asked for what is stored, for ever."""
    with sessions.begin() as session:
        factories.seed(session)
    works = [
        lambda session, n=n: receive.receive(
            session,
            items=[Incoming(claim=claim(sequence=n), payload=b"{}", channel="mqtt")],
            now=LATER,
            policies=POLICY,
        )
        for n in range(1, 9)
    ]
    together(sessions, *works)
    with sessions() as session:
        (progress,) = ingest_state.progress(session, devices=[(PROVIDER, claim().device)]).values()
        assert (progress.contiguous_sequence, progress.highest_sequence) == (8, 8)


def test_a_watermark_raised_by_two_keeps_the_newer(sessions: sessionmaker[Session]) -> None:
    """A watermark that went back would say that evidence is late which has come."""
    with sessions.begin() as session:
        factories.seed(session)

    def raising(minutes: int) -> Callable[[Session], None]:
        at = NINE + timedelta(minutes=minutes)
        mark = Watermark(provider=PROVIDER, channel="mqtt", newest_at=at, received_at=at)
        return lambda session: ingest_state.raise_watermarks(session, marks=[mark])

    with sessions.begin() as session:
        raising(0)(session)
    together(sessions, *(raising(n) for n in (5, 9, 1, 7, 3)))
    with sessions() as session:
        (mark,) = ingest_state.watermarks(session)
    assert mark.newest_at == NINE + timedelta(minutes=9)


def test_the_same_invoice_handed_in_twice_at_once_is_taken_in_once(sessions: sessionmaker[Session]) -> None:
    """A button pressed twice would end in an error page for one of the two."""
    with sessions.begin() as session:
        invoicing.seed(session)
    sent = invoicing.claim()
    ids = together(sessions, *[lambda session: invoice.submit(session, invoice=sent, now=invoicing.NOW)] * 4)
    assert len(set(ids)) == 1


def test_an_invoice_judged_twice_at_once_gets_each_verdict_once(sessions: sessionmaker[Session]) -> None:
    """Two next versions of one verdict: one judge would fail, and the page with it."""
    with sessions.begin() as session:
        invoicing.seed(session)
        one = invoice.submit(session, invoice=invoicing.claim(), now=invoicing.NOW)
    judge = partial(invoice.judge, invoice_id=one, now=invoicing.NOW, policy=POLICY)
    first, *others = together(sessions, judge, judge, judge)
    assert all(other == first for other in others)
    with sessions() as session:
        assert {len(versions) for versions in _versions(session, one).values()} == {1}


def _versions(session: Session, invoice_id: str) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for row in session.execute(select(line_verdicts).where(line_verdicts.c.invoice_id == invoice_id)):
        found.setdefault(row.line_no, []).append(row.version)
    return found


def test_two_pop_backs_asked_for_at_once_are_both_answered_and_both_promises_stand(
    sessions: sessionmaker[Session],
) -> None:
    """Both would be placed in the same roster as it was before, and the second to be stored would lose the first its place."""
    with sessions.begin() as session:
        planning.settle(session)

    def asking(customer: str, hour: int) -> Callable[[Session], popback.PopbackAnswer]:
        return lambda session: popback.ask(
            session,
            customer_id=CustomerId(customer),
            asked_at=ASKED,
            asked_by="office",
            wanted_at=planning.instant(hour),
            minutes=20,
            now=ASKED,
            policy=POLICY,
        )

    answers = together(sessions, asking("c1", 11), asking("c2", 15), asking("c1", 11), asking("c2", 15))
    assert {answer.state for answer in answers} == {PopbackState.PROMISED}
    assert answers[0].visit_id == answers[2].visit_id
    with sessions() as session:
        newest = rosters.draft(
            session, locality_id=planning.LOCALITY, provider_id=planning.PROVIDER, day=planning.MONDAY
        )
        assert newest is not None
        placed = {stop["visit"] for run in newest.body["runs"] for stop in run["stops"]}
        assert placed == {answers[0].visit_id, answers[1].visit_id}
