"""Localities of several sizes rostered one after another, each in a process of its own: quality, time and memory against size.

It measures nothing itself (`roster`) and draws nothing (`roster_plot`).
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import Any, Final

from simulations.bench.roster import Asked, BenchError, run

WORKERS_PER_VISIT: Final = 0.12
"""As in the benchmarks' city day: 120 on duty for 1,000 visits."""
WORKERS_LEAST: Final = 8


def sizes_of(*, text: str) -> tuple[int, ...]:
    """Visits a day from "100,1000,2000", in order of size. Raises BenchError naming what is no number of visits."""
    sizes: list[int] = []
    for word in text.split(","):
        if not word.strip().isdecimal() or int(word) < 1:
            raise BenchError(f"--sizes: {word.strip()!r} is no number of visits; give some as in 100,1000,2000")
        sizes.append(int(word))
    return tuple(sorted(set(sizes)))


def workers_for(*, visits: int) -> int:
    """How many workers a locality of that many visits a day has on duty."""
    return max(WORKERS_LEAST, round(visits * WORKERS_PER_VISIT))


def run_sizes(*, asked: Asked, sizes: Sequence[int], say: Callable[[str], None]) -> dict[str, Any]:
    """A row of `run`'s figures for each size, one day each, the same seconds each; memory is each process's own peak."""
    began, rows = time.monotonic(), []
    for visits in sizes:
        say(f"{visits} visits a day")
        this = replace(asked, instance=None, visits=visits, workers=workers_for(visits=visits), days=1)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
            rows.append(pool.submit(_one, this).result())
    return {"sizes": rows, "seconds": round(time.monotonic() - began, 2)}


def _one(asked: Asked) -> dict[str, Any]:
    return run(asked=asked, say=lambda _: None)
