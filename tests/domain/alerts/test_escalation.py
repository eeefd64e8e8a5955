"""The ladder: who is told next, and when."""

from evm.domain.alerts.escalation import Rung, lapses_at, rung_of, told_at
from evm.domain.plan import Risk
from tests.domain.stories import at


def test_the_next_rung_is_told_after_five_minutes_or_three():
    """Broken: rules.md's times between the rungs."""
    assert told_at(raised_at=at("09:00"), rung=2, risk=Risk.STANDARD) == at("09:10")
    assert told_at(raised_at=at("09:00"), rung=2, risk=Risk.TIME_CRITICAL) == at("09:06")


def test_the_last_rung_is_told_again_until_a_person_closes():
    """Broken: an alert nobody answers would fall silent."""
    assert [rung_of(telling) for telling in (0, 3, 9)] == [Rung.WORKER, Rung.DUTY_TEAM, Rung.DUTY_TEAM]


def test_an_acknowledgement_lapses_after_twenty_minutes():
    """Broken: one tap would silence the ladder for ever."""
    assert lapses_at(acknowledged_at=at("09:00")) == at("09:20")
