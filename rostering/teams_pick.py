"""CP-SAT's choice among the teams that customers thought of: one each, with no worker planned beyond their time if possible.

It makes no teams of its own and knows no visits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from ortools.sat.python import cp_model

from rostering.cp_sat import cp_solver

UNIT_SECONDS = 60


class Column(NamedTuple):
    """A team for one customer: workers, what it is worth in seconds of travel, and what it takes: (worker, bucket, seconds)."""

    team: tuple[int, ...]
    worth: int
    loads: tuple[tuple[int, int, int], ...]


def pick(
    *,
    columns: Sequence[Sequence[Column]],
    hint: Sequence[int],
    time: np.ndarray[Any, np.dtype[np.float64]],
    overload_weight: float,
    seed: int,
    effort_seconds: float,
) -> list[Column]:
    """One column a customer: worth the most after `overload_weight` for each second beyond `time[worker, bucket]`.

    `hint[c]` is the column to begin from, and the answer when CP-SAT finds none within its deterministic time.
    """
    hinted = [mine[at] for mine, at in zip(columns, hint, strict=True)]
    if effort_seconds <= 0:
        return hinted
    model = cp_model.CpModel()
    takes = [[model.new_bool_var("") for _ in mine] for mine in columns]
    loads: dict[tuple[int, int], list[tuple[cp_model.IntVar, int]]] = defaultdict(list)
    for mine, variables, at in zip(columns, takes, hint, strict=True):
        model.add_exactly_one(variables)
        for number, (column, taken) in enumerate(zip(mine, variables, strict=True)):
            model.add_hint(taken, number == at)
            for w, bucket, seconds in column.loads:
                loads[w, bucket].append((taken, -(-seconds // UNIT_SECONDS)))
    worths = [column.worth for mine in columns for column in mine]
    beyond = _beyond(model, loads, time)
    costs = [-round(overload_weight * UNIT_SECONDS)] * len(beyond)
    terms = [*(taken for variables in takes for taken in variables), *beyond]
    model.maximize(cp_model.LinearExpr.weighted_sum(terms, [*worths, *costs]))
    solver = cp_solver(seed=seed, effort_seconds=effort_seconds)
    if solver.solve(model) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return hinted
    return [
        next(column for column, taken in zip(mine, variables, strict=True) if solver.boolean_value(taken))
        for mine, variables in zip(columns, takes, strict=True)
    ]


def _beyond(
    model: cp_model.CpModel,
    loads: dict[tuple[int, int], list[tuple[cp_model.IntVar, int]]],
    time: np.ndarray[Any, np.dtype[np.float64]],
) -> list[cp_model.IntVar]:
    """For each (worker, bucket) that could be overloaded, a variable of the minutes beyond its time."""
    beyond: list[cp_model.IntVar] = []
    for (w, bucket), terms in sorted(loads.items()):
        most = sum(units for _, units in terms)
        limit = int(time[w, bucket]) // UNIT_SECONDS
        if most <= limit:
            continue
        over = model.new_int_var(0, most, "")
        model.add(cp_model.LinearExpr.weighted_sum([v for v, _ in terms], [n for _, n in terms]) - over <= limit)
        beyond.append(over)
    return beyond
