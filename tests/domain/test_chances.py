"""The arithmetic of uncertain rates, against plain counting and known values."""

from math import comb

import pytest

from evm.domain.chances import Rate, rate_between


def test_a_uniform_rate_makes_every_count_equally_likely():
    """Broken: the p-values of cramming would be of no known distribution."""
    assert Rate(hits=1, misses=1).distribution(trials=4) == pytest.approx([0.2] * 5)


def test_a_rate_known_for_certain_gives_the_binomial():
    """Broken: places that are alike would not be treated as such."""
    expected = [comb(3, n) * 0.3**n * 0.7 ** (3 - n) for n in range(4)]
    assert Rate(hits=3e7, misses=7e7).distribution(trials=3) == pytest.approx(expected, rel=1e-5)


def test_what_was_seen_draws_the_rate_towards_it():
    """Broken: what other workers show with a customer would count for nothing."""
    assert Rate(hits=1, misses=9).seen(hits=5, of=10).mean == pytest.approx(6 / 20)


def test_a_share_of_the_hits_has_that_share_of_the_mean():
    """Broken: going on early would be expected after every short visit."""
    assert Rate(hits=2, misses=6).times(0.4).mean == pytest.approx(0.1)


@pytest.mark.parametrize(("mean", "expected"), [(0.1, 0.2), (0.5, 0.5)])
def test_a_floor_lifts_a_lower_mean_only(mean, expected):
    """Broken: the policy's least chance would not be granted, or would lower a greater one."""
    assert Rate(hits=1, misses=4).at_least(mean).mean == pytest.approx(expected)


def test_places_that_differ_leave_more_open_than_places_alike():
    """Broken: a customer who sends workers away would be judged as if all customers were the average one."""
    alike = rate_between([(5, 50)] * 20, mean_min=0.01)
    differing = rate_between([(0, 50)] * 18 + [(50, 50)] * 2, mean_min=0.01)
    assert alike.mean == pytest.approx(differing.mean) == pytest.approx(0.1)
    assert differing.hits < alike.hits / 5
    assert differing.distribution(trials=10)[8] > 100 * alike.distribution(trials=10)[8]


def test_nothing_seen_gives_the_least_mean():
    """Broken: an office with one worker would divide by nothing."""
    assert rate_between([], mean_min=0.01).mean == pytest.approx(0.01)
    assert rate_between([(0, 7)], mean_min=0.01).mean == pytest.approx(0.01)
