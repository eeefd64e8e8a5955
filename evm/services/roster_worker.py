"""Solves a roster in a worker process of its own, so that a site goes on answering: progress comes back as it goes, and it can be stopped
and what was found kept. Not the roster's storing (evm.services.roster.keep)."""

import multiprocessing
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from typing import Final

from evm.services.roster_drafts import Prepared
from rostering.scale import uninterrupted
from rostering.scale_week import SolveTask, solve_reporting
from rostering.solver import Result
from rostering.stop import Progress

POLL_SECONDS: Final = 0.1
REPORT_EVERY_SECONDS: Final = 0.2


class SolveFailedError(RuntimeError):
    """The worker process ended without a roster; the message is its own last words."""


def solve_apart(
    prepared: Prepared,
    *,
    seconds_max: float | None = None,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Result:
    """Solve in a new process, for the wished iterations or `seconds_max`, whichever ends first; without seconds it is repeatable.

    `progress` is called now and then, in this thread. Once `cancelled` answers True the best roster found so far is returned. Raises
    SolveFailedError."""
    task = day_task_of(prepared, seconds_max=seconds_max)
    return solve_task_apart(task, progress=progress, cancelled=cancelled)


def day_task_of(prepared: Prepared, *, seconds_max: float | None, processes: int | None = 1) -> SolveTask:
    """A day's question as a piece of work: for the wished iterations (unless None) or `seconds_max`, whichever ends first."""
    return SolveTask(
        problem=prepared.problem,
        seed=prepared.seed,
        iterations_max=prepared.wishes.iterations_max,
        effort_seconds=prepared.wishes.effort_seconds,
        seconds_max=seconds_max,
        processes=processes,
    )


def solve_task_apart(
    task: SolveTask,
    *,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Result:
    """The same for any piece of work, a week too. Raises SolveFailedError."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    stop = context.Event()
    process = context.Process(target=_work, args=(theirs, stop, task), daemon=True)
    with uninterrupted():
        process.start()
    theirs.close()
    try:
        return _await(ours, stop, progress or _nothing, cancelled or _never)
    finally:
        ours.close()
        process.terminate()
        process.join()


def _await(
    answers: Connection, stop: Event, progress: Callable[[Progress], None], cancelled: Callable[[], bool]
) -> Result:
    while True:
        if cancelled():
            stop.set()
        if not answers.poll(POLL_SECONDS):
            continue
        try:
            answer = answers.recv()
        except EOFError as ended:
            raise SolveFailedError("the worker process ended without a word") from ended
        if isinstance(answer, Result):
            return answer
        if isinstance(answer, str):
            raise SolveFailedError(answer)
        progress(answer)


def _work(answers: Connection, stop: Event, task: SolveTask) -> None:
    """The worker process: sends Progress now and then, and at last the Result or, as text, why there is none. Ctrl-C is for the parent,
    which asks by `stop`."""
    said_at = time.monotonic()

    def report(progress: Progress) -> None:
        nonlocal said_at
        if time.monotonic() - said_at >= REPORT_EVERY_SECONDS:
            said_at = time.monotonic()
            answers.send(progress)

    try:
        answers.send(solve_reporting(task, stop.is_set, report))
    except Exception:  # noqa: BLE001 -- whatever went wrong is told to the process that waits, which raises it
        answers.send(traceback.format_exc())


def _nothing(_progress: Progress) -> None:
    return None


def _never() -> bool:
    return False
