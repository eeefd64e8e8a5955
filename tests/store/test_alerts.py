"""Deadlines, alerts, their histories and the outbox in the database."""

from datetime import timedelta

from sqlalchemy.orm import Session

from evm.store import alerts, deadlines, outbox
from evm.store.alerts import NewAlert
from evm.store.deadlines import DeadlineRow
from evm.store.outbox import OutboxRow
from tests.factories import NINE, PROVIDER


def deadline(visit: str = "v1", *, minutes: int = 0, stage: str = "missed", revision: int = 1) -> DeadlineRow:
    return DeadlineRow(visit_id=visit, revision=revision, slot=0, stage=stage, due_at=NINE + timedelta(minutes=minutes))


def alert(key: str = "k", **changes: object) -> NewAlert:
    values: dict[str, object] = {
        "kind": "missed visit",
        "key": key,
        "provider": PROVIDER,
        "risk": "standard",
        "due_at": NINE,
        "words": "Nobody came.",
        "visit": "v1",
        "slot": 0,
        "stage": "missed",
    }
    return NewAlert(**(values | changes))


def test_a_deadline_is_written_once_judged_once_and_comes_in_order(session: Session) -> None:
    """Publishing twice must not page twice, and the most overdue comes first."""
    rows = [deadline("v2", minutes=5), deadline("v1"), deadline("v1", minutes=9, stage="check_out")]
    deadlines.add_deadlines(session, deadlines=rows)
    deadlines.add_deadlines(session, deadlines=[deadline("v1", minutes=3)])
    assert deadlines.next_due(session) == NINE
    due = deadlines.due(session, now=NINE + timedelta(minutes=5), limit=9)
    assert [(d.visit_id, d.due_at) for d in due] == [("v1", NINE), ("v2", NINE + timedelta(minutes=5))]
    verdicts = {due[0].deadline_id: "met", due[1].deadline_id: "alerted"}
    assert deadlines.judge(session, verdicts=verdicts, now=NINE) == set(verdicts)
    assert deadlines.judge(session, verdicts=verdicts, now=NINE) == frozenset()
    assert deadlines.overdue_count(session, now=NINE + timedelta(minutes=5)) == 0


def test_a_cancelled_visits_deadlines_and_those_of_old_revisions_are_void(session: Session) -> None:
    """An alert about the plan of yesterday is a false alert; the one already raised stays."""
    rows = [deadline("v1"), deadline("v1", revision=2), deadline("v2"), deadline("v2", stage="warn")]
    deadlines.add_deadlines(session, deadlines=rows)
    assert deadlines.void(session, visit_id="v1", now=NINE, before_revision=2) == 1
    assert deadlines.void(session, visit_id="v2", now=NINE) == 2
    assert [d.revision for d in deadlines.due(session, now=NINE, limit=9)] == [2]


def test_postponing_moves_only_open_deadlines(session: Session) -> None:
    """A judged deadline that came back would be judged twice."""
    deadlines.add_deadlines(session, deadlines=[deadline("v1"), deadline("v2")])
    first, second = deadlines.due(session, now=NINE, limit=9)
    deadlines.judge(session, verdicts={first.deadline_id: "met"}, now=NINE)
    later = NINE + timedelta(hours=1)
    deadlines.postpone(session, due_at={first.deadline_id: later, second.deadline_id: later})
    assert deadlines.due(session, now=NINE, limit=9) == ()
    assert deadlines.next_due(session) == later
    assert [d.due_at for d in deadlines.deadlines_of(session, visit_ids=["v1"])] == [NINE]


def test_the_same_key_is_one_alert_with_one_first_line_of_history(session: Session) -> None:
    """A message delivered twice, or two watchers, must not make two alerts."""
    new = alerts.add(session, alerts_=[alert("a"), alert("b", kind="assistance", visit=None)], now=NINE)
    assert set(new) == {"a", "b"}
    assert alerts.add(session, alerts_=[alert("a", words="other"), alert("c")], now=NINE).keys() == {"c"}
    assert [a.key for a in alerts.alert_list(session)] == ["a", "b", "c"]
    assert [a.key for a in alerts.alert_list(session, kind="assistance")] == ["b"]
    assert [a.key for a in alerts.alert_list(session, visit_ids=["v1"])] == ["a", "c"]
    assert [a.key for a in alerts.alert_list(session, after_id=new["b"], limit=1)] == ["c"]
    assert [e.words for e in alerts.history(session, alert_id=new["a"])] == ["Nobody came."]


def test_a_state_moves_only_from_where_it_stands(session: Session) -> None:
    """Two coordinators who close at once must not both believe they did."""
    new = alerts.add(session, alerts_=[alert()], now=NINE)["k"]
    assert alerts.set_state(session, alert_id=new, was=["open"], state="closed", outcome="asleep")
    assert not alerts.set_state(session, alert_id=new, was=["open"], state="closed", outcome="other")
    closed = alerts.alert(session, alert_id=new)
    assert closed is not None
    assert (closed.state, closed.outcome) == ("closed", "asleep")


def test_the_outbox_holds_a_key_once_and_offers_the_least_tried_first(session: Session) -> None:
    """One row that always fails must not stand in front of all others."""

    def row(key: str, channel: str = "notify") -> OutboxRow:
        return OutboxRow(channel=channel, key=key, address="kindly", body={"n": 1}, created_at=NINE)

    outbox.add(session, rows=[row("a"), row("b"), row("down", "down")])
    outbox.add(session, rows=[row("a")])
    first, second = outbox.take(session, channel="notify", limit=9)
    assert (first.key, second.key, first.body) == ("a", "b", {"n": 1})
    outbox.mark_tried(session, outbox_ids=[first.outbox_id])
    assert [r.key for r in outbox.take(session, channel="notify", limit=9)] == ["b", "a"]
    assert [r.key for r in outbox.take(session, channel="notify", limit=9, attempts_max=1)] == ["b"]
    assert outbox.mark_sent(session, outbox_ids=[second.outbox_id], now=NINE) == {second.outbox_id}
    assert outbox.mark_sent(session, outbox_ids=[second.outbox_id], now=NINE) == frozenset()
    assert outbox.unsent_count(session, channel="notify") == 1
