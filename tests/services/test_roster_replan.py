"""A published roster mended around somebody sick: never over the head of a roster that was published meanwhile, nor for a day that is over."""

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from evm.domain.ids import WorkerId
from evm.domain.policy import Policy
from evm.services import roster
from evm.services.roster import RosterRefused
from evm.services.roster_problem import Wishes
from evm.services.roster_replan import PreparedReplan, keep_replanned, prepare_replan, replan_prepared
from evm.store import plans, rosters
from rostering.stop import Iterations
from tests.planning import LOCALITY, MONDAY, PROVIDER, a_visit, instant, settle

POLICY = Policy()
QUICK = Wishes(iterations_max=5, effort_seconds=0)
WHERE = {"locality_id": LOCALITY, "provider_id": PROVIDER}
BEFORE = instant(12, day=MONDAY - timedelta(days=1))


def published(session: Session) -> str:
    settle(session)
    visits = [a_visit(f"v{n}", customer=f"c{n}", at=instant(8 + 2 * n)) for n in (1, 2, 3)]
    plans.add_planned_visits(session, visits=visits)
    return make_and_publish(session)


def make_and_publish(session: Session) -> str:
    roster_id = roster.make(session, day=MONDAY, seed=1, now=BEFORE, policy=POLICY, wishes=QUICK, **WHERE)
    roster.publish(session, roster_id=roster_id, by="ana", now=BEFORE, policy=POLICY)
    return roster_id


def question(session: Session, *, hour: int) -> PreparedReplan:
    first = rosters.published(session, day=MONDAY, **WHERE)
    assert first is not None
    sick = WorkerId(first.body["runs"][0]["worker"])
    return prepare_replan(
        session, day=MONDAY, away=[sick], seed=1, now=instant(hour), policy=POLICY, wishes=QUICK, **WHERE
    )


def test_visits_that_have_begun_stay_with_whom_they_are(session: Session) -> None:
    """Somebody taken ill at eleven has made the visits of the morning."""
    published(session)
    asked = question(session, hour=11)
    mended = replan_prepared(asked, stop=Iterations(5))
    begun = {slot for slot, (_, start) in asked.published.starts().items() if start < 11 * 3600}
    assert begun
    assert all(mended.roster.starts()[slot] == asked.published.starts()[slot] for slot in begun)


def test_a_roster_published_meanwhile_is_not_mended_away(session: Session) -> None:
    """Two people in the office at eight: the second must not undo the first without seeing it."""
    published(session)
    asked = question(session, hour=7)
    mended = replan_prepared(asked, stop=Iterations(5))
    make_and_publish(session)
    with pytest.raises(RosterRefused, match="changed while it was mended: do it again"):
        keep_replanned(session, question=asked, replanned=mended, now=instant(7), policy=POLICY)


def test_a_day_that_is_over_is_not_mended(session: Session) -> None:
    """Yesterday's visits were made by whom they were made."""
    published(session)
    with pytest.raises(RosterRefused, match="is over: a roster of the past is not made again"):
        prepare_replan(
            session, day=MONDAY, away=[], seed=1, now=instant(9, day=MONDAY + timedelta(days=1)), policy=POLICY, **WHERE
        )


def test_the_second_sick_call_gives_nothing_to_the_first(session: Session) -> None:
    """Who rang in at seven and has nothing left to do looks like the freest worker of all at eight."""
    published(session)
    first = question(session, hour=7)
    mended = keep_replanned(
        session, question=first, replanned=replan_prepared(first, stop=Iterations(5)), now=instant(7), policy=POLICY
    )
    roster.publish(session, roster_id=mended, by="ana", now=instant(7), policy=POLICY)
    second = question(session, hour=7)
    assert second.away > first.away
    workers = {run.worker for run in replan_prepared(second, stop=Iterations(5)).roster.runs}
    assert workers
    assert not workers & second.away
