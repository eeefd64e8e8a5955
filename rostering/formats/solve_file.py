"""Solves an instance file and writes its solution file: what `popback solve` does, without the command line."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from rostering.formats.any_file import read_any
from rostering.formats.error import FormatError
from rostering.formats.whole_file import whole
from rostering.lower_bound import lower_bound
from rostering.roster import Roster
from rostering.search.compiled import compile_problem
from rostering.solver import Params, solve_compiled, warm_up
from rostering.stop import AnyOf, Cancelled, Progress, Reached, Seconds

MARGIN_SECONDS = 0.2
SHOWN_EVERY_SECONDS = 0.2
PROOF_EFFORT_SECONDS = 1.0
"""CP-SAT's deterministic time for the proof of a small problem's best roster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incumbent:
    """The best so far while a search runs: its objective and a bound below any, in the file's unit."""

    seconds: float
    iterations: int
    objective: float
    bound: float
    unfilled: int


def solve_file(
    *,
    path: Path,
    seconds: float,
    seed: int,
    out: Path | None = None,
    progress: Callable[[Incumbent], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
    asked: Callable[[], bool] = lambda: False,
    processes: int | None = None,
) -> dict[str, object]:
    """Reads `path`, searches for about `seconds` in all, writes `out`; gives the keys that targets.md fixes and parts.

    A roster that is as good as the bound is proved best and ends the search. Compiling machine code is not counted in
    `seconds`, and is given apart. When `asked` says so the search stops and the best so far is written. Without `out`
    the solution goes to NAME.solution and the format's own suffix, where the command runs. `feasible` says that every slot (a format with
    optional patients: every one that is not) is filled by a roster the verifier passed. Raises FormatError for a file
    that no format reads and, before any search, for an `out` that is no place for a solution; OSError for a file that
    cannot be opened or written.
    """
    began = clock()
    file_format, instance = read_any(path=path)
    solution = out or default_out(path=path, file_format=file_format)
    _refuse_no_place(solution, path)
    compiled = compile_problem(problem=instance.problem)
    params = Params(processes=processes)
    read_seconds = clock() - began
    warm_up(compiled=compiled, params=params)
    searching = clock()
    least = lower_bound(problem=instance.problem, compiled=compiled, effort_seconds=PROOF_EFFORT_SECONDS)
    bound = file_format.published_bound(lower_bound=least)
    limit = Seconds(max(0.0, seconds - read_seconds - MARGIN_SECONDS), clock)
    result = solve_compiled(
        compiled=compiled,
        stop=AnyOf((limit, Cancelled(asked), Reached(least))),
        seed=seed,
        params=params,
        report=None if progress is None else _shown(progress, file_format, bound, clock),
    )
    _write_whole(file_format, solution, instance, result.roster)
    parts = file_format.parts(problem=instance.problem, roster=result.roster)
    return {
        "instance": instance.name,
        "format": file_format.NAME,
        **parts,
        "feasible": not parts.get("patients_missing", result.roster.unfilled),
        "unfilled": len(result.roster.unfilled),
        "iterations": result.iterations,
        "lower_bound": bound,
        "seed": seed,
        "stopped": asked(),
        "compile_seconds": round(searching - began - read_seconds, 3),
        "seconds": round(clock() - began, 3),
        "solution": str(solution),
    }


def _write_whole(file_format: ModuleType, solution: Path, instance: Any, roster: Roster) -> None:
    """The solution is there whole, or what was there before.

    What is no plain file (a pipe), or lies in a folder that may not be written, is written straight into.
    """
    solution = solution.resolve()
    if (solution.exists() and not solution.is_file()) or not os.access(solution.parent, os.W_OK):
        file_format.write(path=solution, instance=instance, roster=roster)
        return
    with whole(path=solution) as aside:
        file_format.write(path=aside, instance=instance, roster=roster)


def _refuse_no_place(solution: Path, question: Path) -> None:
    """FormatError for a solution that would be lost after the whole search, or be written over the question."""
    wrong = None
    if solution.is_dir():
        wrong = f"{solution} is a folder; name a file in it"
    elif not solution.parent.is_dir():
        wrong = f"there is no folder {solution.parent}; make it first"
    elif not os.access(solution if solution.exists() else solution.parent, os.W_OK):
        wrong = f"{solution} may not be written; name another file"
    elif solution.exists() and solution.samefile(question):
        wrong = f"{solution} is the question itself; name another file"
    if wrong is not None:
        raise FormatError(where="out", wrong=wrong)


def _shown(
    show: Callable[[Incumbent], None], file_format: ModuleType, bound: float, clock: Callable[[], float]
) -> Callable[[Progress], None]:
    """A search's report that shows the incumbent a few times a second."""
    began = clock()
    last = began - SHOWN_EVERY_SECONDS

    def report(progress: Progress) -> None:
        nonlocal last
        now = clock()
        if now - last < SHOWN_EVERY_SECONDS:
            return
        last = now
        show(
            Incumbent(
                seconds=now - began,
                iterations=progress.iterations,
                objective=file_format.published_bound(lower_bound=progress.objective),
                bound=bound,
                unfilled=progress.unfilled,
            )
        )

    return report


def default_out(*, path: Path, file_format: ModuleType) -> Path:
    """Where a file's solution goes when nobody says: beside nothing, in the directory where the command runs."""
    suffix = getattr(file_format, "SUFFIX", ".json") or Path(path.name.removesuffix(".gz")).suffix
    name = path.name.removesuffix(".gz")
    for ending in (".json", ".txt", ".csv"):
        name = name.removesuffix(ending)
    return Path(f"{name}.solution{suffix}")
