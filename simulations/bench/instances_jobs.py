"""Work done by several processes at once that end with their parent, however it ends. It knows nothing of rosters."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

Task = TypeVar("Task")
Done = TypeVar("Done")


class JobLostError(RuntimeError):
    """A process ended without its answer: somebody or something (often a lack of memory) killed it."""


def in_jobs(*, work: Callable[[Task], Done], tasks: Sequence[Task], jobs: int) -> Iterator[Done]:
    """Results as they come. On Ctrl-C, or when the caller stops taking them, the children are ended and waited for.

    Raises JobLostError when a child is killed, and whatever the work raises.
    """
    context = multiprocessing.get_context("spawn")
    before = set(multiprocessing.active_children())
    executor = ProcessPoolExecutor(max_workers=jobs, mp_context=context, initializer=_child)
    finished = False
    try:
        for future in as_completed([executor.submit(work, task) for task in tasks]):
            yield future.result()
        finished = True
    except BrokenProcessPool as error:
        raise JobLostError(f"one of {jobs} processes was killed (memory?); ask for fewer --jobs") from error
    finally:
        if not finished:
            for child in set(multiprocessing.active_children()) - before:
                child.terminate()
        executor.shutdown(wait=True, cancel_futures=True)


def _child() -> None:
    """Ctrl-C is the parent's to answer; a parent that was killed takes its children with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
