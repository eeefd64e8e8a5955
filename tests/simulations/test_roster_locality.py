"""The generated locality of the roster benchmarks: as asked for, recurring, repeatable. Not the search."""

from __future__ import annotations

from collections import Counter

import pytest

from rostering.gaps import contradicted
from rostering.problem import SECONDS_PER_DAY
from rostering.reach import reach
from rostering.search.compiled import compile_problem
from simulations.bench.roster_locality import locality


def days_on_duty(problem) -> list[set[int]]:
    """The days on which each worker has a shift."""
    return [{shift.start // SECONDS_PER_DAY for shift in worker.shifts} for worker in problem.workers]


@pytest.mark.parametrize(("workers", "visits", "days"), [(12, 100, 1), (24, 150, 3), (28, 160, 7), (1, 1, 7)])
def test_every_day_has_its_visits_and_everybody_is_employed(workers: int, visits: int, days: int) -> None:
    """Broken when `--workers W --visits V --days D` measures another size than it says."""
    problem = locality(workers=workers, visits=visits, days=days, seed=3)
    by_day = Counter(demand.windows[0].earliest // SECONDS_PER_DAY for demand in problem.demands)
    assert by_day == dict.fromkeys(range(days), visits)
    assert len(problem.workers) == workers


def test_over_a_week_everybody_is_on_duty_on_five_days_and_as_many_on_each_day() -> None:
    """Broken when the week's 168 employed are not 120 on duty a day: the target's size."""
    on_duty = days_on_duty(locality(workers=168, visits=200, days=7, seed=1))
    assert {len(days) for days in on_duty} == {5}
    assert Counter(day for days in on_duty for day in days) == dict.fromkeys(range(7), 120)


def test_days_differ_and_customers_recur() -> None:
    """Broken when a week is one day seven times over (too easy) or seven days of strangers (continuity means nothing)."""
    problem = locality(workers=28, visits=160, days=7, seed=2)
    days = [
        {
            demand.id.split("-", 1)[0] + demand.id.rsplit("-", 1)[1]
            for demand in problem.demands
            if f"-{day}-" in demand.id
        }
        for day in range(1, 8)
    ]
    assert len({frozenset(day) for day in days}) == 7
    assert all(len(days[0] & other) > 80 for other in days[1:])


def test_about_one_visit_in_eleven_is_a_double_up_and_somebody_could_serve_each() -> None:
    """Broken when double-ups go missing, or when the locality is full of visits that nobody can do."""
    problem = locality(workers=120, visits=1_000, days=1, seed=5)
    assert 60 <= sum(len(demand.slots) == 2 for demand in problem.demands) <= 130
    assert (~reach(problem=problem).served.any(axis=1)).sum() <= 2


def test_the_same_seed_gives_the_same_locality() -> None:
    """Broken when a figure cannot be measured again."""
    one, again = (locality(workers=12, visits=60, days=2, seed=9) for _ in range(2))
    assert (one.demands, one.workers) == (again.demands, again.workers)
    assert locality(workers=12, visits=60, days=2, seed=10).demands != one.demands


def test_nobody_s_plan_contradicts_its_own_gap() -> None:
    """Broken when medicines are agreed nearer together than they may be given: such visits are nobody's to fill."""
    problem = locality(workers=28, visits=300, days=7, seed=4)
    assert any(demand.gap_seconds for demand in problem.demands)
    compiled = compile_problem(problem=problem)
    assert contradicted(compiled=compiled, visits=range(len(problem.demands))) == 0
