"""The roster that the duties search begins with: a warm start or nothing, then fixed visits, then the others by insertion.

And how a kept roster is read back. It does not search.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rostering.search.compiled import Compiled
from rostering.search.duties_board import (
    G_FOUND,
    G_LEGS,
    G_NEARS,
    G_OFF,
    G_PLACES,
    G_STRANGER,
    G_TRAVEL,
    G_VISITS,
    G_WORKERS,
    G_WORST,
    KEPT,
    NEVER,
    NOBODY,
    ONES,
    PLACE,
    R_COST,
    R_WORKER,
    R_WORST,
    S_ABSENT,
    S_COST,
    T_HI,
    T_LO,
    T_RUN,
    T_START,
    V_ABSENT,
    V_ABSENT_AT,
    V_NEAR,
    V_PLACE,
    V_SLOTS,
    V_SYNC_MAX,
    V_SYNC_MIN,
    V_WINDOW,
    V_WINDOW_END,
    V_WISH,
    Board,
    Ints,
    by_run,
    by_soft,
    by_span,
    by_task,
    by_visit,
    by_worker,
)
from rostering.search.duties_draft import hold
from rostering.search.duties_insert import insert_all
from rostering.search.duties_seen import TEAM
from rostering.search.duties_tables import board_of
from rostering.search.engine import Stops

PLACES_TRIED = 12
NEAREST = 10
WISH_SHARE = 0.15
FEW = 60


def first_board(*, compiled: Compiled, start: Mapping[int, Stops] | None) -> Board:
    """A board with every visit in a run that insertion finds a place for, from `start` when there is one.

    Fixed visits (pinned, accepted pop-backs) go in before any ordinary one. When one of them finds no place, the
    others are held where they are, worker and start, so that it stays true that ordinary visits were not the reason.
    """
    board = _started(compiled, start or {})
    fixed = [d for d in urgency(compiled=compiled) if compiled.fixed[d]]
    _insert_fixed(board, fixed)
    if start and _absent(board, fixed):
        only = {r: tuple(stop for stop in stops if compiled.fixed[stop[0]]) for r, stops in start.items()}
        bare = _started(compiled, only)
        _insert_fixed(bare, fixed)
        if _absent(bare, fixed) < _absent(board, fixed):
            board = bare
    if _absent(board, fixed):
        freeze(board=board, visits=[d for d in fixed if by_visit(board)[d, V_ABSENT_AT] == NOBODY])
    insert_all(board, np.array(urgency(compiled=compiled), dtype=np.int64), PLACES_TRIED)
    return board


def urgency(*, compiled: Compiled) -> list[int]:
    """Visits in the order in which they are inserted: pinned, accepted pop-backs, the rest; hardest first."""
    return sorted(range(len(compiled.demands)), key=lambda d: _rank(compiled, d))


def _rank(compiled: Compiled, d: int) -> tuple[int, int, int, int, int]:
    demand = compiled.demands[d]
    rank = 0 if demand.is_pinned else 1 if demand.must_keep else 2
    windows = compiled.windows[d]
    choice = min((len(duties) for duties in compiled.eligible[d]), default=0)
    scarce = 0 if choice * 3 < len(compiled.duties) else 1
    return rank, -len(demand.slots), scarce, windows[0][0] if windows else 0, d


def _absent(board: Board, visits: Sequence[int]) -> int:
    visit = by_visit(board)
    return sum(int(visit[d, V_ABSENT_AT] != NOBODY) for d in visits)


def _insert_fixed(board: Board, fixed: Sequence[int]) -> None:
    """Until no more go in: a visit can give another the break its run lacked."""
    all_places = (len(board.work) - int(board.work[G_FOUND])) // PLACE - ONES
    while insert_all(board, np.array(fixed, dtype=np.int64), all_places):
        pass


def freeze(*, board: Board, visits: Sequence[int]) -> None:
    """These rostered visits keep their workers and starts from here on."""
    visit, task, may, spans = by_visit(board), by_task(board), by_worker(board), by_span(board)
    for d in visits:
        starts = [int(task[2 * d + k, T_START]) for k in range(visit[d, V_SLOTS])]
        at = visit[d, V_WINDOW]
        visit[d, V_WINDOW_END] = at + 1
        spans[at, :2] = starts[0]
        if len(starts) == 2:
            visit[d, [V_SYNC_MIN, V_SYNC_MAX]] = starts[1] - starts[0]
        for k, start in enumerate(starts):
            t = 2 * d + k
            task[t, [T_LO, T_HI]] = start
            may[t] = False
            may[t, by_run(board)[task[t, T_RUN], R_WORKER]] = True


def _started(compiled: Compiled, start: Mapping[int, Stops]) -> Board:
    """A board with those runs of `start` that are legal; visits with only one of two slots left are taken out."""
    kept = {r: stops for r, stops in start.items() if stops}
    while True:
        board = board_of(compiled=compiled)
        held = [stop for r in sorted(kept) for stop in _held(compiled, board, r, kept[r])]
        slots = [d for d, _, _ in held]
        whole = {d for d in slots if slots.count(d) == len(compiled.demands[d].slots)}
        if len(whole) == len(set(slots)):
            _settle(compiled, board, whole)
            return board
        kept = {r: tuple(stop for stop in stops if stop[0] in whole) for r, stops in kept.items()}


def _held(compiled: Compiled, board: Board, r: int, stops: Stops) -> Stops:
    """The stops that run `r` was given: all, or none when a rule forbids them."""
    worker = compiled.duties[r].worker
    if not stops or not all(by_worker(board)[2 * d + k, worker] for d, k, _ in stops):
        return ()
    tasks = np.array([2 * d + k for d, k, _ in stops], dtype=np.int64)
    exact = np.array([(begins, begins) for _, _, begins in stops], dtype=np.int64)
    legal = all(any(a <= begins <= b for a, b in _bounds(compiled, d, k)) for d, k, begins in stops)
    if not legal or not _held_within(board, r, tasks, exact):
        return ()
    points = by_run(board)[r, R_COST]
    wide = [_window_of(compiled, d, begins) for d, _, begins in stops]
    if not _held_within(board, r, tasks, np.array(wide, dtype=np.int64)) or by_run(board)[r, R_COST] > points:
        _held_within(board, r, tasks, exact)
    return stops


def _held_within(board: Board, r: int, tasks: Ints, bounds: Ints) -> bool:
    by_task(board)[tasks, T_LO], by_task(board)[tasks, T_HI] = bounds[:, 0], bounds[:, 1]
    return hold(board, r, tasks)


def _bounds(compiled: Compiled, d: int, k: int) -> list[tuple[int, int]]:
    """The windows of slot `k`'s start."""
    sync = compiled.demands[d].sync
    least, most = (sync.min_seconds, sync.max_seconds) if k else (0, 0)
    return [(lo + least, hi + most) for lo, hi in compiled.windows[d]]


def _window_of(compiled: Compiled, d: int, begins: int) -> tuple[int, int]:
    """How far a start may give way: within its window, not at all when it must stay put."""
    if compiled.anchored[d]:
        return begins, begins
    return next((lo, hi) for lo, hi in compiled.windows[d] if lo <= begins <= hi)


def _settle(compiled: Compiled, board: Board, placed: set[int]) -> None:
    """The list of absent visits, the penalties and the worst lateness after runs were held."""
    absent = [d for d in range(len(compiled.demands)) if d not in placed]
    visit, run = by_visit(board), by_run(board)
    visit[:, V_ABSENT_AT] = NOBODY
    for at, d in enumerate(absent):
        visit[at, V_ABSENT], visit[d, V_ABSENT_AT] = d, at
    board.work[S_ABSENT] = len(absent)
    board.work[S_COST] = (
        int(run[:, R_COST].sum())
        + sum(compiled.penalty[d] for d in absent)
        + int(board.work[G_WORST]) * int(run[:, R_WORST].max(initial=0))
        + int(board.work[G_STRANGER]) * strangers(board=board)
    )


def strangers(*, board: Board) -> int:
    """Worker-visits that are not by one of their customer's three commonest workers, those that nobody does among them."""
    more = by_soft(board)[board.work[G_VISITS] :, board.work[G_WORKERS] + 1 :]
    return int(by_visit(board)[:, V_SLOTS].sum()) - int(np.minimum(more, TEAM).sum())


def runs_of(*, board: Board, kept: Ints) -> dict[int, Stops]:
    """The stops of each duty that has any, of the roster in `kept` (see keep_best)."""
    rows = kept.reshape(-1, KEPT).tolist()
    runs: dict[int, Stops] = {}
    for r, (first, _, _) in enumerate(rows[2 * board.work[G_VISITS] :]):
        t, stops = first, []
        while t >= 0:
            _, after, start = rows[t]
            stops.append((t >> 1, t & 1, start))
            t = after
        if stops:
            runs[r] = tuple(stops)
    return runs


def heats_of(*, board: Board) -> tuple[float, float]:
    """Points of a small change, when the search is hot and when it is cold; more for few visits.

    Cold: a journey between near visits, or a part of the dearest wish. Hot: besides, a start at the far end of a window.
    """
    visit, visits = by_visit(board), int(board.work[G_VISITS])
    if not visits:
        return 1.0, 1.0
    legs, places_all = int(board.work[G_LEGS]), int(board.work[G_PLACES])
    leg = board.table[legs : legs + places_all**2].reshape(places_all, -1)
    places = visit[:, V_PLACE]
    near = visit[:, V_NEAR : V_NEAR + min(NEAREST, int(board.work[G_NEARS]))]
    journey = max(float(leg[places[:, None], places[near]].mean()), WISH_SHARE * float(leg.mean()))
    dearest = max(float(by_soft(board)[:visits].max(initial=0)), float(board.work[G_STRANGER]))
    wish = WISH_SHARE * dearest
    few = 1.0 + FEW / visits
    cold = max(1.0, journey * float(max(1, board.work[G_TRAVEL])), wish) * few
    wished = visit[:, V_WISH] != NEVER
    windows = by_span(board)[: visit[:, V_WINDOW_END].max()]
    wide = float((windows[:, 1] - windows[:, 0]).mean()) * float(wished.mean())
    return cold + float(board.work[G_OFF]) * wide * few, cold
