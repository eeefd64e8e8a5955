"""The city evaluator on a made-up day: right files pass, every rule broken is named."""

import json
from copy import deepcopy
from fractions import Fraction
from pathlib import Path

import pytest

from rostering.formats import city
from rostering.formats.city_evaluate import evaluate
from rostering.solver import solve
from rostering.stop import Iterations

GIVEN = {
    "kmh": 20.0,
    "detour": 1.3,
    "carers": [
        {"id": 0, "x": 0.0, "y": 0.0, "shift": [480, 720], "skills": [1]},
        {"id": 1, "x": 0.0, "y": 0.0, "shift": [480, 720], "skills": []},
    ],
    "visits": [
        {"id": 0, "client": 0, "x": 1.0, "y": 0.0, "dur": 30, "tw": [500, 560], "skill": 1, "n": 1},
        {"id": 1, "client": 1, "x": 2.0, "y": 0.0, "dur": 30, "tw": [500, 600], "skill": -1, "n": 2},
    ],
}
RIGHT = {
    "routes": [
        {"carer": 0, "visits": [{"visit": 0, "slot": 0, "start": 500}, {"visit": 1, "slot": 0, "start": 534}]},
        {"carer": 1, "visits": [{"visit": 1, "slot": 1, "start": 534}]},
    ]
}


def judged(tmp_path: Path, answer: object):
    given, solution = tmp_path / "given.json", tmp_path / "solution.json"
    given.write_text(json.dumps(GIVEN), encoding="utf-8")
    solution.write_text(json.dumps(answer), encoding="utf-8")
    return evaluate(instance=given, solution=solution)


def test_a_right_solution_has_its_travel_and_no_fault(tmp_path: Path) -> None:
    """3.9 minutes a kilometre, rounded up a leg: 4 + 4 + 8 and 8 + 8."""
    found = judged(tmp_path, RIGHT)
    assert (found.faults, found.unassigned, found.travel_minutes) == ((), 0, Fraction(32))
    nobody = judged(tmp_path, {"routes": []})
    assert (nobody.faults, nobody.unassigned, nobody.objective) == ((), 3, 300_000)


@pytest.mark.parametrize(
    ("route", "stop", "field", "value", "said"),
    [
        (0, 1, "start", 533, "cannot be there before 534"),
        (0, 0, "start", 490, "outside [500, 560]"),
        (1, 0, "start", 540, "start at different times"),
        (1, 0, "visit", 0, "lacks the skill of visit 0"),
        (1, 0, "visit", 7, "7 is no visit"),
        (0, 1, "start", 700, "home at 738, after 720"),
    ],
)
def test_each_broken_rule_is_named(tmp_path: Path, route: int, stop: int, field: str, value: int, said: str) -> None:
    """A wrong roster would count as a figure."""
    answer = deepcopy(RIGHT)
    answer["routes"][route]["visits"][stop][field] = value
    assert any(said in fault for fault in judged(tmp_path, answer).faults)


def test_carers_twice_or_unknown_and_half_a_pair_are_named(tmp_path: Path) -> None:
    """One person at two places would count as two."""
    assert judged(tmp_path, {"routes": [*RIGHT["routes"], RIGHT["routes"][1]]}).faults
    assert "carer 9 is not in the instance" in judged(tmp_path, {"routes": [{"carer": 9, "visits": []}]}).faults
    assert "wants 2 carers" in judged(tmp_path, {"routes": RIGHT["routes"][1:]}).faults[0]


def test_what_the_search_writes_the_evaluator_passes(tmp_path: Path) -> None:
    """Reader, search, writer and evaluator would mean different things by one file."""
    given, solution = tmp_path / "given.json", tmp_path / "solution.json"
    given.write_text(json.dumps(GIVEN), encoding="utf-8")
    instance = city.read(path=given)
    result = solve(problem=instance.problem, stop=Iterations(200), seed=1)
    city.write(path=solution, instance=instance, roster=result.roster)
    found = evaluate(instance=given, solution=solution)
    assert (found.faults, found.unassigned, found.travel_minutes) == ((), 0, 32)
