"""`popback bench instances`: published instances solved over several seeds, each solution passed by an evaluator that
shares no code with the search. It measures; it does not search (rostering.solver) and does not judge (the evaluators).
"""

from __future__ import annotations

import importlib
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rostering.formats.error import FormatError
from rostering.problem import Problem
from rostering.search.compiled import compile_problem
from rostering.solver import ISLANDS_SECONDS, Params, RosterFaultError, solve, warm_up
from rostering.stop import Seconds
from simulations.bench.instances_jobs import in_jobs
from simulations.bench.instances_kept import evaluator, keep
from simulations.bench.instances_record import Key, Record, Solved
from simulations.bench.instances_sets import SETS, Entry, SetError, entries

CLOCKS = {"wall": time.monotonic, "cpu": time.process_time}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be measured. `seconds` a solve by `clock` (cpu: one process's own time, fair on a busy machine).

    `jobs` solves run at once, each then in one process. Raises SetError for what cannot be.
    """

    data: Path
    set_name: str
    seconds: float
    seeds: int
    subset: bool = False
    only: tuple[str, ...] = ()
    jobs: int = 1
    clock: str = "wall"
    resume: Path | None = None
    keep: Path | None = None
    version: str = ""

    def __post_init__(self) -> None:
        if self.set_name not in SETS:
            raise SetError(f"--set: {self.set_name!r} is not one of {', '.join(SETS)}")
        if not (math.isfinite(self.seconds) and self.seconds > 0):
            raise SetError(f"--seconds: {self.seconds} is not a time; give more than 0")

    @property
    def processes(self) -> int:
        """How many processes one solve uses: 1 for short ones, side by side, or by their own CPU time; else as `solve` does."""
        alone = self.jobs == 1 and self.clock == "wall" and self.seconds >= ISLANDS_SECONDS
        return min(2, cores()) if alone else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One solve to be done."""

    key: Key
    entry: Entry
    keep: Path | None


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0))


def run(*, asked: Asked, say: Callable[[str], None] | None = None) -> dict[str, Any]:
    """The measured figures, as targets.md names them; gaps are shares of the best-known value (0.01 is one per cent).

    Interrupted by Ctrl-C it gives what is done, with `complete` false. Raises SetError, RecordError, OSError.
    """
    say = say or _to_standard_error
    found = _asked_entries(asked)
    record = Record(asked.resume)
    tasks = [_task(asked, entry, seed) for entry in found for seed in range(1, asked.seeds + 1)]
    known = record.read()
    done = {task.key: known[task.key] for task in tasks if task.key in known}
    left = [task for task in tasks if task.key not in done]
    say(f"{len(tasks)} solves, {len(done)} of them done before")
    try:
        for solved in _solves(left, asked.jobs):
            record.append(solved)
            done[solved.key] = solved
            say(_line(solved, len(done), len(tasks)))
    except KeyboardInterrupt:
        say(f"stopped: {len(done)} of {len(tasks)} solves are done" + _going_on(asked))
    return _figures(asked, found, list(done.values()), complete=len(done) == len(tasks))


def _asked_entries(asked: Asked) -> tuple[Entry, ...]:
    found = entries(data=asked.data, of=SETS[asked.set_name], subset=asked.subset)
    unknown = set(asked.only) - {entry.name for entry in found}
    if unknown:
        raise SetError(f"--only: {', '.join(sorted(unknown))} not in the set (or not in its subset)")
    return tuple(entry for entry in found if not asked.only or entry.name in asked.only)


def _going_on(asked: Asked) -> str:
    return f"; the same command goes on from {asked.resume}" if asked.resume else "; --resume FILE would keep them"


def _task(asked: Asked, entry: Entry, seed: int) -> Task:
    key = Key(
        set_name=asked.set_name,
        instance=entry.name,
        seed=seed,
        seconds=asked.seconds,
        clock=asked.clock,
        processes=asked.processes,
        version=asked.version,
    )
    return Task(key=key, entry=entry, keep=asked.keep)


def _solves(tasks: Sequence[Task], jobs: int) -> Iterator[Solved]:
    if jobs == 1:
        yield from map(solve_one, tasks)
    elif tasks:
        yield from in_jobs(work=solve_one, tasks=tasks, jobs=jobs)


def solve_one(task: Task) -> Solved:
    """One instance with one seed: warmed up, solved, written, evaluated from the written file; kept if it is a record.

    A roster that the product's own verifier refuses, or a solution that the evaluator refuses, has faults and no
    objective. Raises SetError for a broken instance.
    """
    of = SETS[task.key.set_name]
    file_format = importlib.import_module(f"rostering.formats.{of.format_name}")
    evaluate = evaluator(of=of)
    try:
        instance = file_format.read(path=task.entry.path)
    except FormatError as error:
        raise SetError(f"{task.entry.path}: {error}") from error
    compile_seconds = _warm_up(instance.problem)
    clock = CLOCKS[task.key.clock]
    began = clock()
    stop = Seconds(task.key.seconds, clock)
    try:
        result = solve(
            problem=instance.problem, stop=stop, seed=task.key.seed, params=Params(processes=task.key.processes)
        )
    except RosterFaultError as error:
        return _refused(task.key, f"the verifier refuses it: {error}"[:500], compile_seconds)
    seconds = clock() - began
    with tempfile.TemporaryDirectory(prefix="popback-bench-") as folder:
        written = Path(folder) / "solution"
        file_format.write(path=written, instance=instance, roster=result.roster)
        judged = evaluate(instance=task.entry.path, solution=written)
        if task.keep is not None:
            keep(folder=task.keep, entry=task.entry, solution=written, evaluate=evaluate)
    return Solved(
        key=task.key,
        objective=None if judged.faults else float(judged.objective),
        unfilled=len(result.roster.unfilled),
        faults=tuple(judged.faults)[:5],
        seconds=round(seconds, 3),
        compile_seconds=compile_seconds,
        iterations=result.iterations,
        parts=_parts(judged),
    )


def _warm_up(problem: Problem) -> float:
    """Seconds until the search's compiled kernels are in memory."""
    began = time.monotonic()
    warm_up(compiled=compile_problem(problem=problem))
    return round(time.monotonic() - began, 3)


def _refused(key: Key, fault: str, compile_seconds: float) -> Solved:
    return Solved(
        key=key,
        objective=None,
        unfilled=0,
        faults=(fault,),
        seconds=key.seconds,
        compile_seconds=compile_seconds,
        iterations=0,
        parts={},
    )


def _parts(judged: Any) -> dict[str, float]:
    """The parts of the objective that the evaluator counted, by name; those it gives together are named one by one."""
    parts: dict[str, float] = {}
    for name in type(judged).__dataclass_fields__:
        value = getattr(judged, name)
        if isinstance(value, dict):
            parts |= {part: float(number) for part, number in value.items()}
        elif name not in ("objective", "faults"):
            parts[name] = float(value)
    return parts


def _line(solved: Solved, done: int, of: int) -> str:
    what = "FAULTS " + "; ".join(solved.faults) if solved.objective is None else f"objective {solved.objective:.4f}"
    return f"{done}/{of} {solved.key.instance} seed {solved.key.seed}: {what}, {solved.seconds:.1f} s"


def _to_standard_error(words: str) -> None:
    sys.stderr.write(words + "\n")
    sys.stderr.flush()


def _figures(asked: Asked, found: Sequence[Entry], solves: Sequence[Solved], *, complete: bool) -> dict[str, Any]:
    rows = [_row(entry, sorted((s for s in solves if s.key.instance == entry.name), key=_seed)) for entry in found]
    gaps = [row["mean_gap"] for row in rows if row["mean_gap"] is not None]
    return {
        "set": asked.set_name,
        "seconds": asked.seconds,
        "rows": rows,
        "mean_gap": round(sum(gaps) / len(gaps), 8) if gaps else None,
        "worst_gap": max(gaps, default=None),
        "compile_seconds": max((solved.compile_seconds for solved in solves), default=0.0),
        "clock": asked.clock,
        "cores": cores(),
        "processes": asked.processes,
        "jobs": asked.jobs,
        "seeds": asked.seeds,
        "subset": asked.subset,
        "faulty": sum(bool(solved.faults) for solved in solves),
        "complete": complete,
        "popback_version": asked.version,
    }


def _seed(solved: Solved) -> int:
    return solved.key.seed


def _row(entry: Entry, solves: Sequence[Solved]) -> dict[str, Any]:
    good = [solved.objective for solved in solves if solved.objective is not None]
    best = entry.best_known
    mean = sum(good) / len(good) if good and len(good) == len(solves) else None
    gap = None if mean is None or not best else round(mean / float(best) - 1, 8)
    names = solves[0].parts if solves else ()
    return {
        "instance": entry.name,
        "best_known": None if best is None else round(float(best), 6),
        "published": {name: round(float(value), 6) for name, value in entry.published.items()},
        "objectives": [None if solved.objective is None else round(solved.objective, 6) for solved in solves],
        "mean": None if mean is None else round(mean, 6),
        "mean_gap": gap,
        "unfilled": [solved.unfilled for solved in solves],
        "parts_mean": {name: round(sum(s.parts.get(name, 0.0) for s in solves) / len(solves), 3) for name in names},
        "iterations": [solved.iterations for solved in solves],
        "faults": [fault for solved in solves for fault in solved.faults],
    }
