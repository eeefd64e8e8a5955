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


def test_a_refused_visit_with_time_critical_tasks_is_an_alert_and_another_is_not():
    """Broken: the whole visit refused says nothing of the insulin in it, and would be read the next week."""
    said = event(EventKind.CUSTOMER_REFUSED, "09:05", words="wants to sleep")
    refused = Situation(zone=LONDON, event=said, refused_tasks=CRITICAL)
    draft = RULE.drafts(refused, at("09:05"))[0]
    assert (draft.key.rsplit(":", 1)[1], draft.pages) == ("visit", True)
    assert draft.words == "Customer c1 refused a visit with the time-critical tasks insulin, tablets: wants to sleep."
    assert RULE.drafts(Situation(zone=LONDON, event=said, time_critical_tasks=CRITICAL), at("09:05")) == ()


def test_a_refusal_that_names_its_tasks_is_said_once():
    """Broken: one refused tablet would page twice."""
    said = event(EventKind.CUSTOMER_REFUSED, "09:05", tasks=(TaskOutcome(code="insulin", done=False),))
    both = Situation(zone=LONDON, event=said, time_critical_tasks=CRITICAL, refused_tasks=CRITICAL)
    assert [draft.key.rsplit(":", 1)[1] for draft in RULE.drafts(both, at("09:05"))] == ["insulin"]
