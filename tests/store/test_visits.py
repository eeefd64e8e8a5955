"""Versions of visits and flags about workers in the database."""

from datetime import date, timedelta

from sqlalchemy.orm import Session

from evm.domain.evidence import Grade
from evm.domain.finding import Finding, FindingCode
from evm.domain.visit import Attendance, SlotRecord, Visit, VisitOutcome
from evm.store import visits
from evm.store.visit_bodies import body_of, visit_of
from evm.store.visits import WorkerFlag
from tests.factories import NINE, PROVIDER

MONDAY = date(2026, 11, 2)


def visit(**changes: object) -> Visit:
    finding = Finding(code=FindingCode.LATE, words="20 minutes late.", slot=0, evidence=("a",))
    attendance = Attendance(
        attendance_id="a",
        worker="w1",
        customer="c1",
        start=NINE,
        end=NINE + timedelta(minutes=30, seconds=59),
        check_in="a",
        check_out="b",
        visit="v1",
        grade_time=Grade.A,
        grade_place=Grade.B,
        end_max=NINE + timedelta(hours=1),
        payable_seconds=1859,
        findings=(finding,),
    )
    values: dict[str, object] = {
        "visit_id": "v1",
        "customer": "c1",
        "provider": PROVIDER,
        "care_day": "2026-11-02",
        "planned_start": NINE,
        "planned_minutes": 30,
        "outcome": VisitOutcome.DELIVERED,
        "slots": (
            SlotRecord(slot=0, rostered="w1", attendance=attendance),
            SlotRecord(slot=1, rostered=None, attendance=None),
        ),
        "findings": (finding,),
    }
    return Visit(**(values | changes))


def newest(session: Session, **conditions: object) -> tuple[Visit, ...]:
    return visits.newest(session, since_day=MONDAY, until_day=MONDAY + timedelta(days=1), **conditions)


def test_a_visit_comes_back_as_it_went_in() -> None:
    """A field lost on the way would be lost to every page, price and finding that follows."""
    one = visit(overlap_seconds=7)
    assert visit_of(body_of(one), version=0) == one


def test_only_what_changed_gets_a_version(session: Session) -> None:
    """A version for every reconciliation would drown the ones that mean something."""
    assert visits.append_versions(session, visits=[visit()], now=NINE) == ("v1",)
    assert visits.append_versions(session, visits=[visit(version=9)], now=NINE + timedelta(hours=1)) == ()
    changed = visit(outcome=VisitOutcome.PART_DELIVERED)
    assert visits.append_versions(session, visits=[changed], now=NINE + timedelta(hours=2)) == ("v1",)
    rows = visits.versions(session, visit_key="v1")
    assert [(r.visit.version, r.visit.outcome, r.reconciled_at) for r in rows] == [
        (1, VisitOutcome.DELIVERED, NINE),
        (2, VisitOutcome.PART_DELIVERED, NINE + timedelta(hours=2)),
    ]


def test_newest_filters_by_provider_customer_outcome_and_day(session: Session) -> None:
    """A page that shows another provider's visit leaks a person's whereabouts."""
    visits.append_versions(
        session,
        visits=[
            visit(),
            visit(visit_id="v2", provider="rival", customer="c9"),
            visit(visit_id="v3", outcome=VisitOutcome.MISSED),
            visit(visit_id="v4", care_day="2026-11-03"),
        ],
        now=NINE,
    )
    assert [v.visit_id for v in newest(session)] == ["v1", "v2", "v3"]
    assert [v.visit_id for v in newest(session, provider_id=PROVIDER)] == ["v1", "v3"]
    assert [v.visit_id for v in newest(session, customer_id="c9")] == ["v2"]
    assert [v.visit_id for v in newest(session, outcome=VisitOutcome.MISSED)] == ["v3"]
    assert set(visits.newest_of(session, visit_ids=["v4", "v9"])) == {"v4"}


def test_a_withdrawn_unplanned_visit_comes_back_as_its_next_version(session: Session) -> None:
    """If its number began again at 1, the first version would be overwritten or refused."""
    unplanned = visit(visit_id=None)
    whole = {("c1", MONDAY)}
    visits.append_versions(session, visits=[unplanned], now=NINE, customer_days=whole)
    visits.append_versions(session, visits=[], now=NINE, customer_days=whole)
    assert newest(session) == ()
    visits.append_versions(session, visits=[unplanned], now=NINE, customer_days=whole)
    assert [(v.visit_id, v.version) for v in newest(session)] == [(None, 2)]
    visits.append_versions(session, visits=[], now=NINE, customer_days={("c1", MONDAY + timedelta(days=1))})
    assert len(newest(session)) == 1


def test_flags_keep_their_numbers_and_the_workers_reply(session: Session) -> None:
    """A flag without its sentences is an accusation without grounds."""
    flag = WorkerFlag(
        code="call cramming by the worker",
        provider=PROVIDER,
        worker="w1",
        care_day=None,
        period_since=MONDAY,
        period_until=MONDAY + timedelta(days=28),
        found_at=NINE,
        words="Nine of forty.",
        body={"visits": ["v1"], "p_value": 0.001},
    )
    visits.add_worker_flags(session, flags=[flag])
    found = visits.worker_flag_list(session, period=(MONDAY, MONDAY + timedelta(days=28)))[0]
    assert (found.words, found.body, found.reply) == (flag.words, flag.body, None)
    assert not visits.reply_to_flag(session, flag_id=99, reply="?")
