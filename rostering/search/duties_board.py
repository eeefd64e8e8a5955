"""The arrays that the duties search works on: what is asked, what is rostered, and room to draft in; no search, no rule.

One row a visit, a task (one slot of a visit: 2 * visit + slot), a run (one of each duty), a worker. Columns are named
by the constants here; times are ticks of the problem, costs points, and NOBODY (-1) stands for no visit, task or run.

The arrays are few and flat, and rows have a width known beforehand, which compiles and runs faster than tables: column
R_HOME of run r is run[RUN * r + R_HOME]. `by_visit` and the like show them to Python as tables.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

Ints = np.ndarray[Any, np.dtype[np.int64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]

NOBODY: Final = -1
NEVER: Final = 1 << 50
NONE: Final = 0
ONE: Final = 1
DRAFTS: Final = 4
"""How many runs one move may change: both slots of a double-up leave one and enter another."""

T_PLACE: Final = 0
T_SERVICE: Final = 1
T_RUN: Final = 2
T_BEFORE: Final = 3
T_AFTER: Final = 4
T_LO: Final = 5
T_HI: Final = 6
T_EARLY: Final = 7
T_LATE: Final = 8
T_START: Final = 9
T_OUT: Final = 10
V_SLOTS: Final = 11
V_SYNC_MIN: Final = 12
V_SYNC_MAX: Final = 13
V_WISH: Final = 14
V_DUE: Final = 15
V_PENALTY: Final = 16
V_FIXED: Final = 17
V_ANCHORED: Final = 18
V_WINDOW: Final = 19
V_WINDOW_END: Final = 20
V_RIVAL: Final = 21
V_RIVAL_END: Final = 22
V_PLACE: Final = 23
V_ABSENT_AT: Final = 24
V_LOAD: Final = 25
V_ABSENT: Final = 26
V_CUSTOMER: Final = 27
V_MATE: Final = 28
V_MATE_END: Final = 29
V_SOFT: Final = 30
V_NEAR: Final = 64
"""From here on the visits nearest to a visit; up to here the columns of its second task."""
NEAR_MAX: Final = 40
VISIT: Final = 104
TASK: Final = VISIT // 2
"""A task's columns are the first of its half of its visit's row."""

R_WORKER: Final = 0
R_OPENS: Final = 1
R_CLOSES: Final = 2
R_HOME: Final = 3
R_LEGS: Final = 4
R_FIRST: Final = 5
R_LAST: Final = 6
R_COUNT: Final = 7
R_COST: Final = 8
R_TIMING: Final = 9
R_WORST: Final = 10
R_LEAVE: Final = 11
R_BACK: Final = 12
R_WORKED: Final = 13
R_DRAFT: Final = 14
R_CAPACITY: Final = 15
R_KEPT: Final = 16
W_BREAK: Final = 17
W_BREAK_AFTER: Final = 18
W_HOURS_MAX: Final = 19
W_OWN: Final = 20
W_REST: Final = 21
W_LAST_BACK: Final = 22
W_WEEKLY: Final = 23
W_RUN: Final = 24
W_RUN_END: Final = 25
W_RULED: Final = 26
RUN: Final = 27

S_COST: Final = 0
S_ABSENT: Final = 1
S_DRAFTS: Final = 2
S_BEST: Final = 3
S_PUTS: Final = 4
S_OUTS: Final = 5
S_RETIMED: Final = 6
G_TRAVEL: Final = 7
G_WAITING: Final = 8
G_OFF: Final = 9
G_LATE: Final = 10
G_WORST: Final = 11
G_DAY: Final = 12
G_WEEK: Final = 13
G_WEEKS: Final = 14
G_ORIGIN: Final = 15
G_TIMED: Final = 16
G_STRANGER: Final = 17
G_SOFT: Final = 18
G_VISITS: Final = 19
G_RUNS: Final = 20
G_WORKERS: Final = 21
G_PLACES: Final = 22
G_NEARS: Final = 23
G_FOUND: Final = 24
G_LEGS: Final = 25
G_SOFTS: Final = 26
G_WIDE: Final = 27
SUM_COLUMNS: Final = 28

C_RUN: Final = SUM_COLUMNS + 0
C_COUNT: Final = SUM_COLUMNS + 1
C_COST: Final = SUM_COLUMNS + 2
C_TIMING: Final = SUM_COLUMNS + 3
C_WORST: Final = SUM_COLUMNS + 4
C_LEAVE: Final = SUM_COLUMNS + 5
C_BACK: Final = SUM_COLUMNS + 6
C_WORKED: Final = SUM_COLUMNS + 7
P_TASK: Final = SUM_COLUMNS + 8
P_RUN: Final = SUM_COLUMNS + 9
P_BEFORE: Final = SUM_COLUMNS + 10
P_AFTER: Final = SUM_COLUMNS + 11
C_OUT: Final = SUM_COLUMNS + 12
C_RETIMED: Final = SUM_COLUMNS + 13
C_LO: Final = SUM_COLUMNS + 14
C_HI: Final = SUM_COLUMNS + 15
DRAFT: Final = 16

LINES: Final = SUM_COLUMNS + DRAFTS * DRAFT
D_TASK: Final = LINES + 0
D_LEG: Final = LINES + 1
D_EARLY: Final = LINES + 2
D_LATE: Final = LINES + 3
D_START: Final = LINES + 4
D_TRY: Final = LINES + 5
D_EARLY_PAUSED: Final = LINES + 6
D_LATE_PAUSED: Final = LINES + 7
D_WISHED: Final = LINES + 8
D_BLOCK: Final = LINES + 9
D_SORTED: Final = LINES + 10
D_POOL: Final = LINES + 11
ROW: Final = 12
LINE: Final = DRAFTS * ROW
SPAN: Final = 3
KEPT: Final = 3

F_COST: Final = 0
F_RUN: Final = 1
F_BEFORE: Final = 2
F_FIRST: Final = 3
F_LAST: Final = 4
PLACE: Final = 5
PLACES_MAX: Final = 40
PAIRS_MAX: Final = 12
PAIRS: Final = PLACES_MAX
ONES: Final = PAIRS + PAIRS_MAX
"""Of the places looked at (rows of PLACE in Board.work, from work[G_FOUND] on), those where the pairs of places and the
places of a first slot begin; a second slot's are first."""


class Board(NamedTuple):
    """What is asked (`visit`, `run`, `table`, `may`), what is rostered (`visit`, `run`) and room to draft in (`work`).

    visit: a row of VISIT numbers a visit (V_), in each half of which is a task (T_), at TASK * task; the column V_ABSENT
    is a list of the visits in no run, the first work[S_ABSENT] rows. run: a row of RUN a run (R_), the end of which is
    what its worker's rules say (W_). may[work[G_WORKERS] * task + worker]: who may do what.
    table: spans, three numbers each, at SPAN * span: (earliest, latest) of a window, or a rival: (visit, ticks before its
    start, ticks after its end) closed to a start, or a visit of the same customer; then legs, at R_LEGS + work[G_PLACES]
    * from + to; then a row of points by worker a visit, at V_SOFT, and a row a customer, at V_CUSTOMER (duties_seen).
    work: the totals (S_), the costs and the calendar (G_); then the changed runs, draft i at DRAFT * i (C_), whose rows
    also say a move: a task put in (P_), one that leaves (C_OUT) and one retimed, with its bounds before; then their
    stops, stop p of draft i at LINE * p + ROW * i (D_); then places looked at for the slots of a visit, and pairs of
    them (see duties_insert).
    """

    visit: Ints
    run: Ints
    table: Ints
    may: Bools
    work: Ints


def by_visit(board: Board) -> Ints:
    """A row a visit."""
    return board.visit.reshape(-1, VISIT)


def by_task(board: Board) -> Ints:
    """A row a task."""
    return board.visit.reshape(-1, TASK)


def by_run(board: Board) -> Ints:
    """A row a run."""
    return board.run.reshape(-1, RUN)


def by_worker(board: Board) -> Bools:
    """Who may do what: a row a task, a column a worker."""
    return board.may.reshape(-1, int(board.work[G_WORKERS]))


def by_soft(board: Board) -> Ints:
    """A row a visit, then a row a customer: see duties_seen."""
    return board.table[board.work[G_SOFTS] :].reshape(-1, int(board.work[G_WIDE]))


def by_span(board: Board) -> Ints:
    """A row a span."""
    return board.table[: board.work[G_LEGS]].reshape(-1, SPAN)


def nobody_kept(*, board: Board) -> Ints:
    """A row of KEPT a task, then a row a run, for a roster kept (duties_anneal.keep_best): nobody goes anywhere."""
    return np.full(KEPT * int(2 * board.work[G_VISITS] + board.work[G_RUNS]), NOBODY, dtype=np.int64)
