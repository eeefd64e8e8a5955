"""VROOM's JSON: its input read and refused by name, its solution written, a problem given to the real VROOM and judged."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rostering.formats import vroom
from rostering.formats.any_file import read_any
from rostering.formats.error import FormatError
from rostering.formats.solve_file import solve_file
from rostering.formats.vroom_input import CannotExpressError, vroom_input
from rostering.problem import Demand, Problem, Shift, Slot, Travel, Window, Worker
from rostering.solver import solve
from rostering.stop import Iterations


def small(*, jobs=6, seed=1):
    """An input of our own making with everything that can be said."""
    rng = random.Random(seed)
    size = jobs + 1
    matrix = [[0 if a == b else rng.randrange(60, 900) for b in range(size)] for a in range(size)]
    return {
        "jobs": [
            {
                "id": 10 + j,
                "description": f"visit {j}",
                "location_index": j + 1,
                "service": 600,
                "delivery": [1],
                "skills": [1] if j % 3 == 0 else [],
                "time_windows": [[3600 * (8 + j), 3600 * (10 + j)]],
            }
            for j in range(jobs)
        ],
        "vehicles": [
            {
                "id": v,
                "start_index": 0,
                "end_index": 0,
                "capacity": [jobs],
                "skills": [1, 2],
                "time_window": [0, 86400],
            }
            for v in range(2)
        ],
        "matrices": {"car": {"durations": matrix}},
    }


def written(tmp_path, whole):
    """The file of an input."""
    path = tmp_path / "input.json"
    path.write_text(json.dumps(whole))
    return path


def test_jobs_and_vehicles_become_visits_and_workers(tmp_path):
    """A field read into the wrong place would give a good answer to another question."""
    whole = small()
    whole["jobs"][1]["time_windows"] = [[100, 200], [900, 1000]]
    whole["jobs"][2]["priority"] = 50
    file_format, instance = read_any(path=written(tmp_path, whole))
    assert file_format is vroom
    demand, worker = instance.problem.demands[1], instance.problem.workers[0]
    assert demand.windows == (Window(100, 200), Window(900, 1000))
    assert (demand.id, demand.place, demand.load, demand.slots[0].service_seconds) == ("11", 2, 1, 600)
    assert instance.problem.demands[0].slots[0].skills == {"1"}
    assert (worker.id, worker.home, worker.capacity, worker.shifts) == ("0", 0, 6, (Shift(0, 86400),))
    assert instance.problem.demands[2].unfilled_penalty > demand.unfilled_penalty
    assert instance.problem.travel.between("car", 1, 2) == whole["matrices"]["car"]["durations"][1][2]


def test_coordinates_without_matrices_travel_as_the_crow_flies(tmp_path):
    """VROOM's usual input has only coordinates; longitude comes first."""
    whole = small(jobs=2)
    del whole["matrices"]
    spots = [[-1.55, 53.8], [-1.50, 53.82]]
    for job, spot in zip(whole["jobs"], spots, strict=True):
        del job["location_index"]
        job["location"] = spot
    whole["vehicles"] = [{"id": 1, "start": spots[0], "end": spots[0], "profile": "bike"}]
    problem = vroom.read(path=written(tmp_path, whole)).problem
    assert problem.workers[0].mode == "bicycle"
    assert 900 < problem.travel.between("bicycle", 0, 1) < 2500


def test_solve_writes_a_solution_in_vrooms_shape(tmp_path):
    """Programs that read VROOM's answers read ours."""
    out = tmp_path / "out.json"
    result = solve_file(path=written(tmp_path, small()), seconds=0.5, seed=1, out=out)
    answer = json.loads(out.read_text())
    assert result["format"] == "vroom"
    assert answer["code"] == 0
    assert answer["summary"]["cost"] == result["objective"]
    assert answer["summary"]["unassigned"] == 0
    steps = answer["routes"][0]["steps"]
    assert steps[0]["type"] == "start"
    assert steps[-1]["type"] == "end"
    jobs = sorted(step["id"] for route in answer["routes"] for step in route["steps"] if step["type"] == "job")
    assert jobs == list(range(10, 16))


def test_a_job_that_nobody_can_do_is_unassigned(tmp_path):
    """An answer that hides an unfilled visit."""
    whole = small()
    whole["jobs"][0]["skills"] = [9]
    out = tmp_path / "out.json"
    result = solve_file(path=written(tmp_path, whole), seconds=0.3, seed=1, out=out)
    assert not result["feasible"]
    assert [job["id"] for job in json.loads(out.read_text())["unassigned"]] == [10]


def replaced(whole, *keys, to):
    """The input with one value replaced."""
    made = copy.deepcopy(whole)
    holder = made
    for key in keys[:-1]:
        holder = holder[key]
    holder[keys[-1]] = to
    return made


@pytest.mark.parametrize(
    ("keys", "to", "where"),
    [
        (("shipments",), [{}], "file.shipments"),
        (("jobs", 0, "setup"), 5, "jobs[0].setup"),
        (("jobs", 0, "pickup"), [3], "jobs[0].pickup"),
        (("jobs", 0, "delivery"), [1, 2], "jobs[0].delivery"),
        (("jobs", 0, "delivery"), [-1], "jobs[0].delivery[0]"),
        (("jobs", 0, "servise"), 5, "jobs[0].servise"),
        (("jobs", 0, "service"), float("nan"), "jobs[0].service"),
        (("jobs", 0, "service"), "300", "jobs[0].service"),
        (("jobs", 0, "time_windows"), [[5, 2]], "jobs[0].time_windows[0]"),
        (("jobs", 0, "location_index"), 70, "jobs[0].location_index"),
        (("jobs", 1, "id"), 10, "demands[1].id"),
        (("vehicles", 0, "max_tasks"), 4, "vehicles[0].max_tasks"),
        (("vehicles", 0, "costs"), {"fixed": 4}, "vehicles[0].costs"),
        (("vehicles", 0, "speed_factor"), 2, "vehicles[0].speed_factor"),
        (("vehicles", 0, "breaks"), [{"id": 1, "time_windows": [[0, 9]]}], "vehicles[0].breaks"),
        (("vehicles", 0, "profile"), "boat", "vehicles[0].profile"),
        (("matrices", "car", "durations", 0, 1), -3, "file.matrices.car.durations[0][1]"),
        (("matrices", "car", "durations", 0), [1], "file.matrices.car.durations[0]"),
        (("matrices", "car", "costs"), [[1]], "file.matrices.car.costs"),
        (("jobs",), {}, "file.jobs"),
        (("vehicles",), None, "file.vehicles"),
    ],
)
def test_what_cannot_be_said_or_is_wrong_is_refused_by_name(tmp_path, keys, to, where):
    """Dropped in silence, a limit on a vehicle would be a broken answer that looks right."""
    with pytest.raises(FormatError) as refused:
        read_any(path=written(tmp_path, replaced(small(), *keys, to=to)))
    assert refused.value.where == where


def test_nobody_and_nothing_are_legal(tmp_path):
    """A day without visits, or without workers."""
    for key, unfilled in (("jobs", 0), ("vehicles", 6)):
        result = solve_file(path=written(tmp_path, small() | {key: []}), seconds=0.3, seed=1, out=tmp_path / "o.json")
        assert result["unfilled"] == unfilled


def test_a_key_twice_or_a_cut_file_is_refused(tmp_path):
    """json.loads takes the last of two keys in silence."""
    path = tmp_path / "a.json"
    path.write_text('{"jobs": [], "jobs": [], "vehicles": []}')
    with pytest.raises(FormatError, match="twice"):
        vroom.read(path=path)
    path.write_text(json.dumps(small())[:-20])
    with pytest.raises(FormatError, match="cut short"):
        vroom.read(path=path)


JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-9, 9), st.floats(), st.text(max_size=3), st.just([]), st.just({}), st.just([1, 2])
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(choice=st.randoms(use_true_random=False), junk=JUNK)
def test_any_one_value_replaced_by_junk_is_read_or_refused(tmp_path, choice, junk):
    """Any exception but a named refusal on a fuzzed file."""
    whole = small(jobs=3)
    holder, keys = whole, []
    while isinstance(holder, (dict, list)) and holder and (not keys or choice.random() < 0.8):
        keys.append(choice.choice(list(holder) if isinstance(holder, dict) else list(range(len(holder)))))
        holder = holder[keys[-1]]
    refused = None
    try:
        vroom.read(path=written(tmp_path, replaced(whole, *keys, to=junk)))
    except FormatError as error:
        refused = error
    assert refused is None or refused.where


def real_vroom(tmp_path: Path, given_input: dict) -> dict:
    """What VROOM itself answers."""
    import vroom  # of the test lock: imported here because it takes a second

    answer = vroom.Input.from_json(written(tmp_path, given_input)).solve(exploration_level=5, nb_threads=1)
    return answer.to_dict()


@pytest.mark.parametrize("seed", range(3))
def test_vroom_and_we_find_the_same_cost_on_a_small_problem(tmp_path, seed):
    """A field that VROOM understands otherwise would show as another best cost."""
    whole = small(seed=seed)
    problem = vroom.read(path=written(tmp_path, whole)).problem
    ours = solve(problem=problem, stop=Iterations(2000), seed=1)
    theirs = real_vroom(tmp_path, whole)
    again = real_vroom(tmp_path, vroom_input(problem=problem))
    assert ours.roster.unfilled == ()
    assert theirs["summary"]["cost"] == ours.objective
    assert again["summary"]["cost"] == ours.objective


def test_what_vroom_has_no_words_for_is_named():
    """A double-up given to VROOM as one worker would be a smaller question, and a number that compares nothing."""
    travel = Travel({"car": [[0, 60], [60, 0]]})
    single = {"customer": "c", "place": 1, "windows": (Window(0, 100),)}
    worker = Worker(id="w", shifts=(Shift(0, 9000),), home=0)
    cases = {
        "double-ups": ({"slots": (Slot(60), Slot(60))}, {}),
        "lateness": ({"slots": (Slot(60),), "due": 5}, {}),
        "wished-for workers": ({"slots": (Slot(60),), "preferred_workers": frozenset({"x"})}, {}),
    }
    for words, (more, _) in cases.items():
        demand = Demand(id="d", **single, **more)
        problem = Problem(demands=(demand,), workers=(worker,), travel=travel, horizon=Shift(0, 9000))
        with pytest.raises(CannotExpressError, match=words):
            vroom_input(problem=problem)
