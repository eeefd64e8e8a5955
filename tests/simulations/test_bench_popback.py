"""`popback bench popback`: one object, honest figures, and a judge who shares no code with the desk."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

from api.cli import app
from rostering.popback import offers
from rostering.problem import Demand, Problem, Shift, Slot, Travel, Window, Worker
from rostering.roster import Roster, timed_run
from simulations.bench import popback as bench
from simulations.bench.popback_exhaustive import Exhaustive

SCHEMA = json.loads(Path("api/schema/bench_popback.json").read_text(encoding="utf-8"))
HOUR = 3_600


def day(*demands: Demand, workers: int = 1) -> tuple[Problem, Roster]:
    """Visits ten minutes apart, all of the first worker, at their preferred starts."""
    staff = tuple(Worker(id=f"w{n}", shifts=(Shift(7 * HOUR, 15 * HOUR),), home=0) for n in range(workers))
    legs = [[0 if a == b else 600 for b in range(4)] for a in range(4)]
    problem = Problem(demands=demands, workers=staff, travel=Travel({"car": legs}), horizon=Shift(0, 24 * HOUR))
    stops = [(each, 0, each.preferred_start or 0) for each in demands]
    return problem, Roster(runs=(timed_run(problem=problem, worker=staff[0], stops=stops),) if stops else ())


def visit(name: str, hour: float, *, slack: int = 0, slots: int = 1, place: int = 1) -> Demand:
    """Half an hour at an hour of the day, so many seconds either way."""
    at = int(hour * HOUR)
    return Demand(
        id=name,
        customer=name,
        place=place,
        slots=(Slot(1_800),) * slots,
        windows=(Window(at - slack, at + slack),),
        preferred_start=at,
    )


def test_the_command_prints_one_object_that_fits_its_committed_schema():
    """Broken when a script gets another key, or progress on standard output."""
    done = CliRunner().invoke(
        app, ["bench", "popback", "--offers", "6", "--visits", "40", "--publish-seconds", "0.5", "--json"]
    )
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    jsonschema.validate(result, SCHEMA)
    assert (result["offers"], result["visits"]) == (6, 40)
    assert (result["accepted"], result["moved_outside_window"], result["new_violations"]) == (1.0, 0, 0)
    assert "6 of 6 offers" in done.stderr


@pytest.mark.parametrize("option", [["--offers", "0"], ["--visits", "0"], ["--workers", "0"]])
def test_a_senseless_number_is_refused_before_anything_is_rostered(option):
    """Broken when a typing error costs a minute of rostering, or ends in a division by zero."""
    done = CliRunner().invoke(app, ["bench", "popback", *option])
    assert done.exit_code == 2
    assert option[0] in done.output


@pytest.mark.parametrize(
    ("asked", "window", "feasible"),
    [
        (visit("p", 10, place=3), (9.75, 10.25), True),
        (visit("p", 9, place=3), (8.8, 9.3), False),
        (visit("p", 12, place=3), (12, 12), True),
        (visit("p", 16, place=3), (15.5, 16.5), False),
        (visit("p", 12, place=3, slots=2), (11.5, 12.5), False),
    ],
)
def test_the_judge_knows_what_fits(asked, window, feasible):
    """Broken when the judge calls a fit none, and so lets the desk off, or the reverse."""
    problem, roster = day(visit("a", 9), visit("b", 12, slack=3_600))
    since, until = (int(hour * HOUR) for hour in window)
    found = Exhaustive(problem=problem, roster=roster).can_insert(demand=asked, earliest=since, latest=until)
    assert found is feasible
    desk = offers(problem=problem, roster=roster, demand=asked, earliest=since, latest=until)
    assert bool(desk.offers) is feasible


def test_the_judge_finds_two_workers_at_the_same_start():
    """Broken when double-ups are waved through, or never found feasible."""
    problem, roster = day(visit("a", 9), workers=2)
    judge = Exhaustive(problem=problem, roster=roster)
    asked = visit("p", 9, slots=2, place=2)
    assert not judge.can_insert(demand=asked, earliest=9 * HOUR, latest=9 * HOUR)
    assert judge.can_insert(demand=asked, earliest=9 * HOUR, latest=11 * HOUR)


def test_requests_are_drawn_alike_for_a_seed_and_keep_their_customers_needs():
    """Broken when two runs of a benchmark ask different questions, or ask for anybody at all."""
    usual = replace(visit("a", 9), gender="f", excluded_workers=frozenset({"w0"}))
    problem, _ = day(usual)
    first = bench.drawn(problem=problem, count=20, seed=7)
    assert first == bench.drawn(problem=problem, count=20, seed=7)
    assert first != bench.drawn(problem=problem, count=20, seed=8)
    assert all((each.gender, each.excluded_workers) == ("f", frozenset({"w0"})) for each in first)
    assert len({each.id for each in first}) == 20
