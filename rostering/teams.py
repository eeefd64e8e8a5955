"""Small teams: which few workers each customer should see over the week, so that together they can do the visits.

It looks at whole weeks of load in two-hour buckets, not at journeys and starts: the days' searches do that, with the
team as a soft wish. Customers choose in turn the three workers who serve them best at what is left of their time; what
they chose in any turn is then weighed by CP-SAT (`teams_pick`), which sees all customers at once.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from rostering.constraints.availability import available_pieces
from rostering.problem import Problem, Shift
from rostering.teams_pick import Column, pick
from rostering.teams_reach import Ints, Reach, reach
from rostering.week_days import Day

Reals = np.ndarray[Any, np.dtype[np.float64]]

TEAM = 3
BUCKET_SECONDS = 7_200
FILL = 0.9
"""How much of a worker's time the teams may plan: the rest is for visits that no team covers."""
CANDIDATES_MAX = 22
NEAREST = 4
NEAR_WEIGHT = 3.0
"""What a second between a customer and the worker's other stops, beyond the usual, costs a visit, in seconds."""
USUAL = 0.1
"""The usual: of customers, so many have a worker that near or nearer."""
OVERLOAD_WEIGHT = 0.6
"""What a second beyond a worker's time costs: a visit somebody else must do costs about what a stranger costs."""
SWEEPS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class _Customer:
    """A customer's worker-visits (rows of the reach), visit by visit: `second[v]` is the second slot's row or -1."""

    id: str
    place: int
    first: Ints
    second: Ints


@dataclass(slots=True, kw_only=True)
class _Board:
    """What customers choose from: reach, load and bucket of each row, time of each (worker, bucket), nearness."""

    within: Reach
    load: Ints
    bucket: Ints
    time: Reals
    near: Reals
    usual: float
    value: float
    used: Reals


def choose_teams(
    *,
    problem: Problem,
    days: Sequence[Day],
    seed: int,
    stranger_seconds: int,
    effort_seconds: float = 0.0,
    sweeps: int = SWEEPS,
) -> dict[str, frozenset[str]]:
    """For each customer the ids of at most three workers. A visit by another worker costs
    as much as `stranger_seconds` of travel.

    Repeatable for a seed: `effort_seconds` is CP-SAT's deterministic time (0: the last turn's choice).
    """
    rostered = _with_shifts_of(problem, days)
    within = reach(problem=rostered)
    customers = _customers(problem, within)
    if not customers or not problem.workers:
        return {}
    board = _board(rostered, within, customers, stranger_seconds)
    rng = random.Random(seed)
    seen: list[dict[Column, None]] = [{} for _ in customers]
    chosen: list[Column | None] = [None] * len(customers)
    for sweep in range(sweeps):
        for c in rng.sample(range(len(customers)), len(customers)):
            _release(board, chosen[c])
            column = _best(board, customers[c], c, OVERLOAD_WEIGHT * (sweep + 1) / sweeps)
            seen[c][column] = None
            chosen[c] = column
            _take(board, column)
        board.near = _excess(_nearness(rostered, customers, [column for column in chosen if column]), board.usual)
    picked = pick(
        columns=[tuple(columns) for columns in seen],
        hint=[list(columns).index(column) for columns, column in zip(seen, chosen, strict=True) if column],
        time=board.time,
        overload_weight=OVERLOAD_WEIGHT,
        seed=seed,
        effort_seconds=effort_seconds,
    )
    names = [worker.id for worker in problem.workers]
    teams = {c.id: frozenset(names[w] for w in column.team) for c, column in zip(customers, picked, strict=True)}
    return {customer: team for customer, team in teams.items() if team}


def _with_shifts_of(problem: Problem, days: Sequence[Day]) -> Problem:
    """The problem with the workers' shifts as the days have them: rests and days off taken out."""
    shifts: dict[str, list[Shift]] = defaultdict(list)
    for day in days:
        for worker in day.problem.workers:
            shifts[worker.id] += worker.shifts
    workers = tuple(replace(worker, shifts=tuple(shifts[worker.id])) for worker in problem.workers)
    return replace(problem, workers=workers)


def _customers(problem: Problem, within: Reach) -> list[_Customer]:
    rows: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for row, (d, k) in enumerate(zip(within.demand.tolist(), within.slot.tolist(), strict=True)):
        if k == 0:
            rows[problem.demands[d].customer].append((row, row + 1 if len(problem.demands[d].slots) > 1 else -1))
    return [
        _Customer(
            id=name,
            place=problem.demands[int(within.demand[pairs[0][0]])].place,
            first=np.array([one for one, _ in pairs], dtype=np.int64),
            second=np.array([two for _, two in pairs], dtype=np.int64),
        )
        for name, pairs in rows.items()
    ]


def _board(problem: Problem, within: Reach, customers: Sequence[_Customer], stranger_seconds: int) -> _Board:
    origin = problem.horizon.start
    buckets = -(-(problem.horizon.end - origin) // BUCKET_SECONDS) + 1
    time = np.zeros((len(problem.workers), buckets), dtype=np.float64)
    for w, worker in enumerate(problem.workers):
        for start, end in available_pieces(worker=worker):
            for b in range(
                max(0, (start - origin) // BUCKET_SECONDS), min(buckets - 1, (end - origin) // BUCKET_SECONDS) + 1
            ):
                since, until = origin + b * BUCKET_SECONDS, origin + (b + 1) * BUCKET_SECONDS
                time[w, b] += max(0, min(end, until) - max(start, since)) * FILL
    near = _nearness(problem, customers, [])
    usual = float(np.quantile(near.min(axis=0), USUAL)) if near.size else 0.0
    leg = int(np.median(np.sort(near, axis=0)[: NEAREST * 2])) if near.size else 0
    return _Board(
        within=within,
        load=within.service + leg // 2,
        bucket=np.clip((within.middle - origin) // BUCKET_SECONDS, 0, buckets - 1),
        time=time,
        near=_excess(near, usual),
        usual=usual,
        value=float(stranger_seconds),
        used=np.zeros_like(time),
    )


def _nearness(problem: Problem, customers: Sequence[_Customer], chosen: Sequence[Column]) -> Reals:
    """Seconds between a worker's other stops and a customer: the mean to the nearest few places of theirs, home among them."""
    places = np.array([customer.place for customer in customers], dtype=np.int64)
    theirs: dict[int, set[int]] = defaultdict(set)
    for customer, column in zip(customers, chosen, strict=False):
        for w in column.team:
            theirs[w].add(customer.place)
    near = np.zeros((len(problem.workers), len(customers)), dtype=np.float64)
    for w, worker in enumerate(problem.workers):
        home = [] if worker.home is None else [worker.home]
        stops = np.array(sorted({*home, *theirs[w]}), dtype=np.int64)
        if len(stops):
            legs = np.sort(problem.travel.seconds_by_mode[worker.mode][np.ix_(stops, places)], axis=0)
            near[w] = legs[:NEAREST].mean(axis=0)
    return near


def _excess(near: Reals, usual: float) -> Reals:
    """What is beyond the usual: a worker who is far from all a customer's neighbours is no use to their team."""
    excess: Reals = np.maximum(0.0, near - usual)
    return excess


def _release(board: _Board, column: Column | None) -> None:
    if column is not None:
        for w, bucket, load in column.loads:
            board.used[w, bucket] -= load


def _take(board: _Board, column: Column) -> None:
    for w, bucket, load in column.loads:
        board.used[w, bucket] += load


def _best(board: _Board, customer: _Customer, c: int, overload: float) -> Column:
    """The three workers worth most to the customer as things stand, and who of them does which visit."""
    within, rows = board.within, np.concatenate([customer.first, customer.second[customer.second >= 0]])
    gain = within.served[rows] * np.maximum(0.0, board.value - NEAR_WEIGHT * board.near[:, c])
    order = np.argsort(-gain.sum(axis=0), kind="stable")[:CANDIDATES_MAX]
    order = order[gain[:, order].any(axis=0)]
    first = _profit(board, customer.first, order, c, overload)
    second = np.zeros_like(first)
    doubled = customer.second >= 0
    second[doubled] = _profit(board, customer.second[doubled], order, c, overload)
    team = _three(first, second, doubled)
    return _column(board, customer, c, order, team, first, second)


def _profit(board: _Board, rows: Ints, workers: Ints, c: int, overload: float) -> Reals:
    """What a visit of each row by each worker is worth: points, less nearness and what it overloads; never under 0."""
    buckets, load = board.bucket[rows][:, None], board.load[rows][:, None]
    used, time = board.used[workers, buckets], board.time[workers, buckets]
    beyond = np.maximum(0.0, used + load - time) - np.maximum(0.0, used - time)
    worth = board.value - NEAR_WEIGHT * board.near[workers, c] - overload * beyond
    profit: Reals = np.where(board.within.served[np.ix_(rows, workers)], np.maximum(0.0, worth), 0.0)
    return profit


def _three(first: Reals, second: Reals, doubled: np.ndarray[Any, np.dtype[np.bool_]]) -> tuple[int, ...]:
    """The positions of the three (or fewer) workers worth most together."""
    number = first.shape[1]
    if number <= TEAM:
        return tuple(range(number))
    i, j, k = np.array(list(combinations(range(number), TEAM)), dtype=np.int64).T
    single = first[~doubled]
    worth = np.maximum(np.maximum(single[:, i], single[:, j]), single[:, k]).sum(axis=0)
    if doubled.any():
        pairs = first[doubled][:, :, None] + second[doubled][:, None, :]
        pairs = np.maximum(pairs, pairs.transpose(0, 2, 1))
        worth = worth + np.maximum(np.maximum(pairs[:, i, j], pairs[:, i, k]), pairs[:, j, k]).sum(axis=0)
    best = int(np.argmax(worth))
    return int(i[best]), int(j[best]), int(k[best])


def _column(
    board: _Board, customer: _Customer, c: int, order: Ints, team: tuple[int, ...], first: Reals, second: Reals
) -> Column:
    loads: dict[tuple[int, int], int] = defaultdict(int)
    worth, does = 0.0, set()
    for v, (one, two) in enumerate(zip(customer.first.tolist(), customer.second.tolist(), strict=True)):
        for row, position in _who(v, one, two, team, first, second):
            w = int(order[position])
            does.add(w)
            loads[w, int(board.bucket[row])] += int(board.load[row])
            worth += board.value - NEAR_WEIGHT * float(board.near[w, c])
    return Column(
        team=tuple(sorted(does)),
        worth=round(worth),
        loads=tuple((w, bucket, load) for (w, bucket), load in sorted(loads.items())),
    )


def _who(v: int, one: int, two: int, team: tuple[int, ...], first: Reals, second: Reals) -> list[tuple[int, int]]:
    """(row, position) of whoever of the team does visit v's slots; a slot that is worth nothing to anybody has nobody."""
    if two < 0:
        best = max(team, key=lambda p: first[v, p], default=-1)
        return [(one, best)] if best >= 0 and first[v, best] > 0 else []
    pairs = [(p, q) for p in team for q in team if p != q]
    if not pairs:
        return [(one, p) for p in team if first[v, p] > 0]
    p, q = max(pairs, key=lambda pair: first[v, pair[0]] + second[v, pair[1]])
    return [(row, at) for row, at, worth in ((one, p, first[v, p]), (two, q, second[v, q])) if worth > 0]
