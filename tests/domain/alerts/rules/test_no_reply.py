"""No reply at the door."""

from evm.domain.alerts.rules.no_reply import RULE
from evm.domain.alerts.situation import Situation
from evm.domain.evidence import EventKind
from tests.domain.alerts.situations import LONDON
from tests.domain.stories import at, event


def test_it_pages_at_once_and_says_what_to_do_next():
    """Broken: the person behind the door might lie on the floor."""
    (draft,) = RULE.drafts(Situation(zone=LONDON, event=event(EventKind.NO_REPLY, "09:05")), at("09:05"))
    assert draft.pages
    assert "customer, then next of kin, then police" in draft.words


def test_other_events_are_left_alone():
    """Broken: a check-in would page as a closed door."""
    assert RULE.drafts(Situation(zone=LONDON, event=event(EventKind.CHECK_IN, "09:05")), at("09:05")) == ()
