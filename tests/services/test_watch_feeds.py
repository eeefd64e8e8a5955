"""Deadlines of a provider who sends only feeds: judged once the feed has passed them, never a false missed visit, never silence."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from evm.domain.alerts.deadline import deadlines as deadlines_of
from evm.domain.evidence import EventKind, Grade, Method
from evm.domain.ids import CustomerId, VisitId, WorkerId
from evm.domain.plan import PlannedVisit, Risk
from evm.domain.policy import Policy
from evm.domain.visit import VisitOutcome
from evm.services import feeds, reconcile, watch
from evm.services.feeds import FeedEvent
from evm.store import alerts, deadlines, plans, visits
from evm.store import feeds as feed_store
from evm.store.feeds import Monitoring
from tests import factories
from tests.factories import NINE, planned_visit

POLICY = Policy()


def at(hours: float) -> datetime:
    return NINE + timedelta(hours=hours)


def publish(session: Session, *planned: PlannedVisit) -> None:
    plans.add_planned_visits(session, visits=planned)
    deadlines.add_deadlines(session, deadlines=deadlines_of(planned))


def bring(session: Session, *, hours: float, covered: float, **changes: object) -> None:
    """A feed with one check-in, taken in `hours` after nine, that reaches until `covered`."""
    values = {
        "provider": factories.PROVIDER,
        "vendor": "careclock",
        "row_ref": "1",
        "part": "check_in",
        "kind": EventKind.CHECK_IN,
        "at": NINE,
        "method": Method.NFC,
        "worker": WorkerId("w1"),
        "customer": CustomerId("c1"),
        "visit": None,
        "grade_time": Grade.B,
        "grade_place": Grade.B,
        "amended": False,
    } | changes
    feeds.take_events(session, events=[FeedEvent(**values)], now=at(hours), policy=POLICY)  # type: ignore[arg-type]
    feed_store.heard_feed(
        session, provider_id=factories.PROVIDER, vendor="careclock", covered_until=at(covered), now=at(hours)
    )


def sweep(session: Session, hours: float) -> list[tuple[str, str | None]]:
    raised = watch.sweep(session, now=at(hours), policy=POLICY)
    return [(alert.kind, alert.visit) for i in raised if (alert := alerts.alert(session, alert_id=i)) is not None]


@pytest.fixture
def seeded(session: Session) -> Session:
    """A provider of whom a feed came yesterday."""
    factories.seed(session)
    bring(session, hours=-10, covered=-11, at=at(-12), row_ref="0")
    return session


def test_a_visit_no_feed_can_have_told_of_is_not_missed(seeded: Session) -> None:
    """Every visit of a provider that exports at night would be paged as missed by day."""
    publish(seeded, planned_visit("v1", risk=Risk.TIME_CRITICAL))
    assert sweep(seeded, 0.6) == []
    assert sweep(seeded, 8) == []


def test_a_visit_the_feed_shows_made_raises_nothing(seeded: Session) -> None:
    """The alert would come with the very file that answers it."""
    publish(seeded, planned_visit("v1"))
    assert sweep(seeded, 2) == []
    bring(seeded, hours=13, covered=13)
    bring(seeded, hours=13, covered=13, row_ref="2", part="check_out", kind=EventKind.CHECK_OUT, at=at(0.5))
    assert sweep(seeded, 13.5) == []


def test_a_visit_the_feed_has_passed_and_does_not_tell_of_is_missed(seeded: Session) -> None:
    """A missed visit of such a provider would never be heard of."""
    publish(seeded, planned_visit("v1"))
    assert sweep(seeded, 2) == []
    bring(seeded, hours=13, covered=13, row_ref="9", at=at(5), customer=CustomerId("c1"))
    assert ("missed visit", "v1") in sweep(seeded, 13.5)


def test_a_feed_that_reaches_only_to_the_visit_leaves_it_waiting(seeded: Session) -> None:
    """A visit begun an hour late, after the export, would be a false missed visit."""
    publish(seeded, planned_visit("v1"))
    bring(seeded, hours=1.6, covered=1.5, at=at(-3), row_ref="3")
    assert sweep(seeded, 2) == []


def test_a_feed_that_does_not_come_is_paged_once_and_names_what_is_critical(seeded: Session) -> None:
    """Waiting for the feed would become silence."""
    publish(seeded, planned_visit("v1", risk=Risk.TIME_CRITICAL))
    assert sweep(seeded, 20) == []
    assert [kind for kind, _ in sweep(seeded, 27)] == ["blind"]
    assert sweep(seeded, 28) == []
    (alert,) = alerts.alert_list(seeded, provider_id=factories.PROVIDER, kind="blind")
    assert "No feed has come from provider kindly since 1 November 23:00" in alert.words
    assert "v1" in alert.words


def test_a_provider_set_to_live_is_alerted_as_it_happens(seeded: Session) -> None:
    """A provider with phones that also sends a feed would lose its alarms."""
    feeds.set_monitoring(
        seeded,
        provider_id=factories.PROVIDER,
        kind=Monitoring.LIVE,
        why="Phones are in use",
        who="An officer",
        now=NINE,
    )
    publish(seeded, planned_visit("v1"))
    assert ("missed visit", "v1") in sweep(seeded, 2)


def test_the_visit_itself_is_not_missed_before_the_feed_tells_of_it(seeded: Session) -> None:
    """A noon export would show every afternoon visit as missed until the night's came."""
    publish(seeded, planned_visit("v1"))
    bring(seeded, hours=1.6, covered=1.5, at=at(-3), row_ref="3")
    assert outcome(seeded, hours=4) is VisitOutcome.PENDING
    bring(seeded, hours=13, covered=13, at=at(-3), row_ref="4")
    assert outcome(seeded, hours=13) is VisitOutcome.MISSED


def outcome(session: Session, *, hours: float) -> VisitOutcome:
    pairs = {(CustomerId("c1"), NINE.date())}
    reconcile.reconcile_customer_days(session, pairs=pairs, now=at(hours), policy=POLICY)
    return visits.newest_of(session, visit_ids=[VisitId("v1")])[VisitId("v1")].outcome
