"""The search made ready ahead: that a real day's search then compiles nothing any more."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rostering.ahead import getting_ready
from rostering.search.compiled import compile_problem
from rostering.solver import Params, chosen

from .factories import locality_day

ROOT = Path(__file__).parents[2]
AHEAD = (
    "from rostering.ahead import getting_ready\nif __name__ == '__main__':\n    with getting_ready() as wait: wait()"
)
DAY = """
from rostering.solver import solve
from rostering.stop import Iterations
from tests.rostering.factories import locality_day
assert solve(problem=locality_day(seed=1, visits=60, workers=9), stop=Iterations(300), seed=1).roster.runs
"""


def kept_after(program: str, caches: Path) -> set[str]:
    """The compiled functions on disk after a program has run."""
    script = caches.parent / "program.py"
    script.write_text(program)
    given = os.environ | {"PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(caches)}
    subprocess.run([sys.executable, str(script)], env=given, check=True, cwd=ROOT, timeout=300)
    return {f"{path.parent.name}/{path.name}" for path in caches.rglob("*.nbc")}


@pytest.mark.slow
def test_a_day_compiles_nothing_once_the_search_was_made_ready(tmp_path: Path) -> None:
    """Somebody waits for a compiler though there was time before; or the wrong engine is made ready."""
    ready = kept_after(AHEAD, tmp_path / "caches")
    assert len(ready) > 10
    assert kept_after(DAY, tmp_path / "caches") == ready


def test_what_is_made_ready_is_the_engine_of_a_day() -> None:
    """An engine that no home care day asks for."""
    assert (
        chosen(compiled=compile_problem(problem=locality_day(seed=1, visits=20, workers=4)), params=Params()).name
        == "duties"
    )


def test_nobody_waits_for_what_is_no_longer_wanted() -> None:
    """A compiler that runs on for seconds after the demo was ended."""
    with getting_ready():
        assert [child.name for child in multiprocessing.active_children()] == ["getting-ready"]
    assert multiprocessing.active_children() == []
