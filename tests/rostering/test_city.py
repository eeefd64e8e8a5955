"""City localities: what a file must be, what is read from it, and what is written."""

from __future__ import annotations

import gzip
import json

import pytest

from rostering.formats import city
from rostering.formats.city_evaluate import evaluate
from rostering.formats.error import FormatError
from rostering.roster import Roster, timed_run
from rostering.solver import Params, solve
from rostering.stop import Iterations
from rostering.verify import violations


def a_file() -> dict:
    """Two carers, a single visit, a double-up, and a visit that nobody can be at in time."""
    return {
        "kmh": 20.0,
        "detour": 1.3,
        "carers": [
            {"id": n, "x": 1.0 * n, "y": 0.0, "shift": [420, 900], "skills": [1], "maxwork": 480} for n in range(2)
        ],
        "visits": [
            {"id": 0, "client": 0, "x": 0.5, "y": 0.5, "dur": 30, "tw": [480, 540], "skill": 1, "n": 1},
            {"id": 1, "client": 1, "x": 1.0, "y": 1.0, "dur": 45, "tw": [600, 630], "skill": -1, "n": 2},
            {"id": 2, "client": 1, "x": 1.0, "y": 1.0, "dur": 45, "tw": [890, 895], "skill": -1, "n": 1},
        ],
    }


def read(tmp_path, whole) -> city.Instance:
    """The instance of a file with this content."""
    path = tmp_path / "small.json.gz"
    path.write_bytes(gzip.compress(json.dumps(whole).encode()))
    return city.read(path=path)


def test_minutes_become_seconds_and_travel_is_rounded_up(tmp_path):
    """Windows or travel in the wrong unit."""
    given = read(tmp_path, a_file()).problem
    assert given.travel.between("car", 0, 1) == 4 * 60  # 1 km, 1.3 times as far, at 20 km/h: 3.9 minutes
    assert [demand.windows[0].earliest for demand in given.demands] == [480 * 60, 600 * 60, 890 * 60]
    assert [len(demand.slots) for demand in given.demands] == [1, 2, 1]
    assert given.demands[0].slots[0].skills <= given.workers[0].skills


def test_a_solution_counts_what_is_unassigned_and_says_why(tmp_path):
    """A visit that nobody can do counted as done, or left out without its reason."""
    instance = read(tmp_path, a_file())
    roster = solve(problem=instance.problem, stop=Iterations(5), seed=1, params=Params(engine="duties")).roster
    assert violations(problem=instance.problem, roster=roster) == ()
    parts = city.parts(problem=instance.problem, roster=roster)
    assert parts["unassigned"] == 1
    out = tmp_path / "out.json"
    city.write(path=out, instance=instance, roster=roster)
    written = json.loads(out.read_text())
    assert written["instance"] == "small"
    assert [each["visit"] for each in written["unassigned"]] == [2]
    assert "impossible" in written["unassigned"][0]["reason"]
    starts = {(stop["visit"], stop["start"]) for route in written["routes"] for stop in route["visits"]}
    assert {visit for visit, _ in starts} == {0, 1}
    assert len(starts) == 2  # both halves of the double-up start together


def test_a_start_between_two_minutes_is_written_as_a_whole_one_that_holds_as_well(tmp_path):
    """Seconds written as broken decimals: an exact judge then finds the second visit a hair too early."""
    instance = read(tmp_path, a_file())
    given, odd = instance.problem, 22
    first, pair, _ = given.demands
    leg = given.travel.between("car", first.place, pair.place)
    start = max(600 * 60, 500 * 60 + 30 * 60 + leg) + odd
    placed = ([(first, 0, 500 * 60 + odd), (pair, 0, start)], [(pair, 1, start)])
    runs = tuple(
        timed_run(problem=given, worker=worker, stops=stops)
        for worker, stops in zip(given.workers, placed, strict=True)
    )
    solution = tmp_path / "out.json"
    city.write(path=solution, instance=instance, roster=Roster(runs=runs))
    found = evaluate(instance=tmp_path / "small.json.gz", solution=solution)
    assert (found.faults, found.unassigned) == ((), 1)
    assert all(
        isinstance(stop["start"], int)
        for route in json.loads(solution.read_text())["routes"]
        for stop in route["visits"]
    )


@pytest.mark.parametrize(
    ("spoil", "where"),
    [
        (lambda f: f.pop("visits"), "file.visits"),
        (lambda f: f.update(carers={}), "file.carers"),
        (lambda f: f.update(kmh="fast"), "file.kmh"),
        (lambda f: f.update(detour=float("nan")), "file.detour"),
        (lambda f: f["visits"][1].update(n=3), "visits[1].n"),
        (lambda f: f["visits"][0].update(tw=[540, 480]), "visits[0].tw"),
        (lambda f: f["visits"][0].update(tw=[480]), "visits[0].tw"),
        (lambda f: f["visits"][0].update(dur=-1), "visits[0].dur"),
        (lambda f: f["visits"][2].update(id=1), "demands[2].id"),
        (lambda f: f["carers"][0].update(shift=[True, 2]), "carers[0].shift[0]"),
        (lambda f: f["carers"][1].update(skills=["x"]), "carers[1].skills[0]"),
        (lambda f: f["carers"].append(7), "carers[2]"),
    ],
)
def test_a_broken_file_is_told_by_the_field_at_fault(tmp_path, spoil, where):
    """A traceback, or a roster of nonsense."""
    whole = a_file()
    spoil(whole)
    with pytest.raises(FormatError) as told:
        read(tmp_path, whole)
    assert told.value.where == where


def test_a_file_cut_short_or_empty_of_people_is_said_or_solved(tmp_path):
    """A crash on half a file, or on a day without visits or carers."""
    path = tmp_path / "cut.json.gz"
    path.write_bytes(gzip.compress(json.dumps(a_file()).encode())[:60])
    with pytest.raises(FormatError, match="file"):
        city.read(path=path)
    for empty in ("visits", "carers"):
        problem = read(tmp_path, a_file() | {empty: []}).problem
        roster = solve(problem=problem, stop=Iterations(2), seed=1, params=Params(engine="duties")).roster
        assert roster.runs == ()
