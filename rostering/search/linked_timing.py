"""When the visits of a changed roster start: earliest starts in the order of keys, and whether the change is legal and pays.

`settle` times what a change touched and undoes everything when it costs too much or breaks a window or a shift.
"""

from __future__ import annotations

from rostering.search.kernel.heap import Heap, clear, pop, push
from rostering.search.kernel.jit import folded, inner
from rostering.search.kernel.links import AFTER, BEFORE, LAST, RUN, Ints
from rostering.search.linked_state import (
    DIRTY,
    DIRTY_VISIT,
    EXTRA,
    LATE,
    NEVER,
    START,
    START_WAS,
    TIMED,
    TIMED_STOP,
    TOUCHED,
    TOUCHED_RUN,
    TRAVEL,
    WORST,
    Journal,
    State,
    larger,
    late_by,
    set_start,
    touch,
    undo,
)
from rostering.search.linked_tables import (
    BACK_BY,
    DUE,
    LATEST,
    LEAST,
    LEAVES,
    MOST,
    PER_LATE,
    PER_TRAVEL,
    PER_WORST,
    READY,
    SERVICE,
    SLOTS,
    Tables,
)


@folded
def settle(tables: Tables, state: State, journal: Journal, heap: Heap, bound: float) -> bool:
    """Whether the change is legal and costs less than `bound`: then it is kept, with its times; else undone."""
    weights, sums, more = tables.run, state.sums, journal.sums
    fixed = weights[PER_TRAVEL] * more[TRAVEL] + more[EXTRA]
    least = fixed - weights[PER_LATE] * sums[LATE] - weights[PER_WORST] * sums[WORST]
    if least < bound and _retimed(tables, state, journal, heap, bound, fixed) and _all_back(tables, state, journal):
        worst = _worst(tables, state, journal)
        cost = fixed + weights[PER_LATE] * more[LATE] + weights[PER_WORST] * (worst - sums[WORST])
        if cost < bound:
            sums[TRAVEL] += more[TRAVEL]
            sums[LATE] += more[LATE]
            sums[EXTRA] += more[EXTRA]
            sums[WORST] = worst
            return True
    undo(state, journal)
    return False


@folded
def _retimed(tables: Tables, state: State, journal: Journal, heap: Heap, bound: float, fixed: int) -> bool:
    """Times every marked visit and all that follow from it; False as soon as that is illegal or too dear.

    Keys rise along every run, so that no visit is timed twice; a visit's lateness, once it is timed, is final.
    """
    key, stop, more, visit = state.key, state.stop, journal.sums, tables.visit
    per_late, per_worst, worst_was = tables.run[PER_LATE], tables.run[PER_WORST], state.sums[WORST]
    for i in range(more[DIRTY]):
        v = journal.steps[16 * i + DIRTY_VISIT]
        if stop[8 * v + RUN] >= 0:
            push(heap, key, v)
    left = state.sums[LATE] + more[LATE]
    worst = 0
    while heap.size[0] > 0:
        v = pop(heap, key)
        first, second = starts_of(tables, stop, v)
        if first > visit[8 * v + LATEST]:
            clear(heap)
            return False
        due = visit[8 * v + DUE]
        for t in range(2 * v, 2 * v + visit[8 * v + SLOTS]):
            now = second if t & 1 else first
            was = late_by(stop[4 * t + START], due)
            left -= was
            if now == stop[4 * t + START]:
                continue
            more[LATE] += late_by(now, due) - was
            set_start(state, journal, t, now)
            following = stop[4 * t + AFTER]
            if following >= 0:
                push(heap, key, following >> 1)
            else:
                touch(journal, stop[4 * t + RUN])
        worst = larger(worst, larger(first, second) - due)
        if fixed + per_late * (more[LATE] - left) + per_worst * (worst - worst_was) >= bound:
            clear(heap)
            return False
    return True


@folded
def _arrival(tables: Tables, stop: Ints, t: int) -> int:
    p = stop[4 * t + BEFORE]
    if p < 0:
        r = stop[4 * t + RUN]
        return tables.run[8 * r + LEAVES] + tables.leg[tables.leg.shape[1] + 2 * r, t >> 1]  # type: ignore[no-any-return]
    return stop[4 * p + START] + tables.visit[8 * (p >> 1) + SERVICE + (p & 1)] + tables.leg[p >> 1, t >> 1]  # type: ignore[no-any-return]


@folded
def starts_of(tables: Tables, stop: Ints, v: int) -> tuple[int, int]:
    """The earliest starts of the visit's stops after the stops before them; the second is NEVER for one slot."""
    visit = tables.visit
    first = larger(_arrival(tables, stop, 2 * v), visit[8 * v + READY])
    if visit[8 * v + SLOTS] == 1:
        return first, NEVER
    second = larger(_arrival(tables, stop, 2 * v + 1), first + visit[8 * v + LEAST])
    first = larger(first, second - visit[8 * v + MOST])
    return first, second


@folded
def too_late(tables: Tables, state: State, r: int) -> bool:
    """Whether run `r` comes back after it must."""
    t = state.run[2 * r + LAST]
    if t < 0:
        return False
    back = state.stop[4 * t + START] + tables.visit[8 * (t >> 1) + SERVICE + (t & 1)]
    return back + tables.leg[tables.leg.shape[1] + 2 * r + 1, t >> 1] > tables.run[8 * r + BACK_BY]  # type: ignore[no-any-return]


@folded
def _all_back(tables: Tables, state: State, journal: Journal) -> bool:
    for i in range(journal.sums[TOUCHED]):  # noqa: SIM110 -- compiled: no generators
        if too_late(tables, state, journal.steps[16 * i + TOUCHED_RUN]):
            return False
    return True


@folded
def _worst(tables: Tables, state: State, journal: Journal) -> int:
    """The worst lateness with the change; every stop is looked at only when the worst one got better."""
    worst = state.sums[WORST]
    found = 0
    better = False
    for i in range(journal.sums[TIMED]):
        t = journal.steps[16 * i + TIMED_STOP]
        due = tables.visit[8 * (t >> 1) + DUE]
        found = larger(found, late_by(state.stop[4 * t + START], due))
        if worst > 0 and journal.steps[16 * i + START_WAS] - due >= worst:
            better = True
    if found >= worst or not better:
        return larger(found, worst)
    return worst_of(tables, state)


@inner
def worst_of(tables: Tables, state: State) -> int:
    """The worst lateness over all stops."""
    worst = 0
    for t in range(len(state.stop) >> 2):
        worst = larger(worst, late_by(state.stop[4 * t + START], tables.visit[8 * (t >> 1) + DUE]))
    return worst
