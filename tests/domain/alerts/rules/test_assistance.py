"""Assistance asked for by a worker's phone."""

from evm.domain.alerts.rules.assistance import RULE
from evm.domain.alerts.situation import Situation
from evm.domain.evidence import EventKind
from tests.domain.alerts.situations import LONDON
from tests.domain.stories import at, event


def test_it_pages_at_once_even_without_worker_or_customer():
    """Broken: a call for help would wait for somebody to resolve a phone number."""
    for worker, customer in (("w1", "c1"), (None, None)):
        asked = event(EventKind.ASSISTANCE, "09:05", worker=worker, customer=customer, event_id="sos")
        (draft,) = RULE.drafts(Situation(zone=LONDON, event=asked), at("09:05"))
        assert draft.pages
        assert draft.key.endswith(":sos")
        assert draft.worker == worker


def test_other_events_ask_for_nothing():
    """Broken: every event would page."""
    note = event(EventKind.NOTE, "09:05")
    assert RULE.drafts(Situation(zone=LONDON, event=note), at("09:05")) == ()
    assert RULE.drafts(Situation(zone=LONDON), at("09:05")) == ()
