"""`popback bench instances` on a folder of our own tiny instances: sets, means, resuming, keeping, refusals."""

import json
import multiprocessing
import os
import time
from decimal import Decimal
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

from api.cli import app
from rostering.formats import mankowska_evaluate
from simulations.bench import instances
from simulations.bench.instances_jobs import JobLostError, in_jobs
from simulations.bench.instances_record import Record, RecordError
from simulations.bench.instances_sets import SETS, SetError, entries

SCHEMA = json.loads(Path("api/schema/bench_instances.json").read_text(encoding="utf-8"))
NAMES = [f"InstanzCPLEX_HCSRP_10_{number}" for number in (1, 2, 3)]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A benchmark folder with three Mankowska instances of two patients; the second's best-known value is too high."""
    folder = tmp_path / "data" / "hhcrsp" / "mankowska"
    (folder / "instances").mkdir(parents=True)
    columns = "instance,mnsa_travel,mnsa_total_tardiness,mnsa_max_tardiness"
    rows = [f"{NAMES[0]},30.000,0.000,0.000", f"{NAMES[1]},60.000,0.000,0.000", f"{NAMES[2]},30.000,0.000,0.000"]
    (folder / "bks.csv").write_text("\n".join([columns, *rows]) + "\n", encoding="utf-8")
    for name in NAMES:
        (folder / "instances" / f"{name}.json").write_text(json.dumps(tiny()), encoding="utf-8")
    return tmp_path / "data"


def tiny() -> dict[str, object]:
    """Two patients in a row, 10 apart: the best tour is 30 long, its objective 10."""
    return {
        "patients": [
            {
                "id": f"p{number}",
                "location": [number, 0],
                "time_window": [0, 100],
                "required_caregivers": [{"service": "s1", "duration": 5}],
            }
            for number in (1, 2)
        ],
        "services": [{"id": "s1", "default_duration": 5}],
        "caregivers": [{"id": "c1", "abilities": ["s1"]}],
        "central_offices": [{"id": "d", "location": [0, 0]}],
        "distances": [[0, 10, 10], [10, 0, 10], [10, 10, 0]],
    }


def asked(data: Path, **changes: object) -> instances.Asked:
    given = {"data": data, "set_name": "mankowska-10", "seconds": 0.05, "seeds": 2, "clock": "cpu", "version": "1"}
    return instances.Asked(**(given | changes))  # type: ignore[arg-type]


def popback(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["bench", "instances", *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


def test_the_command_prints_one_object_of_its_schema_with_means_over_the_seeds(data: Path) -> None:
    """A reader of the figures would get another shape, or the best seed for the mean."""
    given = ("--data", str(data), "--set", "mankowska-10", "--seconds", "0.05", "--seeds", "2", "--clock", "cpu")
    code, out, err = popback(*given, "--json")
    assert code == 0
    figures = json.loads(out)
    jsonschema.validate(figures, SCHEMA)
    assert [row["objectives"] for row in figures["rows"]] == [[10.0, 10.0]] * 3
    assert [row["mean_gap"] for row in figures["rows"]] == [0.0, -0.5, 0.0]
    assert figures["worst_gap"] == 0.0
    assert figures["mean_gap"] == pytest.approx(-0.5 / 3)
    assert "6/6" in err
    assert "best known" in popback(*given)[1]


def test_a_stopped_run_goes_on_where_it_was_and_a_torn_line_is_solved_again(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A night's run killed in its last minute would begin again, or read half a line as a figure."""
    record = tmp_path / "record.jsonl"
    instances.run(asked=asked(data, resume=record), say=lambda _: None)
    lines = record.read_bytes().splitlines(keepends=True)
    assert len(lines) == 6
    record.write_bytes(b"".join(lines[:4]) + lines[4][:30])
    solved = []
    solve_one = instances.solve_one
    monkeypatch.setattr(instances, "solve_one", lambda task: solved.append(task.key) or solve_one(task))
    figures = instances.run(asked=asked(data, resume=record), say=lambda _: None)
    assert [(key.instance, key.seed) for key in solved] == [(NAMES[2], 1), (NAMES[2], 2)]
    assert figures["complete"]
    assert len(record.read_bytes().splitlines()) == 6


def test_ctrl_c_gives_what_is_done_and_keeps_it(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person who stops a long run would lose what it had done, or take a part for the whole."""
    record = tmp_path / "record.jsonl"
    solve_one = instances.solve_one

    def second_is_stopped(task: instances.Task) -> object:
        if task.key.seed == 2:
            raise KeyboardInterrupt
        return solve_one(task)

    monkeypatch.setattr(instances, "solve_one", second_is_stopped)
    given = ("--data", str(data), "--set", "mankowska-10", "--seconds", "0.05", "--seeds", "2", "--clock", "cpu")
    code, out, err = popback(*given, "--json", "--resume", str(record))
    assert code == 130
    assert not json.loads(out)["complete"]
    assert "goes on from" in err
    assert len(record.read_text(encoding="utf-8").splitlines()) == 1


def test_solves_side_by_side_give_the_same_figures(data: Path) -> None:
    """Two solves at once would be lost, or counted for one another."""
    figures = instances.run(asked=asked(data, jobs=2), say=lambda _: None)
    assert [row["objectives"] for row in figures["rows"]] == [[10.0, 10.0]] * 3


def test_a_killed_job_is_said_and_jobs_no_longer_wanted_are_ended() -> None:
    """A night's run would hang when memory runs out, or leave its processes behind."""
    with pytest.raises(JobLostError, match="fewer --jobs"):
        list(in_jobs(work=os._exit, tasks=[9, 9], jobs=2))
    results = in_jobs(work=time.sleep, tasks=[0.0, 600.0], jobs=2)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert not multiprocessing.active_children()


def test_only_solutions_that_beat_the_published_value_are_kept_in_the_published_format(
    data: Path, tmp_path: Path
) -> None:
    """A kept file would be no record at all, or one that the published format's own validator cannot read."""
    kept = tmp_path / "kept"
    instances.run(asked=asked(data, keep=kept), say=lambda _: None)
    assert [path.name for path in kept.iterdir()] == [f"{NAMES[1]}.sol.json.gz"]
    instance = data / "hhcrsp/mankowska/instances" / f"{NAMES[1]}.json"
    judged = mankowska_evaluate.evaluate(instance=instance, solution=kept / f"{NAMES[1]}.sol.json.gz")
    assert (judged.objective, judged.faults) == (Decimal(10), ())


def test_kept_solutions_are_evaluated_anew_and_better_ones_taken(data: Path, tmp_path: Path) -> None:
    """A table would show what a file once claimed, or a worse file would take a better one's place."""
    found, kept = tmp_path / "found", tmp_path / "kept"
    instances.run(asked=asked(data, keep=found / "mankowska-10"), say=lambda _: None)
    kept.mkdir()
    given = ("--data", str(data), "--folder", str(kept))
    done = CliRunner().invoke(app, ["bench", "kept", *given, "--take", str(found), "--json"])
    figures = json.loads(done.stdout)
    jsonschema.validate(figures, json.loads(Path("api/schema/bench_kept.json").read_text(encoding="utf-8")))
    assert figures["taken"] == 1
    row = {"set": "mankowska-10", "instance": NAMES[1], "published_best": 20.0, "objective": 10.0, "gap": -0.5}
    assert figures["rows"] == [{**row, "faults": []}]
    again = CliRunner().invoke(app, ["bench", "kept", *given, "--take", str(found)])
    assert f"| mankowska-10 | {NAMES[1]} | 20.000 | 10.000 | -50.00 % |" in again.stdout
    (kept / "nonsense").mkdir()
    refused = CliRunner().invoke(app, ["bench", "kept", *given])
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "nonsense is not a set" in refused.stderr


def test_a_solution_that_the_evaluator_refuses_has_no_objective_and_fails_the_command(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong solution would count as a figure."""
    from rostering.formats import mankowska

    def write_nothing(*, path: Path, instance: object, roster: object) -> None:
        path.write_text('{"routes": []}', encoding="utf-8")

    monkeypatch.setattr(mankowska, "write", write_nothing)
    given = ("--data", str(data), "--set", "mankowska-10", "--seconds", "0.05", "--seeds", "1", "--clock", "cpu")
    code, out, _ = popback(*given, "--json")
    figures = json.loads(out)
    assert code == 1
    assert figures["faulty"] == 3
    assert figures["mean_gap"] is None
    assert figures["rows"][0]["objectives"] == [None]
    assert "gets []" in figures["rows"][0]["faults"][0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--set", "nonsense"), "--set: 'nonsense' is not one of mankowska-10"),
        (("--set", "italian"), "--data: no instances of italian"),
        (("--set", "mankowska-10", "--seconds", "nan"), "--seconds: nan is not a time"),
        (("--set", "mankowska-10", "--only", "x"), "--only: x not in the set"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_a_sentence(data: Path, arguments: tuple[str, ...], said: str) -> None:
    """A slip in the command line would end in a traceback."""
    code, out, err = popback("--data", str(data), *arguments)
    assert (code, out) == (2, "")
    assert said in err


def test_a_broken_instance_a_broken_table_and_a_broken_record_are_named(data: Path, tmp_path: Path) -> None:
    """A damaged file would end in a traceback, or in figures without it."""
    folder = data / "hhcrsp/mankowska"
    (folder / "instances" / f"{NAMES[0]}.json").write_text("{}", encoding="utf-8")
    with pytest.raises(SetError, match=r"10_1.json: file.patients: missing"):
        instances.run(asked=asked(data), say=lambda _: None)
    (tmp_path / "record").write_text("[]\n", encoding="utf-8")
    with pytest.raises(RecordError, match="line 1 is not a solve"):
        Record(tmp_path / "record").read()
    (folder / "bks.csv").write_text("instance,mnsa_travel\na,b\n", encoding="utf-8")
    with pytest.raises(SetError, match=r"bks.csv: a column is missing or not a number"):
        entries(data=data, of=SETS["mankowska-10"], subset=False)


def test_the_gating_subsets_are_those_that_the_targets_name() -> None:
    """The figures would be of easier instances than those that gate."""
    names = [f"i-{number:03}" for number in range(7)]
    assert SETS["uhhc"].subset(names) == ("i-000", "i-003", "i-006", "i-116", "i-247")
    assert SETS["italian"].subset(names) == ("i-000", "i-005")
    assert SETS["mankowska-25"].subset([]) == tuple(f"InstanzCPLEX_HCSRP_25_{number}" for number in (2, 5, 8))
    assert SETS["mankowska-300"].subset([]) == tuple(f"InstanzVNS_HCSRP_300_{number}" for number in (3, 8))
