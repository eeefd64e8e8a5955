"""A person changes a roster: always a new draft, each change and each broken rule said, pins kept."""

from datetime import time, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from evm.domain.ids import VisitId, WorkerId
from evm.domain.people import Shift
from evm.domain.policy import Policy
from evm.services import roster, roster_edit
from evm.services.roster_body import stops_of
from evm.services.roster_edit import Change
from evm.services.roster_problem import Wishes
from evm.store import plans, rosters
from evm.store.rosters import RosterRecord, RosterState
from tests.planning import LOCALITY, MONDAY, PROVIDER, a_visit, a_worker, instant, settle

POLICY = Policy()
NOW = instant(12, day=MONDAY - timedelta(days=1))
WHERE = {"locality_id": LOCALITY, "provider_id": PROVIDER, "day": MONDAY}
V1, V2 = VisitId("v1"), VisitId("v2")
W1, W2, W3 = WorkerId("w1"), WorkerId("w2"), WorkerId("w3")


def published(session: Session, workers: dict[str, Any]) -> RosterRecord:
    named = {VisitId(visit): tuple(each) for visit, each in workers.items()}
    roster_id = roster.adopt(session, workers=named, now=NOW, policy=POLICY, **WHERE)
    roster.publish(session, roster_id=roster_id, by="ana", now=NOW, policy=POLICY)
    return record_of(session, roster_id)


def record_of(session: Session, roster_id: str) -> RosterRecord:
    record = rosters.roster(session, roster_id=roster_id)
    assert record is not None
    return record


def edited(session: Session, record: RosterRecord, changes: dict[VisitId, Change]) -> RosterRecord:
    roster_id = roster_edit.edit(session, roster_id=record.roster_id, changes=changes, now=NOW, policy=POLICY)
    return record_of(session, roster_id)


def who(record: RosterRecord) -> dict[str, tuple[str, str]]:
    return {stop["visit"]: (worker, stop["start"]) for worker, stop in stops_of(record.body)}


@pytest.fixture
def kept(session: Session) -> Session:
    settle(session)
    plans.add_planned_visits(session, visits=[a_visit("v1"), a_visit("v2", customer="c2", at=instant(11))])
    return session


def test_moving_a_visit_to_another_worker_is_a_draft_that_says_so(kept: Session) -> None:
    """The published roster stands until a person has read the change and published it."""
    before = published(kept, {"v1": [W1], "v2": [W2]})
    draft = edited(kept, before, {V2: Change(workers=(W3,))})
    assert draft.state is RosterState.DRAFT
    assert [change["words"] for change in draft.body["changes"]] == ["Visit v2: was w2 at 11:00, becomes w3 at 11:00."]
    assert record_of(kept, before.roster_id).state is RosterState.PUBLISHED
    assert draft.violations == 0


def test_a_new_start_outside_the_window_is_kept_and_said(kept: Session) -> None:
    """The person may know better than the plan; whoever publishes must see that it breaks it."""
    before = published(kept, {"v1": [W1], "v2": [W2]})
    draft = edited(kept, before, {V1: Change(start=instant(10))})
    assert who(draft)["v1"] == ("w1", instant(10).isoformat())
    assert {violation["rule"] for violation in draft.body["violations"]} == {"windows"}


def test_taking_everybody_off_leaves_the_visit_unfilled_with_its_reason(kept: Session) -> None:
    """A visit that nobody has must stay on the list of what to fill."""
    before = published(kept, {"v1": [W1], "v2": [W2]})
    draft = edited(kept, before, {V2: Change(workers=(None,))})
    assert [(each["visit"], each["reason"]) for each in draft.body["unfilled"]] == [("v2", "taken off by hand")]


def test_a_pinned_change_holds_in_the_next_generated_roster(kept: Session) -> None:
    """Otherwise the night's run would undo what the office agreed with the customer."""
    before = published(kept, {"v1": [W1], "v2": [W2]})
    draft = edited(kept, before, {V2: Change(workers=(W3,), start=instant(11, 10), pin=True)})
    roster.publish(kept, roster_id=draft.roster_id, by="ana", now=NOW, policy=POLICY)
    wishes = Wishes(iterations_max=20, effort_seconds=0)
    again = roster.make(kept, seed=4, now=NOW, policy=POLICY, wishes=wishes, **WHERE)
    assert who(record_of(kept, again))["v2"] == ("w3", instant(11, 10).isoformat())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({VisitId("v9"): Change(workers=(W1,))}, "v9"),
        ({V1: Change(workers=(WorkerId("w9"),))}, "w9"),
        ({V1: Change(workers=(W1, W2))}, "one a slot"),
    ],
)
def test_a_change_of_what_is_not_there_is_refused(changes: dict[VisitId, Change], words: str, kept: Session) -> None:
    """A typing error must stop here, not send nobody."""
    before = published(kept, {"v1": [W1], "v2": [W2]})
    with pytest.raises(roster.RosterRefused, match=words):
        edited(kept, before, changes)


def test_a_morning_and_an_evening_by_hand_are_two_runs(session: Session) -> None:
    """Someone on a split day goes home between: one run over the gap would be reported as outside their shifts."""
    split = [
        Shift(weekday=day, since=time(since), until=time(until))
        for day in range(7)
        for since, until in ((7, 11), (16, 21))
    ]
    settle(session, workers=[a_worker(1, shifts=tuple(split))])
    plans.add_planned_visits(session, visits=[a_visit("v1", at=instant(9)), a_visit("v2", at=instant(18))])
    record = published(session, {"v1": [W1], "v2": [W1]})
    assert [[stop["visit"] for stop in run["stops"]] for run in record.body["runs"]] == [["v1"], ["v2"]]
    assert record.violations == 0
