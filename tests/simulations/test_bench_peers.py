"""`popback bench peers` with the real peers on tiny instances of our own: the same judge for all, honest refusals."""

import json
from itertools import pairwise
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

from api.cli import app
from rostering.problem import Demand, Problem, Shift, Slot, Sync, Travel, Window, Worker
from rostering.search.compiled import compile_problem
from rostering.verify import violations
from rostering.weights import Weights
from simulations.bench import peers, peers_ortools, peers_pyvrp, peers_vroom
from simulations.bench.peers_plan import Limit, roster_of

SCHEMA = json.loads(Path("api/schema/bench_peers.json").read_text(encoding="utf-8"))
LIMIT = Limit(seconds=0.4)
VRPTW = """TINY

VEHICLE
NUMBER     CAPACITY
  3         10

CUSTOMER
CUST NO.   XCOORD.   YCOORD.   DEMAND    READY TIME   DUE DATE   SERVICE TIME

    0      0    0    0    0   500    0
    1     10    0    4    0   100    5
    2     20    0    4   10   200    5
    3      0   30    4    0   300    5
    4      0   20    4   50   400    5
"""


@pytest.fixture
def vrptw(tmp_path: Path) -> Path:
    """Two pairs of customers in two directions: the best distance is 40 + 60 by hand."""
    path = tmp_path / "tiny.txt"
    path.write_text(VRPTW, encoding="utf-8")
    return path


@pytest.fixture
def hhcrsp(tmp_path: Path) -> Path:
    """One patient who needs two caregivers at once."""
    whole = {
        "patients": [
            {
                "id": "p1",
                "location": [10, 0],
                "time_window": [0, 50],
                "required_caregivers": [{"service": "s1", "duration": 5}, {"service": "s2", "duration": 5}],
                "synchronization": {"type": "simultaneous"},
            }
        ],
        "services": [{"id": "s1", "default_duration": 5}, {"id": "s2", "default_duration": 5}],
        "caregivers": [{"id": "c1", "abilities": ["s1"]}, {"id": "c2", "abilities": ["s1", "s2"]}],
        "central_offices": [{"id": "d", "location": [0, 0]}],
        "distances": [[0, 10], [10, 0]],
    }
    path = tmp_path / "double.json"
    path.write_text(json.dumps(whole), encoding="utf-8")
    return path


def asked(*files: Path, **more: object) -> peers.Asked:
    """A quick comparison."""
    return peers.Asked(files=files, **({"seconds": 0.4} | more))  # type: ignore[arg-type]


def test_all_four_find_the_best_of_a_tiny_instance_and_its_figures_fit_the_schema(vrptw: Path, hhcrsp: Path) -> None:
    """A field given to a peer wrongly shows as another best value; a double-up given as one worker as a number."""
    result = peers.run(asked=asked(vrptw, hhcrsp), say=lambda _: None)
    jsonschema.validate(result, SCHEMA)
    plain, double = (row["solvers"] for row in result["rows"])
    assert {solver: column["mean"] for solver, column in plain.items()} == dict.fromkeys(
        ("popback", "ortools", "pyvrp", "vroom"), 100.0
    )
    assert double["pyvrp"] == double["vroom"] == {"cannot_express": "double-ups"}
    assert double["popback"]["mean"] == pytest.approx(40 / 3)
    assert double["ortools"]["mean"] == pytest.approx(40 / 3)
    assert double["ortools"]["approximates"] == ["the largest lateness"]
    assert result["complete"]


def test_the_command_prints_one_object_and_its_progress_elsewhere(vrptw: Path) -> None:
    """A script that reads standard output must find nothing but the figures."""
    done = CliRunner().invoke(app, ["bench", "peers", str(vrptw), "--seconds", "0.3", "--peer", "vroom", "--json"])
    assert done.exit_code == 0
    result = json.loads(done.stdout)
    jsonschema.validate(result, SCHEMA)
    assert set(result["rows"][0]["solvers"]) == {"popback", "vroom"}
    assert "2/2" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "name instance files"),
        (["--data", "."], "--data and --set go together"),
        (["--data", ".", "--set", "moon"], "'moon' is not one of"),
        (["{file}", "--peer", "cplex"], "'cplex' is not one of"),
        (["{file}", "--seconds", "-1"], "--seconds"),
        (["{file}.missing"], "No such file"),
        (["{broken}"], "line 11"),
    ],
)
def test_a_wrong_argument_is_refused_with_its_name(
    vrptw: Path, tmp_path: Path, arguments: list[str], words: str
) -> None:
    """A person with a slip in the command needs a sentence, not a traceback after a minute."""
    broken = tmp_path / "broken.txt"
    broken.write_text(VRPTW.replace("10    0    4", "10    0    -4"), encoding="utf-8")
    given = [each.format(file=vrptw, broken=broken) for each in arguments]
    done = CliRunner().invoke(app, ["bench", "peers", *given])
    assert done.exit_code == 2
    assert words in done.stderr


def test_a_missing_package_names_the_extra(vrptw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The peers are an extra: whoever has none must be told which to install."""
    monkeypatch.setattr(peers_pyvrp, "MODULE", "a_package_that_is_not_there")
    done = CliRunner().invoke(app, ["bench", "peers", str(vrptw)])
    assert done.exit_code == 2
    assert "pip install popback[bench]" in done.stderr


def day(**more: object) -> Problem:
    """Six visits, two workers of unlike homes, skills and shifts, one double-up."""
    travel = [[0 if a == b else 300 + 60 * abs(a - b) for b in range(5)] for a in range(5)]
    demands = [
        Demand(
            id=f"d{number}",
            customer=f"c{number}",
            place=number % 5,
            slots=(Slot(1200, frozenset({"hoist"} if number == 4 else ())),) * (2 if number == 2 else 1),
            windows=(Window(3600 * number, 3600 * (number + 1)),),
            **more,  # type: ignore[arg-type]
        )
        for number in range(1, 6)
    ]
    workers = (
        Worker(id="a", shifts=(Shift(0, 30_000),), home=0, skills=frozenset({"hoist"})),
        Worker(id="b", shifts=(Shift(3_000, 28_000),), home=3),
    )
    return Problem(
        demands=tuple(demands),
        workers=workers,
        travel=Travel({"car": travel}),  # type: ignore[dict-item]
        horizon=Shift(0, 86_400),
        weights=Weights(),
    )


def test_or_tools_plans_of_a_product_day_pass_the_verifier() -> None:
    """Skills, homes, shifts and double-ups that the model does not say would come back as violations."""
    compiled = compile_problem(problem=day())
    plan = peers_ortools.plan(compiled=compiled, limit=LIMIT, seed=1)
    roster = roster_of(compiled=compiled, plan=plan)
    assert roster.unfilled == ()
    assert violations(problem=compiled.problem, roster=roster) == ()


def test_or_tools_keeps_the_agreed_gap_of_a_sequential_pair() -> None:
    """A pair with 10 to 15 minutes between its starts, taken for simultaneous."""
    problem = day()
    pair = Demand(
        id="pair", customer="p", place=1, slots=(Slot(600), Slot(600)), windows=(Window(0, 9000),), sync=Sync(600, 900)
    )
    compiled = compile_problem(
        problem=Problem(demands=(pair,), workers=problem.workers, travel=problem.travel, horizon=problem.horizon)
    )
    roster = roster_of(compiled=compiled, plan=peers_ortools.plan(compiled=compiled, limit=LIMIT, seed=1))
    first, second = (roster.starts()["pair", slot][1] for slot in (0, 1))
    assert 600 <= second - first <= 900


@pytest.mark.parametrize(("peer", "words"), [(peers_vroom, "double-ups"), (peers_pyvrp, "double-ups")])
def test_a_peer_refuses_what_it_has_no_words_for(peer: object, words: str) -> None:
    """A smaller question solved well is not a comparison."""
    with pytest.raises(Exception, match=words):
        peer.plan(compiled=compile_problem(problem=day()), limit=LIMIT, seed=1)  # type: ignore[attr-defined]


def test_every_peer_answers_an_empty_day() -> None:
    """No visits and no workers end some models in a crash."""
    empty = Problem(demands=(), workers=(), travel=Travel({"car": [[0]]}), horizon=Shift(0, 10))  # type: ignore[dict-item]
    for peer in (peers_ortools, peers_pyvrp, peers_vroom):
        assert not peer.plan(compiled=compile_problem(problem=empty), limit=LIMIT, seed=1).runs


def test_runs_of_one_worker_follow_each_other_in_time() -> None:
    """A plan whose stops came back out of order would be timed wrongly."""
    compiled = compile_problem(problem=day())
    for stops in peers_ortools.plan(compiled=compiled, limit=LIMIT, seed=1).runs.values():
        assert all(before[2] < after[2] for before, after in pairwise(stops))
