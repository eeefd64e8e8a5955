"""What becomes of a deadline that has come."""

from dataclasses import replace

from evm.domain.alerts.deadline import Stage
from evm.domain.alerts.judge import Verdict, drafts_of, judge
from evm.domain.alerts.situation import Situation
from evm.domain.evidence import EventKind
from evm.domain.plan import Cancellation, CancelledBy
from tests.domain.alerts.situations import LONDON, at_deadline
from tests.domain.stories import at, check_in, event, planned, stay


def verdict(situation, clock):
    return judge(situation, now=at(clock)).verdict


def test_silence_is_alerted_once_and_evidence_meets_the_deadline():
    """Broken: alerts for visits that were made, or none for those that were not."""
    judged = judge(at_deadline(Stage.MISSED), now=at("10:00"))
    assert judged.verdict is Verdict.ALERTED
    assert len(judged.drafts) == 1
    assert verdict(at_deadline(Stage.MISSED, [check_in("09:05")]), "10:00") is Verdict.MET


def test_nothing_is_judged_before_its_time():
    """Broken: a watcher whose clock is ahead would alert early."""
    assert verdict(at_deadline(Stage.MISSED), "09:59:59") is Verdict.WAIT


def test_a_cancelled_unknown_or_revised_visit_voids_its_deadlines():
    """Broken (bad-input 79): an edited visit would be alerted by its old times."""
    situation = at_deadline(Stage.MISSED)
    called_off = Cancellation(at=at("08:00"), by=CancelledBy.CUSTOMER, reason="away")
    assert verdict(replace(situation, planned=planned(cancelled=called_off)), "10:00") is Verdict.VOID
    assert verdict(replace(situation, planned=planned(revision=2)), "10:00") is Verdict.VOID
    assert verdict(replace(situation, planned=None), "10:00") is Verdict.VOID


def test_a_visit_never_reconciled_is_silence():
    """Broken: a visit without any evidence would be skipped."""
    assert verdict(replace(at_deadline(Stage.MISSED), visit=None), "10:00") is Verdict.ALERTED


def test_a_late_workers_check_out_is_looked_at_again():
    """Broken: an overdue check-out would be forgotten, or a late visit page in its middle."""
    situation = at_deadline(Stage.CHECK_OUT, [check_in("09:40")])
    assert verdict(situation, "10:00") is Verdict.WAIT
    assert verdict(situation, "10:40") is Verdict.ALERTED
    assert verdict(at_deadline(Stage.CHECK_OUT, stay("09:00", "09:30")), "10:00") is Verdict.MET


def test_a_worker_who_may_still_come_is_watched_out_too():
    """Broken: whoever came after the check-out's deadline could lie in that home until morning."""
    assert verdict(at_deadline(Stage.CHECK_OUT), "10:00") is Verdict.WAIT
    assert verdict(at_deadline(Stage.CHECK_OUT, [check_in("10:55")]), "11:55") is Verdict.ALERTED
    assert verdict(at_deadline(Stage.CHECK_OUT), "12:00") is Verdict.MET


def test_events_are_shown_to_every_rule():
    """Broken: a call for help would raise nothing."""
    situation = Situation(zone=LONDON, event=event(EventKind.ASSISTANCE, "09:05"))
    assert [one.kind.value for one in drafts_of(situation, now=at("09:05"))] == ["assistance"]
