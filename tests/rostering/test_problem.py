"""A malformed problem is refused with the field's name and a remedy; an infeasible one is not."""

from __future__ import annotations

import numpy as np
import pytest

from rostering.problem import Problem, ProblemError, Shift, Slot, Sync, Travel, Window
from rostering.solver import solve
from rostering.stop import Iterations
from rostering.weights import Weights

from .factories import HOUR, demand, double, problem, worker


@pytest.mark.parametrize(
    ("matrix", "wrong"),
    [
        ([[0, 1], [1]], "ragged"),
        ([[0, 1, 2], [1, 0, 2]], "shape"),
        ([[0, float("nan")], [1, 0]], "NaN"),
        ([[0, float("inf")], [1, 0]], "NaN"),
        ([[0, -1], [1, 0]], "negative"),
        ([[0, 1.5], [1, 0]], "broken"),
        ([["a", "b"], ["c", "d"]], "type"),
        ([[0, 10**15], [1, 0]], "huge"),
        ([], "shape"),
    ],
)
def test_a_broken_travel_matrix_is_refused_by_name(matrix, wrong):
    """A matrix that would make travel free, endless or negative."""
    with pytest.raises(ProblemError, match=wrong) as refused:
        Travel({"car": matrix})
    assert refused.value.where.startswith("travel")
    assert refused.value.remedy


def test_matrices_of_two_sizes_or_none_are_refused():
    """Places that one mode does not know."""
    with pytest.raises(ProblemError, match="sizes"):
        Travel({"car": np.zeros((2, 2)), "walk": np.zeros((3, 3))})
    with pytest.raises(ProblemError, match="sizes"):
        Travel({})


BAD_DEMANDS = [
    ("windows", {"windows": ()}),
    ("windows[0]", {"windows": (Window(9, 8),)}),
    ("windows[0].start", {"windows": (Window(1.5, 8),)}),  # type: ignore[arg-type]
    ("slots", {"slots": ()}),
    ("slots", {"slots": (Slot(1),) * 3}),
    ("slots[0].service_seconds", {"slots": (Slot(-1),)}),
    ("place", {"place": 99}),
    ("place", {"place": -1}),
    ("sync", {"sync": Sync(2, 1)}),
    ("sync.min_seconds", {"sync": Sync(-2, 1)}),
    ("gap_seconds", {"gap_seconds": -1}),
    ("pinned_workers", {"pinned_workers": ("nobody",)}),
    ("pinned_workers", {"pinned_workers": ("w", "x")}),
    ("pinned_start", {"pinned_start": float("nan")}),
    ("unfilled_penalty", {"unfilled_penalty": -5}),
    ("preferred_start", {"preferred_start": "nine"}),
    ("due", {"due": True}),
]


@pytest.mark.parametrize(("field", "changes"), BAD_DEMANDS)
def test_a_malformed_demand_is_refused_by_field(field, changes):
    """A broken visit that the search would meet as a crash."""
    with pytest.raises(ProblemError) as refused:
        problem([demand("a", 9, **changes)], [worker("w"), worker("x")])
    assert refused.value.where == f"demands[a].{field}"


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("shifts[0]", {"shifts": (Shift(9, 8),)}),
        ("leave[0]", {"leave": (Shift(9, 8),)}),
        ("home", {"home": 77}),
        ("mode", {"mode": "rocket"}),
        ("hours_limit_seconds", {"hours_limit_seconds": -1}),
        ("last_back", {"last_back": 0.5}),
        ("own_time_seconds", {"own_time_seconds": -1}),
    ],
)
def test_a_malformed_worker_is_refused_by_field(field, changes):
    """A broken worker that the search would meet as a crash."""
    with pytest.raises(ProblemError) as refused:
        problem([], [worker("w", **changes)])
    assert refused.value.where == f"workers[w].{field}"


def test_one_worker_twice_in_a_pin_is_refused():
    """A double-up pinned to one person."""
    with pytest.raises(ProblemError, match="twice"):
        problem([double("a", 9, pinned_workers=("w", "w"))], [worker("w")])


def test_duplicate_and_empty_ids_and_bad_weights_are_refused():
    """Two visits of one id, of which one would vanish; a wish worth less than nothing."""
    with pytest.raises(ProblemError, match="twice"):
        problem([demand("a", 9), demand("a", 10)], [])
    with pytest.raises(ProblemError, match="text id"):
        problem([], [worker("")])
    with pytest.raises(ProblemError, match=r"weights\.travel"):
        problem([], [], travel=-1)
    with pytest.raises(ProblemError, match="horizon"):
        Problem(demands=(), workers=(), travel=Travel({"car": [[0]]}), horizon=Shift(1, 0), weights=Weights())


def test_no_workers_and_no_visits_are_legal():
    """A crash on an empty branch."""
    assert solve(problem=problem([], []), stop=Iterations(3), seed=1).roster.runs == ()
    nobody = solve(problem=problem([demand("a", 9)], []), stop=Iterations(3), seed=1).roster
    assert [each.reason for each in nobody.unfilled] == ["there are no workers"]
    idle = solve(problem=problem([], [worker("w", shifts=(Shift(0, HOUR),))]), stop=Iterations(3), seed=1)
    assert idle.objective == idle.lower_bound == 0
