"""Training that runs out: from the day after its last one a roster does not use it."""

from datetime import timedelta

import pytest

from evm.domain.people import Training
from evm.domain.policy import Policy
from evm.services.roster_problem import Wishes, load_day, problem_of
from evm.store import plans
from tests.planning import LOCALITY, MONDAY, PROVIDER, a_customer, a_visit, a_worker, instant, settle


@pytest.mark.parametrize(("days", "able"), [(0, True), (1, False)])
def test_a_worker_is_not_offered_visits_that_need_training_that_has_run_out(session, days, able):
    """Somebody whose medicines training ended yesterday would be sent to give medicine."""
    trained = a_worker(1, training=(Training(skill="medication", last_day=MONDAY),))
    settle(session, customers=[a_customer(1)], workers=[trained])
    day = MONDAY + timedelta(days=days)
    visit = a_visit("v1", at=instant(9, day=day), skills_required=frozenset({"medication"}))
    plans.add_planned_visits(session, visits=[visit])
    policy = Policy()
    loaded = load_day(session, locality_id=LOCALITY, provider_id=PROVIDER, day=day, policy=policy)
    (worker,) = problem_of(loaded, policy=policy, wishes=Wishes()).workers
    assert ("medication" in worker.skills) is able
