"""The simulated clock and the fixed series of challenges."""

from datetime import UTC, datetime, timedelta

import pytest

from simulations.clock import SimulatedClock, challenges

START = datetime(2026, 11, 12, 5, tzinfo=UTC)


def test_the_clock_stands_still_until_it_is_set():
    """Broken: real time leaking into a simulated day."""
    clock = SimulatedClock(start=START)
    assert clock.now() == clock.now() == START
    clock.set(START + timedelta(minutes=1))
    assert clock.now() == START + timedelta(minutes=1)


def test_the_clock_never_goes_back():
    """Broken: an event played before one that was already received."""
    clock = SimulatedClock(start=START)
    with pytest.raises(AssertionError, match="cannot go back"):
        clock.set(START - timedelta(seconds=1))


def test_the_clock_runs_on_from_where_it_stood():
    """Broken: a served demo whose clock jumps to today or stands for ever."""
    clock = SimulatedClock(start=START)
    clock.run_on()
    first = clock.now()
    while clock.now() == first:
        pass
    assert START <= first < clock.now() < START + timedelta(hours=1)


def test_challenges_are_a_fixed_series_for_a_seed_and_never_repeat():
    """Broken: two runs of a seed that differ, or a challenge that is given twice."""
    one, two, other = challenges(seed=1), challenges(seed=1), challenges(seed=2)
    series = [one() for _ in range(1000)]
    assert series == [two() for _ in range(1000)]
    assert len(set(series)) == 1000
    assert series[0] != other()
