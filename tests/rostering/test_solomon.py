"""VRPTW files: read as the convention says, solved, written as CVRPLIB does, judged by an evaluator of its own."""

from __future__ import annotations

import gzip
import random
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rostering.formats import solomon
from rostering.formats.error import FormatError
from rostering.formats.solomon_evaluate import evaluate
from rostering.solver import Params, solve
from rostering.stop import Iterations

HEAD = "TINY\n\nVEHICLE\nNUMBER     CAPACITY\n{number} {capacity}\n\nCUSTOMER\n"
COLUMNS = "CUST NO.   XCOORD.   YCOORD.   DEMAND    READY TIME   DUE DATE   SERVICE TIME\n\n"


def text(*, rows, number=3, capacity=10):
    """An instance file of our own making."""
    return HEAD.format(number=number, capacity=capacity) + COLUMNS + "".join(f"{' '.join(map(str, r))}\n" for r in rows)


def drawn(*, seed, customers):
    """Rows with a depot in the middle, windows that one vehicle from the depot can always keep."""
    rng = random.Random(seed)
    rows = [(0, 50, 50, 0, 0, 1000, 0)]
    for c in range(1, customers + 1):
        ready = rng.randrange(0, 600)
        rows.append((c, rng.randrange(100), rng.randrange(100), rng.randrange(1, 5), ready, ready + 220, 10))
    return rows


TINY = [(0, 0, 0, 0, 0, 100, 0), (1, 1, 1, 4, 0, 50, 2), (2, 2, 0, 4, 10, 20, 2), (3, 0, 3, 4, 0, 90, 2)]


@pytest.fixture
def tiny(tmp_path):
    """A depot and three customers."""
    path = tmp_path / "tiny.txt"
    path.write_text(text(rows=TINY))
    return path


def test_distance_is_cut_not_rounded_and_everything_is_in_tenths(tiny):
    """Rounding in place of cutting would make every published comparison wrong."""
    instance = solomon.read(path=tiny)
    assert instance.name == "tiny"
    assert instance.problem.travel.between("car", 0, 1) == 14
    assert instance.problem.travel.between("car", 1, 3) == 22
    assert instance.problem.demands[1].windows[0].earliest == 100
    assert instance.problem.demands[1].slots[0].service_seconds == 20
    assert instance.problem.workers[0].capacity == 100
    assert instance.problem.demands[0].load == 40


def test_a_square_distance_is_exact_however_it_is_computed(tmp_path):
    """3, 4, 5 must be 50 tenths, not 49 by a float just under."""
    path = tmp_path / "a.txt"
    path.write_text(text(rows=[(0, 0, 0, 0, 0, 9999, 0), (1, 3, 4, 1, 0, 9999, 0), (2, 300, 400, 1, 0, 9999, 0)]))
    problem = solomon.read(path=path).problem
    assert problem.travel.between("car", 0, 1) == 50
    assert problem.travel.between("car", 0, 2) == 5000


def test_a_gzip_file_reads_as_the_plain_one(tiny, tmp_path):
    """The published sets are kept packed."""
    packed = tmp_path / "tiny.txt.gz"
    packed.write_bytes(gzip.compress(tiny.read_bytes()))
    assert solomon.read(path=packed).problem.demands == solomon.read(path=tiny).problem.demands


@pytest.mark.parametrize("seed", range(4))
def test_solutions_of_every_engine_pass_the_independent_evaluator(tmp_path, seed):
    """The search, the verifier and the writer could share a mistake about loads, windows or distance."""
    path, out = tmp_path / "drawn.txt", tmp_path / "drawn.sol"
    path.write_text(text(rows=drawn(seed=seed, customers=25), number=25))
    instance = solomon.read(path=path)
    for engine in ("segments", "auto"):
        result = solve(problem=instance.problem, stop=Iterations(400), seed=seed, params=Params(engine=engine))
        solomon.write(path=out, instance=instance, roster=result.roster)
        judged = evaluate(instance=path, solution=out)
        assert judged.faults == ()
        assert float(judged.objective) == solomon.parts(problem=instance.problem, roster=result.roster)["objective"]
        assert result.objective == judged.objective * 10


def test_the_routes_of_a_solution_file_are_read_back(tiny, tmp_path):
    """Published solutions are warm starts and references."""
    out = tmp_path / "tiny.sol"
    out.write_text("Route #1: 1 2\nRoute #2: 3\nCost 11.0\n")
    assert solomon.read_routes(path=out) == ((1, 2), (3,))
    out.write_text("nothing\n")
    with pytest.raises(FormatError, match="Route"):
        solomon.read_routes(path=out)
    out.write_text("Route #1: 1 x\n")
    with pytest.raises(FormatError, match="line 1"):
        solomon.read_routes(path=out)


@pytest.mark.parametrize(
    ("solution", "fault"),
    [
        ("Route #1: 1 2 3\nCost 10.0\n", "load 12 is over 10"),
        ("Route #1: 3 2\nRoute #2: 1\n", None),
        ("Route #1: 1\nRoute #2: 3\n", "customer 2 is visited 0 times"),
        ("Route #1: 1 2\nRoute #2: 2 3\n", "customer 2 is visited 2 times"),
        ("Route #1: 1 2\nRoute #2: 3 7\n", "7 is not a customer"),
        ("Route #1: 1\nRoute #2: 2\nRoute #3: 3\nRoute #4: 3\n", "4 routes"),
        ("Route #1: 1 2\nRoute #2: 3\nCost 1.0\n", "the file says cost 1.0"),
    ],
)
def test_the_evaluator_finds_what_is_wrong(tiny, tmp_path, solution, fault):
    """An evaluator that lets a broken solution pass measures nothing."""
    out = tmp_path / "a.sol"
    out.write_text(solution)
    judged = evaluate(instance=tiny, solution=out)
    assert judged.faults == () if fault is None else any(fault in found for found in judged.faults)


def test_the_evaluator_finds_late_starts_and_late_returns(tmp_path):
    """Windows are of the start; the depot's is of the return."""
    rows = [(0, 0, 0, 0, 0, 30, 0), (1, 10, 0, 1, 0, 15, 5), (2, 20, 0, 1, 0, 15, 5), (3, 0, 14, 1, 10, 20, 5)]
    path, out = tmp_path / "late.txt", tmp_path / "late.sol"
    path.write_text(text(rows=rows))
    out.write_text("Route #1: 1 2\nRoute #2: 3\n")
    judged = evaluate(instance=path, solution=out)
    assert any("customer 2 starts at 25, after 15" in fault for fault in judged.faults)
    assert any("back at 50, after 30" in fault for fault in judged.faults)
    assert any("back at 33, after 30" in fault for fault in judged.faults)
    assert judged.objective == Decimal(68)


@pytest.mark.parametrize(
    ("broken", "where"),
    [
        ("", "file"),
        ("hello\n", "file"),
        (text(rows=[]), "file"),
        (text(rows=TINY, number="x"), "line 5, vehicle number"),
        (text(rows=TINY, number=1.5), "line 5, vehicle number"),
        (text(rows=TINY, number=-1), "line 5, vehicle number"),
        (text(rows=TINY, capacity="nan"), "line 5, capacity"),
        (text(rows=TINY, capacity="1 2"), "line 5"),
        (text(rows=[TINY[0], (1, 1, 1, 4, 0, 50)]), "line 11"),
        (text(rows=[TINY[0], (1, "x", 1, 4, 0, 50, 2)]), "line 11, x"),
        (text(rows=[TINY[0], (1, 1, "inf", 4, 0, 50, 2)]), "line 11, y"),
        (text(rows=[TINY[0], (1, 1, 1, -4, 0, 50, 2)]), "line 11, demand"),
        (text(rows=[TINY[0], (1, 1, 1, 4, 60, 50, 2)]), "line 11, due date"),
        (text(rows=[TINY[0], (1, 1, 1, 4, 0, 50, 0.55)]), "line 11, service time"),
        (text(rows=[TINY[0], TINY[1], TINY[1]]), "line 12, customer number"),
        (text(rows=[TINY[0], TINY[2]]), "line 11, customer number"),
    ],
)
def test_a_broken_file_is_refused_with_its_line_and_field(tmp_path, broken, where):
    """Whoever made the file must be told where to look."""
    path = tmp_path / "broken.txt"
    path.write_text(broken)
    with pytest.raises(FormatError) as refused:
        solomon.read(path=path)
    assert refused.value.where == where


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_damaged_file_brings_anything_but_a_format_error(tmp_path, data):
    """Truncated, with bytes changed, or packed and cut: never a traceback."""
    raw = bytearray(text(rows=drawn(seed=1, customers=6)).encode())
    for _ in range(data.draw(st.integers(0, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    whole = gzip.compress(bytes(raw)) if data.draw(st.booleans()) else bytes(raw)
    path = tmp_path / "damaged.txt"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    refused = None
    try:
        solomon.read(path=path)
    except FormatError as error:
        refused = error
    assert refused is None or refused.where


@pytest.mark.parametrize(("customers", "number"), [(0, 3), (4, 0), (0, 0)])
def test_no_customers_or_no_vehicles_is_an_answer_not_a_crash(tmp_path, customers, number):
    """Nobody to visit, or nobody to do it: everything is unfilled, with its reason."""
    path = tmp_path / "none.txt"
    path.write_text(text(rows=drawn(seed=2, customers=customers), number=number))
    instance = solomon.read(path=path)
    result = solve(problem=instance.problem, stop=Iterations(5), seed=1)
    assert len(result.roster.unfilled) == (customers if number == 0 else 0)
    solomon.write(path=tmp_path / "none.sol", instance=instance, roster=result.roster)
