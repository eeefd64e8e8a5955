"""A problem turned into plain lists for the search; it holds no solution."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rostering.constraint import Encoding, RunTimes, Span
from rostering.constraints import CONSTRAINTS
from rostering.constraints.availability import rested_pieces
from rostering.problem import Demand, Problem, Window, Worker

NEIGHBOURS_MAX = 120
Matrix = list[list[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """One unbroken time of one worker: the container of one run."""

    worker: int
    start: int
    end: int
    home: int | None
    matrix: Matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """The problem by number: demand d, slot k, worker w, duty r.

    eligible[d][k] are the duties whose worker may take the slot; soft_cost[d][k][w] is what that worker costs there
    (one tuple for all that are alike).
    """

    problem: Problem
    demands: tuple[Demand, ...]
    workers: tuple[Worker, ...]
    duties: tuple[Duty, ...]
    duties_of: tuple[tuple[int, ...], ...]
    eligible: tuple[tuple[tuple[int, ...], ...], ...]
    soft_cost: tuple[tuple[tuple[int, ...], ...], ...]
    windows: tuple[tuple[Span, ...], ...]
    anchored: tuple[bool, ...]
    fixed: tuple[bool, ...]
    penalty: tuple[int, ...]
    encodings: tuple[Encoding, ...]
    run_rules: tuple[Callable[[Worker, RunTimes], bool], ...]
    days_rules: tuple[Callable[[Worker, Sequence[RunTimes]], bool], ...]
    blocked_rules: tuple[Callable[[Demand, Mapping[str, Span]], tuple[Span, ...]], ...]

    def blocked(self, d: int, spans: Mapping[str, Span]) -> list[Span]:
        """Starts that visit `d` may not take, given where its rivals are."""
        demand = self.demands[d]
        return [span for rule in self.blocked_rules for span in rule(demand, spans)]


def compile_problem(*, problem: Problem) -> Compiled:
    """The problem by number, with every constraint's encoding asked once where the answer does not change."""
    encodings = tuple(rule.encode(problem) for rule in CONSTRAINTS)
    duties, duties_of = _duties(problem)
    return Compiled(
        problem=problem,
        demands=problem.demands,
        workers=problem.workers,
        duties=duties,
        duties_of=duties_of,
        eligible=_eligible(encodings, problem, duties_of),
        soft_cost=_soft(problem),
        windows=tuple(legal_starts(encodings=encodings, demand=demand) for demand in problem.demands),
        anchored=tuple(any(e.anchored(d) for e in encodings if e.anchored) for d in problem.demands),
        fixed=tuple(demand.is_pinned or demand.must_keep for demand in problem.demands),
        penalty=tuple(_penalty(problem, demand) for demand in problem.demands),
        encodings=encodings,
        run_rules=tuple(e.run for e in encodings if e.run),
        days_rules=tuple(e.days for e in encodings if e.days),
        blocked_rules=tuple(e.blocked for e in encodings if e.blocked),
    )


def legal_starts(*, encodings: Sequence[Encoding], demand: Demand) -> tuple[Span, ...]:
    """The windows that every constraint leaves for the visit's start, in order; empty when they contradict."""
    left: list[Span] | None = None
    for encoding in encodings:
        if encoding.starts is None:
            continue
        spans = [(window.earliest, window.latest) for window in encoding.starts(demand)]
        left = spans if left is None else _meet(left, spans)
    return tuple(sorted(left or []))


def _meet(some: list[Span], others: list[Span]) -> list[Span]:
    pairs = [(max(a[0], b[0]), min(a[1], b[1])) for a in some for b in others]
    return sorted({(lo, hi) for lo, hi in pairs if lo <= hi})


def _duties(problem: Problem) -> tuple[tuple[Duty, ...], tuple[tuple[int, ...], ...]]:
    lists: dict[str, Matrix] = {mode: m.tolist() for mode, m in problem.travel.seconds_by_mode.items()}
    duties: list[Duty] = []
    duties_of: list[tuple[int, ...]] = []
    for w, worker in enumerate(problem.workers):
        mine: list[int] = []
        for start, end in rested_pieces(worker=worker):
            mine.append(len(duties))
            duties.append(Duty(worker=w, start=start, end=end, home=worker.home, matrix=lists[worker.mode]))
        duties_of.append(tuple(mine))
    return tuple(duties), tuple(duties_of)


def _eligible(
    encodings: Sequence[Encoding], problem: Problem, duties_of: tuple[tuple[int, ...], ...]
) -> tuple[tuple[tuple[int, ...], ...], ...]:
    """Each rule that judges pairs is asked once for all slots that are alike to it."""
    rules = [_PairRule(encoding, problem.workers) for encoding in encodings if encoding.pair is not None]
    known: dict[tuple[int, ...], tuple[int, ...]] = {}

    def duties(demand: Demand, k: int) -> tuple[int, ...]:
        rows = tuple(rule.row(demand, k) for rule in rules)
        if rows not in known:
            may = np.ones(len(problem.workers), dtype=np.bool_)
            for rule, number in zip(rules, rows, strict=True):
                may &= rule.answers[number]
            known[rows] = tuple(r for w in np.flatnonzero(may) for r in duties_of[w])
        return known[rows]

    return tuple(tuple(duties(demand, k) for k in range(len(demand.slots))) for demand in problem.demands)


class _PairRule:
    """One rule's answers about pairs of a slot and a worker: a row for each kind of slot met so far."""

    def __init__(self, encoding: Encoding, workers: Sequence[Worker]) -> None:
        self._encoding = encoding
        self._workers = workers
        self._rows: dict[Hashable, int] = {}
        self.answers: list[np.ndarray[Any, np.dtype[np.bool_]]] = []

    def row(self, demand: Demand, k: int) -> int:
        """The number of the row about slots like this one."""
        alike, ask = self._encoding.alike, self._encoding.pair
        kind: Hashable = (demand.id, k) if alike is None else alike(demand, k)
        if kind not in self._rows and ask is not None:
            self._rows[kind] = len(self.answers)
            self.answers.append(np.array([ask(demand, k, worker) for worker in self._workers], dtype=np.bool_))
        return self._rows[kind]


def _soft(problem: Problem) -> tuple[tuple[tuple[int, ...], ...], ...]:
    known: dict[tuple[frozenset[str], frozenset[str]], tuple[int, ...]] = {}
    costs: list[tuple[tuple[int, ...], ...]] = []
    for demand in problem.demands:
        kind = demand.preferred_workers, frozenset(demand.published_workers)
        if kind not in known:
            known[kind] = _soft_row(problem, *kind)
        costs.append((known[kind],) * len(demand.slots))
    return tuple(costs)


def _soft_row(problem: Problem, preferred: frozenset[str], published: frozenset[str]) -> tuple[int, ...]:
    dislike, change = problem.weights.not_preferred, problem.weights.changed
    return tuple(
        dislike * (bool(preferred) and worker.id not in preferred)
        + change * (bool(published) and worker.id not in published)
        for worker in problem.workers
    )


def _penalty(problem: Problem, demand: Demand) -> int:
    each = problem.weights.unfilled if demand.unfilled_penalty is None else demand.unfilled_penalty
    return each * len(demand.slots)


def _middle(windows: tuple[Window, ...]) -> int:
    return (windows[0].earliest + windows[-1].latest) // 2


def neighbours(*, problem: Problem) -> tuple[tuple[int, ...], ...]:
    """For each demand its nearest, itself first, by travel and a part of the time between."""
    if not problem.demands:
        return ()
    places = np.array([demand.place for demand in problem.demands])
    middles = np.array([_middle(demand.windows) for demand in problem.demands], dtype=np.int64)
    matrix = next(iter(problem.travel.seconds_by_mode.values()))
    apart = matrix[np.ix_(places, places)] + np.abs(middles[:, None] - middles[None, :]) // 4
    order = np.argsort(apart, axis=1, kind="stable")[:, :NEIGHBOURS_MAX]
    return tuple(tuple(int(d) for d in row) for row in order)
