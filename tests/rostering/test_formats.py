"""Instance files: read, solved, written, and judged by an evaluator that shares no code with the solver."""

from __future__ import annotations

import copy
import gzip
import json
import math
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rostering.formats import FORMATS, mankowska
from rostering.formats.error import FormatError
from rostering.formats.mankowska_evaluate import evaluate
from rostering.formats.solve_file import solve_file
from rostering.solver import solve
from rostering.stop import Iterations


def instance(*, seed: int, patients: int, caregivers: int) -> dict:
    """An instance of our own making in the published JSON shape, with simultaneous and sequential double services."""
    rng = random.Random(seed)
    spots = [(rng.randrange(100), rng.randrange(100)) for _ in range(patients + 1)]
    services = ["s1", "s2", "s3", "s4"]
    people = []
    for number in range(patients):
        opens = rng.randrange(0, 400)
        wanted = [rng.choice(services)]
        patient = {"id": f"p{number + 1}", "location": list(spots[number + 1]), "time_window": [opens, opens + 120]}
        if rng.random() < 0.35:
            wanted = rng.sample(services, 2)
            least = rng.randrange(5, 40)
            patient["synchronization"] = rng.choice(
                [{"type": "simultaneous"}, {"type": "sequential", "distance": [least, least * 2]}]
            )
        patient["required_caregivers"] = [{"service": service, "duration": rng.randrange(10, 25)} for service in wanted]
        people.append(patient)
    return {
        "patients": people,
        "services": [{"id": service, "default_duration": 15} for service in services],
        "caregivers": [
            {"id": f"c{n + 1}", "abilities": services if n < 2 else rng.sample(services, 3)} for n in range(caregivers)
        ],
        "central_offices": [{"id": "d", "location": list(spots[0])}],
        "distances": [[round(math.dist(a, b), 3) for b in spots] for a in spots],
    }


@pytest.fixture
def small(tmp_path):
    """A small instance file."""
    path = tmp_path / "small.json"
    path.write_text(json.dumps(instance(seed=1, patients=6, caregivers=3)))
    return path


@pytest.mark.parametrize("seed", range(6))
def test_the_evaluator_finds_no_fault_and_the_same_objective(tmp_path, seed):
    """A solution file that says something else than the solver believes."""
    source, out = tmp_path / "made.json.gz", tmp_path / "made.sol.json"
    source.write_bytes(gzip.compress(json.dumps(instance(seed=seed, patients=9, caregivers=4)).encode()))
    read = mankowska.read(path=source)
    result = solve(problem=read.problem, stop=Iterations(20), seed=seed)
    mankowska.write(path=out, instance=read, roster=result.roster)
    judged = evaluate(instance=source, solution=out)
    parts = mankowska.parts(problem=read.problem, roster=result.roster)
    assert judged.faults == ()
    assert round(float(judged.objective), 6) == parts["objective"]
    assert float(judged.travel) == pytest.approx(parts["travel"])
    assert round(judged.objective * 3000) == result.objective


def test_a_hand_reckoned_instance_has_the_objective_of_its_definition(tmp_path):
    """An objective that forgets the way home, the sum or the worst of tardiness, or the third."""
    whole = instance(seed=1, patients=2, caregivers=1)
    whole["patients"] = [
        {"id": "a", "location": [0, 0], "time_window": [0, 10], "required_caregivers": [{"service": "s1"}]},
        {"id": "b", "location": [0, 0], "time_window": [0, 12], "required_caregivers": [{"service": "s1"}]},
    ]
    whole["distances"] = [[0, 5, 7], [5, 0, 2], [7, 2, 0.5]]
    source, out = tmp_path / "two.json", tmp_path / "two.sol.json"
    source.write_text(json.dumps(whole))
    answer = solve_file(path=source, seconds=0.3, seed=1, out=out)
    assert answer["travel"] == 14
    assert answer["tardiness"] == answer["tardiness_max"] == 10
    assert answer["objective"] == pytest.approx((14 + 10 + 10) / 3)
    assert float(evaluate(instance=source, solution=out).objective) == pytest.approx(34 / 3)


def test_solve_file_gives_the_keys_that_are_measured(small, tmp_path):
    """A key that a benchmark waits for."""
    answer = solve_file(path=small, seconds=0.3, seed=3, out=tmp_path / "out.json")
    assert {"instance", "format", "objective", "feasible", "seconds"} <= set(answer)
    assert (answer["instance"], answer["format"], answer["feasible"]) == ("small", "mankowska", True)
    assert json.loads((tmp_path / "out.json").read_text())["routes"][0]["caregiver_id"] == "c1"


def test_a_truncated_window_edge_is_read_as_published(tmp_path):
    """Float noise in a window (62.99999 for 62) that makes a visit a minute late."""
    whole = instance(seed=2, patients=1, caregivers=2)
    whole["patients"][0]["time_window"] = [5.99999999, 62.99999999999999]
    source = tmp_path / "noise.json"
    source.write_text(json.dumps(whole))
    demand = mankowska.read(path=source).problem.demands[0]
    assert (demand.windows[0].earliest, demand.due) == (5_000, 62_000)


BREAKS = [
    ("patients", lambda w: w.pop("patients")),
    ("patients", lambda w: w.update(patients={})),
    ("services[0].id", lambda w: w["services"][0].pop("id")),
    ("caregivers[0].abilities", lambda w: w["caregivers"][0].update(abilities=[1])),
    ("caregivers[1].id", lambda w: w["caregivers"][1].update(id=None)),
    ("patients[0].id", lambda w: w["patients"][0].update(id=7)),
    ("patients[0].time_window", lambda w: w["patients"][0].update(time_window=[5])),
    ("patients[0].time_window", lambda w: w["patients"][0].update(time_window=[9, 2])),
    ("patients[0].time_window[0]", lambda w: w["patients"][0].update(time_window=[-1, 2])),
    ("patients[0].time_window[1]", lambda w: w["patients"][0].update(time_window=[1, float("nan")])),
    ("patients[0].required_caregivers", lambda w: w["patients"][0].update(required_caregivers=[])),
    ("required_caregivers[0].service", lambda w: w["patients"][0]["required_caregivers"][0].update(service="s9")),
    ("required_caregivers[0].duration", lambda w: w["patients"][0]["required_caregivers"][0].update(duration="x")),
    ("required_caregivers[0].duration", lambda w: w["patients"][0]["required_caregivers"][0].update(duration=-2)),
    ("distances", lambda w: w["distances"].pop()),
    ("distances", lambda w: w["distances"][1].pop()),
    ("distances[1][2]", lambda w: w["distances"][1].__setitem__(2, float("nan"))),
    ("distances[0][1]", lambda w: w["distances"][0].__setitem__(1, -4)),
    ("distances[0][1]", lambda w: w["distances"][0].__setitem__(1, "far")),
    ("demands[1].id", lambda w: w["patients"][1].update(id=w["patients"][0]["id"])),
    ("workers[1].id", lambda w: w["caregivers"][1].update(id=w["caregivers"][0]["id"])),
]


@pytest.mark.parametrize(("field", "harm"), BREAKS)
def test_a_broken_field_is_refused_by_name(tmp_path, field, harm):
    """A crash, or a silent guess, on somebody else's file."""
    whole = instance(seed=3, patients=4, caregivers=3)
    harm(whole)
    source = tmp_path / "broken.json"
    source.write_text(json.dumps(whole))
    with pytest.raises(FormatError) as refused:
        mankowska.read(path=source)
    assert field in refused.value.where


@pytest.mark.parametrize("kind", ["sequential", "together", None])
def test_a_broken_synchronisation_is_refused_by_name(tmp_path, kind):
    """A double service whose rule nobody knows, taken for simultaneous."""
    whole = instance(seed=3, patients=1, caregivers=3)
    whole["patients"][0]["required_caregivers"] = [{"service": "s1"}, {"service": "s2"}]
    whole["patients"][0]["synchronization"] = {"type": kind, "distance": [9, 3]}
    source = tmp_path / "broken.json"
    source.write_text(json.dumps(whole))
    with pytest.raises(FormatError, match="synchronization"):
        mankowska.read(path=source)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"\x1f\x8b\x00", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_instance_at_all_is_refused(tmp_path, raw):
    """A crash on a file that is something else."""
    source = tmp_path / "other.json"
    source.write_bytes(raw)
    with pytest.raises(FormatError, match="file"):
        solve_file(path=source, seconds=1, seed=1, out=tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()


def test_a_gzip_cut_short_is_refused(tmp_path):
    """Half a download read as a whole instance."""
    source = tmp_path / "cut.json.gz"
    source.write_bytes(gzip.compress(json.dumps(instance(seed=1, patients=5, caregivers=3)).encode())[:-40])
    with pytest.raises(FormatError, match="cut short"):
        mankowska.read(path=source)


def test_no_patients_and_no_caregivers_are_legal(tmp_path):
    """A crash on an empty instance."""
    empty, nobody = instance(seed=1, patients=0, caregivers=2), instance(seed=1, patients=2, caregivers=2)
    nobody["caregivers"] = []
    for name, whole, feasible in (("empty", empty, True), ("nobody", nobody, False)):
        source = tmp_path / f"{name}.json"
        source.write_text(json.dumps(whole))
        answer = solve_file(path=source, seconds=0.3, seed=1, out=tmp_path / "out.json")
        assert answer["feasible"] is feasible


JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-9, 9), st.floats(), st.text(max_size=3), st.just([]), st.just({}), st.just([1, 2])
)  # fmt: skip


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 3), choice=st.randoms(use_true_random=False), junk=JUNK)
def test_any_one_value_replaced_by_junk_is_read_or_refused(tmp_path, seed, choice, junk):
    """Any exception but a named refusal on a fuzzed file."""
    whole = instance(seed=seed, patients=3, caregivers=2)
    holder, key = _somewhere(whole, choice)
    holder[key] = copy.deepcopy(junk)
    source = tmp_path / "fuzzed.json"
    source.write_text(json.dumps(whole))
    try:
        read = mankowska.read(path=source)
    except FormatError as refused:
        assert refused.where  # noqa: PT017 -- either outcome is right; an unnamed refusal is not
        return
    solve(problem=read.problem, stop=Iterations(1), seed=1)


def _somewhere(whole, choice):
    holder = whole
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        key = choice.choice(keys)
        inside = holder[key]
        if not isinstance(inside, (dict, list)) or not inside or choice.random() < 0.2:
            return holder, key
        holder = inside


HARMS = [
    ("before", lambda r: r["locations"][0].update(arrival_time=-5)),
    ("cannot be there", lambda r: r["locations"][-1].update(arrival_time=r["locations"][0]["arrival_time"])),
    ("gets", lambda r: r["locations"].pop()),
    ("not a patient", lambda r: r["locations"][0].update(patient="nobody")),
    ("may not do", lambda r: r.update(caregiver_id="stranger")),
]


@pytest.mark.parametrize(("said", "harm"), HARMS)
def test_the_evaluator_sees_a_broken_solution(small, tmp_path, said, harm):
    """An evaluator that passes anything."""
    out = tmp_path / "out.json"
    solve_file(path=small, seconds=0.3, seed=1, out=out)
    answer = json.loads(out.read_text())
    harm(max(answer["routes"], key=lambda route: len(route["locations"])))
    out.write_text(json.dumps(answer))
    assert said in " ".join(evaluate(instance=small, solution=out).faults)


def test_the_evaluator_sees_double_services_apart_and_caregivers_doubled(tmp_path):
    """A double-up of one person, or at two times, passed as feasible."""
    whole = instance(seed=1, patients=1, caregivers=2)
    whole["patients"][0]["required_caregivers"] = [{"service": "s1"}, {"service": "s2"}]
    whole["patients"][0]["synchronization"] = {"type": "simultaneous"}
    source, out = tmp_path / "two.json", tmp_path / "out.json"
    source.write_text(json.dumps(whole))
    stops = [
        {"patient": "p1", "service": s, "arrival_time": at, "departure_time": 0} for s, at in (("s1", 400), ("s2", 450))
    ]
    out.write_text(json.dumps({"routes": [{"caregiver_id": "c1", "locations": stops}] * 2}))
    faults = " ".join(evaluate(instance=source, solution=out).faults)
    assert "two routes" in faults
    out.write_text(json.dumps({"routes": [{"caregiver_id": "c1", "locations": stops}]}))
    faults = " ".join(evaluate(instance=source, solution=out).faults)
    assert "one caregiver twice" in faults
    assert "apart" in faults


def test_every_format_reads_writes_and_has_a_name():
    """A format that the command line cannot use."""
    for each in FORMATS:
        assert each.NAME
        assert callable(each.read)
        assert callable(each.write)


@pytest.mark.parametrize(
    ("out", "sentence"),
    [
        ("small.json", "out: .*small.json is the question itself; name another file"),
        (".", "out: .* is a folder; name a file in it"),
        ("nowhere/out.json", "out: there is no folder .*nowhere; make it first"),
    ],
)
def test_an_out_that_is_no_place_for_a_solution_is_refused_before_the_search(small, tmp_path, out, sentence):
    """An hour's search would be thrown away at its end, or the question written over by its answer."""
    before = small.read_bytes()
    with pytest.raises(FormatError, match=sentence):
        solve_file(path=small, seconds=3_600, seed=1, out=tmp_path / out)
    assert small.read_bytes() == before


def test_a_broken_field_is_named_once():
    """A sentence that stutters reads like a fault of the program's."""
    assert str(FormatError(where="demands[1].id", wrong="demands[1].id: 'v1' twice")) == "demands[1].id: 'v1' twice"


def test_a_roster_that_is_proved_best_ends_the_search(small, tmp_path):
    """An hour spent on looking for what cannot be."""
    asked = iter(range(100_000))
    answer = solve_file(path=small, seconds=3_600, seed=1, out=tmp_path / "o.json", asked=lambda: next(asked) > 90_000)
    assert answer["objective"] == answer["lower_bound"]
    assert answer["stopped"] is False


def test_a_solution_is_there_whole_or_not_at_all(small, tmp_path, monkeypatch):
    """Half a file where there was a whole one, after a crash while it was written."""
    out = tmp_path / "out.json"
    out.write_text("before")

    def torn(*, path, **_):
        path.write_text("half a solu")
        raise OSError("the disk is full")

    monkeypatch.setattr(mankowska, "write", torn)
    with pytest.raises(OSError, match="the disk is full"):
        solve_file(path=small, seconds=0.3, seed=1, out=out)
    assert out.read_text() == "before"
    assert {path.name for path in tmp_path.iterdir()} == {"out.json", small.name}
