"""`popback bench peers`: OR-Tools, PyVRP, VROOM and popback on the same instances in one run, judged alike.

Each is given what it can express, one after the other, one thread each; every answer goes through the format's own
evaluator, or, where there is none, the product's verifier. It neither searches nor judges itself.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rostering.explain import score
from rostering.formats.any_file import read_any
from rostering.formats.error import FormatError
from rostering.formats.vroom_input import CannotExpressError
from rostering.problem import Problem
from rostering.roster import Roster
from rostering.search.compiled import compile_problem
from rostering.solver import Params, RosterFaultError, solve
from rostering.stop import Iterations, Seconds
from rostering.verify import violations
from simulations.bench.instances_jobs import in_jobs
from simulations.bench.instances_sets import SETS, Entry, entries
from simulations.bench.peers_plan import Limit, PeerError, roster_of

POPBACK = "popback"
PEERS = {"ortools": "ortools", "pyvrp": "pyvrp", "vroom": "pyvroom"}
"""Each peer's module of this folder (peers_<name>) and the package it needs."""
FAULTS_SHOWN = 5


class PeersError(ValueError):
    """A comparison that cannot be made: the sentence says what is at fault and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be compared: files, or a published set in the folder `data`. Raises PeersError for what cannot be."""

    files: tuple[Path, ...] = ()
    data: Path | None = None
    set_name: str | None = None
    subset: bool = False
    seconds: float = 60.0
    clock: str = "wall"
    seeds: int = 1
    peers: tuple[str, ...] = tuple(PEERS)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.seconds) and self.seconds > 0):
            raise PeersError(f"--seconds: {self.seconds} is not a time; give more than 0")
        if self.clock not in ("wall", "cpu"):
            raise PeersError(f"--clock: {self.clock!r} is neither wall nor cpu")
        if not self.files and self.data is None:
            raise PeersError("FILE: none; name instance files, or --data DIR --set NAME")
        if (self.data is None) != (self.set_name is None):
            raise PeersError("--data and --set go together: the folder of the published instances and a set of it")
        if self.set_name is not None and self.set_name not in SETS:
            raise PeersError(f"--set: {self.set_name!r} is not one of {', '.join(SETS)}")
        for peer in self.peers:
            if peer not in PEERS:
                raise PeersError(f"--peer: {peer!r} is not one of {', '.join(PEERS)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One solve of one instance by one solver."""

    path: Path
    solver: str
    limit: Limit
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """What came of it. `objective` is None unless the judge found no fault; `cannot` says what it has no words for.

    `seconds` is wall time of building the peer's model and solving, `cpu_seconds` the process's own time in it.
    """

    task: Task
    objective: float | None = None
    unfilled: int = 0
    faults: tuple[str, ...] = ()
    cannot: str | None = None
    approximates: tuple[str, ...] = ()
    seconds: float = 0.0
    cpu_seconds: float = 0.0


def run(*, asked: Asked, say: Callable[[str], None] | None = None) -> dict[str, Any]:
    """A row an instance, with each solver's objectives over the seeds; stopped by Ctrl-C, it gives what is done.

    Raises PeersError, SetError (instances_sets), OSError.
    """
    say = say or _to_standard_error
    _check_installed(asked.peers)
    found = _entries(asked)
    solvers = (POPBACK, *asked.peers)
    limit = Limit(seconds=asked.seconds, is_cpu=asked.clock == "cpu")
    tasks = [
        Task(path=entry.path, solver=solver, limit=limit, seed=seed)
        for entry in found
        for seed in range(1, asked.seeds + 1)
        for solver in solvers
    ]
    done: list[Solved] = []
    say(f"{len(tasks)} solves of up to {asked.seconds:g} s, one after the other")
    try:
        for solved in in_jobs(work=solve_one, tasks=tasks, jobs=1):
            done.append(solved)
            say(f"{len(done)}/{len(tasks)} {_line(solved)}")
    except KeyboardInterrupt:
        say(f"stopped: {len(done)} of {len(tasks)} solves are done")
    return _figures(asked, found, solvers, done, complete=len(done) == len(tasks))


def _check_installed(peers: Sequence[str]) -> None:
    for peer in peers:
        if importlib.util.find_spec(importlib.import_module(f"simulations.bench.peers_{peer}").MODULE) is None:
            raise PeersError(f"{PEERS[peer]} is not installed: pip install popback[bench], or leave --peer {peer} out")


def _entries(asked: Asked) -> tuple[Entry, ...]:
    found = [Entry(name=_stem(path), path=path, published={}) for path in asked.files]
    for entry in found:
        try:
            read_any(path=entry.path)
        except FormatError as error:
            raise PeersError(f"{entry.path}: {error}") from error
    if asked.data is not None and asked.set_name is not None:
        found += entries(data=asked.data, of=SETS[asked.set_name], subset=asked.subset)
    return tuple(found)


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".json").removesuffix(".txt")


def solve_one(task: Task) -> Solved:
    """One solve, judged."""
    file_format, instance = read_any(path=task.path)
    if task.solver == POPBACK:
        _warm_up(instance.problem)
    began, cpu_began = time.monotonic(), time.process_time()
    try:
        roster, approximates = _answer(task, instance.problem)
    except CannotExpressError as error:
        return Solved(task=task, cannot=error.what)
    except (PeerError, RosterFaultError) as error:
        return Solved(task=task, faults=(str(error)[:500],))
    seconds, cpu_seconds = time.monotonic() - began, time.process_time() - cpu_began
    objective, faults = _judged(task.path, file_format, instance, roster)
    return Solved(
        task=task,
        objective=None if faults else objective,
        unfilled=len(roster.unfilled),
        faults=faults[:FAULTS_SHOWN],
        approximates=approximates,
        seconds=round(seconds, 3),
        cpu_seconds=round(cpu_seconds, 3),
    )


def _answer(task: Task, problem: Problem) -> tuple[Roster, tuple[str, ...]]:
    if task.solver == POPBACK:
        result = solve(
            problem=problem, stop=Seconds(task.limit.seconds, task.limit.clock), seed=task.seed, params=_params()
        )
        return result.roster, ()
    peer = importlib.import_module(f"simulations.bench.peers_{task.solver}")
    compiled = compile_problem(problem=problem)
    plan = peer.plan(compiled=compiled, limit=task.limit, seed=task.seed)
    return roster_of(compiled=compiled, plan=plan), plan.approximates


def _warm_up(problem: Problem) -> None:
    solve(problem=problem, stop=Iterations(1), seed=0, params=_params())


def _params() -> Params:
    """One process, as the peers have one thread."""
    given: dict[str, Any] = {"processes": 1} if "processes" in Params.__dataclass_fields__ else {}
    return Params(**given)


def _judged(path: Path, file_format: Any, instance: Any, roster: Roster) -> tuple[float, tuple[str, ...]]:
    """The objective and the faults: from the written file by the format's evaluator, else by verifier and score."""
    name = f"{file_format.__name__}_evaluate"
    if importlib.util.find_spec(name) is None:
        wrong = tuple(f"{each.rule}: {each.sentence}" for each in violations(problem=instance.problem, roster=roster))
        return float(score(problem=instance.problem, roster=roster).total), wrong
    with tempfile.TemporaryDirectory(prefix="popback-peers-") as folder:
        written = Path(folder) / "solution"
        file_format.write(path=written, instance=instance, roster=roster)
        judged = importlib.import_module(name).evaluate(instance=path, solution=written)
    return float(judged.objective), tuple(judged.faults)


def _line(solved: Solved) -> str:
    who = f"{_stem(solved.task.path)} {solved.task.solver} seed {solved.task.seed}"
    if solved.cannot is not None:
        return f"{who}: cannot express: {solved.cannot}"
    said = "no sound answer: " + "; ".join(solved.faults) if solved.objective is None else f"{solved.objective:.4f}"
    return f"{who}: {said}, {solved.unfilled} unfilled, {solved.seconds:.1f} s"


def _to_standard_error(words: str) -> None:
    sys.stderr.write(words + "\n")
    sys.stderr.flush()


def _figures(
    asked: Asked, found: Sequence[Entry], solvers: Sequence[str], done: Sequence[Solved], *, complete: bool
) -> dict[str, Any]:
    rows = []
    for entry in found:
        mine = [solved for solved in done if solved.task.path == entry.path]
        best = None if entry.best_known is None else float(entry.best_known)
        of = {solver: _column([s for s in mine if s.task.solver == solver], best) for solver in solvers}
        rows.append({"instance": entry.name, "best_known": best, "solvers": of})
    packages = {POPBACK: POPBACK, **{peer: PEERS[peer] for peer in asked.peers}}
    return {
        "seconds": asked.seconds,
        "clock": asked.clock,
        "seeds": asked.seeds,
        "cores": len(os.sched_getaffinity(0)),
        "versions": {solver: version(package) for solver, package in packages.items()},
        "rows": rows,
        "complete": complete,
    }


def _column(solves: Sequence[Solved], best: float | None) -> dict[str, Any]:
    """One solver's figures for one instance; a mean only when every seed gave a sound answer."""
    cannot = next((solved.cannot for solved in solves if solved.cannot is not None), None)
    if cannot is not None:
        return {"cannot_express": cannot}
    objectives = [solved.objective for solved in solves]
    sound = [objective for objective in objectives if objective is not None]
    mean = sum(sound) / len(sound) if sound and len(sound) == len(objectives) else None
    return {
        "objectives": objectives,
        "mean": None if mean is None else round(mean, 6),
        "mean_gap": None if mean is None or not best else round(mean / best - 1, 8),
        "unfilled": [solved.unfilled for solved in solves],
        "faults": [fault for solved in solves for fault in solved.faults],
        "approximates": sorted({what for solved in solves for what in solved.approximates}),
        "seconds": [solved.seconds for solved in solves],
        "cpu_seconds": [solved.cpu_seconds for solved in solves],
    }
