"""The search of days and weeks compiled beside other work, in a process of its own: needed once after an installation.

Whoever knows that a roster will be asked for soon saves its first user the seconds of compiling. It searches nothing.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from rostering.problem import Demand, Problem, Shift, Slot, Travel, Window, Worker
from rostering.search.compiled import compile_problem
from rostering.search.duties import DutiesEngine
from rostering.solver import Params, warm_up

HOUR = 3_600
BEHIND = 5
"""How much the compiling gives way to other processes on a machine with one core."""


@contextmanager
def getting_ready() -> Iterator[Callable[[], None]]:
    """Begins to compile; what is yielded waits until that is done, so that nobody compiles the same twice."""
    process = multiprocessing.get_context("spawn").Process(target=_alone, name="getting-ready", daemon=True)
    process.start()
    try:
        yield process.join
    finally:
        process.terminate()
        process.join()


def _alone() -> None:
    """The child's life: after whoever does the other work, and Ctrl-C is the caller's affair."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(BEHIND)
    get_ready()


def get_ready() -> None:
    """The engine that knows the rules of home care compiled, or read from disk, by two visits of one worker."""
    visits = tuple(
        Demand(
            id=f"v{n}",
            customer=f"c{n}",
            place=n,
            slots=(Slot(HOUR // 2),),
            windows=(Window((8 + n) * HOUR, (9 + n) * HOUR),),
        )
        for n in (1, 2)
    )
    problem = Problem(
        demands=visits,
        workers=(Worker(id="w", shifts=(Shift(7 * HOUR, 15 * HOUR),), home=0),),
        travel=Travel({"car": np.full((3, 3), 600, np.int64)}),
        horizon=Shift(0, 24 * HOUR),
    )
    warm_up(compiled=compile_problem(problem=problem), params=Params(engine=DutiesEngine().name))
