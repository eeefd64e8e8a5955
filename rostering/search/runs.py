"""One run while it is being built: its order, windows, earliest, latest and chosen starts, and its cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rostering.constraint import RunTimes
from rostering.search.compiled import Compiled, Duty

BREAK_TRIES_MAX = 4
Item = tuple[int, int]
"""(demand number, slot)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """A feasible run of a duty. early[i] and late[i] bound the start of stop i; times are the starts chosen."""

    items: tuple[Item, ...]
    lo: tuple[int, ...]
    hi: tuple[int, ...]
    places: tuple[int, ...]
    ends_early: tuple[int, ...]
    early: tuple[int, ...]
    late: tuple[int, ...]
    times: RunTimes
    travel: int
    cost: int
    late_worst: int


EMPTY = RunState(
    items=(),
    lo=(),
    hi=(),
    places=(),
    ends_early=(),
    early=(),
    late=(),
    times=RunTimes(0, 0, (), (), ()),
    travel=0,
    cost=0,
    late_worst=0,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    legs: list[int]
    services: list[int]
    last_leg: int
    lo: Sequence[int]
    hi: Sequence[int]


def timed(
    *, compiled: Compiled, r: int, items: Sequence[Item], lo: Sequence[int], hi: Sequence[int]
) -> RunState | None:
    """The run of duty `r` with these stops in this order, timed; None when no starts keep every rule of a run.

    A long run without a natural wait is given its break by trying a pause after each stop, longest wait first.
    """
    if not items:
        return EMPTY
    duty = compiled.duties[r]
    worker = compiled.workers[duty.worker]
    draft = _draft(compiled, duty, items, lo, hi)
    plain = _bounds(draft, duty, -1, 0)
    if plain is None:
        return None
    tries = [(-1, plain)]
    if worker.break_rule is not None:
        tries += _with_pause(draft, duty, plain[0], worker.break_rule.seconds)
    wanted = [compiled.demands[d].preferred_start for d, _ in items]
    for at, bounds in tries:
        pause = worker.break_rule.seconds if at >= 0 and worker.break_rule is not None else 0
        for starts in _choices(draft, bounds, wanted, at, pause):
            times = _times(draft, starts)
            if all(rule(worker, times) for rule in compiled.run_rules):
                return _state(compiled, duty, items, draft, bounds, times)
    return None


def _draft(compiled: Compiled, duty: Duty, items: Sequence[Item], lo: Sequence[int], hi: Sequence[int]) -> _Draft:
    matrix, here = duty.matrix, duty.home
    legs: list[int] = []
    services: list[int] = []
    for d, k in items:
        demand = compiled.demands[d]
        legs.append(0 if here is None else matrix[here][demand.place])
        services.append(demand.slots[k].service_seconds)
        here = demand.place
    last = 0 if duty.home is None or here is None else matrix[here][duty.home]
    return _Draft(legs=legs, services=services, last_leg=last, lo=lo, hi=hi)


def _bounds(draft: _Draft, duty: Duty, at: int, pause: int) -> tuple[list[int], list[int]] | None:
    free, early = duty.start, []
    for i, leg in enumerate(draft.legs):
        start = max(free + leg, draft.lo[i])
        if start > draft.hi[i]:
            return None
        early.append(start)
        free = start + draft.services[i] + (pause if i == at else 0)
    if free + draft.last_leg > duty.end:
        return None
    late: list[int] = [0] * len(early)
    limit = duty.end - draft.last_leg
    for i in range(len(early) - 1, -1, -1):
        limit -= draft.services[i] + (pause if i == at else 0)
        late[i] = limit = min(draft.hi[i], limit)
        limit -= draft.legs[i]
    return early, late


def _with_pause(
    draft: _Draft, duty: Duty, early: list[int], pause: int
) -> list[tuple[int, tuple[list[int], list[int]]]]:
    waits = [(early[i + 1] - early[i] - draft.services[i] - draft.legs[i + 1], -i) for i in range(len(early) - 1)]
    tries = []
    for _, minus in sorted(waits, reverse=True)[:BREAK_TRIES_MAX]:
        bounds = _bounds(draft, duty, -minus, pause)
        if bounds is not None:
            tries.append((-minus, bounds))
    return tries


def _choices(
    draft: _Draft, bounds: tuple[list[int], list[int]], wanted: list[int | None], at: int, pause: int
) -> list[list[int]]:
    """Starts to try: as near to the preferred as the order allows, as early as possible, and in the shortest span."""
    early, late = bounds
    wished = [start if want is None else want for want, start in zip(wanted, early, strict=True)]
    choices = [_settled(draft, early, late, wished, at, pause)] if wished != early else []
    return [*choices, early, _settled(draft, early, [*late[:-1], early[-1]], late, at, pause)]


def _settled(draft: _Draft, early: list[int], late: list[int], wished: list[int], at: int, pause: int) -> list[int]:
    """Each start as near to the wished as the bounds and the stop after it allow, from the last stop backwards."""
    starts = list(early)
    limit = late[-1]
    for i in range(len(early) - 1, -1, -1):
        starts[i] = max(early[i], min(wished[i], late[i], limit))
        if i:
            limit = starts[i] - draft.legs[i] - draft.services[i - 1] - (pause if i - 1 == at else 0)
    return starts


def _times(draft: _Draft, starts: list[int]) -> RunTimes:
    ends = [start + service for start, service in zip(starts, draft.services, strict=True)]
    arrives = [starts[0], *(end + leg for end, leg in zip(ends, draft.legs[1:], strict=False))]
    return RunTimes(starts[0] - draft.legs[0], ends[-1] + draft.last_leg, arrives, starts, ends)


def _state(
    compiled: Compiled,
    duty: Duty,
    items: Sequence[Item],
    draft: _Draft,
    bounds: tuple[list[int], list[int]],
    times: RunTimes,
) -> RunState:
    weights = compiled.problem.weights
    travel = sum(draft.legs) + draft.last_leg
    cost = weights.travel * travel
    worst = 0
    for i, (d, k) in enumerate(items):
        demand, start = compiled.demands[d], times.starts[i]
        cost += compiled.soft_cost[d][k][duty.worker] + weights.waiting * (start - times.arrives[i])
        if demand.preferred_start is not None:
            cost += weights.off_preferred * abs(start - demand.preferred_start)
        if demand.due is not None and start > demand.due:
            cost += weights.lateness * (start - demand.due)
            worst = max(worst, start - demand.due)
    early, late = bounds
    return RunState(
        items=tuple(items),
        lo=tuple(draft.lo),
        hi=tuple(draft.hi),
        places=tuple(compiled.demands[d].place for d, _ in items),
        ends_early=tuple(start + service for start, service in zip(early, draft.services, strict=True)),
        early=tuple(early),
        late=tuple(late),
        times=times,
        travel=travel,
        cost=cost,
        late_worst=worst,
    )
