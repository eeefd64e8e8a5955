"""Both kinds of call cramming are found in stored days and kept as flags, once; compliance reads the same days."""

from datetime import date, timedelta

from sqlalchemy.orm import Session

from evm.domain.evidence import EventKind
from evm.domain.policy import Policy
from evm.services import compliance, cramming, history, reconcile
from evm.store import plans, visits
from tests import factories
from tests.factories import NINE, PROVIDER, home, planned_visit

MONDAY = date(2026, 11, 2)
POLICY = Policy()


def _bring(session: Session, *, crammers: tuple[str, ...], workers: tuple[str, ...], days: int) -> None:
    """Each worker has four visits a day with gaps that can be worked; a crammer leaves 15 minutes early and starts the next early."""
    planned, said = [], []
    for day in range(days):
        for w, worker in enumerate(workers):
            gained = 0
            for n in range(4):
                start = NINE + timedelta(days=day, minutes=45 * n)
                customer = f"c{w * 4 + n}"
                planned.append(planned_visit(f"v{day}-{w}-{n}", customer=customer, start=start, rostered=(worker,)))
                begin = start - timedelta(minutes=gained)
                stay = 15 if worker in crammers else 29
                gained = gained + 18 if worker in crammers else 0
                for kind, at in ((EventKind.CHECK_IN, begin), (EventKind.CHECK_OUT, begin + timedelta(minutes=stay))):
                    said.append(factories.evidence(kind, at=at, worker=worker, customer=customer))
    plans.add_planned_visits(session, visits=planned)
    now = NINE + timedelta(days=days)
    history.import_evidence(session, rows=said, payloads=[b"{}"] * len(said), now=now)
    _reconcile(session, days)


def _reconcile(session: Session, days: int) -> None:
    reconcile.reconcile_days(
        session,
        provider_id=PROVIDER,
        since_day=MONDAY,
        until_day=MONDAY + timedelta(days=days),
        now=NINE + timedelta(days=days),
        policy=POLICY,
    )


def _seed(session: Session, workers: tuple[str, ...]) -> None:
    factories.seed(
        session,
        customers=[factories.customer(f"c{n}", home=home(700 * (n % 4))) for n in range(4 * len(workers))],
        workers=[factories.worker(name) for name in workers],
    )


def _find(session: Session, days: int) -> cramming.Crammed:
    return cramming.find(
        session,
        provider_id=PROVIDER,
        since_day=MONDAY,
        until_day=MONDAY + timedelta(days=days),
        now=NINE + timedelta(days=days),
        policy=POLICY,
    )


def test_a_worker_who_takes_time_off_visits_to_start_the_next_early_is_flagged_and_nobody_else(
    session: Session,
) -> None:
    """An honest worker accused is worse than a crammer missed; finding twice must not accuse twice."""
    workers = ("w1", "w2", "w3", "w4")
    _seed(session, workers)
    _bring(session, crammers=("w2",), workers=workers, days=28)
    _find(session, 28)
    _find(session, 28)
    flags = visits.worker_flag_list(session, provider_id=PROVIDER)
    assert [(f.code, f.worker, f.care_day) for f in flags] == [("call cramming by the worker", "w2", None)]
    assert flags[0].body["sentences"]
    assert visits.reply_to_flag(session, flag_id=flags[0].flag_id, reply="The customers asked me to go.")
    assert visits.worker_flag_list(session, worker_id="w2")[0].reply == "The customers asked me to go."


def test_a_day_that_cannot_be_worked_is_flagged_by_day(session: Session) -> None:
    """Cramming built into the roster is the planner's wrong, and must not be laid on the worker's month."""
    _seed(session, ("w1",))
    plans.add_planned_visits(
        session,
        visits=[planned_visit(f"v{n}", customer=f"c{n}", start=NINE + timedelta(minutes=10 * n)) for n in range(3)],
    )
    found = _find(session, 7)
    flags = visits.worker_flag_list(session, code="call cramming built into the roster")
    assert [(f.worker, f.care_day) for f in flags] == [("w1", MONDAY)]
    assert [day.day for day in found.days] == [MONDAY]


def test_compliance_counts_electronic_stays_of_delivered_visits(session: Session) -> None:
    """A provider that forgets check-outs must see its share fall, by worker."""
    _seed(session, ("w1",))
    plans.add_planned_visits(
        session,
        visits=[
            planned_visit("v0", customer="c0"),
            planned_visit("v1", customer="c1", start=NINE + timedelta(hours=2)),
        ],
    )
    said = [
        factories.evidence(EventKind.CHECK_IN, at=NINE, customer="c0"),
        factories.evidence(EventKind.CHECK_OUT, at=NINE + timedelta(minutes=30), customer="c0"),
        factories.evidence(EventKind.CHECK_IN, at=NINE + timedelta(hours=2), customer="c1"),
    ]
    history.import_evidence(session, rows=said, payloads=[b"{}"] * 3, now=NINE + timedelta(days=1))
    _reconcile(session, 1)
    found = compliance.report(session, provider_id=PROVIDER, since_day=MONDAY, until_day=MONDAY + timedelta(days=1))
    assert [(w, s.delivered, s.electronic) for _, w, s in found.workers] == [("w1", 2, 1)]
