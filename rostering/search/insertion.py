"""The cheapest place to put one visit into a roster that is being searched; it never moves other stops' order."""

# ruff: noqa: PLR1730 -- in the innermost loop an `if` is far cheaper than `min` or `max`

from __future__ import annotations

import math
import random
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rostering.constraint import Span
from rostering.search.compiled import Compiled
from rostering.search.state import SearchState

ALL = 10**9


class Gap(NamedTuple):
    """A place for a slot: what it adds to the cost, the duty, the position, and the starts it allows there."""

    cost: int
    r: int
    at: int
    first: int
    last: int
    window: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How hard an insertion looks. With a random source it overlooks a gap now and then, so as not always to do the same.

    `singles` and `pairs` bound how many gaps of a visit are tried for rules of a run; `sides` how many of each half of
    a double-up are paired.
    """

    singles: int = 12
    pairs: int = 6
    sides: int = 60
    rng: random.Random | None = None
    overlook_rate: float = 0.01

    def next_overlooked(self) -> int:
        """After how many gaps the next one is overlooked."""
        if self.rng is None:
            return ALL
        return 1 + int(math.log(1.0 - self.rng.random()) / math.log(1.0 - self.overlook_rate))


QUICK = Look()
THOROUGH = Look(singles=ALL, pairs=ALL, sides=ALL)


def gaps(*, state: SearchState, d: int, k: int, window: Span, look: Look = THOROUGH, keep: int = ALL) -> list[Gap]:
    """Gaps where slot k of visit d fits by time, the `keep` cheapest at least, in no order.

    Rules of a run, such as breaks, are not looked at yet.
    """
    compiled = state.compiled
    demand = compiled.demands[d]
    here, service = demand.place, demand.slots[k].service_seconds
    lo, hi = window
    weight, soft, runs, duties = compiled.problem.weights.travel, compiled.soft_cost[d][k], state.runs, compiled.duties
    found: list[Gap] = []
    bound = math.inf
    overlooked = look.next_overlooked()
    for r in compiled.eligible[d][k]:
        duty = duties[r]
        end, home = duty.end, duty.home
        if end < lo or duty.start > hi:
            continue
        run, matrix, base = runs[r], duty.matrix, soft[duty.worker]
        places, late, ends = run.places, run.late, run.ends_early
        n = len(places)
        for at in range(bisect_left(late, lo + service), bisect_right(ends, hi) + 1):
            before = places[at - 1] if at else home
            after = places[at] if at < n else home
            leg_in = 0 if before is None else matrix[before][here]
            leg_out = 0 if after is None else matrix[here][after]
            cost = base + weight * (leg_in + leg_out)
            if n and before is not None and after is not None:
                cost -= weight * matrix[before][after]
            if cost >= bound:
                continue
            first = (ends[at - 1] if at else duty.start) + leg_in
            if first < lo:
                first = lo
            last = (late[at] if at < n else end) - leg_out - service
            if last > hi:
                last = hi
            if first > last:
                continue
            overlooked -= 1
            if not overlooked:
                overlooked = look.next_overlooked()
                continue
            found.append(Gap(cost, r, at, first, last, window))
        if len(found) > 3 * keep:
            found.sort()
            del found[keep:]
            bound = found[-1].cost
    return found


def pick_start(*, first: int, last: int, wanted: int | None, blocked: Sequence[Span]) -> int | None:
    """The allowed start in [first, last] nearest to the wanted one (or the earliest); None when all are blocked."""
    want = first if wanted is None else min(max(wanted, first), last)
    tries = [want, *(edge for span in blocked for edge in span)]
    free = [t for t in tries if first <= t <= last and not any(a < t < b for a, b in blocked)]
    return min(free, key=lambda t: (abs(t - want), t), default=None)


def insert(*, state: SearchState, d: int, look: Look = QUICK) -> bool:
    """Put visit d where it costs least, all of its slots or none; False when no gap takes it."""
    return _insert_pair(state, d, look) if len(state.compiled.demands[d].slots) == 2 else _insert_single(state, d, look)


def _late_cost(compiled: Compiled, d: int, start: int) -> int:
    due = compiled.demands[d].due
    return 0 if due is None or start <= due else compiled.problem.weights.lateness * (start - due)


def _insert_single(state: SearchState, d: int, look: Look) -> bool:
    compiled = state.compiled
    options = [
        gap
        for window in compiled.windows[d]
        for gap in gaps(state=state, d=d, k=0, window=window, look=look, keep=look.singles)
    ]
    if compiled.demands[d].due is not None:
        options = [gap._replace(cost=gap.cost + _late_cost(compiled, d, gap.first)) for gap in options]
    options.sort()
    blocked = compiled.blocked(d, state.spans) if compiled.anchored[d] else []
    for gap in options[: look.singles]:
        if not compiled.anchored[d]:
            run = state.with_stop(r=gap.r, at=gap.at, d=d, k=0, lo=gap.window[0], hi=gap.window[1])
            if run is not None and state.place(d=d, changed={gap.r: run}, slots={0: gap.r}, span=None):
                return True
            continue
        for wanted in _wishes(compiled, d, gap, look):
            start = pick_start(first=gap.first, last=gap.last, wanted=wanted, blocked=blocked)
            if start is not None and _place_anchored(state, d, gap, start):
                return True
    return False


def _wishes(compiled: Compiled, d: int, gap: Gap, look: Look) -> tuple[int | None, ...]:
    preferred = compiled.demands[d].preferred_start
    return (preferred, gap.first, gap.last) if look is THOROUGH else (preferred,)


def _place_anchored(state: SearchState, d: int, gap: Gap, start: int) -> bool:
    run = state.with_stop(r=gap.r, at=gap.at, d=d, k=0, lo=start, hi=start)
    span = (start, start + state.compiled.demands[d].slots[0].service_seconds)
    return run is not None and state.place(d=d, changed={gap.r: run}, slots={0: gap.r}, span=span)


def _insert_pair(state: SearchState, d: int, look: Look) -> bool:
    compiled = state.compiled
    sync = compiled.demands[d].sync
    blocked = compiled.blocked(d, state.spans)
    for window in compiled.windows[d]:
        second = (window[0] + sync.min_seconds, window[1] + sync.max_seconds)
        ones = sorted(gaps(state=state, d=d, k=0, window=window, look=look, keep=look.sides))
        twos = sorted(gaps(state=state, d=d, k=1, window=second, look=look, keep=look.sides))
        for one, two in _cheapest_pairs(compiled, d, ones, twos, look.pairs):
            starts = _pair_starts(compiled, d, one, two, blocked)
            if starts is not None and _place_pair(state, d, (one, two), starts):
                return True
    return False


def _cheapest_pairs(compiled: Compiled, d: int, ones: list[Gap], twos: list[Gap], keep: int) -> list[tuple[Gap, Gap]]:
    """The `keep` cheapest pairs of gaps of different workers whose starts can meet, by rising cost."""
    sync, duties = compiled.demands[d].sync, compiled.duties
    found: list[tuple[int, int, int]] = []
    bound = math.inf
    for i, one in enumerate(ones):
        if not twos or one.cost + twos[0].cost >= bound:
            break
        worker = duties[one.r].worker
        for j, two in enumerate(twos):
            cost = one.cost + two.cost
            if cost >= bound:
                break
            if one.first + sync.min_seconds > two.last or two.first > one.last + sync.max_seconds:
                continue
            if duties[two.r].worker != worker:
                insort(found, (cost, i, j))
                if len(found) > keep:
                    found.pop()
                    bound = found[-1][0]
    return [(ones[i], twos[j]) for _, i, j in found]


def _pair_starts(compiled: Compiled, d: int, one: Gap, two: Gap, blocked: Sequence[Span]) -> tuple[int, int] | None:
    demand = compiled.demands[d]
    least, most = demand.sync.min_seconds, demand.sync.max_seconds
    first, last = max(one.first, two.first - most), min(one.last, two.last - least)
    if first > last:
        return None
    start = pick_start(first=first, last=last, wanted=demand.preferred_start, blocked=blocked)
    return None if start is None else (start, max(two.first, start + least))


def _place_pair(state: SearchState, d: int, pair: tuple[Gap, Gap], starts: tuple[int, int]) -> bool:
    demand = state.compiled.demands[d]
    changed = {}
    for k, (gap, start) in enumerate(zip(pair, starts, strict=True)):
        run = state.with_stop(r=gap.r, at=gap.at, d=d, k=k, lo=start, hi=start)
        if run is None:
            return False
        changed[gap.r] = run
    ends = [start + slot.service_seconds for start, slot in zip(starts, demand.slots, strict=True)]
    slots = {0: pair[0].r, 1: pair[1].r}
    return state.place(d=d, changed=changed, slots=slots, span=(min(starts), max(ends)))
