"""Solves an instance file and writes its solution file: what `popback solve` does, without the command line."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from rostering.formats import FORMATS
from rostering.formats.error import FormatError
from rostering.solver import solve
from rostering.stop import Progress, Seconds

MARGIN_SECONDS = 0.2


def solve_file(
    *,
    path: Path,
    seconds: float,
    seed: int,
    out: Path,
    progress: Callable[[Progress], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, object]:
    """Reads `path`, searches for about `seconds` in all, writes `out`; gives the keys that targets.md fixes and parts.

    `feasible` says that every slot is filled by a roster the verifier passed. Raises FormatError for a file that no
    format reads, OSError for one that cannot be opened or written.
    """
    began = clock()
    refused: list[FormatError] = []
    for file_format in FORMATS:
        try:
            instance = file_format.read(path=path)
        except FormatError as error:
            refused.append(error)
            continue
        left = max(0.0, seconds - (clock() - began) - MARGIN_SECONDS)
        result = solve(problem=instance.problem, stop=Seconds(left, clock), seed=seed, report=progress)
        file_format.write(path=out, instance=instance, roster=result.roster)
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
        }
    raise refused[0]
