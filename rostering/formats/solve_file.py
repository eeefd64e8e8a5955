"""Solves an instance file and writes its solution file: what `popback solve` does, without the command line."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from rostering.formats.any_file import read_any
from rostering.solver import solve
from rostering.stop import Progress, Seconds

MARGIN_SECONDS = 0.2


def solve_file(
    *,
    path: Path,
    seconds: float,
    seed: int,
    out: Path | None = None,
    progress: Callable[[Progress], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, object]:
    """Reads `path`, searches for about `seconds` in all, writes `out`; gives the keys that targets.md fixes and parts.

    Without `out` the solution goes to NAME.solution and the format's own suffix, where the command runs. `feasible` says
    that every slot is filled by a roster the verifier passed. Raises FormatError for a file that no format reads, OSError
    for one that cannot be opened or written.
    """
    began = clock()
    file_format, instance = read_any(path=path)
    left = max(0.0, seconds - (clock() - began) - MARGIN_SECONDS)
    result = solve(problem=instance.problem, stop=Seconds(left, clock), seed=seed, report=progress)
    solution = out or default_out(path=path, file_format=file_format)
    file_format.write(path=solution, instance=instance, roster=result.roster)
    return {
        "instance": instance.name,
        "format": file_format.NAME,
        **file_format.parts(problem=instance.problem, roster=result.roster),
        "feasible": not result.roster.unfilled,
        "unfilled": len(result.roster.unfilled),
        "iterations": result.iterations,
        "lower_bound": file_format.published_bound(lower_bound=result.lower_bound),
        "seed": seed,
        "seconds": round(clock() - began, 3),
        "solution": str(solution),
    }


def default_out(*, path: Path, file_format: ModuleType) -> Path:
    """Where a file's solution goes when nobody says: beside nothing, in the directory where the command runs."""
    suffix = getattr(file_format, "SUFFIX", ".json")
    name = path.name.removesuffix(".gz")
    for ending in (".json", ".txt", ".csv"):
        name = name.removesuffix(ending)
    return Path(f"{name}.solution{suffix}")
