"""Rosters kept whole, and what a new one looks back at."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from evm.domain.evidence import EventKind
from evm.domain.ids import CustomerId, WorkerId
from evm.domain.plan import Cancellation, CancelledBy
from evm.store import evidence, plans, rosters
from evm.store.rosters import PlannedStint, RosterRecord, RosterState
from tests import factories
from tests.planning import LOCALITY, MONDAY, PROVIDER, a_visit, instant, settle

TUESDAY = MONDAY + timedelta(days=1)
WHERE = {"locality_id": LOCALITY, "provider_id": PROVIDER}


def a_record(roster_id: str = "r1", **changed: object) -> RosterRecord:
    record = RosterRecord(
        roster_id=roster_id,
        locality_id=LOCALITY,
        provider_id=PROVIDER,
        day=MONDAY,
        state=RosterState.DRAFT,
        version=1,
        made_at=instant(6),
        published_at=None,
        published_by=None,
        input_sha256="0" * 64,
        unfilled=1,
        violations=0,
        travel_seconds=300,
        body={"runs": [], "unfilled": [{"visit": "v1"}]},
    )
    return replace(record, **changed)


@pytest.fixture
def kept(session: Session) -> Session:
    settle(session)
    return session


def test_a_roster_comes_back_as_it_was_kept(kept: Session) -> None:
    """A draft that lost its reasons could not say why a visit is unfilled."""
    rosters.add(kept, record=a_record())
    assert rosters.roster(kept, roster_id="r1") == a_record()
    assert rosters.roster(kept, roster_id="r2") is None


def test_publishing_supersedes_the_roster_before_it_and_no_other(kept: Session) -> None:
    """Two published rosters of one day would send two sets of workers; another day's must stand."""
    for record in (a_record("r1"), a_record("r2", version=2), a_record("r3", day=TUESDAY)):
        rosters.add(kept, record=record)
    for name in ("r1", "r3", "r2"):
        record = rosters.roster(kept, roster_id=name)
        assert record is not None
        assert rosters.mark_published(kept, record=record, at=instant(7), by="ana")
    states = {record.roster_id: record.state for record in _all(kept)}
    assert states == {"r1": RosterState.SUPERSEDED, "r2": RosterState.PUBLISHED, "r3": RosterState.PUBLISHED}
    newest = rosters.published(kept, day=MONDAY, **WHERE)
    assert newest is not None
    assert (newest.roster_id, newest.published_by, newest.published_at) == ("r2", "ana", instant(7))


def test_a_roster_is_published_once(kept: Session) -> None:
    """The second press of the button must not write who published it, and when, anew."""
    rosters.add(kept, record=a_record())
    assert rosters.mark_published(kept, record=a_record(), at=instant(7), by="ana")
    assert not rosters.mark_published(kept, record=a_record(), at=instant(8), by="ben")
    found = rosters.published(kept, day=MONDAY, **WHERE)
    assert found is not None
    assert found.published_by == "ana"


def test_versions_count_up_per_day(kept: Session) -> None:
    """People speak of version 2 of Monday: another day's roster must not use up the number."""
    assert rosters.next_version(kept, day=MONDAY, **WHERE) == 1
    rosters.add(kept, record=a_record())
    assert rosters.next_version(kept, day=MONDAY, **WHERE) == 2
    assert rosters.next_version(kept, day=TUESDAY, **WHERE) == 1


def test_check_ins_are_counted_per_customer_and_worker(kept: Session) -> None:
    """The core team is who came: check-outs, other months and unresolved events must not count."""
    events = [
        factories.evidence(at=instant(9), worker="w1", customer="c1"),
        factories.evidence(at=instant(12), worker="w1", customer="c1"),
        factories.evidence(at=instant(12), worker="w2", customer="c1"),
        factories.evidence(EventKind.CHECK_OUT, at=instant(13), worker="w3", customer="c1"),
        factories.evidence(at=instant(13), worker=None, customer="c1"),
        factories.evidence(at=instant(9) - timedelta(days=40), worker="w3", customer="c1"),
    ]
    rows = [evidence.NewRow(evidence=event, payload=b"{}", device_type="popback_v1") for event in events]
    evidence.append_many(kept, rows=rows)
    counted = rosters.check_ins_counted(kept, since=instant(0), until=instant(23), **WHERE)
    assert counted == {CustomerId("c1"): {WorkerId("w1"): 2, WorkerId("w2"): 1}}


def test_stints_are_the_standing_slots_of_the_workers_asked_about(kept: Session) -> None:
    """A cancelled visit counted as work would eat into the worker's weekly hours."""
    cancelled = Cancellation(at=instant(6), by=CancelledBy.CUSTOMER, reason="away")
    visits = [
        a_visit("v1", rostered=(WorkerId("w1"),)),
        a_visit("v2", at=instant(11), rostered=(WorkerId("w1"),), cancelled=cancelled),
        a_visit("v3", at=instant(12), rostered=(WorkerId("w2"),)),
        a_visit("v4", at=instant(12, day=TUESDAY), rostered=(WorkerId("w1"),)),
    ]
    plans.add_planned_visits(kept, visits=visits)
    found = rosters.stints(kept, worker_ids=[WorkerId("w1")], since_day=MONDAY, until_day=TUESDAY)
    assert found == (
        PlannedStint(worker_id=WorkerId("w1"), customer_id=CustomerId("c1"), start=instant(9), minutes=30),
    )


def _all(session: Session) -> tuple[RosterRecord, ...]:
    return rosters.list_rosters(session, since_day=MONDAY, until_day=TUESDAY + timedelta(days=1), **WHERE)
