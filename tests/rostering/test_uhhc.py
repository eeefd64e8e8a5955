"""UHHC files: read, solved by every wish they weigh, written, and judged by an evaluator that shares no code with us."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rostering.formats import uhhc
from rostering.formats.error import FormatError
from rostering.formats.uhhc_evaluate import evaluate
from rostering.solver import Params, solve
from rostering.stop import Iterations
from rostering.verify import violations

SERVICES = ["s0", "s1", "s2"]
COSTS = {
    "travel_time": 2,
    "total_tardiness": 3,
    "highest_tardiness": 4,
    "total_waiting_time": 5,
    "max_waiting_time": 2,
    "total_extra_time": 2,
    "max_idle_time": 7,
    "caregiver_preferences": 6,
    "incompabilities": 9,
    "optional_patients": 101,
    "missed_lunch_break": 30,
}


def instance(*, seed: int, patients: int = 6, carers: int = 3, costs: dict | None = None, **metadata) -> dict:
    """An instance of our own making in the published shape, with every field that the published ones have."""
    rng = random.Random(seed)
    spots = [(rng.randrange(40), rng.randrange(40)) for _ in range(patients + 2)]
    names = [f"c{n}" for n in range(carers)]
    people = []
    for n in range(patients):
        opens = rng.randrange(0, 300)
        windows = [{"start": opens, "end": opens + 60}]
        if rng.random() < 0.4:
            windows.append({"start": opens + 150, "end": opens + 220})
        wanted = rng.sample(SERVICES, 2) if rng.random() < 0.4 else [rng.choice(SERVICES)]
        patient = {
            "id": f"p{n}",
            "distance_matrix_index": n + 2,
            "time_windows": windows,
            "optional": rng.random() < 0.5,
            "required_services": [{"service": service, "duration": rng.randrange(10, 40)} for service in wanted],
        }
        if len(wanted) == 2:
            kinds = [{"type": "simultaneous"}, {"type": "independent"}]
            kinds.append({"type": "sequential", "distance": {"min": 10, "max": 50}})
            patient["synchronization"] = rng.choice(kinds)
        if rng.random() < 0.5:
            patient["preferred_caregivers"] = rng.sample(names, 1)
        if rng.random() < 0.3:
            patient["incompatible_caregivers"] = rng.sample(names, 1)
        people.append(patient)
    return {
        "metadata": {
            "time_window_met": rng.choice(["at_service_start", "at_service_end"]),
            "cost_components": COSTS if costs is None else costs,
            "horizon": 600,
            **metadata,
        },
        "distances": [[abs(a - c) + abs(b - d) for c, d in spots] for a, b in spots],
        "terminal_points": [{"id": "d0", "distance_matrix_index": 0}, {"id": "d1", "distance_matrix_index": 1}],
        "caregivers": [
            {
                "id": name,
                "abilities": SERVICES,
                "departing_point": "d0",
                "arrival_point": rng.choice(["d0", "d1"]),
                "working_shift": {"start": rng.choice([0, 60]), "end": rng.choice([240, 420])},
                "lunch_break": rng.random() < 0.6,
            }
            for name in names
        ],
        "patients": people,
        "services": [{"id": service, "default_duration": 15} for service in SERVICES],
        "lunch_breaks": {"start": 150, "end": 300, "min_duration": 30},
    }


def saved(tmp_path, given_instance):
    """The file of an instance."""
    path = tmp_path / "instance.json"
    path.write_text(json.dumps(given_instance), encoding="utf-8")
    return path


def solved(path, *, moves: int = 6_000, seed: int = 1):
    """(instance, result) of a file."""
    found = uhhc.read(path=path)
    return found, solve(problem=found.problem, stop=Iterations(moves), seed=seed, params=Params(processes=1))


@pytest.mark.parametrize("seed", range(12))
def test_what_the_search_counts_is_what_the_evaluator_counts(tmp_path, seed):
    """An objective that another reading of the definition does not give: every published comparison would be wrong."""
    path = saved(tmp_path, instance(seed=seed))
    found, result = solved(path)
    uhhc.write(path=tmp_path / "solution.json", instance=found, roster=result.roster)
    judged = evaluate(instance=path, solution=tmp_path / "solution.json")
    assert judged.faults == ()
    assert judged.objective * uhhc.POINTS == result.objective
    assert uhhc.parts(problem=found.problem, roster=result.roster)["objective"] == judged.objective


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000), patients=st.integers(0, 9), carers=st.integers(1, 4))
def test_any_instance_gets_a_roster_that_breaks_no_rule(tmp_path, seed, patients, carers):
    """A roster that the verifier refuses, or none."""
    found, result = solved(saved(tmp_path, instance(seed=seed, patients=patients, carers=carers)), moves=800)
    assert violations(problem=found.problem, roster=result.roster) == ()


@pytest.mark.parametrize("seed", range(4))
def test_hard_windows_and_shifts_are_kept_where_the_file_says_hard(tmp_path, seed):
    """A service after its window, or a return after the shift, in a file that forbids both."""
    costs = {"travel_time": 1, "total_tardiness": "HARD", "total_extra_time": "HARD", "optional_patients": 500}
    costs |= {"missed_lunch_break": 1, "caregiver_preferences": 1}
    path = saved(tmp_path, instance(seed=seed, costs=costs))
    found, result = solved(path)
    uhhc.write(path=tmp_path / "solution.json", instance=found, roster=result.roster)
    judged = evaluate(instance=path, solution=tmp_path / "solution.json")
    missing = {each.visit for each in result.roster.unfilled}
    assert judged.components["total_tardiness"] == judged.components["total_extra_time"] == 0
    assert {fault.split()[0] for fault in judged.faults} <= missing


def test_carers_of_the_bazirha_sets_leave_with_their_shift(tmp_path):
    """Waiting before the first visit that those sets count, and that leaving just in time would hide."""
    costs = {"total_waiting_time": 1, "workload_balance": 1, "missed_lunch_break": 0, "caregiver_preferences": 0}
    path = saved(
        tmp_path, instance(seed=3, costs=costs | {"incompabilities": 0, "optional_patients": 900}, origin="bazirha")
    )
    found, result = solved(path)
    uhhc.write(path=tmp_path / "solution.json", instance=found, roster=result.roster)
    judged = evaluate(instance=path, solution=tmp_path / "solution.json")
    assert judged.objective * uhhc.POINTS == result.objective
    assert all(run.leave in (0, 60) for run in result.roster.runs)


def test_the_same_seed_and_moves_give_the_same_roster(tmp_path):
    """A roster that nobody can make again."""
    path = saved(tmp_path, instance(seed=5))
    assert solved(path)[1].roster == solved(path)[1].roster


def test_an_unwilling_solution_is_seen_through(tmp_path):
    """A solution whose faults the evaluator overlooks: early, unskilled, half served, badly paired, eating too short."""
    given_instance = instance(seed=0, patients=2, carers=2)
    first, second = given_instance["patients"]
    for patient in (first, second):
        patient |= {"optional": False, "required_services": [{"service": "s0", "duration": 10}]}
        patient |= {"time_windows": [{"start": 100, "end": 200}], "incompatible_caregivers": None}
    first["required_services"].append({"service": "s1", "duration": 10})
    first["synchronization"] = {"type": "simultaneous"}
    given_instance["caregivers"][0]["abilities"] = ["s1"]
    path = saved(tmp_path, given_instance)
    stops = [
        {"patient": "p0", "service": "s0", "arrival_time": 90, "departure_time": 95},
        {"patient": "p0", "service": "lunch_break", "arrival_time": 95, "departure_time": 100},
        {"patient": "p0", "service": "s1", "arrival_time": 100, "departure_time": 110},
    ]
    answer = tmp_path / "solution.json"
    answer.write_text(json.dumps({"routes": [{"caregiver_id": "c0", "locations": stops}]}), encoding="utf-8")
    text = " | ".join(evaluate(instance=path, solution=answer).faults)
    for said in (
        "before its first window",
        "cannot do s0",
        "lasts 5",
        "eats from 95",
        "p1 is not visited",
        "one caregiver twice",
    ):
        assert said in text


BROKEN = {
    "metadata": lambda whole: whole.pop("metadata"),
    "metadata.cost_components.travel_time": lambda whole: whole["metadata"].update(cost_components={"travel_time": -1}),
    "metadata.time_window_met": lambda whole: whole["metadata"].update(time_window_met="soon"),
    "distances[0]": lambda whole: whole["distances"].__setitem__(0, [0]),
    "distances[1][0]": lambda whole: whole["distances"][1].__setitem__(0, float("nan")),
    "caregivers[1].id": lambda whole: whole["caregivers"][1].update(id="c0"),
    "caregivers[0].departing_point": lambda whole: whole["caregivers"][0].update(departing_point="nowhere"),
    "caregivers[0].working_shift.end": lambda whole: whole["caregivers"][0]["working_shift"].pop("end"),
    "patients[0].time_windows": lambda whole: whole["patients"][0].update(time_windows=[]),
    "patients[0].time_windows[0]": lambda whole: whole["patients"][0].update(time_windows=[{"start": 9, "end": 3}]),
    "patients[0].required_services[0].service": lambda whole: whole["patients"][0].update(
        required_services=[{"service": "s9", "duration": 1}]
    ),
    "patients[0].required_services[0].duration": lambda whole: whole["patients"][0].update(
        required_services=[{"service": "s0", "duration": "long"}]
    ),
    "demands[p0].place": lambda whole: whole["patients"][0].update(distance_matrix_index=99),
    "demands[1].id": lambda whole: whole["patients"][1].update(id="p0"),
    "lunch_breaks.min_duration": lambda whole: whole["lunch_breaks"].update(min_duration=-3),
}


@pytest.mark.parametrize("field", BROKEN)
def test_a_broken_file_is_refused_by_the_name_of_its_field(tmp_path, field):
    """A traceback, or a message that leaves one searching the file."""
    whole = instance(seed=1)
    BROKEN[field](whole)
    with pytest.raises(FormatError) as refused:
        uhhc.read(path=saved(tmp_path, whole))
    assert refused.value.where == field or refused.value.where == f"file.{field}"
