"""The arrays that the duties search works on: what is asked, what is rostered, and room to draft in; no search, no rule.

One row a visit, a task (one slot of a visit: 2 * visit + slot), a run (one of each duty), a worker. Columns are named
by the constants here; times are ticks of the problem, costs points, and NOBODY (-1) stands for no visit, task or run.
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

V_SLOTS: Final = 0
V_SYNC_MIN: Final = 1
V_SYNC_MAX: Final = 2
V_WISH: Final = 3
V_DUE: Final = 4
V_PENALTY: Final = 5
V_FIXED: Final = 6
V_ANCHORED: Final = 7
V_WINDOW: Final = 8
V_WINDOW_END: Final = 9
V_RIVAL: Final = 10
V_RIVAL_END: Final = 11
V_PLACE: Final = 12
V_ABSENT_AT: Final = 13
V_LOAD: Final = 14
V_ABSENT: Final = 15
V_CUSTOMER: Final = 16
V_MATE: Final = 17
V_MATE_END: Final = 18
VISIT_COLUMNS: Final = 19

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
TASK_COLUMNS: Final = 11

R_WORKER: Final = 0
R_OPENS: Final = 1
R_CLOSES: Final = 2
R_HOME: Final = 3
R_MODE: Final = 4
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
RUN_COLUMNS: Final = 27

C_RUN: Final = 0
C_COUNT: Final = 1
C_COST: Final = 2
C_TIMING: Final = 3
C_WORST: Final = 4
C_LEAVE: Final = 5
C_BACK: Final = 6
C_WORKED: Final = 7
P_TASK: Final = 8
P_RUN: Final = 9
P_BEFORE: Final = 10
P_AFTER: Final = 11
C_OUT: Final = 12
C_RETIMED: Final = 13
C_LO: Final = 14
C_HI: Final = 15
DRAFT_COLUMNS: Final = 16

D_TASK: Final = 0
D_LEG: Final = 1
D_EARLY: Final = 2
D_LATE: Final = 3
D_START: Final = 4
D_TRY: Final = 5
D_EARLY_PAUSED: Final = 6
D_LATE_PAUSED: Final = 7
D_WISHED: Final = 8
D_BLOCK: Final = 9
D_SORTED: Final = 10
D_POOL: Final = 11
LINE_COLUMNS: Final = 12

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
SUM_COLUMNS: Final = 19

F_COST: Final = 0
F_RUN: Final = 1
F_BEFORE: Final = 2
F_FIRST: Final = 3
F_LAST: Final = 4
F_COLUMNS: Final = 5
PLACES_MAX: Final = 40
PAIRS_MAX: Final = 12
PAIRS: Final = PLACES_MAX
ONES: Final = PAIRS + PAIRS_MAX
"""Rows of Board.found where the pairs of places and the places of a first slot begin; a second slot's are first."""


class Board(NamedTuple):
    """visit (n, ...), task (2n, ...), run, the costs and drafts of up to DRAFTS changed runs; few arrays compile faster.

    A row of visit ends, from VISIT_COLUMNS on, with the visits nearest to it, nearest first; the column V_ABSENT is a
    list of the visits in no run, the first sums[S_ABSENT] rows. A row of run ends with what its worker's rules say (W_).
    leg[mode, from, to]; may[task, worker]; soft[visit, worker] in points, and below them a row a customer (duties_seen).
    span[i] = (earliest, latest) of a window, or a rival: (visit, ticks before its start, ticks after its end) closed to a
    start, or a visit of the same customer. line[draft, column, position] and
    draft[draft] (C_) the changed runs; the rows of draft also say a move: a task put in (P_), one that leaves (C_OUT)
    and one retimed, with its bounds before. found: places looked at for the slots of a visit, and pairs of them (see
    duties_insert). sums: the totals (S_), the costs and the calendar (G_).
    """

    visit: Ints
    task: Ints
    run: Ints
    leg: Ints
    may: Bools
    soft: Ints
    span: Ints
    line: Ints
    draft: Ints
    found: Ints
    sums: Ints
