"""Visits of one customer whose own times contradict the gap between them: a matter of the plan, whoever comes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from itertools import combinations

from rostering.constraint import Span
from rostering.problem import Demand
from rostering.search.compiled import Compiled


def can_both_be(*, one: Demand, other: Demand, one_starts: Collection[Span], other_starts: Collection[Span]) -> bool:
    """Whether two visits of a customer, with these legal starts, can keep the larger of their gaps one way round or the other."""
    gap = max(one.gap_seconds, other.gap_seconds)
    if not gap or not one_starts or not other_starts:
        return True
    return _can_precede(one, gap, one_starts, other_starts) or _can_precede(other, gap, other_starts, one_starts)


def _can_precede(first: Demand, gap: int, starts: Collection[Span], after: Collection[Span]) -> bool:
    apart = 0 if first.sync.independent else first.sync.min_seconds
    shortest = max(slot.service_seconds + (apart if k else 0) for k, slot in enumerate(first.slots))
    return min(lo for lo, _ in starts) + shortest + gap <= max(hi for _, hi in after)


def contradicted(*, compiled: Compiled, visits: Collection[int]) -> int:
    """Worker-visits of these that no roster can fill because the customer's own visits are too near: a bound.

    Of each two that cannot both be, the smaller is lost; no visit is counted twice.
    """
    of_customer: dict[str, list[int]] = defaultdict(list)
    for d in visits:
        of_customer[compiled.demands[d].customer].append(d)
    lost = 0
    for mine in of_customer.values():
        clashes = [pair for pair in combinations(mine, 2) if not _can(compiled, *pair)]
        taken: set[int] = set()
        for pair in sorted(clashes, key=lambda pair: -_smaller(compiled, pair)):
            if taken.isdisjoint(pair):
                taken.update(pair)
                lost += _smaller(compiled, pair)
    return lost


def _can(compiled: Compiled, a: int, b: int) -> bool:
    return can_both_be(
        one=compiled.demands[a],
        other=compiled.demands[b],
        one_starts=compiled.windows[a],
        other_starts=compiled.windows[b],
    )


def _smaller(compiled: Compiled, pair: tuple[int, int]) -> int:
    return min(len(compiled.demands[d].slots) for d in pair)
