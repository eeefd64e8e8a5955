"""The watch is killed in mid-work, over and over: every alert comes, once, and is told."""

import pytest

from simulations.chaos import alerts


@pytest.mark.slow
def test_twenty_kills_of_the_watch_lose_no_alert_and_double_none() -> None:
    """A deadline that fell due while the watch was dead, or half judged, would be an absence nobody hears of."""
    found = alerts.run(kills=20)
    assert found["kills"] == 20
    assert found["due"] >= 20 * found["kills"]
    assert (found["missing"], found["doubled"], found["unsent"]) == (0, 0, 0)
    assert found["duplicate_share"] <= 0.01
