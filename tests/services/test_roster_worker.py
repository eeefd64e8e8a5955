"""Rosters solved in a process of their own: the same roster, progress on the way, and stopping keeps what was found."""

import copy
from dataclasses import replace

import pytest
from sqlalchemy.orm import Session

from evm.domain.policy import Policy
from evm.services import roster
from evm.services.roster_problem import Wishes
from evm.services.roster_worker import SolveFailedError, solve_apart
from evm.store import plans, rosters
from rostering.stop import Progress
from tests.planning import LOCALITY, MONDAY, PROVIDER, a_visit, instant, settle

POLICY = Policy()
ENDLESS = Wishes(iterations_max=10**9, effort_seconds=0)


def prepared(session: Session, wishes: Wishes) -> roster.Prepared:
    settle(session)
    visits = [a_visit(f"v{n}", customer=f"c{n % 3 + 1}", at=instant(8 + n // 3, 20 * (n % 3))) for n in range(12)]
    plans.add_planned_visits(session, visits=visits)
    return roster.prepare(
        session, locality_id=LOCALITY, provider_id=PROVIDER, day=MONDAY, seed=3, policy=POLICY, wishes=wishes
    )


def test_apart_gives_the_very_roster_that_solving_here_gives(session: Session) -> None:
    """Where it was solved must not decide who is sent."""
    question = prepared(session, Wishes(iterations_max=40, effort_seconds=0))
    here, apart = roster.solve_prepared(question), solve_apart(question)
    assert apart.roster == here.roster
    roster_id = roster.keep(session, prepared=question, result=apart, now=instant(1), policy=POLICY)
    assert rosters.roster(session, roster_id=roster_id) is not None


def test_it_tells_its_progress_and_stops_when_told_with_what_it_found(session: Session) -> None:
    """Somebody who has seen enough must not have to throw the roster away, nor to wait for ever."""
    question = prepared(session, ENDLESS)
    heard: list[Progress] = []
    found = solve_apart(question, progress=heard.append, cancelled=lambda: any(at.iterations for at in heard))
    assert found.iterations >= heard[-1].iterations > 0
    assert len({stop.visit for run in found.roster.runs for stop in run.stops}) == 12


def test_a_solve_that_fails_says_why(session: Session) -> None:
    """A worker process that dies in silence would leave the page waiting."""
    question = prepared(session, ENDLESS)
    broken = copy.copy(question.problem)
    object.__setattr__(broken, "demands", (None,))
    with pytest.raises(SolveFailedError, match="AttributeError"):
        solve_apart(replace(question, problem=broken))
