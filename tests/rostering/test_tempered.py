"""Several temperatures at once: whose turn it is, who changes places, and that a seed decides it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from rostering.search.tempered import Tempered, ladder


@dataclass(slots=True)
class Still:
    """A walk that goes nowhere."""

    cost: int
    others: list[int] = field(default_factory=list)

    def another(self, *, seed: int) -> Still:
        """The next of the others."""
        assert seed >= 0
        return Still(self.others.pop(0))


def tempered(costs: list[int], *, seed: int = 1) -> Tempered[Still]:
    """Walks of these costs at 1, 2, 4 ... points."""
    heats = ladder(coolest=1.0, hottest=2.0 ** (len(costs) - 1), many=len(costs))
    return Tempered(Still(0, list(costs)), heats, seed)


def test_each_temperature_is_the_same_number_of_times_the_one_before():
    """A ladder with a gap that no roster climbs."""
    assert ladder(coolest=2.0, hottest=54.0, many=4) == pytest.approx((2.0, 6.0, 18.0, 54.0))


def test_every_walk_has_its_turn_at_its_temperature():
    """A temperature at which nobody searches."""
    search = tempered([5, 5, 5])
    assert [search.turn()[1] for _ in range(6)] == pytest.approx([1.0, 2.0, 4.0, 1.0, 2.0, 4.0])


def test_the_cheapest_come_to_be_coolest():
    """Exchanges the wrong way round: what is good would be heated and lost."""
    search = tempered([40_000, 30_000, 20_000, 10_000])
    for _ in range(4 * 5):
        search.turn()
    assert [walk.cost for walk in search.walks] == [10_000, 20_000, 30_000, 40_000]


def test_a_dear_walk_is_cooled_now_and_then():
    """Exchanges that never go uphill: the cool ones would stay where they are."""
    seen = set()
    search = tempered([10, 11])
    for _ in range(200):
        search.turn()
        seen.add(search.walks[0].cost)
    assert seen == {10, 11}


def test_the_same_seed_makes_the_same_exchanges():
    """A roster that nobody can make again."""
    histories = []
    for seed in (1, 1, 2):
        search = tempered([10, 11, 12, 13], seed=seed)
        histories.append([search.turn()[0].cost for _ in range(400)])
    assert histories[0] == histories[1] != histories[2]
