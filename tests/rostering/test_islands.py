"""Searches in several processes: the best answer wins, and no process outlives the solve that began it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from rostering.problem import Window
from rostering.search.compiled import compile_problem
from rostering.search.engine import Answer
from rostering.search.islands import IslandsEngine
from rostering.solver import Params, solve
from rostering.stop import AnyOf, Cancelled, FirstFeasible, Iterations, Seconds, seconds_limit, share_used

from .factories import HOUR, demand, problem, worker


@dataclass(frozen=True)
class SeedEngine:
    """Finds an answer whose objective follows from its seed, and waits until it is stopped."""

    name: str = "seed"
    fails: bool = False

    def refuses(self, *, compiled):
        """Nothing."""

    def search(self, *, compiled, stop, seed, start=None, report=None):
        """Waits for the stop rule."""
        from rostering.stop import Progress

        points = {1_000_002: 1_000_002, 2_000_005: 1}.get(seed, seed % 1_000_003)
        if self.fails and seed > 1_000_003:
            raise ValueError("a bug in a child")
        at = Progress(iterations=1, objective=points, unfilled=0, improved_at=1)
        while not stop(at):
            share_used(stop=stop, progress=at)
            if report is not None:
                report(at)
            time.sleep(0.002)
        return Answer(runs={}, iterations=seed, curve=((0, points + 1), (1, points)))


@dataclass
class Until:
    """Stops when the predicate says so, and never before; gives up after a minute."""

    enough: Callable

    def __post_init__(self):
        self.late = time.monotonic() + 60

    def __call__(self, progress):
        return self.enough(progress) or time.monotonic() > self.late


def compiled_day():
    """One visit and one worker."""
    return compile_problem(problem=problem([demand("a", 9)], [worker("w")]))


def test_a_childs_better_answer_is_heard_and_chosen_and_the_child_is_gone():
    """A second process whose better answer is lost, or that goes on."""
    engine = IslandsEngine(engine=SeedEngine(), processes=2)
    seen = []
    answer = engine.search(
        compiled=compiled_day(),
        stop=Until(lambda progress: progress.objective == 1),
        seed=1_000_002,
        report=seen.append,
    )
    assert answer.curve[-1][1] == 1
    assert seen[0].objective == 1_000_002
    assert multiprocessing.active_children() == []


def test_the_callers_own_answer_is_kept_when_it_is_the_best():
    """A worse answer chosen because it came last."""
    engine = IslandsEngine(engine=SeedEngine(), processes=2)
    answer = engine.search(compiled=compiled_day(), stop=Iterations(1), seed=1_000_003)
    assert answer.curve[-1][1] == 0


def test_a_failing_child_leaves_the_callers_answer(capfd):
    """One process's bug that loses the roster of the other, or that nobody is told of."""
    engine = IslandsEngine(engine=SeedEngine(fails=True), processes=2)
    answer = engine.search(compiled=compiled_day(), stop=Until(lambda _: not multiprocessing.active_children()), seed=5)
    assert answer.iterations == 5
    assert "a bug in a child" in capfd.readouterr().err
    assert multiprocessing.active_children() == []


def test_an_interrupt_ends_the_children():
    """Ctrl-C that leaves a process searching for nobody."""
    engine = IslandsEngine(engine=SeedEngine(), processes=3)

    def interrupt(_progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine.search(compiled=compiled_day(), stop=Until(lambda _: False), seed=5, report=interrupt)
    assert multiprocessing.active_children() == []


def test_killing_the_caller_ends_the_children(tmp_path):
    """A killed solve whose child eats a core for ever."""
    script = tmp_path / "caller.py"
    script.write_text(
        "import multiprocessing\n"
        "from tests.rostering.test_islands import *\n"
        "def say(progress):\n"
        "    print(*(child.pid for child in multiprocessing.active_children()), flush=True)\n"
        "if __name__ == '__main__':\n"
        "    engine = IslandsEngine(engine=SeedEngine(), processes=2)\n"
        "    engine.search(compiled=compiled_day(), stop=Until(lambda _: False), seed=5, report=say)\n"
    )
    caller = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert caller.stdout is not None
    child = int(caller.stdout.readline().split()[0])
    caller.send_signal(signal.SIGKILL)
    caller.wait()
    caller.stdout.close()
    late = time.monotonic() + 60
    while _alive(child) and time.monotonic() < late:
        time.sleep(0.05)
    assert not _alive(child)


def _alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_only_searches_limited_by_seconds_alone_run_in_two_processes():
    """A repeatable solve made unrepeatable, or a test that starts processes."""
    assert seconds_limit(stop=Seconds(9.0)) == 9.0
    assert seconds_limit(stop=Seconds(9.0, time.process_time)) is None
    assert seconds_limit(stop=Iterations(5)) is None
    assert seconds_limit(stop=AnyOf((Seconds(9.0), Iterations(5)))) is None
    assert seconds_limit(stop=AnyOf((Seconds(9.0), Cancelled(lambda: False), FirstFeasible()))) == 9.0


def test_a_solve_in_two_processes_is_verified_like_any_other():
    """A roster made in a child that skips the verifier."""
    anytime = (Window(8 * HOUR, 20 * HOUR),)
    visits = [demand(f"v{n}", 9, windows=anytime, preferred_start=None, due=(9 + n) * HOUR) for n in range(4)]
    free = [worker(name, daily_rest_seconds=0) for name in ("w", "x")]
    given = problem(visits, free, lateness=1, lateness_worst=1)
    result = solve(problem=given, stop=Iterations(3), seed=1, params=Params(processes=2))
    assert result.roster.unfilled == ()
    assert multiprocessing.active_children() == []
