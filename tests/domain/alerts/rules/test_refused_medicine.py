"""A time-critical task that was not done."""

from evm.domain.alerts.rules.refused_medicine import RULE
from evm.domain.alerts.situation import Situation
from evm.domain.evidence import EventKind, TaskOutcome
from tests.domain.alerts.situations import LONDON
from tests.domain.stories import at, event

CRITICAL = frozenset({"insulin", "tablets"})


def situation(*tasks):
    said = event(EventKind.CHECK_OUT, "09:30", tasks=tasks)
    return Situation(zone=LONDON, event=said, time_critical_tasks=CRITICAL)


def test_each_time_critical_task_not_done_is_an_alert_with_its_reason():
    """Broken: a refused insulin would be read the next week."""
    drafts = RULE.drafts(
        situation(
            TaskOutcome(code="insulin", done=False, reason="refused"),
            TaskOutcome(code="tablets", done=True),
            TaskOutcome(code="hoovering", done=False),
        ),
        at("09:30"),
    )
    assert [(one.kind.value, one.key.rsplit(":", 1)[1], one.pages) for one in drafts] == [
        ("refused medicine", "insulin", True)
    ]
    assert "refused" in drafts[0].words


def test_nothing_refused_is_no_alert():
    """Broken: every check-out would page."""
    assert RULE.drafts(situation(TaskOutcome(code="insulin", done=True)), at("09:30")) == ()
