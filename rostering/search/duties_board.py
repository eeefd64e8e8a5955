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
VISIT_COLUMNS: Final = 15

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
RUN_COLUMNS: Final = 16

W_BREAK: Final = 0
W_BREAK_AFTER: Final = 1
W_HOURS_MAX: Final = 2
W_OWN: Final = 3
W_REST: Final = 4
W_LAST_BACK: Final = 5
W_WEEKLY: Final = 6
W_RUN: Final = 7
W_RUN_END: Final = 8
W_RULED: Final = 9
WORKER_COLUMNS: Final = 10

C_RUN: Final = 0
C_COUNT: Final = 1
C_COST: Final = 2
C_TIMING: Final = 3
C_WORST: Final = 4
C_LEAVE: Final = 5
C_BACK: Final = 6
C_WORKED: Final = 7
DRAFT_COLUMNS: Final = 8

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

G_TRAVEL: Final = 0
G_WAITING: Final = 1
G_OFF: Final = 2
G_LATE: Final = 3
G_WORST: Final = 4
G_DAY: Final = 5
G_WEEK: Final = 6
G_WEEKS: Final = 7
G_ORIGIN: Final = 8
G_TIMED: Final = 9
WEIGHT_COLUMNS: Final = 10

S_COST: Final = 0
S_ABSENT: Final = 1
S_DRAFTS: Final = 2
S_BEST: Final = 3
S_PUTS: Final = 4
S_OUTS: Final = 5
S_RETIMED: Final = 6
SUM_COLUMNS: Final = 7

P_TASK: Final = 0
P_RUN: Final = 1
P_BEFORE: Final = 2
P_AFTER: Final = 3
PUT_COLUMNS: Final = 4

F_COST: Final = 0
F_RUN: Final = 1
F_BEFORE: Final = 2
F_FIRST: Final = 3
F_LAST: Final = 4
F_COLUMNS: Final = 5
PLACES_MAX: Final = 40
PAIRS_MAX: Final = 12


class Board(NamedTuple):
    """visit (n, VISIT_COLUMNS), task (2n, TASK_COLUMNS), run, worker, and drafts of up to DRAFTS changed runs.

    leg[mode, from, to]; may[task, worker]; soft[visit, worker] in points; near[visit] its nearest others, nearest
    first; window[i] = (earliest, latest); rival[i] = (visit, ticks before its start, ticks after its end) closed to a
    start; absent: visits in no run, the first sums[S_ABSENT] of them; line[draft, column, position] and draft[draft]
    the changed runs; weight the costs and the calendar; sums the totals. A move is said in put (task, run, the stop
    before and the stop after it there), out (tasks that leave) and retimed (task, its bounds before the move). ones,
    twos, pairs: places looked at for the slots of a visit, and pairs of them (see duties_insert).
    """

    visit: Ints
    task: Ints
    run: Ints
    worker: Ints
    leg: Ints
    may: Bools
    soft: Ints
    near: Ints
    window: Ints
    rival: Ints
    absent: Ints
    line: Ints
    draft: Ints
    put: Ints
    out: Ints
    retimed: Ints
    ones: Ints
    twos: Ints
    pairs: Ints
    weight: Ints
    sums: Ints
