"""The standing jobs, each in transactions of its own: what is done stands, what is not is done by the next."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from api.jobs import watching, working
from api.parts import Parts
from api.pulse import Job, Pulse
from evm.domain.alerts.deadline import deadlines as deadlines_of
from evm.domain.policy import Policy
from evm.services import receive, watch
from evm.services.receive import Incoming
from evm.store import alerts, deadlines, ingest_state, plans
from tests import factories
from tests.factories import NINE, claim, planned_visit

LATER = NINE + timedelta(hours=3)


@pytest.fixture
def parts(engine: Engine, sessions: sessionmaker[Session], tmp_path: Path) -> Parts:
    with sessions.begin() as session:
        factories.seed(session, customers=[factories.customer(f"c{n}") for n in range(1, 5)])
    return Parts(
        url="",
        engine=engine,
        sessions=sessions,
        secrets=tmp_path,
        clock=lambda: LATER,
        policy=Policy(),
        challenges=lambda: "c",
    )


def publish(parts: Parts, count: int) -> None:
    planned = [planned_visit(f"v{n}", customer=f"c{n}") for n in range(1, count + 1)]
    with parts.sessions.begin() as session:
        plans.add_planned_visits(session, visits=planned)
        deadlines.add_deadlines(session, deadlines=deadlines_of(planned))


def job(jobs: tuple[Job, ...], name: str) -> Callable[[], Iterator[Any]]:
    return cast("Callable[[], Iterator[Any]]", next(each.run for each in jobs if each.name == name))


def raised(parts: Parts) -> int:
    with parts.sessions() as session:
        return len(alerts.alert_list(session))


def test_a_long_backlog_is_judged_a_round_a_transaction(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken when a crash at the end of an eight-hour backlog throws all of it away, or one frozen watcher holds it whole."""
    monkeypatch.setattr(watch, "DEADLINES_A_ROUND", 2)
    publish(parts, 4)
    sweep = job(watching(parts), "sweep")()
    next(sweep)
    first = raised(parts)
    assert 0 < first < 8
    sweep.close()  # the process dies here
    Pulse(jobs=watching(parts)).beat()
    assert raised(parts) == 8
    with parts.sessions() as session:
        assert deadlines.overdue_count(session, now=LATER) == 0


def test_a_round_that_can_judge_nothing_goes_on_to_the_next(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken when deadlines that another process has in hand keep the watch going round them for ever, or from all that come after."""
    monkeypatch.setattr(watch, "DEADLINES_A_ROUND", 2)
    publish(parts, 3)
    held = watch._held
    monkeypatch.setattr(
        watch,
        "_held",
        lambda session, due, planned: tuple(d for d in held(session, due, planned) if d.visit_id != "v1"),
    )
    Pulse(jobs=watching(parts)).beat()
    with parts.sessions() as session:
        assert {alert.visit for alert in alerts.alert_list(session)} == {"v2", "v3"}
        assert {d.visit_id for d in deadlines.open_deadlines_of(session, visit_ids=["v1", "v2", "v3"])} == {"v1"}


def test_the_queue_is_worked_off_in_small_transactions(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken when a morning's queue is one transaction: it would hold its customers from the watch until the end."""
    monkeypatch.setattr("api.jobs.RECONCILED_AT_ONCE_MAX", 1)
    with parts.sessions.begin() as session:
        for n in range(1, 4):
            said = claim(tag=f"tag-c{n}", worker=None)
            receive.receive(
                session, items=[Incoming(claim=said, payload=b"{}", channel="mqtt")], now=NINE, policies=Policy()
            )
    assert len(list(job(working(parts), "reconcile")())) == 3
    with parts.sessions() as session:
        assert not ingest_state.reconcile_backlog(session)


def test_every_standing_job_runs_on_an_empty_site(parts: Parts) -> None:
    """Broken when a job fails before there is anything to do: its failure would be logged every second of a site's first day."""
    pulse = Pulse(jobs=(*watching(parts), *working(parts)))
    pulse.beat()
    pulse.beat()
    assert pulse.failures == 0


def test_a_visit_that_another_process_was_still_writing_is_looked_at_again(parts: Parts) -> None:
    """Broken when an invoice judged while a visit was being reconciled never hears of it: money that is due stays withheld for good."""
    seen: dict[str, datetime] = {}
    from evm.services import invoice
    from evm.store import money

    def note(_session: Session, *, invoice_id: str, now: datetime) -> None:
        seen[invoice_id] = now

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(money, "invoices_behind", lambda _session, *, limit: ("i1",))
        patch.setattr(money, "customers_behind", lambda _session, *, invoice_id: frozenset())
        patch.setattr(invoice, "_judge_one", lambda *_, **__: None)
        patch.setattr(money, "set_judged", note)
        job(working(parts), "release")()
    assert seen["i1"] <= LATER - timedelta(seconds=30)
