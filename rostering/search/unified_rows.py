"""How the unified search lays out a problem and its state: flat arrays in rows of 16 numbers; it changes nothing.

A node is a visit, or one slot of a visit whose slots are independent; node `v`'s task `k` is `2 * v + k`. Row `t` is task
`t`'s, so that number F of it is `[16 * t + F]`; what is said of a node once is in the row of its first task, `[32 * v +
F]`. Workers count back from the end of the same array: row `~w` is worker `w`'s, `[16 * ~w + F]`. All that a move asks
of a task lies together, a place is found by a shift and a sum, and any number is undone by its place alone.
"""

from __future__ import annotations

from typing import NamedTuple

from rostering.search.kernel.heap import Floats, Ints

WIDTH = 16

WHO, BEFORE, AFTER, START, EATEN, LEG, WAIT, LATE, OVERDUE, WINDOW, OUT = range(11)
"""The state of a task (OVERDUE: lateness beyond the limit); WINDOW (the first allowed) and OUT are the node's.

EATEN: 0 not yet when the task starts, 1 before the stop before, 2 between the two at the stop before, 3 at this stop.
"""

FIRST, LAST, LEAVE, EAT_FROM, IDLE, OVER, MISSED, TAIL, TAIL_WAIT, WORK, EXCESS, IS_TOUCHED = range(12)
"""The state of a worker."""

PLACE, LEGS, SERVICE, JUDGED, PAIR, MATE, PENALTY, LEAST_APART, MOST_APART = range(9)
WINDOWS, SPANS, LATE_CAP, OPTIONAL, CHOICES, DISLIKES, NEAR = range(9, 16)
"""The problem's numbers of a task, in either row of its node where they are the node's.

JUDGED is what is added to a start before it is held against a window's end. Where in `Tables.numbers` its lists begin:
LEGS, the times of travel from its place; SPANS, when each of its WINDOWS opens and closes; CHOICES, how many workers may
do it, then those; DISLIKES, what each worker costs at it, -1 where they may not do it; NEAR, the node's neighbours.
"""

HOME_LEGS, FINISH, SHIFT_START, SHIFT_END, OVER_CAP, AT_START = range(6)
HAS_MEAL, MEAL_EARLIEST, MEAL_LATEST, MEAL_LEAST, MEAL_PENALTY = range(6, 11)
"""The problem's numbers of a worker; HOME_LEGS as LEGS of a task."""

W_TRAVEL, W_WAITING, W_LATE, W_LATE_WORST, W_OVER, W_IDLE, W_WAIT_WORST, W_BALANCE, W_BROKEN, REACH = range(10)
PEOPLE, NEARS, CLOSES = range(10, 13)
"""What `Tables.numbers` begins with: weights, how far a departure is moved, how many workers and neighbours there are,
and 1 where waits are closed up (`unified_close`)."""

TRAVEL, WAITING, LATENESS, OVERTIME, MEALS, DISLIKED, UNFILLED, BROKEN, ABOVE, LEVEL, AMONG, LATEST = range(12)
TOTALS = 12
"""ABOVE: idle time above LEVEL, of everybody; LEVEL is chosen now and then so that about AMONG workers are above it.

LATEST: the worst lateness, or less than 0 where nobody knows it but that it is at most `~LATEST`."""

JOURNAL, TOUCHED, PENDING = range(TOTALS, TOTALS + 3)
"""How many of each the journal has: behind the totals; then, from WIDTH on, the totals as they were before the move."""
JOURNAL_AT = 2 * WIDTH
INDEX, OLD, TOUCHED_WORKER, PENDING_NODE = range(JOURNAL_AT, JOURNAL_AT + 4)
"""Behind them the journal, rows of 4: a number's place and what it was (behind the table's places, those of the keys by
node, and their bits); and, each with a count of its own, what is to be timed."""

NONE = -1


class Tables(NamedTuple):
    """The problem, times in ticks: rows of tasks and workers, and the weights with the lists that the rows point to.

    Few arrays, for each costs time at every call.
    """

    rows: Ints
    numbers: Ints


class State(NamedTuple):
    """The rows; the nodes' keys; the totals, and behind them the journal of the move at hand.

    Starts are the earliest that the order of the nodes, the departures and the chosen windows allow.
    """

    table: Ints
    key: Floats
    totals: Ints


class Best(NamedTuple):
    """The rows and the keys of the best state seen."""

    table: Ints
    key: Floats


def by_row(numbers: Ints) -> Ints:
    """The rows of a state's or a problem's array: `[t, F]` of a task, `[~w, F]` of a worker."""
    return numbers.reshape(-1, WIDTH)


def empty_best(*, state: State) -> Best:
    """Room for the best state."""
    return Best(state.table.copy(), state.key.copy())
