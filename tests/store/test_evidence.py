"""The evidence log and the rows ingest keeps beside it."""

from datetime import date, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from evm.domain.evidence import Amendment, EventKind, TaskOutcome
from evm.store import evidence, ingest_state
from evm.store.evidence import NewRow
from evm.store.ingest_state import Progress, Watermark
from tests import factories
from tests.factories import NINE, PROVIDER


def test_evidence_comes_back_as_it_went_in(session: Session) -> None:
    """A lost position, task or amendment would change what a visit is worth."""
    plain = factories.evidence(at=NINE, flags=("late",), waits=True, visit="v1")
    rich = factories.evidence(
        EventKind.AMENDMENT,
        at=NINE + timedelta(minutes=5),
        position=factories.fix(20, mock=True),
        tasks=(TaskOutcome(code="wash", done=False, reason="asleep"),),
        words="she was asleep",
        amendment=Amendment(
            visit="v1",
            worker="w1",
            check_in_at=NINE,
            check_out_at=None,
            reason_code="forgot",
            memo="phone flat",
            attested_by="w1",
        ),
    )
    rows = [
        NewRow(evidence=e, payload=b"x", device_type="popback_v1", extra=(("boot_id", "b"),)) for e in (rich, plain)
    ]
    assert evidence.append(session, rows=rows) == (1, 2)
    found = evidence.evidence_for(session, since=NINE, until=NINE + timedelta(minutes=6), customer_ids=["c1"])
    assert found == (plain, rich)
    stored = evidence.evidence_of_event(session, event_id=plain.event_id)[0]
    assert (stored.index, stored.payload, stored.body) == (2, b"x", {"boot_id": "b"})


def test_evidence_is_found_by_customer_or_by_worker_and_only_in_the_period(session: Session) -> None:
    """Reconciling a customer's day needs what the same workers did elsewhere, and no other day's events."""
    here, elsewhere, other, tomorrow = (
        factories.evidence(),
        factories.evidence(at=NINE + timedelta(hours=1), customer="c2"),
        factories.evidence(worker="w2", customer="c3"),
        factories.evidence(at=NINE + timedelta(days=1)),
    )
    evidence.append_many(
        session,
        rows=[NewRow(evidence=e, payload=b"", device_type="popback_v1") for e in (here, elsewhere, other, tomorrow)],
    )
    until = NINE + timedelta(days=1)
    both = evidence.evidence_for(session, since=NINE, until=until, customer_ids=["c1"], worker_ids=["w1"])
    assert both == (here, elsewhere)
    assert evidence.evidence_for(session, since=NINE, until=until) == (here, other, elsewhere)
    assert evidence.evidence_for(session, since=NINE, until=until, customer_ids=[]) == ()


@pytest.mark.database("sqlite")  # reads its query plan
def test_lookups_by_event_and_by_fix_use_an_index(session: Session) -> None:
    """A scan of the whole log for each batch would stall ingest as the log grows."""
    plans = [
        "select e.log_index from evidence e join evidence_keys k on k.log_index = e.log_index where k.event_id in ('a', 'b')",
        "select verdict from evidence where log_index in (select log_index from evidence_keys where event_id = 'a')",
        "select worker_id from evidence where worker_id in ('a','b') and latitude in (1.5, 2.5)",
        "select sequence from evidence where provider_id='a' and device_id='b' and sequence > 7",
    ]
    for query in plans:
        steps = " ".join(str(r[-1]) for r in session.execute(text(f"explain query plan {query}")))
        assert "USING" in steps or "SEARCH" in steps
        assert "SCAN e" not in steps


def test_progress_watermarks_and_queue(session: Session) -> None:
    """Progress and watermarks are updated in place; a watermark never goes back; the queue gives each pair once."""
    key = (PROVIDER, "p1")
    first = Progress(contiguous_sequence=1, highest_sequence=3, last_received_at=NINE)
    ingest_state.set_progress(session, progress={key: first}, known=())
    assert ingest_state.progress(session, devices=[key, (PROVIDER, "p2")]) == {key: first}
    second = Progress(contiguous_sequence=3, highest_sequence=3, last_received_at=NINE, offset_seconds=-1.5)
    ingest_state.set_progress(session, progress={key: second}, known=[key])
    assert ingest_state.progress(session, devices=[key]) == {key: second}

    mark = Watermark(provider=PROVIDER, channel="mqtt", newest_at=NINE, received_at=NINE)
    earlier = Watermark(
        provider=PROVIDER, channel="mqtt", newest_at=NINE - timedelta(hours=1), received_at=NINE + timedelta(minutes=1)
    )
    ingest_state.raise_watermarks(session, marks=[mark])
    ingest_state.raise_watermarks(session, marks=[earlier])
    assert [(m.newest_at, m.received_at) for m in ingest_state.watermarks(session)] == [
        (NINE, NINE + timedelta(minutes=1))
    ]

    day = date(2026, 11, 2)
    ingest_state.queue_reconcile(session, pairs=[("c1", day), ("c2", day)], now=NINE)
    ingest_state.queue_reconcile(session, pairs=[("c1", day)], now=NINE)
    assert ingest_state.take_reconcile(session, limit=10, customer_ids=["c1"]) == {("c1", day)}
    assert ingest_state.take_reconcile(session, limit=10) == {("c2", day)}
    assert not ingest_state.reconcile_backlog(session)
