"""Runs many independent pieces of work side by side and gives each answer as it is done; it knows no rosters and keeps nothing.

Here the work is done by processes of this machine; `rostering.scale_cluster` does it on a Dask cluster behind the same interface.
A process that dies takes only its own piece with it, and that piece is begun again elsewhere.
"""

from __future__ import annotations

import multiprocessing
import signal
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.synchronize import Event
from typing import Any, Protocol

TRIES_MAX = 3
POLL_SECONDS = 0.2

Asked = Callable[[], bool]
"""Whether the work is asked to end early with what it has."""
Work = Callable[[Any, Asked], Any]
"""A function at the top of a module: (task, asked) to answer; task and answer can be pickled."""


def never() -> bool:
    """Nobody asks."""
    return False


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Processes begun in here never see Ctrl-C, not even while they start: it is for the one who began them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A piece of work under a key of the caller's."""

    key: str
    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of a task: its answer, or in `failed` the words that say why there is none (then `answer` is None)."""

    key: str
    answer: Any = None
    failed: str = ""


class PoolLostError(RuntimeError):
    """The pool itself is gone; what was answered before stands. The message says what to do."""


class Pool(Protocol):
    """Where work is done. Closing the iterator of `map_unordered` ends what is running, without its answers."""

    def map_unordered(self, *, work: Work, tasks: Iterable[Task], asked: Asked) -> Iterator[Done]:
        """An answer for each task, as they come; tasks are taken from the iterable only as there is room for them.

        Once `asked` answers True nothing more is begun, and what is running is asked to end with what it has.
        """
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


@dataclass(slots=True, kw_only=True)
class _Running:
    task: Task
    tries: int
    process: SpawnProcess


class ProcessPool:
    """Processes of this machine, one a task: what one leaks or breaks ends with it."""

    def __init__(self, *, processes: int, tries_max: int = TRIES_MAX) -> None:
        if processes < 1:
            raise ValueError(f"processes: {processes}; give 1 or more")
        self._processes = processes
        self._tries_max = tries_max
        self._context: SpawnContext = multiprocessing.get_context("spawn")
        self._stop: Event = self._context.Event()
        self._running: dict[Connection, _Running] = {}

    def map_unordered(self, *, work: Work, tasks: Iterable[Task], asked: Asked = never) -> Iterator[Done]:
        """Answers as they come. A task whose process died `tries_max` times is answered as failed."""
        fresh, again = iter(tasks), deque[tuple[Task, int]]()
        try:
            while True:
                self._fill(work, fresh, again)
                if not self._running:
                    return
                if asked():
                    self._stop.set()
                for ready in wait(list(self._running), timeout=POLL_SECONDS):
                    assert isinstance(ready, Connection)
                    yield from self._settle(ready, again)
        finally:
            self.close()

    def close(self) -> None:
        """Kill what is still running."""
        for connection, running in self._running.items():
            running.process.kill()
            running.process.join()
            connection.close()
        self._running.clear()

    def pids(self) -> dict[str, int]:
        """The process of each task that is running now, by key."""
        return {each.task.key: each.process.pid for each in self._running.values() if each.process.pid is not None}

    def _fill(self, work: Work, fresh: Iterator[Task], again: deque[tuple[Task, int]]) -> None:
        while len(self._running) < self._processes and not self._stop.is_set():
            task, tries = again.popleft() if again else (next(fresh, None), 0)
            if task is None:
                return
            ours, theirs = self._context.Pipe(duplex=False)
            process = self._context.Process(target=_child, args=(theirs, self._stop, work, task.value), daemon=True)
            with uninterrupted():
                process.start()
            theirs.close()
            self._running[ours] = _Running(task=task, tries=tries + 1, process=process)

    def _settle(self, ready: Connection, again: deque[tuple[Task, int]]) -> Iterator[Done]:
        running = self._running.pop(ready)
        try:
            failed, answer = ready.recv()
        except EOFError:
            failed, answer = None, None
        ready.close()
        running.process.join()
        key = running.task.key
        if failed is not None:
            yield Done(key=key, answer=answer, failed=failed)
        elif running.tries < self._tries_max:
            again.append((running.task, running.tries))
        else:
            how = f"its process died {running.tries} times (exit code {running.process.exitcode})"
            yield Done(key=key, failed=f"{how}: memory may have run out; use fewer processes")


def _child(answers: Connection, stop: Event, work: Work, value: Any) -> None:
    """A process's whole life: one task. Ctrl-C is for the parent, which asks by `stop`."""
    answers.send(outcome(work=work, value=value, asked=stop.is_set))
    answers.close()


def outcome(*, work: Work, value: Any, asked: Asked) -> tuple[str, Any]:
    """(words of what went wrong, or an empty text; the answer or None)."""
    try:
        return "", work(value, asked)
    except Exception as error:  # noqa: BLE001 -- whatever went wrong with one task is told to its caller, and the others go on
        return f"{type(error).__name__}: {error}\n{traceback.format_exc()}", None
