"""The score itself: it must say so when the system is wrong."""

from dataclasses import replace
from datetime import timedelta

import pytest

from evm.domain.visit import Visit, VisitOutcome
from evm.store.alerts import AlertRow
from simulations import score
from simulations.scenario import load_scenario
from simulations.truth import missed_deadline, record
from simulations.world import build_world


@pytest.fixture(scope="module")
def truth():
    return record(build_world(scenario=load_scenario(), seed=1))


def seen(*, alerts=(), check_ins=None, visits=None, stored=None):
    return score._Seen(visits=visits or {}, alerts=tuple(alerts), stored=stored or {}, check_ins=check_ins or {})


def alert(call, *, stage="missed", reclassified=None, slot=0):
    due = missed_deadline(call)
    return AlertRow(
        alert_id=1, kind="missed visit", key="k", provider="harbour", customer=call.customer_id, worker=None,
        visit=call.visit_id, revision=1, slot=slot, stage=stage, risk=call.risk, due_at=due, raised_at=due,
        detected_late=False, words="w", state="open", reclassified=reclassified, outcome=None,
    )  # fmt: skip


def attended(truth, *, offline):
    """A played stay with one worker that was logged in time, by a phone with or without signal at the deadline."""
    ids = truth.visits_offline()
    return next(
        stay
        for stay in truth.stays_on(truth.world.scenario.played_day)
        if stay.logged
        and len(stay.call.workers) == 1
        and stay.arrived < missed_deadline(stay.call)
        and (stay.call.visit_id in ids) == offline
    )


def test_an_event_that_was_sent_and_is_not_stored_is_lost():
    """Broken: a score that counts what the phone believes instead of what the log holds."""
    keys = score._event_keys(seen(stored={("d", "1"): None}), {("d", "1"), ("d", "2")})
    assert keys == {"events_sent": 2, "events_stored": 1, "events_lost": 1}


def test_a_missed_visit_without_an_alert_is_not_counted_as_alerted(truth):
    """Broken: missed_alerted that follows the truth instead of the alerts."""
    call = next(call for call in truth.played if call.visit_id in truth.missed_true)
    none, one = (score._alert_keys(truth, seen(alerts=a)) for a in ((), (alert(call),)))
    assert (none["missed_alerted"], one["missed_alerted"]) == (0, 1)
    assert score._alert_keys(truth, seen(alerts=[alert(call, stage="warn")]))["missed_alerted"] == 0


def test_an_alert_is_unjustified_when_its_evidence_was_stored_before(truth):
    """Broken: a false alarm that passes as a late phone."""
    stay = attended(truth, offline=False)
    key = (stay.worker, stay.arrived)
    early = score._alert_keys(truth, seen(alerts=[alert(stay.call)], check_ins={key: stay.arrived}))
    late = missed_deadline(stay.call) + timedelta(minutes=1)
    after = score._alert_keys(truth, seen(alerts=[alert(stay.call)], check_ins={key: late}))
    assert (early["alerts_unjustified"], after["alerts_unjustified"]) == (1, 0)


def test_only_late_heard_check_ins_count_as_corrections(truth):
    """Broken: a correction counted without a reclassified alert, or for a worker who truly came too late."""
    stay = attended(truth, offline=True)
    check_ins = {(stay.worker, stay.arrived): stay.heard_at}
    for reclassified, corrected in ((None, 0), ("on time", 1)):
        about = alert(stay.call, reclassified=reclassified)
        assert score._alert_keys(truth, seen(alerts=[about], check_ins=check_ins))["missed_corrected"] == corrected


def test_a_visit_with_evidence_that_stands_as_missed_is_false(truth):
    """Broken: a missed visit that late evidence never put right."""
    stay = attended(truth, offline=False)
    visit = Visit(
        visit_id=stay.call.visit_id, customer=stay.call.customer_id, provider="harbour",
        care_day=stay.call.day.isoformat(), planned_start=stay.call.start, planned_minutes=stay.call.minutes,
        outcome=VisitOutcome.MISSED, slots=(),
    )  # fmt: skip
    right = replace(visit, outcome=VisitOutcome.DELIVERED)
    assert score._missed_false(truth, seen(visits={visit.visit_id: visit})) == 1
    assert score._missed_false(truth, seen(visits={visit.visit_id: right})) == 0


def test_minutes_nobody_matched_are_minutes_a_person_must_review(truth):
    """Broken: a review share that forgets evidence which found no visit."""
    keys = score._minute_keys(truth, seen())
    assert keys["minutes_evidenced"] == 0
    assert keys["review_minutes_share"] == 1.0
