"""A compiled problem as the duties search's arrays, and back as runs of stops; it searches nothing."""

from __future__ import annotations

import numpy as np

from rostering.constraints import CONSTRAINTS
from rostering.problem import SECONDS_PER_DAY
from rostering.search.compiled import Compiled
from rostering.search.duties_board import (
    G_DAY,
    G_FOUND,
    G_LATE,
    G_LEGS,
    G_NEARS,
    G_OFF,
    G_ORIGIN,
    G_PLACES,
    G_RUNS,
    G_SOFT,
    G_SOFTS,
    G_STRANGER,
    G_TIMED,
    G_TRAVEL,
    G_VISITS,
    G_WAITING,
    G_WEEK,
    G_WEEKS,
    G_WIDE,
    G_WORKERS,
    G_WORST,
    LINE,
    LINES,
    NEAR_MAX,
    NEVER,
    NOBODY,
    ONES,
    PLACE,
    PLACES_MAX,
    R_CAPACITY,
    R_DRAFT,
    R_FIRST,
    R_LAST,
    R_LEGS,
    RUN,
    S_ABSENT,
    S_BEST,
    S_COST,
    SPAN,
    SUM_COLUMNS,
    T_AFTER,
    T_BEFORE,
    T_PLACE,
    T_RUN,
    T_SERVICE,
    TASK,
    V_ABSENT,
    V_ABSENT_AT,
    V_ANCHORED,
    V_CUSTOMER,
    V_DUE,
    V_FIXED,
    V_LOAD,
    V_MATE,
    V_MATE_END,
    V_NEAR,
    V_PENALTY,
    V_PLACE,
    V_RIVAL,
    V_RIVAL_END,
    V_SLOTS,
    V_SOFT,
    V_SYNC_MAX,
    V_SYNC_MIN,
    V_WINDOW,
    V_WINDOW_END,
    V_WISH,
    VISIT,
    W_BREAK,
    W_BREAK_AFTER,
    W_HOURS_MAX,
    W_LAST_BACK,
    W_OWN,
    W_REST,
    W_RULED,
    W_RUN,
    W_RUN_END,
    W_WEEKLY,
    Board,
    Bools,
    Ints,
)

NEAR_ROWS = 512
BEACON = 1 << 44
"""How far apart rivals are put when a rule is asked what each of them closes."""
RULES_KNOWN = frozenset({"availability", "breaks", "hours_limit", "daily_rest", "weekly_rest"})


def rules_of(*, compiled: Compiled) -> frozenset[str]:
    """Names of the constraints that judge a whole run or a worker's days."""
    return frozenset(
        rule.name
        for rule, encoding in zip(CONSTRAINTS, compiled.encodings, strict=True)
        if encoding.run is not None or encoding.days is not None
    )


def board_of(*, compiled: Compiled) -> Board:
    """The problem with nobody going anywhere."""
    modes = sorted(compiled.problem.travel.seconds_by_mode)
    window, rival, mates = _windows(compiled), _rivals(compiled), _mates(compiled)
    spans = _spans(window, rival, mates)
    legs = np.stack([compiled.problem.travel.seconds_by_mode[mode] for mode in modes])
    soft, near, may = _soft(compiled, mates), _near(compiled, window), _may(compiled)
    sums, lines = _sums(compiled), LINE * (len(may) + 2)
    sums[G_LEGS], sums[G_SOFTS], sums[G_WIDE] = spans.size, spans.size + legs.size, soft.shape[1]
    sums[G_WORKERS], sums[G_NEARS], sums[G_FOUND] = may.shape[1], near.shape[1], LINES + lines
    visit = _visits(compiled, window, rival, mates)
    visit[:, V_NEAR : V_NEAR + near.shape[1]] = near
    visit[:, [V_SOFT, V_CUSTOMER]] = sums[G_SOFTS] + sums[G_WIDE] * visit[:, [V_SOFT, V_CUSTOMER]]
    run = _runs(compiled, modes)
    run[:, R_LEGS] = sums[G_LEGS] + sums[G_PLACES] ** 2 * run[:, R_LEGS]
    room = LINES - SUM_COLUMNS + lines + PLACE * (ONES + PLACES_MAX + len(may) + len(run))
    return Board(
        visit=visit.ravel(),
        run=run.ravel(),
        table=np.concatenate((spans.ravel(), legs.ravel(), soft.ravel())),
        may=may.ravel(),
        work=np.concatenate((sums, np.zeros(room, dtype=np.int64))),
    )


def _spans(
    window: list[tuple[tuple[int, int], ...]], rival: list[list[tuple[int, int, int]]], mates: list[list[int]]
) -> Ints:
    """Windows by visit, then rivals by visit, then visits by customer."""
    rows = [(*span, 0) for spans in window for span in spans]
    rows += [row for closed in rival for row in closed]
    rows += [(d, 0, 0) for visits in mates for d in visits]
    return np.array(rows, dtype=np.int64).reshape(-1, SPAN)


def _sums(compiled: Compiled) -> Ints:
    sums = _weights(compiled)
    slots = sum(len(demand.slots) for demand in compiled.demands)
    sums[S_COST] = sums[S_BEST] = sum(compiled.penalty) + int(sums[G_STRANGER]) * slots
    sums[S_ABSENT] = len(compiled.demands)
    return sums


def _weights(compiled: Compiled) -> Ints:
    problem, weights = compiled.problem, compiled.problem.weights
    table = np.zeros(SUM_COLUMNS, dtype=np.int64)
    table[G_TRAVEL], table[G_WAITING], table[G_OFF] = weights.travel, weights.waiting, weights.off_preferred
    table[G_LATE], table[G_WORST], table[G_STRANGER] = weights.lateness, weights.lateness_worst, weights.stranger
    table[G_SOFT] = int(any(any(row) for row in {row for rows in compiled.soft_cost for row in rows}))
    table[G_DAY], table[G_WEEK] = SECONDS_PER_DAY, 7 * SECONDS_PER_DAY
    table[G_ORIGIN] = problem.horizon.start
    table[G_VISITS], table[G_RUNS] = len(compiled.demands), len(compiled.duties)
    table[G_PLACES] = problem.travel.places
    if "weekly_rest" in rules_of(compiled=compiled):
        table[G_WEEKS] = (problem.horizon.end - problem.horizon.start) // (7 * SECONDS_PER_DAY)
    wished = any(demand.preferred_start is not None for demand in compiled.demands)
    due = (weights.lateness or weights.lateness_worst) and any(d.due is not None for d in compiled.demands)
    table[G_TIMED] = int(bool(wished or due or weights.waiting))
    return table


def _windows(compiled: Compiled) -> list[tuple[tuple[int, int], ...]]:
    return [spans or ((1, 0),) for spans in compiled.windows]


def _rivals(compiled: Compiled) -> list[list[tuple[int, int, int]]]:
    """For each visit its rivals, and how far before and after their span it may not start.

    Each rule says what spans close to a visit; spans very far apart tell which of them an answer is about.
    """
    far = {demand.id: ((d + 1) * BEACON, (d + 1) * BEACON) for d, demand in enumerate(compiled.demands)}
    rivals: list[list[tuple[int, int, int]]] = []
    for d in range(len(compiled.demands)):
        closed = compiled.blocked(d, far) if compiled.anchored[d] else []
        rows = []
        for since, until in closed:
            at = round((since + until) / (2 * BEACON))
            rows.append((at - 1, at * BEACON - since, until - at * BEACON))
        rivals.append(rows)
    return rivals


def _mates(compiled: Compiled) -> list[list[int]]:
    """The visits of each customer, customers in order of their first; of nobody when it does not matter whom they see."""
    mates: dict[str, list[int]] = {}
    if compiled.problem.weights.stranger:
        for d, demand in enumerate(compiled.demands):
            mates.setdefault(demand.customer, []).append(d)
    return list(mates.values())


def _soft(compiled: Compiled, mates: list[list[int]]) -> Ints:
    """Points by visit and worker; then a row a customer, as duties_seen reads them, while nobody comes to anybody."""
    n, workers = len(compiled.demands), len(compiled.workers)
    most = max((sum(len(compiled.demands[d].slots) for d in visits) for visits in mates), default=-2)
    table = np.zeros((n + len(mates), max(1, workers + most + 2)), dtype=np.int64)
    table[:n, :workers] = np.array([row[0] for row in compiled.soft_cost], dtype=np.int64).reshape(n, workers)
    return table


def _visits(
    compiled: Compiled,
    window: list[tuple[tuple[int, int], ...]],
    rival: list[list[tuple[int, int, int]]],
    mates: list[list[int]],
) -> Ints:
    """A row a visit; V_SOFT and V_CUSTOMER are numbers of rows (see _soft)."""
    table = np.zeros((len(compiled.demands), VISIT), dtype=np.int64)
    table.reshape(-1, TASK)[:, :V_SLOTS] = _tasks(compiled)
    table[:, V_SOFT] = np.arange(len(table))
    windows, rivals = 0, sum(len(spans) for spans in window)
    for d, demand in enumerate(compiled.demands):
        row = table[d]
        row[V_SLOTS], row[V_PLACE] = len(demand.slots), demand.place
        row[V_SYNC_MIN], row[V_SYNC_MAX] = demand.sync.min_seconds, demand.sync.max_seconds
        row[V_WISH] = NEVER if demand.preferred_start is None else demand.preferred_start
        row[V_DUE] = NEVER if demand.due is None else demand.due
        row[V_PENALTY], row[V_FIXED] = compiled.penalty[d], compiled.fixed[d]
        row[V_ANCHORED], row[V_ABSENT_AT], row[V_ABSENT], row[V_LOAD] = compiled.anchored[d], d, d, demand.load
        row[V_WINDOW], row[V_WINDOW_END] = windows, windows + len(window[d])
        row[V_RIVAL], row[V_RIVAL_END] = rivals, rivals + len(rival[d])
        windows, rivals = windows + len(window[d]), rivals + len(rival[d])
    for c, visits in enumerate(mates):
        table[visits, V_CUSTOMER] = len(table) + c
        table[visits, V_MATE], table[visits, V_MATE_END] = rivals, rivals + len(visits)
        rivals += len(visits)
    return table


def _tasks(compiled: Compiled) -> Ints:
    table = np.zeros((2 * len(compiled.demands), V_SLOTS), dtype=np.int64)
    table[:, [T_RUN, T_BEFORE, T_AFTER]] = NOBODY
    for d, demand in enumerate(compiled.demands):
        table[2 * d : 2 * d + 2, T_PLACE] = demand.place
        for k, slot in enumerate(demand.slots):
            table[2 * d + k, T_SERVICE] = slot.service_seconds
    return table


def _runs(compiled: Compiled, modes: list[str]) -> Ints:
    table = _workers(compiled)[[duty.worker for duty in compiled.duties]]
    for r, duty in enumerate(compiled.duties):
        home = NOBODY if duty.home is None else duty.home
        mode = modes.index(compiled.workers[duty.worker].mode)
        table[r, : R_LEGS + 1] = (duty.worker, duty.start, duty.end, home, mode)
        capacity = compiled.workers[duty.worker].capacity
        table[r, R_CAPACITY] = NEVER if capacity is None else capacity
    table[:, [R_FIRST, R_LAST, R_DRAFT]] = NOBODY
    return table


def _workers(compiled: Compiled) -> Ints:
    """The end of each worker's runs' rows."""
    kept = rules_of(compiled=compiled)
    table = np.zeros((len(compiled.workers), RUN), dtype=np.int64)
    weeks = _weights(compiled)[G_WEEKS]
    for w, worker in enumerate(compiled.workers):
        mine = compiled.duties_of[w]
        rule = worker.break_rule if "breaks" in kept else None
        limit = worker.hours_limit_seconds if "hours_limit" in kept else None
        row = table[w]
        row[W_BREAK], row[W_BREAK_AFTER] = (-1, 0) if rule is None else (rule.seconds, rule.after_seconds)
        row[W_HOURS_MAX] = NEVER if limit is None else limit
        row[W_OWN], row[W_WEEKLY] = worker.own_time_seconds, worker.weekly_rest_seconds
        row[W_REST] = worker.daily_rest_seconds if "daily_rest" in kept else -NEVER
        rested = "daily_rest" in kept and worker.last_back is not None
        row[W_LAST_BACK] = worker.last_back if rested else -NEVER
        row[W_RUN], row[W_RUN_END] = (mine[0], mine[-1] + 1) if mine else (0, 0)
        row[W_RULED] = int(rule is not None or limit is not None or rested or len(mine) > 1 or weeks > 0)
    return table


def _may(compiled: Compiled) -> Bools:
    table = np.zeros((2 * len(compiled.demands), max(1, len(compiled.workers))), dtype=np.bool_)
    worker_of = np.array([duty.worker for duty in compiled.duties], dtype=np.int64)
    rows: dict[int, Bools] = {}
    for d, slots in enumerate(compiled.eligible):
        for k, duties in enumerate(slots):
            if id(duties) not in rows:  # one tuple for all slots that are alike
                row = np.zeros(table.shape[1], dtype=np.bool_)
                row[worker_of[list(duties)]] = True
                rows[id(duties)] = row
            table[2 * d + k] = rows[id(duties)]
    return table


def _near(compiled: Compiled, window: list[tuple[tuple[int, int], ...]]) -> Ints:
    """For each visit those that may best come just before or after it: by the way between, and the wait it forces."""
    n = len(compiled.demands)
    keep = min(NEAR_MAX, n - 1)
    if n < 2:
        return np.zeros((n, 1), dtype=np.int64)
    matrix = next(iter(compiled.problem.travel.seconds_by_mode.values()))
    places = np.array([demand.place for demand in compiled.demands])
    opens = np.array([spans[0][0] for spans in window], dtype=np.int64)
    closes = np.array([spans[-1][1] for spans in window], dtype=np.int64)
    lasts = np.array([min(slot.service_seconds for slot in demand.slots) for demand in compiled.demands])
    near = np.empty((n, keep), dtype=np.int64)
    for since in range(0, n, NEAR_ROWS):
        rows = slice(since, min(n, since + NEAR_ROWS))
        after = _apart(matrix[np.ix_(places[rows], places)], (opens[rows], closes[rows], lasts[rows]), (opens, closes))
        before = _apart_before(
            matrix[np.ix_(places, places[rows])].T, (opens[rows], closes[rows]), (opens, closes, lasts)
        )
        apart = np.minimum(after, before)
        apart[np.arange(rows.stop - since), np.arange(since, rows.stop)] = NEVER
        some = np.argpartition(apart, keep - 1, axis=1)[:, :keep]
        nearest = np.lexsort((some, np.take_along_axis(apart, some, axis=1)), axis=1)
        near[rows] = np.take_along_axis(some, nearest, axis=1)
    return near


def _apart(legs: Ints, mine: tuple[Ints, Ints, Ints], others: tuple[Ints, Ints]) -> Ints:
    """How dear it is to go from each of my visits straight to each other: the way, a part of the wait, too late at all."""
    opens, closes, lasts = (each[:, None] for each in mine)
    wait = np.maximum(0, others[0][None, :] - (closes + lasts + legs))
    late = opens + lasts + legs > others[1][None, :]
    apart: Ints = legs + wait // 5 + late * (NEVER // 2)
    return apart


def _apart_before(legs: Ints, mine: tuple[Ints, Ints], others: tuple[Ints, Ints, Ints]) -> Ints:
    """As `_apart`, from each other visit straight to each of mine."""
    opens, closes, lasts = (each[None, :] for each in others)
    wait = np.maximum(0, mine[0][:, None] - (closes + lasts + legs))
    late = opens + lasts + legs > mine[1][:, None]
    apart: Ints = legs + wait // 5 + late * (NEVER // 2)
    return apart
