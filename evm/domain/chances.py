"""Chances of counts whose rate is itself uncertain: the beta-binomial, how far places differ, and the tail of a sum. Arithmetic only:
not what is counted and not what follows from it (cramming)."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, lgamma

_CORRELATION_MIN = 0.02
"""However alike places look, they are granted to differ by this much: with few counts, likeness is not shown."""
_CORRELATION_MAX = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A rate between 0 and 1 of which as much is known as after `hits` and `misses` (both above 0): a beta distribution."""

    hits: float
    misses: float

    @property
    def mean(self) -> float:
        return self.hits / (self.hits + self.misses)

    def seen(self, *, hits: int, of: int) -> "Rate":
        """What is known after `hits` in `of` more trials."""
        assert 0 <= hits <= of
        return Rate(hits=self.hits + hits, misses=self.misses + of - hits)

    def times(self, share: float) -> "Rate":
        """The rate of hits of which only `share` (0 to 1, above 0) count: its mean is exact, and it stays as uncertain for small rates."""
        return Rate(hits=self.hits, misses=(self.hits + self.misses) / share - self.hits)

    def at_least(self, mean: float) -> "Rate":
        """This rate, or with fewer misses so that its mean is `mean`."""
        return self if self.mean >= mean else Rate(hits=self.hits, misses=self.hits / mean - self.hits)

    def distribution(self, *, trials: int) -> tuple[float, ...]:
        """The chances of 0, 1 ... `trials` hits: beta-binomial."""
        whole = _log_beta(self.hits, self.misses)
        return tuple(
            exp(_log_choose(trials, n) + _log_beta(self.hits + n, self.misses + trials - n) - whole)
            for n in range(trials + 1)
        )


def rate_between(counts: Sequence[tuple[int, int]], *, mean_min: float) -> Rate:
    """How the rate differs between places, from each one's (hits, trials), by moments (Kleinman 1973): a place of which nothing is known
    draws its rate from it. The mean is at least `mean_min` (above 0)."""
    trials = sum(of for _, of in counts)
    mean = min(0.99, max(mean_min, sum(hits for hits, _ in counts) / trials if trials else 0.0))
    spread = sum(of * (hits / of - mean) ** 2 for hits, of in counts if of)
    by_chance = sum(1 - of / trials for _, of in counts if of)
    by_place = sum((of - 1) * (1 - of / trials) for _, of in counts if of)
    correlation = (spread / (mean * (1 - mean)) - by_chance) / by_place if by_place > 0 else 0.0
    size = 1 / min(_CORRELATION_MAX, max(_CORRELATION_MIN, correlation)) - 1
    return Rate(hits=mean * size, misses=(1 - mean) * size)


def chance_of_at_least(count: int, *, distributions: Sequence[Sequence[float]]) -> float:
    """P(the sum is at least `count`) of independent counts, each given by the chances of 0, 1, 2 ...: summed of positive terms only."""
    if count <= 0:
        return 1.0
    below, reached = [1.0] + [0.0] * (count - 1), 0.0
    for chances in distributions:
        after = [0.0] * count
        for had, chance in enumerate(below):
            if chance:
                for more, of_more in enumerate(chances[: count - had]):
                    after[had + more] += chance * of_more
                reached += chance * sum(chances[count - had :])
        below = after
    return min(1.0, reached)


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def _log_choose(trials: int, hits: int) -> float:
    return lgamma(trials + 1) - lgamma(hits + 1) - lgamma(trials - hits + 1)
