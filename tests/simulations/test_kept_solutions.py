"""The solutions kept in docs/rosters/best: readable, whole, of known sets, and in the page's table. The instances are not
shipped: `popback bench kept --data DIR` evaluates them."""

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from simulations.bench.instances_sets import SETS

BEST = Path("docs/rosters/best")
PAGE = Path("docs/rosters/benchmarks.md")
KEPT = sorted(path for path in BEST.rglob("*") if path.is_file())


def instance_of(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".json").removesuffix(".sol")


@pytest.mark.parametrize("path", KEPT, ids=str)
def test_a_kept_solution_is_small_and_visits_nobody_twice_for_one_service(path: Path) -> None:
    """A torn or doubled file would stand as a record, or swell the repository."""
    assert path.parent.name in SETS
    assert path.stat().st_size < 50_000
    raw = path.read_bytes()
    if path.name.endswith(".sol"):
        lines = raw.decode().splitlines()
        stops = Counter(stop for line in lines if line.startswith("Route") for stop in line.split(":")[1].split())
        assert set(stops.values()) == {1}
        return
    answer = json.loads(gzip.decompress(raw))
    assert gzip.compress(gzip.decompress(raw), mtime=0) == raw, "not packed by popback bench kept"
    carers = Counter(route["caregiver_id"] for route in answer["routes"])
    assert set(carers.values()) == {1}
    stops = [stop for route in answer["routes"] for stop in route.get("locations", ())]
    done = Counter((stop.get("patient"), stop["service"]) for stop in stops if stop["service"] != "lunch_break")
    assert max(done.values()) <= 2
    assert all(stop["arrival_time"] <= stop["departure_time"] for stop in stops)


def test_the_page_has_a_row_of_every_kept_solution_and_of_no_other() -> None:
    """The page would claim a record that nobody can check, or hide one."""
    page = PAGE.read_text(encoding="utf-8")
    rows = [line.split("|")[1:3] for line in page.splitlines() if line.startswith("| ") and line.count("|") == 6]
    named = {(row[0].strip(), row[1].strip()) for row in rows} - {("Set", "Instance")}
    assert named == {(path.parent.name, instance_of(path)) for path in KEPT}
