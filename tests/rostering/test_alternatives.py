"""Why this worker: who else could do a visit, and at what cost."""

from __future__ import annotations

import pytest

from rostering.alternatives import alternatives
from rostering.roster import Roster

from .factories import demand, double, problem, worker
from .test_constraints import run_of


def test_others_are_named_with_their_cost_and_the_cheapest_is_whom_the_visit_has():
    """A roster that cannot say why it chose."""
    day = problem([demand("a", 9, place=2), demand("b", 12, place=2)], [worker("w", home=2), worker("x"), worker("y")])
    roster = Roster(runs=(run_of(day, "w", ("a", 0, 9), ("b", 0, 12)),))
    found = alternatives(problem=day, roster=roster, visit="a")
    assert found.workers == ("w",)
    assert found.points == 0
    assert [(offer.workers, offer.extra_travel_seconds) for offer in found.others] == [(("x",), 1_200), (("y",), 1_200)]


def test_a_visit_that_nobody_else_may_do_says_so_by_having_no_others():
    """An alternative who is ruled out."""
    day = problem([demand("a", 9, gender="f")], [worker("w", gender="f"), worker("x", gender="m")])
    roster = Roster(runs=(run_of(day, "w", ("a", 0, 9)),))
    assert alternatives(problem=day, roster=roster, visit="a").others == ()


def test_a_double_up_and_a_pinned_visit_have_alternatives_too():
    """A pin that hides what it costs."""
    day = problem([double("a", 9, pinned_workers=("w", "x"))], [worker(name) for name in ("w", "x", "y")])
    roster = Roster(runs=(run_of(day, "w", ("a", 0, 9)), run_of(day, "x", ("a", 1, 9))))
    found = alternatives(problem=day, roster=roster, visit="a", limit=5)
    assert found.workers == ("w", "x")
    assert all("y" in offer.workers for offer in found.others)
    assert found.others


def test_an_unknown_visit_is_a_bug_of_the_caller():
    """An answer about nothing."""
    with pytest.raises(KeyError):
        alternatives(problem=problem([], []), roster=Roster(runs=()), visit="nobody")
